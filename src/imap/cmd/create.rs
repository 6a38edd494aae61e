//! CREATE (RFC 3501 §6.3.3, RFC 9051 §6.3.4) with USE (RFC 6154 §3) and MAILBOXID (RFC 8474 §4.1). Missing superiors are made too; a
//! delimiter at the end is ignored.
//!
//! A mailbox has one special use at most, and a use one mailbox of an account: the new one takes it over.

use super::list;
use crate::imap::object_id;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::mailbox::Account;
use crate::types::SpecialUse;

/// Makes a mailbox. `uses` are the special-use attributes that it is to have.
///
/// # Errors
/// NO where it exists or the name cannot be used; `[USEATTR]` for uses that it cannot have.
pub async fn run(account: &Account, out: &mut Output<'_>, name: &str, uses: &[String]) -> Result<Reply, Failure> {
    let special_use = special_use(uses)?;
    let mailbox = account.create(name, special_use).await?;
    list::announce_spelling(account, out, name).await?;
    Ok(Reply::ok("CREATE completed").code(format!("MAILBOXID ({})", object_id::mailbox(mailbox))))
}

fn special_use(uses: &[String]) -> Result<Option<SpecialUse>, Reply> {
    let mut chosen = None;
    for name in uses {
        let Some(special_use) = SpecialUse::from_attribute(name) else {
            return Err(Reply::no("That special use is not supported").code("USEATTR"));
        };
        if chosen.is_some_and(|other| other != special_use) {
            return Err(Reply::no("A mailbox has one special use at most").code("USEATTR"));
        }
        chosen = Some(special_use);
    }
    Ok(chosen)
}
