//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use crate::imap::reply::{Failure, Reply};
use crate::mailbox::Account;

/// Adds a name to the subscriptions, or takes it away.
///
/// # Errors
/// NO where a name to subscribe does not exist.
pub async fn run(account: &Account, name: &str, on: bool) -> Result<Reply, Failure> {
    account.subscribe(name, on).await?;
    Ok(Reply::ok(if on { "SUBSCRIBE completed" } else { "UNSUBSCRIBE completed" }))
}
