//! The values of MIME fields: Content-Type, Content-Disposition, Content-Language (RFC 2045, 2183, 3282).

/// Limit: parameters kept of one field.
const PARAMETERS_MAX: usize = 64;

/// Limit: languages kept of one field.
const LANGUAGES_MAX: usize = 32;

/// Parameters: names and values.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A Content-Type field that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentType {
    pub(super) media_type: Vec<u8>,
    pub(super) subtype: Vec<u8>,
    pub(super) parameters: Pairs,
}

/// Reads an unfolded Content-Type value; None where it has no type and subtype (RFC 2045 §5.2: text/plain).
pub(super) fn content_type(value: &[u8]) -> Option<ContentType> {
    let mut cursor = Cursor { rest: value };
    let media_type = cursor.token();
    if !cursor.sign(b'/') {
        return None;
    }
    let subtype = cursor.token();
    if media_type.is_empty() || subtype.is_empty() {
        return None;
    }
    Some(ContentType { media_type: media_type.to_vec(), subtype: subtype.to_vec(), parameters: cursor.parameters() })
}

/// The type of an unfolded Content-Type value without its subtype, as it is written; None where it cannot be used.
#[must_use]
pub fn media_type(value: &[u8]) -> Option<Vec<u8>> {
    content_type(value).map(|content_type| content_type.media_type)
}

/// Reads an unfolded Content-Disposition value; None where it has no type.
pub(super) fn disposition(value: &[u8]) -> Option<(Vec<u8>, Pairs)> {
    let mut cursor = Cursor { rest: value };
    let name = cursor.token();
    (!name.is_empty()).then(|| (name.to_vec(), cursor.parameters()))
}

/// Reads a field that holds one token or quoted string, such as Content-Transfer-Encoding.
pub(super) fn word(value: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor { rest: value };
    cursor.skip();
    let word = if cursor.rest.first() == Some(&b'"') { cursor.value() } else { cursor.token().to_vec() };
    (!word.is_empty()).then_some(word)
}

/// Reads a list of language tags.
pub(super) fn languages(value: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = Cursor { rest: value };
    let mut tags = Vec::new();
    while tags.len() < LANGUAGES_MAX {
        let tag = cursor.token();
        if !tag.is_empty() {
            tags.push(tag.to_vec());
        } else if cursor.rest.is_empty() {
            break;
        } else {
            cursor.advance(1);
        }
    }
    tags
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn advance(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// Passes over white space and comments.
    fn skip(&mut self) {
        let mut depth = 0usize;
        while let Some(&octet) = self.rest.first() {
            match octet {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => self.advance(1),
                b' ' | b'\t' | b'\r' | b'\n' | 0 => {}
                _ if depth > 0 => {}
                _ => return,
            }
            self.advance(1);
        }
    }

    fn sign(&mut self, sign: u8) -> bool {
        self.skip();
        let found = self.rest.first() == Some(&sign);
        if found {
            self.advance(1);
        }
        found
    }

    /// A token (RFC 2045 §5.1); empty where none stands here. Octets above 127 are taken as they come.
    fn token(&mut self) -> &'a [u8] {
        self.skip();
        let ends = |octet: &u8| octet.is_ascii_control() || b" ()<>@,;:\\\"/[]?=".contains(octet);
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }

    /// A quoted string, or everything up to a comment or a semicolon: values often hold signs and
    /// spaces that ought to be in quotes.
    fn value(&mut self) -> Vec<u8> {
        self.skip();
        if self.rest.first() == Some(&b'"') {
            self.advance(1);
            return self.quoted();
        }
        let mut spaced = true;
        let ends = |octet: &u8| match octet {
            b';' | b'\r' | b'\n' | 0 => true,
            b'(' => spaced,
            _ => {
                spaced = matches!(octet, b' ' | b'\t');
                false
            }
        };
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        value.trim_ascii().to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        let mut octets = self.rest.iter().copied();
        while let Some(octet) = octets.next() {
            match octet {
                b'"' => break,
                b'\\' => value.extend(octets.next()),
                b'\r' | b'\n' | 0 => {}
                _ => value.push(octet),
            }
        }
        let left = octets.len();
        self.rest = self.rest.get(self.rest.len() - left..).unwrap_or_default();
        value
    }

    /// `; name=value` as often as it comes; what is no parameter is passed over to the next semicolon.
    fn parameters(&mut self) -> Pairs {
        let mut parameters = Pairs::new();
        while parameters.len() < PARAMETERS_MAX && self.pass_semicolon() {
            let name = self.token();
            if !name.is_empty() && self.sign(b'=') {
                parameters.push((name.to_vec(), self.value()));
            }
        }
        parameters
    }

    /// Moves behind the next semicolon; false where there is none.
    fn pass_semicolon(&mut self) -> bool {
        loop {
            self.skip();
            match self.rest.first() {
                None => return false,
                Some(b';') => {
                    self.advance(1);
                    return true;
                }
                Some(b'"') => {
                    self.advance(1);
                    let _ = self.quoted();
                }
                Some(_) => self.advance(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{content_type, disposition, languages, word};
    use proptest::prelude::*;

    fn shown(value: &str) -> Option<String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        content_type(value.as_bytes()).map(|content| {
            let parameters = content.parameters.iter().map(|(name, value)| format!(";{}={}", text(name), text(value)));
            format!("{}/{}{}", text(&content.media_type), text(&content.subtype), parameters.collect::<String>())
        })
    }

    #[test]
    fn content_types() {
        for (value, expected) in [
            ("text/plain", Some("text/plain")),
            ("Text / HTML ; Charset=\"utf-8\"", Some("Text/HTML;Charset=utf-8")),
            ("text/plain; charset=us-ascii (Plain text)", Some("text/plain;charset=us-ascii")),
            ("a/b; name=two words.txt (really); x=a(b)", Some("a/b;name=two words.txt;x=a(b)")),
            ("text/plain;charset=utf-8;", Some("text/plain;charset=utf-8")),
            ("text/plain;;;charset=utf-8", Some("text/plain;charset=utf-8")),
            ("text/plain charset=utf-8", Some("text/plain")),
            ("text/plain; charset", Some("text/plain")),
            ("text/plain; garbage here; format=flowed", Some("text/plain;format=flowed")),
            ("multipart/mixed; boundary=\"a;b \\\" c\"", Some("multipart/mixed;boundary=a;b \" c")),
            ("multipart/mixed; boundary=----=_Part_1=2/3", Some("multipart/mixed;boundary=----=_Part_1=2/3")),
            ("multipart/mixed; boundary=\"open", Some("multipart/mixed;boundary=open")),
            ("application/x; name*0=a; name*1*=utf-8''%20", Some("application/x;name*0=a;name*1*=utf-8''%20")),
            ("text", None),
            ("text/", None),
            ("/plain", None),
            ("", None),
            ("text\\plain", None),
            ("(comment (nested)) text/plain (x)", Some("text/plain")),
        ] {
            assert_eq!(shown(value).as_deref(), expected, "{value}");
        }
        assert_eq!(content_type("a/b;c=d".repeat(99).as_bytes()).unwrap().parameters.len(), 64);
    }

    #[test]
    fn other_fields() {
        let (name, parameters) = disposition(b"attachment; filename=\"a b.txt\"").unwrap();
        assert_eq!((name, parameters), (b"attachment".to_vec(), vec![(b"filename".to_vec(), b"a b.txt".to_vec())]));
        assert_eq!(disposition(b""), None);
        assert_eq!(word(b" base64 (comment)"), Some(b"base64".to_vec()));
        assert_eq!(word(b"  "), None);
        assert_eq!(languages(b"en, (comment) de-CH,,fr"), [b"en".to_vec(), b"de-CH".to_vec(), b"fr".to_vec()]);
    }

    proptest! {
        #[test]
        fn nothing_panics(octets: Vec<u8>, text in "[a/;=\"\\\\() ]{0,40}") {
            for value in [&octets[..], text.as_bytes()] {
                let _ = (content_type(value), disposition(value), word(value), languages(value));
            }
        }
    }
}
