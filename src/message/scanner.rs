//! One pass over a message while it arrives: finds its parts and makes its [`Record`].
//!
//! Every octet string is a message. Over a limit the scanner shows less structure and never fails:
//! what it does not take apart is one part of text, and all offsets stay right.

use super::collect::Collector;
use super::envelope::EnvelopeBuf;
use super::header::{is_blank, split_name, without_cr};
use super::record::{Basics, Record};
use super::structure::{DEPTH_MAX, Kind, PartBuf};
use memchr::{memchr, memchr_iter};

/// Limit: parts of a message. When the next one begins, the rest of its multipart is one part of text.
const PARTS_MAX: usize = 1000;

/// Limit: octets kept of a header line: somewhat more than of a field, so that a cut is noticed there.
const LINE_MAX: usize = 65 * 1024;

/// Limit: octets of a boundary. RFC 2046 allows 70; a multipart with a longer one is a part of text.
const BOUNDARY_MAX: usize = 512;

/// Limit: octets kept of a body line that may be a delimiter: a boundary, its hyphens, white space behind it.
const DELIMITER_MAX: usize = BOUNDARY_MAX + 256;

/// Limit: octets of envelopes and MIME fields in a record. Parts for which nothing is left are text.
const BUDGET: usize = 224 * 1024;

/// Parts that begin with less than this left of the budget are text.
const BUDGET_LOW: usize = 1024;

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Octets of the message.
    pub size: u64,
    /// Whether it begins with a header (if only a blank line); without one all of it is body.
    pub has_header: bool,
    /// Envelope, structure and offsets.
    pub record: Record,
}

/// Reads a message whose line ends are CRLF, in pieces of any size.
#[derive(Debug)]
pub struct Scanner {
    /// Octets before the current line.
    offset: u64,
    /// Line ends before the current line.
    lines: u64,
    /// Octets of the line end before the current line: none, LF or CRLF.
    line_end: u64,
    /// The last octet of the piece before.
    last: u8,
    /// The start of a line that is not complete.
    partial: Vec<u8>,
    /// All octets of that line so far.
    partial_len: u64,
    parts: Vec<PartBuf>,
    /// The open parts, outermost first.
    open: Vec<Open>,
    /// Multiparts in `open` whose delimiters are looked for.
    boundaries: usize,
    /// The header that is being read; None in a body.
    header: Option<Box<Collector>>,
    /// Line ends before that header.
    header_lines: u64,
    start: Start,
    /// Where a line of the header began that is no field, if it was the last one, and line ends before it.
    garbage: Option<(u64, u64)>,
    budget: usize,
    /// What the header of the message itself gave.
    top: Top,
}

/// How far a header block has been recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Nothing read yet.
    Nothing,
    /// Only a line that a mailbox file puts before a message (`From ` or `>From `).
    MailboxLine,
    /// A field was read.
    Header,
}

#[derive(Debug)]
struct Open {
    part: usize,
    /// Line ends before its body.
    lines: u64,
    /// Its boundary, while it is looked for.
    boundary: Option<Vec<u8>>,
    is_digest: bool,
}

#[derive(Debug, Default)]
struct Top {
    envelope: Vec<u8>,
    references: Option<Vec<u8>>,
    date: Option<crate::types::DateTime>,
    inexact: bool,
    has_header: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// At the start of a message.
    #[must_use]
    pub fn new() -> Self {
        let mut scanner = Self {
            offset: 0,
            lines: 0,
            line_end: 0,
            last: 0,
            partial: Vec::new(),
            partial_len: 0,
            parts: Vec::new(),
            open: Vec::new(),
            boundaries: 0,
            header: None,
            header_lines: 0,
            start: Start::Nothing,
            garbage: None,
            budget: BUDGET,
            top: Top::default(),
        };
        scanner.begin_part(0, 0, true);
        scanner
    }

    /// Takes the next octets.
    pub fn push(&mut self, octets: &[u8]) {
        let Some(&last) = octets.last() else { return };
        let mut rest = octets;
        while !rest.is_empty() {
            if self.header.is_none() && self.boundaries == 0 {
                // No line can change anything any more.
                self.lines += memchr_iter(b'\n', rest).count() as u64;
                self.offset += rest.len() as u64;
                break;
            }
            let in_header = self.header.is_some();
            let Some(at) = memchr(b'\n', rest) else {
                self.keep(rest, in_header);
                break;
            };
            let (line, behind) = rest.split_at(at + 1);
            let before_lf = match line {
                [.., before, _] => *before,
                _ => self.last,
            };
            let line_end = if before_lf == b'\r' { 2 } else { 1 };
            if self.partial_len > 0 {
                self.keep(line, in_header);
                let (partial, length) = (std::mem::take(&mut self.partial), std::mem::take(&mut self.partial_len));
                self.line(&partial, length, line_end);
            } else if in_header || line.first() == Some(&b'-') {
                let limit = line.len().min(if in_header { LINE_MAX } else { DELIMITER_MAX });
                self.line(line.get(..limit).unwrap_or(line), line.len() as u64, line_end);
            } else {
                self.offset += line.len() as u64;
                self.lines += 1;
                self.line_end = line_end;
            }
            self.last = b'\n';
            rest = behind;
        }
        self.last = last;
    }

    /// The message is complete.
    #[must_use]
    pub fn finish(mut self) -> Scan {
        if self.partial_len > 0 {
            let (partial, length) = (std::mem::take(&mut self.partial), std::mem::take(&mut self.partial_len));
            self.line(&partial, length, 0);
        }
        self.end_headers();
        self.close_above(0, self.offset, self.lines);
        let top = self.top;
        let (header_len, lines) = self.parts.first().map_or((0, 0), |root| (root.body_start, root.lines));
        let basics = Basics {
            header_len,
            body_len: self.offset - header_len,
            lines,
            date: top.date,
            inexact: top.inexact,
            has_header: top.has_header,
        };
        let structure = PartBuf::pack(&self.parts, 0);
        let record = Record::assemble(basics, &top.envelope, top.references.as_deref(), &structure);
        Scan { size: self.offset, has_header: top.has_header, record }
    }

    /// Keeps the start of a line that is not complete.
    fn keep(&mut self, octets: &[u8], in_header: bool) {
        // Of a body line only a delimiter matters, and that begins with a hyphen.
        let first = self.partial.first().or(octets.first().filter(|_| self.partial_len == 0));
        let limit = match first {
            _ if in_header => LINE_MAX,
            Some(b'-') => DELIMITER_MAX,
            _ => 0,
        };
        let free = limit.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(octets.get(..free).unwrap_or(octets));
        self.partial_len += octets.len() as u64;
    }

    /// Takes a whole line: its first octets, its length with the line end, the length of the line end.
    fn line(&mut self, kept: &[u8], length: u64, line_end: u64) {
        let content = without_line_end(kept);
        let is_whole = kept.len() as u64 == length;
        let delimiter = if is_whole && self.boundaries > 0 { self.delimiter(content) } else { None };
        if let Some((level, closes)) = delimiter {
            self.delimit(level, closes, length);
        } else {
            // A line that is no field ends one block, and may be looked at again as the first line of
            // the header inside (message/rfc822 as the default of a digest).
            while self.header.is_some() && self.header_line(kept, content, length) {}
        }
        self.offset += length;
        self.lines += u64::from(line_end > 0);
        self.line_end = line_end;
    }

    /// Takes a line of a header block; true where it does not belong to it.
    fn header_line(&mut self, kept: &[u8], content: &[u8], length: u64) -> bool {
        let Some(header) = self.header.as_mut() else { return false };
        let continues = matches!(content.first(), Some(b' ' | b'\t'));
        let name = split_name(content);
        // Among fields, the line before that was none is a broken continuation.
        if self.garbage.take_if(|_| name.is_some() || continues).is_none() && self.garbage.is_some() {
            self.end_headers();
            return false;
        }
        if is_blank(kept) && self.start != Start::MailboxLine {
            self.start = Start::Header;
            self.end_header(self.offset + length, self.lines + 1);
            return false;
        }
        if continues && self.start == Start::Header {
            header.continuation(content);
            return false;
        }
        if let Some((name, value_at)) = name {
            self.start = Start::Header;
            header.field(name, content.get(value_at..).unwrap_or_default());
            return false;
        }
        match self.start {
            Start::Header => {
                // Either a line that is broken, or the body without a blank line before it: the next line tells.
                header.broken(content);
                self.garbage = Some((self.offset, self.lines));
                false
            }
            Start::Nothing if header.is_message() && is_mailbox_line(content) => {
                self.start = Start::MailboxLine;
                false
            }
            Start::Nothing | Start::MailboxLine => {
                self.no_header();
                self.header.is_some()
            }
        }
    }

    /// The part that is open has no header: its body begins where it begins.
    fn no_header(&mut self) {
        let start =
            self.open.last().and_then(|open| self.parts.get(open.part)).map_or(self.offset, |part| part.header_start);
        self.start = Start::Nothing;
        self.end_header(start, self.header_lines);
    }

    /// Ends the headers that the end of the input or a delimiter cuts off, at the current line.
    fn end_headers(&mut self) {
        if let Some((offset, lines)) = self.garbage.take() {
            // The line begins the body.
            if let Some(header) = self.header.as_mut() {
                header.drop_broken();
            }
            self.end_header(offset, lines);
            if self.header.is_some() {
                self.no_header();
            }
        }
        while self.header.is_some() {
            if self.start == Start::MailboxLine {
                self.no_header();
            } else {
                self.end_header(self.offset, self.lines);
            }
        }
    }

    /// A header ends; the body behind it begins at `body_start`, behind `lines` line ends.
    fn end_header(&mut self, body_start: u64, lines: u64) {
        let Some(header) = self.header.take() else {
            return;
        };
        let Some(index) = self.open.last().map(|open| open.part) else {
            return;
        };
        let in_digest = self.open.iter().nth_back(1).is_some_and(|parent| parent.is_digest);
        let mut fields = header.finish(in_digest);
        let boundary = fields.boundary.take().filter(|boundary| boundary.len() <= BOUNDARY_MAX);
        let may_hold_parts = self.open.len() <= DEPTH_MAX && self.may_begin_part();
        let mut kind = match fields.kind {
            Kind::Multipart if may_hold_parts && boundary.is_some() => Kind::Multipart,
            Kind::Message if may_hold_parts => Kind::Message,
            Kind::Leaf => Kind::Leaf,
            Kind::Multipart | Kind::Message => {
                fields.content.media = None;
                Kind::Leaf
            }
        };
        let content = self.spend(fields.content.pack()).unwrap_or_else(|| {
            kind = Kind::Leaf;
            Vec::new()
        });
        let mut envelope = fields.envelope.and_then(|envelope| self.spend(envelope.pack()));
        if index == 0 {
            self.budget = self.budget.saturating_sub(fields.references.as_ref().map_or(0, Vec::len));
            self.top = Top {
                envelope: envelope.take().unwrap_or_else(|| EnvelopeBuf::default().pack()),
                references: fields.references,
                date: fields.date,
                inexact: fields.inexact,
                has_header: self.start == Start::Header,
            };
        }
        if let Some(part) = self.parts.get_mut(index) {
            (part.kind, part.body_start, part.content, part.envelope) = (kind, body_start, content, envelope);
        }
        if let Some(open) = self.open.last_mut() {
            open.lines = lines;
            if kind == Kind::Multipart {
                open.boundary = boundary;
                open.is_digest = fields.is_digest;
                self.boundaries += 1;
            }
        }
        if kind == Kind::Message {
            self.begin_part(body_start, lines, true);
        }
    }

    /// Takes packed fields into the record while the budget lasts.
    fn spend(&mut self, packed: Vec<u8>) -> Option<Vec<u8>> {
        self.budget = self.budget.checked_sub(packed.len())?;
        Some(packed)
    }

    fn may_begin_part(&self) -> bool {
        self.parts.len() < PARTS_MAX && self.budget >= BUDGET_LOW
    }

    /// Opens a part inside the innermost open one; its header begins at `start`, behind `lines` line ends.
    fn begin_part(&mut self, start: u64, lines: u64, is_message: bool) {
        let part = self.parts.len();
        self.parts.push(PartBuf::new(start));
        if let Some(parent) = self.open.last().and_then(|open| self.parts.get_mut(open.part)) {
            parent.children.push(part);
        }
        self.open.push(Open { part, lines, boundary: None, is_digest: false });
        self.header = Some(Box::new(Collector::new(is_message)));
        self.header_lines = lines;
        self.start = Start::Nothing;
    }

    /// Which open multipart the line parts, and whether it ends it (RFC 2046 §5.1.1).
    ///
    /// The whole line has to match but for white space at its end: of boundaries that begin alike
    /// each finds its own.
    fn delimiter(&self, content: &[u8]) -> Option<(usize, bool)> {
        let line = content.strip_prefix(b"--")?.trim_ascii_end();
        self.open.iter().enumerate().rev().find_map(|(level, open)| {
            match line.strip_prefix(open.boundary.as_deref()?)? {
                b"" => Some((level, false)),
                b"--" => Some((level, true)),
                _ => None,
            }
        })
    }

    /// The current line, of `length` octets, is a delimiter of the multipart at `level`.
    fn delimit(&mut self, level: usize, closes: bool, length: u64) {
        if !closes && self.repeats(level) {
            let start = self.offset + length;
            if let Some(part) = self.parts.last_mut() {
                *part = PartBuf::new(start);
            }
            self.header_lines = self.lines + 1;
            return;
        }
        self.end_headers();
        let deepest = self.open.last().and_then(|open| self.parts.get(open.part)).map_or(0, |part| part.body_start);
        // The line end before the delimiter belongs to it, unless it ends the header.
        let end = self.offset.saturating_sub(self.line_end);
        if end >= deepest {
            self.close_above(level + 1, end, self.lines.saturating_sub(1));
        } else {
            self.close_above(level + 1, self.offset, self.lines);
        }
        let opaque = !closes && !self.may_begin_part();
        if closes || opaque {
            self.boundaries -= usize::from(self.open.get_mut(level).and_then(|open| open.boundary.take()).is_some());
        }
        if !closes {
            self.begin_part(self.offset + length, self.lines + 1, false);
        }
        if opaque {
            self.header = None;
        }
    }

    /// Whether the line before was the same delimiter: two in a row part as one does.
    fn repeats(&self, level: usize) -> bool {
        self.header.is_some()
            && self.open.len() == level + 2
            && self.parts.last().is_some_and(|part| part.header_start == self.offset)
    }

    /// Closes all open parts but the outermost `keep`; their bodies end at `end`, behind `lines` line ends.
    fn close_above(&mut self, keep: usize, end: u64, lines: u64) {
        while self.open.len() > keep {
            let Some(open) = self.open.pop() else { return };
            self.boundaries -= usize::from(open.boundary.is_some());
            if let Some(part) = self.parts.get_mut(open.part) {
                part.close(end, lines.saturating_sub(open.lines));
            }
        }
    }
}

/// What programs put before a message that they take from a mailbox file.
fn is_mailbox_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

/// A line without LF or CRLF, and without CRs before that.
fn without_line_end(line: &[u8]) -> &[u8] {
    without_cr(line.strip_suffix(b"\n").unwrap_or(line))
}

#[cfg(test)]
mod tests;
