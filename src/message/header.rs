//! Header blocks (RFC 5322 §2.2): fields, unfolding, subsets.
//!
//! A line of a header block that is no field and continues none is passed over as a field without
//! a name, so that the fields behind it are still found.

use memchr::memchr;
use std::borrow::Cow;

/// Limit: octets of a field name. A longer one is no field name.
const NAME_MAX: usize = 256;

/// One field of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name; empty for a line that is no field.
    pub name: &'a [u8],
    /// All its lines as they are, with name and line ends.
    pub raw: &'a [u8],
    value_at: usize,
}

impl<'a> Field<'a> {
    /// What stands behind the colon, as it is.
    #[must_use]
    pub fn raw_value(&self) -> &'a [u8] {
        self.raw.get(self.value_at..).unwrap_or_default()
    }

    /// The unfolded value without white space around it.
    #[must_use]
    pub fn value(&self) -> Cow<'a, [u8]> {
        unfold(self.raw_value())
    }
}

/// The fields of a header block, up to its blank line or its end.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// Iterates over the fields of a header block.
#[must_use]
pub const fn fields(header: &[u8]) -> Fields<'_> {
    Fields { rest: header }
}

impl<'a> Fields<'a> {
    /// What has not been read; after the last field the blank line, if there is one.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let mut end = line_length(self.rest);
        let first = self.rest.get(..end)?;
        if first.is_empty() || is_blank(first) {
            return None;
        }
        loop {
            let (_, rest) = self.rest.split_at_checked(end)?;
            if !matches!(rest.first(), Some(b' ' | b'\t')) {
                let raw = self.rest.get(..end)?;
                self.rest = rest;
                let (name, value_at) = split_name(raw).unwrap_or((&[], 0));
                return Some(Field { name, raw, value_at });
            }
            end += line_length(rest);
        }
    }
}

/// Limit: octets kept of a field that comes in pieces.
const FIELD_MAX: usize = 64 * 1024;

/// Parts a header block that comes in pieces into fields; of a longer field than 64 KiB the start.
#[derive(Debug, Default)]
pub struct FieldSplitter {
    field: Vec<u8>,
    in_line: bool,
}

impl FieldSplitter {
    /// At the start of a header block.
    #[must_use]
    pub const fn new() -> Self {
        Self { field: Vec::new(), in_line: false }
    }

    /// Takes the next octets; gives each field that is complete, with its name and line ends.
    pub fn push(&mut self, octets: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = octets;
        while let Some(first) = rest.first() {
            if !self.in_line && !matches!(first, b' ' | b'\t') {
                self.finish(&mut each);
            }
            let (line, behind) = rest.split_at(line_length(rest));
            let free = FIELD_MAX - self.field.len();
            self.field.extend_from_slice(line.get(..free).unwrap_or(line));
            self.in_line = !line.ends_with(b"\n");
            rest = behind;
        }
    }

    /// The block is complete: gives the last field.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !is_blank(&self.field) {
            each(&self.field);
        }
        self.field.clear();
    }
}

/// Length of the first line with its LF, or of everything where there is none.
fn line_length(octets: &[u8]) -> usize {
    memchr(b'\n', octets).map_or(octets.len(), |at| at + 1)
}

/// Whether a line, with or without its line end, ends a header block.
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|octet| matches!(octet, b'\r' | b'\n'))
}

/// The name at the beginning of a field, and where its value begins; None where the line is no field
/// (RFC 5322 §2.2, with the white space before the colon of §4.5).
#[must_use]
pub fn split_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let end = line.iter().take(NAME_MAX + 1).position(|octet| !matches!(octet, 33..=57 | 59..=126))?;
    let name = line.get(..end).filter(|name| !name.is_empty())?;
    let colon = end + line.get(end..)?.iter().position(|octet| !matches!(octet, b' ' | b'\t'))?;
    (line.get(colon) == Some(&b':')).then_some((name, colon + 1))
}

/// Takes the line ends out of a field value, and the white space around it (RFC 5322 §2.2.3).
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut unfolded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr(b'\n', rest) {
        let line = rest.get(..at).unwrap_or_default();
        unfolded.extend_from_slice(without_cr(line));
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    unfolded.extend_from_slice(rest);
    Cow::Owned(unfolded)
}

/// A line without the CRs at its end.
pub(super) fn without_cr(mut line: &[u8]) -> &[u8] {
    while let [head @ .., b'\r'] = line {
        line = head;
    }
    line
}

/// The subset of a header block that HEADER.FIELDS, or with `not` HEADER.FIELDS.NOT, asks for
/// (RFC 9051 §6.4.5.1): the octets as they are, in order, and the blank line where there is one.
#[must_use]
pub fn filter_fields<N: AsRef<[u8]>>(header: &[u8], names: &[N], not: bool) -> Vec<u8> {
    let mut subset = Vec::new();
    let mut fields = fields(header);
    for field in fields.by_ref() {
        if names.iter().any(|name| name.as_ref().eq_ignore_ascii_case(field.name)) != not {
            subset.extend_from_slice(field.raw);
        }
    }
    subset.extend_from_slice(fields.rest());
    subset
}

#[cfg(test)]
mod tests {
    use super::{FieldSplitter, fields, filter_fields, is_blank, split_name, unfold};
    use proptest::prelude::*;

    const HEADER: &[u8] = b"From: a\r\nSubject : one\r\n\ttwo\r\n three\r\nnot a field\r\nTo:b\r\nX-Empty:\r\n\r\n";

    #[test]
    fn fields_come_in_order() {
        let all: Vec<_> = fields(HEADER).map(|field| (field.name, field.value().into_owned())).collect();
        assert_eq!(
            all,
            [
                (&b"From"[..], b"a".to_vec()),
                (b"Subject", b"one\ttwo three".to_vec()),
                (b"", b"not a field".to_vec()),
                (b"To", b"b".to_vec()),
                (b"X-Empty", Vec::new()),
            ]
        );
    }

    #[test]
    fn subsets_keep_octets_and_blank_line() {
        assert_eq!(
            filter_fields(HEADER, &["subject", "TO", "Absent"], false),
            b"Subject : one\r\n\ttwo\r\n three\r\nTo:b\r\n\r\n"
        );
        assert_eq!(filter_fields(HEADER, &["subject", "to", "from"], true), b"not a field\r\nX-Empty:\r\n\r\n");
        assert_eq!(filter_fields(HEADER, &["none"], false), b"\r\n");
        assert_eq!(filter_fields(b"A: b\r\nC: d", &["c"], false), b"C: d");
        assert_eq!(filter_fields(b"", &["c"], true), b"");
    }

    #[test]
    fn what_is_a_field() {
        assert_eq!(split_name(b"A: b"), Some((&b"A"[..], 2)));
        assert_eq!(split_name(b"A \t: b"), Some((&b"A"[..], 4)));
        for line in [&b": b"[..], b" A: b", b"A b: c", b"", b"A", b"\x80: x", b"A\0: x"] {
            assert_eq!(split_name(line), None, "{line:?}");
        }
        assert_eq!(split_name(&[b"a".repeat(256), b":".to_vec()].concat()).map(|(name, _)| name.len()), Some(256));
        assert_eq!(split_name(&[b"a".repeat(257), b":".to_vec()].concat()), None);
        assert!(is_blank(b"\r\n") && is_blank(b"\r\r\n") && !is_blank(b" \r\n"));
    }

    #[test]
    fn unfolding_takes_line_ends_only() {
        assert_eq!(*unfold(b" a\r\n  b\r\n\tc \r\n"), *b"a  b\tc");
        assert_eq!(*unfold(b" a\rb "), *b"a\rb");
    }

    proptest! {
        #[test]
        fn fields_tile_the_block(header in "[aB: \t\r\n]{0,60}") {
            let mut all = fields(header.as_bytes());
            let mut joined: Vec<u8> = all.by_ref().flat_map(|field| field.raw.to_vec()).collect();
            joined.extend_from_slice(all.rest());
            prop_assert_eq!(joined, header.as_bytes());
        }

        #[test]
        fn pieces_give_the_same_fields(header in "([aB]: [ab]{0,3}(\r\n [ab])?\r\n){0,6}(\r\n)?", size in 1usize..9) {
            let whole: Vec<_> = fields(header.as_bytes()).map(|field| field.raw.to_vec()).collect();
            let (mut splitter, mut found) = (FieldSplitter::new(), Vec::new());
            header.as_bytes().chunks(size).for_each(|piece| splitter.push(piece, |field| found.push(field.to_vec())));
            splitter.finish(|field| found.push(field.to_vec()));
            prop_assert_eq!(found, whole);
        }
    }
}
