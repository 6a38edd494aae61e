//! DELETE (RFC 3501 §6.3.4). A session that deletes its own selected mailbox goes on in the authenticated
//! state; other sessions that have it selected are ended by their next synchronisation.

use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::Selected;
use crate::mailbox::Account;

/// Removes a mailbox and its messages. The answer tells whether it was the selected one.
///
/// # Errors
/// NO where it does not exist or cannot be removed.
pub async fn run(account: &Account, selected: Option<&Selected>, name: &str) -> Result<(Reply, bool), Failure> {
    if name.eq_ignore_ascii_case("INBOX") {
        return Err(Reply::no("INBOX cannot be deleted").code("CANNOT").into());
    }
    let own = match selected {
        Some(selected) => account.open(name).is_ok_and(|mailbox| mailbox.id() == selected.mailbox.id()),
        None => false,
    };
    account.delete(name).await?;
    Ok((Reply::ok("DELETE completed"), own))
}
