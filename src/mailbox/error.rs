//! The protocol-neutral errors; each protocol maps every kind to its own words.

use crate::store::{self, OverQuota};

/// Why an operation on an account did not happen. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such account, mailbox or message.
    NotFound,
    /// A mailbox or account of that name is there already.
    Exists,
    /// The mailbox is open read-only.
    ReadOnly,
    /// Not allowed for this user.
    Denied,
    /// The account's quota does not hold it; what is to happen to mail that comes.
    OverQuota(OverQuota),
    /// The message is larger than the limit, given in octets.
    TooBig(u64),
    /// The message was expunged by another session.
    Expunged,
    /// A level that is no mailbox cannot be removed while there are mailboxes below it.
    HasChildren,
    /// What is stored cannot be read. The cause is in the log.
    Damaged,
    /// The name or value is not usable; the text says why.
    Invalid(&'static str),
    /// A named limit was reached; the text says which.
    Limit(&'static str),
    /// The disk is full, or the store as large as it may be. Mail can still be read and deleted.
    NoRoom,
    /// Try again later: store failing, shutting down. The cause is in the log.
    Temporary,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Refused(refusal) => match refusal {
                store::Refusal::NotFound => Self::NotFound,
                store::Refusal::Exists => Self::Exists,
                store::Refusal::Denied => Self::Denied,
                store::Refusal::HasChildren => Self::HasChildren,
                store::Refusal::Invalid(text) => Self::Invalid(text),
                store::Refusal::Limit(text) => Self::Limit(text),
                store::Refusal::OverQuota(what) => Self::OverQuota(what),
            },
            store::Error::Closed => Self::Temporary,
            cause @ (store::Error::Full | store::Error::DiskFull) => {
                log::error!("store: {cause}");
                Self::NoRoom
            }
            cause => {
                log::error!("store: {cause}");
                if matches!(cause, store::Error::Corrupt(_)) { Self::Damaged } else { Self::Temporary }
            }
        }
    }
}
