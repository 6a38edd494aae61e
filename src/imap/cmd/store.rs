//! STORE (RFC 3501 §6.4.6).

use super::{pieces, resolve, writable};
use crate::imap::command::SequenceSet;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::{Manner, Selected};
use crate::mailbox::Error;
use crate::types::{FlagOperation, Flags};

/// Limit: messages changed in one step; their new flags are held in memory until they are told.
const STEP_MAX: u32 = 4096;

/// What to change.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The set holds UIDs.
    pub uid: bool,
    /// The messages.
    pub set: &'a SequenceSet,
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
    let Request { uid, set, operation, silent, flags } = request;
    writable(selected)?;
    let uids = resolve(selected, uid, set)?;
    let mut found = 0;
    for piece in pieces(&uids, STEP_MAX) {
        if silent {
            // Changes of others come first: behind a silent change of ours they would be lost.
            selected.sync(out, Manner { expunges: false, uids: uid }).await?;
        }
        let before = selected.view.modseq().0;
        let stored = selected.mailbox.store_flags(&piece, operation, flags, None).await?;
        found += u32::try_from(stored.messages.len()).unwrap_or(u32::MAX);
        if !silent {
            for change in &stored.messages {
                selected.tell_flags(change, out, uid).await?;
            }
        }
        // A silent change may hide one of another session only where that came in between. Then the
        // synchronisation tells the messages after all.
        let gapless = stored.modseqs.iter().map(|modseq| modseq.0).min() == Some(before + 1);
        if !silent || gapless {
            stored.modseqs.iter().for_each(|modseq| selected.view.tell(*modseq));
        }
    }
    if !uid && found < uids.len() {
        return Err(Error::Expunged.into());
    }
    Ok(Reply::ok("STORE completed"))
}
