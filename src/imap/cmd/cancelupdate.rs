//! CANCELUPDATE (RFC 5267 §4.3.5): ends the updates of searches. A tag that none has is none to be told of either.

use crate::imap::context;
use crate::imap::reply::Reply;
use crate::imap::sync::Selected;

/// Ends the updates of the searches with these tags.
pub fn run(selected: &mut Selected, tags: &[String]) -> Reply {
    context::cancel(selected, tags);
    Reply::ok("No further updates")
}
