//! Changing flags.

use super::edit::{Edit, check_flags};
use super::why::Note;
use super::{Change, Error, Mailbox};
use crate::store::journal::Action;
use crate::store::txn::Tx;
use crate::store::{self};
use crate::types::{Door, FlagOperation, Flags, ModSeq, UidSet};

/// The outcome of a STORE.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Every message of the request that exists, with its flags afterwards (changed or not), ascending by UID.
    pub messages: Vec<Change>,
    /// Modification sequences that this STORE made: a session that has told them need not tell them again.
    pub modseqs: Vec<ModSeq>,
    /// UIDs that failed `unchanged_since` (RFC 7162 §3.1.3 MODIFIED).
    pub modified: UidSet,
}

/// A STORE as the writer's job gets it.
pub(super) struct Request {
    pub(super) uids: UidSet,
    pub(super) operation: FlagOperation,
    pub(super) flags: Flags,
    pub(super) unchanged_since: Option<ModSeq>,
    pub(super) door: Door,
}

pub(super) fn store_flags(
    tx: &mut Tx<'_>,
    mailbox: crate::types::MailboxId,
    request: &Request,
) -> Result<Stored, store::Error> {
    let mut edit = Edit::open(tx, mailbox)?;
    let mut stored = Stored::default();
    let mut rows = Vec::new();
    for range in request.uids.ranges() {
        tx.view().rows(mailbox, range.first, range.last, |uid, row| {
            rows.push((uid, row));
            Ok(true)
        })?;
    }
    let bits = match request.operation {
        FlagOperation::Remove => edit.known_bits(&request.flags.keywords),
        _ if rows.is_empty() => edit.known_bits(&request.flags.keywords),
        _ => edit.keyword_bits(tx, &request.flags.keywords)?,
    };
    let mut changed = Vec::new();
    for (uid, mut row) in rows {
        if request.unchanged_since.is_some_and(|since| row.modseq > since) {
            stored.modified.insert(uid.0);
            continue;
        }
        let (system, mut keywords) = match request.operation {
            FlagOperation::Replace => (request.flags.system, bits),
            FlagOperation::Add => (row.flags.with(request.flags.system), row.keywords),
            FlagOperation::Remove => (row.flags.without(request.flags.system), row.keywords),
        };
        match request.operation {
            FlagOperation::Replace => {}
            FlagOperation::Add => keywords.0 |= bits.0,
            FlagOperation::Remove => keywords.0 &= !bits.0,
        }
        if edit.set_flags(tx, uid, &mut row, system, keywords)? {
            changed.push((uid, row.instance));
        }
        stored.messages.push(Change::new(uid, &row));
    }
    if !changed.is_empty() {
        stored.modseqs.push(edit.modseq());
        let account = edit.state.account;
        edit.finish(tx)?;
        let operation = match request.operation {
            FlagOperation::Replace => 0,
            FlagOperation::Add => 1,
            FlagOperation::Remove => 2,
        };
        let by = tx.intern(&request.door)?;
        let mut note = Note::new(by, mailbox, Action::Flagged(operation, request.flags.system));
        for (uid, instance) in changed {
            note.add(uid, instance);
        }
        note.write(tx, account)?;
    } else if edit.keywords_added() {
        edit.finish(tx)?;
    }
    Ok(stored)
}

impl Mailbox {
    /// Changes flags (RFC 9051 §6.4.6); durable when it returns. Messages that are gone are left out silently.
    /// With `unchanged_since` messages with a higher modseq are not changed but told (RFC 7162 §3.1.3).
    /// The answer has an entry for each message, so callers with bounded memory give a part of a large set at a time.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Invalid` keywords, `Limit`, `Temporary`.
    pub async fn store_flags(
        &self,
        uids: &UidSet,
        operation: FlagOperation,
        flags: &Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, Error> {
        self.account.may_change()?;
        check_flags(flags).map_err(store::Error::from)?;
        let id = self.id;
        let request =
            Request { uids: uids.clone(), operation, flags: flags.clone(), unchanged_since, door: self.account.door };
        Ok(self.account.core.store.write(move |tx| store_flags(tx, id, &request)).await?)
    }
}
