//! UNSELECT (RFC 3691): leaves the mailbox and expunges nothing. The session drops the view.

use crate::imap::reply::Reply;

/// Says so.
#[must_use]
pub fn run() -> Reply {
    Reply::ok("UNSELECT completed")
}
