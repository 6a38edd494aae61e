//! The position in a frame and the primitives of the grammar (RFC 9051 §9).

use crate::imap::enabled::{Enabled, Quoting};
use crate::imap::wire::error::{Fault, is_atom_char};
use crate::imap::wire::frame::{Frame, LiteralAt};
use crate::imap::wire::quirks;
use std::borrow::Cow;

/// Reads a frame from left to right. Text never runs into a literal: see [`Cursor::text`].
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    literals: &'a [LiteralAt],
    at: usize,
    enabled: Enabled,
}

impl<'a> Cursor<'a> {
    /// At the start of a frame from a client that has switched on `enabled`.
    pub(super) fn new(frame: &'a Frame, enabled: Enabled) -> Self {
        Self { bytes: &frame.bytes, literals: &frame.literals, at: 0, enabled }
    }

    /// What the client has switched on.
    pub(super) const fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// Refuses a frame whose text is not in UTF-8 although the client said that it would be (RFC 6855 §3). Literals may
    /// hold anything.
    pub(super) fn check_text(&self) -> Result<(), Fault> {
        if self.enabled.quoting() == Quoting::Ascii {
            return Ok(());
        }
        let mut start = 0;
        for (end, next) in self.literals.iter().map(|literal| (literal.header, literal.end)).chain([(usize::MAX, 0)]) {
            let text = self.bytes.get(start..end.min(self.bytes.len())).unwrap_or_default();
            if std::str::from_utf8(text).is_err() {
                return Err(Fault::syntax("text outside of literals must be UTF-8"));
            }
            start = next;
        }
        Ok(())
    }

    /// What is left, literals in it as they came.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes that many octets of text, or what there is.
    pub(super) fn skip(&mut self, octets: usize) {
        self.at += octets.min(self.text().len());
    }

    /// Takes everything that is left.
    pub(super) fn skip_to_end(&mut self) {
        self.at = self.bytes.len();
        self.literals = &[];
    }

    /// The text up to the next literal or the end.
    pub(super) fn text(&self) -> &'a [u8] {
        let end = self.literals.first().map_or(self.bytes.len(), |literal| literal.header);
        self.bytes.get(self.at..end).unwrap_or_default()
    }

    /// The next octet of text; None at a literal and at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text().first().copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Takes `octet` if it is next.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes `octet`, or fails with `text`.
    pub(super) fn expect(&mut self, octet: u8, text: &'static str) -> Result<(), Fault> {
        if self.take(octet) { Ok(()) } else { Err(Fault::syntax(text)) }
    }

    /// Takes any spaces.
    pub(super) fn padding(&mut self) {
        self.at += quirks::padding(self.text());
    }

    /// Takes the space between two arguments; `text` says which argument is missing at the end.
    pub(super) fn space(&mut self, text: &'static str) -> Result<(), Fault> {
        if self.peek() != Some(b' ') {
            return Err(Fault::syntax(if self.at_end() { text } else { "a space is missing" }));
        }
        self.padding();
        if self.at_end() {
            return Err(Fault::syntax(text));
        }
        Ok(())
    }

    /// The end of the command.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.padding();
        if self.at_end() { Ok(()) } else { Err(Fault::syntax("there is more than the command takes")) }
    }

    /// The octets that satisfy `accept`, perhaps none.
    pub(super) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let text = self.text();
        let length = text.iter().position(|&octet| !accept(octet)).unwrap_or(text.len());
        self.at += length;
        text.get(..length).unwrap_or_default()
    }

    /// An atom; `text` says what is missing.
    pub(super) fn atom(&mut self, text: &'static str) -> Result<&'a str, Fault> {
        ascii(self.take_while(is_atom_char)).ok_or(Fault::syntax(text))
    }

    /// A name of the protocol: letters, digits, dot and hyphen; perhaps empty.
    pub(super) fn word(&mut self) -> &'a str {
        ascii(self.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'))).unwrap_or("")
    }

    /// A decimal number of at most 63 bits (RFC 9051 number64).
    pub(super) fn number64(&mut self, text: &'static str) -> Result<u64, Fault> {
        let digits = self.take_while(|octet| octet.is_ascii_digit());
        ascii(digits)
            .and_then(|digits| digits.parse::<u64>().ok())
            .filter(|&number| i64::try_from(number).is_ok())
            .ok_or(Fault::syntax(text))
    }

    /// A decimal number of at most 32 bits.
    pub(super) fn number(&mut self, text: &'static str) -> Result<u32, Fault> {
        u32::try_from(self.number64(text)?).map_err(|_| Fault::syntax(text))
    }

    /// The quoted string or literal that is next; None where neither is.
    pub(super) fn string(&mut self) -> Result<Option<Cow<'a, [u8]>>, Fault> {
        if let Some(literal) = self.literals.first().filter(|literal| literal.header == self.at) {
            if literal.binary {
                return Err(Fault::syntax("a literal8 is not allowed here"));
            }
            return self.string8();
        }
        if self.peek() == Some(b'"') { self.quoted().map(Some) } else { Ok(None) }
    }

    /// The quoted string, literal or literal8 (RFC 3516) that is next; None where none is.
    pub(super) fn string8(&mut self) -> Result<Option<Cow<'a, [u8]>>, Fault> {
        if let Some(literal) = self.literals.first().filter(|literal| literal.header == self.at) {
            let octets = self.bytes.get(literal.start..literal.end).unwrap_or_default();
            self.at = literal.end;
            self.literals = self.literals.get(1..).unwrap_or_default();
            return Ok(Some(Cow::Borrowed(octets)));
        }
        if self.peek() == Some(b'"') { self.quoted().map(Some) } else { Ok(None) }
    }

    /// A string, or the octets that satisfy `accept` (at least one); `text` says what is missing.
    pub(super) fn astring(&mut self, accept: impl Fn(u8) -> bool, text: &'static str) -> Result<Cow<'a, [u8]>, Fault> {
        if let Some(string) = self.string()? {
            return Ok(string);
        }
        let octets = self.take_while(accept);
        if octets.is_empty() { Err(Fault::syntax(text)) } else { Ok(Cow::Borrowed(octets)) }
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let body = self.text().get(1..).unwrap_or_default();
        let plain = body.iter().position(|octet| matches!(octet, b'"' | b'\\'));
        let plain = plain.ok_or(UNTERMINATED)?;
        let start = body.get(..plain).unwrap_or_default();
        if body.get(plain) == Some(&b'"') {
            self.at += plain + 2;
            return Ok(Cow::Borrowed(start));
        }
        let mut unescaped = start.to_vec();
        let mut octets = body.iter().enumerate().skip(plain);
        while let Some((at, &octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.at += at + 2;
                    return Ok(Cow::Owned(unescaped));
                }
                b'\\' => {
                    let (_, &next) = octets.next().ok_or(UNTERMINATED)?;
                    if quirks::backslash_is_literal(next) {
                        unescaped.push(b'\\');
                    }
                    unescaped.push(next);
                }
                _ => unescaped.push(octet),
            }
        }
        Err(UNTERMINATED)
    }
}

const UNTERMINATED: Fault = Fault::syntax("a quoted string does not end");

/// These octets as text if they are ASCII and not empty.
fn ascii(octets: &[u8]) -> Option<&str> {
    std::str::from_utf8(octets).ok().filter(|text| !text.is_empty() && text.is_ascii())
}
