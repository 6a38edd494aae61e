//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2; RFC 9051 §6.3.2, §6.3.3), with HIGHESTMODSEQ and QRESYNC (RFC 7162 §3.1.2,
//! §3.2.5). Costs no more for 100,000 messages than for one.

use super::list;
use crate::imap::command::Resync;
use crate::imap::enabled::Enabled;
use crate::imap::object_id;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::resync;
use crate::imap::selected::View;
use crate::imap::sync::Selected;
use crate::mailbox::{Account, Snapshot};
use crate::types::Uid;

/// What to open.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The mailbox's name.
    pub name: &'a str,
    /// EXAMINE; a device that may only read cannot do otherwise.
    pub read_only: bool,
    /// What the client remembers of it (RFC 7162 §3.2.5).
    pub resync: Option<&'a Resync>,
}

/// Opens a mailbox and tells of it.
///
/// # Errors
/// NO where it does not exist; the session then has no mailbox selected.
pub async fn run(
    account: &Account,
    out: &mut Output<'_>,
    request: Request<'_>,
    enabled: Enabled,
    message_limit: u32,
) -> Result<(Reply, Selected), Failure> {
    let Request { name, read_only, resync } = request;
    let read_only = read_only || account.is_read_only();
    let mailbox = account.open(name)?;
    let unseen = if enabled.rev2 { None } else { mailbox.first_unseen()? };
    let Snapshot { uids, status, keywords } = mailbox.snapshot()?;
    let mut view = View::new(uids, status.uid_next, status.highest_modseq);
    if enabled.uid_only {
        view.forget_numbers();
    }
    // Alerts are for sessions that are open when they come; later ones find the message.
    let mut alert = 0;
    let _told = mailbox.account().alert(&mut alert);
    let mut selected = Selected {
        mailbox,
        view,
        read_only,
        keywords,
        enabled,
        message_limit,
        contexts: Vec::new(),
        to_fetch: Vec::new(),
        listening: None,
        owes_modseq: false,
        check_quota: true,
        over_quota: false,
        alert,
    };
    selected.find_recent(Uid(1)).await;

    selected.tell_keywords(out).await?;
    out.untagged(&format!("{} EXISTS", selected.view.len())).await?;
    if enabled.rev2 {
        list::announce(account, out, name).await?;
    } else {
        out.untagged(&format!("{} RECENT", selected.view.recent_len())).await?;
        if let Some(number) = unseen.and_then(|uid| selected.view.number(uid)) {
            out.untagged(&format!("OK [UNSEEN {number}] First unseen")).await?;
        }
    }
    out.untagged(&format!("OK [UIDVALIDITY {}] UIDs valid", status.uid_validity.0)).await?;
    out.untagged(&format!("OK [UIDNEXT {}] Predicted next UID", status.uid_next.0)).await?;
    let id = object_id::mailbox(selected.mailbox.id());
    out.untagged(&format!("OK [MAILBOXID ({id})] Mailbox identifier")).await?;
    out.untagged(&format!("OK [{}] Highest", selected.highest_modseq())).await?;
    if let Some(resync) = resync {
        resync::resynchronise(&mut selected, out, resync).await?;
    }
    let reply = if read_only {
        let text = if request.read_only { "EXAMINE completed" } else { "SELECT completed, this device may only read" };
        Reply::ok(text).code("READ-ONLY")
    } else {
        Reply::ok("SELECT completed").code("READ-WRITE")
    };
    Ok((reply, selected))
}
