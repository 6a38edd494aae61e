//! Dot-stuffing (RFC 5321 §4.5.2, RFC 1939 §3), piece by piece.
//!
//! Reading is strict about the end of the data: only CRLF `.` CRLF ends it. A bare LF or CR beside a dot is data
//! like any other, so that no message can hide a second one from a server before us (SMTP smuggling).

use std::ops::Range;

/// What [`DotReader::feed`] found in a piece of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotText {
    /// Octets of the input that are done with.
    pub consumed: usize,
    /// Whether the end of the data was among them; what follows is the next command.
    pub finished: bool,
}

/// Takes the stuffing out of DATA.
#[derive(Clone, Debug, Default)]
pub struct DotReader {
    state: ReadState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReadState {
    /// After CRLF or at the beginning.
    #[default]
    LineStart,
    /// After a dot at the start of a line; the dot was not given out.
    Dot,
    /// After a dot and a CR at the start of a line; neither was given out.
    DotCr,
    /// Inside a line.
    Text,
    /// After a CR inside a line; it was given out.
    Cr,
    Finished,
}

impl DotReader {
    /// At the beginning of the data.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of input and hands the message's octets in it to `take`, in slices of the input but for
    /// single octets that had to wait for the next piece. Everything up to the end of the data is consumed.
    pub fn feed(&mut self, input: &[u8], mut take: impl FnMut(&[u8])) -> DotText {
        let mut scan = Scan { input, from: 0 };
        for (at, octet) in input.iter().copied().enumerate() {
            self.state = match (self.state, octet) {
                (ReadState::LineStart, b'.') => {
                    scan.skip(at, at + 1, &mut take);
                    ReadState::Dot
                }
                (ReadState::Dot, b'\r') => {
                    scan.skip(at, at + 1, &mut take);
                    ReadState::DotCr
                }
                (ReadState::DotCr, b'\n') => {
                    self.state = ReadState::Finished;
                    return DotText { consumed: at + 1, finished: true };
                }
                // The dot was stuffing and the CR was text after all.
                (ReadState::DotCr, _) => {
                    take(b"\r");
                    if octet == b'\r' { ReadState::Cr } else { ReadState::Text }
                }
                (ReadState::Cr, b'\n') => ReadState::LineStart,
                (ReadState::Finished, _) => return DotText { consumed: at, finished: true },
                (_, b'\r') => ReadState::Cr,
                _ => ReadState::Text,
            };
        }
        scan.flush(input.len(), &mut take);
        DotText { consumed: input.len(), finished: self.state == ReadState::Finished }
    }
}

/// The part of the input that was seen but not handed on.
struct Scan<'a> {
    input: &'a [u8],
    from: usize,
}

impl Scan<'_> {
    fn flush(&mut self, to: usize, take: &mut impl FnMut(&[u8])) {
        let Range { start, end } = self.from..to;
        if let Some(octets) = self.input.get(start..end).filter(|octets| !octets.is_empty()) {
            take(octets);
        }
        self.from = to;
    }

    fn skip(&mut self, to: usize, next: usize, take: &mut impl FnMut(&[u8])) {
        self.flush(to, take);
        self.from = next;
    }
}

/// Puts the stuffing into a message for POP3 (RFC 1939 §3) and ends it.
#[derive(Clone, Debug)]
pub struct DotStuffer {
    state: WriteState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    LineStart,
    Text,
    Cr,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self { state: WriteState::LineStart }
    }
}

impl DotStuffer {
    /// At the beginning of the message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of the message and hands what goes to the client to `put`: slices of the piece, and a
    /// dot before each one that begins a line. A line begins after LF, so that lenient clients are safe as well.
    pub fn feed(&mut self, input: &[u8], mut put: impl FnMut(&[u8])) {
        let mut scan = Scan { input, from: 0 };
        for (at, octet) in input.iter().copied().enumerate() {
            self.state = match (self.state, octet) {
                (WriteState::LineStart, b'.') => {
                    scan.flush(at, &mut put);
                    put(b".");
                    WriteState::Text
                }
                (_, b'\n') => WriteState::LineStart,
                (_, b'\r') => WriteState::Cr,
                _ => WriteState::Text,
            };
        }
        scan.flush(input.len(), &mut put);
    }

    /// What ends the message: its missing line end, and the dot.
    #[must_use]
    pub fn end(self) -> &'static [u8] {
        match self.state {
            WriteState::LineStart => b".\r\n",
            WriteState::Text | WriteState::Cr => b"\r\n.\r\n",
        }
    }
}
