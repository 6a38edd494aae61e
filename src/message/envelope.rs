//! The envelope of a message (RFC 9051 §7.5.2): how a record keeps it and how it is read.

use super::address::{Address, AddressBuf};
use super::packed::{Reader, put_optional, put_string};

/// A message's envelope. Strings are unfolded header values as they came (encoded words and 8-bit
/// octets included, NUL excepted); None where the field is absent, empty where it is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    /// Date
    pub date: Option<&'a [u8]>,
    /// Subject
    pub subject: Option<&'a [u8]>,
    /// From
    pub from: Addresses<'a>,
    /// Sender, or From where there is none.
    pub sender: Addresses<'a>,
    /// Reply-To, or From where there is none.
    pub reply_to: Addresses<'a>,
    /// To
    pub to: Addresses<'a>,
    /// Cc
    pub cc: Addresses<'a>,
    /// Bcc
    pub bcc: Addresses<'a>,
    /// In-Reply-To
    pub in_reply_to: Option<&'a [u8]>,
    /// Message-ID
    pub message_id: Option<&'a [u8]>,
}

/// A list of addresses; empty is NIL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses<'a> {
    reader: Reader<'a>,
}

impl Addresses<'_> {
    /// Whether there is no address left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }
}

#[allow(clippy::copy_iterator, reason = "a view of a record, two words wide: a copy begins anew")]
impl<'a> Iterator for Addresses<'a> {
    type Item = Address<'a>;

    fn next(&mut self) -> Option<Address<'a>> {
        read_address(&mut self.reader)
    }
}

fn read_address<'a>(reader: &mut Reader<'a>) -> Option<Address<'a>> {
    Some(Address {
        name: reader.optional()?,
        adl: reader.optional()?,
        mailbox: reader.optional()?,
        host: reader.optional()?,
    })
}

/// Appends an address to a packed list.
pub(super) fn put_address(list: &mut Vec<u8>, address: &AddressBuf) {
    for part in [&address.name, &address.adl, &address.mailbox, &address.host] {
        put_optional(list, part.as_deref());
    }
}

/// An envelope in the making; the address lists are already packed.
#[derive(Clone, Debug, Default)]
pub(super) struct EnvelopeBuf {
    pub(super) date: Option<Vec<u8>>,
    pub(super) subject: Option<Vec<u8>>,
    pub(super) in_reply_to: Option<Vec<u8>>,
    pub(super) message_id: Option<Vec<u8>>,
    pub(super) from: Vec<u8>,
    pub(super) sender: Vec<u8>,
    pub(super) reply_to: Vec<u8>,
    pub(super) to: Vec<u8>,
    pub(super) cc: Vec<u8>,
    pub(super) bcc: Vec<u8>,
}

impl EnvelopeBuf {
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for string in [&self.date, &self.subject, &self.in_reply_to, &self.message_id] {
            put_optional(&mut out, string.as_deref());
        }
        for list in [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc] {
            put_string(&mut out, list);
        }
        out
    }
}

impl<'a> Envelope<'a> {
    /// Reads what [`EnvelopeBuf::pack`] made.
    pub(super) fn unpack(octets: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        let [date, subject] = [reader.optional()?, reader.optional()?];
        let [in_reply_to, message_id] = [reader.optional()?, reader.optional()?];
        let mut list = || Some(Addresses { reader: Reader::new(reader.string()?) });
        let from = list()?;
        let or_from = |list: Addresses<'a>| if list.is_empty() { from } else { list };
        let (sender, reply_to) = (or_from(list()?), or_from(list()?));
        let (to, cc, bcc) = (list()?, list()?, list()?);
        Some(Self { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
    }

    /// Whether these octets are a whole envelope.
    pub(super) fn is_valid(octets: &'a [u8]) -> bool {
        Self::unpack(octets).is_some_and(|envelope| {
            [envelope.from, envelope.sender, envelope.reply_to, envelope.to, envelope.cc, envelope.bcc].into_iter().all(
                |mut list| {
                    while list.next().is_some() {}
                    // A damaged address stops the iteration before the end.
                    list.is_empty()
                },
            )
        })
    }
}
