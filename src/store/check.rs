//! Reads everything and checks every invariant that ARCHITECTURE.md names.

use super::codec::{Fields, key_u32_u32, key_u32_u64_u32};
use super::hidden::{Hidden, HiddenAt, Lost};
use super::journal::{self, Entry};
use super::removed;
use super::schema::{
    AccountState, Annotation, Content, MailboxState, MessageRow, OriginId, decode_door, kind, origin_kind, state_kind,
    table,
};
use super::view::View;
use super::{Error, Settings, body};
use crate::types::{ANNOTATION_MAX, AccountId, BodyId, ContentId, InstanceId, MailboxId, SystemFlags, Uid, UidSet};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

/// Limit: findings that are told; a store with more is beyond reading them one by one.
const FINDINGS_MAX: usize = 1000;

struct Check<'v, 't> {
    view: &'v View<'t>,
    findings: Vec<String>,
    /// Rows that show each content.
    shown: HashMap<ContentId, (u32, u64)>,
    accounts: BTreeMap<AccountId, AccountState>,
    doomed: HashSet<MailboxId>,
    /// Every message by its account.
    instances: HashSet<(AccountId, InstanceId)>,
}

/// One line for each finding; none: the store is sound.
pub(crate) fn check(view: &View<'_>) -> Result<Vec<String>, Error> {
    let mut check = Check {
        view,
        findings: Vec::new(),
        shown: HashMap::new(),
        accounts: BTreeMap::new(),
        doomed: HashSet::new(),
        instances: HashSet::new(),
    };
    for (kind, id) in view.garbage(usize::MAX)? {
        if kind == kind::MAILBOX {
            check.doomed.insert(MailboxId(u32::try_from(id).unwrap_or_default()));
        }
    }
    check.users()?;
    check.origins()?;
    check.settings()?;
    let mailboxes = check.names()?;
    check.mailboxes(&mailboxes)?;
    check.rows_have_mailboxes()?;
    check.devices()?;
    check.hidden()?;
    check.journal()?;
    check.annotations()?;
    check.account_states()?;
    let bodies = check.contents()?;
    check.bodies(&bodies)?;
    check.refs(&bodies)?;
    Ok(check.findings)
}

impl Check<'_, '_> {
    fn tell(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    fn expect(&mut self, holds: bool, finding: impl FnOnce() -> String) {
        if !holds {
            self.tell(finding());
        }
    }

    fn users(&mut self) -> Result<(), Error> {
        let mut addresses = HashSet::new();
        for (id, user) in self.view.users()? {
            self.accounts.insert(id, AccountState::default());
            for address in std::iter::once(&user.name).chain(&user.aliases) {
                let owner = self.view.address(address)?;
                self.expect(owner == Some(id), || format!("user {}: address {address} leads to {owner:?}", user.name));
                addresses.insert(address.clone());
            }
            let keys_fit = user.scram.as_ref().is_none_or(|keys| keys.iterations > 0 && !user.password_hash.is_empty());
            self.expect(keys_fit, || format!("user {}: SCRAM keys without a password or iterations", user.name));
        }
        for entry in self.view.tables.addresses.iter(self.view.txn)? {
            let (key, _) = entry?;
            let address = String::from_utf8_lossy(key).into_owned();
            self.expect(addresses.contains(&address), || format!("address {address} belongs to no user"));
        }
        Ok(())
    }

    /// Both directions of the doors tell the same.
    fn origins(&mut self) -> Result<(), Error> {
        let (mut ids, mut doors) = (0_u32, 0_u32);
        for entry in self.view.tables.origins.iter(self.view.txn)? {
            let (key, value) = entry?;
            if key.first() == Some(&origin_kind::DOOR) {
                doors += 1;
                continue;
            }
            ids += 1;
            let id = OriginId(super::view::key_u32(key, 1, table::ORIGINS)?);
            let known = decode_door(value).and_then(|door| self.view.origin_of(&door));
            let sound = id.0 == ids && known.is_ok_and(|known| known == Some(id));
            self.expect(sound, || format!("origin {} is damaged", id.0));
        }
        self.expect(ids == doors, || format!("{ids} origins for {doors} doors"));
        Ok(())
    }

    fn settings(&mut self) -> Result<(), Error> {
        for entry in self.view.tables.settings.iter(self.view.txn)? {
            let (key, value) = entry?;
            let account = AccountId(super::view::key_u32(key, 0, table::SETTINGS)?);
            let sound = self.accounts.contains_key(&account) && Settings::decode(value).is_ok();
            self.expect(sound, || format!("the settings of account {} are damaged or belong to no user", account.0));
        }
        Ok(())
    }

    /// The mailboxes that have a name, with their owners.
    fn names(&mut self) -> Result<HashMap<MailboxId, AccountId>, Error> {
        let mut named = HashMap::new();
        for entry in self.view.tables.mailboxes.iter(self.view.txn)? {
            let (key, value) = entry?;
            let account = AccountId(super::view::key_u32(key, 0, table::MAILBOXES)?);
            let name = String::from_utf8_lossy(&key[4..]).into_owned();
            let Ok(entry) = super::schema::MailboxEntry::decode(value) else {
                self.tell(format!("mailbox name {name:?} of account {} is damaged", account.0));
                continue;
            };
            let known = self.accounts.get_mut(&account);
            if let (Some(state), Some(mailbox)) = (known, entry.mailbox) {
                state.mailboxes += 1;
                if named.insert(mailbox, account).is_some() {
                    self.tell(format!("mailbox {} has two names", mailbox.0));
                }
            } else if entry.mailbox.is_some() {
                self.tell(format!("mailbox {name:?} belongs to no user"));
            }
        }
        Ok(named)
    }

    fn mailboxes(&mut self, named: &HashMap<MailboxId, AccountId>) -> Result<(), Error> {
        let mut states = HashMap::new();
        for entry in self.view.tables.state.prefix_iter(self.view.txn, &[state_kind::MAILBOX])? {
            let (key, value) = entry?;
            let id = MailboxId(super::view::key_u32(key, 1, table::STATE)?);
            match MailboxState::decode(value) {
                Ok(state) => drop(states.insert(id, state)),
                Err(error) => self.tell(format!("mailbox {}: {error}", id.0)),
            }
        }
        let globals = self.view.globals()?;
        for (id, owner) in named {
            match states.get(id) {
                None => self.tell(format!("mailbox {} has no state", id.0)),
                Some(state) => self.expect(state.account == *owner, || format!("mailbox {} has two owners", id.0)),
            }
        }
        for (id, state) in &states {
            self.expect(id.0 < globals.next_mailbox, || format!("mailbox {} was never given out", id.0));
            let doomed = self.doomed.contains(id);
            self.expect(named.contains_key(id) || doomed, || format!("mailbox {} has no name", id.0));
            self.mailbox(*id, state, doomed)?;
        }
        Ok(())
    }

    fn mailbox(&mut self, id: MailboxId, state: &MailboxState, doomed: bool) -> Result<(), Error> {
        let name = format!("mailbox {}", id.0);
        let mut counted =
            MailboxState { messages: 0, unseen: 0, deleted: 0, recent: 0, bytes: 0, deleted_bytes: 0, ..state.clone() };
        let (mut uids, mut changed, mut problems) = (UidSet::new(), 0_u64, Vec::new());
        let view = self.view;
        let last_origin = view.last_origin()?;
        let mut notices = (0, 0);
        for entry in rows(view, id)? {
            let (uid, row) = match entry? {
                (uid, Ok(row)) => (uid, row),
                (uid, Err(error)) => {
                    problems.push(format!("{name}: message {}: {error}", uid.0));
                    continue;
                }
            };
            uids.insert(uid.0);
            self.instances.insert((state.account, row.instance));
            count(&mut counted, uid, &row);
            let shown = self.shown.entry(row.content).or_insert((0, row.size));
            shown.0 += 1;
            let mut say = |holds: bool, text: &str| {
                if !holds {
                    problems.push(format!("{name}: message {}: {text}", uid.0));
                }
            };
            say(shown.1 == row.size, "two sizes for one content");
            say(uid.0 < state.uid_next, "UID is not below UIDNEXT");
            say(row.created <= row.modseq && row.modseq <= state.highest_modseq, "MODSEQ out of order");
            say(row.keywords.0.checked_shr(u32::from(state.keywords)).unwrap_or(0) == 0, "unknown keyword");
            say(row.origin <= last_origin || row.origin == OriginId::NOTICE, "its origin was never given out");
            notices.0 += u64::from(row.origin == OriginId::NOTICE);
            notices.1 += if row.origin == OriginId::NOTICE { row.size } else { 0 };
            say(row.flags.contains(SystemFlags::SEEN) || uid.0 >= state.unseen_floor, "unseen below the floor");
            if row.modseq != row.created {
                changed += 1;
                let key = key_u32_u64_u32(id.0, row.modseq.0, uid.0);
                say(view.tables.changes.get(view.txn, &key)?.is_some(), "its last change is not listed");
            }
        }
        for problem in problems {
            self.tell(problem);
        }
        let listed = view.tables.changes.prefix_iter(view.txn, &id.0.to_be_bytes())?.count() as u64;
        let entries = view.tables.expunges.prefix_iter(view.txn, &id.0.to_be_bytes())?.count();
        if !doomed {
            self.expect(counted == *state, || format!("{name}: counted {counted:?}, stored {state:?}"));
            self.expect(listed == changed, || {
                format!("{name}: {listed} changes listed for {changed} changed messages")
            });
            let holes = UidSet::from_range(1, state.uid_next - 1).difference(&uids);
            let stored = view.holes(id, 1)?;
            self.expect(holes == stored, || format!("{name}: holes {stored:?} should be {holes:?}"));
            self.expect(entries == state.expunge_entries as usize, || format!("{name}: {entries} expunge entries"));
            let keywords = view.keywords(id)?.len();
            self.expect(keywords == usize::from(state.keywords), || format!("{name}: {keywords} keywords"));
            self.expect(state.first_recent <= state.uid_next, || format!("{name}: \\Recent beyond UIDNEXT"));
            if let Some(account) = self.accounts.get_mut(&state.account) {
                account.messages += u64::from(counted.messages);
                account.bytes += counted.bytes;
                account.notices += notices.0;
                account.notice_bytes += notices.1;
            }
        }
        Ok(())
    }

    fn rows_have_mailboxes(&mut self) -> Result<(), Error> {
        let view = self.view;
        for (name, table) in [
            (table::MESSAGES, view.tables.messages),
            (table::CHANGES, view.tables.changes),
            (table::HOLES, view.tables.holes),
            (table::EXPUNGES, view.tables.expunges),
            (table::KEYWORDS, view.tables.keywords),
        ] {
            // Jump from mailbox to mailbox: one look-up for each.
            let mut from = [0_u8; 4];
            while let Some((key, _)) = table.get_greater_than_or_equal_to(view.txn, &from)? {
                let id = super::view::key_u32(key, 0, name)?;
                let known = view.mailbox_state(MailboxId(id))?.is_some();
                self.expect(known, || format!("{name} has entries of mailbox {id}, which does not exist"));
                let Some(next) = id.checked_add(1) else { break };
                from = next.to_be_bytes();
            }
        }
        Ok(())
    }

    /// Devices belong to users; what POP3 has to do with messages belongs to messages and to devices that can log in.
    fn devices(&mut self) -> Result<(), Error> {
        let view = self.view;
        let mut polling = HashSet::new();
        for entry in view.tables.devices.iter(view.txn)? {
            let account = AccountId(super::view::key_u32(entry?.0, 0, table::DEVICES)?);
            self.expect(self.accounts.contains_key(&account), || format!("a device of account {}: no user", account.0));
        }
        for account in self.accounts.keys().copied().collect::<Vec<_>>() {
            let devices = view.devices(account)?;
            let active = devices.iter().filter(|(_, device)| device.revoked.is_none());
            polling.extend(active.map(|(id, _)| (account, *id)));
            let unnamed = devices.iter().any(|(id, device)| id.is_device() == device.name.is_empty());
            self.expect(!unnamed, || format!("account {}: a device without a name", account.0));
        }
        for entry in view.tables.pop3.iter(view.txn)? {
            let mut fields = Fields::new(entry?.0, table::POP3);
            let (account, instance) = (AccountId(fields.u32()?), InstanceId(fields.u64()?));
            let name = format!("POP3 state of message {:x} of account {}", instance.0, account.0);
            self.expect(self.instances.contains(&(account, instance)), || format!("{name}: there is no such message"));
            match view.pop_state(account, instance) {
                Ok(state) => {
                    self.expect(!state.marks.is_empty(), || format!("{name}: it is empty"));
                    let known = state.marks.iter().all(|mark| polling.contains(&(account, mark.device)));
                    self.expect(known, || format!("{name}: a device has it that cannot log in"));
                    let ordered = state.marks.is_sorted_by(|a, b| a.device < b.device);
                    self.expect(ordered, || format!("{name}: its devices are out of order"));
                }
                Err(error) => self.tell(format!("{name}: {error}")),
            }
        }
        Ok(())
    }

    /// Every annotation is whole and belongs to something that exists.
    fn annotations(&mut self) -> Result<(), Error> {
        let view = self.view;
        let next = view.globals()?.next_id;
        for entry in view.tables.annotations.iter(view.txn)? {
            let (key, value) = entry?;
            let account = AccountId(super::view::key_u32(key, 0, table::ANNOTATIONS)?);
            let mailbox = MailboxId(super::view::key_u32(key, 4, table::ANNOTATIONS)?);
            let entry = String::from_utf8_lossy(key.get(8..).unwrap_or_default()).into_owned();
            let name = format!("annotation {entry:?} of account {}, mailbox {}", account.0, mailbox.0);
            let owned = if mailbox.0 != 0 {
                view.mailbox_state(mailbox)?.is_some_and(|state| state.account == account)
                    && !self.doomed.contains(&mailbox)
            } else if account.0 != 0 {
                self.accounts.contains_key(&account)
            } else {
                entry.starts_with("/shared/")
            };
            self.expect(owned, || format!("{name} belongs to nothing"));
            let named = entry.starts_with('/') && !entry.bytes().any(|octet| octet.is_ascii_uppercase());
            self.expect(named, || format!("{name} has a name that no client can give"));
            match Annotation::decode(value) {
                Ok(stored) => {
                    self.expect(stored.value.len() <= ANNOTATION_MAX, || format!("{name} is too large"));
                    self.expect(stored.stamp < next, || format!("{name} has a stamp that was never given out"));
                }
                Err(error) => self.tell(format!("{name}: {error}")),
            }
        }
        Ok(())
    }

    /// Hidden messages belong to accounts and show contents; deleted mailboxes that are remembered have owners.
    fn hidden(&mut self) -> Result<(), Error> {
        let view = self.view;
        for entry in view.tables.hidden.iter(view.txn)? {
            let (key, value) = entry?;
            let (account, at) = HiddenAt::of(key)?;
            let name = format!("hidden message {} of account {}", at.instance.0, account.0);
            let hidden = match Hidden::decode(value, at.instance) {
                Ok(hidden) => hidden,
                Err(error) => {
                    self.tell(format!("{name}: {error}"));
                    continue;
                }
            };
            let shown = self.shown.entry(hidden.row.content).or_insert((0, hidden.row.size));
            shown.0 += 1;
            let same_size = shown.1 == hidden.row.size;
            self.expect(same_size, || format!("{name}: two sizes for one content"));
            if let Some(state) = self.accounts.get_mut(&account) {
                state.hidden += 1;
                state.hidden_bytes += hidden.row.size;
            } else {
                let doomed = view.is_garbage(kind::ACCOUNT, u64::from(account.0))?;
                self.expect(doomed, || format!("{name} belongs to no user"));
            }
            let home = match view.mailbox_state(hidden.mailbox)? {
                Some(state) => state.account == account,
                None => view.lost(hidden.mailbox)?.is_none_or(|lost| lost.account == account),
            };
            self.expect(home, || format!("{name} was in a mailbox of somebody else"));
        }
        for entry in view.tables.lost.iter(view.txn)? {
            let (key, value) = entry?;
            let mailbox = super::view::key_u32(key, 0, table::LOST)?;
            let known = Lost::decode(value).is_ok_and(|lost| self.accounts.contains_key(&lost.account));
            self.expect(known, || format!("deleted mailbox {mailbox} is damaged or belongs to no user"));
        }
        Ok(())
    }

    fn journal(&mut self) -> Result<(), Error> {
        for entry in self.view.tables.journal.iter(self.view.txn)? {
            let (key, value) = entry?;
            let account = AccountId(super::view::key_u32(key, 0, table::JOURNAL)?);
            let is_whole = match journal::number(key)? {
                ..removed::FIRST => Entry::decode(value).is_ok(),
                _ => removed::read(value, |_| Ok(())).is_ok(),
            };
            let sound = self.accounts.contains_key(&account) && is_whole;
            self.expect(sound, || format!("the journal of account {} is damaged or belongs to no user", account.0));
        }
        Ok(())
    }

    fn account_states(&mut self) -> Result<(), Error> {
        for (id, counted) in std::mem::take(&mut self.accounts) {
            let stored = self.view.account_state(id)?;
            self.expect(stored.as_ref() == Some(&counted), || {
                format!("account {}: counted {counted:?}, stored {stored:?}", id.0)
            });
        }
        let stored = self.view.tables.state.prefix_iter(self.view.txn, &[state_kind::ACCOUNT])?.count();
        let users = self.view.users()?.len();
        self.expect(stored == users, || format!("{stored} account states for {users} users"));
        Ok(())
    }

    /// Checks every content against the rows; how many contents share each body, and its length.
    fn contents(&mut self) -> Result<HashMap<BodyId, (u32, u64)>, Error> {
        let view = self.view;
        let mut bodies = HashMap::new();
        let mut seen = HashSet::new();
        let mut shown = std::mem::take(&mut self.shown);
        for entry in view.tables.contents.iter(view.txn)? {
            let (key, _) = entry?;
            let id = ContentId(Fields::new(key, table::CONTENTS).u64()?);
            if !seen.insert(id) {
                continue;
            }
            let name = format!("content {}", id.0);
            let Some((count, size)) = shown.remove(&id) else {
                self.tell(format!("{name} is shown by no message"));
                continue;
            };
            let refs = view.refs(kind::CONTENT, id.0)?;
            self.expect(refs == count, || format!("{name}: {count} messages show it, {refs} are noted"));
            match view.content(id) {
                Ok(Some(content)) => {
                    let whole = content.body_len + content.prefix.len() as u64;
                    self.expect(whole == size, || format!("{name}: size {size} is noted, {whole} octets are kept"));
                    self.record(&name, &content);
                    bodies.entry(content.body).or_insert((0, content.body_len)).0 += 1;
                }
                Ok(None) => self.tell(format!("{name} is gone")),
                Err(error) => self.tell(format!("{name}: {error}")),
            }
        }
        for id in shown.keys() {
            self.tell(format!("content {} is missing", id.0));
        }
        Ok(bodies)
    }

    fn record(&mut self, name: &str, content: &Content) {
        let sound = crate::message::Record::from_bytes(content.record.clone()).is_ok();
        self.expect(sound, || format!("{name}: its record is damaged"));
    }

    fn bodies(&mut self, bodies: &HashMap<BodyId, (u32, u64)>) -> Result<(), Error> {
        let view = self.view;
        let spare: HashSet<u64> = view
            .garbage(usize::MAX)?
            .into_iter()
            .filter(|(kind, _)| matches!(*kind, kind::BODY | kind::STAGING))
            .map(|(_, id)| id)
            .collect();
        let mut lengths: HashMap<BodyId, (u64, u32)> = HashMap::with_capacity(bodies.len());
        for entry in view.tables.chunks.iter(view.txn)? {
            let (key, value) = entry?;
            let mut fields = Fields::new(key, table::CHUNKS);
            let (id, number) = (BodyId(fields.u64()?), fields.u32()?);
            if spare.contains(&id.0) {
                continue;
            }
            if !bodies.contains_key(&id) {
                self.tell(format!("chunk {number} of body {} belongs to no message", id.0));
                continue;
            }
            let length = lengths.entry(id).or_default();
            let gap = length.1 != number;
            length.1 = number + 1;
            match body::decode(id, number, value) {
                Ok(payload) => length.0 += payload.len() as u64,
                Err(_) => self.tell(format!("body {}: chunk {number} is damaged", id.0)),
            }
            self.expect(!gap, || format!("body {}: chunks before {number} are missing", id.0));
        }
        for (id, (_, len)) in bodies {
            let kept = lengths.get(id).map_or(0, |length| length.0);
            self.expect(kept == *len, || format!("body {}: {kept} of {len} octets are kept", id.0));
            self.expect(!spare.contains(&id.0), || format!("body {} is used and marked as garbage", id.0));
        }
        Ok(())
    }

    fn refs(&mut self, bodies: &HashMap<BodyId, (u32, u64)>) -> Result<(), Error> {
        let view = self.view;
        for (id, (count, _)) in bodies {
            let refs = view.refs(kind::BODY, id.0)?;
            self.expect(refs == *count, || format!("body {}: {count} contents share it, {refs} are noted", id.0));
        }
        for entry in view.tables.refs.iter(view.txn)? {
            let (key, _) = entry?;
            let mut fields = Fields::new(key, table::REFS);
            let (kind, id) = (fields.u8()?, fields.u64()?);
            let known = match kind {
                kind::BODY => bodies.contains_key(&BodyId(id)),
                kind::CONTENT => view.content(ContentId(id)).is_ok_and(|content| content.is_some()),
                _ => false,
            };
            self.expect(known, || {
                format!("a reference count is kept for {}{id}, which does not exist", char::from(kind))
            });
        }
        Ok(())
    }
}

type RowResult = Result<(Uid, Result<MessageRow, Error>), Error>;

fn rows<'v>(view: &'v View<'_>, id: MailboxId) -> Result<impl Iterator<Item = RowResult> + 'v, Error> {
    let (first, last) = (key_u32_u32(id.0, 0), key_u32_u32(id.0, u32::MAX));
    let range = view.tables.messages.range(view.txn, &(Bound::Included(&first[..]), Bound::Included(&last[..])))?;
    Ok(range.map(|entry| {
        let (key, value) = entry?;
        Ok((Uid(super::view::key_u32(key, 4, table::MESSAGES)?), MessageRow::decode(value)))
    }))
}

fn count(state: &mut MailboxState, uid: Uid, row: &MessageRow) {
    state.messages += 1;
    state.bytes += row.size;
    state.unseen += u32::from(!row.flags.contains(SystemFlags::SEEN));
    state.recent += u32::from(uid.0 >= state.first_recent);
    if row.flags.contains(SystemFlags::DELETED) {
        state.deleted += 1;
        state.deleted_bytes += row.size;
    }
}
