//! The one way in for mail: LMTP, `deliver`, APPEND and import all stream through [`Incoming`].

use super::{Error};
use crate::types::{AccountId, DateTime, Flags, InstanceId, MailboxId, Uid, UidValidity};

/// A message being taken in: normalises bare LF to CRLF, scans MIME, stages large bodies. Memory stays bounded.
/// Dropped before [`Incoming::finish`]: nothing is stored.
pub struct Incoming { _private: () }

impl Incoming {
    /// Takes the next octets as they came. `TooBig` once the limit is crossed.
    pub async fn push(&mut self, _octets: &[u8]) -> Result<(), Error> { todo!() }
    /// The message is complete.
    pub async fn finish(self) -> Result<Staged, Error> { todo!() }
    /// Octets so far, after normalisation.
    pub fn size(&self) -> u64 { todo!() }
}

/// A complete message that no mailbox shows yet. Dropped: it is discarded.
pub struct Staged { _private: () }

impl Staged {
    /// RFC822.SIZE without the headers that a delivery adds.
    pub fn size(&self) -> u64 { todo!() }
}

/// Where a delivery goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryTarget {
    /// INBOX.
    Inbox,
    /// This mailbox if it exists, else INBOX (plus-addressing).
    IfExists(String),
    /// This mailbox; `NotFound` where it does not exist.
    Mailbox(String),
}

/// One recipient's share of a delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whose mail.
    pub account: AccountId,
    /// Where to.
    pub target: DeliveryTarget,
    /// Complete header lines with CRLF to put before the message: Return-Path, Delivered-To, Received.
    pub prefix: Vec<u8>,
    /// Flags to begin with.
    pub flags: Flags,
    /// Internal date; None: now.
    pub date: Option<DateTime>,
}

/// What an append made (RFC 4315 APPENDUID).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox it went to.
    pub mailbox: MailboxId,
    /// That mailbox's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The new message's UID.
    pub uid: Uid,
    /// Its permanent instance.
    pub instance: InstanceId,
}
