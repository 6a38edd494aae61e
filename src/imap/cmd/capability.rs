//! CAPABILITY (RFC 3501 §6.1.1).

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};

/// Tells what the session can do now.
///
/// # Errors
/// Where the connection is gone.
pub async fn run(list: &str, out: &mut Output<'_>) -> Result<Reply, Failure> {
    out.untagged(list).await?;
    Ok(Reply::ok("Capability completed"))
}
