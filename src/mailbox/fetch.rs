//! Reading messages.

use super::account::local_time;
use super::{Error, Mailbox};
use crate::message::{Record, Summary};
use crate::store::schema::{Content, MessageRow};
use crate::store::view::View;
use crate::store::{self, Pin, Refusal, Store};
use crate::types::{ContentId, DateTime, Door, InstanceId, KeywordBits, MailboxId, ModSeq, SystemFlags, Uid, UidSet};
use std::sync::Arc;

/// Limit: rows in one answer.
const ROWS_MAX: usize = 64;
/// Limit: octets in one answer.
const READ_MAX: usize = 64 << 10;

/// A message's index row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// UID
    pub uid: Uid,
    /// System flags.
    pub flags: SystemFlags,
    /// Keywords.
    pub keywords: KeywordBits,
    /// MODSEQ (RFC 7162).
    pub modseq: ModSeq,
    /// INTERNALDATE
    pub internal_date: DateTime,
    /// SAVEDATE (RFC 8514), seconds since 1970.
    pub save_date: i64,
    /// RFC822.SIZE, exact.
    pub size: u64,
    /// EMAILID (RFC 8474).
    pub content: ContentId,
    /// UIDL (RFC 1939).
    pub instance: InstanceId,
}

impl Row {
    /// SAVEDATE (RFC 8514) in the zone of this machine.
    #[must_use]
    pub fn save_time(&self) -> DateTime {
        local_time(self.save_date)
    }

    /// A row of no message.
    #[cfg(test)]
    pub(super) fn of_test(uid: u32, arrived: i64, size: u64) -> Self {
        Self {
            uid: Uid(uid),
            flags: SystemFlags::NONE,
            keywords: KeywordBits(0),
            modseq: ModSeq(1),
            internal_date: DateTime { seconds: arrived, zone: 0 },
            save_date: 0,
            size,
            content: ContentId(1),
            instance: InstanceId(1),
        }
    }

    const fn new(uid: Uid, row: &MessageRow) -> Self {
        Self {
            uid,
            flags: row.flags,
            keywords: row.keywords,
            modseq: row.modseq,
            internal_date: row.internal_date,
            save_date: row.save_date,
            size: row.size,
            content: row.content,
            instance: row.instance,
        }
    }
}

/// A message open for reading: its cached record and its octets, which are kept while this lives.
pub struct Message {
    store: Arc<Store>,
    row: Row,
    content: Content,
    record: Record,
    _pin: Pin,
}

impl Message {
    /// The index row at the moment of opening.
    #[must_use]
    pub const fn row(&self) -> &Row {
        &self.row
    }

    /// RFC822.SIZE: the prefix (headers added at delivery) and the body.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.content.prefix.len() as u64 + self.content.body_len
    }

    /// Length of the header that delivery put before the message as it came. All offsets in
    /// [`Record`] count from behind it; see [`Message::read`].
    #[must_use]
    pub const fn prefix_len(&self) -> u64 {
        self.content.prefix.len() as u64
    }

    /// Envelope, structure and offsets, scanned when the message came in.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// At most `max` (64 KiB where larger) octets from `offset` of the whole message (prefix first).
    /// Shorter only at the end.
    ///
    /// # Errors
    /// `Temporary` where a checksum does not fit; the log says more.
    pub fn read(&self, offset: u64, max: usize) -> Result<Vec<u8>, Error> {
        let max = max.min(READ_MAX);
        let prefix = &self.content.prefix;
        let from_body = |offset, max| {
            let read = self.store.read(|view| view.body(self.content.body, self.content.body_len, offset, max));
            read.inspect_err(|_| {
                log::error!("message {} (body {}) cannot be read", self.row.uid.0, self.content.body.0);
            })
        };
        match usize::try_from(offset).ok().and_then(|offset| prefix.get(offset..)).filter(|rest| !rest.is_empty()) {
            Some(rest) => {
                let mut out = rest[..rest.len().min(max)].to_vec();
                if out.len() < max {
                    out.extend(from_body(0, max - out.len())?);
                }
                Ok(out)
            }
            None => Ok(from_body(offset.saturating_sub(self.prefix_len()), max)?),
        }
    }
}

impl Mailbox {
    /// Rows of those messages of `uids` that exist, ascending, from `from` on, at most 64.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn rows(&self, uids: &UidSet, from: Uid) -> Result<Vec<Row>, Error> {
        self.read(|view| rows_from(view, self.id, uids, from))
    }

    /// Looks at the next messages of `uids` from `from` on, at most 64, over one snapshot, and at their records where
    /// they lie. Gives where to go on; None at the end.
    ///
    /// # Errors
    /// `Temporary` where the store fails or a record is damaged; the log says which.
    pub(super) fn look(&self, uids: &UidSet, from: Uid, look: &mut impl Look) -> Result<Option<Uid>, Error> {
        self.read(|view| {
            let mut rows = rows_from(view, self.id, uids, from)?;
            let Some(last) = rows.last().map(|row| row.uid) else { return Ok(None) };
            rows.retain(|row| look.at_row(row));
            let ids: Vec<ContentId> = rows.iter().map(|row| row.content).collect();
            let mut seen = 0;
            let walked = view.records(&ids, |index, record| {
                let (Some(row), Ok(summary)) = (rows.get(index), Summary::read(record)) else {
                    return Err(store::Error::Corrupt("contents"));
                };
                look.at_record(row, &summary);
                seen += 1;
                Ok(())
            });
            if let Some(row) = rows.get(seen) {
                log_damage(row.uid, row.content);
                return Err(walked.err().unwrap_or(store::Error::Corrupt("contents")));
            }
            walked?;
            Ok(last.0.checked_add(1).filter(|next| uids.last().is_some_and(|last| *next <= last)).map(Uid))
        })
    }

    /// By which door a message came into the account; unknown where nobody noted it.
    ///
    /// # Errors
    /// `Expunged` where it is gone, `Temporary` where the store fails.
    pub fn arrival(&self, uid: Uid) -> Result<Door, Error> {
        let door = self.read(|view| view.row(self.id, uid)?.map(|row| view.door(row.origin)).transpose())?;
        door.ok_or(Error::Expunged)
    }

    /// The envelope, structure and offsets of a message without its octets; the cheaper way where these suffice.
    ///
    /// # Errors
    /// `Expunged` where it is gone, `Temporary` where the store fails.
    pub fn record(&self, row: &Row) -> Result<Record, Error> {
        let Some(content) = self.read(|view| view.content(row.content))? else { return Err(Error::Expunged) };
        sound(row.uid, row.content, content.record)
    }

    /// One message for reading; its octets stay readable while the handle lives.
    ///
    /// # Errors
    /// `Expunged` where it is gone, `Temporary` where the store fails.
    pub fn message(&self, uid: Uid) -> Result<Message, Error> {
        let store = &self.account.core.store;
        let body = store.read(|view| {
            let Some(row) = view.row(self.id, uid)? else { return Ok(None) };
            view.content_body(row.content)
        })?;
        let Some(body) = body else { return Err(Error::Expunged) };
        // Between the look and the pin the message may have gone: look again, now that nobody can take its octets.
        let pin = store.pin(body);
        let found = store.read(|view| {
            let Some(row) = view.row(self.id, uid)? else { return Ok(None) };
            let content = view.content(row.content)?.ok_or(store::Error::Corrupt("contents"))?;
            Ok(Some((row, content)))
        })?;
        let Some((row, mut content)) = found else { return Err(Error::Expunged) };
        let record = sound(uid, row.content, std::mem::take(&mut content.record))?;
        Ok(Message { store: store.clone(), row: Row::new(uid, &row), content, record, _pin: pin })
    }
}

/// Who looks at many messages in short transactions: it may not wait in them.
pub(super) trait Look {
    /// Takes in a row; true where the record is wanted too.
    fn at_row(&mut self, row: &Row) -> bool;
    /// Takes in the record of a row that wanted it.
    fn at_record(&mut self, row: &Row, summary: &Summary<'_>);
}

/// At most 64 rows of those messages of `uids` that exist, ascending, from `from` on.
fn rows_from(view: &View<'_>, mailbox: MailboxId, uids: &UidSet, from: Uid) -> Result<Vec<Row>, store::Error> {
    let mut rows = Vec::new();
    let ranges = uids.ranges();
    for range in &ranges[ranges.partition_point(|range| range.last < from.0)..] {
        if rows.len() >= ROWS_MAX {
            break;
        }
        view.rows(mailbox, range.first.max(from.0), range.last, |uid, row| {
            rows.push(Row::new(uid, &row));
            Ok(rows.len() < ROWS_MAX)
        })?;
    }
    Ok(rows)
}

fn log_damage(uid: Uid, content: ContentId) {
    log::error!("message {} (content {}): its record is damaged; run 'mailnook verify'", uid.0, content.0);
}

/// A stored record, checked.
fn sound(uid: Uid, content: ContentId, record: Vec<u8>) -> Result<Record, Error> {
    Record::from_bytes(record).map_err(|_| {
        log_damage(uid, content);
        Error::Temporary
    })
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        store::Error::from(refusal).into()
    }
}
