//! ESEARCH (RFC 7377): one search in several mailboxes, an ESEARCH response for each in which something matches.
//!
//! The selected mailbox is searched as its client knows it. Every other one is looked at as SELECT would see it at
//! that moment; one that is deleted meanwhile is passed over. One mailbox after the other, so that memory does not depend
//! on how many there are.

use super::search::{self, translate};
use super::search_result::{self, Outcome};
use crate::imap::command::{FetchItem, MailboxFilter, SearchKey, SearchReturn};
use crate::imap::context;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::selected::View;
use crate::imap::sync::Selected;
use crate::imap::wire::Tag;
use crate::mailbox::{Account, Error, ListEntry, Mailbox};
use crate::types::{DELIMITER, MailboxId, UidSet};
use smol::future::yield_now;
use std::collections::BTreeSet;

/// Limit: mailboxes of one search (RFC 7377 §2.4).
const MAILBOXES_MAX: usize = 10_000;

/// Where to look, what for, and what to tell of it.
pub struct Request {
    /// The mailboxes; None: the selected one.
    pub sources: Option<Vec<MailboxFilter>>,
    /// The result options.
    pub returns: SearchReturn,
    /// What to tell of new messages that enter a result which is kept up to date (RFC 5465 §7).
    pub fetch: Vec<FetchItem>,
    /// The keys; all of them must match.
    pub keys: Vec<SearchKey>,
}

/// Tells which messages match.
///
/// # Errors
/// BAD where the selected mailbox is meant and none is selected; NO where the store fails or, with `[LIMIT]`, there are
/// too many mailboxes, or, with `[NOTSAVED]`, the result is too large to be saved.
pub async fn run(
    account: &Account,
    mut selected: Option<&mut Selected>,
    out: &mut Output<'_>,
    tag: &Tag,
    request: Request,
) -> Result<Reply, Failure> {
    let Request { sources, returns, fetch, keys } = request;
    let sources = sources.unwrap_or_else(|| vec![MailboxFilter::Selected]);
    // RFC 7377 §2.2: updates are those of the selected mailbox.
    if selected.is_none() && (returns.update || sources.contains(&MailboxFilter::Selected)) {
        return Err(Reply::bad("No mailbox is selected").into());
    }
    if returns.update && selected.as_deref().is_some_and(|selected| context::is_known(selected, tag)) {
        return Err(Reply::bad("Tag reuse").into());
    }
    let mut refused = returns.update;
    if let Some(selected) = selected.as_deref_mut().filter(|_| returns.save) {
        // RFC 5182 §2.1: a search that fails leaves nothing saved.
        selected.view.save(&UidSet::new());
    }
    let asks_modseq = SearchKey::any(&keys, &|key| matches!(key, SearchKey::ModSeq(_)));
    let entries = account.list()?;
    let selected_id = selected.as_deref().map(|selected| selected.mailbox.id());
    for (name, id) in resolve(&entries, &sources, selected_id).await? {
        let (mailbox, found) = match selected.as_deref().filter(|_| selected_id == Some(id)) {
            Some(selected) => {
                let query = translate(&selected.view, keys.clone())?;
                let found = search::find(selected, out, &query).await?;
                (selected.mailbox.clone(), found)
            }
            None => match elsewhere(account, out, name, &keys).await {
                Ok(searched) => searched,
                Err(Failure::Refused(reply)) if reply.code.as_deref() == Some("NONEXISTENT") => continue,
                Err(failure) => return Err(failure),
            },
        };
        let outcome = Outcome::new(returns, found);
        if let Some(selected) = selected.as_deref_mut().filter(|_| returns.save)
            && !selected.view.save(outcome.told())
        {
            return Err(Reply::no("The result is too large to be saved").code("NOTSAVED").into());
        }
        // RFC 7377 §2.1: no response for a mailbox without a match.
        if outcome.is_asked_for() && !outcome.is_empty() {
            let modseq = if asks_modseq { search::highest_modseq(&mailbox, outcome.told()).await? } else { None };
            outcome.tell_uids(out, tag, modseq, (name, mailbox.uid_validity())).await?;
        }
        if let Some(selected) = selected.as_deref_mut().filter(|_| returns.update && selected_id == Some(id)) {
            let lasting = context::lasting(&selected.view, &keys);
            let head = search_result::head_of(tag, name, mailbox.uid_validity(), out.enabled().quoting());
            context::begin(selected, out, tag, (head, true, fetch.clone()), (lasting, outcome.found())).await?;
            refused = false;
        }
        yield_now().await;
    }
    if refused {
        // The selected mailbox was not among them.
        context::refuse(out, tag).await?;
    }
    Ok(Reply::ok("ESEARCH completed"))
}

/// Searches a mailbox that is not selected.
async fn elsewhere(
    account: &Account,
    out: &mut Output<'_>,
    name: &str,
    keys: &[SearchKey],
) -> Result<(Mailbox, UidSet), Failure> {
    let mailbox = account.open(name)?;
    let snapshot = mailbox.snapshot()?;
    let status = snapshot.status;
    let mut view = View::new(snapshot.uids, status.uid_next, status.highest_modseq);
    // As in EXAMINE, those that no session took are the last ones.
    if let Some(first) = view.first_of_last(status.recent) {
        view.add_recent(first, status.uid_next);
    }
    let query = translate(&view, keys.to_vec())?;
    let found = search::find_among(&mailbox, out, &query, view.uids()).await?;
    Ok((mailbox, found))
}

/// The mailboxes that the filters name, each once (RFC 7377 §2.2), with their names at this moment.
async fn resolve<'a>(
    entries: &'a [ListEntry],
    sources: &[MailboxFilter],
    selected: Option<MailboxId>,
) -> Result<Vec<(&'a str, MailboxId)>, Failure> {
    let mut seen = BTreeSet::new();
    let mut mailboxes = Vec::new();
    for source in sources {
        for entry in entries {
            let Some(id) = entry.mailbox.filter(|id| accepts(source, entry, *id, selected)) else { continue };
            if seen.insert(id) {
                mailboxes.push((entry.name.as_str(), id));
            }
        }
        yield_now().await;
    }
    if mailboxes.len() > MAILBOXES_MAX {
        return Err(Error::Limit("The search names too many mailboxes").into());
    }
    Ok(mailboxes)
}

/// Whether the filter means the mailbox. Mail can be delivered to every mailbox (by `user+mailbox`), so that all are
/// inboxes (RFC 5465 §6.3).
fn accepts(source: &MailboxFilter, entry: &ListEntry, id: MailboxId, selected: Option<MailboxId>) -> bool {
    let name = entry.name.as_str();
    match source {
        MailboxFilter::Selected | MailboxFilter::SelectedDelayed => selected == Some(id),
        MailboxFilter::Inboxes | MailboxFilter::Personal => true,
        MailboxFilter::Subscribed => entry.subscribed,
        MailboxFilter::Mailboxes(names) => names.iter().any(|known| known == name),
        MailboxFilter::Subtree(names) => names.iter().any(|known| known == name || below(name, known).is_some()),
        MailboxFilter::SubtreeOne(names) => {
            names.iter().any(|known| known == name || below(name, known).is_some_and(|rest| !rest.contains(DELIMITER)))
        }
    }
}

/// What stands behind the delimiter where a name lies below another.
fn below<'a>(name: &'a str, superior: &str) -> Option<&'a str> {
    name.strip_prefix(superior)?.strip_prefix(DELIMITER)
}
