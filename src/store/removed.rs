//! The other part of `journal`: messages that are gone for good, each with what nothing else tells any more.
//!
//! They share entries and have room of their own: who empties a mailbox of tens of thousands of messages pushes out
//! nothing that is known of others.

use super::Error;
use super::codec::{Fields, put_text};
use super::journal::{Arrival, Item, key, number};
use super::schema::{MessageRow, OriginId, table};
use super::txn::Tx;
use super::view::View;
use crate::types::{AccountId, ContentId, InstanceId, MailboxId, Uid};
use std::ops::Bound;

/// Entries of `journal` with this number and higher ones are lists of removed messages.
pub(super) const FIRST: u64 = 1 << 63;
/// Limit: octets of an entry, so that two of them fit a page.
const ENTRY_MAX: usize = 2000;
/// Limit: entries of an account. Each but the last is nearly full: they are three megabytes, and some 30,000 messages.
const ENTRIES_MAX: u64 = 1500;
/// How many of the oldest are removed together.
const ENTRIES_TRIM: u64 = 50;
/// Limit: octets of a Message-ID that is kept.
const MESSAGE_ID_MAX: usize = 250;

/// Why nothing is left of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetGo {
    /// The days were over in which it could be brought back.
    DaysOver(u32),
    /// The disk was short; it had days left.
    DiskShort,
    /// Nothing is kept to be brought back.
    NotKept,
}

/// A message that is gone for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) time: i64,
    pub(crate) by: OriginId,
    pub(crate) why: LetGo,
    pub(crate) mailbox: MailboxId,
    /// Where it was last.
    pub(crate) item: Item,
    pub(crate) arrival: Arrival,
    pub(crate) message_id: Vec<u8>,
}

/// When, by whom and why messages are removed.
#[derive(Clone, Copy)]
pub(crate) struct Removing {
    pub(crate) time: i64,
    pub(crate) by: OriginId,
    pub(crate) why: LetGo,
}

impl Removed {
    /// What is to be known of a message that still has its content.
    pub(crate) fn of(
        view: &View<'_>,
        Removing { time, by, why }: Removing,
        (mailbox, uid): (MailboxId, Uid),
        row: &MessageRow,
    ) -> Result<Self, Error> {
        let item = Item { uid, instance: row.instance };
        let arrival = Arrival { time: row.internal_date.seconds, by: row.origin, size: row.size };
        Ok(Self { time, by, why, mailbox, item, arrival, message_id: view.message_id(row.content)? })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time.to_be_bytes());
        out.extend_from_slice(&self.by.0.to_be_bytes());
        let (why, days) = match self.why {
            LetGo::DaysOver(days) => (0, days),
            LetGo::DiskShort => (1, 0),
            LetGo::NotKept => (2, 0),
        };
        out.push(why);
        out.extend_from_slice(&days.to_be_bytes());
        out.extend_from_slice(&self.mailbox.0.to_be_bytes());
        out.extend_from_slice(&self.item.uid.0.to_be_bytes());
        out.extend_from_slice(&self.item.instance.0.to_be_bytes());
        out.extend_from_slice(&self.arrival.time.to_be_bytes());
        out.extend_from_slice(&self.arrival.by.0.to_be_bytes());
        out.extend_from_slice(&self.arrival.size.to_be_bytes());
        let kept = self.message_id.get(..MESSAGE_ID_MAX).unwrap_or(&self.message_id);
        put_text(out, &String::from_utf8_lossy(kept));
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let (time, by) = (fields.i64()?, OriginId(fields.u32()?));
        let why = match (fields.u8()?, fields.u32()?) {
            (0, days) => LetGo::DaysOver(days),
            (1, 0) => LetGo::DiskShort,
            (2, 0) => LetGo::NotKept,
            _ => return Err(Error::Corrupt(table::JOURNAL)),
        };
        let mailbox = MailboxId(fields.u32()?);
        let item = Item { uid: Uid(fields.u32()?), instance: InstanceId(fields.u64()?) };
        let arrival = Arrival { time: fields.i64()?, by: OriginId(fields.u32()?), size: fields.u64()? };
        Ok(Self { time, by, why, mailbox, item, arrival, message_id: fields.text()?.into_bytes() })
    }
}

/// Calls `each` with every message of an entry, the oldest first.
pub(super) fn read(value: &[u8], mut each: impl FnMut(Removed) -> Result<(), Error>) -> Result<(), Error> {
    let mut fields = Fields::new(value, table::JOURNAL);
    while !fields.rest().is_empty() {
        each(Removed::decode(&mut fields)?)?;
    }
    Ok(())
}

impl View<'_> {
    /// The Message-ID of a content; empty where it has none.
    pub(crate) fn message_id(&self, content: ContentId) -> Result<Vec<u8>, Error> {
        let Some(content) = self.content(content)? else { return Ok(Vec::new()) };
        let record = crate::message::Record::from_bytes(content.record);
        Ok(record.ok().and_then(|record| record.envelope().message_id.map(<[u8]>::to_vec)).unwrap_or_default())
    }

    /// Calls `each` with every message of an account that is gone for good and still known, the oldest first.
    pub(crate) fn removed(
        &self,
        account: AccountId,
        mut each: impl FnMut(Removed) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (first, last) = (key(account, FIRST), key(account, u64::MAX));
        let range = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        for entry in self.tables.journal.range(self.txn, &range)? {
            read(entry?.1, &mut each)?;
        }
        Ok(())
    }

    /// The newest entry of an account.
    fn last_removed(&self, account: AccountId) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let newest = self.tables.journal.get_lower_than_or_equal_to(self.txn, &key(account, u64::MAX))?;
        let newest = newest.filter(|(found, _)| *found >= &key(account, FIRST)[..]);
        newest.map(|(key, value)| Ok((number(key)?, value.to_vec()))).transpose()
    }
}

impl Tx<'_> {
    /// Notes messages that are gone for good: behind those before them, or in further entries where one is full.
    pub(crate) fn put_removed(&mut self, account: AccountId, messages: &[Removed]) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let (mut at, mut entry) = self.view().last_removed(account)?.unwrap_or((FIRST, Vec::new()));
        let mut next = Vec::new();
        for message in messages {
            next.clear();
            message.encode(&mut next);
            if entry.len() + next.len() > ENTRY_MAX {
                self.put(self.tables.journal, &key(account, at), &entry)?;
                at = at.saturating_add(1);
                entry.clear();
            }
            entry.extend_from_slice(&next);
        }
        self.put(self.tables.journal, &key(account, at), &entry)?;
        let ends = self.view().journal_ends(account, (FIRST, u64::MAX))?;
        if ends.is_some_and(|(oldest, newest)| newest - oldest >= ENTRIES_MAX) {
            let last = at - ENTRIES_MAX + ENTRIES_TRIM;
            self.delete_range(self.tables.journal, &key(account, FIRST), &key(account, last))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn removed(number: u32, message_id: &[u8], why: LetGo) -> Removed {
        Removed {
            time: 1_700_000_000 + i64::from(number),
            by: OriginId(2),
            why,
            mailbox: MailboxId(3),
            item: Item { uid: Uid(number), instance: InstanceId(1000 + u64::from(number)) },
            arrival: Arrival { time: -5, by: OriginId::NOTICE, size: 1 << 40 },
            message_id: message_id.to_vec(),
        }
    }

    #[test]
    fn lists_come_out_as_they_went_in() {
        let all = [
            removed(1, b"<a@b>", LetGo::DaysOver(7)),
            removed(2, b"", LetGo::DiskShort),
            removed(3, "<ä@b>".as_bytes(), LetGo::NotKept),
        ];
        let mut entry = Vec::new();
        for one in &all {
            one.encode(&mut entry);
        }
        let mut found = Vec::new();
        read(&entry, |one| {
            found.push(one);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, all);
        let mut long = Vec::new();
        removed(4, &[b'x'; 5000], LetGo::NotKept).encode(&mut long);
        assert!(long.len() < ENTRY_MAX / 5);
        assert!((1..long.len()).all(|end| read(&long[..end], |_| Ok(())).is_err()));
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&octets, |_| Ok(()));
        }
    }
}
