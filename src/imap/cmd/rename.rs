//! RENAME (RFC 3501 §6.3.5). Inferiors move along; INBOX keeps its name and gives away its messages.

use crate::imap::reply::{Failure, Reply};
use crate::mailbox::Account;

/// Renames a mailbox.
///
/// # Errors
/// NO where the old name does not exist, the new one does, or a name cannot be used.
pub async fn run(account: &Account, from: &str, to: &str) -> Result<Reply, Failure> {
    account.rename(from, to).await?;
    Ok(Reply::ok("RENAME completed"))
}
