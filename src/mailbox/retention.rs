//! What goes by itself, and what can be brought back.
//!
//! Old mail in \Trash, in \Junk and in mailboxes that have a rule of their own expires by its save date. What is expunged, by whomever, is hidden first: its content is
//! kept for some days, or until the disk is short. Invariant: a clock that is behind the last stored moment removes
//! nothing, for boards start without one.

use super::edit::{Edit, NewRow};
use super::why::Note;
use super::{Core, Error, expiry, list};
use crate::store::hidden::{Hidden, HiddenAt, Lost};
use crate::store::journal::Action;
use crate::store::removed::{Removed, Removing};
use crate::store::schema::{AccountState, MessageRow, OriginId};
use crate::store::txn::Tx;
use crate::store::view::View;
use crate::store::{self, Cause, LetGo, Refusal};
use crate::types::{AccountId, Door, DoorKind, MailboxId, SpecialUse, SystemFlags, Uid};
use std::collections::BTreeMap;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Limit: messages that one job expires, brings back or removes for good, so that others wait only shortly.
const STEP: usize = 256;
/// Limit: messages of one job that are removed at once and that are noted one by one: as many as are remembered.
const GONE_MAX: usize = 30_000;
/// Limit: deleted mailboxes of an account that are remembered.
const LOST_MAX: usize = 1000;
/// Limit: hidden messages that are given up at once where the disk is short.
const STEP_SHORT: usize = 256;
/// Octets of hidden messages that are given up at once then; a minute later there may be more.
const SHORT_OCTETS: u64 = 32 << 20;

/// How long mail is kept where an account's settings do not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// Days after which mail in \Trash goes; 0: never.
    pub trash_days: u32,
    /// Days after which mail in \Junk goes; 0: never.
    pub junk_days: u32,
    /// Days for which expunged mail can be brought back; 0: not at all.
    pub undelete_days: u32,
}

impl RetentionRules {
    pub(super) fn of(self, view: &View<'_>, account: AccountId) -> Result<Self, store::Error> {
        let settings = view.settings(account)?;
        Ok(Self {
            trash_days: settings.trash_days.unwrap_or(self.trash_days),
            junk_days: settings.junk_days.unwrap_or(self.junk_days),
            undelete_days: settings.undelete_days.unwrap_or(self.undelete_days),
        })
    }

    /// Days after which mail goes from a mailbox that has no rule of its own; 0: never.
    pub(super) const fn days(self, special_use: Option<SpecialUse>) -> u32 {
        match special_use {
            Some(SpecialUse::Trash) => self.trash_days,
            Some(SpecialUse::Junk) => self.junk_days,
            _ => 0,
        }
    }
}

/// How one job takes messages out: hidden for a while, or for good.
pub(super) struct Removal {
    by: OriginId,
    cause: Cause,
    now: i64,
    keep: bool,
    account: AccountId,
    note: Option<Note>,
    /// Messages that go at once and for good.
    gone: Vec<Removed>,
}

impl Removal {
    pub(super) fn new(
        tx: &mut Tx<'_>,
        rules: RetentionRules,
        account: AccountId,
        door: &Door,
        cause: Cause,
    ) -> Result<Self, store::Error> {
        let keep = rules.of(&tx.view(), account)?.undelete_days > 0;
        Ok(Self { by: tx.intern(door)?, cause, now: tx.now()?, keep, account, note: None, gone: Vec::new() })
    }

    /// Takes a message out of its mailbox.
    pub(super) fn run(
        &mut self,
        tx: &mut Tx<'_>,
        edit: &mut Edit,
        uid: Uid,
        row: &MessageRow,
    ) -> Result<(), store::Error> {
        edit.remove(tx, uid, row)?;
        // Whoever gets it back gets it as new.
        tx.forget_pop_state(edit.state.account, row.instance)?;
        let note = self.note.get_or_insert_with(|| Note::new(self.by, edit.id, Action::TakenOut(self.cause)));
        note.add(uid, row.instance);
        if !self.keep {
            if self.gone.len() < GONE_MAX {
                let removing = Removing { time: self.now, by: self.by, why: LetGo::NotKept };
                self.gone.push(Removed::of(&tx.view(), removing, (edit.id, uid), row)?);
            }
            return tx.release_content(row.content);
        }
        let keywords = edit.keyword_names(row.keywords);
        let hidden = Hidden { mailbox: edit.id, uid, row: *row, by: self.by, cause: self.cause, keywords };
        tx.put_hidden(edit.state.account, self.now, &hidden)?;
        edit.count_hidden(row.size, 1);
        Ok(())
    }
}

impl Removal {
    /// Writes the journal, once all messages are out.
    pub(super) fn finish(self, tx: &mut Tx<'_>) -> Result<(), store::Error> {
        if let Some(note) = self.note {
            note.write(tx, self.account)?;
        }
        tx.put_removed(self.account, &self.gone)
    }
}

/// Remembers a mailbox that is being deleted, so that its messages can be brought back.
pub(super) fn remember(
    tx: &mut Tx<'_>,
    rules: RetentionRules,
    account: AccountId,
    door: &Door,
    (mailbox, name, special_use): (MailboxId, &str, Option<SpecialUse>),
) -> Result<(), store::Error> {
    let keep = rules.of(&tx.view(), account)?.undelete_days > 0;
    let messages = tx.view().mailbox_state(mailbox)?.map_or(0, |state| state.messages);
    let hidden = tx.view().account_state(account)?.map_or(0, |state| state.hidden);
    if hidden == 0 && messages == 0 {
        return Ok(());
    }
    let mut known = tx.view().lost_of(account)?;
    if known.len() >= LOST_MAX {
        // What was in the oldest one comes back to INBOX. One that is still being emptied stays, for what is left in it
        // would go for good.
        known.sort_by_key(|(_, lost)| lost.time);
        for (mailbox, _) in known {
            if tx.view().mailbox_state(mailbox)?.is_none() {
                tx.delete_lost(mailbox)?;
                break;
            }
        }
    }
    let days = tx.view().settings(account)?.mailbox_days.get(&mailbox).copied();
    let (time, by, name) = (tx.now()?, tx.intern(door)?, name.to_owned());
    let lost = Lost { account, time, by, name, kept: keep, special_use, days };
    tx.put_lost(mailbox, &lost)
}

/// Whether the clock is behind what is stored.
pub(super) fn clock_is_behind(view: &View<'_>, now: i64) -> Result<bool, store::Error> {
    Ok(now < view.globals()?.last_time)
}

/// What a sweep did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Messages that expired, by account and mailbox, with their octets.
    pub expired: BTreeMap<(String, String), (u64, u64)>,
    /// Hidden messages that are gone for good, by account, with their octets.
    pub removed: BTreeMap<String, (u64, u64)>,
    /// The clock is behind the last stored moment: nothing was done.
    pub clock_is_behind: bool,
}

fn add<K: Ord>(sums: &mut BTreeMap<K, (u64, u64)>, key: K, size: u64) {
    let sum = sums.entry(key).or_default();
    sum.0 += 1;
    sum.1 = sum.1.saturating_add(size);
}

/// Messages of a mailbox that were saved before that moment, at most so many. Save dates ascend with the UIDs.
fn old_rows(
    view: &View<'_>,
    mailbox: MailboxId,
    before: i64,
    max: usize,
) -> Result<Vec<(Uid, MessageRow)>, store::Error> {
    let mut rows = Vec::new();
    view.rows(mailbox, 1, u32::MAX, |uid, row| {
        if row.save_date >= before {
            return Ok(false);
        }
        rows.push((uid, row));
        Ok(rows.len() < max)
    })?;
    Ok(rows)
}

/// The mailboxes of an account in which mail expires, each with the moment before which it does.
fn expiring(
    view: &View<'_>,
    rules: RetentionRules,
    account: AccountId,
    now: i64,
) -> Result<Vec<(String, MailboxId, i64)>, store::Error> {
    let rules = rules.of(view, account)?;
    let mut found = Vec::new();
    let own = view.settings(account)?.mailbox_days;
    for (name, entry) in view.mailbox_entries(account, "")? {
        let Some(mailbox) = entry.mailbox else { continue };
        let days = own.get(&mailbox).copied().unwrap_or_else(|| rules.days(entry.special_use));
        if days > 0 {
            found.push((name, mailbox, now.saturating_sub(i64::from(days) * DAY)));
        }
    }
    Ok(found)
}

/// Messages by mailbox, each with its size.
type Sizes = Vec<(String, u64)>;

/// Expires one step of an account's mail; what went by mailbox, and whether there may be more.
fn expire(tx: &mut Tx<'_>, rules: RetentionRules, account: AccountId, now: i64) -> Result<(Sizes, bool), store::Error> {
    let mut gone = Vec::new();
    if tx.view().user(account)?.is_none() || clock_is_behind(&tx.view(), now)? {
        return Ok((gone, false));
    }
    for (name, mailbox, before) in expiring(&tx.view(), rules, account, now)? {
        let rows = old_rows(&tx.view(), mailbox, before, STEP)?;
        if rows.is_empty() {
            continue;
        }
        let mut removal = Removal::new(tx, rules, account, &Door::of(DoorKind::Policy), Cause::Expired)?;
        let mut edit = Edit::open(tx, mailbox)?;
        for (uid, row) in &rows {
            removal.run(tx, &mut edit, *uid, row)?;
            gone.push((name.clone(), row.size));
        }
        edit.finish(tx)?;
        removal.finish(tx)?;
        return Ok((gone, true));
    }
    Ok((gone, false))
}

/// Hidden messages of an account that were hidden before that moment, at most so many.
fn old_hidden(
    view: &View<'_>,
    account: AccountId,
    before: i64,
    max: usize,
) -> Result<Vec<(HiddenAt, Hidden)>, store::Error> {
    let mut found = Vec::new();
    view.hidden(account, HiddenAt::from(0), |at, hidden| {
        if at.time >= before || found.len() >= max {
            return Ok(false);
        }
        found.push((at, hidden));
        Ok(true)
    })?;
    Ok(found)
}

/// Removes hidden messages for good, and forgets deleted mailboxes to which none belongs any more.
fn give_up(
    tx: &mut Tx<'_>,
    account: AccountId,
    messages: &[(HiddenAt, Hidden)],
    why: LetGo,
) -> Result<(), store::Error> {
    let Some(mut state) = tx.view().account_state(account)? else { return Ok(()) };
    let removing = Removing { time: tx.now()?, by: tx.intern(&Door::of(DoorKind::Policy))?, why };
    let mut gone = Vec::with_capacity(messages.len());
    for (at, hidden) in messages {
        let row = &hidden.row;
        gone.push(Removed::of(&tx.view(), removing, (hidden.mailbox, hidden.uid), row)?);
        tx.delete_hidden(account, *at)?;
        tx.release_content(row.content)?;
        state.hidden = state.hidden.saturating_sub(1);
        state.hidden_bytes = state.hidden_bytes.saturating_sub(row.size);
    }
    tx.put_removed(account, &gone)?;
    tx.put_account_state(account, &state)?;
    forget_lost(tx, account)
}

/// Forgets deleted mailboxes to which no hidden message belongs any more.
fn forget_lost(tx: &mut Tx<'_>, account: AccountId) -> Result<(), store::Error> {
    let mut oldest = None;
    tx.view().hidden(account, HiddenAt::from(0), |at, _| {
        oldest = Some(at.time);
        Ok(false)
    })?;
    for (mailbox, lost) in tx.view().lost_of(account)? {
        // Its last message was hidden when it was deleted, unless that is still going on.
        let emptied = tx.view().mailbox_state(mailbox)?.is_none();
        if emptied && oldest.is_none_or(|oldest| oldest > lost.time) {
            tx.delete_lost(mailbox)?;
        }
    }
    Ok(())
}

impl Core {
    /// Removes what is old, in bounded steps: expired mail is hidden, hidden mail goes for good. With `dry_run` it only
    /// tells what it would do, and does not go on to what would expire by that.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn sweep(&self, dry_run: bool) -> Result<Swept, Error> {
        let (rules, now) = (self.retention_rules(), self.now());
        let mut swept = Swept::default();
        self.settle().await?;
        if self.store.read(|view| clock_is_behind(view, now))? {
            swept.clock_is_behind = true;
            return Ok(swept);
        }
        for info in self.accounts()? {
            let account = info.id;
            if dry_run {
                self.look(&info.name, account, &mut swept)?;
                continue;
            }
            loop {
                let (gone, more) = self.store.write(move |tx| expire(tx, rules, account, now)).await?;
                for (mailbox, size) in gone {
                    add(&mut swept.expired, (info.name.clone(), mailbox), size);
                }
                if !more {
                    break;
                }
            }
            loop {
                let removed = self.store.write(move |tx| {
                    if clock_is_behind(&tx.view(), now)? {
                        return Ok(Vec::new());
                    }
                    let days = rules.of(&tx.view(), account)?.undelete_days;
                    let before = now.saturating_sub(i64::from(days) * DAY);
                    let old = old_hidden(&tx.view(), account, before, STEP)?;
                    if !old.is_empty() {
                        let why = if days == 0 { LetGo::NotKept } else { LetGo::DaysOver(days) };
                        give_up(tx, account, &old, why)?;
                    }
                    Ok::<_, store::Error>(old)
                });
                let removed = removed.await?;
                for (_, hidden) in &removed {
                    add(&mut swept.removed, info.name.clone(), hidden.row.size);
                }
                if removed.len() < STEP {
                    break;
                }
            }
            if !self.store.read(|view| view.lost_of(account))?.is_empty() {
                self.store.write(move |tx| forget_lost(tx, account)).await?;
            }
            self.usage_changed(account);
        }
        self.store.purge();
        Ok(swept)
    }

    fn look(&self, name: &str, account: AccountId, swept: &mut Swept) -> Result<(), Error> {
        let (rules, now) = (self.retention_rules(), self.now());
        Ok(self.store.read(|view| {
            for (mailbox, id, before) in expiring(view, rules, account, now)? {
                for (_, row) in old_rows(view, id, before, usize::MAX)? {
                    add(&mut swept.expired, (name.to_owned(), mailbox.clone()), row.size);
                }
            }
            let days = rules.of(view, account)?.undelete_days;
            for (_, hidden) in old_hidden(view, account, now.saturating_sub(i64::from(days) * DAY), usize::MAX)? {
                add(&mut swept.removed, name.to_owned(), hidden.row.size);
            }
            Ok(())
        })?)
    }

    /// Gives up some hidden messages, the oldest of all accounts first, where there is no room for new mail; how many.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn make_room(&self) -> Result<usize, Error> {
        if self.check_room().is_ok() {
            self.store.keep_reserve();
            return Ok(0);
        }
        let gone = self.store.write(|tx| {
            let mut all = Vec::new();
            for (account, _) in tx.view().users()? {
                let old = old_hidden(&tx.view(), account, i64::MAX, STEP_SHORT)?;
                all.extend(old.into_iter().map(|(at, hidden)| (at, account, hidden)));
            }
            all.sort_by_key(|(at, ..)| *at);
            let mut octets = 0_u64;
            all.retain(|(_, _, hidden)| {
                let wanted = octets < SHORT_OCTETS;
                octets = octets.saturating_add(hidden.row.size);
                wanted
            });
            all.truncate(STEP_SHORT);
            let number = all.len();
            for (at, account, hidden) in all {
                give_up(tx, account, &[(at, hidden)], LetGo::DiskShort)?;
            }
            Ok::<_, store::Error>(number)
        });
        let gone = gone.await?;
        self.store.purge();
        Ok(gone)
    }
}

/// What to bring back.
#[derive(Clone, Debug)]
pub struct Undelete {
    /// What was expunged at that moment or later, in seconds since 1970.
    pub since: i64,
    /// Only from this mailbox.
    pub mailbox: Option<String>,
    /// Only tell.
    pub dry_run: bool,
}

/// What was brought back, or would be, by mailbox, with its octets.
pub type Undeleted = BTreeMap<String, (u64, u64)>;

/// Where a hidden message belongs: the name its mailbox has, or had.
fn home(
    view: &View<'_>,
    account: AccountId,
    names: &BTreeMap<MailboxId, String>,
    mailbox: MailboxId,
) -> Result<String, store::Error> {
    if let Some(name) = names.get(&mailbox) {
        return Ok(name.clone());
    }
    let lost = view.lost(mailbox)?.filter(|lost| lost.account == account);
    Ok(lost.map_or_else(|| list::INBOX.to_owned(), |lost| lost.name))
}

fn names(view: &View<'_>, account: AccountId) -> Result<BTreeMap<MailboxId, String>, store::Error> {
    let entries = view.mailbox_entries(account, "")?;
    Ok(entries.into_iter().filter_map(|(name, entry)| Some((entry.mailbox?, name))).collect())
}

/// Brings back one step from that place on; by mailbox what came, and where to go on.
fn undelete(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: HiddenAt,
    request: &Undelete,
) -> Result<(Sizes, Option<HiddenAt>), store::Error> {
    let known = names(&tx.view(), account)?;
    let mut found: BTreeMap<String, Vec<(HiddenAt, Hidden)>> = BTreeMap::new();
    let (mut next, mut looked) = (None, 0);
    let mut places = Vec::new();
    tx.view().hidden(account, from, |at, hidden| {
        if looked >= STEP {
            return Ok(false);
        }
        looked += 1;
        next = Some(at.after());
        places.push((at, hidden));
        Ok(true)
    })?;
    for (at, hidden) in places {
        let name = home(&tx.view(), account, &known, hidden.mailbox)?;
        if request.mailbox.as_ref().is_none_or(|wanted| *wanted == name) {
            found.entry(name).or_default().push((at, hidden));
        }
    }
    let mut came = Vec::new();
    for (name, messages) in found {
        came.extend(messages.iter().map(|(_, hidden)| (name.clone(), hidden.row.size)));
        if !request.dry_run {
            bring_back(tx, account, &name, &messages)?;
        }
    }
    Ok((came, next.filter(|_| looked >= STEP)))
}

/// Makes the mailbox from which these messages were deleted, for what it was and with its rule.
fn make_again(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    messages: &[(HiddenAt, Hidden)],
) -> Result<MailboxId, store::Error> {
    let mut lost: Option<Lost> = None;
    for (_, hidden) in messages {
        let other = tx.view().lost(hidden.mailbox)?;
        // The one that was deleted last.
        lost = [lost, other].into_iter().flatten().max_by_key(|lost| lost.time);
    }
    let (wanted, days) = lost.map_or((None, None), |lost| (lost.special_use, lost.days));
    let taken = tx.view().mailbox_entries(account, "")?.iter().any(|(_, entry)| entry.special_use == wanted);
    let mailbox = list::create(tx, account, name, wanted.filter(|_| !taken))?;
    if let Some(days) = days {
        expiry::set_own(tx, account, mailbox, days)?;
    }
    Ok(mailbox)
}

fn bring_back(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    messages: &[(HiddenAt, Hidden)],
) -> Result<(), store::Error> {
    let entry = tx.view().mailbox_entry(account, name)?.and_then(|entry| entry.mailbox);
    let mailbox = match entry {
        Some(mailbox) => mailbox,
        None => make_again(tx, account, name, messages)?,
    };
    let now = tx.now()?;
    let mut note = Note::new(tx.intern(&Door::of(DoorKind::Cli))?, mailbox, Action::BroughtBack);
    let mut edit = Edit::open(tx, mailbox)?;
    for (at, hidden) in messages {
        // The message is worth more than a keyword that its mailbox has no room for.
        let keywords = if edit.has_room_for(&hidden.keywords) {
            edit.keyword_bits(tx, &hidden.keywords)?
        } else {
            edit.known_bits(&hidden.keywords)
        };
        let new = NewRow {
            content: hidden.row.content,
            instance: hidden.row.instance,
            // With \Deleted the next EXPUNGE would take it away again.
            system: hidden.row.flags.without(SystemFlags::DELETED),
            keywords,
            internal_date: hidden.row.internal_date,
            save_date: now,
            size: hidden.row.size,
            origin: hidden.row.origin,
        };
        let uid = edit.insert(tx, &new)?;
        note.add(uid, hidden.row.instance);
        edit.count_hidden(hidden.row.size, -1);
        tx.delete_hidden(account, *at)?;
    }
    edit.finish(tx)?;
    note.write(tx, account)
}

impl Core {
    /// Brings expunged messages back to the mailboxes they were in, with their flags but for \Deleted, under new UIDs;
    /// a mailbox that was deleted is made again. The quota does not hold them back.
    ///
    /// # Errors
    /// `NotFound`, `Limit`, `Temporary`; what came back before the failure stays.
    pub async fn undelete(&self, account: AccountId, request: &Undelete) -> Result<Undeleted, Error> {
        self.settle_deleted().await?;
        let mut back = Undeleted::new();
        let mut request = request.clone();
        if let Some(mailbox) = &request.mailbox {
            request.mailbox = Some(super::name::canonical(mailbox).map_err(store::Error::from)?);
        }
        let mut from = HiddenAt::from(request.since);
        loop {
            let (job, at) = (request.clone(), from);
            let (came, next) = self
                .store
                .write(move |tx| {
                    if tx.view().user(account)?.is_none() {
                        return Err(Refusal::NotFound.into());
                    }
                    undelete(tx, account, at, &job)
                })
                .await?;
            for (mailbox, size) in came {
                add(&mut back, mailbox, size);
            }
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        self.usage_changed(account);
        Ok(back)
    }

    /// How many messages of the account can be brought back, and their octets.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn hidden(&self, account: AccountId) -> Result<(u64, u64), Error> {
        let state: AccountState = self.store.read(|view| view.account_state(account))?.ok_or(Error::NotFound)?;
        Ok((state.hidden, state.hidden_bytes))
    }
}
