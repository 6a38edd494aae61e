//! UNAUTHENTICATE (RFC 8437): back to where the session was before its login; TLS stays. Behind the tagged reply the
//! session forgets the account, the selected mailbox and all that was enabled.
//!
//! A compressed session ends instead, as §3 allows: where the client's compression ends is not marked, so what
//! it sends behind the command could be misread.

use crate::imap::reply::{Failure, Reply};
use crate::net::Connection;

/// Whether the session may forget who logged in. RFC 8437 §3 permits no NO.
///
/// # Errors
/// `Bye` where the connection is compressed.
pub fn run(connection: &Connection) -> Result<Reply, Failure> {
    if connection.is_deflated() {
        return Err(Failure::Bye("Log in on a new connection: this one is compressed"));
    }
    Ok(Reply::ok("UNAUTHENTICATE completed"))
}
