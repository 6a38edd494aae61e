//! Why the store could not do what it was asked.

use super::OverQuota;
use std::fmt;

/// A failure of the store. Nothing of the failed job was kept.
#[derive(Debug)]
pub enum Error {
    /// The memory map's upper bound is reached.
    Full,
    /// The disk is full.
    DiskFull,
    /// LMDB or the operating system failed.
    Io(String),
    /// A stored value is not what this version writes; the text names the table.
    Corrupt(&'static str),
    /// The writer has been stopped.
    Closed,
    /// A job's own refusal, handed through unchanged.
    Refused(Refusal),
}

/// Why a job refused to run; the mailbox core gives these their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such account, mailbox or message.
    NotFound,
    /// The name is taken.
    Exists,
    /// Not allowed.
    Denied,
    /// There are names below it.
    HasChildren,
    /// Not usable; the text says why.
    Invalid(&'static str),
    /// A named limit was reached.
    Limit(&'static str),
    /// The account's quota does not hold it.
    OverQuota(OverQuota),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the store is as large as map_size allows; set a larger one, or delete mail"),
            Self::DiskFull => f.write_str("the disk is full; make room on it, or delete mail"),
            Self::Io(text) => write!(f, "the store failed: {text}"),
            Self::Corrupt(table) => write!(f, "damaged data in table {table}; run 'mailnook verify'"),
            Self::Closed => f.write_str("the store is closed"),
            Self::Refused(refusal) => write!(f, "refused: {refusal:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<heed::Error> for Error {
    fn from(error: heed::Error) -> Self {
        match error {
            heed::Error::Mdb(heed::MdbError::MapFull) => Self::Full,
            heed::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::DiskFull,
            other => Self::Io(other.to_string()),
        }
    }
}
