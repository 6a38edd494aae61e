//! STATUS (RFC 3501 §6.3.10), answered from counters.
//!
//! Quirk(K-9, FairEmail): STATUS on the selected mailbox, which the RFC advises against, is answered too.

use crate::imap::command::StatusItem;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::write_number;
use crate::imap::wire::write;
use crate::mailbox::Account;

/// Tells the counters of a mailbox.
///
/// # Errors
/// NO where it does not exist.
pub async fn run(
    account: &Account,
    out: &mut Output<'_>,
    mailbox: &str,
    items: &[StatusItem],
) -> Result<Reply, Failure> {
    let status = account.status(mailbox)?;
    let mut line = b"* STATUS ".to_vec();
    write::mailbox(&mut line, mailbox);
    line.extend_from_slice(b" (");
    for (index, item) in items.iter().enumerate() {
        let (name, value) = match item {
            StatusItem::Messages => ("MESSAGES ", u64::from(status.messages)),
            StatusItem::Recent => ("RECENT ", u64::from(status.recent)),
            StatusItem::UidNext => ("UIDNEXT ", u64::from(status.uid_next.0)),
            StatusItem::UidValidity => ("UIDVALIDITY ", u64::from(status.uid_validity.0)),
            StatusItem::HighestModSeq => ("HIGHESTMODSEQ ", status.highest_modseq.0),
            StatusItem::Unseen => ("UNSEEN ", u64::from(status.unseen)),
        };
        if index > 0 {
            line.push(b' ');
        }
        write_number(&mut line, name, value, "");
    }
    line.extend_from_slice(b")\r\n");
    out.put(&line).await?;
    Ok(Reply::ok("STATUS completed"))
}
