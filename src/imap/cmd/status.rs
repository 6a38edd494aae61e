//! STATUS (RFC 3501 §6.3.10), answered from counters, with SIZE (RFC 8438), DELETED (RFC 9051 §6.3.11), DELETED-STORAGE
//! (RFC 9208 §4.1.4), MAILBOXID (RFC 8474 §4.3) and APPENDLIMIT (RFC 7889 §3.1). RFC 9051 knows no RECENT; who asks for it all the same is told 0, which
//! is what its messages are.
//!
//! Quirk(K-9, FairEmail): STATUS on the selected mailbox, which the RFC advises against, is answered too.

use crate::imap::command::StatusItem;
use crate::imap::object_id;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::write_number;
use crate::imap::wire::write;
use crate::mailbox::{Account, Status};

/// Tells the counters of a mailbox. `append_limit`: octets of the largest message that it takes.
///
/// # Errors
/// NO where it does not exist.
pub async fn run(
    account: &Account,
    out: &mut Output<'_>,
    append_limit: u64,
    mailbox: &str,
    items: &[StatusItem],
) -> Result<Reply, Failure> {
    let status = account.status(mailbox)?;
    tell(out, mailbox, &status, append_limit, items).await?;
    Ok(Reply::ok("STATUS completed"))
}

/// The STATUS response, also of a LIST (RFC 5819).
///
/// # Errors
/// Where the connection is gone.
pub async fn tell(
    out: &mut Output<'_>,
    mailbox: &str,
    status: &Status,
    append_limit: u64,
    items: &[StatusItem],
) -> Result<(), Failure> {
    let mut line = b"* STATUS ".to_vec();
    write::mailbox(&mut line, mailbox, out.enabled().quoting());
    line.extend_from_slice(b" (");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        let (name, value) = match item {
            StatusItem::Messages => ("MESSAGES ", u64::from(status.messages)),
            StatusItem::Recent if out.enabled().rev2 => ("RECENT ", 0),
            StatusItem::Recent => ("RECENT ", u64::from(status.recent)),
            StatusItem::UidNext => ("UIDNEXT ", u64::from(status.uid_next.0)),
            StatusItem::UidValidity => ("UIDVALIDITY ", u64::from(status.uid_validity.0)),
            StatusItem::HighestModSeq => ("HIGHESTMODSEQ ", status.highest_modseq.0),
            StatusItem::Unseen => ("UNSEEN ", u64::from(status.unseen)),
            StatusItem::Deleted => ("DELETED ", u64::from(status.deleted)),
            StatusItem::DeletedStorage => ("DELETED-STORAGE ", status.deleted_bytes),
            StatusItem::Size => ("SIZE ", status.bytes),
            StatusItem::MailboxId => {
                let id = object_id::mailbox(status.mailbox);
                line.extend_from_slice(format!("MAILBOXID ({id})").as_bytes());
                continue;
            }
            StatusItem::AppendLimit => ("APPENDLIMIT ", append_limit),
        };
        write_number(&mut line, name, value, "");
    }
    line.extend_from_slice(b")\r\n");
    out.put(&line).await
}
