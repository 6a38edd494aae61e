//! CREATE (RFC 3501 §6.3.3). Missing superiors are made too; a delimiter at the end is ignored.

use crate::imap::reply::{Failure, Reply};
use crate::mailbox::Account;

/// Makes a mailbox.
///
/// # Errors
/// NO where it exists or the name cannot be used.
pub async fn run(account: &Account, name: &str) -> Result<Reply, Failure> {
    account.create(name, None).await?;
    Ok(Reply::ok("CREATE completed"))
}
