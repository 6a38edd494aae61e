//! COPY (RFC 3501 §6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315 §3). All of the messages or none.

use super::{resolve, uid_set, with_limit, writable};
use crate::imap::command::SequenceSet;
use crate::imap::message_limit;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply, destination};
use crate::imap::sync::Selected;
use crate::mailbox::{Copied, Error};

/// COPY
///
/// # Errors
/// BAD for numbers that no message has; NO, with `[TRYCREATE]` where there is no such destination.
pub async fn copy(
    selected: &mut Selected,
    out: &mut Output<'_>,
    uid: bool,
    set: &SequenceSet,
    mailbox: &str,
) -> Result<Reply, Failure> {
    let uids = resolve(selected, uid, set)?;
    if uids.is_empty() {
        return Ok(Reply::ok("No messages to copy"));
    }
    if let (_, Some(code)) = message_limit::cut(uids.clone(), selected.message_limit) {
        return Err(Reply::no("There are more messages than one command may copy").code(code).into());
    }
    let copied = out.while_waiting(selected.mailbox.copy(&uids, mailbox)).await?.map_err(destination)?;
    selected.note_made(copied.uid_validity, &copied.to.iter().copied().collect());
    match copy_uid(&copied) {
        Some(code) => Ok(Reply::ok("COPY completed").code(code)),
        None if uid => Ok(Reply::ok("No messages to copy")),
        None => Err(Error::Expunged.into()),
    }
}

/// MOVE. The synchronisation behind it tells what went.
///
/// # Errors
/// As [`copy`], and NO where the mailbox is read-only.
pub async fn r#move(
    selected: &mut Selected,
    out: &mut Output<'_>,
    uid: bool,
    set: &SequenceSet,
    mailbox: &str,
) -> Result<Reply, Failure> {
    writable(selected)?;
    let (uids, cut) = message_limit::cut(resolve(selected, uid, set)?, selected.message_limit);
    if uids.is_empty() {
        return Ok(Reply::ok("No messages to move"));
    }
    let moved = out.while_waiting(selected.mailbox.move_to(&uids, mailbox)).await?.map_err(destination)?;
    selected.note_removed(&moved.from.iter().copied().collect());
    selected.note_made(moved.uid_validity, &moved.to.iter().copied().collect());
    match copy_uid(&moved) {
        Some(code) => {
            // RFC 6851 §4.3: COPYUID before the expunges, so that the client can follow the messages.
            out.untagged(&format!("OK [{code}] Moved")).await?;
            with_limit(Reply::ok("MOVE completed"), cut, out).await
        }
        None if uid => Ok(Reply::ok("No messages to move")),
        None => Err(Error::Expunged.into()),
    }
}

/// The response code; None where nothing was copied.
fn copy_uid(copied: &Copied) -> Option<String> {
    if copied.from.is_empty() {
        return None;
    }
    let (from, to) = (copied.from.iter().copied().collect(), copied.to.iter().copied().collect());
    Some(format!("COPYUID {} {} {}", copied.uid_validity.0, uid_set(&from), uid_set(&to)))
}
