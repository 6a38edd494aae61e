//! LOGOUT (RFC 3501 §6.1.3). The session closes the connection after the tagged reply.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};

/// Says BYE.
///
/// # Errors
/// Where the connection is gone.
pub async fn run(out: &mut Output<'_>) -> Result<Reply, Failure> {
    out.untagged("BYE Logging out").await?;
    Ok(Reply::ok("LOGOUT completed"))
}
