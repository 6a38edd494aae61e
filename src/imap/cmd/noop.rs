//! NOOP (RFC 3501 §6.1.2): all it does is what the session does after every command, the synchronisation.

use crate::imap::reply::Reply;

/// Does nothing.
#[must_use]
pub fn run() -> Reply {
    Reply::ok("NOOP completed")
}
