//! The one way in for mail: LMTP, `deliver`, APPEND and import all stream through [`Incoming`].

use super::edit::{Edit, NewRow, check_flags};
use super::{Core, Error, account, list};
use crate::message::{Normalizer, Record, Scanner};
use crate::store::schema::{CODEC_IDENTITY, Content, kind};
use crate::store::txn::Tx;
use crate::store::{self, Commit, Refusal, Store};
use crate::types::{AccountId, BodyId, DateTime, Flags, InstanceId, MailboxId, Uid, UidValidity};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limit: octets of a message kept in memory; what is more is staged in the store, one such piece at a time.
const STAGE_SIZE: usize = 256 << 10;
/// Limit: octets taken at once, so that the buffers below stay small.
const PUSH_MAX: usize = 64 << 10;
/// Limit: octets of the header that a delivery puts before a message.
const PREFIX_MAX: usize = 64 << 10;

/// A message being taken in: normalises bare LF to CRLF, scans MIME, stages large bodies. Memory stays bounded.
/// Dropped before [`Incoming::finish`]: nothing is stored.
pub struct Incoming {
    body: Body,
    normalizer: Normalizer,
    scanner: Scanner,
    scratch: Vec<u8>,
    limit: u64,
}

/// The octets so far: the first in the store, the last in memory.
struct Body {
    store: Arc<Store>,
    /// The staged body's identifier as the writer gave it; 0: not yet.
    id: Arc<AtomicU64>,
    chunks: u32,
    pending: Vec<u8>,
    size: u64,
    /// A piece on its way to the disk.
    staging: Option<Commit<()>>,
}

impl Body {
    /// Keeps the next octets in memory.
    fn keep(&mut self, octets: &[u8]) {
        // A large message gets all the room that it may use at once: doubling would take up to twice as much.
        if self.pending.len() + octets.len() > self.pending.capacity() && self.pending.len() >= PUSH_MAX {
            self.pending.reserve_exact(STAGE_SIZE + PUSH_MAX - self.pending.len());
        }
        self.pending.extend_from_slice(octets);
    }

    async fn settle(&mut self) -> Result<(), Error> {
        match self.staging.take() {
            Some(commit) => Ok(commit.await?),
            None => Ok(()),
        }
    }

    /// Sends all full chunks that are pending to the store.
    async fn stage(&mut self) -> Result<(), Error> {
        self.settle().await?;
        let payload = self.store.payload_size();
        let whole = self.pending.len() / payload * payload;
        let mut rest = Vec::with_capacity(STAGE_SIZE + PUSH_MAX);
        rest.extend_from_slice(&self.pending[whole..]);
        self.pending.truncate(whole);
        let piece = std::mem::replace(&mut self.pending, rest);
        let (id, first) = (self.id.clone(), self.chunks);
        self.chunks += u32::try_from(whole / payload).unwrap_or(u32::MAX);
        self.staging = Some(self.store.write_heavy(whole, move |tx| {
            if first == 0 {
                let body = tx.new_body()?;
                tx.add_garbage(kind::STAGING, body.0)?;
                id.store(body.0, Ordering::Release);
            }
            tx.put_chunks(BodyId(id.load(Ordering::Acquire)), first, &piece)
        }));
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.chunks > 0 {
            abandon(&self.store, self.id.clone());
        }
    }
}

/// Gives back a staged body. The writer works in order, so that all its pieces are there by then.
fn abandon(store: &Store, id: Arc<AtomicU64>) {
    drop(store.write(move |tx| {
        let id = id.load(Ordering::Acquire);
        if tx.view().is_garbage(kind::STAGING, id)? {
            tx.delete_garbage(kind::STAGING, id)?;
            tx.add_garbage(kind::BODY, id)?;
        }
        Ok(())
    }));
    store.purge();
}

impl Incoming {
    pub(super) fn new(store: Arc<Store>, limit: u64) -> Self {
        let body = Body { store, id: Arc::default(), chunks: 0, pending: Vec::new(), size: 0, staging: None };
        Self { body, normalizer: Normalizer::new(), scanner: Scanner::new(), scratch: Vec::new(), limit }
    }

    /// Takes the next octets as they came.
    ///
    /// # Errors
    /// `TooBig` once the limit is crossed; `Temporary` where the store fails.
    pub async fn push(&mut self, octets: &[u8]) -> Result<(), Error> {
        for piece in octets.chunks(PUSH_MAX) {
            let clean = self.normalizer.push(piece, &mut self.scratch);
            self.body.size += clean.len() as u64;
            if self.body.size > self.limit {
                return Err(Error::TooBig(self.limit));
            }
            self.scanner.push(clean);
            self.body.keep(clean);
            if self.body.pending.len() >= STAGE_SIZE {
                self.body.stage().await?;
            }
        }
        Ok(())
    }

    /// The message is complete.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn finish(mut self) -> Result<Staged, Error> {
        self.body.settle().await?;
        let scan = self.scanner.finish();
        Ok(Staged { body: self.body, has_header: scan.has_header, record: scan.record })
    }

    /// Octets so far, after normalisation.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body.size
    }
}

/// A complete message that no mailbox shows yet. Dropped: it is discarded.
pub struct Staged {
    body: Body,
    has_header: bool,
    record: Record,
}

impl Staged {
    /// RFC822.SIZE without the headers that a delivery adds.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body.size
    }

    /// What the writer needs. The staged chunks stay the `Staged`'s, which gives them back if the job fails.
    fn parts(&mut self) -> Parts {
        Parts {
            staged: (self.body.chunks > 0).then(|| BodyId(self.body.id.load(Ordering::Acquire))),
            chunks: self.body.chunks,
            size: self.body.size,
            pending: std::mem::take(&mut self.body.pending),
            has_header: self.has_header,
            record: self.record.as_bytes().to_vec(),
        }
    }
}

struct Parts {
    staged: Option<BodyId>,
    chunks: u32,
    size: u64,
    pending: Vec<u8>,
    has_header: bool,
    record: Vec<u8>,
}

impl Parts {
    /// Stores the rest of the body.
    fn put_body(&self, tx: &mut Tx<'_>) -> Result<BodyId, store::Error> {
        let body = match self.staged {
            Some(body) => {
                tx.delete_garbage(kind::STAGING, body.0)?;
                body
            }
            None => tx.new_body()?,
        };
        tx.put_chunks(body, self.chunks, &self.pending)?;
        Ok(body)
    }

    /// The content that shows the body behind `prefix`, and its size.
    fn content(&self, body: BodyId, prefix: &[u8]) -> (Content, u64) {
        let mut prefix = prefix.to_vec();
        // Without this line the first line of a message that has no header would be read as one.
        if !prefix.is_empty() && !self.has_header {
            prefix.extend_from_slice(b"\r\n");
        }
        let size = self.size + prefix.len() as u64;
        (Content { body, body_len: self.size, codec: CODEC_IDENTITY, prefix, record: self.record.clone() }, size)
    }
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

impl Core {
    /// Begins to take in one message by any door.
    #[must_use]
    pub fn incoming(&self) -> Incoming {
        Incoming::new(self.store_arc(), self.max_message_size())
    }

    /// Makes one message visible to all `deliveries` in one durable commit.
    /// The outer error means that nothing was stored; each inner one is that recipient's.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn deliver(&self, staged: Staged, deliveries: Vec<Delivery>) -> Result<Vec<Result<Appended, Error>>, Error> {
        let mut staged = staged;
        let parts = staged.parts();
        let made = self
            .store_arc()
            .write_heavy(parts.pending.len(), move |tx| {
                // Look first: where nobody can have it, nothing is written.
                let targets: Vec<_> = deliveries.iter().map(|delivery| find_target(tx, delivery)).collect();
                let reached = i64::try_from(targets.iter().filter(|target| target.is_ok()).count()).unwrap_or(0);
                if reached == 0 {
                    return Ok(targets.into_iter().map(|target| target.and(Err(Refusal::NotFound.into()))).collect());
                }
                let body = parts.put_body(tx)?;
                tx.add_refs(kind::BODY, body.0, reached - 1)?;
                let mut made = Vec::with_capacity(targets.len());
                for (delivery, target) in deliveries.iter().zip(targets) {
                    made.push(match target {
                        Ok(mailbox) => Ok(put_message(tx, &parts, body, mailbox, delivery)?),
                        Err(error) => Err(error),
                    });
                }
                Ok::<Vec<Result<Appended, store::Error>>, store::Error>(made)
            })
            .await?;
        // Dropping `staged` gives back only what is still marked as staged: nothing, once it was delivered.
        Ok(made.into_iter().map(|one| one.map_err(Error::from)).collect())
    }
}

fn find_target(tx: &Tx<'_>, delivery: &Delivery) -> Result<MailboxId, store::Error> {
    if delivery.prefix.len() > PREFIX_MAX {
        return Err(Refusal::Limit("the delivery's header is too long").into());
    }
    check_flags(&delivery.flags)?;
    let view = tx.view();
    let find = |name: &str| {
        let entry = view.mailbox_entry(delivery.account, &list::canonical(name)?)?;
        Ok::<_, store::Error>(entry.and_then(|entry| entry.mailbox))
    };
    let found = match &delivery.target {
        DeliveryTarget::Inbox => None,
        // A detail that cannot be a mailbox name is as good as one that does not exist.
        DeliveryTarget::IfExists(name) => find(name).ok().flatten(),
        DeliveryTarget::Mailbox(name) => return find(name)?.ok_or_else(|| Refusal::NotFound.into()),
    };
    match found {
        Some(mailbox) => Ok(mailbox),
        None => find(list::INBOX)?.ok_or_else(|| Refusal::NotFound.into()),
    }
}

fn put_message(
    tx: &mut Tx<'_>,
    parts: &Parts,
    body: BodyId,
    mailbox: MailboxId,
    delivery: &Delivery,
) -> Result<Appended, store::Error> {
    let (content, size) = parts.content(body, &delivery.prefix);
    let (id, instance, now) = (tx.new_content()?, tx.new_instance()?, tx.now()?);
    tx.put_content(id, &content)?;
    let mut edit = Edit::open(tx, mailbox)?;
    let keywords = edit.keyword_bits(tx, &delivery.flags.keywords)?;
    let row = NewRow {
        content: id,
        instance,
        system: delivery.flags.system,
        keywords,
        internal_date: delivery.date.unwrap_or_else(|| account::local_time(now)),
        save_date: now,
        size,
    };
    let uid = edit.insert(tx, &row)?;
    let uid_validity = edit.state.uid_validity;
    edit.finish(tx)?;
    Ok(Appended { mailbox, uid_validity, uid, instance })
}
