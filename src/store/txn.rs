//! Writing: typed changes of every table inside the writer's transaction.

use super::body;
use super::codec::{key_kind_u32, key_kind_u64, key_u32_u32, key_u32_u64_u32, key_u64_u32};
use super::env::{Table, Tables};
use super::schema::{
    AccountState, Annotation, Content, Globals, Leap, MailboxEntry, MailboxState, MessageRow, OriginId, User,
    encode_door, kind, origin_kind, state_kind,
};
use super::view::{View, annotation_key, mailbox_key};
use super::{Clock, Error, Pins, Settings, Topic};
use crate::types::{AccountId, BodyId, ContentId, Door, InstanceId, MailboxId, ModSeq, Uid, UidSet};
use heed::RwTxn;
use std::ops::Bound;

/// The write transaction that a job works in. A job that fails after it wrote is undone with its whole
/// transaction; the writer then repeats the other jobs of that transaction without it.
pub(crate) struct Tx<'t> {
    pub(crate) txn: RwTxn<'t>,
    pub(crate) tables: &'t Tables,
    pub(crate) chunk_size: usize,
    pub(crate) pins: &'t Pins,
    clock: &'t Clock,
    /// Writes so far: tells whether a failed job left something behind.
    pub(crate) writes: u64,
    /// What changed; the watchers are woken after the commit.
    pub(crate) touched: Vec<Topic>,
    globals: Option<Globals>,
}

impl<'t> Tx<'t> {
    pub(crate) const fn new(
        txn: RwTxn<'t>,
        tables: &'t Tables,
        chunk_size: usize,
        pins: &'t Pins,
        clock: &'t Clock,
    ) -> Self {
        Self { txn, tables, chunk_size, pins, clock, writes: 0, touched: Vec::new(), globals: None }
    }

    /// Reads what this transaction sees, its own changes included.
    pub(crate) fn view(&self) -> View<'_> {
        View { tables: self.tables, txn: &self.txn, chunk_size: self.chunk_size }
    }

    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.writes += 1;
        Ok(table.put(&mut self.txn, key, value)?)
    }

    pub(super) fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, Error> {
        self.writes += 1;
        Ok(table.delete(&mut self.txn, key)?)
    }

    pub(super) fn delete_range(&mut self, table: Table, first: &[u8], last: &[u8]) -> Result<usize, Error> {
        self.writes += 1;
        Ok(table.delete_range(&mut self.txn, &(Bound::Included(first), Bound::Included(last)))?)
    }

    /// Wakes the watchers of the mailbox and of its account once this is durable.
    pub(crate) fn touch(&mut self, account: AccountId, mailbox: MailboxId) {
        self.touch_topic(Topic::Mailbox(mailbox));
        self.touch_topic(Topic::Messages(account));
    }

    fn touch_topic(&mut self, topic: Topic) {
        if !self.touched.contains(&topic) {
            self.touched.push(topic);
        }
    }

    fn globals(&mut self) -> Result<&mut Globals, Error> {
        self.writes += 1;
        if self.globals.is_none() {
            self.globals = Some(self.view().globals()?);
        }
        self.globals.as_mut().ok_or(Error::Corrupt(super::schema::table::STATE))
    }

    /// Writes what is kept in memory; the writer calls it once before it commits.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        match self.globals.take() {
            Some(globals) => self.put(self.tables.state, &[state_kind::GLOBAL], &globals.encode()),
            None => Ok(()),
        }
    }

    pub(crate) fn new_account(&mut self) -> Result<AccountId, Error> {
        let globals = self.globals()?;
        globals.next_account += 1;
        Ok(AccountId(globals.next_account - 1))
    }

    pub(crate) fn new_mailbox(&mut self) -> Result<MailboxId, Error> {
        let globals = self.globals()?;
        globals.next_mailbox += 1;
        Ok(MailboxId(globals.next_mailbox - 1))
    }

    fn new_id(&mut self) -> Result<u64, Error> {
        let globals = self.globals()?;
        globals.next_id += 1;
        Ok(globals.next_id - 1)
    }

    pub(crate) fn new_content(&mut self) -> Result<ContentId, Error> {
        self.new_id().map(ContentId)
    }

    pub(crate) fn new_body(&mut self) -> Result<BodyId, Error> {
        self.new_id().map(BodyId)
    }

    pub(crate) fn new_instance(&mut self) -> Result<InstanceId, Error> {
        self.new_id().map(InstanceId)
    }

    /// Seconds since 1970, and never less than any moment stored before: boards start without a clock.
    pub(crate) fn now(&mut self) -> Result<i64, Error> {
        let clock = self.clock.now();
        let globals = self.globals()?;
        globals.last_time = globals.last_time.max(clock);
        Ok(globals.last_time)
    }

    /// Keeps the clock from falling behind a moment that was answered already.
    pub(crate) fn reach(&mut self, time: i64) -> Result<(), Error> {
        let globals = self.globals()?;
        globals.last_time = globals.last_time.max(time);
        Ok(())
    }

    /// Lets time go on from that moment although later ones may be stored, which are to be looked for.
    pub(crate) fn go_on_from(&mut self, time: i64) -> Result<(), Error> {
        let globals = self.globals()?;
        (globals.last_time, globals.redating, globals.leap) = (time, true, None);
        Ok(())
    }

    /// Whether later moments may be stored.
    pub(crate) fn set_redating(&mut self, redating: bool) -> Result<(), Error> {
        self.globals()?.redating = redating;
        Ok(())
    }

    /// Notes that the clock leapt, or that nothing is to be thought of it any more.
    pub(crate) fn put_leap(&mut self, leap: Option<Leap>) -> Result<(), Error> {
        self.globals()?.leap = leap;
        Ok(())
    }

    /// A UIDVALIDITY higher than every one before it.
    pub(crate) fn new_uid_validity(&mut self) -> Result<u32, Error> {
        // A clock beyond 2106 is wrong, and would leave no higher one.
        let now = u32::try_from(self.now()?).unwrap_or(0);
        let globals = self.globals()?;
        globals.last_uid_validity = now.max(globals.last_uid_validity.saturating_add(1)).max(1);
        Ok(globals.last_uid_validity)
    }

    /// The identifier of a door. A door that is new gets one, without its address once there are many.
    pub(crate) fn intern(&mut self, door: &Door) -> Result<OriginId, Error> {
        if *door == Door::UNKNOWN {
            return Ok(OriginId::UNKNOWN);
        }
        if let Some(id) = self.view().origin_of(door)? {
            return Ok(id);
        }
        let next = self.view().last_origin()?.0.saturating_add(1);
        if next > ORIGINS_MAX {
            return Ok(OriginId::UNKNOWN);
        }
        if next > ORIGINS_WITH_ADDRESS_MAX && door.address.is_some() {
            return self.intern(&Door { address: None, ..*door });
        }
        let value = encode_door(door);
        let mut key = vec![origin_kind::DOOR];
        key.extend_from_slice(&value);
        self.put(self.tables.origins, &key, &next.to_be_bytes())?;
        self.put(self.tables.origins, &key_kind_u32(origin_kind::ID, next), &value)?;
        Ok(OriginId(next))
    }

    /// Settings that are all as the configuration says need no entry.
    pub(crate) fn put_settings(&mut self, id: AccountId, settings: &Settings) -> Result<(), Error> {
        if settings.is_default() {
            return self.delete(self.tables.settings, &id.0.to_be_bytes()).map(drop);
        }
        self.put(self.tables.settings, &id.0.to_be_bytes(), &settings.encode())
    }

    pub(crate) fn put_account_state(&mut self, id: AccountId, state: &AccountState) -> Result<(), Error> {
        self.put(self.tables.state, &key_kind_u32(state_kind::ACCOUNT, id.0), &state.encode())
    }

    pub(crate) fn delete_account_state(&mut self, id: AccountId) -> Result<(), Error> {
        self.delete(self.tables.state, &key_kind_u32(state_kind::ACCOUNT, id.0)).map(drop)
    }

    pub(crate) fn put_mailbox_state(&mut self, id: MailboxId, state: &MailboxState) -> Result<(), Error> {
        self.put(self.tables.state, &key_kind_u32(state_kind::MAILBOX, id.0), &state.encode())
    }

    pub(crate) fn put_user(&mut self, id: AccountId, user: &User) -> Result<(), Error> {
        self.put(self.tables.users, &id.0.to_be_bytes(), &user.encode())
    }

    pub(crate) fn delete_user(&mut self, id: AccountId) -> Result<(), Error> {
        self.delete(self.tables.users, &id.0.to_be_bytes()).map(drop)
    }

    pub(crate) fn put_address(&mut self, address: &str, account: AccountId) -> Result<(), Error> {
        self.put(self.tables.addresses, address.as_bytes(), &account.0.to_be_bytes())
    }

    pub(crate) fn delete_address(&mut self, address: &str) -> Result<(), Error> {
        self.delete(self.tables.addresses, address.as_bytes()).map(drop)
    }

    pub(crate) fn put_mailbox_entry(
        &mut self,
        account: AccountId,
        name: &str,
        entry: MailboxEntry,
    ) -> Result<(), Error> {
        self.touch_topic(Topic::Names(account));
        self.put(self.tables.mailboxes, &mailbox_key(account, name), &entry.encode())
    }

    pub(crate) fn delete_mailbox_entry(&mut self, account: AccountId, name: &str) -> Result<(), Error> {
        self.touch_topic(Topic::Names(account));
        self.delete(self.tables.mailboxes, &mailbox_key(account, name)).map(drop)
    }

    /// Sets an annotation, or with None removes it; the stamp of the change.
    pub(crate) fn set_annotation(
        &mut self,
        account: Option<AccountId>,
        mailbox: Option<MailboxId>,
        entry: &str,
        value: Option<&[u8]>,
    ) -> Result<u64, Error> {
        self.touch_topic(Topic::Annotations(account));
        let (key, stamp) = (annotation_key(account, mailbox, entry), self.new_id()?);
        match value {
            Some(value) => {
                let annotation = Annotation { stamp, value: value.to_vec() };
                self.put(self.tables.annotations, &key, &annotation.encode())?;
            }
            None => drop(self.delete(self.tables.annotations, &key)?),
        }
        Ok(stamp)
    }

    /// Removes the annotations of a mailbox, or without one all of the account.
    pub(crate) fn delete_annotations(&mut self, account: AccountId, mailbox: Option<MailboxId>) -> Result<(), Error> {
        let first = annotation_key(Some(account), mailbox, "");
        let mut last = annotation_key(Some(account), Some(mailbox.unwrap_or(MailboxId(u32::MAX))), "");
        // No name of an entry has such an octet.
        last.push(0xff);
        if self.delete_range(self.tables.annotations, &first, &last)? > 0 {
            self.touch_topic(Topic::Annotations(Some(account)));
        }
        Ok(())
    }

    pub(crate) fn put_keyword(&mut self, mailbox: MailboxId, bit: u8, name: &str) -> Result<(), Error> {
        let mut key = mailbox.0.to_be_bytes().to_vec();
        key.push(bit);
        self.put(self.tables.keywords, &key, name.as_bytes())
    }

    pub(crate) fn put_row(&mut self, mailbox: MailboxId, uid: Uid, row: &MessageRow) -> Result<(), Error> {
        self.put(self.tables.messages, &key_u32_u32(mailbox.0, uid.0), &row.encode())
    }

    pub(crate) fn delete_row(&mut self, mailbox: MailboxId, uid: Uid) -> Result<(), Error> {
        self.delete(self.tables.messages, &key_u32_u32(mailbox.0, uid.0)).map(drop)
    }

    pub(crate) fn put_change(&mut self, mailbox: MailboxId, modseq: ModSeq, uid: Uid) -> Result<(), Error> {
        self.put(self.tables.changes, &key_u32_u64_u32(mailbox.0, modseq.0, uid.0), &[])
    }

    pub(crate) fn delete_change(&mut self, mailbox: MailboxId, modseq: ModSeq, uid: Uid) -> Result<(), Error> {
        self.delete(self.tables.changes, &key_u32_u64_u32(mailbox.0, modseq.0, uid.0)).map(drop)
    }

    /// Notes that `first..=last` no longer exist; touching holes become one.
    pub(crate) fn add_hole(&mut self, mailbox: MailboxId, first: u32, last: u32) -> Result<(), Error> {
        let (mut low, mut high) = (first, last);
        if let Some((start, end)) = self.view().hole_at_or_before(mailbox, first)?
            && end.saturating_add(1) >= first
        {
            low = start;
            high = high.max(end);
        }
        if let Some(next) = high.checked_add(1)
            && let Some((start, end)) = self.view().hole_at_or_before(mailbox, next)?
            && start == next
        {
            self.delete(self.tables.holes, &key_u32_u32(mailbox.0, start))?;
            high = end;
        }
        self.put(self.tables.holes, &key_u32_u32(mailbox.0, low), &high.to_be_bytes())
    }

    /// Remembers which UIDs went with `modseq`, in as many entries as one page each needs; how many entries.
    pub(crate) fn put_expunged(&mut self, mailbox: MailboxId, modseq: ModSeq, uids: &UidSet) -> Result<u32, Error> {
        let mut entries = 0;
        for ranges in uids.ranges().chunks(EXPUNGE_ENTRY_RANGES) {
            let value: Vec<u8> = ranges
                .iter()
                .flat_map(|range| [range.first.to_be_bytes(), range.last.to_be_bytes()])
                .flatten()
                .collect();
            self.put(self.tables.expunges, &key_u32_u64_u32(mailbox.0, modseq.0, entries), &value)?;
            entries += 1;
        }
        Ok(entries)
    }

    /// Forgets the oldest `count` expunge entries, and the rest of the last one's modseq; the highest modseq
    /// forgotten and how many entries went.
    pub(crate) fn forget_expunged(&mut self, mailbox: MailboxId, count: u32) -> Result<(ModSeq, u32), Error> {
        let (mut floor, mut gone) = (ModSeq(0), 0);
        loop {
            let view = self.view();
            let from = key_u32_u64_u32(mailbox.0, 0, 0);
            let oldest = view.tables.expunges.get_greater_than_or_equal_to(view.txn, &from)?;
            let Some((key, _)) = oldest.filter(|(key, _)| key.starts_with(&mailbox.0.to_be_bytes())) else { break };
            let key = key.to_vec();
            let mut fields =
                super::codec::Fields::new(key.get(4..).unwrap_or_default(), super::schema::table::EXPUNGES);
            let modseq = ModSeq(fields.u64()?);
            if gone >= count && modseq != floor {
                break;
            }
            self.delete(self.tables.expunges, &key)?;
            floor = modseq;
            gone += 1;
        }
        Ok((floor, gone))
    }

    /// Changes how many share what `kind` and `id` name; the number afterwards.
    pub(crate) fn add_refs(&mut self, kind: u8, id: u64, delta: i64) -> Result<u32, Error> {
        let count = i64::from(self.view().refs(kind, id)?) + delta;
        let count = u32::try_from(count).map_err(|_| Error::Corrupt(super::schema::table::REFS))?;
        let key = key_kind_u64(kind, id);
        if count > 1 {
            self.put(self.tables.refs, &key, &count.to_be_bytes())?;
        } else {
            // One is what no entry means, and none needs no entry.
            self.delete(self.tables.refs, &key)?;
        }
        Ok(count)
    }

    /// Stores a content in pieces of one page at most.
    pub(crate) fn put_content(&mut self, id: ContentId, content: &Content) -> Result<(), Error> {
        for (number, piece) in (0_u32..).zip(content.encode().chunks(self.chunk_size)) {
            self.put(self.tables.contents, &key_u64_u32(id.0, number), piece)?;
        }
        Ok(())
    }

    /// One row less shows this content; the last one takes its body to the garbage.
    pub(crate) fn release_content(&mut self, id: ContentId) -> Result<(), Error> {
        if self.add_refs(kind::CONTENT, id.0, -1)? > 0 {
            return Ok(());
        }
        if let Some(content) = self.view().content(id)?
            && self.add_refs(kind::BODY, content.body.0, -1)? == 0
        {
            self.add_garbage(kind::BODY, content.body.0)?;
        }
        self.delete_range(self.tables.contents, &key_u64_u32(id.0, 0), &key_u64_u32(id.0, u32::MAX)).map(drop)
    }

    pub(crate) fn add_garbage(&mut self, kind: u8, id: u64) -> Result<(), Error> {
        self.put(self.tables.garbage, &key_kind_u64(kind, id), &[])
    }

    pub(crate) fn delete_garbage(&mut self, kind: u8, id: u64) -> Result<(), Error> {
        self.delete(self.tables.garbage, &key_kind_u64(kind, id)).map(drop)
    }

    /// Stores `octets` as the chunks of a body from `first` on; every piece but the last fills its chunk.
    pub(crate) fn put_chunks(&mut self, id: BodyId, first: u32, octets: &[u8]) -> Result<(), Error> {
        let mut value = Vec::with_capacity(self.chunk_size);
        for (number, payload) in (first..).zip(octets.chunks(body::payload_size(self.chunk_size))) {
            body::encode(id, number, payload, &mut value);
            self.put(self.tables.chunks, &key_u64_u32(id.0, number), &value)?;
        }
        Ok(())
    }

    /// Removes at most `max` chunks of a body, the last first; whether none is left.
    pub(crate) fn delete_chunks(&mut self, id: BodyId, max: u32) -> Result<bool, Error> {
        let prefix = id.0.to_be_bytes();
        let last = self.tables.chunks.get_lower_than_or_equal_to(&self.txn, &key_u64_u32(id.0, u32::MAX))?;
        let Some((key, _)) = last.filter(|(key, _)| key.starts_with(&prefix)) else { return Ok(true) };
        let highest = super::view::key_u32(key, 8, super::schema::table::CHUNKS)?;
        let from = highest.saturating_sub(max.saturating_sub(1));
        self.delete_range(self.tables.chunks, &key_u64_u32(id.0, from), &key_u64_u32(id.0, highest))?;
        Ok(from == 0)
    }

    /// Removes all that a deleted mailbox has beside its rows.
    pub(crate) fn delete_mailbox_remains(&mut self, id: MailboxId) -> Result<(), Error> {
        let first = key_u32_u64_u32(id.0, 0, 0);
        let last = key_u32_u64_u32(id.0, u64::MAX, u32::MAX);
        self.delete_range(self.tables.changes, &first, &last)?;
        self.delete_range(self.tables.expunges, &first, &last)?;
        self.delete_range(self.tables.holes, &key_u32_u32(id.0, 0), &key_u32_u32(id.0, u32::MAX))?;
        self.delete_range(self.tables.keywords, &id.0.to_be_bytes(), &key_u32_u32(id.0, u32::MAX))?;
        self.delete(self.tables.state, &key_kind_u32(state_kind::MAILBOX, id.0)).map(drop)
    }
}

/// Limit: doors that are kept with their address. A server that the whole world logs in to keeps telling protocol and
/// device.
const ORIGINS_WITH_ADDRESS_MAX: u32 = 20_000;
/// Limit: doors in all; later ones are unknown.
const ORIGINS_MAX: u32 = 30_000;

/// Limit: ranges in one expunge entry, so that its value stays within one page.
const EXPUNGE_ENTRY_RANGES: usize = 200;
