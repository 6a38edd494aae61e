//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). The synchronisation behind the command tells
//! what went.

use super::writable;
use crate::imap::command::SequenceSet;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::Selected;

/// Removes the messages with \Deleted, with `uids` only those of them.
///
/// # Errors
/// NO where the mailbox is read-only.
pub async fn run(selected: &Selected, out: &mut Output<'_>, uids: Option<&SequenceSet>) -> Result<Reply, Failure> {
    writable(selected)?;
    let among = uids.map(|set| selected.view.by_uid(set));
    if among.as_ref().is_none_or(|among| !among.is_empty()) {
        out.while_waiting(selected.mailbox.expunge(among.as_ref())).await??;
    }
    Ok(Reply::ok("EXPUNGE completed"))
}
