//! NAMESPACE (RFC 2342): one personal namespace without a prefix; nobody shares mailboxes.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::types::DELIMITER;

/// Tells the namespaces.
///
/// # Errors
/// Where the connection is gone.
pub async fn run(out: &mut Output<'_>) -> Result<Reply, Failure> {
    out.untagged(&format!("NAMESPACE ((\"\" \"{DELIMITER}\")) NIL NIL")).await?;
    Ok(Reply::ok("NAMESPACE completed"))
}
