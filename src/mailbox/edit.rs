//! The only way in which rows of a mailbox change: counters, MODSEQ, the list of changes and the memory of
//! expunges are kept right here, in the transaction of the change.

use crate::store::schema::{MailboxState, MessageRow, OriginId};
use crate::store::txn::Tx;
use crate::store::{Error, Refusal};
use crate::types::{ContentId, DateTime, Flags, InstanceId, KeywordBits, MailboxId, ModSeq, SystemFlags, Uid, UidSet};

/// Limit: keywords of one mailbox.
pub const KEYWORDS_MAX: u8 = 128;
/// Said where a keyword does not fit.
pub(super) const TOO_MANY_KEYWORDS: &str = "the mailbox has as many keywords as it can";
/// Limit: octets of a keyword.
pub(super) const KEYWORD_LEN_MAX: usize = 128;
/// Limit: remembered expunges of a mailbox; what is older is answered with every UID that is gone.
const EXPUNGE_ENTRIES_MAX: u32 = 1000;
/// How many of the oldest are forgotten together.
const EXPUNGE_ENTRIES_TRIM: u32 = 250;

/// A new message's place in its mailbox.
#[derive(Clone, Debug)]
pub(super) struct NewRow {
    pub(super) content: ContentId,
    pub(super) instance: InstanceId,
    pub(super) system: SystemFlags,
    pub(super) keywords: KeywordBits,
    pub(super) internal_date: DateTime,
    pub(super) save_date: i64,
    pub(super) size: u64,
    pub(super) origin: OriginId,
}

/// A mailbox being changed by one job. [`Edit::finish`] writes what it kept in memory.
pub(super) struct Edit {
    pub(super) id: MailboxId,
    pub(super) state: MailboxState,
    keywords: Vec<String>,
    keywords_before: u8,
    /// The one MODSEQ that all changes of this job share.
    modseq: Option<ModSeq>,
    expunged: UidSet,
    messages: i64,
    bytes: i64,
    /// How notices of ours came and went: their number, and their octets.
    notices: (i64, i64),
    /// How hidden messages came and went.
    hidden: (i64, i64),
}

impl Edit {
    /// Begins to change a mailbox; `NotFound` where it was deleted.
    pub(super) fn open(tx: &Tx<'_>, id: MailboxId) -> Result<Self, Error> {
        let view = tx.view();
        let state = view.mailbox_state(id)?.ok_or(Refusal::NotFound)?;
        if tx.view().is_garbage(crate::store::schema::kind::MAILBOX, u64::from(id.0))? {
            return Err(Refusal::NotFound.into());
        }
        let keywords = view.keywords(id)?;
        let keywords_before = state.keywords;
        Ok(Self {
            id,
            state,
            keywords,
            keywords_before,
            modseq: None,
            expunged: UidSet::new(),
            messages: 0,
            bytes: 0,
            notices: (0, 0),
            hidden: (0, 0),
        })
    }

    /// The MODSEQ of this job's changes.
    pub(super) fn modseq(&mut self) -> ModSeq {
        *self.modseq.get_or_insert_with(|| {
            self.state.highest_modseq.0 += 1;
            self.state.highest_modseq
        })
    }

    /// The bits of these keywords; names new to the mailbox are added.
    pub(super) fn keyword_bits(&mut self, tx: &mut Tx<'_>, names: &[String]) -> Result<KeywordBits, Error> {
        let mut bits = KeywordBits::default();
        for name in names {
            let known = self.keywords.iter().position(|known| known.eq_ignore_ascii_case(name));
            let bit = match known {
                Some(bit) => bit,
                None => self.add_keyword(tx, name)?,
            };
            bits.0 |= 1 << bit;
        }
        Ok(bits)
    }

    /// Whether the mailbox can know all of these keywords.
    pub(super) fn has_room_for(&self, names: &[String]) -> bool {
        let is_new = |name: &&String| !self.keywords.iter().any(|known| known.eq_ignore_ascii_case(name));
        let new = names.iter().filter(is_new).count();
        u32::try_from(new)
            .is_ok_and(|new| u32::from(self.state.keywords).saturating_add(new) <= u32::from(KEYWORDS_MAX))
    }

    fn add_keyword(&mut self, tx: &mut Tx<'_>, name: &str) -> Result<usize, Error> {
        if self.state.keywords >= KEYWORDS_MAX {
            return Err(Refusal::Limit(TOO_MANY_KEYWORDS).into());
        }
        if name.is_empty() || name.len() > KEYWORD_LEN_MAX {
            return Err(Refusal::Limit("the keyword is too long").into());
        }
        tx.put_keyword(self.id, self.state.keywords, name)?;
        self.state.keywords += 1;
        self.keywords.push(name.to_owned());
        Ok(self.keywords.len() - 1)
    }

    /// The bits of those of these keywords that the mailbox knows.
    pub(super) fn known_bits(&self, names: &[String]) -> KeywordBits {
        let positions =
            names.iter().filter_map(|name| self.keywords.iter().position(|known| known.eq_ignore_ascii_case(name)));
        KeywordBits(positions.fold(0, |bits, bit| bits | (1 << bit)))
    }

    /// The names of these bits.
    pub(super) fn keyword_names(&self, bits: KeywordBits) -> Vec<String> {
        let named = self.keywords.iter().enumerate().filter(|(bit, _)| bits.0 >> bit & 1 == 1);
        named.map(|(_, name)| name.clone()).collect()
    }

    fn count_flags(&mut self, flags: SystemFlags, size: u64, add: bool) {
        let one = |counter: &mut u32| *counter = if add { *counter + 1 } else { counter.saturating_sub(1) };
        if !flags.contains(SystemFlags::SEEN) {
            one(&mut self.state.unseen);
        }
        if flags.contains(SystemFlags::DELETED) {
            one(&mut self.state.deleted);
            let bytes = &mut self.state.deleted_bytes;
            *bytes = if add { *bytes + size } else { bytes.saturating_sub(size) };
        }
    }

    /// Notes for the account that a message came (1) or went (-1).
    fn count(&mut self, origin: OriginId, size: u64, sign: i64) {
        let size = sign.saturating_mul(i64::try_from(size).unwrap_or(i64::MAX));
        self.messages += sign;
        self.bytes = self.bytes.saturating_add(size);
        if origin == OriginId::NOTICE {
            self.notices = (self.notices.0 + sign, self.notices.1.saturating_add(size));
        }
    }

    /// Notes for the account that a message was hidden (1) or brought back (-1).
    pub(super) fn count_hidden(&mut self, size: u64, sign: i64) {
        let size = sign.saturating_mul(i64::try_from(size).unwrap_or(i64::MAX));
        self.hidden = (self.hidden.0 + sign, self.hidden.1.saturating_add(size));
    }

    /// Adds a message; its UID.
    pub(super) fn insert(&mut self, tx: &mut Tx<'_>, new: &NewRow) -> Result<Uid, Error> {
        let uid = Uid(self.state.uid_next);
        if uid.0 == u32::MAX {
            return Err(Refusal::Limit("the mailbox has given out all its UIDs; copy its mail to a new one").into());
        }
        let modseq = self.modseq();
        let row = MessageRow {
            content: new.content,
            instance: new.instance,
            modseq,
            created: modseq,
            keywords: new.keywords,
            internal_date: new.internal_date,
            save_date: new.save_date,
            size: new.size,
            flags: new.system,
            origin: new.origin,
        };
        tx.put_row(self.id, uid, &row)?;
        self.state.uid_next += 1;
        self.state.messages += 1;
        self.state.recent += 1;
        self.state.bytes += new.size;
        self.count_flags(new.system, new.size, true);
        self.count(new.origin, new.size, 1);
        Ok(uid)
    }

    /// Gives a message other flags; whether they differ from those it had. `row` is the stored one and becomes the new one.
    pub(super) fn set_flags(
        &mut self,
        tx: &mut Tx<'_>,
        uid: Uid,
        row: &mut MessageRow,
        system: SystemFlags,
        keywords: KeywordBits,
    ) -> Result<bool, Error> {
        if row.flags == system && row.keywords == keywords {
            return Ok(false);
        }
        self.count_flags(row.flags, row.size, false);
        self.count_flags(system, row.size, true);
        if !system.contains(SystemFlags::SEEN) {
            self.state.unseen_floor = self.state.unseen_floor.min(uid.0);
        }
        (row.flags, row.keywords) = (system, keywords);
        self.write(tx, uid, row)?;
        Ok(true)
    }

    /// Gives a message another save date.
    pub(super) fn set_save_date(
        &mut self,
        tx: &mut Tx<'_>,
        uid: Uid,
        row: &mut MessageRow,
        time: i64,
    ) -> Result<(), Error> {
        row.save_date = time;
        self.write(tx, uid, row)
    }

    /// Writes a row that was changed.
    fn write(&mut self, tx: &mut Tx<'_>, uid: Uid, row: &mut MessageRow) -> Result<(), Error> {
        if row.modseq != row.created {
            tx.delete_change(self.id, row.modseq, uid)?;
        }
        row.modseq = self.modseq();
        tx.put_row(self.id, uid, row)?;
        if row.modseq != row.created {
            tx.put_change(self.id, row.modseq, uid)?;
        }
        Ok(())
    }

    /// Takes a message out of the mailbox. Its content is the caller's: released, or shown elsewhere.
    pub(super) fn remove(&mut self, tx: &mut Tx<'_>, uid: Uid, row: &MessageRow) -> Result<(), Error> {
        self.modseq();
        if row.modseq != row.created {
            tx.delete_change(self.id, row.modseq, uid)?;
        }
        tx.delete_row(self.id, uid)?;
        self.expunged.insert(uid.0);
        self.state.messages = self.state.messages.saturating_sub(1);
        self.state.bytes = self.state.bytes.saturating_sub(row.size);
        if uid.0 >= self.state.first_recent {
            self.state.recent = self.state.recent.saturating_sub(1);
        }
        self.count_flags(row.flags, row.size, false);
        self.count(row.origin, row.size, -1);
        Ok(())
    }

    /// Whether this job named keywords that are new to the mailbox.
    pub(super) const fn keywords_added(&self) -> bool {
        self.keywords_before < self.state.keywords
    }

    /// Writes the counters of the mailbox and of its account, and what was expunged.
    pub(super) fn finish(mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if let (Some(modseq), false) = (self.modseq, self.expunged.is_empty()) {
            for range in self.expunged.ranges() {
                tx.add_hole(self.id, range.first, range.last)?;
            }
            self.state.expunge_entries += tx.put_expunged(self.id, modseq, &self.expunged)?;
            if self.state.expunge_entries > EXPUNGE_ENTRIES_MAX {
                let (floor, gone) = tx.forget_expunged(self.id, EXPUNGE_ENTRIES_TRIM)?;
                self.state.expunge_floor = self.state.expunge_floor.max(floor);
                self.state.expunge_entries -= gone;
            }
        }
        tx.put_mailbox_state(self.id, &self.state)?;
        if self.messages != 0 || self.bytes != 0 || self.notices != (0, 0) || self.hidden != (0, 0) {
            let account = self.state.account;
            let mut state = tx.view().account_state(account)?.ok_or(Refusal::NotFound)?;
            state.messages = state.messages.saturating_add_signed(self.messages);
            state.bytes = state.bytes.saturating_add_signed(self.bytes);
            state.notices = state.notices.saturating_add_signed(self.notices.0);
            state.notice_bytes = state.notice_bytes.saturating_add_signed(self.notices.1);
            state.hidden = state.hidden.saturating_add_signed(self.hidden.0);
            state.hidden_bytes = state.hidden_bytes.saturating_add_signed(self.hidden.1);
            tx.put_account_state(account, &state)?;
        }
        if self.modseq.is_some() {
            tx.touch(self.state.account, self.id);
        }
        Ok(())
    }
}

/// Refuses keywords that cannot be sent as IMAP atoms.
pub(super) fn check_flags(flags: &Flags) -> Result<(), Refusal> {
    let atom = |name: &String| {
        !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet))
    };
    if flags.keywords.iter().all(atom) { Ok(()) } else { Err(Refusal::Invalid("not a keyword")) }
}
