//! One whole command, octets to [`Command`], by verb.
//!
//! The parsers are our own because clients take liberties that a strict grammar refuses (8-bit letters in
//! quoted strings, padding, passwords with `%`), because the grammars of SEARCH, FETCH and LIST still grow
//! by extensions, and because depth, counts and memory are bounded here. imap-codec reads the verbs whose
//! grammar it covers whole and in which no liberty is needed ([`codec`]); in the tests it is the second
//! opinion on everything else.
//!
//! Every parser is one pass over the frame without recursion.

mod append;
mod authenticate;
mod batches;
mod codec;
mod compress;
mod context;
mod cursor;
mod date;
mod fetch;
mod filter;
mod flags;
mod id;
mod list;
mod mailbox;
mod metadata;
mod modifier;
mod notify;
mod quota;
mod result;
mod search;
mod selected;
mod sequence;
mod sort;
#[cfg(test)]
mod tests;

use super::error::{ErrorKind, Fault, ParseError, Tag};
use super::frame::Frame;
use crate::imap::command::Command;
use crate::imap::enabled::Enabled;
pub(super) use append::{RESUMED, next_message};
use cursor::Cursor;

/// The form of a command.
#[derive(Clone, Copy)]
struct Form {
    /// In upper case.
    verb: &'static str,
    /// Behind UID.
    uid: bool,
}

type Parser = fn(&mut Cursor<'_>, &Frame, Form) -> Result<Command, Fault>;

/// Every verb with its parser.
const VERBS: &[(&str, Parser)] = &[
    ("APPEND", append::append),
    ("AUTHENTICATE", authenticate::authenticate),
    ("CANCELUPDATE", context::cancel_update),
    ("CAPABILITY", codec::whole),
    ("CHECK", codec::whole),
    ("CLOSE", codec::whole),
    ("COMPRESS", compress::compress),
    ("COPY", selected::copy),
    ("CREATE", mailbox::create),
    ("DELETE", mailbox::delete),
    ("ENABLE", codec::whole),
    ("ESEARCH", search::multi_search),
    ("EXAMINE", mailbox::examine),
    ("EXPUNGE", codec::whole),
    ("FETCH", fetch::fetch),
    ("GETQUOTA", quota::get),
    ("GETQUOTAROOT", quota::get_root),
    ("GETMETADATA", metadata::get),
    ("ID", id::id),
    ("IDLE", codec::whole),
    ("LIST", list::list),
    ("LOGIN", authenticate::login),
    ("LOGOUT", codec::whole),
    ("LSUB", list::lsub),
    ("MOVE", selected::move_to),
    ("NAMESPACE", codec::whole),
    ("NOOP", codec::whole),
    ("NOTIFY", notify::notify),
    ("RENAME", mailbox::rename),
    ("REPLACE", append::replace),
    ("SEARCH", search::search),
    ("SELECT", mailbox::select),
    ("SETMETADATA", metadata::set),
    ("SETQUOTA", quota::set),
    ("SORT", sort::sort),
    ("STARTTLS", codec::whole),
    ("STATUS", mailbox::status),
    ("STORE", selected::store),
    ("SUBSCRIBE", mailbox::subscribe),
    ("THREAD", sort::thread),
    ("UIDBATCHES", batches::uid_batches),
    ("UNAUTHENTICATE", authenticate::unauthenticate),
    ("UNSELECT", codec::whole),
    ("UNSUBSCRIBE", mailbox::unsubscribe),
];

/// The verbs that UID may open, with their parsers.
const UID_VERBS: &[(&str, Parser)] = &[
    ("COPY", selected::copy),
    // RFC 7377 §2 writes it so, though its grammar has no such command.
    ("ESEARCH", search::multi_search),
    ("EXPUNGE", selected::uid_expunge),
    ("FETCH", fetch::fetch),
    ("MOVE", selected::move_to),
    ("REPLACE", append::replace),
    ("SEARCH", search::search),
    ("SORT", sort::sort),
    ("STORE", selected::store),
    ("THREAD", sort::thread),
];

/// Reads a command of a client that has switched on nothing.
///
/// # Errors
/// What the client is to be told; the tag is in it as far as it was readable.
pub fn parse(frame: &Frame) -> Result<(Tag, Command), ParseError> {
    parse_for(frame, Enabled::default())
}

/// Reads a command of a client that has switched on `enabled`: mailbox names are in UTF-8 then.
///
/// # Errors
/// As [`parse`].
pub fn parse_for(frame: &Frame, enabled: Enabled) -> Result<(Tag, Command), ParseError> {
    let mut cursor = Cursor::new(frame, enabled);
    let tag = read_tag(&mut cursor).map_err(|fault| fault.tagged(None))?;
    match read_command(&mut cursor, frame) {
        Ok(command) => Ok((tag, command)),
        Err(fault) => Err(fault.tagged(Some(tag))),
    }
}

fn read_tag(cursor: &mut Cursor<'_>) -> Result<Tag, Fault> {
    if cursor.at_end() {
        return Err(Fault::syntax("the line is empty"));
    }
    Tag::new(cursor.take_while(|octet| octet != b' ')).ok_or(Fault::syntax("the tag is not valid"))
}

fn read_command(cursor: &mut Cursor<'_>, frame: &Frame) -> Result<Command, Fault> {
    // No command takes NUL but in a literal8 (RFC 9051 §9: CHAR8 excludes it), and it would be cut short elsewhere.
    if frame.has_nul() {
        return Err(Fault::syntax("a NUL octet is not allowed"));
    }
    cursor.check_text()?;
    cursor.space("the command is missing")?;
    let mut table = VERBS;
    let mut uid = false;
    let mut verb = cursor.word();
    if verb.eq_ignore_ascii_case("UID") {
        cursor.space("UID needs a command")?;
        table = UID_VERBS;
        uid = true;
        verb = cursor.word();
    }
    let parser = table.iter().find(|(name, _)| name.eq_ignore_ascii_case(verb));
    let Some((name, parser)) = parser else {
        return Err(Fault { text: "unknown command", kind: ErrorKind::UnknownCommand });
    };
    // Only these stream a literal.
    if frame.message.is_some() && !matches!(*name, "APPEND" | "REPLACE") {
        return Err(Fault::syntax("a literal is not allowed here"));
    }
    let command = parser(cursor, frame, Form { verb: name, uid })?;
    cursor.end()?;
    Ok(command)
}
