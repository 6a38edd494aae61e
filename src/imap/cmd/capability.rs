//! CAPABILITY (RFC 3501 §6.1.1).

use crate::imap::capability::{self, Circumstances};
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};

/// Tells what the session can do now.
///
/// # Errors
/// Where the connection is gone.
pub async fn run(circumstances: Circumstances, out: &mut Output<'_>) -> Result<Reply, Failure> {
    out.untagged(&capability::list(circumstances)).await?;
    Ok(Reply::ok("Capability completed"))
}
