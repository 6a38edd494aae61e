//! RENAME (RFC 3501 §6.3.5, RFC 9051 §6.3.6). Inferiors move along, subscriptions too; INBOX keeps its name and gives away
//! its messages.

use super::list;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::mailbox::Account;

/// Renames a mailbox. Clients of RFC 9051 hear of its new name, spelled as it is kept, and of its subscription.
///
/// # Errors
/// NO where the old name does not exist, the new one does, or a name cannot be used.
pub async fn run(account: &Account, out: &mut Output<'_>, from: &str, to: &str) -> Result<Reply, Failure> {
    account.rename(from, to).await?;
    if out.enabled().rev2 && from.eq_ignore_ascii_case("INBOX") {
        // INBOX did not become another name.
        list::announce_spelling(account, out, to).await?;
    } else if out.enabled().rev2
        && let Ok(entry) = account.entry(to)
    {
        list::announce_entry(out, &entry, Some(from)).await?;
    }
    Ok(Reply::ok("RENAME completed"))
}
