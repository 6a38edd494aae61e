//! Streaming decoders: content transfer encodings (RFC 2045 §6) and charsets.
//!
//! Wrong input is decoded as far as it goes and never refused.

use encoding_rs::{Decoder, Encoding, UTF_8, WINDOWS_1252};

/// Limit: white space at the end of a quoted-printable line that is held back. Of more, the first is kept.
const HELD_MAX: usize = 1024;

/// Takes a content transfer encoding off, piece by piece.
#[derive(Clone, Debug)]
pub enum Transfer {
    /// 7bit, 8bit, binary: nothing to do.
    Identity,
    /// base64
    Base64(Base64),
    /// quoted-printable
    QuotedPrintable(QuotedPrintable),
}

impl Transfer {
    /// The decoder for the value of Content-Transfer-Encoding; None where it is not known.
    #[must_use]
    pub fn new(encoding: &[u8]) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name.as_bytes());
        if is("base64") {
            Some(Self::Base64(Base64::new()))
        } else if is("quoted-printable") {
            Some(Self::QuotedPrintable(QuotedPrintable::new()))
        } else if ["7bit", "8bit", "binary", ""].into_iter().any(is) {
            Some(Self::Identity)
        } else {
            None
        }
    }

    /// Appends the decoded form of the next octets: at most as many, and what was held back.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(input),
            Self::Base64(decoder) => decoder.push(input, out),
            Self::QuotedPrintable(decoder) => decoder.push(input, out),
        }
    }

    /// Appends what was held back at the end of the input.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Identity => {}
            Self::Base64(decoder) => decoder.finish(out),
            Self::QuotedPrintable(decoder) => decoder.finish(out),
        }
    }
}

/// base64 (RFC 2045 §6.8). Other characters are passed over; padding ends a quantum, and what follows begins a new one.
#[derive(Clone, Debug, Default)]
pub struct Base64 {
    bits: u32,
    count: u8,
}

/// The value of each octet; 64: none.
const VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        values[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    values
};

impl Base64 {
    /// At the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self { bits: 0, count: 0 }
    }

    /// Appends the decoded form of the next octets.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        out.reserve(input.len() / 4 * 3 + 3);
        for &octet in input {
            let value = VALUES[usize::from(octet)];
            if value < 64 {
                self.bits = self.bits << 6 | u32::from(value);
                self.count += 1;
                if self.count == 4 {
                    let [_, octets @ ..] = self.bits.to_be_bytes();
                    out.extend_from_slice(&octets);
                    (self.bits, self.count) = (0, 0);
                }
            } else if octet == b'=' {
                self.finish(out);
            }
        }
    }

    /// Appends the octets of a quantum that is not full.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let octets = (self.bits << (6 * (4 - u32::from(self.count.min(4))))).to_be_bytes();
        out.extend(octets.iter().skip(1).take(usize::from(self.count.saturating_sub(1))));
        (self.bits, self.count) = (0, 0);
    }
}

/// quoted-printable (RFC 2045 §6.7). An equals sign that begins no escape is kept as it is.
#[derive(Clone, Debug, Default)]
pub struct QuotedPrintable {
    /// White space or an escape of which the end has not come: nothing but white space, or an equals
    /// sign with at most one digit, or an equals sign with white space and CR.
    held: Vec<u8>,
}

impl QuotedPrintable {
    /// At the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: Vec::new() }
    }

    /// Appends the decoded form of the next octets.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let is_plain = |octet: &u8| !matches!(octet, b'=' | b' ' | b'\t' | b'\r' | b'\n');
        let mut rest = input;
        while let Some((&octet, behind)) = rest.split_first() {
            if self.held.is_empty() && is_plain(&octet) {
                let end = rest.iter().position(|octet| !is_plain(octet)).unwrap_or(rest.len());
                let (plain, behind) = rest.split_at(end);
                out.extend_from_slice(plain);
                rest = behind;
            } else {
                self.octet(octet, out);
                rest = behind;
            }
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), octet) {
            // A soft line break: `=`, white space, line end.
            ([b'=', blank @ ..], b'\n') if blank.iter().all(u8::is_ascii_whitespace) => self.held.clear(),
            ([b'='], b' ' | b'\t' | b'\r') => self.held.push(octet),
            ([b'=', first, ..], b' ' | b'\t' | b'\r') if first.is_ascii_whitespace() => self.hold(octet, out),
            ([b'='], _) if octet.is_ascii_hexdigit() => self.held.push(octet),
            ([b'=', high], _) if high.is_ascii_hexdigit() && octet.is_ascii_hexdigit() => {
                let digit =
                    |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
                out.push(digit(*high) << 4 | digit(octet));
                self.held.clear();
            }
            ([b'=', ..], _) => {
                self.finish(out);
                self.octet(octet, out);
            }
            // White space at the end of a line is none of the text.
            (_, b'\n') => {
                let ends_with_cr = self.held.ends_with(b"\r");
                self.held.clear();
                out.extend_from_slice(if ends_with_cr { b"\r\n" } else { b"\n" });
            }
            (_, b' ' | b'\t' | b'\r') => self.hold(octet, out),
            (_, b'=') => {
                self.finish(out);
                self.held.push(b'=');
            }
            _ => {
                self.finish(out);
                out.push(octet);
            }
        }
    }

    fn hold(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.held.len() >= HELD_MAX {
            self.finish(out);
        }
        self.held.push(octet);
    }

    /// Appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }
}

/// Turns the octets of a charset into UTF-8, piece by piece.
///
/// UTF-8, US-ASCII, no charset and unknown ones are read as UTF-8 in which octets that are none stand
/// for themselves as in windows-1252: such labels are wrong too often to be believed.
pub struct CharsetDecoder {
    /// None: UTF-8 or windows-1252.
    decoder: Option<Decoder>,
    /// The beginning of a UTF-8 sequence of which the end has not come; at most 3 octets.
    held: Vec<u8>,
}

impl CharsetDecoder {
    /// The decoder for the value of a `charset` parameter.
    #[must_use]
    pub fn new(label: Option<&[u8]>) -> Self {
        let decoder =
            label.and_then(charset).filter(|encoding| *encoding != UTF_8).map(Encoding::new_decoder_with_bom_removal);
        Self { decoder, held: Vec::new() }
    }

    /// Appends the decoded form of the next octets; with `last`, also what was held back.
    pub fn push(&mut self, input: &[u8], last: bool, out: &mut String) {
        let Some(decoder) = &mut self.decoder else {
            return self.push_utf8(input, last, out);
        };
        out.reserve(decoder.max_utf8_buffer_length(input.len()).unwrap_or(0));
        let _ = decoder.decode_to_string(input, out, last);
    }

    fn push_utf8(&mut self, input: &[u8], last: bool, out: &mut String) {
        let joined;
        let mut rest = input;
        if !self.held.is_empty() {
            self.held.extend_from_slice(input);
            joined = std::mem::take(&mut self.held);
            rest = &joined;
        }
        for chunk in rest.utf8_chunks() {
            out.push_str(chunk.valid());
            let invalid = chunk.invalid();
            let at_end = invalid.as_ptr_range().end == rest.as_ptr_range().end;
            let is_cut = matches!(std::str::from_utf8(invalid), Err(error) if error.error_len().is_none());
            if at_end && is_cut && !last {
                self.held = invalid.to_vec();
            } else {
                out.push_str(&WINDOWS_1252.decode_without_bom_handling(invalid).0);
            }
        }
    }
}

/// The charset of that name; None where it is not known or, as US-ASCII, no reason not to look closer.
pub(super) fn charset(label: &[u8]) -> Option<&'static Encoding> {
    if is_ascii_label(label) { None } else { Encoding::for_label_no_replacement(label) }
}

/// Whether a label names US-ASCII.
pub(super) fn is_ascii_label(label: &[u8]) -> bool {
    [&b"us-ascii"[..], b"ascii", b"ansi_x3.4-1968"].iter().any(|name| name.eq_ignore_ascii_case(label))
}

/// Reads octets without a charset: UTF-8, in which octets that are none stand for themselves as in windows-1252.
#[must_use]
pub fn guess_utf8(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    CharsetDecoder::new(None).push(octets, true, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::{CharsetDecoder, Transfer, guess_utf8};
    use base64::Engine;
    use proptest::prelude::*;

    fn decoded(encoding: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let mut decoder = Transfer::new(encoding.as_bytes()).unwrap();
        let mut out = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    fn text(charset: &str, octets: &[u8]) -> String {
        let mut out = String::new();
        let mut decoder = CharsetDecoder::new(Some(charset.as_bytes()));
        for octet in octets {
            decoder.push(&[*octet], false, &mut out);
        }
        decoder.push(&[], true, &mut out);
        out
    }

    #[test]
    fn base64() {
        for (input, expected) in [
            ("", ""),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmE", "fooba"),
            ("Zm9v\r\nYm\r\n Fy", "foobar"),
            ("Zg==Zm9v", "ffoo"),
            ("Z!m*9-v", "foo"),
            ("Z", ""),
            ("====", ""),
        ] {
            assert_eq!(decoded("BASE64", &[input.as_bytes()]), expected.as_bytes(), "{input}");
        }
    }

    #[test]
    fn quoted_printable() {
        for (input, expected) in [
            ("a=3Db", "a=b"),
            ("a=3db=c3=A9", "a=b\u{e9}"),
            ("soft=\r\n break", "soft break"),
            ("soft= \t\r\nbreak", "softbreak"),
            ("trailing  \t\r\nspace ", "trailing\r\nspace "),
            ("a  b\r\n\r\n", "a  b\r\n\r\n"),
            ("=", "="),
            ("=4", "=4"),
            ("=G1 =4G", "=G1 =4G"),
            ("==41", "=A"),
            ("= x", "= x"),
            ("a\rb", "a\rb"),
            ("a=\nb\n", "ab\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&decoded("Quoted-Printable", &[input.as_bytes()])), expected, "{input}");
        }
    }

    #[test]
    fn unknown_encodings_are_told() {
        assert!(Transfer::new(b"x-uuencode").is_none());
        assert_eq!(decoded("8BIT", &[b"=41"]), b"=41");
    }

    #[test]
    fn charsets() {
        assert_eq!(text("utf-8", "gr\u{fc}n \u{1f600}".as_bytes()), "gr\u{fc}n \u{1f600}");
        assert_eq!(text("UTF-8", b"gr\xfcn"), "gr\u{fc}n");
        assert_eq!(text("us-ascii", "gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(text("iso-8859-1", b"gr\xfcn"), "gr\u{fc}n");
        assert_eq!(text("iso-8859-15", b"5 \xa4"), "5 \u{20ac}");
        assert_eq!(text("koi8-r", b"\xcf\xd4\xd0\xd5\xd3\xcb"), "\u{43e}\u{442}\u{43f}\u{443}\u{441}\u{43a}");
        assert_eq!(text("iso-2022-jp", b"\x1b$B$\"\x1b(B"), "\u{3042}");
        assert_eq!(text("gb2312", b"\xc4\xe3"), "\u{4f60}");
        assert_eq!(text("x-unknown", b"a\xff\xc3"), "a\u{ff}\u{c3}");
        assert_eq!(guess_utf8(b"\xe2\x82"), "\u{e2}\u{201a}");
    }

    proptest! {
        #[test]
        fn base64_of_anything(octets: Vec<u8>, cut: prop::sample::Index) {
            let encoded = base64::engine::general_purpose::STANDARD.encode(&octets);
            let (head, tail) = encoded.as_bytes().split_at(cut.index(encoded.len() + 1));
            prop_assert_eq!(decoded("base64", &[head, tail]), octets);
        }

        #[test]
        fn pieces_do_not_matter(input in "[=a4 \t\r\n]{0,40}", octets: Vec<u8>, cut: prop::sample::Index) {
            for input in [input.as_bytes(), &octets] {
                let (head, tail) = input.split_at(cut.index(input.len() + 1));
                for encoding in ["base64", "quoted-printable"] {
                    prop_assert_eq!(decoded(encoding, &[head, tail]), decoded(encoding, &[input]));
                }
                for charset in ["utf-8", "iso-2022-jp", "utf-16le", "gb18030"] {
                    let (mut decoder, mut whole) = (CharsetDecoder::new(Some(charset.as_bytes())), String::new());
                    decoder.push(input, true, &mut whole);
                    prop_assert_eq!(text(charset, input), whole);
                }
            }
        }
    }
}
