//! What was stored while the clock was ahead.
//!
//! A time that is stored is never before one that was stored earlier (`Tx::now`), for boards start with a clock that is
//! behind. Where the clock was ahead once, that would give its wrong time to all that comes, until the clock is past it.
//! Whoever knows that the clock is right now says so; then whatever has a later time gets that of now. INTERNALDATE stays
//! as mail programs know it, and so does what `why` tells.

use super::edit::Edit;
use super::{Core, Error};
use crate::store::hidden::HiddenAt;
use crate::store::txn::Tx;
use crate::store::{self, Leap};
use crate::types::{AccountId, InstanceId, MailboxId, Uid};

/// No clock is right that shows less: this program did not exist then (2026-01-01, in seconds since 1970).
pub const EARLIEST: i64 = 1_767_225_600;

/// Limit: entries that one job changes, so that others wait only shortly.
const STEP: usize = 256;
/// Limit: messages that one job looks at.
const LOOK_STEP: usize = 4096;
/// Limit: times that the clock is taken for right where a session was just storing a later moment that it had been told.
const ATTEMPTS: usize = 5;

/// What had a later time than now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redated {
    /// By so many seconds the latest moment was later.
    pub lag: i64,
    /// Messages in mailboxes.
    pub messages: u64,
    /// Expunged messages that can still be brought back.
    pub hidden: u64,
}

/// Messages from that UID on; how many were changed, and where the next call goes on.
fn redate_rows(tx: &mut Tx<'_>, mailbox: MailboxId, from: Uid) -> Result<(u64, Option<Uid>), store::Error> {
    if tx.view().mailbox_state(mailbox)?.is_none() {
        // It was deleted meanwhile.
        return Ok((0, None));
    }
    let now = tx.now()?;
    let (mut rows, mut looked_at) = (Vec::new(), 0);
    let mut next = None;
    tx.view().rows(mailbox, from.0, u32::MAX, |uid, row| {
        if rows.len() == STEP || looked_at == LOOK_STEP {
            next = Some(uid);
            return Ok(false);
        }
        looked_at += 1;
        if row.save_date > now {
            rows.push((uid, row));
        }
        Ok(true)
    })?;
    if rows.is_empty() {
        return Ok((0, next));
    }
    let mut edit = Edit::open(tx, mailbox)?;
    for (uid, row) in &mut rows {
        edit.set_save_date(tx, *uid, row, now)?;
    }
    edit.finish(tx)?;
    Ok((rows.len() as u64, next))
}

fn redate_hidden(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, store::Error> {
    let now = tx.now()?;
    let mut found = Vec::new();
    tx.view().hidden(account, HiddenAt::from(now.saturating_add(1)), |at, hidden| {
        found.push((at, hidden));
        Ok(found.len() < STEP)
    })?;
    for (at, hidden) in &found {
        // A deleted mailbox is remembered for as long as something was hidden no later than it was.
        let lost = tx.view().lost(hidden.mailbox)?;
        let time = lost.map_or(now, |lost| lost.time.min(now));
        tx.delete_hidden(account, *at)?;
        tx.put_hidden(account, time, hidden)?;
    }
    Ok(found.len())
}

/// Deleted mailboxes and devices.
fn redate_others(tx: &mut Tx<'_>, account: AccountId) -> Result<(), store::Error> {
    let now = tx.now()?;
    for (mailbox, mut lost) in tx.view().lost_of(account)? {
        if lost.time > now {
            lost.time = now;
            tx.put_lost(mailbox, &lost)?;
        }
    }
    for (id, mut device) in tx.view().devices(account)? {
        let before = device.clone();
        device.created = device.created.min(now);
        device.revoked = device.revoked.map(|time| time.min(now));
        if let Some(last) = &mut device.last {
            last.time = last.time.min(now);
        }
        if device != before {
            tx.put_device(account, id, &device)?;
        }
    }
    Ok(())
}

/// What POP3 fetched and deleted, from that message on; where the next call goes on.
fn redate_marks(tx: &mut Tx<'_>, account: AccountId, from: InstanceId) -> Result<Option<InstanceId>, store::Error> {
    let now = tx.now()?;
    let mut later = Vec::new();
    let next = tx.view().pop_states(account, from, LOOK_STEP, |instance, state| {
        if state.marks.iter().any(|mark| mark.time > now) {
            later.push((instance, state));
        }
    })?;
    for (instance, mut state) in later {
        for mark in &mut state.marks {
            mark.time = mark.time.min(now);
        }
        tx.put_pop_state(account, instance, &state)?;
    }
    Ok(next)
}

impl Core {
    /// Takes the clock for right, and gives the time of now to whatever has a later one. Interrupted, it is to be gone on
    /// with by [`Core::go_on_redating`].
    ///
    /// # Errors
    /// `Invalid` where the clock cannot be right, `Temporary`.
    pub async fn trust_clock(&self) -> Result<Redated, Error> {
        if self.now() < EARLIEST {
            return Err(Error::Invalid("the clock shows a time before 2026, when there was no mailnook; set it first"));
        }
        let mut redated = Redated { lag: self.clock_lag()?, ..Redated::default() };
        for _ in 0..ATTEMPTS {
            self.forget_uses_after(self.now());
            // First, so that nothing that is stored meanwhile has a later time.
            self.store.trust_clock().await?;
            let (messages, hidden) = self.redate().await?;
            redated.messages += messages;
            redated.hidden += hidden;
            if self.clock_lag()? == 0 {
                break;
            }
        }
        self.store.write(|tx| tx.set_redating(false)).await?;
        Ok(redated)
    }

    /// Ends what [`Core::trust_clock`] began; whether there was something to end.
    ///
    /// # Errors
    /// `Temporary`.
    pub async fn go_on_redating(&self) -> Result<bool, Error> {
        if !self.store.read(|view| Ok(view.globals()?.redating))? {
            return Ok(false);
        }
        self.redate().await?;
        self.store.write(|tx| tx.set_redating(false)).await?;
        Ok(true)
    }

    /// How many messages in mailboxes and how many expunged ones got the time of now.
    async fn redate(&self) -> Result<(u64, u64), Error> {
        let (mut messages, mut expunged) = (0, 0);
        for info in self.accounts()? {
            let account = info.id;
            // Deleted mailboxes before hidden messages, whose time depends on theirs.
            self.store.write(move |tx| redate_others(tx, account)).await?;
            for (_, entry) in self.store.read(|view| view.mailbox_entries(account, ""))? {
                let Some(mailbox) = entry.mailbox else { continue };
                let mut from = Some(Uid(1));
                while let Some(uid) = from {
                    let (changed, next) = self.store.write(move |tx| redate_rows(tx, mailbox, uid)).await?;
                    messages += changed;
                    from = next;
                }
            }
            loop {
                let changed = self.store.write(move |tx| redate_hidden(tx, account)).await?;
                expunged += changed as u64;
                if changed < STEP {
                    break;
                }
            }
            let mut from = Some(InstanceId(0));
            while let Some(instance) = from {
                from = self.store.write(move |tx| redate_marks(tx, account, instance)).await?;
            }
            self.usage_changed(account);
        }
        Ok((messages, expunged))
    }

    /// The leap of the clock that is noted.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn leap(&self) -> Result<Option<Leap>, Error> {
        Ok(self.store.read(|view| Ok(view.globals()?.leap))?)
    }

    /// Notes a leap of the clock, or that there is none any more.
    ///
    /// # Errors
    /// `Temporary`.
    pub async fn note_leap(&self, leap: Option<Leap>) -> Result<(), Error> {
        Ok(self.store.write(move |tx| tx.put_leap(leap)).await?)
    }
}
