//! STORE (RFC 3501 §6.4.6), also conditional (RFC 7162 §3.1.3).

use super::{pieces, resolve, uid_set, with_limit, writable};
use crate::imap::command::SequenceSet;
use crate::imap::message_limit;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply, refusal};
use crate::imap::sync::{Manner, Selected};
use crate::mailbox::search::Progress;
use crate::mailbox::{Change, Error};
use crate::types::{FlagOperation, Flags, ModSeq, Uid, UidSet};

/// Limit: messages changed in one step; their new flags are held in memory until they are told.
const STEP_MAX: u32 = 4096;
/// Rows that are read at a time.
const ROWS_MAX: u32 = 64;

/// What to change.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The set holds UIDs.
    pub uid: bool,
    /// The messages.
    pub set: &'a SequenceSet,
    /// Only messages whose MODSEQ is not higher are changed.
    pub unchanged_since: Option<ModSeq>,
    /// What to do with the flags.
    pub operation: FlagOperation,
    /// The client knows the outcome by itself.
    pub silent: bool,
    /// The flags.
    pub flags: &'a Flags,
}

/// Changes flags and tells the new ones.
///
/// # Errors
/// BAD for numbers that no message has, NO where the mailbox is read-only or cannot hold the keywords.
pub async fn run(selected: &mut Selected, out: &mut Output<'_>, request: Request<'_>) -> Result<Reply, Failure> {
    let Request { uid, set, unchanged_since, operation, silent, flags } = request;
    writable(selected)?;
    let (uids, cut) = message_limit::cut(resolve(selected, uid, set)?, selected.message_limit);
    let (mut found, mut done, goal) = (0, 0, uids.len());
    let mut modified = UidSet::new();
    for piece in pieces(&uids, STEP_MAX) {
        if silent {
            // Changes of others come first: behind a silent change of ours they would be lost.
            selected.sync(out, Manner { expunges: false, uids: uid }).await?;
        }
        out.progress(Progress { done, goal }).await?;
        done += piece.len();
        let before = selected.view.modseq().0;
        let stored = selected.mailbox.store_flags(&piece, operation, flags, unchanged_since).await?;
        found += u32::try_from(stored.messages.len()).unwrap_or(u32::MAX) + stored.modified.len();
        for change in &stored.messages {
            if !silent {
                selected.tell_flags(change, out, uid).await?;
            } else if selected.enabled.condstore {
                selected.tell_modseq(change, out).await?;
            }
        }
        // The client's knowledge of these was out of date (RFC 7162 §3.1.3).
        tell_now(selected, out, uid, &stored.modified).await?;
        modified = modified.union(&stored.modified);
        // A silent change may hide one of another session only where that came in between. Then the
        // synchronisation tells the messages after all.
        let gapless = stored.modseqs.iter().map(|modseq| modseq.0).min() == Some(before + 1);
        if !silent || gapless {
            stored.modseqs.iter().for_each(|modseq| selected.view.tell(*modseq));
        }
    }
    if silent && !flags.keywords.is_empty() {
        selected.learn_limit(out).await?;
    }
    let reply = if !uid && found < uids.len() { refusal(&Error::Expunged) } else { Reply::ok("STORE completed") };
    if modified.is_empty() {
        return with_limit(reply, cut, out).await;
    }
    let failed = if uid { modified } else { selected.view.numbers(&modified) };
    with_limit(reply.code(format!("MODIFIED {}", uid_set(&failed))), cut, out).await
}

/// Tells the flags that messages have now.
async fn tell_now(selected: &mut Selected, out: &mut Output<'_>, uid: bool, uids: &UidSet) -> Result<(), Failure> {
    for piece in pieces(uids, ROWS_MAX) {
        for row in selected.mailbox.rows(&piece, Uid(1))? {
            let change = Change { uid: row.uid, flags: row.flags, keywords: row.keywords, modseq: row.modseq };
            selected.tell_flags(&change, out, uid).await?;
        }
    }
    Ok(())
}
