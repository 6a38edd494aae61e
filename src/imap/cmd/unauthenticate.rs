//! UNAUTHENTICATE (RFC 8437): back to where the session was before its login; TLS stays. Behind the tagged reply the
//! session forgets the account, the selected mailbox and all that was enabled.

use crate::imap::reply::Reply;

/// Says so. RFC 8437 §3 permits no NO.
#[must_use]
pub fn run() -> Reply {
    Reply::ok("UNAUTHENTICATE completed")
}
