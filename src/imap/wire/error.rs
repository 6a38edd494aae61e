//! Why a command was not understood, in words that go to the client.

use std::fmt;

/// Limit: octets of a tag.
pub const TAG_MAX: usize = 128;

/// A command's tag (RFC 9051 §2.2.1), in ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// The tag in these octets, if they are one.
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        let fits = !octets.is_empty() && octets.len() <= TAG_MAX;
        if !fits || !octets.iter().all(|&octet| is_tag_char(octet)) {
            return None;
        }
        String::from_utf8(octets.to_vec()).ok().map(Self)
    }

    /// The tag that begins this line, if it begins with one.
    #[must_use]
    pub fn at_start_of(line: &[u8]) -> Option<Self> {
        let end = line.iter().take(TAG_MAX + 1).position(|&octet| matches!(octet, b' ' | b'\r' | b'\n'));
        // A line that was cut off in its tag has none.
        line.get(..end?).and_then(Self::new)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// ASTRING-CHAR without `+` (RFC 9051 §9).
fn is_tag_char(octet: u8) -> bool {
    octet != b'+' && (octet == b']' || is_atom_char(octet))
}

/// ATOM-CHAR (RFC 9051 §9).
pub(super) fn is_atom_char(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// The kinds of refusal, each with its own answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not in the syntax of RFC 9051 §9.
    Syntax,
    /// No command of that name.
    UnknownCommand,
    /// The line or its literals exceed the limit of a command.
    TooLong,
    /// One literal exceeds the limit of a command (RFC 7888 §4).
    TooBig,
    /// The same of an annotation (RFC 5464 §4.3), whose limit is lower.
    ValueTooBig,
    /// NOTIFY of an event that does not exist here (RFC 5465 §3.1).
    BadEvent,
    /// SEARCH in a charset other than US-ASCII and UTF-8.
    BadCharset,
    /// The same in a SEARCH that should have saved its result: the saved one is gone (RFC 5182 §2.1).
    BadCharsetUnsaved,
    /// [`ErrorKind::Limit`] in such a SEARCH (RFC 5182 §2.5).
    NotSaved,
    /// A mailbox name that cannot be decoded or is not allowed (RFC 5530 CANNOT).
    MailboxName,
    /// A named limit on what one command may hold (RFC 5530 LIMIT).
    Limit,
}

impl ErrorKind {
    /// The status and response code that open the answer.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Syntax | Self::UnknownCommand | Self::TooLong => "BAD",
            Self::TooBig => "BAD [TOOBIG]",
            Self::BadEvent => {
                "NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange \
                 MailboxMetadataChange ServerMetadataChange)]"
            }
            Self::ValueTooBig => "NO [METADATA MAXSIZE 16384]",
            Self::BadCharset | Self::BadCharsetUnsaved => "NO [BADCHARSET (US-ASCII UTF-8)]",
            Self::NotSaved => "NO [NOTSAVED]",
            Self::MailboxName => "NO [CANNOT]",
            Self::Limit => "NO [LIMIT]",
        }
    }
}

/// A command that is refused before it runs. The session stays in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The command's tag, where it has one.
    pub tag: Option<Tag>,
    /// What is wrong, for a person.
    pub text: &'static str,
    /// What is wrong, for the answer.
    pub kind: ErrorKind,
}

impl ParseError {
    /// Appends the whole answer line: tagged, or untagged BAD where there is no tag (RFC 9051 §7.1.3).
    pub fn write(&self, out: &mut Vec<u8>) {
        match &self.tag {
            Some(tag) => {
                out.extend_from_slice(tag.as_str().as_bytes());
                out.push(b' ');
                out.extend_from_slice(self.kind.status().as_bytes());
            }
            // An untagged NO would be a mere warning.
            None => out.extend_from_slice(b"* BAD"),
        }
        out.push(b' ');
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// What is wrong inside one command; the dispatch adds the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) text: &'static str,
    pub(super) kind: ErrorKind,
}

impl Fault {
    pub(super) const fn syntax(text: &'static str) -> Self {
        Self { text, kind: ErrorKind::Syntax }
    }

    pub(super) const fn limit(text: &'static str) -> Self {
        Self { text, kind: ErrorKind::Limit }
    }

    pub(super) const fn name(text: &'static str) -> Self {
        Self { text, kind: ErrorKind::MailboxName }
    }

    /// The same for a SEARCH that should have saved its result.
    pub(super) const fn unsaved(self) -> Self {
        let kind = match self.kind {
            ErrorKind::BadCharset => ErrorKind::BadCharsetUnsaved,
            ErrorKind::Limit => ErrorKind::NotSaved,
            other => other,
        };
        Self { kind, ..self }
    }

    pub(super) fn tagged(self, tag: Option<Tag>) -> ParseError {
        ParseError { tag, text: self.text, kind: self.kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_the_tag_where_there_is_one() {
        let mut out = Vec::new();
        Fault::syntax("no").tagged(Tag::new(b"a1")).write(&mut out);
        Fault::name("no").tagged(None).write(&mut out);
        assert_eq!(out, b"a1 BAD no\r\n* BAD no\r\n");
    }

    #[test]
    fn the_limit_of_annotations_is_the_one_that_is_told() {
        assert!(ErrorKind::ValueTooBig.status().ends_with(&format!(" {}]", crate::types::ANNOTATION_MAX)));
    }

    #[test]
    fn tags_are_atoms_without_plus() {
        assert!(Tag::new(b"A.1]").is_some());
        for bad in [&b""[..], b"a+", b"a b", b"a\0", b"a\"", b"\xc3\xa4", &[b'a'; TAG_MAX + 1]] {
            assert_eq!(Tag::new(bad), None, "{bad:?}");
        }
        assert_eq!(Tag::at_start_of(b"a1 NOOP").as_ref().map(Tag::as_str), Some("a1"));
        assert_eq!(Tag::at_start_of(b"a1"), None);
    }
}
