//! Mailbox names, subscriptions, counters.

use super::edit::{Edit, NewRow};
use super::name::canonical;
use super::retention::{self, RetentionRules};
use super::why::Note;
use super::{Account, Error, Mailbox, annotation, expiry};
use crate::store::journal::Action;
use crate::store::schema::{AccountState, MailboxEntry, MailboxState, OriginId, kind};
use crate::store::txn::Tx;
use crate::store::view::View;
use crate::store::{self, Refusal};
use crate::types::{AccountId, DELIMITER, Door, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};
use std::collections::BTreeMap;

/// The name of the mailbox that mail comes to.
pub(super) const INBOX: &str = "INBOX";
/// Limit: mailboxes and subscriptions of one account.
pub(super) const NAMES_MAX: usize = 10_000;

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

impl ListEntry {
    /// A name that is no more.
    #[must_use]
    pub const fn gone(name: String) -> Self {
        Self { name, mailbox: None, exists: false, subscribed: false, has_children: false, special_use: None }
    }
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

impl Status {
    pub(super) const fn new(mailbox: MailboxId, state: &MailboxState) -> Self {
        Self {
            mailbox,
            uid_validity: state.uid_validity,
            uid_next: Uid(state.uid_next),
            highest_modseq: state.highest_modseq,
            messages: state.messages,
            unseen: state.unseen,
            recent: state.recent,
            deleted: state.deleted,
            bytes: state.bytes,
            deleted_bytes: state.deleted_bytes,
        }
    }
}

/// The names above `name`, the highest first.
fn superiors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).map(|(at, _)| &name[..at])
}

/// Makes a mailbox in the transaction. The caller has looked whether the name is free.
pub(super) fn put_new(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
    subscribed: bool,
) -> Result<MailboxId, store::Error> {
    let (id, validity) = (tx.new_mailbox()?, UidValidity(tx.new_uid_validity()?));
    tx.put_mailbox_state(id, &MailboxState::new(account, validity))?;
    tx.put_mailbox_entry(account, name, MailboxEntry { mailbox: Some(id), subscribed, special_use })?;
    let mut state = tx.view().account_state(account)?.unwrap_or_else(AccountState::default);
    state.mailboxes += 1;
    tx.put_account_state(account, &state)?;
    Ok(id)
}

/// Whether the account has room for `more` names.
fn check_room(view: &View<'_>, account: AccountId, more: usize) -> Result<(), store::Error> {
    if view.mailbox_entries(account, "")?.len() + more > NAMES_MAX {
        return Err(Refusal::Limit("the account has as many mailboxes as it can").into());
    }
    Ok(())
}

/// Makes the missing names above `name`.
fn put_superiors(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<(), store::Error> {
    for superior in superiors(name) {
        let entry = tx.view().mailbox_entry(account, superior)?;
        if entry.and_then(|entry| entry.mailbox).is_none() {
            put_new(tx, account, superior, None, entry.is_some_and(|entry| entry.subscribed))?;
        }
    }
    Ok(())
}

pub(super) fn create(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
) -> Result<MailboxId, store::Error> {
    let entry = tx.view().mailbox_entry(account, name)?;
    if entry.is_some_and(|entry| entry.mailbox.is_some()) {
        return Err(Refusal::Exists.into());
    }
    check_room(&tx.view(), account, superiors(name).count() + 1)?;
    put_superiors(tx, account, name)?;
    if special_use.is_some() {
        // One mailbox for each use: the new one takes it over (RFC 6154 §3).
        for (name, entry) in tx.view().mailbox_entries(account, "")? {
            if entry.special_use == special_use {
                tx.put_mailbox_entry(account, &name, MailboxEntry { special_use: None, ..entry })?;
            }
        }
    }
    put_new(tx, account, name, special_use, entry.is_some_and(|entry| entry.subscribed))
}

/// Makes a mailbox that the server itself needs, where there is none of that name. It is subscribed, so that every client shows it.
pub(super) fn provide(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<(), store::Error> {
    if tx.view().mailbox_entry(account, name)?.is_some_and(|entry| entry.mailbox.is_some()) {
        return Ok(());
    }
    create(tx, account, name, None)?;
    subscribe(tx, account, name, true)
}

/// Takes a mailbox out of its account; its messages are removed later, piece by piece.
pub(super) fn doom(tx: &mut Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<(), store::Error> {
    let gone = tx.view().mailbox_state(mailbox)?.ok_or(Refusal::NotFound)?;
    tx.add_garbage(kind::MAILBOX, u64::from(mailbox.0))?;
    let mut state = tx.view().account_state(account)?.ok_or(Refusal::NotFound)?;
    state.mailboxes = state.mailboxes.saturating_sub(1);
    state.messages = state.messages.saturating_sub(u64::from(gone.messages));
    state.bytes = state.bytes.saturating_sub(gone.bytes);
    let (notices, notice_bytes) = notices(&tx.view(), mailbox, state.notices)?;
    state.notices = state.notices.saturating_sub(notices);
    state.notice_bytes = state.notice_bytes.saturating_sub(notice_bytes);
    tx.put_account_state(account, &state)?;
    tx.delete_annotations(account, Some(mailbox))?;
    tx.touch(account, mailbox);
    Ok(())
}

/// The notices of ours in a mailbox and their octets, where the account has so many.
fn notices(view: &View<'_>, mailbox: MailboxId, all: u64) -> Result<(u64, u64), store::Error> {
    let (mut count, mut bytes) = (0, 0_u64);
    if all > 0 {
        view.rows(mailbox, 1, u32::MAX, |_, row| {
            if row.origin == OriginId::NOTICE {
                count += 1;
                bytes = bytes.saturating_add(row.size);
            }
            Ok(count < all)
        })?;
    }
    Ok((count, bytes))
}

fn delete(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
    (door, rules): (&Door, RetentionRules),
) -> Result<(), store::Error> {
    let entry = tx.view().mailbox_entry(account, name)?;
    let Some((mailbox, entry)) = entry.and_then(|entry| Some((entry.mailbox?, entry))) else {
        let below = tx.view().mailbox_entries(account, &format!("{name}{DELIMITER}"))?;
        let refusal = if below.is_empty() { Refusal::NotFound } else { Refusal::HasChildren };
        return Err(refusal.into());
    };
    if name == INBOX {
        return Err(Refusal::Denied.into());
    }
    retention::remember(tx, rules, account, door, (mailbox, name, entry.special_use))?;
    doom(tx, account, mailbox)?;
    expiry::forget(tx, account, mailbox)?;
    if entry.subscribed {
        // RFC 9051 §6.3.7: a subscription outlives its mailbox.
        tx.put_mailbox_entry(account, name, MailboxEntry { mailbox: None, subscribed: true, special_use: None })
    } else {
        tx.delete_mailbox_entry(account, name)
    }
}

fn rename(tx: &mut Tx<'_>, account: AccountId, (from, to): (&str, &str), door: &Door) -> Result<(), store::Error> {
    let below = format!("{from}{DELIMITER}");
    if to.starts_with(&below) {
        return Err(Refusal::Invalid("a mailbox cannot be moved below itself").into());
    }
    let view = tx.view();
    let target = view.mailbox_entry(account, to)?;
    if target.is_some_and(|entry| entry.mailbox.is_some()) {
        return Err(Refusal::Exists.into());
    }
    let own = view.mailbox_entry(account, from)?.filter(|entry| entry.mailbox.is_some());
    if from == INBOX {
        return rename_inbox(tx, account, to, door);
    }
    let mut moves: Vec<_> = own.map(|entry| (from.to_owned(), entry)).into_iter().collect();
    moves.extend(view.mailbox_entries(account, &below)?.into_iter().filter(|(_, entry)| entry.mailbox.is_some()));
    if moves.is_empty() {
        return Err(Refusal::NotFound.into());
    }
    for (name, _) in &moves {
        let new = format!("{to}{}", &name[from.len()..]);
        canonical(&new)?;
        if view.mailbox_entry(account, &new)?.is_some_and(|entry| entry.mailbox.is_some()) {
            return Err(Refusal::Exists.into());
        }
    }
    check_room(&tx.view(), account, superiors(to).count() + moves.len())?;
    put_superiors(tx, account, to)?;
    for (name, entry) in moves {
        let new = format!("{to}{}", &name[from.len()..]);
        let subscribed = tx.view().mailbox_entry(account, &new)?.is_some_and(|entry| entry.subscribed);
        // The subscription goes with the mailbox: clients that show only subscribed mailboxes must not lose it.
        tx.put_mailbox_entry(account, &new, MailboxEntry { subscribed: entry.subscribed || subscribed, ..entry })?;
        tx.delete_mailbox_entry(account, &name)?;
    }
    Ok(())
}

/// RFC 9051 §6.3.6: renaming INBOX moves its messages; INBOX stays, empty.
fn rename_inbox(tx: &mut Tx<'_>, account: AccountId, to: &str, door: &Door) -> Result<(), store::Error> {
    let inbox = tx.view().mailbox_entry(account, INBOX)?.and_then(|entry| entry.mailbox).ok_or(Refusal::NotFound)?;
    let target = create(tx, account, to, None)?;
    let mut note = Note::new(tx.intern(door)?, inbox, Action::Moved(target));
    let mut source = Edit::open(tx, inbox)?;
    let mut destination = Edit::open(tx, target)?;
    // RFC 8514 §3: they come into a mailbox in which they were not.
    let now = tx.now()?;
    let mut rows = Vec::new();
    tx.view().rows(inbox, 1, u32::MAX, |uid, row| {
        rows.push((uid, row));
        Ok(true)
    })?;
    for (uid, row) in rows {
        let names = source.keyword_names(row.keywords);
        let keywords = destination.keyword_bits(tx, &names)?;
        let new = NewRow {
            content: row.content,
            instance: row.instance,
            system: row.flags,
            keywords,
            internal_date: row.internal_date,
            save_date: now,
            size: row.size,
            origin: row.origin,
        };
        source.remove(tx, uid, &row)?;
        note.add(uid, row.instance);
        destination.insert(tx, &new)?;
    }
    source.finish(tx)?;
    destination.finish(tx)?;
    note.write(tx, account)?;
    annotation::copy(tx, account, inbox, target)
}

fn subscribe(tx: &mut Tx<'_>, account: AccountId, name: &str, on: bool) -> Result<(), store::Error> {
    let entry = tx.view().mailbox_entry(account, name)?;
    match entry {
        Some(entry) if entry.mailbox.is_some() || on => {
            tx.put_mailbox_entry(account, name, MailboxEntry { subscribed: on, ..entry })
        }
        Some(_) => tx.delete_mailbox_entry(account, name),
        None if on => {
            check_room(&tx.view(), account, 1)?;
            tx.put_mailbox_entry(account, name, MailboxEntry { mailbox: None, subscribed: true, special_use: None })
        }
        None => Ok(()),
    }
}

/// The names with the levels above them that have no mailbox, and what lies below each.
#[must_use]
pub fn with_levels(entries: Vec<ListEntry>) -> Vec<ListEntry> {
    let mut names: BTreeMap<String, ListEntry> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for entry in entries {
        if entry.mailbox.is_some() {
            above.extend(superiors(&entry.name).map(str::to_owned));
        }
        names.insert(entry.name.clone(), entry);
    }
    for name in above {
        let level = names.entry(name.clone()).or_insert_with(|| ListEntry {
            name,
            mailbox: None,
            exists: true,
            subscribed: false,
            has_children: true,
            special_use: None,
        });
        level.exists = true;
        level.has_children = true;
    }
    names.into_values().collect()
}

impl Account {
    /// All mailboxes and subscriptions, by name; INBOX is spelled `INBOX`.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn list(&self) -> Result<Vec<ListEntry>, Error> {
        Ok(with_levels(self.names()?))
    }

    /// The names that have a mailbox or are subscribed, by name, without what lies below them.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn names(&self) -> Result<Vec<ListEntry>, Error> {
        let entries = self.core.store.read(|view| view.mailbox_entries(self.id, ""))?;
        let listed = entries.into_iter().map(|(name, entry)| ListEntry {
            name,
            mailbox: entry.mailbox,
            exists: entry.mailbox.is_some(),
            subscribed: entry.subscribed,
            has_children: false,
            special_use: entry.special_use,
        });
        Ok(listed.collect())
    }

    /// The counters of those of these mailboxes that are there, all from one moment.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn statuses(&self, mailboxes: &[MailboxId]) -> Result<Vec<Status>, Error> {
        let found = self.core.store.read(|view| {
            let mut found = Vec::with_capacity(mailboxes.len());
            for id in mailboxes {
                if let Some(state) = view.mailbox_state(*id)?.filter(|state| state.account == self.id) {
                    found.push(Status::new(*id, &state));
                }
            }
            Ok(found)
        });
        Ok(found?)
    }

    /// One name as [`Account::list`] shows it.
    ///
    /// # Errors
    /// `NotFound` where there is neither a mailbox nor a subscription nor a name below, `Temporary`.
    pub fn entry(&self, name: &str) -> Result<ListEntry, Error> {
        let name = canonical(name).map_err(store::Error::from)?;
        let (entry, has_children) = self.core.store.read(|view| {
            let below = view.mailbox_entries(self.id, &format!("{name}{DELIMITER}"))?;
            Ok((view.mailbox_entry(self.id, &name)?, below.iter().any(|(_, entry)| entry.mailbox.is_some())))
        })?;
        if entry.is_none() && !has_children {
            return Err(Error::NotFound);
        }
        Ok(ListEntry {
            name,
            mailbox: entry.and_then(|entry| entry.mailbox),
            exists: has_children || entry.is_some_and(|entry| entry.mailbox.is_some()),
            subscribed: entry.is_some_and(|entry| entry.subscribed),
            has_children,
            special_use: entry.and_then(|entry| entry.special_use),
        })
    }

    /// Makes a mailbox and its missing superiors (RFC 9051 §6.3.4). A special use goes from the mailbox that has it to
    /// the new one. Names are UTF-8 with `/`; one trailing `/` is ignored.
    ///
    /// # Errors
    /// `Exists`, `Invalid` names, `Limit`, `Temporary`.
    pub async fn create(&self, name: &str, special_use: Option<SpecialUse>) -> Result<MailboxId, Error> {
        self.may_change()?;
        let (account, name) = (self.id, canonical(name).map_err(store::Error::from)?);
        Ok(self.core.store.write(move |tx| create(tx, account, &name, special_use)).await?)
    }

    /// Removes a mailbox and its messages. A name with names below it stays as a level that cannot be selected.
    ///
    /// # Errors
    /// `NotFound`; `Denied` for INBOX; `HasChildren` for a mere level above others; `Temporary`.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.may_change()?;
        let (account, name) = (self.id, canonical(name).map_err(store::Error::from)?);
        let (door, rules) = (self.door, self.core.retention_rules());
        self.core.store.write(move |tx| delete(tx, account, &name, (&door, rules))).await?;
        self.core.store.purge();
        self.core.usage_changed(account);
        Ok(())
    }

    /// Renames a mailbox with its inferiors; INBOX: moves its messages to a new mailbox (RFC 9051 §6.3.6).
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `Invalid`, `Limit`, `Temporary`.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.may_change()?;
        let from = canonical(from).map_err(store::Error::from)?;
        let door = self.door;
        let (account, to) = (self.id, canonical(to).map_err(store::Error::from)?);
        Ok(self.core.store.write(move |tx| rename(tx, account, (&from, &to), &door)).await?)
    }

    /// Subscribes or unsubscribes a name, whether or not a mailbox has it (RFC 9051 §6.3.7).
    ///
    /// # Errors
    /// `Invalid` names, `Limit`, `Temporary`.
    pub async fn subscribe(&self, name: &str, on: bool) -> Result<(), Error> {
        self.may_change()?;
        let (account, name) = (self.id, canonical(name).map_err(store::Error::from)?);
        Ok(self.core.store.write(move |tx| subscribe(tx, account, &name, on)).await?)
    }

    /// The mailbox of that name (INBOX in any case).
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn open(&self, name: &str) -> Result<Mailbox, Error> {
        let (id, state) = self.find(name)?;
        Ok(Mailbox::new(self.clone(), id, state.uid_validity))
    }

    /// The counters of that mailbox.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        self.find(name).map(|(id, state)| Status::new(id, &state))
    }

    /// What the mailbox of that name is for.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn special_use(&self, name: &str) -> Result<Option<SpecialUse>, Error> {
        let Ok(name) = canonical(name) else { return Err(Error::NotFound) };
        let entry = self.core.store.read(|view| view.mailbox_entry(self.id, &name))?;
        Ok(entry.filter(|entry| entry.mailbox.is_some()).ok_or(Error::NotFound)?.special_use)
    }

    fn find(&self, name: &str) -> Result<(MailboxId, MailboxState), Error> {
        let Ok(name) = canonical(name) else { return Err(Error::NotFound) };
        Ok(self.core.store.read(|view| {
            let id = view.mailbox_entry(self.id, &name)?.and_then(|entry| entry.mailbox).ok_or(Refusal::NotFound)?;
            Ok((id, view.mailbox_state(id)?.ok_or(Refusal::NotFound)?))
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn names_are_canonical() {
        for (given, stored) in [
            ("inbox", "INBOX"),
            ("Inbox/Sub", "INBOX/Sub"),
            ("inboxes", "inboxes"),
            ("a/b/", "a/b"),
            ("Entwürfe", "Entwürfe"),
            ("a/inbox", "a/inbox"),
        ] {
            assert_eq!(canonical(given).as_deref(), Ok(stored), "{given}");
        }
        for refused in ["", "/", "a//b", "/a", "a*", "%", "a\u{7}b", &"x".repeat(481), &"a/".repeat(40)] {
            assert!(canonical(refused).is_err(), "{refused:?}");
        }
    }
}
