//! Mailbox names and subscriptions as a client knows them, and what changed in them (RFC 5465 §5.4, §5.5). Pure.
//!
//! There is no log of what happened: two states are compared. A mailbox keeps its identifier when it is renamed, so
//! that a rename is told as one.

use crate::mailbox::{ListEntry, Status, with_levels};
use crate::types::{DELIMITER, MailboxId, SpecialUse};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Limit: renames between two looks that are told as such; more are told as deleted and made.
const RENAMES_MAX: usize = 64;

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

/// A change of one name, to be told in the order in which changes come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The name.
    pub name: String,
    /// What it is now; None: neither a mailbox nor subscribed.
    pub now: Option<ListEntry>,
    /// It is or was subscribed.
    pub subscribed: bool,
    /// It was made, deleted, renamed, or has other attributes.
    pub named: bool,
    /// The subscription of the name changed.
    pub subscription: bool,
    /// Where its mailbox was renamed.
    pub rename: Option<Rename>,
}

/// A rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The name before.
    pub old_name: String,
    /// What has that name now.
    pub old_now: Option<ListEntry>,
    /// The renames of what lies below, which this one covers (RFC 5465 §5.4).
    pub below: Vec<Change>,
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
        for name in above.chain(itself.then_some(name)) {
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

    /// What each mailbox is for.
    #[must_use]
    pub fn uses(&self) -> HashMap<MailboxId, Option<SpecialUse>> {
        let entries = self.known.values().map(|known| &known.entry);
        entries.filter_map(|entry| Some((entry.mailbox?, entry.special_use))).collect()
    }

    /// The mailboxes that were there and were for something else.
    pub fn with_other_use(&self, before: &HashMap<MailboxId, Option<SpecialUse>>) -> impl Iterator<Item = &ListEntry> {
        let entries = self.known.values().map(|known| &known.entry);
        entries.filter(|entry| {
            let was = entry.mailbox.and_then(|id| before.get(&id));
            was.is_some_and(|was| *was != entry.special_use)
        })
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
        let changes = compare(self, &now);
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

fn parent(name: &str) -> Option<&str> {
    name.rsplit_once(DELIMITER).map(|(above, _)| above)
}

/// What is behind `root` in the name of a mailbox that it is or that lies below it.
fn below<'a>(name: &'a str, root: &str) -> Option<&'a str> {
    name.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with(DELIMITER))
}

/// The changes that lead a client from one state to another: what went first, then renames in an order in which each
/// new name is free, then all else.
fn compare(old: &Names, new: &Names) -> Vec<Change> {
    let now = new.levels();
    let places: HashMap<MailboxId, &str> =
        now.values().filter_map(|entry| Some((entry.mailbox?, entry.name.as_str()))).collect();
    let mut walk = Walk { belief: old.clone(), now: &now, affected: BTreeSet::new(), changes: Vec::new() };
    let known: Vec<(String, MailboxId)> = walk.mailboxes();
    for (name, _) in known.iter().filter(|(_, id)| !places.contains_key(id)) {
        walk.forget(name);
    }
    for _ in 0..RENAMES_MAX {
        let Some((name, to)) = walk.next_rename(&places) else { break };
        walk.rename(&name, &to);
    }
    // A circle of names, or too many: what is left is told as gone and made.
    let misplaced = walk.mailboxes().into_iter().filter(|(name, id)| places.get(id).is_some_and(|place| place != name));
    for (name, _) in misplaced.collect::<Vec<_>>() {
        walk.forget(&name);
        // Another circle may be open now.
        if let Some((name, to)) = walk.next_rename(&places) {
            walk.rename(&name, &to);
        }
    }
    walk.finish()
}

/// From what a client believes to what is.
struct Walk<'a> {
    belief: Names,
    now: &'a BTreeMap<String, ListEntry>,
    /// Names that are told of whatever their attributes are.
    affected: BTreeSet<String>,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn mailboxes(&self) -> Vec<(String, MailboxId)> {
        let known = self.belief.known.values();
        known.filter_map(|known| Some((known.entry.name.clone(), known.entry.mailbox?))).collect()
    }

    fn affect(&mut self, name: &str) {
        self.affected.extend([Some(name), parent(name)].into_iter().flatten().map(str::to_owned));
    }

    /// The mailbox of that name is gone. Where another one has its name that has to be told for itself.
    fn forget(&mut self, name: &str) {
        let Some(known) = self.belief.known.remove(name) else { return };
        self.affect(name);
        let reused = self.now.get(name).is_some_and(|entry| entry.mailbox.is_some());
        if reused {
            self.changes.push(change(name, None, Some(&known.entry)));
        } else if known.entry.subscribed {
            self.belief.put(Names::entry(name, None, true));
        }
    }

    /// A mailbox that has another name, the highest first, and to which it can be renamed with all below it.
    fn next_rename(&self, places: &HashMap<MailboxId, &str>) -> Option<(String, String)> {
        let mut misplaced: Vec<(usize, String, String)> = self
            .mailboxes()
            .into_iter()
            .filter_map(|(name, id)| {
                let place = places.get(&id).filter(|place| **place != name)?;
                Some((name.matches(DELIMITER).count(), name, (*place).to_owned()))
            })
            .collect();
        misplaced.sort();
        let free = |name: &str, to: &str| {
            below(to, name).is_none()
                && below(name, to).is_none()
                && self.mailboxes().iter().filter_map(|(known, _)| below(known, name)).all(|rest| {
                    let taken = self.belief.known.get(&format!("{to}{rest}"));
                    taken.is_none_or(|taken| taken.entry.mailbox.is_none())
                })
        };
        misplaced.into_iter().map(|(_, name, to)| (name, to)).find(|(name, to)| free(name, to))
    }

    fn rename(&mut self, name: &str, to: &str) {
        let mut covered = Vec::new();
        let known: Vec<(String, MailboxId)> = self.mailboxes();
        for (old, _) in known {
            let Some(rest) = below(&old, name) else { continue };
            let new = format!("{to}{rest}");
            let Some(mut moved) = self.belief.known.remove(&old) else { continue };
            let mut one = change(&new, self.now.get(&new), Some(&moved.entry));
            one.rename =
                Some(Rename { old_name: old.clone(), old_now: self.now.get(&old).cloned(), below: Vec::new() });
            // The name itself is told with its subscription; what is below keeps the one it had.
            if rest.is_empty() {
                moved.entry.subscribed = self.now.get(&new).is_some_and(|entry| entry.subscribed);
            }
            moved.entry.name.clone_from(&new);
            self.belief.known.insert(new, moved);
            covered.push(one);
        }
        // The name itself sorts before those below it.
        let mut covered = covered.into_iter();
        if let Some(mut first) = covered.next() {
            if let Some(rename) = &mut first.rename {
                rename.below = covered.collect();
            }
            self.changes.push(first);
        }
    }

    /// What was made, what went, and other attributes and subscriptions.
    fn finish(mut self) -> Vec<Change> {
        let was = self.belief.levels();
        let id = |entry: Option<&ListEntry>| entry.and_then(|entry| entry.mailbox);
        for (name, entry) in self.now {
            if entry.mailbox.is_some() && id(was.get(name)) != entry.mailbox {
                self.affect(name);
            }
        }
        let attributes = |entry: Option<&ListEntry>| {
            let entry = entry.filter(|entry| entry.exists)?;
            Some((entry.mailbox.is_some(), entry.has_children, entry.special_use))
        };
        let names: BTreeSet<&String> = was.keys().chain(self.now.keys()).chain(&self.affected).collect();
        for name in names {
            let (before, after) = (was.get(name), self.now.get(name));
            let mut one = change(name, after, before);
            one.named = self.affected.contains(name) || attributes(before) != attributes(after);
            if one.named || one.subscription {
                self.changes.push(one);
            }
        }
        self.changes
    }
}

fn change(name: &str, is: Option<&ListEntry>, was: Option<&ListEntry>) -> Change {
    let subscribed = |entry: Option<&ListEntry>| entry.is_some_and(|entry| entry.subscribed);
    Change {
        name: name.to_owned(),
        now: is.cloned(),
        subscribed: subscribed(is) || subscribed(was),
        named: true,
        subscription: subscribed(is) != subscribed(was),
        rename: None,
    }
}
