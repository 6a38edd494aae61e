//! Which mailboxes a command is about: filter-mailboxes of NOTIFY (RFC 5465 §6, §8), with what ESEARCH adds
//! (RFC 7377 §4).

use super::cursor::Cursor;
use super::mailbox;
use crate::imap::command::{MailboxFilter, MailboxName};
use crate::imap::wire::error::Fault;

/// Limit: names in one filter.
const NAMES_MAX: usize = 1000;

/// One filter. Whether `selected`, `selected-delayed` and `subtree-one` make sense is for the caller to say.
pub(super) fn filter(cursor: &mut Cursor<'_>) -> Result<MailboxFilter, Fault> {
    let word = cursor.word().to_ascii_lowercase();
    Ok(match word.as_str() {
        "selected" => MailboxFilter::Selected,
        "selected-delayed" => MailboxFilter::SelectedDelayed,
        "inboxes" => MailboxFilter::Inboxes,
        "personal" => MailboxFilter::Personal,
        "subscribed" => MailboxFilter::Subscribed,
        "subtree" => MailboxFilter::Subtree(names(cursor)?),
        "subtree-one" => MailboxFilter::SubtreeOne(names(cursor)?),
        "mailboxes" => MailboxFilter::Mailboxes(names(cursor)?),
        _ => return Err(Fault::syntax("unknown mailbox filter")),
    })
}

/// A space and one-or-more-mailbox.
fn names(cursor: &mut Cursor<'_>) -> Result<Vec<MailboxName>, Fault> {
    cursor.space("the mailbox names are missing")?;
    if !cursor.take(b'(') {
        return Ok(vec![mailbox::name(cursor)?]);
    }
    let mut names = Vec::new();
    cursor.padding();
    loop {
        if names.len() == NAMES_MAX {
            return Err(Fault::limit("there are too many mailbox names"));
        }
        names.push(mailbox::name(cursor)?);
        let padded = cursor.peek() == Some(b' ');
        cursor.padding();
        if cursor.take(b')') {
            return Ok(names);
        }
        if !padded {
            return Err(Fault::syntax("the mailbox names do not end"));
        }
    }
}
