//! NOTIFY (RFC 5465): what the session tells unasked from now on, also between commands.
//!
//! STATUS responses are sent for changes that this session made in other mailboxes, too: they tell counters as they are
//! now, which holds whoever changed them.

use crate::imap::command::NotifyRequest;
use crate::imap::notify::{Notifier, Spec};
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::{Manner, Selected};
use crate::mailbox::Account;

/// Replaces what is followed. SET tells first what happened in the selected mailbox (RFC 5465 §3.1).
///
/// # Errors
/// NO with `[NOTIFICATIONOVERFLOW]` where that is more than a session can follow; all stays as it was then.
pub async fn run(
    account: &Account,
    notifier: &mut Option<Box<Notifier>>,
    selected: Option<&mut Selected>,
    out: &mut Output<'_>,
    request: NotifyRequest,
) -> Result<Reply, Failure> {
    let notifier = notifier.get_or_insert_with(|| Box::new(Notifier::new(account)));
    let id = selected.as_ref().map(|selected| selected.mailbox.id());
    match request {
        NotifyRequest::None => notifier.set_none(),
        NotifyRequest::Set { status, groups } => {
            if notifier.set(account, Spec::new(groups)).is_err() {
                let reply = Reply::no("There are more mailboxes than can be followed");
                return Err(reply.code("NOTIFICATIONOVERFLOW").into());
            }
            if let Some(selected) = selected {
                selected.listening = None;
                selected.sync(out, Manner { expunges: true, uids: true }).await?;
                selected.listening = notifier.listening(selected.view.modseq());
            }
            if status {
                notifier.tell_status(account, out, id).await?;
            }
            return Ok(Reply::ok("NOTIFY completed"));
        }
    }
    if let Some(selected) = selected {
        selected.listening = notifier.listening(selected.view.modseq());
    }
    Ok(Reply::ok("NOTIFY completed"))
}
