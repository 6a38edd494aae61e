//! GETMETADATA and SETMETADATA (RFC 5464 §5), and the METADATA option of LIST (RFC 9590).

use super::Form;
use super::cursor::Cursor;
use super::mailbox::{self, MISSING};
use crate::imap::command::{Command, Depth, EntryName, MailboxName};
use crate::imap::wire::error::{Fault, is_atom_char};
use crate::imap::wire::frame::Frame;

/// Limit: entries in one command.
const ENTRIES_MAX: usize = 256;
/// Limit: octets of an entry's name.
const NAME_MAX: usize = 255;

const NO_ENTRY: &str = "the name of the entry is missing";
const BAD_ENTRY: Fault = Fault::syntax("the name of the entry is not valid");
const TOO_MANY: Fault = Fault::limit("there are too many entries");

pub(super) fn get(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    let mut options = Options::default();
    cursor.space(MISSING)?;
    // RFC 5464 §5 has the options in front of the name, its examples have them behind it: both are clear.
    if cursor.take(b'(') {
        options.read(cursor)?;
        cursor.space(MISSING)?;
    }
    let mailbox = target(cursor)?;
    cursor.space(NO_ENTRY)?;
    if !options.given && opens_options(cursor) {
        cursor.expect(b'(', NO_ENTRY)?;
        options.read(cursor)?;
        cursor.space(NO_ENTRY)?;
    }
    let mut entries = Vec::new();
    if cursor.peek() == Some(b'(') {
        entries = list(cursor, options.depth != Depth::Zero)?;
    } else {
        loop {
            push(&mut entries, entry(cursor, options.depth != Depth::Zero)?)?;
            cursor.padding();
            // RFC 5464 §4.4.1: some examples have several entries without parentheses.
            if cursor.at_end() {
                break;
            }
        }
    }
    Ok(Command::GetMetadata { mailbox, entries, max_size: options.max_size, depth: options.depth })
}

pub(super) fn set(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space(MISSING)?;
    let mailbox = target(cursor)?;
    cursor.space(NO_ENTRY)?;
    cursor.expect(b'(', NO_ENTRY)?;
    cursor.padding();
    let mut entries = Vec::new();
    loop {
        if entries.len() == ENTRIES_MAX {
            return Err(TOO_MANY);
        }
        let name = entry(cursor, false)?;
        cursor.space("the value is missing")?;
        entries.push((name, value(cursor)?));
        cursor.padding();
        if cursor.take(b')') {
            return Ok(Command::SetMetadata { mailbox, entries });
        }
    }
}

/// Names of entries in parentheses, one at least.
pub(super) fn list(cursor: &mut Cursor<'_>, prefixes: bool) -> Result<Vec<EntryName>, Fault> {
    cursor.expect(b'(', NO_ENTRY)?;
    cursor.padding();
    let mut entries = Vec::new();
    loop {
        push(&mut entries, entry(cursor, prefixes)?)?;
        cursor.padding();
        if cursor.take(b')') {
            return Ok(entries);
        }
    }
}

fn push(entries: &mut Vec<EntryName>, entry: EntryName) -> Result<(), Fault> {
    if entries.iter().any(|known: &EntryName| known.lower() == entry.lower()) {
        return Ok(());
    }
    if entries.len() == ENTRIES_MAX {
        return Err(TOO_MANY);
    }
    entries.push(entry);
    Ok(())
}

/// A mailbox name; None for the empty one, which is the server.
fn target(cursor: &mut Cursor<'_>) -> Result<Option<MailboxName>, Fault> {
    let name = mailbox::name_or_empty(cursor)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// Whether the parenthesis that is next opens options, and no names of entries.
fn opens_options(cursor: &Cursor<'_>) -> bool {
    let behind = cursor.text().strip_prefix(b"(").map(<[u8]>::trim_ascii_start);
    behind.and_then(|text| text.first()).is_some_and(u8::is_ascii_alphabetic)
}

#[derive(Default)]
struct Options {
    given: bool,
    max_size: Option<u32>,
    depth: Depth,
}

impl Options {
    /// Behind the parenthesis.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        self.given = true;
        cursor.padding();
        loop {
            match cursor.word().to_ascii_uppercase().as_str() {
                "MAXSIZE" => {
                    cursor.space("the size is missing")?;
                    self.max_size = Some(cursor.number("the size is not valid")?);
                }
                "DEPTH" => {
                    cursor.space("the depth is missing")?;
                    self.depth = match cursor.word().to_ascii_lowercase().as_str() {
                        "0" => Depth::Zero,
                        "1" => Depth::One,
                        "infinity" => Depth::Infinity,
                        _ => return Err(Fault::syntax("the depth is 0, 1 or infinity")),
                    };
                }
                _ => return Err(Fault::syntax("unknown option")),
            }
            cursor.padding();
            if cursor.take(b')') {
                return Ok(());
            }
        }
    }
}

/// The name of an entry (RFC 5464 §3.2). `prefixes`: one that only has entries below it will do.
fn entry(cursor: &mut Cursor<'_>, prefixes: bool) -> Result<EntryName, Fault> {
    let octets = cursor.astring(|octet| octet == b']' || is_atom_char(octet), NO_ENTRY)?;
    let name = String::from_utf8(octets.into_owned()).map_err(|_| BAD_ENTRY)?;
    if name.len() > NAME_MAX {
        return Err(Fault::limit("the name of the entry is too long"));
    }
    let plain = |octet: u8| octet.is_ascii() && !octet.is_ascii_control() && !matches!(octet, b'*' | b'%');
    let rest = name.strip_prefix('/').filter(|_| name.bytes().all(plain)).ok_or(BAD_ENTRY)?;
    let components: Vec<String> = rest.split('/').map(str::to_ascii_lowercase).collect();
    let scoped = components.first().is_some_and(|scope| scope == "private" || scope == "shared");
    let vendor = components.get(1).is_some_and(|second| second == "vendor");
    let least = if prefixes {
        1
    } else if vendor {
        4
    } else {
        2
    };
    if !scoped || components.iter().any(String::is_empty) || components.len() < least {
        return Err(BAD_ENTRY);
    }
    Ok(EntryName::new(name))
}

/// NIL, a string or a literal8.
fn value(cursor: &mut Cursor<'_>) -> Result<Option<Vec<u8>>, Fault> {
    const NOT_VALID: Fault = Fault::syntax("the value is not valid");
    if let Some(octets) = cursor.string8()? {
        return Ok(Some(octets.into_owned()));
    }
    if cursor.word().eq_ignore_ascii_case("NIL") { Ok(None) } else { Err(NOT_VALID) }
}
