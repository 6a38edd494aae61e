//! ID (RFC 2971). What the client tells about itself is only for its own logs and changes nothing.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};

/// Tells our name, and after login our version.
///
/// # Errors
/// Where the connection is gone.
pub async fn run(logged_in: bool, out: &mut Output<'_>) -> Result<Reply, Failure> {
    let answer = if logged_in {
        concat!("ID (\"name\" \"mailnook\" \"version\" \"", env!("CARGO_PKG_VERSION"), "\")")
    } else {
        "ID (\"name\" \"mailnook\")"
    };
    out.untagged(answer).await?;
    Ok(Reply::ok("ID completed"))
}
