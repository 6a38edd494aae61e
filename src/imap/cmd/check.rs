//! CHECK (RFC 3501 §6.4.1): everything answered is durable already, so it is NOOP.

use crate::imap::reply::Reply;

/// Does nothing.
#[must_use]
pub fn run() -> Reply {
    Reply::ok("CHECK completed")
}
