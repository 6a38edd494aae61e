//! COPY and MOVE: rows only; the content is shared.

use super::edit::{Edit, NewRow, TOO_MANY_KEYWORDS};
use super::quota::{self, QuotaRules, Slack};
use super::why::Note;
use super::{Error, Mailbox, name};
use crate::store::journal::Action;
use crate::store::schema::{MessageRow, kind};
use crate::store::txn::Tx;
use crate::store::{self, Refusal};
use crate::types::{AccountId, Door, KeywordBits, MailboxId, SpecialUse, Uid, UidSet, UidValidity};

/// What a COPY or MOVE made (RFC 4315 COPYUID): `from[i]` became `to[i]`.
#[derive(Clone, Debug)]
pub struct Copied {
    /// UIDVALIDITY of the destination.
    pub uid_validity: UidValidity,
    /// Source UIDs, ascending.
    pub from: Vec<u32>,
    /// Destination UIDs, ascending, as many.
    pub to: Vec<u32>,
}

fn source_rows(tx: &Tx<'_>, mailbox: MailboxId, uids: &UidSet) -> Result<Vec<(Uid, MessageRow)>, store::Error> {
    let mut rows = Vec::new();
    for range in uids.ranges() {
        tx.view().rows(mailbox, range.first, range.last, |uid, row| {
            rows.push((uid, row));
            Ok(true)
        })?;
    }
    Ok(rows)
}

/// A COPY or MOVE as the writer's job gets it.
pub(super) struct Transfer {
    pub(super) account: AccountId,
    pub(super) source: MailboxId,
    pub(super) uids: UidSet,
    /// The canonical name of a mailbox.
    pub(super) destination: String,
    pub(super) move_them: bool,
    pub(super) door: Door,
    pub(super) quota: QuotaRules,
}

pub(super) fn transfer(tx: &mut Tx<'_>, job: &Transfer) -> Result<Copied, store::Error> {
    let entry = tx.view().mailbox_entry(job.account, &job.destination)?;
    let target = entry.and_then(|entry| entry.mailbox).ok_or(Refusal::NotFound)?;
    let mut source = Edit::open(tx, job.source)?;
    // A mailbox that is its own destination is changed by one edit, or the counters would be written twice.
    let mut other = if target == job.source { None } else { Some(Edit::open(tx, target)?) };
    let rows = source_rows(tx, job.source, &job.uids)?;
    let uid_validity = other.as_ref().map_or(source.state.uid_validity, |edit| edit.state.uid_validity);
    let mut copied = Copied { uid_validity, from: Vec::new(), to: Vec::new() };
    if rows.is_empty() {
        return Ok(copied);
    }
    // Before anything is written: for some callers a refusal is an answer, and not the end of their job.
    let keywords = KeywordBits(rows.iter().fold(0, |all, (_, row)| all | row.keywords.0));
    if !other.as_ref().unwrap_or(&source).has_room_for(&source.keyword_names(keywords)) {
        return Err(Refusal::Limit(TOO_MANY_KEYWORDS).into());
    }
    if !job.move_them {
        let sum = rows.iter().fold(0_u64, |sum, (_, row)| sum.saturating_add(row.size));
        let slack = if entry.is_some_and(|entry| entry.special_use == Some(SpecialUse::Trash)) {
            Slack::Headroom
        } else {
            Slack::of(&job.door)
        };
        quota::admit(&tx.view(), &job.quota, job.account, slack, (rows.len() as u64, sum))?;
    }
    let now = tx.now()?;
    let origin = tx.intern(&job.door)?;
    let mut note = Note::new(origin, job.source, Action::Moved(target));
    for (uid, row) in rows {
        let names = source.keyword_names(row.keywords);
        let instance = if job.move_them { row.instance } else { tx.new_instance()? };
        if job.move_them {
            source.remove(tx, uid, &row)?;
        } else {
            tx.add_refs(kind::CONTENT, row.content.0, 1)?;
        }
        let destination = other.as_mut().unwrap_or(&mut source);
        let keywords = destination.keyword_bits(tx, &names)?;
        let new = NewRow {
            content: row.content,
            instance,
            system: row.flags,
            keywords,
            internal_date: row.internal_date,
            save_date: now,
            size: row.size,
            // A notice of ours stays one wherever it is moved; a copy counts, or notices could hold any amount of mail.
            origin: if job.move_them { row.origin } else { origin },
        };
        let to = destination.insert(tx, &new)?;
        if job.move_them {
            note.add(uid, row.instance);
        }
        copied.from.push(uid.0);
        copied.to.push(to.0);
    }
    source.finish(tx)?;
    if let Some(edit) = other {
        edit.finish(tx)?;
    }
    note.write(tx, job.account)?;
    Ok(copied)
}

impl Mailbox {
    /// Copies messages, all or none (RFC 9051 §6.4.7). Messages that are gone are left out silently.
    ///
    /// # Errors
    /// `NotFound`: no such destination. `OverQuota`, but for a little room in \Trash. `Limit`, `Temporary`.
    pub async fn copy(&self, uids: &UidSet, destination: &str) -> Result<Copied, Error> {
        self.transfer(uids, destination, false).await
    }

    /// Moves messages, all or none (RFC 6851), whatever the quota says; they keep their instance and so their POP3 unique-id.
    ///
    /// # Errors
    /// `NotFound`: no such destination. `Limit`, `Temporary`.
    pub async fn move_to(&self, uids: &UidSet, destination: &str) -> Result<Copied, Error> {
        self.transfer(uids, destination, true).await
    }

    async fn transfer(&self, uids: &UidSet, destination: &str, move_them: bool) -> Result<Copied, Error> {
        self.account.may_change()?;
        // A name that cannot be one does not exist.
        let Ok(destination) = name::canonical(destination) else { return Err(Error::NotFound) };
        let job = Transfer {
            account: self.account.id,
            source: self.id,
            uids: uids.clone(),
            destination,
            move_them,
            door: self.account.door,
            quota: self.account.core.quota_rules(),
        };
        let copied = self.account.core.store.write(move |tx| transfer(tx, &job)).await?;
        self.account.core.usage_changed(self.account.id);
        Ok(copied)
    }
}
