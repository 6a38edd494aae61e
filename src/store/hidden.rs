//! Messages that were expunged and can be brought back: their content is kept, no mailbox shows them, no quota counts them.

use super::Error;
use super::codec::{Fields, put_text};
use super::schema::{MessageRow, OriginId, table, use_from_number, use_number};
use super::txn::Tx;
use super::view::View;
use crate::types::{
    AccountId, ContentId, DateTime, InstanceId, KeywordBits, MailboxId, ModSeq, SpecialUse, SystemFlags, Uid,
};
use std::ops::Bound;

/// Why a message was taken out of its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody expunged it.
    Expunged,
    /// It was older than its mailbox keeps mail.
    Expired,
    /// Its mailbox was deleted.
    MailboxDeleted,
    /// Another message took its place (RFC 8508).
    Replaced,
}

const CAUSES: [Cause; 4] = [Cause::Expunged, Cause::Expired, Cause::MailboxDeleted, Cause::Replaced];

impl Cause {
    /// The number by which it is stored.
    pub(super) fn number(self) -> u8 {
        CAUSES.iter().position(|cause| *cause == self).and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        CAUSES.get(usize::from(number)).copied()
    }
}

/// `hidden`: a message out of its mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub(crate) mailbox: MailboxId,
    /// As it was in its mailbox. `modseq` and the keyword bits mean nothing any more.
    pub(crate) uid: Uid,
    pub(crate) row: MessageRow,
    /// Who took it out, and why.
    pub(crate) by: OriginId,
    pub(crate) cause: Cause,
    pub(crate) keywords: Vec<String>,
}

/// Where a hidden message stands in its table: when it was hidden, then its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HiddenAt {
    pub(crate) time: i64,
    pub(crate) instance: InstanceId,
}

impl HiddenAt {
    /// The first place of that moment.
    pub(crate) const fn from(time: i64) -> Self {
        Self { time, instance: InstanceId(0) }
    }

    /// The next place.
    pub(crate) const fn after(self) -> Self {
        Self { time: self.time, instance: InstanceId(self.instance.0.saturating_add(1)) }
    }

    fn key(self, account: AccountId) -> [u8; 20] {
        let mut key = [0; 20];
        key[..4].copy_from_slice(&account.0.to_be_bytes());
        key[4..12].copy_from_slice(&self.time.max(0).to_be_bytes());
        key[12..].copy_from_slice(&self.instance.0.to_be_bytes());
        key
    }

    pub(crate) fn of(key: &[u8]) -> Result<(AccountId, Self), Error> {
        let mut fields = Fields::new(key, table::HIDDEN);
        let (account, time) = (AccountId(fields.u32()?), fields.i64()?);
        Ok((account, Self { time, instance: InstanceId(fields.u64()?) }))
    }
}

impl Hidden {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&self.mailbox.0.to_be_bytes());
        out.extend_from_slice(&self.uid.0.to_be_bytes());
        out.extend_from_slice(&self.row.content.0.to_be_bytes());
        out.extend_from_slice(&self.row.internal_date.seconds.to_be_bytes());
        out.extend_from_slice(&self.row.internal_date.zone.to_be_bytes());
        out.extend_from_slice(&self.row.save_date.to_be_bytes());
        out.extend_from_slice(&self.row.size.to_be_bytes());
        out.push(self.row.flags.0);
        out.extend_from_slice(&self.row.origin.0.to_be_bytes());
        out.extend_from_slice(&self.by.0.to_be_bytes());
        out.push(self.cause.number());
        for keyword in &self.keywords {
            put_text(&mut out, keyword);
        }
        out
    }

    pub(crate) fn decode(value: &[u8], instance: InstanceId) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::HIDDEN);
        let (mailbox, uid) = (MailboxId(fields.u32()?), Uid(fields.u32()?));
        let row = MessageRow {
            content: ContentId(fields.u64()?),
            instance,
            modseq: ModSeq(0),
            created: ModSeq(0),
            keywords: KeywordBits::default(),
            internal_date: DateTime { seconds: fields.i64()?, zone: fields.i16()? },
            save_date: fields.i64()?,
            size: fields.u64()?,
            flags: SystemFlags(fields.u8()?),
            origin: OriginId(fields.u32()?),
        };
        let by = OriginId(fields.u32()?);
        let cause = Cause::from_number(fields.u8()?).ok_or(Error::Corrupt(table::HIDDEN))?;
        let mut keywords = Vec::new();
        while !fields.rest().is_empty() {
            keywords.push(fields.text()?);
        }
        Ok(Self { mailbox, uid, row, by, cause, keywords })
    }
}

/// `lost`: a deleted mailbox some of whose messages may still be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) account: AccountId,
    /// When it was deleted, and by whom.
    pub(crate) time: i64,
    pub(crate) by: OriginId,
    pub(crate) name: String,
    /// Whether its messages are hidden; else they go at once and for good.
    pub(crate) kept: bool,
    /// What it was for.
    pub(crate) special_use: Option<SpecialUse>,
    /// Its own rule: after how many days mail goes from it; 0: never.
    pub(crate) days: Option<u32>,
}

impl Lost {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.account.0.to_be_bytes().to_vec();
        out.extend_from_slice(&self.time.to_be_bytes());
        out.extend_from_slice(&self.by.0.to_be_bytes());
        put_text(&mut out, &self.name);
        out.push(u8::from(self.kept));
        out.push(use_number(self.special_use));
        if let Some(days) = self.days {
            out.extend_from_slice(&days.to_be_bytes());
        }
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::LOST);
        let (account, time, by) = (AccountId(fields.u32()?), fields.i64()?, OriginId(fields.u32()?));
        let name = fields.text()?;
        // Version 2 ends here, and keeps all.
        let kept = fields.rest().is_empty() || fields.u8()? != 0;
        // Version 3 ends here.
        let special_use = if fields.rest().is_empty() { 0 } else { fields.u8()? };
        let special_use = use_from_number(special_use, table::LOST)?;
        let days = if fields.rest().is_empty() { None } else { Some(fields.u32()?) };
        fields.end()?;
        Ok(Self { account, time, by, name, kept, special_use, days })
    }
}

impl View<'_> {
    /// Calls `each` with every hidden message of an account from that place on, the oldest first, until it answers false.
    pub(crate) fn hidden(
        &self,
        account: AccountId,
        from: HiddenAt,
        mut each: impl FnMut(HiddenAt, Hidden) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let (first, mut last) = (from.key(account), [0xff; 20]);
        last[..4].copy_from_slice(&account.0.to_be_bytes());
        let range = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        for entry in self.tables.hidden.range(self.txn, &range)? {
            let (key, value) = entry?;
            let (_, at) = HiddenAt::of(key)?;
            if !each(at, Hidden::decode(value, at.instance)?)? {
                break;
            }
        }
        Ok(())
    }

    /// A deleted mailbox that is remembered.
    pub(crate) fn lost(&self, mailbox: MailboxId) -> Result<Option<Lost>, Error> {
        self.tables.lost.get(self.txn, &mailbox.0.to_be_bytes())?.map(Lost::decode).transpose()
    }

    /// All deleted mailboxes of an account that are remembered.
    pub(crate) fn lost_of(&self, account: AccountId) -> Result<Vec<(MailboxId, Lost)>, Error> {
        let mut found = Vec::new();
        for entry in self.tables.lost.iter(self.txn)? {
            let (key, value) = entry?;
            let lost = Lost::decode(value)?;
            if lost.account == account {
                found.push((MailboxId(super::view::key_u32(key, 0, table::LOST)?), lost));
            }
        }
        Ok(found)
    }
}

impl Tx<'_> {
    pub(crate) fn put_hidden(&mut self, account: AccountId, time: i64, hidden: &Hidden) -> Result<(), Error> {
        let at = HiddenAt { time, instance: hidden.row.instance };
        self.put(self.tables.hidden, &at.key(account), &hidden.encode())
    }

    pub(crate) fn delete_hidden(&mut self, account: AccountId, at: HiddenAt) -> Result<(), Error> {
        self.delete(self.tables.hidden, &at.key(account)).map(drop)
    }

    pub(crate) fn put_lost(&mut self, mailbox: MailboxId, lost: &Lost) -> Result<(), Error> {
        self.put(self.tables.lost, &mailbox.0.to_be_bytes(), &lost.encode())
    }

    pub(crate) fn delete_lost(&mut self, mailbox: MailboxId) -> Result<(), Error> {
        self.delete(self.tables.lost, &mailbox.0.to_be_bytes()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_as_they_went_in() {
        let row = MessageRow {
            content: ContentId(7),
            instance: InstanceId(8),
            modseq: ModSeq(0),
            created: ModSeq(0),
            keywords: KeywordBits::default(),
            internal_date: DateTime { seconds: -5, zone: -60 },
            save_date: 1_700_000_000,
            size: 1 << 40,
            flags: SystemFlags::SEEN,
            origin: OriginId::NOTICE,
        };
        for cause in CAUSES {
            for keywords in [vec![], vec!["$Label".to_owned(), "Todo".to_owned()]] {
                let hidden = Hidden { mailbox: MailboxId(3), uid: Uid(4), row, by: OriginId(5), cause, keywords };
                assert_eq!(Hidden::decode(&hidden.encode(), InstanceId(8)).unwrap(), hidden);
                for end in 0..52 {
                    assert!(Hidden::decode(&hidden.encode()[..end], InstanceId(8)).is_err(), "cut at {end}");
                }
            }
        }
        for kept in [true, false] {
            let (name, special_use) = ("Entwürfe".to_owned(), Some(SpecialUse::Junk));
            let lost = Lost { account: AccountId(1), time: 2, by: OriginId(3), name, kept, special_use, days: Some(9) };
            let stored = lost.encode();
            assert_eq!(Lost::decode(&stored).unwrap(), lost);
            let no_rule = Lost { days: None, ..lost };
            assert_eq!(Lost::decode(&no_rule.encode()).unwrap(), no_rule);
            // As versions 3 and 2 wrote it.
            let lost = Lost { special_use: None, ..no_rule };
            assert_eq!(Lost::decode(&stored[..stored.len() - 5]).unwrap(), lost);
            assert_eq!(Lost::decode(&stored[..stored.len() - 6]).unwrap(), Lost { kept: true, ..lost });
        }
        let at = HiddenAt { time: 5, instance: InstanceId(6) };
        assert_eq!(HiddenAt::of(&at.key(AccountId(9))).unwrap(), (AccountId(9), at));
        assert!(at < at.after() && HiddenAt::from(5) < at);
    }
}
