//! The one way in for mail: what LMTP, `deliver`, APPEND and import stream through [`Incoming`] becomes visible here.

use super::edit::{Edit, NewRow, check_flags};
use super::incoming::{Incoming, Parts, STAGE_SIZE, Staged};
use super::quota::{self, QuotaRules, Slack};
use super::retention::Removal;
use super::{Account, Core, Error, account, list, name};
use crate::store::schema::{OriginId, kind};
use crate::store::txn::Tx;
use crate::store::view::View;
use crate::store::{self, Cause, Refusal};
use crate::types::{
    AccountId, BodyId, DateTime, Door, DoorKind, Flags, InstanceId, MailboxId, Uid, UidSet, UidValidity,
};
use std::collections::BTreeSet;

/// Limit: octets of the header that a delivery puts before a message.
const PREFIX_MAX: usize = 64 << 10;

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
    /// Who brings it.
    pub door: Door,
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
        Incoming::new(self.store_arc(), self.max_message_size(), false)
    }

    /// The same for a message that came as a literal8 (RFC 3516): its binary parts are kept as they are, or encoded.
    #[must_use]
    pub fn incoming_binary(&self) -> Incoming {
        Incoming::new(self.store_arc(), self.max_message_size(), true)
    }

    /// Makes one message visible to all `deliveries` in one durable commit.
    /// The outer error means that nothing was stored; each inner one is that recipient's.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn deliver(
        &self,
        staged: Staged,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Result<Appended, Error>>, Error> {
        let mut staged = staged;
        let (parts, rules) = (staged.parts(), self.quota_rules());
        let accounts: BTreeSet<AccountId> = deliveries.iter().map(|delivery| delivery.account).collect();
        let made = self
            .store_arc()
            .write_arrival(parts.pending.len(), move |tx| {
                // Look first: where nobody can have it, nothing is written.
                let targets: Vec<_> = deliveries.iter().map(|delivery| find_target(tx, delivery)).collect();
                let targets = within_quota(&tx.view(), &rules, &parts, &deliveries, targets)?;
                let reached = i64::try_from(targets.iter().filter(|target| target.is_ok()).count()).unwrap_or(0);
                if reached == 0 {
                    return Ok(targets.into_iter().map(|target| target.and(Err(Refusal::NotFound.into()))).collect());
                }
                let body = parts.put_body(tx)?;
                tx.add_refs(kind::BODY, body.0, reached - 1)?;
                let mut made = Vec::with_capacity(targets.len());
                for (delivery, target) in deliveries.iter().zip(targets) {
                    made.push(match target {
                        Ok(mailbox) => Ok(put_message(tx, &parts, body, mailbox, (delivery, false))?),
                        Err(error) => Err(error),
                    });
                }
                Ok::<Vec<Result<Appended, store::Error>>, store::Error>(made)
            })
            .await?;
        for account in accounts {
            self.usage_changed(account);
        }
        // Dropping `staged` gives back only what is still marked as staged: nothing, once it was delivered.
        Ok(made.into_iter().map(|one| one.map_err(Error::from)).collect())
    }
}

impl Core {
    /// Puts a notice of ours into INBOX, which no quota counts, and notes its level: both or none, and once only.
    pub(super) async fn deliver_notice(&self, account: AccountId, text: &[u8], level: u8) -> Result<(), Error> {
        let mut incoming = self.incoming();
        incoming.push(text).await?;
        let mut staged = incoming.finish().await?;
        let parts = staged.parts();
        let delivery = Delivery {
            account,
            target: DeliveryTarget::Inbox,
            prefix: Vec::new(),
            flags: Flags::default(),
            date: None,
            door: Door::of(DoorKind::Policy),
        };
        let job = self.store_arc().write(move |tx| {
            let mut settings = tx.view().settings(account)?;
            let mailbox = find_target(tx, &delivery)?;
            if settings.warned.unwrap_or(0) >= level {
                return Ok(());
            }
            let body = parts.put_body(tx)?;
            put_message(tx, &parts, body, mailbox, (&delivery, true))?;
            settings.warned = Some(level);
            tx.put_settings(account, &settings)
        });
        Ok(job.await?)
    }
}

/// Limit: messages in a batch.
const BATCH_MAX: usize = 1000;
/// Limit: octets of all records in a batch, which stay in memory.
const BATCH_RECORDS_MAX: usize = 2 << 20;

/// Messages for one mailbox, of which all or none become visible (RFC 3502). Dropped: they are discarded.
#[derive(Default)]
pub struct Batch {
    messages: Vec<(Staged, Flags, Option<DateTime>)>,
}

impl Batch {
    /// Adds a message with its flags and its internal date (None: now).
    pub fn push(&mut self, staged: Staged, flags: Flags, date: Option<DateTime>) {
        self.messages.push((staged, flags, date));
    }

    /// How many messages it holds, and their octets together.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        let octets = self.messages.iter().fold(0_u64, |sum, (staged, ..)| sum.saturating_add(staged.size()));
        (self.messages.len() as u64, octets)
    }

    /// Whether no further message may be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let records: usize = self.messages.iter().map(|(staged, ..)| staged.record().as_bytes().len()).sum();
        self.messages.len() >= BATCH_MAX || records >= BATCH_RECORDS_MAX
    }

    /// Sends the octets to the store where there are many of them in memory.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn make_room(&mut self) -> Result<(), Error> {
        let held: usize = self.messages.iter().map(|(staged, ..)| staged.held()).sum();
        if held >= STAGE_SIZE {
            // All at once, so that they share their commits.
            let parked: Vec<_> = self.messages.iter_mut().filter_map(|(staged, ..)| staged.park()).collect();
            for commit in parked {
                commit.await?;
            }
        }
        Ok(())
    }
}

/// What a batch made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchAppended {
    /// The mailbox's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The new UIDs.
    pub uids: UidSet,
}

impl Account {
    fn delivery(&self, mailbox: &str, flags: Flags, date: Option<DateTime>) -> Delivery {
        let target = DeliveryTarget::Mailbox(mailbox.to_owned());
        Delivery { account: self.id, target, prefix: Vec::new(), flags, date, door: self.door }
    }

    /// Stores all messages of a batch, in their order, in one durable commit.
    ///
    /// # Errors
    /// `NotFound` where there is no such mailbox; `Invalid` keywords, `Limit`, `Temporary`. Nothing was stored then.
    pub async fn append_batch(&self, batch: Batch, mailbox: &str) -> Result<BatchAppended, Error> {
        self.may_change()?;
        let mut batch = batch;
        let (mut messages, mut weight) = (Vec::with_capacity(batch.messages.len()), 0);
        for (staged, flags, date) in &mut batch.messages {
            let parts = staged.parts();
            weight += parts.pending.len();
            messages.push((parts, self.delivery(mailbox, std::mem::take(flags), *date)));
        }
        let (account, door, rules) = (self.id, self.door, self.core.quota_rules());
        let job = self.core.store_arc().write_arrival(weight, move |tx| {
            // Look first: what cannot be stored is refused before anything is written.
            let mut target = None;
            for (_, delivery) in &messages {
                target = Some(find_target(tx, delivery)?);
            }
            let Some(mailbox) = target else { return Err(Refusal::Invalid("there is no message").into()) };
            let sum = messages.iter().fold(0_u64, |sum, (parts, _)| sum.saturating_add(parts.size));
            let size = (messages.len() as u64, sum);
            quota::admit(&tx.view(), &rules, account, Slack::of(&door), size)?;
            let mut made = BatchAppended { uid_validity: UidValidity(0), uids: UidSet::new() };
            for (parts, delivery) in &messages {
                let body = parts.put_body(tx)?;
                let one = put_message(tx, parts, body, mailbox, (delivery, false))?;
                made.uid_validity = one.uid_validity;
                made.uids.insert(one.uid.0);
            }
            Ok::<_, store::Error>(made)
        });
        // Dropping the batch gives back only what is still marked as staged.
        let made = job.await?;
        self.core.usage_changed(self.id);
        Ok(made)
    }

    /// Stores a message and removes another one, both in one durable commit (RFC 8508).
    ///
    /// # Errors
    /// `Expunged` where the other one is gone; otherwise as [`Account::append`]. Nothing was changed then.
    pub async fn replace(
        &self,
        staged: Staged,
        (mailbox, flags, date): (&str, Flags, Option<DateTime>),
        (source, uid): (MailboxId, Uid),
    ) -> Result<Appended, Error> {
        let mut staged = staged;
        let parts = staged.parts();
        let delivery = self.delivery(mailbox, flags, date);
        self.may_change()?;
        let (account, door, rules) = (self.id, self.door, self.core.quota_rules());
        let kept = self.core.retention_rules();
        let made = self.core.store_arc().write_heavy(parts.pending.len(), move |tx| {
            let mailbox = find_target(tx, &delivery)?;
            let Some(old) = tx.view().row(source, uid)? else { return Ok(None) };
            let more = parts.size.saturating_sub(old.size);
            if more > 0 {
                quota::admit(&tx.view(), &rules, account, Slack::of(&door), (0, more))?;
            }
            let body = parts.put_body(tx)?;
            let made = put_message(tx, &parts, body, mailbox, (&delivery, false))?;
            let mut edit = Edit::open(tx, source)?;
            let mut removal = Removal::new(tx, kept, account, &door, Cause::Replaced)?;
            removal.run(tx, &mut edit, uid, &old)?;
            edit.finish(tx)?;
            removal.finish(tx)?;
            Ok::<_, store::Error>(Some(made))
        });
        let made = made.await?.ok_or(Error::Expunged)?;
        self.core.store_arc().purge();
        Ok(made)
    }
}

/// The targets, without those whose account is full. What several of them bring to one account counts together.
fn within_quota(
    view: &View<'_>,
    rules: &QuotaRules,
    parts: &Parts,
    deliveries: &[Delivery],
    targets: Vec<Result<MailboxId, store::Error>>,
) -> Result<Vec<Result<MailboxId, store::Error>>, store::Error> {
    let mut added: Vec<(AccountId, u64, u64)> = Vec::new();
    let mut allowed = Vec::with_capacity(targets.len());
    for (delivery, target) in deliveries.iter().zip(targets) {
        if target.is_err() {
            allowed.push(target);
            continue;
        }
        let before = added.iter().filter(|(account, ..)| *account == delivery.account);
        let before = before.fold((0, 0), |sum, (_, messages, bytes)| (sum.0 + messages, sum.1 + bytes));
        let size = parts.size_behind(&delivery.prefix);
        let slack = Slack::of(&delivery.door);
        match quota::admit(view, rules, delivery.account, slack, (before.0 + 1, before.1 + size)) {
            Ok(()) => {
                added.push((delivery.account, 1, size));
                allowed.push(target);
            }
            Err(store::Error::Refused(refusal)) => allowed.push(Err(refusal.into())),
            Err(error) => return Err(error),
        }
    }
    Ok(allowed)
}

fn find_target(tx: &Tx<'_>, delivery: &Delivery) -> Result<MailboxId, store::Error> {
    if delivery.prefix.len() > PREFIX_MAX {
        return Err(Refusal::Limit("the delivery's header is too long").into());
    }
    check_flags(&delivery.flags)?;
    let view = tx.view();
    let find = |name: &str| {
        let entry = view.mailbox_entry(delivery.account, &name::canonical(name)?)?;
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
    (delivery, notice): (&Delivery, bool),
) -> Result<Appended, store::Error> {
    let (content, size) = parts.content(body, &delivery.prefix);
    let (id, instance, now) = (tx.new_content()?, tx.new_instance()?, tx.now()?);
    tx.put_content(id, &content)?;
    let origin = if notice { OriginId::NOTICE } else { tx.intern(&delivery.door)? };
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
        origin,
    };
    let uid = edit.insert(tx, &row)?;
    let uid_validity = edit.state.uid_validity;
    edit.finish(tx)?;
    Ok(Appended { mailbox, uid_validity, uid, instance })
}
