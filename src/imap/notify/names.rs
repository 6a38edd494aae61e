//! Mailbox names and subscriptions as a client knows them, and what changed in them (RFC 5465 §5.4, §5.5). Pure.
//!
//! There is no log of what happened: two states are compared. A mailbox keeps its identifier when it is renamed, so
//! that a rename is told as one.

use crate::mailbox::{ListEntry, Status, with_levels};
use crate::types::{DELIMITER, MailboxId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Made by this session, which does not know its identifier yet.
const UNKNOWN: MailboxId = MailboxId(0);

/// A name that has a mailbox or is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As the store lists it.
    pub entry: ListEntry,
    /// The counters that the client was told of; None: those of an empty mailbox.
    pub told: Option<Told>,
}

/// Counters of a mailbox that a client was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// UIDNEXT
    pub uid_next: u32,
    /// MESSAGES
    pub messages: u32,
    /// UNSEEN, where it was told.
    pub unseen: Option<u32>,
    /// HIGHESTMODSEQ
    pub modseq: u64,
}

impl Told {
    /// Of a mailbox that was just made.
    pub const EMPTY: Self = Self { uid_next: 1, messages: 0, unseen: Some(0), modseq: 1 };
}

impl From<&Status> for Told {
    fn from(status: &Status) -> Self {
        Self {
            uid_next: status.uid_next.0,
            messages: status.messages,
            unseen: Some(status.unseen),
            modseq: status.highest_modseq.0,
        }
    }
}

/// What a session did itself: its client knows the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// CREATE
    Create(String),
    /// DELETE
    Delete(String),
    /// RENAME
    Rename(String, String),
    /// SUBSCRIBE and UNSUBSCRIBE
    Subscribe(String, bool),
}

/// A change of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The name.
    pub name: String,
    /// What it is now; None: neither a mailbox nor subscribed.
    pub now: Option<ListEntry>,
    /// It is or was subscribed.
    pub subscribed: bool,
    /// It was made, deleted, renamed, or has other attributes.
    pub renamed_or_made: bool,
    /// The subscription of the name changed.
    pub subscription: bool,
    /// The subscription of the mailbox changed, under whichever name it had.
    pub resubscribed: bool,
    /// Its name before.
    pub old_name: Option<String>,
}

/// All names of an account, as a client knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    known: BTreeMap<String, Known>,
}

impl Names {
    /// The names in a list of the store.
    #[must_use]
    pub fn new(entries: Vec<ListEntry>) -> Self {
        let mut names = Self::default();
        for entry in entries {
            names.put(entry);
        }
        names
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// All that have a mailbox or are subscribed, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Known> {
        self.known.values_mut()
    }

    /// The name of a mailbox.
    #[must_use]
    pub fn of(&self, id: MailboxId) -> Option<&ListEntry> {
        self.known.values().map(|known| &known.entry).find(|entry| entry.mailbox == Some(id))
    }

    fn put(&mut self, entry: ListEntry) {
        if entry.mailbox.is_some() || entry.subscribed {
            let told = self.known.remove(&entry.name).and_then(|known| known.told);
            self.known.insert(entry.name.clone(), Known { entry, told });
        }
    }

    fn entry(name: &str, mailbox: Option<MailboxId>, subscribed: bool) -> ListEntry {
        ListEntry {
            name: name.to_owned(),
            mailbox,
            exists: mailbox.is_some(),
            subscribed,
            has_children: false,
            special_use: None,
        }
    }

    /// Makes the names above one, and with `itself` that too.
    fn make(&mut self, name: &str, itself: bool) {
        let above = name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at));
        for name in above.chain(Some(name).filter(|_| itself)) {
            match self.known.get_mut(name) {
                Some(known) if known.entry.mailbox.is_some() => {}
                Some(known) => (known.entry.mailbox, known.entry.exists) = (Some(UNKNOWN), true),
                None => self.put(Self::entry(name, Some(UNKNOWN), false)),
            }
        }
    }

    /// Takes in what the session did itself.
    pub fn apply(&mut self, own: &Own) {
        match own {
            Own::Create(name) => self.make(name, true),
            Own::Delete(name) => {
                if let Some(known) = self.known.remove(name).filter(|known| known.entry.subscribed) {
                    self.put(Self::entry(&known.entry.name, None, true));
                }
            }
            Own::Rename(from, to) if from == "INBOX" => self.make(to, true),
            Own::Rename(from, to) => {
                self.make(to, false);
                let is_below = |name: &str| {
                    name.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with(DELIMITER))
                };
                let moved = self.known.values().filter(|known| known.entry.mailbox.is_some());
                let moved: Vec<String> =
                    moved.map(|known| known.entry.name.clone()).filter(|name| is_below(name)).collect();
                for name in moved {
                    let Some(mut known) = self.known.remove(&name) else { continue };
                    let new = format!("{to}{}", name.get(from.len()..).unwrap_or_default());
                    let target = self.known.get(&new).is_some_and(|known| known.entry.subscribed);
                    known.entry.name.clone_from(&new);
                    known.entry.subscribed |= target;
                    self.known.insert(new, known);
                }
            }
            Own::Subscribe(name, on) => match self.known.get_mut(name) {
                Some(known) if known.entry.mailbox.is_some() || *on => known.entry.subscribed = *on,
                Some(_) => drop(self.known.remove(name)),
                None if *on => self.put(Self::entry(name, None, true)),
                None => {}
            },
        }
    }

    /// Takes in a list of the store; what is not as it was known. Counters that were told stay with their mailbox.
    pub fn update(&mut self, entries: Vec<ListEntry>) -> Vec<Change> {
        let mut now = Self::new(entries);
        // What the session made itself is what it finds there.
        for (name, known) in &mut self.known {
            if let (Some(UNKNOWN), Some(found)) = (known.entry.mailbox, now.known.get(name))
                && found.entry.mailbox.is_some()
            {
                (known.entry.mailbox, known.entry.special_use) = (found.entry.mailbox, found.entry.special_use);
            }
        }
        let changes = compare(&self.levels(), &now.levels());
        let mut told: HashMap<MailboxId, Told> =
            self.known.values().filter_map(|known| known.entry.mailbox.zip(known.told)).collect();
        for known in now.known.values_mut() {
            known.told = known.entry.mailbox.and_then(|id| told.remove(&id));
        }
        *self = now;
        changes
    }

    /// With the levels that are no mailboxes and what lies below each.
    fn levels(&self) -> BTreeMap<String, ListEntry> {
        let entries = self.known.values().map(|known| ListEntry { has_children: false, ..known.entry.clone() });
        with_levels(entries.collect()).into_iter().map(|entry| (entry.name.clone(), entry)).collect()
    }
}

type Levels = BTreeMap<String, ListEntry>;

fn parent(name: &str) -> Option<&str> {
    name.rsplit_once(DELIMITER).map(|(above, _)| above)
}

/// The changes that lead from one state to another: renames first, with those of their children behind them.
fn compare(old: &Levels, new: &Levels) -> Vec<Change> {
    let by_id = |levels: &Levels| -> HashMap<MailboxId, String> {
        levels.values().filter_map(|entry| Some((entry.mailbox?, entry.name.clone()))).collect()
    };
    let (old_ids, new_ids) = (by_id(old), by_id(new));
    let before = |entry: &ListEntry| {
        let old_name = old_ids.get(&entry.mailbox?)?;
        (*old_name != entry.name).then_some(old_name)
    };
    let mut changes = Vec::new();
    for entry in new.values() {
        if let Some(old_name) = before(entry) {
            let mut one = change(&entry.name, Some(entry), old.get(&entry.name), true);
            one.resubscribed = old.get(old_name).is_some_and(|was| was.subscribed != entry.subscribed);
            one.old_name = Some(old_name.clone());
            changes.push(one);
        }
    }
    let mut affected: BTreeSet<&str> = BTreeSet::new();
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    for name in &names {
        let (was, is) = (old.get(*name), new.get(*name));
        let (was_id, is_id) = (was.and_then(|entry| entry.mailbox), is.and_then(|entry| entry.mailbox));
        let made = is_id.is_some_and(|id| !old_ids.contains_key(&id));
        let deleted = was_id.is_some_and(|id| !new_ids.contains_key(&id));
        if made || deleted {
            affected.insert(name);
            affected.extend(parent(name));
        }
    }
    for name in names
        .into_iter()
        .chain(affected.iter().copied().filter(|name| !old.contains_key(*name) && !new.contains_key(*name)))
    {
        let (was, is) = (old.get(name), new.get(name));
        if is.and_then(before).is_some() {
            continue;
        }
        let moved_away =
            was.and_then(|entry| entry.mailbox).is_some_and(|id| new_ids.get(&id).is_some_and(|new| new != name));
        let attributes = |entry: Option<&ListEntry>| {
            entry
                .filter(|entry| entry.exists)
                .map(|entry| (entry.mailbox.is_some(), entry.has_children, entry.special_use))
        };
        let differs = attributes(was) != attributes(is) && !(moved_away && attributes(is).is_none());
        let named = affected.contains(name) || differs;
        let one = change(name, is, was, named);
        if one.renamed_or_made || one.subscription {
            changes.push(one);
        }
    }
    changes
}

fn change(name: &str, is: Option<&ListEntry>, was: Option<&ListEntry>, renamed_or_made: bool) -> Change {
    let subscribed = |entry: Option<&ListEntry>| entry.is_some_and(|entry| entry.subscribed);
    Change {
        name: name.to_owned(),
        now: is.cloned(),
        subscribed: subscribed(is) || subscribed(was),
        renamed_or_made,
        subscription: subscribed(is) != subscribed(was),
        resubscribed: subscribed(is) != subscribed(was),
        old_name: None,
    }
}
