//! Unread input and the lines in it. Pure: the connection pushes what it reads and asks for lines.

/// Limit: octets of one over-long line that are thrown away before the peer counts as broken.
const DISCARD_MAX: usize = 16 * 1024 * 1024;

/// Capacity that an empty buffer may keep; more is given back.
const KEEP_MAX: usize = 256;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// LF or CRLF.
    Lenient,
    /// CRLF alone; a bare LF is part of the line, for the parser to refuse.
    Strict,
}

/// What [`Input::take_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A line without its end.
    Line(Vec<u8>),
    /// A line over the limit went by; the next line follows.
    TooLong,
    /// No whole line yet.
    More,
    /// `DISCARD_MAX` octets without a line end.
    Endless,
}

/// Octets that were read and not yet consumed.
///
/// Invariant: `start <= octets.len()`, and there is no line end in `octets[start..scanned]`.
#[derive(Debug, Default)]
pub(super) struct Input {
    octets: Vec<u8>,
    start: usize,
    /// Searched up to here by [`Input::take_line`], so that a line in many pieces is searched once.
    scanned: usize,
    /// Octets of an over-long line thrown away so far; 0: none is being thrown away.
    discarded: usize,
}

impl Input {
    pub(super) fn unread(&self) -> &[u8] {
        self.octets.get(self.start..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unread().is_empty()
    }

    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.start > 0 {
            self.octets.drain(..self.start);
            self.scanned = self.scanned.saturating_sub(self.start);
            self.start = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// Marks the first `count` unread octets as read and gives the memory back when none is left.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.octets.len());
        self.scanned = self.scanned.max(self.start);
        if self.start == self.octets.len() {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.scanned = 0;
        self.octets.clear();
        if self.octets.capacity() > KEEP_MAX {
            self.octets = Vec::new();
        }
    }

    /// Whether an LF is among the unread octets.
    pub(super) fn has_line(&self) -> bool {
        self.unread().contains(&b'\n')
    }

    /// Whether a CRLF is among the unread octets.
    pub(super) fn has_crlf_line(&self) -> bool {
        self.unread().windows(2).any(|octets| octets == b"\r\n")
    }

    /// The next line of `max` octets at most, its end not counted.
    pub(super) fn take_line(&mut self, max: usize, ends: LineEnd) -> Taken {
        let Some(lf) = self.find_end(ends) else {
            return self.without_end(max);
        };
        let line = self.octets.get(self.start..lf).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let too_long = self.discarded > 0 || line.len() > max;
        self.discarded = 0;
        let length = line.len();
        let next = lf + 1;
        let taken = if too_long {
            Taken::TooLong
        } else if self.start == 0 && next == self.octets.len() {
            // The common case: the buffer is the line.
            let mut line = std::mem::take(&mut self.octets);
            line.truncate(length);
            Taken::Line(line)
        } else {
            Taken::Line(line.to_vec())
        };
        self.consume(next - self.start);
        taken
    }

    fn find_end(&mut self, ends: LineEnd) -> Option<usize> {
        loop {
            let rest = self.octets.get(self.scanned..).unwrap_or_default();
            let Some(offset) = rest.iter().position(|octet| *octet == b'\n') else {
                self.scanned = self.octets.len();
                return None;
            };
            let lf = self.scanned + offset;
            let after_cr = lf > self.start && self.octets.get(lf - 1) == Some(&b'\r');
            if ends == LineEnd::Lenient || after_cr {
                return Some(lf);
            }
            self.scanned = lf + 1;
        }
    }

    fn without_end(&mut self, max: usize) -> Taken {
        let unread = self.unread();
        // A last CR may be half of the line's end.
        let cr = usize::from(unread.last() == Some(&b'\r'));
        let length = unread.len() - cr;
        if self.discarded == 0 && length <= max {
            return Taken::More;
        }
        self.discarded = self.discarded.saturating_add(length).max(1);
        self.consume(length);
        if self.discarded > DISCARD_MAX { Taken::Endless } else { Taken::More }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.octets.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]], max: usize, ends: LineEnd) -> Vec<Option<Vec<u8>>> {
        let mut input = Input::default();
        let mut found = Vec::new();
        for piece in pieces {
            input.push(piece);
            loop {
                match input.take_line(max, ends) {
                    Taken::Line(line) => found.push(Some(line)),
                    Taken::TooLong => found.push(None),
                    Taken::More => break,
                    Taken::Endless => panic!("endless"),
                }
            }
        }
        found
    }

    #[test]
    fn lf_and_crlf_end_lines_and_other_controls_pass() {
        let found = lines(&[b"a\r\nb\n\r\nc\rd\0\r\nrest"], 100, LineEnd::Lenient);
        let expected: Vec<Option<Vec<u8>>> =
            [&b"a"[..], b"b", b"", b"c\rd\0"].iter().map(|line| Some(line.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn strict_lines_end_with_crlf_alone() {
        let found = lines(&[b"a\nb\r", b"\nc\r\n\n\r\n"], 100, LineEnd::Strict);
        let expected: Vec<Option<Vec<u8>>> =
            [&b"a\nb"[..], b"c", b"\n"].iter().map(|line| Some(line.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_limit_counts_octets_without_the_line_end() {
        assert_eq!(
            lines(&[b"1234\r\n12345\r\n1\r\n"], 4, LineEnd::Lenient),
            [Some(b"1234".to_vec()), None, Some(b"1".to_vec())]
        );
        // The CR that waits for its LF does not count either.
        assert_eq!(lines(&[b"1234\r", b"\n"], 4, LineEnd::Lenient), [Some(b"1234".to_vec())]);
    }

    #[test]
    fn an_endless_line_ends() {
        let mut input = Input::default();
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..=(DISCARD_MAX / block.len()) {
            input.push(&block);
            assert!(input.capacity() <= 2 * block.len());
            if input.take_line(8192, LineEnd::Lenient) == Taken::Endless {
                return;
            }
        }
        panic!("never ended");
    }

    #[test]
    fn an_empty_buffer_keeps_no_memory() {
        let mut input = Input::default();
        input.push(&[b'x'; 5000]);
        input.push(b"\r\n");
        assert!(matches!(input.take_line(8192, LineEnd::Lenient), Taken::Line(_)));
        assert!(input.capacity() <= KEEP_MAX);
        input.push(&[b'x'; 5000]);
        input.consume(5000);
        assert!(input.capacity() <= KEEP_MAX);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            text in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()], 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..6),
            max in 0usize..12,
            strict in any::<bool>(),
        ) {
            let ends = if strict { LineEnd::Strict } else { LineEnd::Lenient };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(lines(&pieces, max, ends), lines(&[&text], max, ends));
        }
    }
}
