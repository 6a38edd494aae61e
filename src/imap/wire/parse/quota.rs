//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §7).

use super::cursor::Cursor;
use super::{Form, mailbox};
use crate::imap::command::Command;
use crate::imap::wire::error::{Fault, is_atom_char};
use crate::imap::wire::frame::Frame;

/// Limit: resources in one SETQUOTA; there are four.
const RESOURCES_MAX: usize = 16;

/// A space and the name of a quota root, which may be empty.
fn root(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    const MISSING: &str = "the quota root is missing";
    cursor.space(MISSING)?;
    let octets = cursor.astring(|octet| is_atom_char(octet) || octet == b']', MISSING)?;
    String::from_utf8(octets.into_owned()).map_err(|_| Fault::syntax("the quota root is not UTF-8"))
}

pub(super) fn get(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    root(cursor).map(Command::GetQuota)
}

pub(super) fn get_root(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    mailbox::argument(cursor).map(Command::GetQuotaRoot)
}

pub(super) fn set(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    const MISSING: &str = "the list of limits is missing";
    let root = root(cursor)?;
    cursor.space(MISSING)?;
    cursor.expect(b'(', MISSING)?;
    cursor.padding();
    let mut limits = Vec::new();
    while !cursor.take(b')') {
        if limits.len() == RESOURCES_MAX {
            return Err(Fault::limit("there are too many limits"));
        }
        let name = cursor.atom("the resource is missing")?.to_ascii_uppercase();
        cursor.space("the limit is missing")?;
        limits.push((name, cursor.number64("the limit is not a number")?));
        cursor.padding();
    }
    Ok(Command::SetQuota { root, limits })
}
