//! LIST (RFC 3501 §6.3.8) with LIST-EXTENDED (RFC 5258 §6), LIST-STATUS (RFC 5819 §4) and
//! LIST-METADATA (RFC 9590), and LSUB.

use super::cursor::Cursor;
use super::mailbox::{canonical_inbox, decode, status_items};
use super::{Form, metadata};
use crate::imap::command::{Command, ListRequest};
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::imap::wire::quirks;
use std::borrow::Cow;

/// Limit: patterns in one LIST.
const PATTERNS_MAX: usize = 64;

const NO_REFERENCE: &str = "the reference name is missing";
const NO_PATTERN: &str = "the mailbox pattern is missing";
const UNKNOWN: Fault = Fault::syntax("unknown option");

pub(super) fn list(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    let mut request = ListRequest::default();
    cursor.space(NO_REFERENCE)?;
    if cursor.take(b'(') {
        selection(cursor, &mut request)?;
        cursor.space(NO_REFERENCE)?;
    }
    request.reference = pattern(cursor, NO_REFERENCE)?;
    cursor.space(NO_PATTERN)?;
    if cursor.take(b'(') {
        request.extended = true;
        cursor.padding();
        loop {
            if request.patterns.len() == PATTERNS_MAX {
                return Err(Fault::limit("there are too many patterns"));
            }
            request.patterns.push(pattern(cursor, NO_PATTERN)?);
            if cursor.take(b')') {
                break;
            }
            cursor.space("the list of patterns does not end")?;
            if cursor.take(b')') {
                break;
            }
        }
    } else {
        request.patterns.push(pattern(cursor, NO_PATTERN)?);
    }
    cursor.padding();
    if !cursor.at_end() {
        returns(cursor, &mut request)?;
    }
    Ok(Command::List(request))
}

/// Selection options behind their parenthesis, perhaps none.
fn selection(cursor: &mut Cursor<'_>, request: &mut ListRequest) -> Result<(), Fault> {
    request.extended = true;
    let selection = &mut request.selection;
    cursor.padding();
    while !cursor.take(b')') {
        match cursor.word().to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => selection.subscribed = true,
            "REMOTE" => {}
            "RECURSIVEMATCH" => selection.recursive_match = true,
            "SPECIAL-USE" => selection.special_use = true,
            _ => return Err(UNKNOWN),
        }
        if cursor.peek() != Some(b')') {
            cursor.space("the selection options do not end")?;
        }
    }
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        return Err(Fault::syntax("RECURSIVEMATCH needs another selection option"));
    }
    Ok(())
}

/// `RETURN (...)`
fn returns(cursor: &mut Cursor<'_>, request: &mut ListRequest) -> Result<(), Fault> {
    request.extended = true;
    if !cursor.word().eq_ignore_ascii_case("RETURN") {
        return Err(Fault::syntax("there is more than the command takes"));
    }
    cursor.space("the return options are missing")?;
    cursor.expect(b'(', "the return options are missing")?;
    cursor.padding();
    while !cursor.take(b')') {
        match cursor.word().to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => request.subscribed = true,
            "CHILDREN" | "SPECIAL-USE" => {}
            "STATUS" => request.status = Some(status_items(cursor)?),
            "METADATA" => {
                cursor.space("the entries are missing")?;
                request.metadata = metadata::list(cursor, false)?;
            }
            _ => return Err(UNKNOWN),
        }
        if cursor.peek() != Some(b')') {
            cursor.space("the return options do not end")?;
        }
    }
    Ok(())
}

pub(super) fn lsub(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space(NO_REFERENCE)?;
    let reference = pattern(cursor, NO_REFERENCE)?;
    cursor.space(NO_PATTERN)?;
    let pattern = pattern(cursor, NO_PATTERN)?;
    Ok(Command::Lsub { reference, pattern })
}

/// A reference or a pattern. It may be empty and hold wildcards, and one that is not modified UTF-7 is taken as
/// it is: it may end in the middle of an encoded name.
fn pattern(cursor: &mut Cursor<'_>, text: &'static str) -> Result<String, Fault> {
    let accept = |octet| quirks::is_name_char(octet) || matches!(octet, b'%' | b'*');
    let octets = cursor.astring(accept, text)?;
    let pattern = match decode(Cow::Borrowed(&octets), cursor.enabled().quoting())? {
        Some(decoded) => decoded,
        None => String::from_utf8_lossy(&octets).into_owned(),
    };
    Ok(canonical_inbox(pattern))
}
