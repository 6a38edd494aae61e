//! `journal`: who did what to which messages. One entry for each job, however many messages it touched; bounded, the
//! oldest entries go first. Arrivals are not in it: each message's row tells its own, and the list of what is gone for good
//! (`removed`) after that.

use super::Error;
use super::codec::{Fields, put_text};
use super::hidden::Cause;
use super::removed;
use super::schema::{OriginId, table};
use super::txn::Tx;
use super::view::View;
use crate::types::{AccountId, InstanceId, MailboxId, SystemFlags, Uid};
use std::ops::Bound;

/// Limit: entries of an account. With the size of one entry they take a few megabytes at most.
const ENTRIES_MAX: u64 = 10_000;
/// How many of the oldest are removed together.
const ENTRIES_TRIM: u64 = 500;
/// Limit: runs of messages in one entry, so that it fits a page; a job with more writes several.
const RUNS_MAX: usize = 60;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Moved to another mailbox.
    Moved(MailboxId),
    /// Flags were set (0), added (1) or removed (2): the system flags that the request named.
    Flagged(u8, SystemFlags),
    /// Taken out of its mailbox.
    TakenOut(Cause),
    /// Fetched by POP3, for the first time by that device.
    Fetched,
    /// Deleted by POP3, which hides it from that device.
    PopHidden,
    /// Brought back after it was taken out.
    BroughtBack,
    /// Removed for good, as version 2 wrote it: Message-ID, and how it came where that was known.
    Removed(Vec<u8>, Option<Arrival>),
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its internal date.
    pub(crate) time: i64,
    /// Who brought it.
    pub(crate) by: OriginId,
    /// Octets.
    pub(crate) size: u64,
}

/// A message as the journal knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its UID in the mailbox then.
    pub uid: Uid,
    /// The message.
    pub instance: InstanceId,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) time: i64,
    pub(crate) by: OriginId,
    pub(crate) mailbox: MailboxId,
    pub(crate) action: Action,
    /// The messages. They stay as they are stored: a change of a whole mailbox is a few runs, and tens of thousands of
    /// messages.
    pub(crate) runs: Vec<Run>,
}

/// Messages whose UIDs and instances ascend by equal steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    first: Item,
    count: u32,
    stride: u64,
}

impl Run {
    /// Those of these messages that belong together become one run.
    pub(crate) fn of(items: &[Item]) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for item in items {
            if let Some(run) = runs.last_mut()
                && run.first.uid.0.checked_add(run.count) == Some(item.uid.0)
                && let Some(step) = item.instance.0.checked_sub(run.last())
                && (run.count == 1 || step == run.stride)
            {
                run.stride = step;
                run.count += 1;
                continue;
            }
            runs.push(Self { first: *item, count: 1, stride: 0 });
        }
        runs
    }

    const fn last(&self) -> u64 {
        self.first.instance.0 + self.stride * (self.count - 1) as u64
    }

    fn has(&self, instance: InstanceId) -> bool {
        let Some(distance) = instance.0.checked_sub(self.first.instance.0) else { return false };
        match distance.checked_rem(self.stride) {
            None => distance == 0,
            Some(rest) => rest == 0 && distance / self.stride < u64::from(self.count),
        }
    }

    fn instance_of(&self, uid: Uid) -> Option<InstanceId> {
        let at = uid.0.checked_sub(self.first.uid.0).filter(|at| *at < self.count)?;
        Some(InstanceId(self.first.instance.0 + self.stride * u64::from(at)))
    }
}

impl Entry {
    /// Whether it tells of that message.
    pub(crate) fn has(&self, instance: InstanceId) -> bool {
        self.runs.iter().any(|run| run.has(instance))
    }

    /// The message that had that UID.
    pub(crate) fn instance_of(&self, uid: Uid) -> Option<InstanceId> {
        self.runs.iter().find_map(|run| run.instance_of(uid))
    }

    /// The first of its messages.
    pub(crate) fn first(&self) -> Option<Item> {
        self.runs.first().map(|run| run.first)
    }

    fn encode(&self, runs: &[Run]) -> Vec<u8> {
        let mut out = self.time.to_be_bytes().to_vec();
        out.extend_from_slice(&self.by.0.to_be_bytes());
        out.extend_from_slice(&self.mailbox.0.to_be_bytes());
        match &self.action {
            Action::Moved(to) => {
                out.push(0);
                out.extend_from_slice(&to.0.to_be_bytes());
            }
            Action::Flagged(operation, flags) => out.extend_from_slice(&[1, *operation, flags.0]),
            Action::TakenOut(cause) => out.extend_from_slice(&[2, cause.number()]),
            Action::Fetched => out.push(3),
            Action::PopHidden => out.push(6),
            Action::BroughtBack => out.push(4),
            Action::Removed(message_id, arrival) => {
                out.push(if arrival.is_some() { 7 } else { 5 });
                if let Some(arrival) = arrival {
                    out.extend_from_slice(&arrival.time.to_be_bytes());
                    out.extend_from_slice(&arrival.by.0.to_be_bytes());
                    out.extend_from_slice(&arrival.size.to_be_bytes());
                }
                put_text(&mut out, &String::from_utf8_lossy(message_id));
            }
        }
        for run in runs {
            out.extend_from_slice(&run.first.uid.0.to_be_bytes());
            out.extend_from_slice(&run.count.to_be_bytes());
            out.extend_from_slice(&run.first.instance.0.to_be_bytes());
            out.extend_from_slice(&run.stride.to_be_bytes());
        }
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        const CORRUPT: Error = Error::Corrupt(table::JOURNAL);
        let mut fields = Fields::new(value, table::JOURNAL);
        let (time, by, mailbox) = (fields.i64()?, OriginId(fields.u32()?), MailboxId(fields.u32()?));
        let action = match fields.u8()? {
            0 => Action::Moved(MailboxId(fields.u32()?)),
            1 => Action::Flagged(fields.u8()?, SystemFlags(fields.u8()?)),
            2 => Action::TakenOut(Cause::from_number(fields.u8()?).ok_or(CORRUPT)?),
            3 => Action::Fetched,
            6 => Action::PopHidden,
            4 => Action::BroughtBack,
            5 => Action::Removed(fields.text()?.into_bytes(), None),
            7 => {
                let arrival = Arrival { time: fields.i64()?, by: OriginId(fields.u32()?), size: fields.u64()? };
                Action::Removed(fields.text()?.into_bytes(), Some(arrival))
            }
            _ => return Err(CORRUPT),
        };
        let mut runs = Vec::new();
        while !fields.rest().is_empty() {
            let (uid, count, instance, stride) = (fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?);
            let steps = count.checked_sub(1).ok_or(CORRUPT)?;
            let last = stride.checked_mul(u64::from(steps)).and_then(|step| instance.checked_add(step));
            if uid.checked_add(steps).is_none() || last.is_none() {
                return Err(CORRUPT);
            }
            runs.push(Run { first: Item { uid: Uid(uid), instance: InstanceId(instance) }, count, stride });
        }
        Ok(Self { time, by, mailbox, action, runs })
    }
}

/// The key of an entry.
pub(super) fn key(account: AccountId, number: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4..].copy_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn number(key: &[u8]) -> Result<u64, Error> {
    Fields::new(key.get(4..).unwrap_or_default(), table::JOURNAL).u64()
}

impl View<'_> {
    /// The numbers of the oldest and of the newest entry of an account among these.
    pub(super) fn journal_ends(
        &self,
        account: AccountId,
        (first, last): (u64, u64),
    ) -> Result<Option<(u64, u64)>, Error> {
        let (first, last) = (key(account, first), key(account, last));
        let newest = self.tables.journal.get_lower_than_or_equal_to(self.txn, &last)?;
        let Some((newest, _)) = newest.filter(|(key, _)| *key >= &first[..]) else { return Ok(None) };
        let oldest = self.tables.journal.get_greater_than_or_equal_to(self.txn, &first)?;
        let Some((oldest, _)) = oldest else { return Ok(None) };
        Ok(Some((number(oldest)?, number(newest)?)))
    }

    /// Calls `each` with every entry of an account, the oldest first.
    pub(crate) fn journal(
        &self,
        account: AccountId,
        mut each: impl FnMut(Entry) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (first, last) = (key(account, 0), key(account, removed::FIRST));
        let range = (Bound::Included(&first[..]), Bound::Excluded(&last[..]));
        for entry in self.tables.journal.range(self.txn, &range)? {
            each(Entry::decode(entry?.1)?)?;
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Writes what a job did; nothing where it touched no message.
    pub(crate) fn put_journal(&mut self, account: AccountId, entry: &Entry) -> Result<(), Error> {
        let ends = self.view().journal_ends(account, (0, removed::FIRST - 1))?;
        let mut next = ends.map_or(0, |(_, newest)| newest.saturating_add(1));
        for runs in entry.runs.chunks(RUNS_MAX) {
            self.put(self.tables.journal, &key(account, next), &entry.encode(runs))?;
            next += 1;
        }
        let oldest = ends.map_or(0, |(oldest, _)| oldest);
        if next - oldest > ENTRIES_MAX {
            let last = next - ENTRIES_MAX + ENTRIES_TRIM;
            self.delete_range(self.tables.journal, &key(account, 0), &key(account, last))?;
        }
        Ok(())
    }

    /// Removes the journal of an account, and its list of what is gone for good.
    pub(crate) fn delete_journal(&mut self, account: AccountId) -> Result<(), Error> {
        self.delete_range(self.tables.journal, &key(account, 0), &key(account, u64::MAX)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(list: &[(u32, u64)]) -> Vec<Item> {
        list.iter().map(|(uid, instance)| Item { uid: Uid(*uid), instance: InstanceId(*instance) }).collect()
    }

    fn through(items: &[Item], action: Action) -> Vec<Entry> {
        let entry = Entry { time: 7, by: OriginId(3), mailbox: MailboxId(2), action, runs: Run::of(items) };
        entry.runs.chunks(RUNS_MAX).map(|runs| Entry::decode(&entry.encode(runs)).unwrap()).collect()
    }

    #[test]
    fn neighbours_take_one_run() {
        let regular: Vec<(u32, u64)> = (0..1000).map(|at| (5 + at, 100 + 3 * u64::from(at))).collect();
        assert_eq!(Run::of(&items(&regular)).len(), 1);
        assert_eq!(Run::of(&items(&[(1, 9), (2, 5), (3, 6), (7, 7)])).len(), 3);
        for action in [
            Action::Moved(MailboxId(9)),
            Action::Flagged(2, SystemFlags::SEEN),
            Action::TakenOut(Cause::Expired),
            Action::Fetched,
            Action::PopHidden,
            Action::BroughtBack,
            Action::Removed(b"<a@b>".to_vec(), None),
            Action::Removed(b"<a@b>".to_vec(), Some(Arrival { time: -5, by: OriginId::NOTICE, size: 1 << 40 })),
        ] {
            let decoded = through(&items(&regular), action.clone());
            assert_eq!((decoded.len(), &decoded[0].action), (1, &action));
            assert_eq!(decoded[0].runs, Run::of(&items(&regular)));
            assert!((1..3098).all(|id| decoded[0].has(InstanceId(id)) == (id >= 100 && id % 3 == 1)));
            assert!(!decoded[0].has(InstanceId(3100)));
            assert_eq!(decoded[0].instance_of(Uid(6)), Some(InstanceId(103)));
            assert_eq!((decoded[0].instance_of(Uid(4)), decoded[0].instance_of(Uid(1005))), (None, None));
        }
    }

    proptest! {
        #[test]
        fn entries_come_out_as_they_went_in(list in proptest::collection::vec((any::<u32>(), 0..1_u64 << 60), 0..300)) {
            let given = items(&list);
            let entries = through(&given, Action::Fetched);
            let all: Vec<Run> = entries.iter().flat_map(|entry| entry.runs.clone()).collect();
            prop_assert_eq!(&all, &Run::of(&given));
            prop_assert!(given.iter().all(|item| entries.iter().any(|entry| entry.has(item.instance))));
            prop_assert!(given.iter().all(|item| entries.iter().any(|entry| entry.instance_of(item.uid).is_some())));
        }

        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Entry::decode(&octets);
        }
    }
}
