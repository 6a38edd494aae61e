//! Mailbox names, and the commands about mailboxes (RFC 9051 §6.3).

use super::cursor::Cursor;
use super::{Form, modifier};
use crate::imap::command::{Command, MailboxName, StatusItem};
use crate::imap::enabled::Quoting;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::imap::wire::{quirks, utf7};
use crate::types::DELIMITER;
use std::borrow::Cow;

/// Limit: special uses in one CREATE.
const USES_MAX: usize = 16;

pub(super) const MISSING: &str = "the mailbox name is missing";

/// A mailbox name in UTF-8, INBOX and the level INBOX in upper case.
///
/// A client that has not switched on UTF-8 writes ASCII names in modified UTF-7, and 8-bit octets of it are taken as the
/// UTF-8 that they are (RFC 6855 §3). For others an ampersand is an ampersand (RFC 9051 §5.1).
pub(super) fn name(cursor: &mut Cursor<'_>) -> Result<MailboxName, Fault> {
    let name = name_or_empty(cursor)?;
    if name.is_empty() { Err(Fault::name("the mailbox name is empty")) } else { Ok(name) }
}

/// The same where the empty name means something too.
pub(super) fn name_or_empty(cursor: &mut Cursor<'_>) -> Result<MailboxName, Fault> {
    let octets = cursor.astring(quirks::is_name_char, MISSING)?;
    let name = decode(octets, cursor.enabled().quoting())?
        .ok_or(Fault::name("the mailbox name is not valid modified UTF-7"))?;
    if name.chars().any(char::is_control) {
        return Err(Fault::name("the mailbox name holds a control character"));
    }
    Ok(canonical_inbox(name))
}

/// The name in these octets; the inner None: not modified UTF-7.
pub(super) fn decode(octets: Cow<'_, [u8]>, quoting: Quoting) -> Result<Option<String>, Fault> {
    let Ok(text) = String::from_utf8(octets.into_owned()) else {
        return Err(Fault::name("the mailbox name is neither modified UTF-7 nor UTF-8"));
    };
    let is_encoded = quoting == Quoting::Ascii && text.is_ascii() && text.contains('&');
    if is_encoded { Ok(utf7::decode(&text)) } else { Ok(Some(text)) }
}

/// INBOX means the same in any case (RFC 9051 §5.1), also above other names.
pub(super) fn canonical_inbox(mut name: String) -> String {
    let end = name.find(DELIMITER).unwrap_or(name.len());
    if let Some(level) = name.get_mut(..end).filter(|level| level.eq_ignore_ascii_case("INBOX")) {
        level.make_ascii_uppercase();
    }
    name
}

pub(super) fn select(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    Ok(Command::Select { mailbox: argument(cursor)?, read_only: false, parameters: modifier::select(cursor)? })
}

pub(super) fn examine(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    Ok(Command::Select { mailbox: argument(cursor)?, read_only: true, parameters: modifier::select(cursor)? })
}

pub(super) fn create(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    let mailbox = argument(cursor)?;
    let mut uses = Vec::new();
    cursor.padding();
    if cursor.take(b'(') {
        cursor.padding();
        if !cursor.word().eq_ignore_ascii_case("USE") {
            return Err(Fault::syntax("unknown parameter"));
        }
        cursor.space("the special uses are missing")?;
        cursor.expect(b'(', "the special uses are missing")?;
        cursor.padding();
        while !cursor.take(b')') {
            cursor.expect(b'\\', "the special use is not valid")?;
            if uses.len() == USES_MAX {
                return Err(Fault::limit("there are too many special uses"));
            }
            uses.push(format!("\\{}", cursor.atom("the special use is not valid")?));
            cursor.padding();
        }
        cursor.padding();
        cursor.expect(b')', "the parameters do not end")?;
    }
    Ok(Command::Create { mailbox, uses })
}

pub(super) fn delete(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    argument(cursor).map(Command::Delete)
}

pub(super) fn subscribe(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    argument(cursor).map(Command::Subscribe)
}

pub(super) fn unsubscribe(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    argument(cursor).map(Command::Unsubscribe)
}

pub(super) fn rename(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    let from = argument(cursor)?;
    let to = argument(cursor)?;
    Ok(Command::Rename { from, to })
}

/// A space and a mailbox name.
pub(super) fn argument(cursor: &mut Cursor<'_>) -> Result<MailboxName, Fault> {
    cursor.space(MISSING)?;
    name(cursor)
}

pub(super) fn status(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    let mailbox = argument(cursor)?;
    Ok(Command::Status { mailbox, items: status_items(cursor)? })
}

/// A space and status items in parentheses.
pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>, Fault> {
    cursor.space("the status items are missing")?;
    cursor.expect(b'(', "the status items are missing")?;
    cursor.padding();
    let mut items = Vec::new();
    loop {
        let item = status_item(cursor.word()).ok_or(Fault::syntax("unknown status item"))?;
        // Limit: each item once.
        if !items.contains(&item) {
            items.push(item);
        }
        cursor.padding();
        if cursor.take(b')') {
            return Ok(items);
        }
    }
}

fn status_item(name: &str) -> Option<StatusItem> {
    const ITEMS: [(&str, StatusItem); 11] = [
        ("HIGHESTMODSEQ", StatusItem::HighestModSeq),
        ("MESSAGES", StatusItem::Messages),
        ("RECENT", StatusItem::Recent),
        ("UIDNEXT", StatusItem::UidNext),
        ("UIDVALIDITY", StatusItem::UidValidity),
        ("UNSEEN", StatusItem::Unseen),
        ("DELETED", StatusItem::Deleted),
        ("DELETED-STORAGE", StatusItem::DeletedStorage),
        ("SIZE", StatusItem::Size),
        ("APPENDLIMIT", StatusItem::AppendLimit),
        ("MAILBOXID", StatusItem::MailboxId),
    ];
    ITEMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, item)| *item)
}
