//! What RETR sends beyond a message's own octets. LIST and STAT count it too, so that they tell exactly what a client
//! gets (RFC 1939 §11, RFC 6856 §2.1); quotas and IMAP go by the message's own size.
//!
//! A message that does not end with a line end gets one, and one with UTF-8 in its header may go out as a longer
//! surrogate. Only the message itself tells that. So each is looked at once, and what was found is kept in memory:
//! a maildrop is looked through at its first login after the start of the server, and later only what is new in it.

use super::downgrade::Downgrade;
use crate::mailbox::{self, Mailbox};
use crate::types::{MailboxId, Uid, UidSet, UidValidity};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Limit: maildrops of which something is kept; the one that was used longest ago goes first.
const MAILDROPS_MAX: usize = 64;
/// Limit: messages of a maildrop that go out longer than they are and are kept, some 16 octets each. What lies behind
/// them is looked at at every login.
const LONGER_MAX: usize = 16 * 1024;
/// Octets read from the store at a time.
const PIECE: usize = 4 * 1024;

/// What is known of all maildrops.
#[derive(Debug, Default)]
pub struct Sizes {
    /// The one used last at the end.
    known: Mutex<Vec<(Key, Arc<Known>)>>,
}

type Key = (MailboxId, UidValidity);

/// What is known of a maildrop: all of its messages from the first of these UIDs on and before the second.
#[derive(Debug, Default)]
struct Known {
    from: u32,
    below: u32,
    longer: BTreeMap<u32, Longer>,
}

/// How much more than a message's own octets goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Longer {
    /// A line end.
    line_end: u8,
    /// What a surrogate has more than the message.
    surrogate: u32,
}

impl Longer {
    /// In octets, for a session with UTF8 or without.
    pub(super) fn octets(self, utf8: bool) -> u64 {
        u64::from(self.line_end) + if utf8 { 0 } else { u64::from(self.surrogate) }
    }
}

impl Sizes {
    /// Begins to look through a maildrop, from that message to the last.
    pub(super) fn pass(&self, inbox: &Mailbox, from: Uid) -> Pass {
        let key = (inbox.id(), inbox.uid_validity());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.iter().find(|(other, _)| *other == key).map(|(_, known)| Arc::clone(known));
        Pass { key, known: known.unwrap_or_default(), from: from.0, below: from.0, is_broken: false, found: Vec::new() }
    }

    /// Keeps what a pass over these messages has found.
    pub(super) fn keep(&self, pass: Pass, uids: &UidSet) {
        let Pass { key, known: old, from, below, found, .. } = pass;
        // Between what was known and what was looked at there may be a gap.
        let (from, below) = if from > old.below || below < old.from {
            (from, below)
        } else {
            (from.min(old.from), below.max(old.below))
        };
        let mut longer: BTreeMap<u32, Longer> = old.longer.iter().map(|(uid, longer)| (*uid, *longer)).collect();
        longer.extend(found);
        longer.retain(|uid, _| uids.contains(*uid) && (from..below).contains(uid));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(other, _)| *other != key);
        if known.len() >= MAILDROPS_MAX {
            known.remove(0);
        }
        known.push((key, Arc::new(Known { from, below, longer })));
    }
}

/// Goes over the messages of a maildrop, ascending.
pub(super) struct Pass {
    key: Key,
    known: Arc<Known>,
    from: u32,
    /// Up to here everything is known.
    below: u32,
    /// A message could not be read, or there is no room: what comes behind it is looked at, but not kept.
    is_broken: bool,
    found: Vec<(u32, Longer)>,
}

impl Pass {
    /// How much longer the message goes out than it is. Of one that cannot be read nothing goes out.
    pub(super) async fn longer(&mut self, inbox: &Mailbox, uid: Uid) -> Longer {
        let longer = if (self.known.from..self.known.below).contains(&uid.0) {
            self.known.longer.get(&uid.0).copied().unwrap_or_default()
        } else {
            // A first look at many messages must not keep the other sessions waiting.
            smol::future::yield_now().await;
            match look(inbox, uid) {
                Ok(longer) => {
                    self.is_broken |= self.known.longer.len() + self.found.len() >= LONGER_MAX;
                    if longer != Longer::default() && !self.is_broken {
                        self.found.push((uid.0, longer));
                    }
                    longer
                }
                Err(mailbox::Error::Expunged) => Longer::default(),
                Err(_) => {
                    self.is_broken = true;
                    Longer::default()
                }
            }
        };
        if !self.is_broken {
            self.below = uid.0.saturating_add(1);
        }
        longer
    }
}

/// Reads a message's header and its last octets.
fn look(inbox: &Mailbox, uid: Uid) -> Result<Longer, mailbox::Error> {
    let message = inbox.message(uid)?;
    let size = message.size();
    let (mut downgrade, mut offset, mut sent, mut piece) = (Downgrade::new(), 0, 0, Vec::new());
    while downgrade.is_in_header() && offset < size {
        piece = message.read(offset, PIECE)?;
        if piece.is_empty() {
            return Err(mailbox::Error::Temporary);
        }
        offset += piece.len() as u64;
        downgrade.feed(&piece, |octets| sent += octets.len() as u64);
    }
    downgrade.end(|octets| sent += octets.len() as u64);
    if offset < size || piece.len() < 2 {
        piece = message.read(size.saturating_sub(2), 2)?;
    }
    let surrogate = u32::try_from(sent.saturating_sub(offset)).unwrap_or(u32::MAX);
    Ok(Longer { line_end: if size == 0 || piece.ends_with(b"\r\n") { 0 } else { 2 }, surrogate })
}
