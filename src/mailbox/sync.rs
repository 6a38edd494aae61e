//! A mailbox as sessions follow it: the snapshot they begin with and the differences since.

use super::{Copied, Error, Message, Row, Status, Stored};
use crate::types::{FlagOperation, Flags, KeywordBits, MailboxId, ModSeq, SystemFlags, Uid, UidSet, UidValidity};
use std::sync::Arc;

/// A mailbox of an account. Cheap to clone; every method opens its own short transaction.
/// After the mailbox was deleted every method gives `NotFound`.
#[derive(Clone)]
pub struct Mailbox { _private: () }

/// All that SELECT tells, from one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Every UID.
    pub uids: UidSet,
    /// The counters; `status.highest_modseq` is where [`Mailbox::changes`] goes on.
    pub status: Status,
    /// The mailbox's keywords; position = bit in [`KeywordBits`].
    pub keywords: Arc<Vec<String>>,
}

/// What happened to one message since a modification sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The message.
    pub uid: Uid,
    /// System flags now.
    pub flags: SystemFlags,
    /// Keywords now.
    pub keywords: KeywordBits,
    /// Its modification sequence now.
    pub modseq: ModSeq,
}

/// What happened in a mailbox since a modification sequence.
#[derive(Clone, Debug)]
pub struct Changes {
    /// UIDs expunged since; may hold UIDs the view never knew.
    pub expunged: UidSet,
    /// UIDs that arrived since (at or above the UIDNEXT that was known) and are still there.
    pub arrived: UidSet,
    /// Messages below the known UIDNEXT whose flags changed; at most `CHANGES_MAX`, ascending by modseq.
    pub flagged: Vec<Change>,
    /// Where the next call goes on.
    pub modseq: ModSeq,
    /// UIDNEXT at that moment.
    pub uid_next: Uid,
    /// More `flagged` are waiting: call again from `modseq`.
    pub more: bool,
}

impl Mailbox {
    /// Its identifier.
    pub fn id(&self) -> MailboxId { todo!() }
    /// Its UIDVALIDITY.
    pub fn uid_validity(&self) -> UidValidity { todo!() }
    /// UIDs, counters and keywords from one moment. Costs no more for many messages than for few.
    pub fn snapshot(&self) -> Result<Snapshot, Error> { todo!() }
    /// The counters.
    pub fn status(&self) -> Result<Status, Error> { todo!() }
    /// The keyword table as it is now (the same `Arc` while unchanged).
    pub fn keywords(&self) -> Result<Arc<Vec<String>>, Error> { todo!() }
    /// The lowest UID without \Seen.
    pub fn first_unseen(&self) -> Result<Option<Uid>, Error> { todo!() }
    /// Takes the \Recent messages for the calling session: those with a UID at or above the answer are recent (RFC 3501 §2.3.2).
    pub async fn claim_recent(&self) -> Result<Uid, Error> { todo!() }
    /// What happened since `since`, for a view that knows UIDs below `known_next`.
    pub fn changes(&self, _since: ModSeq, _known_next: Uid) -> Result<Changes, Error> { todo!() }
    /// Rows of those messages of `uids` that exist, ascending, from `from` on, at most 64.
    pub fn rows(&self, _uids: &UidSet, _from: Uid) -> Result<Vec<Row>, Error> { todo!() }
    /// One message for reading; its octets stay readable while the handle lives. `Expunged` where it is gone.
    pub fn message(&self, _uid: Uid) -> Result<Message, Error> { todo!() }
    /// Changes flags (RFC 9051 §6.4.6); durable when it returns. Messages that are gone are left out silently.
    /// With `unchanged_since` messages with a higher modseq are not changed but told (RFC 7162 §3.1.3).
    pub async fn store_flags(&self, _uids: &UidSet, _operation: FlagOperation, _flags: &Flags, _unchanged_since: Option<ModSeq>) -> Result<Stored, Error> { todo!() }
    /// Removes the messages with \Deleted, of `among` only where given; the UIDs that went.
    pub async fn expunge(&self, _among: Option<&UidSet>) -> Result<UidSet, Error> { todo!() }
    /// Removes these messages whatever their flags (POP3 QUIT), in one durable commit; the UIDs that went.
    pub async fn remove(&self, _uids: &UidSet) -> Result<UidSet, Error> { todo!() }
    /// Copies messages, all or none (RFC 9051 §6.4.7). `NotFound`: no such destination.
    pub async fn copy(&self, _uids: &UidSet, _destination: &str) -> Result<Copied, Error> { todo!() }
    /// Moves messages, all or none (RFC 6851).
    pub async fn move_to(&self, _uids: &UidSet, _destination: &str) -> Result<Copied, Error> { todo!() }
}
