//! ID (RFC 2971 §4).

use super::Form;
use super::cursor::Cursor;
use crate::imap::command::Command;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::imap::wire::quirks;

/// Limit: fields of an ID (RFC 2971 §3.3).
const FIELDS_MAX: usize = 30;

const MISSING: &str = "the arguments are missing";
const INVALID: &str = "the arguments are not valid";

/// Quirk(aioimaplib): spaces may stand inside of the parentheses. Names and values without quotes are read as well: what a
/// client tells of itself must not be what keeps it out.
pub(super) fn id(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space(MISSING)?;
    if !cursor.take(b'(') {
        let nil = cursor.atom(INVALID)?.eq_ignore_ascii_case("NIL");
        return if nil { Ok(Command::Id(None)) } else { Err(Fault::syntax(INVALID)) };
    }
    let mut fields = Vec::new();
    cursor.padding();
    while !cursor.take(b')') {
        if fields.len() == FIELDS_MAX {
            return Err(Fault::limit("there are too many fields"));
        }
        let name = text(cursor)?.ok_or(Fault::syntax(INVALID))?;
        cursor.space(INVALID)?;
        fields.push((name, text(cursor)?));
        cursor.padding();
    }
    Ok(Command::Id(Some(fields)))
}

/// A string or an atom; None: NIL.
fn text(cursor: &mut Cursor<'_>) -> Result<Option<String>, Fault> {
    let mut octets = if let Some(octets) = cursor.string()? {
        octets.into_owned()
    } else {
        let atom = cursor.atom(INVALID)?;
        if atom.eq_ignore_ascii_case("NIL") {
            return Ok(None);
        }
        atom.as_bytes().to_vec()
    };
    quirks::ascii_only(&mut octets);
    Ok(String::from_utf8(octets).ok())
}
