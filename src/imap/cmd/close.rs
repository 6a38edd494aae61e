//! CLOSE (RFC 3501 §6.4.2): expunges without telling and leaves the mailbox. The session drops the view.

use crate::imap::reply::Reply;
use crate::imap::sync::Selected;

/// Expunges, unless the mailbox is read-only.
pub async fn run(selected: &Selected) -> Reply {
    if !selected.read_only {
        // CLOSE knows no NO: messages that stay keep their \Deleted, and the cause is in the log.
        let _expunged = selected.mailbox.expunge(None).await;
    }
    Reply::ok("CLOSE completed")
}
