//! Removing messages. Their space is given back later, by the store.

use super::edit::Edit;
use super::retention::{Removal, RetentionRules};
use super::{Error, Mailbox};
use crate::store::txn::Tx;
use crate::store::{self, Cause};
use crate::types::{Door, MailboxId, SystemFlags, UidSet};

/// Removes the messages of `among`, or only those of them with \Deleted.
pub(super) fn expunge(
    tx: &mut Tx<'_>,
    (mailbox, among, deleted_only): (MailboxId, &UidSet, bool),
    (door, rules): (&Door, RetentionRules),
) -> Result<UidSet, store::Error> {
    let mut edit = Edit::open(tx, mailbox)?;
    let mut gone = UidSet::new();
    if deleted_only && edit.state.deleted == 0 {
        return Ok(gone);
    }
    let mut rows = Vec::new();
    for range in among.ranges() {
        tx.view().rows(mailbox, range.first, range.last, |uid, row| {
            if !deleted_only || row.flags.contains(SystemFlags::DELETED) {
                rows.push((uid, row));
            }
            Ok(true)
        })?;
    }
    if rows.is_empty() {
        return Ok(gone);
    }
    let mut removal = Removal::new(tx, rules, edit.state.account, door, Cause::Expunged)?;
    for (uid, row) in rows {
        removal.run(tx, &mut edit, uid, &row)?;
        gone.insert(uid.0);
    }
    edit.finish(tx)?;
    removal.finish(tx)?;
    Ok(gone)
}

impl Mailbox {
    /// Removes the messages with \Deleted, of `among` only where given, in one durable commit; the UIDs that went.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub async fn expunge(&self, among: Option<&UidSet>) -> Result<UidSet, Error> {
        let among = among.cloned().unwrap_or_else(|| UidSet::from_range(1, u32::MAX));
        self.take_out(among, true).await
    }

    /// Removes these messages whatever their flags (POP3 QUIT), in one durable commit; the UIDs that went.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub async fn remove(&self, uids: &UidSet) -> Result<UidSet, Error> {
        self.take_out(uids.clone(), false).await
    }

    async fn take_out(&self, among: UidSet, deleted_only: bool) -> Result<UidSet, Error> {
        self.account.may_change()?;
        let (id, door, rules) = (self.id, self.account.door, self.account.core.retention_rules());
        let job = move |tx: &mut Tx<'_>| expunge(tx, (id, &among, deleted_only), (&door, rules));
        let gone = self.account.core.store.write(job).await?;
        if !gone.is_empty() {
            self.account.core.store.purge();
            self.account.core.usage_changed(self.account.id);
        }
        Ok(gone)
    }
}
