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
    /// After CRLF or at the beginning.
    LineStart,
    /// After LF alone.
    BareLf,
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
                (WriteState::LineStart | WriteState::BareLf, b'.') => {
                    scan.flush(at, &mut put);
                    put(b".");
                    WriteState::Text
                }
                (WriteState::Cr, b'\n') => WriteState::LineStart,
                (_, b'\n') => WriteState::BareLf,
                (_, b'\r') => WriteState::Cr,
                _ => WriteState::Text,
            };
        }
        scan.flush(input.len(), &mut put);
    }

    /// What ends the message: its missing line end, and the dot. A client waits for CRLF before that, and a bare LF is none.
    #[must_use]
    pub fn end(self) -> &'static [u8] {
        match self.state {
            WriteState::LineStart => b".\r\n",
            WriteState::BareLf | WriteState::Text | WriteState::Cr => b"\r\n.\r\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message, and how much of the input belonged to it; None where the data did not end.
    fn unstuff(pieces: &[&[u8]]) -> (Vec<u8>, Option<usize>) {
        let mut reader = DotReader::new();
        let mut message = Vec::new();
        let mut before = 0;
        for piece in pieces {
            let text = reader.feed(piece, |octets| message.extend_from_slice(octets));
            if text.finished {
                return (message, Some(before + text.consumed));
            }
            assert_eq!(text.consumed, piece.len());
            before += piece.len();
        }
        (message, None)
    }

    fn stuff(pieces: &[&[u8]]) -> Vec<u8> {
        let mut stuffer = DotStuffer::new();
        let mut out = Vec::new();
        for piece in pieces {
            stuffer.feed(piece, |octets| out.extend_from_slice(octets));
        }
        out.extend_from_slice(stuffer.end());
        out
    }

    fn pieces<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
    }

    #[test]
    fn the_end_and_the_stuffing_are_taken_out() {
        let (message, end) = unstuff(&[b"a\r\n..b\r\n...\r\n.c\r\n.\r\nQUIT\r\n"]);
        assert_eq!(message, b"a\r\n.b\r\n..\r\nc\r\n");
        assert_eq!(end, Some(20));
        assert_eq!(unstuff(&[b".\r\n"]), (Vec::new(), Some(3)));
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends_the_data() {
        for text in [
            &b"a\n.\n"[..],
            b"a\n.\r\n",
            b"a\r\n.\n",
            b"a\r.\r",
            b"a\r\n.\r",
            b"a\r.\r\n",
            b"a\r\n.\r\r\n",
            b"a\r\n.\r.\r\n",
            b"a\n.\r\nMAIL FROM:<>\r\n",
            b"a\r\n\0.\r\n",
            b"a\r\n. \r\n",
            b"a.\r\n",
        ] {
            assert_eq!(unstuff(&[text]).1, None, "{:?}", String::from_utf8_lossy(text));
        }
        // What was not the end is text.
        assert_eq!(unstuff(&[b"a\r\n.\r\r\n.\r\n"]).0, b"a\r\n\r\r\n");
        assert_eq!(unstuff(&[b"a\n.\r\nb\r\n.\r\n"]).0, b"a\n.\r\nb\r\n");
    }

    #[test]
    fn nothing_is_taken_after_the_end() {
        let mut reader = DotReader::new();
        assert!(reader.feed(b".\r\n", |_| {}).finished);
        assert_eq!(reader.feed(b"x", |_| panic!("taken")), DotText { consumed: 0, finished: true });
    }

    #[test]
    fn a_message_without_a_last_line_end_gets_one() {
        assert_eq!(stuff(&[b".a\r\n.\r\n"]), b"..a\r\n..\r\n.\r\n");
        assert_eq!(stuff(&[b"a"]), b"a\r\n.\r\n");
        assert_eq!(stuff(&[]), b".\r\n");
        // Clients wait for CRLF.
        assert_eq!(stuff(&[b"a\n"]), b"a\n\r\n.\r\n");
        assert_eq!(stuff(&[b"a\r", b"\n"]), b"a\r\n.\r\n");
    }

    fn hostile_text() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()];
        proptest::collection::vec(octet, 0..50)
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same(text in hostile_text(), cuts in proptest::collection::vec(0usize..50, 0..6)) {
            prop_assert_eq!(unstuff(&pieces(&text, &cuts)), unstuff(&[&text]));
        }

        #[test]
        fn any_split_writes_the_same(text in hostile_text(), cuts in proptest::collection::vec(0usize..50, 0..6)) {
            prop_assert_eq!(stuff(&pieces(&text, &cuts)), stuff(&[&text]));
        }

        #[test]
        fn unstuffing_undoes_stuffing(
            lines in proptest::collection::vec("[.a-c]{0,4}", 0..8),
            cuts in proptest::collection::vec(0usize..50, 0..6),
        ) {
            let text: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            let stuffed = stuff(&[&text]);
            prop_assert_eq!(unstuff(&pieces(&stuffed, &cuts)), (text, Some(stuffed.len())));
        }

        /// Only the octets before the first CRLF . CRLF are data, whatever they are.
        #[test]
        fn the_end_is_where_the_octets_say(text in hostile_text()) {
            let end = if text.starts_with(b".\r\n") {
                Some(3)
            } else {
                text.windows(5).position(|octets| octets == b"\r\n.\r\n").map(|at| at + 5)
            };
            prop_assert_eq!(unstuff(&[&text]).1, end);
        }
    }
}
