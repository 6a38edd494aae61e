//! Message identifiers in header fields (RFC 5322 §3.6.4), in the one form in which THREAD compares them.

use memchr::memchr;

/// Limit: octets of an identifier; a longer one is none.
const ID_MAX: usize = 1024;

/// The identifiers of an unfolded Message-ID, In-Reply-To or References field, one after the other.
#[derive(Clone, Debug)]
pub struct MessageIds<'a> {
    rest: &'a [u8],
}

impl<'a> MessageIds<'a> {
    /// At the start of a field.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// Puts the next identifier into `id`, without its angles, quotes, escapes and white space (RFC 5256 §3: the
    /// quoted form and the other are the same). False where there is none.
    pub fn next_into(&mut self, id: &mut Vec<u8>) -> bool {
        while let Some(at) = memchr(b'<', self.rest) {
            self.rest = self.rest.get(at + 1..).unwrap_or_default();
            if self.read(id) {
                return true;
            }
        }
        false
    }

    /// Reads to the closing angle; false where what stands before it is no identifier.
    fn read(&mut self, id: &mut Vec<u8>) -> bool {
        let (mut quoted, mut escaped) = (false, false);
        id.clear();
        for (index, &octet) in self.rest.iter().enumerate() {
            match octet {
                _ if escaped => {
                    escaped = false;
                    id.push(octet);
                }
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'>' if !quoted => {
                    self.rest = self.rest.get(index + 1..).unwrap_or_default();
                    let at = id.iter().rposition(|octet| *octet == b'@');
                    return id.len() <= ID_MAX && at.is_some_and(|at| at > 0 && at + 1 < id.len());
                }
                b'<' if !quoted => id.clear(),
                _ if !quoted && octet.is_ascii_whitespace() => {}
                _ if id.len() <= ID_MAX => id.push(octet),
                _ => {}
            }
        }
        self.rest = &[];
        false
    }
}

#[cfg(test)]
mod tests {
    use super::MessageIds;
    use proptest::prelude::*;

    fn ids(value: &str) -> Vec<String> {
        let (mut ids, mut id, mut found) = (MessageIds::new(value.as_bytes()), Vec::new(), Vec::new());
        while ids.next_into(&mut id) {
            found.push(String::from_utf8_lossy(&id).into_owned());
        }
        found
    }

    #[test]
    fn identifiers_are_found_and_made_alike() {
        for (value, expected) in [
            ("", &[][..]),
            ("<a@b>", &["a@b"]),
            ("<a@b> <c@d>\t<e@f>", &["a@b", "c@d", "e@f"]),
            ("<a@b><c@d>", &["a@b", "c@d"]),
            // The example of RFC 5256 §3.
            ("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", &["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
            ("<01KF8JCEOCBS0045PS@xxx.yyy.com>", &["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
            ("<\"a\\\"b> c\"@d>", &["a\"b> c@d"]),
            ("<a @ b\r\n .c>", &["a@b.c"]),
            ("<A@b> <a@b>", &["A@b", "a@b"]),
            ("Your message of Monday from \"x\" <x@y>", &["x@y"]),
            ("<a@[127.0.0.1]>", &["a@[127.0.0.1]"]),
            ("a@b", &[]),
            ("<ab>", &[]),
            ("<@b> <a@> <>", &[]),
            ("<a <c@d>", &["c@d"]),
            ("<a@b", &[]),
            ("<\"a@b> <c@d>", &[]),
        ] {
            assert_eq!(ids(value), expected, "{value}");
        }
        assert_eq!(ids(&format!("<{}@b> <c@d>", "a".repeat(2000))), ["c@d"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(octets: Vec<u8>, text in "[<>@\"\\\\ab ]{0,40}") {
            let mut id = Vec::new();
            for value in [&octets[..], text.as_bytes()] {
                let mut ids = MessageIds::new(value);
                while ids.next_into(&mut id) {}
            }
        }
    }
}
