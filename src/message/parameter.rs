//! Parameters that are cut into pieces or encoded (RFC 2231 §3, §4), put together and in UTF-8.

use super::decode::CharsetDecoder;
use super::structure::Parameters;

/// A parameter whose name may tell that it is a piece, or encoded.
struct Piece<'a> {
    name: &'a [u8],
    /// `base` of `base*0*`; None: the parameter is whole and as it is.
    base: Option<&'a [u8]>,
    /// The number behind the first star; a value that is whole counts as the first.
    number: usize,
    /// There is a star at the end.
    encoded: bool,
    value: &'a [u8],
}

impl<'a> Piece<'a> {
    fn new(name: &'a [u8], value: &'a [u8]) -> Self {
        let plain = Self { name, base: None, number: 0, encoded: false, value };
        let Some(star) = name.iter().position(|octet| *octet == b'*').filter(|star| *star > 0) else { return plain };
        let (base, section) = name.split_at(star);
        let section = section.get(1..).unwrap_or_default();
        let (digits, encoded) = match section.strip_suffix(b"*") {
            Some(digits) => (digits, true),
            None => (section, section.is_empty()),
        };
        let number =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        match number {
            Some("") if section.is_empty() => Self { base: Some(base), encoded, ..plain },
            Some(digits) => match digits.parse() {
                Ok(number) => Self { base: Some(base), number, encoded, ..plain },
                Err(_) => plain,
            },
            None => plain,
        }
    }

    fn belongs_to(&self, base: &[u8]) -> bool {
        self.base.is_some_and(|own| own.eq_ignore_ascii_case(base))
    }
}

/// The parameters with every encoded one in UTF-8 under its plain name. One of which the first piece is missing is left
/// as it is; a plain value beside an encoded one, which is there for old readers, is left out (RFC 6266 §4.3).
#[must_use]
pub fn decoded(parameters: Parameters<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    // The scanner keeps few parameters of a field, so that looking through all of them for each costs little.
    let pieces: Vec<Piece<'_>> = parameters.map(|(name, value)| Piece::new(name, value)).collect();
    let is_whole = |base: &[u8]| pieces.iter().any(|piece| piece.belongs_to(base) && piece.number == 0);
    let mut decoded: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        match piece.base {
            None if is_whole(piece.name) => {}
            Some(base) if is_whole(base) => {
                if !decoded.iter().any(|(name, _)| name.eq_ignore_ascii_case(base)) {
                    decoded.push((base.to_vec(), join(&pieces, base).into_bytes()));
                }
            }
            _ => decoded.push((piece.name.to_vec(), piece.value.to_vec())),
        }
    }
    decoded
}

/// The value of all pieces up to the first that is missing.
fn join(pieces: &[Piece<'_>], base: &[u8]) -> String {
    let find = |number: usize| pieces.iter().find(|piece| piece.belongs_to(base) && piece.number == number);
    let (mut charset, mut octets) = (None, Vec::new());
    for piece in (0..pieces.len()).map_while(find) {
        if !piece.encoded {
            octets.extend_from_slice(piece.value);
            continue;
        }
        let is_first = piece.number == 0;
        if is_first && let [label, _, _] = piece.value.splitn(3, |octet| *octet == b'\'').collect::<Vec<_>>()[..] {
            charset = Some(label).filter(|label| !label.is_empty());
        }
        octets.append(&mut extended(piece.value, is_first));
    }
    let mut text = String::new();
    CharsetDecoder::new(charset).push(&octets, true, &mut text);
    text
}

/// An extended value (RFC 2231 §4) without its charset and language, where it has them.
pub(super) fn extended(value: &[u8], has_charset: bool) -> Vec<u8> {
    let text = if has_charset { value.splitn(3, |octet| *octet == b'\'').nth(2).unwrap_or(value) } else { value };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        let escaped =
            behind.split_at_checked(2).filter(|(digits, _)| octet == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let value = escaped.and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (value, escaped) {
            (Some(value), Some((_, behind))) => {
                out.push(value);
                rest = behind;
            }
            _ => out.push(octet),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Scanner;
    use proptest::prelude::*;

    /// The parameters of a Content-Type with these, as `name=value` joined with `;`.
    fn of(parameters: &str) -> String {
        let mut scanner = Scanner::new();
        scanner.push(format!("Content-Type: a/b; {parameters}\r\n\r\n").as_bytes());
        let record = scanner.finish().record;
        let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
        let pairs = decoded(record.structure().parameters).into_iter();
        pairs.map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join(";")
    }

    #[test]
    fn pieces_and_charsets() {
        for (given, expected) in [
            // The examples of RFC 2231 §3, §4, §4.1.
            (
                "access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/x.tar\"",
                "access-type=URL;URL=ftp://cs.utk.edu/pub/x.tar",
            ),
            ("title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title=This is ***fun***"),
            (
                "title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
                "title=This is even more ***fun*** isn't it!",
            ),
            ("name*=iso-8859-1''Gr%FC%DFe; x=y", "name=Grüße;x=y"),
            // Pieces in any order; a character may be cut in two.
            ("f*1*=%BC; a=b; F*0*=utf-8''%C3", "f=ü;a=b"),
            ("f*0=a; f*2=c", "f=a"),
            ("filename=\"old.txt\"; filename*=utf-8''n%C3%A9w.txt", "filename=néw.txt"),
            // What cannot be read is left alone.
            ("f*1=a; f=b", "f*1=a;f=b"),
            ("f*x=a; f**=b; *=c", "f*x=a;f**=b;*=c"),
            ("f*99999999999999999999999=a", "f*99999999999999999999999=a"),
            ("f*=plain%20text", "f=plain text"),
            ("f*=utf-8''100%; g*=''%zz", "f=100%;g=%zz"),
        ] {
            assert_eq!(of(given), expected, "{given}");
        }
    }

    proptest! {
        #[test]
        fn names_stay_unique_and_values_are_utf8(parameters in "([ab](\\*[01]?\\*?)?=[a%'4z]{0,6}; ?){0,9}") {
            let mut scanner = Scanner::new();
            scanner.push(format!("Content-Type: a/b; {parameters}\r\n\r\n").as_bytes());
            let record = scanner.finish().record;
            for (_, value) in decoded(record.structure().parameters) {
                prop_assert!(String::from_utf8(value).is_ok());
            }
        }
    }
}
