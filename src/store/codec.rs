//! Reading and writing the fields of keys and values: fixed widths, big-endian, so that keys sort by number.

use super::Error;

/// Takes fields off the front of a value.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    table: &'static str,
}

impl<'a> Fields<'a> {
    /// `table` names the value's table in a [`Error::Corrupt`].
    pub(crate) const fn new(value: &'a [u8], table: &'static str) -> Self {
        Self { rest: value, table }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Error::Corrupt(self.table))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let table = self.table;
        self.take(N)?.try_into().map_err(|_| Error::Corrupt(table))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Error> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Error> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn u128(&mut self) -> Result<u128, Error> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    /// A text with its length in two octets before it.
    pub(crate) fn text(&mut self) -> Result<String, Error> {
        let len = usize::from(self.u16()?);
        self.rest_text(len)
    }

    fn rest_text(&mut self, len: usize) -> Result<String, Error> {
        let table = self.table;
        String::from_utf8(self.take(len)?.to_vec()).map_err(|_| Error::Corrupt(table))
    }

    /// All that is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Refuses octets behind the last field.
    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Corrupt(self.table)) }
    }
}

/// Appends a text with its length in two octets before it; texts are limited where they come in.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(len)]);
}

/// The key (a, b) as two numbers.
pub(crate) fn key_u32_u32(a: u32, b: u32) -> [u8; 8] {
    ((u64::from(a) << 32) | u64::from(b)).to_be_bytes()
}

/// The key (a, b) as two numbers.
pub(crate) fn key_u64_u32(a: u64, b: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&a.to_be_bytes());
    key[8..].copy_from_slice(&b.to_be_bytes());
    key
}

/// The key (a, b, c) as three numbers.
pub(crate) fn key_u32_u64_u32(a: u32, b: u64, c: u32) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&a.to_be_bytes());
    key[4..12].copy_from_slice(&b.to_be_bytes());
    key[12..].copy_from_slice(&c.to_be_bytes());
    key
}

/// A kind octet and a number.
pub(crate) fn key_kind_u32(kind: u8, id: u32) -> [u8; 5] {
    let mut key = [kind; 5];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}

/// A kind octet and a number.
pub(crate) fn key_kind_u64(kind: u8, id: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}
