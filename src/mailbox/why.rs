//! Where a message is, and what happened to it: the row or the hidden entry of the message, and the account's journal.

use super::{Core, Error, name};
use crate::message::message_id::MessageIds;
use crate::store::hidden::{Hidden, HiddenAt};
use crate::store::journal::{Action, Arrival, Entry, Item, Run};
use crate::store::removed::Removed;
use crate::store::schema::{MessageRow, OriginId};
use crate::store::txn::Tx;
use crate::store::view::View;
use crate::store::{self, Cause, LetGo};
use crate::types::{AccountId, ContentId, Door, FlagOperation, InstanceId, MailboxId, SystemFlags, Uid};
use std::collections::BTreeMap;

/// Limit: messages that one question tells of; copies of a message are messages of their own.
const FOUND_MAX: usize = 10;

/// Which message is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Message-ID, with its angle brackets.
    MessageId(String),
    /// The UID that it has or had in that mailbox.
    Uid(u32, String),
}

/// Where a message is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a mailbox, under this UID, with these flags.
    Mailbox(String, u32, SystemFlags),
    /// Taken out of a mailbox at that moment; it can be brought back until the other one.
    Hidden {
        /// The mailbox.
        mailbox: String,
        /// When it was taken out.
        time: i64,
        /// Until when it is kept, unless the disk gets short.
        until: i64,
    },
    /// Nothing of it is left.
    Gone,
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It came into the account.
    Arrived(u64),
    /// Moved between these mailboxes.
    Moved(String, String),
    /// Its flags were changed.
    Flagged(FlagOperation, SystemFlags),
    /// Taken out of that mailbox.
    TakenOut(String, Cause),
    /// Fetched by POP3.
    Fetched,
    /// Deleted by POP3, which hides it from that device.
    PopHidden,
    /// Brought back to that mailbox.
    BroughtBack(String),
    /// Removed for good, and why where that was noted.
    Removed(Option<LetGo>),
}

/// A message's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Its Message-ID, where it has one.
    pub message_id: Option<String>,
    /// Where it is now.
    pub place: Place,
    /// What happened, the oldest first: when, what, and who did it.
    pub events: Vec<(i64, Happened, Door)>,
    /// The names of the account's devices, revoked ones too.
    pub devices: BTreeMap<u32, String>,
}

/// A Message-ID as it was asked for. It is the one of a field, too, that has a comment behind it, or no angle brackets.
struct WantedId {
    given: String,
    bare: Vec<u8>,
}

impl WantedId {
    fn new(given: &str) -> Self {
        Self { given: given.to_owned(), bare: bare_id(given.as_bytes()) }
    }

    fn is(&self, field: &[u8]) -> bool {
        field.eq_ignore_ascii_case(self.given.as_bytes()) || bare_id(field).eq_ignore_ascii_case(&self.bare)
    }
}

/// The identifier in a Message-ID field.
fn bare_id(field: &[u8]) -> Vec<u8> {
    let mut id = Vec::new();
    if !MessageIds::new(field).next_into(&mut id) {
        id = field.to_vec();
        id.retain(|octet| !matches!(octet, b'<' | b'>') && !octet.is_ascii_whitespace());
    }
    id
}

/// Messages that one job touched, as the journal gets them.
pub(super) struct Note {
    by: OriginId,
    mailbox: MailboxId,
    action: Action,
    items: Vec<Item>,
}

impl Note {
    pub(super) const fn new(by: OriginId, mailbox: MailboxId, action: Action) -> Self {
        Self { by, mailbox, action, items: Vec::new() }
    }

    pub(super) fn add(&mut self, uid: Uid, instance: InstanceId) {
        self.items.push(Item { uid, instance });
    }

    /// Writes the entry, unless nothing was touched.
    pub(super) fn write(self, tx: &mut Tx<'_>, account: AccountId) -> Result<(), store::Error> {
        if self.items.is_empty() {
            return Ok(());
        }
        let time = tx.now()?;
        self.write_at(tx, account, time)
    }

    /// The same for what happened at that moment.
    pub(super) fn write_at(self, tx: &mut Tx<'_>, account: AccountId, time: i64) -> Result<(), store::Error> {
        let Self { by, mailbox, action, items } = self;
        if items.is_empty() {
            return Ok(());
        }
        tx.put_journal(account, &Entry { time, by, mailbox, action, runs: Run::of(&items) })
    }
}

/// The messages of an account as they are now.
struct Now {
    names: BTreeMap<MailboxId, String>,
    rows: Vec<(MailboxId, Uid, MessageRow)>,
    hidden: Vec<(HiddenAt, Hidden)>,
    journal: Vec<Entry>,
    removed: Vec<Removed>,
}

impl Now {
    fn read(view: &View<'_>, account: AccountId) -> Result<Self, store::Error> {
        let mut names: BTreeMap<MailboxId, String> = BTreeMap::new();
        for (mailbox, lost) in view.lost_of(account)? {
            names.insert(mailbox, format!("{} (deleted)", lost.name));
        }
        let mut rows = Vec::new();
        for (name, entry) in view.mailbox_entries(account, "")? {
            let Some(mailbox) = entry.mailbox else { continue };
            names.insert(mailbox, name);
            view.rows(mailbox, 1, u32::MAX, |uid, row| {
                rows.push((mailbox, uid, row));
                Ok(true)
            })?;
        }
        let (mut hidden, mut journal, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        view.hidden(account, HiddenAt::from(0), |at, message| {
            hidden.push((at, message));
            Ok(true)
        })?;
        view.journal(account, |entry| {
            journal.push(entry);
            Ok(())
        })?;
        view.removed(account, |message| {
            removed.push(message);
            Ok(())
        })?;
        Ok(Self { names, rows, hidden, journal, removed })
    }

    fn name(&self, mailbox: MailboxId) -> String {
        self.names.get(&mailbox).cloned().unwrap_or_else(|| "a deleted mailbox".to_owned())
    }

    /// The instances that are meant, the newest first.
    fn find(&self, view: &View<'_>, whose: &Whose) -> Result<Vec<InstanceId>, store::Error> {
        let mut found = Vec::new();
        match whose {
            Whose::Uid(uid, mailbox) => {
                let wanted = |at: MailboxId| self.names.get(&at).is_some_and(|name| name == mailbox);
                let row = self.rows.iter().find(|(at, has, _)| wanted(*at) && has.0 == *uid);
                found.extend(row.map(|(_, _, row)| row.instance));
                let hidden = self.hidden.iter().filter(|(_, hidden)| wanted(hidden.mailbox) && hidden.uid.0 == *uid);
                found.extend(hidden.map(|(at, _)| at.instance));
                let journal = self.journal.iter().rev().filter(|entry| wanted(entry.mailbox));
                found.extend(journal.filter_map(|entry| entry.instance_of(Uid(*uid))));
                let removed = self.removed.iter().rev().filter(|gone| wanted(gone.mailbox) && gone.item.uid.0 == *uid);
                found.extend(removed.map(|gone| gone.item.instance));
            }
            Whose::MessageId(wanted) => {
                let wanted = WantedId::new(wanted);
                let mut known: BTreeMap<ContentId, bool> = BTreeMap::new();
                let mut is_it = |content: ContentId| {
                    if let Some(known) = known.get(&content) {
                        return Ok::<_, store::Error>(*known);
                    }
                    let same = wanted.is(&view.message_id(content)?);
                    known.insert(content, same);
                    Ok(same)
                };
                for (_, _, row) in self.rows.iter().rev() {
                    if is_it(row.content)? {
                        found.push(row.instance);
                    }
                }
                for (at, hidden) in self.hidden.iter().rev() {
                    if is_it(hidden.row.content)? {
                        found.push(at.instance);
                    }
                }
                let same = |id: &[u8]| wanted.is(id);
                let removed = self.removed.iter().rev().filter(|gone| same(&gone.message_id));
                found.extend(removed.map(|gone| gone.item.instance));
                for entry in self.journal.iter().rev() {
                    if matches!(&entry.action, Action::Removed(id, _) if same(id)) {
                        found.extend(entry.first().map(|item| item.instance));
                    }
                }
            }
        }
        let mut unique = Vec::new();
        for instance in found {
            if !unique.contains(&instance) && unique.len() < FOUND_MAX {
                unique.push(instance);
            }
        }
        Ok(unique)
    }

    fn story(
        &self,
        view: &View<'_>,
        account: AccountId,
        instance: InstanceId,
        kept: i64,
    ) -> Result<Story, store::Error> {
        let mut events = Vec::new();
        let mut id = Vec::new();
        let row = self.rows.iter().find(|(_, _, row)| row.instance == instance);
        let hidden = self.hidden.iter().find(|(at, _)| at.instance == instance);
        let body = row.map(|(_, _, row)| row).or(hidden.map(|(_, hidden)| &hidden.row));
        if let Some(body) = body {
            events.push((body.internal_date.seconds, Happened::Arrived(body.size), view.door(body.origin)?));
            id = view.message_id(body.content)?;
        }
        for entry in self.journal.iter().filter(|entry| entry.has(instance)) {
            let mailbox = self.name(entry.mailbox);
            let happened = match &entry.action {
                Action::Moved(to) => Happened::Moved(mailbox, self.name(*to)),
                Action::Flagged(operation, flags) => {
                    let operation = match operation {
                        0 => FlagOperation::Replace,
                        1 => FlagOperation::Add,
                        _ => FlagOperation::Remove,
                    };
                    Happened::Flagged(operation, *flags)
                }
                Action::TakenOut(cause) => Happened::TakenOut(mailbox, *cause),
                Action::Fetched => Happened::Fetched,
                Action::PopHidden => Happened::PopHidden,
                Action::BroughtBack => Happened::BroughtBack(mailbox),
                Action::Removed(message_id, arrival) => {
                    id.clone_from(message_id);
                    if let Some(Arrival { time, by, size }) = *arrival {
                        events.insert(0, (time, Happened::Arrived(size), view.door(by)?));
                    }
                    Happened::Removed(None)
                }
            };
            events.push((entry.time, happened, view.door(entry.by)?));
        }
        if let Some(gone) = self.removed.iter().find(|gone| gone.item.instance == instance) {
            id.clone_from(&gone.message_id);
            let Arrival { time, by, size } = gone.arrival;
            events.insert(0, (time, Happened::Arrived(size), view.door(by)?));
            events.push((gone.time, Happened::Removed(Some(gone.why)), view.door(gone.by)?));
        }
        let place = match (row, hidden) {
            (Some((mailbox, uid, row)), _) => Place::Mailbox(self.name(*mailbox), uid.0, row.flags),
            (None, Some((at, hidden))) => {
                let until = at.time.saturating_add(kept);
                Place::Hidden { mailbox: self.name(hidden.mailbox), time: at.time, until }
            }
            (None, None) => Place::Gone,
        };
        let message_id = Some(String::from_utf8_lossy(&id).into_owned()).filter(|id| !id.is_empty());
        let devices = view.devices(account)?.into_iter().map(|(id, device)| (id.0, device.name)).collect();
        Ok(Story { message_id, place, events, devices })
    }
}

impl Core {
    /// What became of a message, the newest of several first; none: nothing is known of it. Reads all rows of the
    /// account, so it blocks for a while.
    ///
    /// # Errors
    /// `Invalid` mailbox names, `Temporary`.
    pub fn why(&self, account: AccountId, whose: &Whose) -> Result<Vec<Story>, Error> {
        let whose = match whose {
            Whose::Uid(uid, mailbox) => Whose::Uid(*uid, name::canonical(mailbox).map_err(store::Error::from)?),
            Whose::MessageId(id) => Whose::MessageId(id.clone()),
        };
        let rules = self.retention_rules();
        self.settle_blocking()?;
        Ok(self.store.read(|view| {
            let now = Now::read(view, account)?;
            let days = view.settings(account)?.undelete_days.unwrap_or(rules.undelete_days);
            let found = now.find(view, &whose)?;
            found.into_iter().map(|instance| now.story(view, account, instance, i64::from(days) * 86_400)).collect()
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::WantedId;

    #[test]
    fn an_identifier_is_found_however_its_field_is_written() {
        let wanted = WantedId::new("<a.1@Example.org>");
        for field in
            ["<a.1@example.org>", "<A.1@example.org> (added by relay)", "a.1@example.org", "<a.1 @example.org>"]
        {
            assert!(wanted.is(field.as_bytes()), "{field}");
        }
        for field in ["", "<a.11@example.org>", "<>", "(x) a.1@example.org", "<b@example.org> (<a.1@example.org>)"] {
            assert!(!wanted.is(field.as_bytes()), "{field}");
        }
        assert!(WantedId::new("<99999999999>").is(b"99999999999"));
        assert!(!WantedId::new("<x>").is(b""));
    }
}
