//! Reading messages.

use super::Error;
use crate::message::Record;
use crate::types::{ContentId, DateTime, InstanceId, KeywordBits, ModSeq, SystemFlags, Uid};

/// A message's index row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// UID
    pub uid: Uid,
    /// System flags.
    pub flags: SystemFlags,
    /// Keywords.
    pub keywords: KeywordBits,
    /// MODSEQ (RFC 7162).
    pub modseq: ModSeq,
    /// INTERNALDATE
    pub internal_date: DateTime,
    /// SAVEDATE (RFC 8514), seconds since 1970.
    pub save_date: i64,
    /// RFC822.SIZE, exact.
    pub size: u64,
    /// EMAILID (RFC 8474).
    pub content: ContentId,
    /// UIDL (RFC 1939).
    pub instance: InstanceId,
}

/// A message open for reading: its cached record and its octets, which are kept while this lives.
pub struct Message { _private: () }

impl Message {
    /// The index row at the moment of opening.
    pub fn row(&self) -> &Row { todo!() }
    /// RFC822.SIZE: the prefix (headers added at delivery) and the body.
    pub fn size(&self) -> u64 { todo!() }
    /// Length of the header that delivery put before the message as it came. All offsets in
    /// [`Record`] count from behind it; see [`Message::read`].
    pub fn prefix_len(&self) -> u64 { todo!() }
    /// Envelope, structure and offsets, scanned when the message came in.
    pub fn record(&self) -> &Record { todo!() }
    /// At most `max` (64 KiB where larger) octets from `offset` of the whole message (prefix first).
    /// Shorter only at the end. Verifies checksums: damaged octets are a `Temporary` error and logged.
    pub fn read(&self, _offset: u64, _max: usize) -> Result<Vec<u8>, Error> { todo!() }
}
