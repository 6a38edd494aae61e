//! REPLACE and UID REPLACE (RFC 8508): a new message comes and an old one goes, in one step.

use super::{append, list, resolve, writable};
use crate::imap::Context;
use crate::imap::command::{AppendMessage, SequenceSet};
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply, destination};
use crate::imap::sync::Selected;
use crate::imap::wire::Receiver;
use crate::mailbox::{Account, Error};
use crate::net::Connection;
use crate::types::{Uid, UidSet};

/// What to replace, and with what.
pub struct Request<'a> {
    /// The set holds a UID.
    pub uid: bool,
    /// One message.
    pub set: &'a SequenceSet,
    /// Where the new message goes.
    pub mailbox: &'a str,
    /// The new message.
    pub message: AppendMessage,
}

/// Takes in the new message and removes the old one; the synchronisation tells of both.
///
/// # Errors
/// As APPEND; NO where the old message is gone or the selected mailbox is read-only. Nothing is changed then.
pub async fn run(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    (account, selected): (&Account, &mut Selected),
    request: Request<'_>,
) -> Result<Reply, Failure> {
    let Request { uid, set, mailbox, message } = request;
    let (literal, utf8) = (message.literal, message.utf8);
    let old = match replaceable(selected, uid, set) {
        Ok((old, size)) => append::acceptable(context, account, mailbox, (&message, receiver.enabled))
            .and_then(|()| Ok(account.check_append((0, literal.size.saturating_sub(size)))?))
            .map(|()| old),
        Err(failure) => Err(failure),
    };
    let (old, allowed) = match old {
        Ok(old) => (Some(old), Ok(())),
        Err(failure) => (None, Err(failure)),
    };
    append::unless_refused(connection, receiver, context, literal, allowed).await?;
    let Some(old) = old else { return Err(gone()) };
    let staged = append::receive(connection, receiver, context, &message).await?;
    if let Some(another) = append::next(connection, receiver, context, utf8).await? {
        let refused = Err(Reply::bad("Only one message can replace another").into());
        append::unless_refused(connection, receiver, context, another.literal, refused).await?;
    }
    let new = (mailbox, message.flags, message.date);
    let appended = account.replace(staged, new, (selected.mailbox.id(), old)).await.map_err(|error| match error {
        Error::Expunged => gone(),
        other => destination(other),
    })?;
    selected.note_removed(&UidSet::from_range(old.0, old.0));
    selected.note_made(appended.uid_validity, &UidSet::from_range(appended.uid.0, appended.uid.0));
    // RFC 8508 §4.3: before the client hears that the old one went.
    let code = format!("OK [APPENDUID {} {}] Replacement message ready", appended.uid_validity.0, appended.uid.0);
    let out = &mut Output::new(connection, selected.enabled);
    list::announce_spelling(account, out, mailbox).await?;
    out.untagged(&code).await?;
    Ok(Reply::ok("REPLACE completed"))
}

fn gone() -> Failure {
    Reply::no("There is no such message to replace").into()
}

/// The message that goes, and its size.
fn replaceable(selected: &Selected, uid: bool, set: &SequenceSet) -> Result<(Uid, u64), Failure> {
    writable(selected)?;
    let uids = resolve(selected, uid, set)?;
    let old = uids.first().map(Uid).ok_or_else(gone)?;
    let row = selected.mailbox.rows(&uids, old)?.into_iter().next().filter(|row| row.uid == old);
    Ok((old, row.ok_or_else(gone)?.size))
}
