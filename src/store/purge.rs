//! Giving back the space of deleted messages and mailboxes, in bounded pieces.

use super::Error;
use super::hidden::{Cause, Hidden, HiddenAt, Lost};
use super::journal::{Action, Entry, Item, Run};
use super::removed::{LetGo, Removed, Removing};
use super::schema::{MessageRow, kind};
use super::txn::Tx;
use crate::types::{AccountId, BodyId, MailboxId, Uid};

/// Removes one piece; whether there was anything to remove. Bodies that a reader holds are left for later.
pub(crate) fn piece(tx: &mut Tx<'_>, entries: usize, chunks: u32, rows: usize) -> Result<bool, Error> {
    // Pinned bodies stay in the list: look past them, or they would hide the rest.
    let pinned = tx.pins.len();
    let before = tx.writes;
    for (kind, id) in tx.view().garbage(entries + pinned)? {
        if tx.writes - before > u64::from(chunks) {
            break;
        }
        match kind {
            kind::BODY if !tx.pins.contains(BodyId(id)) => {
                if tx.delete_chunks(BodyId(id), chunks)? {
                    tx.delete_garbage(kind, id)?;
                } else {
                    break;
                }
            }
            kind::MAILBOX => {
                let Ok(mailbox) = u32::try_from(id) else { continue };
                if !deleted_mailbox(tx, MailboxId(mailbox), rows)? {
                    break;
                }
            }
            kind::ACCOUNT => {
                let Ok(account) = u32::try_from(id) else { continue };
                if !account_hidden(tx, AccountId(account), rows)? {
                    break;
                }
                tx.delete_garbage(kind, id)?;
            }
            // Staged bodies belong to a delivery that is going on; `open` clears those of the last run.
            _ => {}
        }
    }
    Ok(tx.writes != before)
}

/// Takes up to so many rows out of deleted mailboxes, so that they can be brought back; whether some may be left.
pub(crate) fn deleted_mailboxes(tx: &mut Tx<'_>, rows: usize) -> Result<bool, Error> {
    let Some(mailbox) = tx.view().deleted_mailbox()? else { return Ok(false) };
    deleted_mailbox(tx, mailbox, rows)?;
    Ok(true)
}

/// Takes up to so many rows out of one deleted mailbox; whether none is left, and nothing of it.
fn deleted_mailbox(tx: &mut Tx<'_>, mailbox: MailboxId, rows: usize) -> Result<bool, Error> {
    let complete = mailbox_rows(tx, mailbox, rows)?;
    if complete {
        tx.delete_mailbox_remains(mailbox)?;
        tx.delete_garbage(kind::MAILBOX, mailbox.0.into())?;
    }
    Ok(complete)
}

/// Removes rows of a deleted mailbox; whether none is left.
fn mailbox_rows(tx: &mut Tx<'_>, mailbox: MailboxId, max: usize) -> Result<bool, Error> {
    let mut found = Vec::new();
    tx.view().rows(mailbox, 1, u32::MAX, |uid, row| {
        found.push((uid, row));
        Ok(found.len() <= max)
    })?;
    let complete = found.len() <= max;
    // The messages of a mailbox that is remembered can be brought back.
    let keeper = match tx.view().lost(mailbox)? {
        Some(lost) => tx.view().account_state(lost.account)?.map(|state| (lost, state)),
        None => None,
    };
    let account = tx.view().mailbox_state(mailbox)?.map(|state| state.account);
    for (_, row) in &found {
        if let Some(account) = account {
            tx.forget_pop_state(account, row.instance)?;
        }
    }
    let Some((lost, mut state)) = keeper else {
        release(tx, mailbox, found)?;
        return Ok(complete);
    };
    let items: Vec<Item> = found.iter().map(|(uid, row)| Item { uid: *uid, instance: row.instance }).collect();
    let action = Action::TakenOut(Cause::MailboxDeleted);
    tx.put_journal(lost.account, &Entry { time: lost.time, by: lost.by, mailbox, action, runs: Run::of(&items) })?;
    if !lost.kept {
        note_removed(tx, mailbox, &lost, &found)?;
        release(tx, mailbox, found)?;
        return Ok(complete);
    }
    let names = tx.view().keywords(mailbox)?;
    for (uid, row) in found {
        tx.delete_row(mailbox, uid)?;
        state.hidden += 1;
        state.hidden_bytes += row.size;
        let set = |bit: u32| row.keywords.0.checked_shr(bit).is_some_and(|bits| bits & 1 == 1);
        let named = (0_u32..).zip(&names).filter(|(bit, _)| set(*bit));
        let keywords = named.map(|(_, name)| name.clone()).collect();
        let hidden = Hidden { mailbox, uid, row, by: lost.by, cause: Cause::MailboxDeleted, keywords };
        tx.put_hidden(lost.account, lost.time, &hidden)?;
    }
    tx.put_account_state(lost.account, &state)?;
    Ok(complete)
}

/// Removes rows for good.
fn release(tx: &mut Tx<'_>, mailbox: MailboxId, rows: Vec<(Uid, MessageRow)>) -> Result<(), Error> {
    for (uid, row) in rows {
        tx.delete_row(mailbox, uid)?;
        tx.release_content(row.content)?;
    }
    Ok(())
}

/// What is known later of messages that went with their mailbox.
fn note_removed(tx: &mut Tx<'_>, mailbox: MailboxId, lost: &Lost, rows: &[(Uid, MessageRow)]) -> Result<(), Error> {
    let removing = Removing { time: lost.time, by: lost.by, why: LetGo::NotKept };
    let view = tx.view();
    let of = |(uid, row): &(Uid, MessageRow)| Removed::of(&view, removing, (mailbox, *uid), row);
    let removed: Vec<Removed> = rows.iter().map(of).collect::<Result<_, _>>()?;
    tx.put_removed(lost.account, &removed)
}

/// Removes hidden messages of a removed account; whether none is left.
fn account_hidden(tx: &mut Tx<'_>, account: AccountId, max: usize) -> Result<bool, Error> {
    let mut found = Vec::new();
    tx.view().hidden(account, HiddenAt::from(0), |at, hidden| {
        found.push((at, hidden.row.content));
        Ok(found.len() <= max)
    })?;
    let complete = found.len() <= max;
    for (at, content) in found {
        tx.delete_hidden(account, at)?;
        tx.release_content(content)?;
    }
    Ok(complete)
}

/// Turns what the last run left half-staged into garbage; `purge` removes it then.
pub(crate) fn adopt_staging(tx: &mut Tx<'_>) -> Result<(), Error> {
    for (kind, id) in tx.view().garbage(usize::MAX)? {
        if kind == kind::STAGING {
            tx.delete_garbage(kind, id)?;
            tx.add_garbage(kind::BODY, id)?;
        }
    }
    Ok(())
}
