//! DELETE (RFC 3501 §6.3.4, RFC 9051 §6.3.5). A session that deletes its own selected mailbox goes on in the authenticated
//! state; other sessions that have it selected are ended by their next synchronisation.

use super::list;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::Selected;
use crate::mailbox::{Account, ListEntry, normal_name};
use std::borrow::Cow;

/// Removes a mailbox and its messages. The answer tells whether it was the selected one.
///
/// # Errors
/// NO where it does not exist or cannot be removed.
pub async fn run(
    account: &Account,
    out: &mut Output<'_>,
    selected: Option<&Selected>,
    name: &str,
) -> Result<(Reply, bool), Failure> {
    if name.eq_ignore_ascii_case("INBOX") {
        return Err(Reply::no("INBOX cannot be deleted").code("CANNOT").into());
    }
    let own = match selected {
        Some(selected) => account.open(name).is_ok_and(|mailbox| mailbox.id() == selected.mailbox.id()),
        None => false,
    };
    account.delete(name).await?;
    if out.enabled().rev2
        && let Cow::Owned(normal) = normal_name(name)
    {
        let gone = ListEntry::gone(normal);
        list::announce_entry(out, &account.entry(name).unwrap_or(gone), Some(name)).await?;
    }
    Ok((Reply::ok("DELETE completed"), own))
}
