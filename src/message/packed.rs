//! The octet forms that a record is made of: numbers in LEB128, strings with their length.

/// Appends a number, seven bits an octet, lowest first.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a string with its length.
pub(super) fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    put_number(out, string.len() as u64);
    out.extend_from_slice(string);
}

/// Appends a string that may be absent: its length and one, or zero.
pub(super) fn put_optional(out: &mut Vec<u8>, string: Option<&[u8]>) {
    match string {
        None => out.push(0),
        Some(string) => {
            put_number(out, string.len() as u64 + 1);
            out.extend_from_slice(string);
        }
    }
}

/// Reads what the functions above wrote; None where the octets do not hold it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// Octets left.
    pub(super) const fn len(self) -> usize {
        self.rest.len()
    }

    /// What has not been read.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        let mut shift = 0u32;
        loop {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if shift > 63 || (shift == 63 && bits > 1) {
                return None;
            }
            number |= bits << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (string, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(string)
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    /// The inner None is an absent string.
    #[allow(clippy::option_option)]
    pub(super) fn optional(&mut self) -> Option<Option<&'a [u8]>> {
        match self.number()? {
            0 => Some(None),
            length => Some(Some(self.take(length - 1)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, put_number, put_optional, put_string};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_was_written(number: u64, string: Vec<u8>, optional: Option<Vec<u8>>) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_string(&mut out, &string);
            put_optional(&mut out, optional.as_deref());
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.string(), Some(&string[..]));
            prop_assert_eq!(reader.optional(), Some(optional.as_deref()));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn garbage_is_refused_without_a_panic(octets: Vec<u8>) {
            let mut reader = Reader::new(&octets);
            while !reader.is_empty() && reader.optional().is_some() {}
        }
    }
}
