//! Mailbox names, subscriptions, counters.

use crate::types::{MailboxId, ModSeq, SpecialUse, Uid, UidValidity};

/// A name that LIST or LSUB may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// The full name in UTF-8, levels separated by `/`.
    pub name: String,
    /// The mailbox; None: it cannot be selected (a level above others, or only subscribed).
    pub mailbox: Option<MailboxId>,
    /// Whether it exists as a name (false: only a subscription is left).
    pub exists: bool,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Whether names below it exist.
    pub has_children: bool,
    /// Its special use.
    pub special_use: Option<SpecialUse>,
}

/// A mailbox's counters, all from one moment, none of them counted when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UIDNEXT
    pub uid_next: Uid,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
    /// MESSAGES
    pub messages: u32,
    /// UNSEEN
    pub unseen: u32,
    /// RECENT: messages that no session has been told of as \Recent.
    pub recent: u32,
    /// DELETED: messages with \Deleted.
    pub deleted: u32,
    /// SIZE: octets of all messages.
    pub bytes: u64,
    /// DELETED-STORAGE: octets of messages with \Deleted.
    pub deleted_bytes: u64,
}
