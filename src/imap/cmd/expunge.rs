//! EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). The synchronisation behind the command tells
//! what went.

use super::writable;
use crate::imap::command::SequenceSet;
use crate::imap::message_limit;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::Selected;
use crate::mailbox::search::Query;
use crate::types::SystemFlags;

/// Removes the messages with \Deleted, with `uids` only those of them.
///
/// # Errors
/// NO where the mailbox is read-only.
pub async fn run(selected: &mut Selected, out: &mut Output<'_>, uids: Option<&SequenceSet>) -> Result<Reply, Failure> {
    writable(selected)?;
    let mut among = uids.map(|set| selected.view.by_uid(set));
    let mut cut = None;
    // RFC 9738 §3.1: only messages with \Deleted count, and EXPUNGE has no limit.
    if let Some(named) = among.take_if(|among| among.len() > selected.message_limit) {
        let deleted = Query::Flag { flag: SystemFlags::DELETED, set: true };
        let deleted = selected.mailbox.search(&deleted, &named).await?;
        let (kept, code) = message_limit::cut(deleted, selected.message_limit);
        (among, cut) = (Some(kept), code);
    }
    if among.as_ref().is_none_or(|among| !among.is_empty()) {
        let gone = out.while_waiting(selected.mailbox.expunge(among.as_ref())).await??;
        selected.note_removed(&gone);
    }
    let reply = Reply::ok("EXPUNGE completed");
    Ok(match cut {
        Some(code) => reply.code(code),
        None => reply,
    })
}
