//! Encoded words in header fields (RFC 2047).

use super::decode::{Base64, charset, guess_utf8, is_ascii_label};
use encoding_rs::{Encoding, UTF_8};
use memchr::{memchr, memmem};

/// Decodes the encoded words of an unfolded header value.
///
/// White space between two words is none of the text, and a character may lie across words of the same
/// charset. Words stand out wherever they are, also within quotes or beside other text, and may hold
/// spaces: senders make such. What is no whole word, or is in an unknown charset, stays as it is.
/// Octets that are not ASCII are read as UTF-8, or else as windows-1252.
#[must_use]
pub fn decode_words(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    decode_words_into(value, &mut out);
    out
}

/// Appends what [`decode_words`] gives. Without encoded words and 8-bit octets that is the value itself.
pub fn decode_words_into(value: &[u8], out: &mut String) {
    if memchr(b'=', value).is_none()
        && value.is_ascii()
        && let Ok(text) = std::str::from_utf8(value)
    {
        out.push_str(text);
        return;
    }
    let mut decoder = Decoder { out, pending: None };
    let mut rest = value;
    while let Some(at) = memmem::find(rest, b"=?") {
        let (before, from) = rest.split_at(at);
        if let Some((word, behind)) = Word::read(from) {
            decoder.text(before, true);
            decoder.word(word);
            rest = behind;
        } else {
            let (signs, behind) = rest.split_at(at + 2);
            decoder.text(signs, false);
            rest = behind;
        }
    }
    decoder.text(rest, false);
}

struct Word {
    charset: &'static Encoding,
    octets: Vec<u8>,
}

impl Word {
    /// Reads the word at the start of `input`; with it, what stands behind it.
    fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        let mut pieces = input.strip_prefix(b"=?")?.splitn(3, |octet| *octet == b'?');
        let (label, encoding, rest) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let end = rest.iter().position(|octet| *octet == b'?')?;
        let behind = rest.get(end..)?.strip_prefix(b"?=")?;
        let text = rest.get(..end)?;
        // RFC 2231 §5: a language may follow the charset.
        let label = label.split(|octet| *octet == b'*').next()?;
        let charset = if is_ascii_label(label) { UTF_8 } else { charset(label)? };
        let mut octets = Vec::with_capacity(text.len());
        match encoding {
            b"B" | b"b" => {
                let mut decoder = Base64::new();
                decoder.push(text, &mut octets);
                decoder.finish(&mut octets);
            }
            b"Q" | b"q" => decode_q(text, &mut octets),
            _ => return None,
        }
        Some((Self { charset, octets }, behind))
    }
}

/// RFC 2047 §4.2
fn decode_q(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        let escape = behind.split_at_checked(2).and_then(|(digits, behind)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, behind))
        });
        match (octet, escape) {
            (b'_', _) => out.push(b' '),
            (b'=', Some((octet, behind))) => {
                out.push(octet);
                rest = behind;
            }
            _ => out.push(octet),
        }
    }
}

struct Decoder<'a> {
    out: &'a mut String,
    /// Octets of words whose charset is the same, not yet decoded.
    pending: Option<Word>,
}

impl Decoder<'_> {
    fn text(&mut self, text: &[u8], before_word: bool) {
        if before_word && self.pending.is_some() && text.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if !text.is_empty() {
            self.flush();
            self.out.push_str(&guess_utf8(text));
        } else if !before_word {
            self.flush();
        }
    }

    fn word(&mut self, word: Word) {
        match &mut self.pending {
            Some(before) if before.charset == word.charset => before.octets.extend(word.octets),
            _ => {
                self.flush();
                self.pending = Some(word);
            }
        }
    }

    fn flush(&mut self) {
        let Some(word) = self.pending.take() else { return };
        if word.charset == UTF_8 {
            self.out.push_str(&guess_utf8(&word.octets));
        } else {
            self.out.push_str(&word.charset.decode_without_bom_handling(&word.octets).0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode_words;
    use proptest::prelude::*;

    #[test]
    fn examples_of_rfc_2047() {
        for (value, expected) in [
            ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\u{f8}rn Simonsen"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ] {
            assert_eq!(decode_words(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_people_really_send() {
        for (value, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("gr\u{fc}n", "gr\u{fc}n"),
            // A character across two words.
            ("=?utf-8?Q?=F0=9F?= =?utf-8?B?mIA=?=", "\u{1f600}"),
            ("=?utf-8*de?q?gr=c3=bcn?=", "gr\u{fc}n"),
            ("a=?utf-8?Q?b?=c", "abc"),
            ("\"=?utf-8?Q?b?=\"", "\"b\""),
            ("=?utf-8?Q?two words?=", "two words"),
            ("=?utf-8?Q?a=zz=?=", "a=zz="),
            ("=?utf-8?Q??= x", " x"),
            ("=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b"),
            // Broken ones.
            ("=?utf-8?Q?open", "=?utf-8?Q?open"),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?nonsense?Q?a?=", "=?nonsense?Q?a?="),
            ("=?utf-8?Q?a?b?=", "=?utf-8?Q?a?b?="),
            ("=?=?utf-8?Q?a?=", "=?a"),
            ("=?", "=?"),
            ("=??=", "=??="),
        ] {
            assert_eq!(decode_words(value.as_bytes()), expected, "{value}");
        }
        assert_eq!(decode_words(b"gr\xfcn"), "gr\u{fc}n");
    }

    proptest! {
        #[test]
        fn nothing_panics(octets: Vec<u8>, text in "[=?uf8QqBb_ \t-]{0,60}", word in "=\\?utf-8\\?[QB]\\?[=0-9A-F_]{0,9}\\?=") {
            let _ = decode_words(&octets);
            let _ = decode_words(text.as_bytes());
            prop_assert!(!decode_words(word.as_bytes()).starts_with("=?"));
        }

        #[test]
        fn ascii_without_words_stays(text in "[ -<>-~]{0,60}") {
            prop_assert_eq!(decode_words(text.as_bytes()), text);
        }
    }
}
