//! Cuts the octets of a connection into whole commands.
//!
//! A command is a line and the literals in it (RFC 9051 §4.3, RFC 7888). It is collected first and parsed
//! once: parsing at every line end would be quadratic in the number of literals. All state is in [`Framer`],
//! none in a future, so that whoever waits for input may stop waiting at any time.
//!
//! Invariant: after every event but [`Event::Bye`] the next octet of the connection is where the client
//! believes it to be, whatever was refused: literals that the client sends without asking are swallowed.
//!
//! The message of an APPEND is no part of the frame: the framer stops in front of its first octet.

use super::error::{ErrorKind, Fault, ParseError, TAG_MAX, Tag};
use super::quirks;
use crate::imap::command::Literal;

/// Limit: octets of a command, literals counted in, before login.
pub const COMMAND_MAX_BEFORE_LOGIN: usize = 8 * 1024;
/// Limit: octets of a command, literals counted in (but for the message of an APPEND), after login.
pub const COMMAND_MAX: usize = 64 * 1024;
/// Limit: literals in one command.
pub const LITERALS_MAX: usize = 4096;
/// Limit: octets of a refused command that are swallowed to stay in step; beyond, the session ends.
pub const DISCARD_MAX: u64 = 16 * 1024 * 1024;
/// As many octets of a line's end as hold the longest literal announcement and the line end.
const TAIL: usize = 32;

/// A whole command: the text as it came, line ends before literals as CRLF, without the last line end.
#[derive(Default)]
pub struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) literals: Vec<LiteralAt>,
    pub(super) message: Option<Announced>,
}

/// Where a literal is in a frame.
#[derive(Clone, Copy)]
pub(super) struct LiteralAt {
    /// Its announcement (`{`, or `~` of a literal8).
    pub(super) header: usize,
    /// Its first octet.
    pub(super) start: usize,
    /// Behind its last octet.
    pub(super) end: usize,
    /// literal8 (RFC 3516)
    pub(super) binary: bool,
}

/// `{n}`, `{n+}`, `~{n}` or `~{n+}` at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) literal: Literal,
    pub(super) binary: bool,
    /// Octets of the announcement.
    length: usize,
}

impl Frame {
    /// The octets of the command. They may hold a password.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is a NUL outside of the literal8s, the only ones that may hold one (RFC 3516 §4).
    pub(super) fn has_nul(&self) -> bool {
        let mut at = 0;
        let ends = self.literals.iter().filter(|literal| literal.binary).map(|literal| (literal.start, literal.end));
        ends.chain([(self.bytes.len(), self.bytes.len())]).any(|(start, end)| {
            let text = self.bytes.get(at..start).unwrap_or_default();
            at = end;
            text.contains(&0)
        })
    }

    /// The message that follows on the wire, if the command is an APPEND.
    #[must_use]
    pub fn message(&self) -> Option<Literal> {
        self.message.map(|announced| announced.literal)
    }

    /// Makes a frame of the text of a whole command, as a test or a fuzzer has it.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let mut framer = Framer::new();
        let mut rest = text;
        loop {
            let (used, event) = framer.feed(rest, text.len().saturating_mul(2));
            rest = rest.get(used..)?;
            match event {
                Some(Event::Command(frame)) => return Some(frame),
                Some(Event::Continue) => {}
                Some(_) | None => return None,
            }
        }
    }
}

/// What the input amounts to.
pub enum Event {
    /// The client waits for a continuation request before it sends a literal.
    Continue,
    /// A whole command.
    Command(Frame),
    /// A command was refused (or a literal discarded on request); nothing more of it will come.
    Discarded {
        /// The answer that is due.
        refusal: Option<ParseError>,
        /// Without a refusal: whether the line that was discarded held anything.
        text: bool,
    },
    /// The client cannot be followed: say BYE with this text and end the session.
    Bye(&'static str),
}

#[derive(Clone, Copy)]
enum State {
    /// In a line of the command.
    Line,
    /// In a literal that is kept.
    Literal { left: usize },
    /// In a line that is dropped.
    DiscardLine,
    /// In a literal that is dropped.
    DiscardLiteral { left: u64 },
}

/// Collects one command after another. Holds no memory between commands.
pub struct Framer {
    state: State,
    frame: Frame,
    /// Where the current line (piece) begins in the frame.
    line: usize,
    blank_lines: u8,
    refusal: Option<ParseError>,
    /// How much may still be discarded.
    budget: u64,
    /// Whether the line that is discarded holds anything.
    text: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// A framer between two commands.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Line,
            frame: Frame::default(),
            line: 0,
            blank_lines: 0,
            refusal: None,
            budget: 0,
            text: false,
        }
    }

    /// Whether no octet of a command has come yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Line) && self.frame.bytes.is_empty()
    }

    /// Takes input until something is complete: how many octets were used, and what came of them.
    /// No event means that all of the input was used. `max` is the limit of a command in octets.
    pub fn feed(&mut self, input: &[u8], max: usize) -> (usize, Option<Event>) {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            let (took, event) = match self.state {
                State::Line => self.feed_line(rest, max),
                State::Literal { left } => self.feed_literal(rest, left),
                State::DiscardLine => self.discard_line(rest),
                State::DiscardLiteral { left } => self.discard_literal(rest, left),
            };
            used += took;
            if event.is_some() {
                return (used, event);
            }
        }
        (used, None)
    }

    /// Drops a literal that the client sends unasked and the rest of its command; `refusal` is handed back
    /// when that is done. At most `budget` octets.
    pub fn discard(&mut self, literal: Literal, refusal: Option<ParseError>, budget: u64) {
        self.reset();
        self.refusal = refusal;
        self.budget = budget;
        self.state = State::DiscardLiteral { left: literal.size };
    }

    /// Drops what is left of a line; the event tells whether it held anything.
    pub fn discard_rest_of_line(&mut self) {
        self.reset();
        self.budget = DISCARD_MAX;
        self.state = State::DiscardLine;
    }

    /// Goes on with a command of which this text came before, up to a streamed literal.
    pub fn resume(&mut self, text: &[u8]) {
        self.reset();
        self.frame.bytes.extend_from_slice(text);
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    fn feed_line(&mut self, input: &[u8], max: usize) -> (usize, Option<Event>) {
        let line_end = input.iter().position(|&octet| octet == b'\n');
        let took = line_end.map_or(input.len(), |at| at + 1);
        let Some(piece) = input.get(..took) else { return (took, None) };
        if self.frame.bytes.len().saturating_add(took) > max {
            // The announcement of a literal may have begun in what is kept so far.
            let line = self.frame.bytes.get(self.line..).unwrap_or_default();
            let tail = line.get(line.len().saturating_sub(TAIL)..).unwrap_or_default().to_vec();
            // Enough of it for the tag.
            let start = piece.get(..took.min(TAG_MAX + 1)).unwrap_or(piece);
            self.frame.bytes.extend_from_slice(start);
            self.refuse(Fault { text: "the command is too long", kind: ErrorKind::TooLong });
            self.frame.bytes = tail;
            self.state = State::DiscardLine;
            return (0, None);
        }
        self.frame.bytes.extend_from_slice(piece);
        if line_end.is_none() {
            return (took, None);
        }
        strip_line_end(&mut self.frame.bytes, self.line);
        (took, self.line_complete(max))
    }

    fn line_complete(&mut self, max: usize) -> Option<Event> {
        if self.frame.bytes.is_empty() && self.blank_lines < quirks::BLANK_LINES_MAX {
            self.blank_lines += 1;
            return None;
        }
        let piece = self.frame.bytes.get(self.line..).unwrap_or_default();
        let Some(announced) = announced(piece) else {
            return Some(Event::Command(self.complete()));
        };
        let header = self.frame.bytes.len() - announced.length;
        if is_message(self.frame.bytes.get(..header).unwrap_or_default()) {
            self.frame.bytes.truncate(header);
            self.frame.message = Some(announced);
            return Some(Event::Command(self.complete()));
        }
        let start = self.frame.bytes.len() + 2;
        let end = usize::try_from(announced.literal.size).ok().and_then(|size| start.checked_add(size));
        match end {
            Some(end) if end <= max && self.frame.literals.len() < LITERALS_MAX => {
                self.frame.bytes.extend_from_slice(b"\r\n");
                self.frame.literals.push(LiteralAt { header, start, end, binary: announced.binary });
                self.line = end;
                if end > start {
                    self.state = State::Literal { left: end - start };
                }
                (!announced.literal.non_synchronizing).then_some(Event::Continue)
            }
            _ => {
                let value = has_verb(&self.frame.bytes, b"SETMETADATA");
                let kind = if value { ErrorKind::ValueTooBig } else { ErrorKind::TooBig };
                self.refuse(Fault { text: "the literal is too large", kind });
                self.after_discarded_announcement(announced)
            }
        }
    }

    fn complete(&mut self) -> Frame {
        let frame = std::mem::take(&mut self.frame);
        self.reset();
        frame
    }

    fn feed_literal(&mut self, input: &[u8], left: usize) -> (usize, Option<Event>) {
        let took = left.min(input.len());
        self.frame.bytes.extend_from_slice(input.get(..took).unwrap_or_default());
        self.state = if took == left { State::Line } else { State::Literal { left: left - took } };
        (took, None)
    }

    /// Keeps the tag of the command for its refusal and drops the rest.
    fn refuse(&mut self, fault: Fault) {
        let refusal = fault.tagged(Tag::at_start_of(&self.frame.bytes));
        self.reset();
        self.refusal = Some(refusal);
        self.budget = DISCARD_MAX;
    }

    fn discard_line(&mut self, input: &[u8]) -> (usize, Option<Event>) {
        let line_end = input.iter().position(|&octet| octet == b'\n');
        let took = line_end.map_or(input.len(), |at| at + 1);
        match self.budget.checked_sub(took as u64) {
            Some(budget) => self.budget = budget,
            None => return (took, Some(Event::Bye("the command is endless"))),
        }
        // Only the end of the line matters: it may announce a literal.
        let piece = input.get(..took).unwrap_or_default();
        let tail = &mut self.frame.bytes;
        tail.extend_from_slice(piece.get(took.saturating_sub(TAIL)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(TAIL));
        self.text |= piece.iter().any(|&octet| !matches!(octet, b' ' | b'\r' | b'\n'));
        if line_end.is_none() {
            return (took, None);
        }
        strip_line_end(tail, 0);
        let event = match announced(tail) {
            Some(announced) => self.after_discarded_announcement(announced),
            None => Some(self.discarded()),
        };
        (took, event)
    }

    /// A literal was announced that is not wanted: one that waits for us will not come (RFC 9051 §4.3), the
    /// other one comes and with it the rest of the command.
    fn after_discarded_announcement(&mut self, announced: Announced) -> Option<Event> {
        self.frame.bytes.clear();
        if !announced.literal.non_synchronizing {
            return Some(self.discarded());
        }
        if announced.literal.size > self.budget {
            return Some(Event::Bye("[TOOBIG] the literal is too large"));
        }
        self.state = State::DiscardLiteral { left: announced.literal.size };
        None
    }

    fn discard_literal(&mut self, input: &[u8], left: u64) -> (usize, Option<Event>) {
        if left > self.budget {
            return (0, Some(Event::Bye("[TOOBIG] the literal is too large")));
        }
        let took = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        self.budget -= took as u64;
        let left = left.saturating_sub(took as u64);
        self.state = if left == 0 { State::DiscardLine } else { State::DiscardLiteral { left } };
        (took, None)
    }

    fn discarded(&mut self) -> Event {
        let event = Event::Discarded { text: self.text && self.refusal.is_none(), refusal: self.refusal.take() };
        self.reset();
        event
    }
}

/// Removes LF or CRLF from the end of the line that begins at `start`. A CR before that is a literal's.
fn strip_line_end(octets: &mut Vec<u8>, start: usize) {
    for end in *b"\n\r" {
        if octets.len() > start && octets.last() == Some(&end) {
            octets.pop();
        } else {
            return;
        }
    }
}

/// The literal that the end of a line announces. A size beyond 64 bits counts as the largest one.
fn announced(line: &[u8]) -> Option<Announced> {
    let body = line.strip_suffix(b"}")?;
    let (body, non_synchronizing) = match body.strip_suffix(b"+") {
        Some(body) => (body, true),
        None => (body, false),
    };
    let digits = body.iter().rev().take_while(|octet| octet.is_ascii_digit()).take(TAIL).count();
    let (rest, number) = body.split_at(body.len() - digits);
    let before = rest.strip_suffix(b"{")?;
    if digits == 0 {
        return None;
    }
    let size = number.iter().fold(0_u64, |size, digit| size.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    let binary = before.last() == Some(&b'~');
    let length = line.len() - before.len() + usize::from(binary);
    Some(Announced { literal: Literal { size, non_synchronizing }, binary, length })
}

/// Whether this is the beginning of a command of that name.
fn has_verb(text: &[u8], verb: &[u8]) -> bool {
    let behind_tag = split_word(text).map(|(_, rest)| rest);
    behind_tag.and_then(split_word).is_some_and(|(word, _)| word.eq_ignore_ascii_case(verb))
}

/// Whether the literal behind this text is the message of an APPEND (any but the first argument is) or of a REPLACE
/// (any but the first two).
fn is_message(text: &[u8]) -> bool {
    // Tag, space and verb are near the start; no more of the text is searched.
    let Some((_, rest)) = split_word(text) else { return false };
    let Some((mut verb, mut rest)) = split_word(rest) else { return false };
    if verb.eq_ignore_ascii_case(b"UID") {
        let Some(behind) = split_word(rest) else { return false };
        (verb, rest) = behind;
    }
    if verb.eq_ignore_ascii_case(b"REPLACE") {
        let Some((_, behind)) = split_word(rest) else { return false };
        rest = behind;
    } else if !verb.eq_ignore_ascii_case(b"APPEND") {
        return false;
    }
    !rest.is_empty()
}

/// The word at the start of a text and what is behind it and its spaces.
fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().take(TAG_MAX + 1).position(|&octet| octet == b' ')?;
    let (word, rest) = text.split_at(space);
    Some((word, rest.get(quirks::padding(rest)..).unwrap_or_default()))
}
