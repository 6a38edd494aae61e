//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9), with the attributes of CHILDREN (RFC 3348) and SPECIAL-USE
//! (RFC 6154); LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819) and LIST-METADATA (RFC 9590); and the LIST responses of
//! RFC 9051 that other commands send. Everything is answered from names, counters and annotations.
//!
//! There are no remote mailboxes, so that REMOTE selects nothing more.
//!
//! Quirk(iOS, Outlook): special-use attributes are in plain LIST and LSUB answers, where those look for them.

use super::{metadata, status};
use crate::imap::command::{ListRequest, ListSelection};
use crate::imap::output::Output;
use crate::imap::pattern::{Pattern, Patterns};
use crate::imap::reply::{Failure, Reply};
use crate::imap::wire::write;
use crate::mailbox::{Account, Error, ListEntry, normal_name};
use crate::types::DELIMITER;
use smol::future::yield_now;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Names looked at before other sessions get their turn.
const TURN: usize = 256;

/// LIST
///
/// # Errors
/// NO where the store fails.
pub async fn list(
    account: &Account,
    out: &mut Output<'_>,
    append_limit: u64,
    request: &ListRequest,
) -> Result<Reply, Failure> {
    if request.extended {
        return extended(account, out, append_limit, request).await;
    }
    let pattern = request.patterns.first().map(String::as_str).unwrap_or_default();
    if pattern.is_empty() {
        // RFC 3501 §6.3.8: asks for the delimiter and the root of the reference.
        out.untagged(&format!("LIST (\\Noselect) \"{DELIMITER}\" \"\"")).await?;
        return Ok(Reply::ok("LIST completed"));
    }
    let pattern = Pattern::new(&request.reference, pattern);
    for entry in account.list()?.iter().filter(|entry| entry.exists && pattern.matches(&entry.name)) {
        tell(out, "LIST", &attributes(entry), &entry.name, b"").await?;
    }
    Ok(Reply::ok("LIST completed"))
}

/// What lies below a name.
#[derive(Clone, Copy, Default)]
struct Below {
    /// The pattern does not show all the selected names below.
    hidden: bool,
}

/// LIST with selection options, return options or several patterns (RFC 5258).
async fn extended(
    account: &Account,
    out: &mut Output<'_>,
    append_limit: u64,
    request: &ListRequest,
) -> Result<Reply, Failure> {
    let patterns = Patterns::new(&request.reference, request.patterns.iter().map(String::as_str));
    let entries = account.list()?;
    let selection = request.selection;
    // Names above selected ones; only a recursive match asks for them.
    let mut above: BTreeMap<&str, Below> = BTreeMap::new();
    if selection.recursive_match {
        for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| is_selected(entry, selection)) {
            let hidden = !patterns.matches(&entry.name);
            for superior in superiors(&entry.name) {
                above.entry(superior).or_default().hidden |= hidden;
            }
            if index % TURN == 0 {
                yield_now().await;
            }
        }
    }
    let child_info = child_info(selection);
    let child_info = |name: &str| if above.contains_key(name) { child_info.as_str() } else { "" };
    let listed: BTreeMap<&str, &ListEntry> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    // Levels above subscriptions of which neither exists are no entries.
    let names: BTreeSet<&str> = listed.keys().chain(above.keys()).copied().collect();
    for (index, name) in names.into_iter().enumerate() {
        if index % TURN == 0 {
            yield_now().await;
        }
        let entry = listed.get(name).copied();
        let selected = entry.is_some_and(|entry| is_selected(entry, selection));
        // RFC 5258 §3.3: a name that is not selected is shown only for what would not be seen otherwise.
        let shown = selected || above.get(name).is_some_and(|below| below.hidden);
        if !shown || !patterns.matches(name) {
            continue;
        }
        let wanted =
            request.status.as_deref().filter(|_| selected && entry.is_some_and(|entry| entry.mailbox.is_some()));
        let status = wanted.map(|items| (items, account.status(name)));
        // RFC 5819 §2: one that was deleted meanwhile is told as one that cannot be selected.
        let gone = matches!(status, Some((_, Err(Error::NotFound))));
        let attributes = extended_attributes(entry, request, gone);
        tell(out, "LIST", &attributes, name, child_info(name).as_bytes()).await?;
        if let Some((items, Ok(status))) = status {
            status::tell(out, name, &status, append_limit, items).await?;
        }
        // RFC 9590 §3: as with STATUS, only of names that are selected for their own sake and exist.
        if selected && !gone && !request.metadata.is_empty() && entry.is_some_and(|entry| entry.mailbox.is_some()) {
            metadata::tell(account, out, name, &request.metadata).await?;
        }
    }
    Ok(Reply::ok("LIST completed"))
}

/// Whether a name satisfies the selection options, but for the pattern.
const fn is_selected(entry: &ListEntry, selection: ListSelection) -> bool {
    let listed = if selection.subscribed { entry.subscribed } else { entry.exists };
    listed && (!selection.special_use || entry.special_use.is_some())
}

/// The extended data item that tells of selected names below (RFC 5258 §3.5).
fn child_info(selection: ListSelection) -> String {
    let names = [("\"SUBSCRIBED\"", selection.subscribed), ("\"SPECIAL-USE\"", selection.special_use)];
    let names: Vec<&str> = names.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    format!(" (\"CHILDINFO\" ({}))", names.join(" "))
}

/// The attributes in an extended LIST. No entry: a level above subscriptions only. `gone`: it was just deleted.
fn extended_attributes(entry: Option<&ListEntry>, request: &ListRequest, gone: bool) -> String {
    let Some(entry) = entry else { return String::from("\\NonExistent \\HasNoChildren") };
    let mut text = String::new();
    if entry.mailbox.is_none() || gone {
        text.push_str("\\NonExistent ");
    }
    text.push_str(children(entry));
    if let Some(special_use) = entry.special_use {
        text.push(' ');
        text.push_str(special_use.attribute());
    }
    if entry.subscribed && (request.selection.subscribed || request.subscribed) {
        text.push_str(" \\Subscribed");
    }
    text
}

/// The LIST response for the mailbox of a command (RFC 9051 §6.3.2), with its attributes and its name as it is kept;
/// OLDNAME tells how the client spelled it, where that differs.
///
/// # Errors
/// NO where there is no such name or the store fails.
pub async fn announce(account: &Account, out: &mut Output<'_>, name: &str) -> Result<(), Failure> {
    let entry = account.entry(name)?;
    let old = matches!(normal_name(name), Cow::Owned(_)).then_some(name);
    announce_entry(out, &entry, old).await
}

/// The same behind a command that succeeded, for a client of RFC 9051 whose spelling is not the one that is kept. Says nothing
/// where the mailbox is gone meanwhile.
///
/// # Errors
/// Where the connection is gone.
pub async fn announce_spelling(account: &Account, out: &mut Output<'_>, name: &str) -> Result<(), Failure> {
    if out.enabled().rev2
        && matches!(normal_name(name), Cow::Owned(_))
        && let Ok(entry) = account.entry(name)
    {
        announce_entry(out, &entry, Some(name)).await?;
    }
    Ok(())
}

/// The LIST response for a mailbox that has another name than the client thinks (RFC 9051 §6.3.9.7).
///
/// # Errors
/// Where the connection is gone.
pub async fn announce_entry(out: &mut Output<'_>, entry: &ListEntry, old: Option<&str>) -> Result<(), Failure> {
    let mut attributes = attributes(entry);
    if entry.mailbox.is_none() && !entry.exists {
        attributes.insert_str(0, "\\NonExistent ");
    }
    if entry.subscribed {
        attributes.push_str(" \\Subscribed");
    }
    let mut extended = Vec::new();
    if let Some(old) = old {
        extended.extend_from_slice(b" (\"OLDNAME\" (");
        write::mailbox(&mut extended, old, out.enabled().quoting());
        extended.extend_from_slice(b"))");
    }
    tell(out, "LIST", &attributes, &entry.name, &extended).await
}

/// LSUB
///
/// # Errors
/// NO where the store fails.
pub async fn lsub(account: &Account, out: &mut Output<'_>, reference: &str, pattern: &str) -> Result<Reply, Failure> {
    let pattern = Pattern::new(reference, pattern);
    let entries = account.list()?;
    // RFC 3501 §6.3.9: with `%` a level that is not subscribed is shown with \Noselect where something
    // subscribed is hidden below it.
    let mut levels = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.subscribed) {
        if pattern.matches(&entry.name) {
            tell(out, "LSUB", &attributes(entry), &entry.name, b"").await?;
        } else if pattern.ends_with_level() {
            levels.extend(superiors(&entry.name).filter(|superior| pattern.matches(superior)));
        }
    }
    for entry in entries.iter().filter(|entry| entry.subscribed) {
        levels.remove(entry.name.as_str());
    }
    for level in levels {
        tell(out, "LSUB", "\\Noselect \\HasChildren", level, b"").await?;
    }
    Ok(Reply::ok("LSUB completed"))
}

/// Tells an unasked LIST response of a name that changed (RFC 5465 §5.4, §5.5): without an entry it is gone.
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_change(
    out: &mut Output<'_>,
    name: &str,
    entry: Option<&ListEntry>,
    old_name: Option<&str>,
) -> Result<(), Failure> {
    let mut attributes = String::from("\\NonExistent");
    if let Some(entry) = entry {
        let request = ListRequest { subscribed: true, ..ListRequest::default() };
        attributes = extended_attributes(Some(entry), &request, false);
    }
    let mut extended = Vec::new();
    if let Some(old_name) = old_name {
        extended.extend_from_slice(b" (\"OLDNAME\" (");
        write::mailbox(&mut extended, old_name, out.enabled().quoting());
        extended.extend_from_slice(b"))");
    }
    tell(out, "LIST", &attributes, name, &extended).await
}

async fn tell(
    out: &mut Output<'_>,
    response: &str,
    attributes: &str,
    name: &str,
    extended: &[u8],
) -> Result<(), Failure> {
    let mut line = format!("* {response} ({attributes}) \"{DELIMITER}\" ").into_bytes();
    write::mailbox(&mut line, name, out.enabled().quoting());
    line.extend_from_slice(extended);
    line.extend_from_slice(b"\r\n");
    out.put(&line).await
}

fn attributes(entry: &ListEntry) -> String {
    let mut text = String::from(children(entry));
    // A name that is only subscribed may come again: in LSUB \Noselect means something else.
    if entry.exists && entry.mailbox.is_none() {
        text.insert_str(0, "\\Noselect ");
    }
    if let Some(special_use) = entry.special_use {
        text.push(' ');
        text.push_str(special_use.attribute());
    }
    text
}

const fn children(entry: &ListEntry) -> &'static str {
    if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" }
}

/// The names above a name, the nearest last.
fn superiors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superiors_of_a_name() {
        assert_eq!(superiors("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
