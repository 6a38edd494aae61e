//! Line ends: a bare LF becomes CRLF while a message arrives. A bare CR stays.

use memchr::memchr_iter;

/// Turns bare LF into CRLF, piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Normalizer {
    after_cr: bool,
    size: u64,
}

impl Normalizer {
    /// At the start of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { after_cr: false, size: 0 }
    }

    /// The normalised form of the next piece: `input` itself where nothing changes, else what was
    /// put into `buffer`, which is cleared first and grows to at most twice the input.
    pub fn push<'a>(&mut self, input: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
        buffer.clear();
        let Some(&last) = input.last() else {
            return input;
        };
        let mut copied = 0;
        for at in memchr_iter(b'\n', input) {
            let after_cr = match at.checked_sub(1) {
                None => self.after_cr,
                Some(before) => input.get(before) == Some(&b'\r'),
            };
            if !after_cr {
                buffer.extend_from_slice(input.get(copied..at).unwrap_or_default());
                buffer.push(b'\r');
                copied = at;
            }
        }
        self.after_cr = last == b'\r';
        let output = if buffer.is_empty() {
            input
        } else {
            buffer.extend_from_slice(input.get(copied..).unwrap_or_default());
            buffer
        };
        self.size += output.len() as u64;
        output
    }

    /// Octets given out so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::Normalizer;
    use proptest::prelude::*;

    fn normalize(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut normalizer, mut buffer, mut whole) = (Normalizer::new(), Vec::new(), Vec::new());
        for piece in pieces {
            whole.extend_from_slice(normalizer.push(piece, &mut buffer));
        }
        assert_eq!(normalizer.size(), whole.len() as u64);
        whole
    }

    #[test]
    fn only_bare_lf_changes() {
        assert_eq!(normalize(&[b"a\nb\r\nc\rd\n\n"]), b"a\r\nb\r\nc\rd\r\n\r\n");
        assert_eq!(normalize(&[b"\n"]), b"\r\n");
        assert_eq!(normalize(&[b"a\r", b"\nb\r", b"c", b"\n"]), b"a\r\nb\rc\r\n");
        assert_eq!(normalize(&[b"a\r", b"", b"\n"]), b"a\r\n");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(pieces in prop::collection::vec("[a\r\n]{0,6}", 0..8)) {
            let whole: String = pieces.concat();
            let mut model = Vec::new();
            for octet in whole.bytes() {
                if octet == b'\n' && model.last() != Some(&b'\r') {
                    model.push(b'\r');
                }
                model.push(octet);
            }
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            prop_assert_eq!(normalize(&pieces), model.clone());
            prop_assert_eq!(normalize(&[&model]), model);
        }
    }
}
