//! COPY (RFC 3501 §6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315 §3). All of the messages or none.

use super::{resolve, uid_set, writable};
use crate::imap::command::SequenceSet;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply, destination};
use crate::imap::sync::Selected;
use crate::mailbox::{Copied, Error};

/// COPY
///
/// # Errors
/// BAD for numbers that no message has; NO, with `[TRYCREATE]` where there is no such destination.
pub async fn copy(
    selected: &Selected,
    out: &mut Output<'_>,
    uid: bool,
    set: &SequenceSet,
    mailbox: &str,
) -> Result<Reply, Failure> {
    let uids = resolve(selected, uid, set)?;
    if uids.is_empty() {
        return Ok(Reply::ok("No messages to copy"));
    }
    let copied = out.while_waiting(selected.mailbox.copy(&uids, mailbox)).await?.map_err(destination)?;
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
    selected: &Selected,
    out: &mut Output<'_>,
    uid: bool,
    set: &SequenceSet,
    mailbox: &str,
) -> Result<Reply, Failure> {
    writable(selected)?;
    let uids = resolve(selected, uid, set)?;
    if uids.is_empty() {
        return Ok(Reply::ok("No messages to move"));
    }
    let moved = out.while_waiting(selected.mailbox.move_to(&uids, mailbox)).await?.map_err(destination)?;
    match copy_uid(&moved) {
        Some(code) => {
            // RFC 6851 §4.3: COPYUID before the expunges, so that the client can follow the messages.
            out.untagged(&format!("OK [{code}] Moved")).await?;
            Ok(Reply::ok("MOVE completed"))
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
