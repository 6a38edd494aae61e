//! How POP3 shares INBOX with IMAP: what each device has fetched and deleted, and what becomes of it by the rules.
//!
//! Invariant: no rule removes a message that a POP3 device has not fetched yet, nor one that none has.
//! A rule moves to \Trash, where everybody finds the message; without such a mailbox to [`ARCHIVE`], and never to nowhere.

use super::copy::{Transfer, transfer};
use super::quota::QuotaRules;
use super::retention::{RetentionRules, clock_is_behind};
use super::why::Note;
use super::{Core, Error, Mailbox, expunge, flags, list};
use crate::store::device::{PopMark, PopState};
use crate::store::journal::Action;
use crate::store::schema::MessageRow;
use crate::store::txn::Tx;
use crate::store::view::View;
use crate::store::{self, MainPassword};
use crate::types::{
    AccountId, DeviceId, Door, DoorKind, FlagOperation, Flags, InstanceId, MailboxId, PopDelete, PopPolicy, SpecialUse,
    SystemFlags, Uid, UidSet,
};
use std::collections::{BTreeMap, BTreeSet};

/// Limit: messages looked at in one read.
const READ_MAX: usize = 1000;
/// Limit: messages that a rule moves in one transaction.
const MOVE_MAX: usize = 500;
/// A session that fetched so many messages and more writes that at once: it spreads the cost of the commit over them.
const AT_ONCE: usize = 16;
const DAY: i64 = 86_400;
/// Where what POP3 takes from INBOX goes where there is no \Trash; made when it is needed.
const ARCHIVE: &str = "POP archive";

/// Why a rule takes a message from INBOX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopRule {
    /// A device deleted it by POP3 so many days ago.
    Hidden(u32),
    /// Every POP3 device has had it for so many days.
    Released(u32),
}

/// A message that a rule takes from INBOX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PopDue {
    /// Where INBOX has it.
    pub uid: Uid,
    /// The message.
    pub instance: InstanceId,
    /// Which rule.
    pub rule: PopRule,
    /// Its size in octets.
    pub size: u64,
}

/// What a session did. The messages are those of INBOX as it was when the session began, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PopSession {
    /// What [`Mailbox::pop_hidden`] gave before INBOX was looked at: nothing that was moved since is older.
    pub since: i64,
    /// Fetched as a whole.
    pub fetched: Vec<(Uid, InstanceId)>,
    /// Deleted.
    pub deleted: Vec<(Uid, InstanceId)>,
}

/// Where a message of the session is now.
struct Held {
    mailbox: MailboxId,
    uid: Uid,
    instance: InstanceId,
}

/// What a session did, as the writer's job gets it.
struct Update {
    account: AccountId,
    inbox: MailboxId,
    door: Door,
    read_only: bool,
    policy: PopPolicy,
    kept: RetentionRules,
    quota: QuotaRules,
    session: PopSession,
    /// When the session ended; None: just now.
    time: Option<i64>,
}

/// The devices that fetch by POP3: each of them gets every message before a rule removes it.
fn pop_devices(view: &View<'_>, account: AccountId) -> Result<Vec<DeviceId>, store::Error> {
    let main_is_off = view.settings(account)?.main_password == Some(MainPassword::Off);
    let mut devices = view.devices(account)?;
    devices.retain(|(id, device)| device.is_pop3() && (id.is_device() || !main_is_off));
    Ok(devices.into_iter().map(|(id, _)| id).collect())
}

/// The rule that takes a message now.
fn due(row: &MessageRow, state: &PopState, devices: &[DeviceId], policy: &PopPolicy, now: i64) -> Option<PopRule> {
    let marks: Vec<&PopMark> = devices.iter().map(|device| state.mark(*device)).collect::<Option<_>>()?;
    let last = |marks: &mut dyn Iterator<Item = &&PopMark>| marks.map(|mark| mark.time).max();
    // A message that somebody put back begins anew.
    let over = |since: Option<i64>, days: u32| {
        days > 0 && since.is_some_and(|since| now - since.max(row.save_date) >= i64::from(days) * DAY)
    };
    if over(last(&mut marks.iter().filter(|mark| mark.deleted)), policy.hide_days) {
        return Some(PopRule::Hidden(policy.hide_days));
    }
    over(last(&mut marks.iter()), policy.release_days).then_some(PopRule::Released(policy.release_days))
}

fn trash_of(view: &View<'_>, account: AccountId) -> Result<Option<String>, store::Error> {
    let entries = view.mailbox_entries(account, "")?;
    let trash = |entry: &store::schema::MailboxEntry| entry.special_use == Some(SpecialUse::Trash);
    Ok(entries.into_iter().find(|(_, entry)| entry.mailbox.is_some() && trash(entry)).map(|(name, _)| name))
}

/// Moves messages to \Trash, else to [`ARCHIVE`]; false: that cannot be made, or cannot take their keywords.
fn discard(
    tx: &mut Tx<'_>,
    account: AccountId,
    inbox: MailboxId,
    uids: &UidSet,
    (door, quota): (Door, QuotaRules),
) -> Result<bool, store::Error> {
    let destination = match trash_of(&tx.view(), account)? {
        Some(trash) => trash,
        None => match list::provide(tx, account, ARCHIVE) {
            Err(store::Error::Refused(_)) => return Ok(false),
            other => other.map(|()| ARCHIVE.to_owned())?,
        },
    };
    let job = Transfer { account, source: inbox, uids: uids.clone(), destination, move_them: true, door, quota };
    match transfer(tx, &job) {
        Err(store::Error::Refused(refusal)) => {
            let destination = &job.destination;
            log::warn!(
                "pop3: account {}: messages stay in INBOX, {destination} cannot take them: {refusal:?}",
                account.0
            );
            Ok(false)
        }
        other => other.map(|_| true),
    }
}

/// Where these messages are now: in INBOX, or where somebody moved them while the session went on.
fn places(view: &View<'_>, job: &Update, messages: &[(Uid, InstanceId)]) -> Result<Vec<Held>, store::Error> {
    let (mut held, mut sought) = (Vec::with_capacity(messages.len()), BTreeSet::new());
    for &(uid, instance) in messages {
        match view.row(job.inbox, uid)? {
            Some(row) => held.push(Held { mailbox: job.inbox, uid, instance: row.instance }),
            None => drop(sought.insert(instance)),
        }
    }
    if sought.is_empty() {
        return Ok(held);
    }
    // The session began by a clock that was ahead and is not trusted any more.
    let since = if job.session.since > view.globals()?.last_time { i64::MIN } else { job.session.since };
    for mailbox in view.mailbox_entries(job.account, "")?.into_iter().filter_map(|(_, entry)| entry.mailbox) {
        // What is moved comes behind what is there already.
        view.rows_back(mailbox, |uid, row| {
            if row.save_date < since {
                return Ok(false);
            }
            if sought.remove(&row.instance) {
                held.push(Held { mailbox, uid, instance: row.instance });
            }
            Ok(!sought.is_empty())
        })?;
    }
    held.sort_by_key(|held| (held.mailbox, held.uid));
    Ok(held)
}

/// Those of these messages that the device has not marked so.
fn unmarked(
    view: &View<'_>,
    job: &Update,
    held: Vec<Held>,
    deleted: bool,
) -> Result<Vec<(Held, PopState)>, store::Error> {
    let mut unmarked = Vec::new();
    // A device that was revoked while its session went on has no marks any more.
    let device = DeviceId(job.door.device);
    let known = view.devices(job.account)?.into_iter().find(|(id, _)| *id == device);
    if known.map_or(device.is_device(), |(_, known)| known.revoked.is_some()) {
        return Ok(unmarked);
    }
    for held in held {
        let state = view.pop_state(job.account, held.instance)?;
        if state.mark(device).is_none_or(|mark| deleted && !mark.deleted) {
            unmarked.push((held, state));
        }
    }
    Ok(unmarked)
}

/// Marks these messages.
fn mark(tx: &mut Tx<'_>, job: &Update, held: Vec<Held>, deleted: bool) -> Result<(), store::Error> {
    let unmarked = unmarked(&tx.view(), job, held, deleted)?;
    // A session that fetches again what it had writes nothing at all.
    if unmarked.is_empty() {
        return Ok(());
    }
    let time = job.time.map_or_else(|| tx.now(), Ok)?;
    let new = PopMark { device: DeviceId(job.door.device), time, deleted };
    let action = if deleted { Action::PopHidden } else { Action::Fetched };
    let by = tx.intern(&job.door)?;
    let mut notes: BTreeMap<MailboxId, Note> = BTreeMap::new();
    for (Held { mailbox, uid, instance }, mut state) in unmarked {
        if state.set(new) {
            tx.put_pop_state(job.account, instance, &state)?;
            notes.entry(mailbox).or_insert_with(|| Note::new(by, mailbox, action.clone())).add(uid, instance);
        }
    }
    notes.into_values().try_for_each(|note| note.write_at(tx, job.account, time))
}

fn update(tx: &mut Tx<'_>, job: &Update) -> Result<(), store::Error> {
    check_place(&tx.view(), job)?;
    if let Some(time) = job.time {
        tx.reach(time)?;
    }
    let fetched = places(&tx.view(), job, &job.session.fetched)?;
    let mut read: BTreeMap<MailboxId, UidSet> = BTreeMap::new();
    if job.policy.retr_seen && !job.read_only {
        for held in &fetched {
            read.entry(held.mailbox).or_default().insert(held.uid.0);
        }
    }
    mark(tx, job, fetched, false)?;
    for (mailbox, uids) in read {
        let seen = Flags { system: SystemFlags::SEEN, ..Flags::default() };
        let request =
            flags::Request { uids, operation: FlagOperation::Add, flags: seen, unchanged_since: None, door: job.door };
        flags::store_flags(tx, mailbox, &request)?;
    }
    if job.read_only || job.session.deleted.is_empty() {
        return Ok(());
    }
    let mut deleted = places(&tx.view(), job, &job.session.deleted)?;
    let here = |held: &&Held| held.mailbox == job.inbox;
    let uids: UidSet = deleted.iter().filter(here).map(|held| held.uid.0).collect();
    let is_done = match job.policy.delete {
        PopDelete::Expunge => {
            expunge::expunge(tx, (job.inbox, &uids, false), (&job.door, job.kept))?;
            true
        }
        PopDelete::Trash => discard(tx, job.account, job.inbox, &uids, (job.door, job.quota))?,
        PopDelete::Hide => false,
    };
    if is_done {
        // Where somebody else has moved the others they stay; this device does not get them again.
        deleted.retain(|held| !here(&held));
    }
    mark(tx, job, deleted, true)
}

/// Whether the account and its INBOX are there still.
fn check_place(view: &View<'_>, job: &Update) -> Result<(), store::Error> {
    view.user(job.account)?.ok_or(store::Refusal::NotFound)?;
    super::sync::state_of(view, job.inbox).map(drop)
}

impl Core {
    /// Notes what a session fetched that changes nothing else. It need not be durable at once: lost, it makes a message
    /// stay longer. Everything that reads it settles first.
    async fn note_fetched(&self, mut job: Update) -> Result<(), Error> {
        let entries = self.store.read(|view| {
            check_place(view, &job)?;
            let held = places(view, &job, &job.session.fetched)?;
            Ok(unmarked(view, &job, held, false)?.len())
        })?;
        if entries == 0 {
            return Ok(());
        }
        let time = self.store.stamp()?;
        job.time = Some(time);
        match self.store.write_later((entries, time), move |tx| update(tx, &job)) {
            Some(commit) => Ok(commit.await?),
            None => Ok(()),
        }
    }
}

impl Mailbox {
    /// The messages that the account's POP3 device has deleted, wherever they are now, ascending; and the moment that
    /// [`PopSession::since`] wants.
    ///
    /// # Errors
    /// `Temporary`.
    pub async fn pop_hidden(&self) -> Result<(Vec<InstanceId>, i64), Error> {
        let since = self.read(|view| Ok(view.globals()?.last_time))?;
        // What is deleted is durable at once: nothing can be missing here.
        let mut hidden = Vec::new();
        self.each_mark(|instance, mark| {
            if mark.deleted {
                hidden.push(instance);
            }
        })
        .await?;
        Ok((hidden, since))
    }

    /// The messages that the account's POP3 device has fetched or deleted, wherever they are now, ascending: when, and
    /// whether it deleted them.
    ///
    /// # Errors
    /// `Temporary`.
    pub async fn pop_marks(&self) -> Result<Vec<(InstanceId, i64, bool)>, Error> {
        self.account.core.settle().await?;
        let mut marks = Vec::new();
        self.each_mark(|instance, mark| marks.push((instance, mark.time, mark.deleted))).await?;
        Ok(marks)
    }

    async fn each_mark(&self, mut each: impl FnMut(InstanceId, &PopMark)) -> Result<(), Error> {
        let device = DeviceId(self.account.door.device);
        let mut from = Some(InstanceId(0));
        while let Some(first) = from {
            from = self.read(|view| {
                view.pop_states(self.account.id, first, READ_MAX, |instance, state| {
                    if let Some(mark) = state.mark(device) {
                        each(instance, mark);
                    }
                })
            })?;
            smol::future::yield_now().await;
        }
        Ok(())
    }

    /// The end of a POP3 session: notes what it fetched, and does to what it deleted what the account's policy says,
    /// all in one durable commit. Where it did no more than to fetch a few messages, the note waits for company.
    /// Messages that are gone are left out silently; what somebody moved elsewhere meanwhile stays there, and the device
    /// does not get it again.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`. Nothing was changed then.
    pub async fn pop_update(&self, session: PopSession) -> Result<(), Error> {
        if !session.deleted.is_empty() {
            self.account.may_change()?;
        }
        let core = &self.account.core;
        let job = Update {
            account: self.account.id,
            inbox: self.id,
            door: self.account.door,
            read_only: self.account.is_read_only(),
            policy: core.pop_policy(self.account.id)?,
            kept: core.retention_rules(),
            quota: core.quota_rules(),
            session,
            time: None,
        };
        let only_fetched = job.session.deleted.is_empty() && (job.read_only || !job.policy.retr_seen);
        if only_fetched && job.session.fetched.len() < AT_ONCE {
            return core.note_fetched(job).await;
        }
        core.store.write(move |tx| update(tx, &job)).await?;
        core.store.purge();
        core.usage_changed(self.account.id);
        Ok(())
    }
}

impl Core {
    /// The rules of an account: its own, and for the rest those of the configuration.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn pop_policy(&self, account: AccountId) -> Result<PopPolicy, Error> {
        Ok(self.settings(account)?.pop_policy(&self.options.pop3))
    }

    /// The smallest number of days after which a rule may remove a message from INBOX, for any account (None: never),
    /// and whether accounts differ.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn pop_expire_days(&self) -> Result<(Option<u32>, bool), Error> {
        let configured = &self.options.pop3;
        let mut all = vec![configured.release_days];
        self.store.read(|view| {
            for (account, _) in view.users()? {
                let policy = view.settings(account)?.pop_policy(configured);
                all.push(expire_days(view, account, &policy)?);
            }
            Ok::<_, store::Error>(())
        })?;
        let shortest = all.iter().copied().filter(|days| *days > 0).min();
        Ok((shortest, all.iter().any(|days| *days != configured.release_days)))
    }

    /// The same for one account.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn pop_expire_days_of(&self, account: AccountId) -> Result<Option<u32>, Error> {
        let policy = self.pop_policy(account)?;
        let days = self.store.read(|view| expire_days(view, account, &policy))?;
        Ok(Some(days).filter(|days| *days > 0))
    }

    /// The messages in INBOX that the rules take now.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub async fn pop_due(&self, account: AccountId) -> Result<Vec<PopDue>, Error> {
        let (policy, now) = (self.pop_policy(account)?, self.now());
        let mut found = Vec::new();
        if policy.hide_days == 0 && policy.release_days == 0 {
            return Ok(found);
        }
        self.settle().await?;
        let mut from = Some(Uid(1));
        while let Some(first) = from {
            from = self.store.read(|view| {
                if clock_is_behind(view, now)? {
                    return Ok(None);
                }
                let (devices, inbox) = (pop_devices(view, account)?, inbox_of(view, account)?);
                let Some(inbox) = inbox.filter(|_| !devices.is_empty()) else { return Ok(None) };
                let (mut count, mut next) = (0, None);
                view.rows(inbox, first.0, u32::MAX, |uid, row| {
                    if count == READ_MAX {
                        next = Some(uid);
                        return Ok(false);
                    }
                    count += 1;
                    let state = view.pop_state(account, row.instance)?;
                    if let Some(rule) = due(&row, &state, &devices, &policy, now) {
                        found.push(PopDue { uid, instance: row.instance, rule, size: row.size });
                    }
                    Ok(true)
                })?;
                Ok::<_, store::Error>(next)
            })?;
            smol::future::yield_now().await;
        }
        Ok(found)
    }

    /// The mailbox to which what POP3 takes from INBOX goes: \Trash, or `POP archive` where there is none.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn pop_archive(&self, account: AccountId) -> Result<String, Error> {
        let trash = self.store.read(|view| trash_of(view, account))?;
        Ok(trash.unwrap_or_else(|| ARCHIVE.to_owned()))
    }

    /// Moves what [`Core::pop_due`] finds to [`Core::pop_archive`]; what went.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`; what was moved until then stays moved.
    pub async fn apply_pop_rules(&self, account: AccountId) -> Result<Vec<PopDue>, Error> {
        let found = self.pop_due(account).await?;
        let policy = self.pop_policy(account)?;
        let rules = (self.now(), self.quota_rules());
        let mut moved = Vec::new();
        for piece in found.chunks(MOVE_MAX) {
            let uids: UidSet = piece.iter().map(|due| due.uid.0).collect();
            let job = self.store.write(move |tx| take(tx, account, (&policy, rules), &uids));
            let taken = job.await?;
            moved.extend(piece.iter().filter(|due| taken.contains(due.uid.0)).copied());
        }
        if !moved.is_empty() {
            self.store.purge();
            self.usage_changed(account);
            let number = moved.len();
            log::info!("pop3: account {}: {number} messages that all devices have are moved from INBOX", account.0);
        }
        Ok(moved)
    }
}

impl Core {
    /// Does what the rules of all accounts say is due now.
    ///
    /// # Errors
    /// `Temporary`; the other accounts had their turn all the same.
    pub async fn upkeep(&self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for account in self.accounts()? {
            match self.apply_pop_rules(account.id).await {
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }
}

/// After how many days the first of the rules for INBOX may take a message; 0: none does.
fn expire_days(view: &View<'_>, account: AccountId, policy: &PopPolicy) -> Result<u32, store::Error> {
    let own = view.settings(account)?.mailbox_days;
    let inbox = inbox_of(view, account)?.and_then(|inbox| own.get(&inbox).copied());
    let rules = [policy.release_days, inbox.unwrap_or(0)];
    Ok(rules.into_iter().filter(|days| *days > 0).min().unwrap_or(0))
}

fn inbox_of(view: &View<'_>, account: AccountId) -> Result<Option<MailboxId>, store::Error> {
    Ok(view.mailbox_entry(account, list::INBOX)?.and_then(|entry| entry.mailbox))
}

/// Takes those of these messages from INBOX that are due still; which went.
fn take(
    tx: &mut Tx<'_>,
    account: AccountId,
    (policy, (now, quota)): (&PopPolicy, (i64, QuotaRules)),
    uids: &UidSet,
) -> Result<UidSet, store::Error> {
    if clock_is_behind(&tx.view(), now)? {
        return Ok(UidSet::new());
    }
    let mut taken = UidSet::new();
    let view = tx.view();
    let devices = pop_devices(&view, account)?;
    let Some(inbox) = inbox_of(&view, account)?.filter(|_| !devices.is_empty()) else { return Ok(taken) };
    for uid in uids.iter() {
        if let Some(row) = view.row(inbox, Uid(uid))?
            && due(&row, &view.pop_state(account, row.instance)?, &devices, policy, now).is_some()
        {
            taken.insert(uid);
        }
    }
    if taken.is_empty() || discard(tx, account, inbox, &taken, (Door::of(DoorKind::Policy), quota))? {
        return Ok(taken);
    }
    Ok(UidSet::new())
}
