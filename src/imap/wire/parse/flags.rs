//! Flags and keywords (RFC 9051 §2.3.2).

use super::cursor::Cursor;
use crate::imap::wire::error::Fault;
use crate::imap::wire::quirks;
use crate::types::{Flags, SystemFlags};

/// Limit: keywords in one command; a mailbox has no more of them.
const KEYWORDS_MAX: usize = 128;
/// Limit: octets of a keyword.
const KEYWORD_MAX: usize = 128;

/// What to do with a `\Flag` that clients cannot set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// STORE: an error.
    Refuse,
    /// APPEND: see [`quirks::append_ignores_flag`].
    Quirks,
}

/// A list in parentheses, perhaps empty; the opening one is next.
pub(super) fn list(cursor: &mut Cursor<'_>, foreign: Foreign) -> Result<Flags, Fault> {
    let mut flags = Flags::default();
    cursor.expect(b'(', "a list of flags is missing")?;
    cursor.padding();
    while !cursor.take(b')') {
        flag(cursor, foreign, &mut flags)?;
        if cursor.peek() != Some(b')') {
            cursor.space("the list of flags does not end")?;
        }
    }
    Ok(flags)
}

/// One or more flags without parentheses.
pub(super) fn bare(cursor: &mut Cursor<'_>, foreign: Foreign) -> Result<Flags, Fault> {
    let mut flags = Flags::default();
    loop {
        flag(cursor, foreign, &mut flags)?;
        cursor.padding();
        if cursor.at_end() {
            return Ok(flags);
        }
    }
}

fn flag(cursor: &mut Cursor<'_>, foreign: Foreign, flags: &mut Flags) -> Result<(), Fault> {
    if cursor.take(b'\\') {
        let name = format!("\\{}", cursor.atom("the flag is not valid")?);
        if let Some(system) = SystemFlags::from_name(&name) {
            flags.system = flags.system.with(system);
        } else if foreign == Foreign::Refuse || !quirks::append_ignores_flag(&name) {
            return Err(Fault::syntax("there is no such system flag that a client can set"));
        }
        return Ok(());
    }
    let keyword = keyword(cursor)?;
    if !flags.keywords.iter().any(|known| known.eq_ignore_ascii_case(&keyword)) {
        if flags.keywords.len() == KEYWORDS_MAX {
            return Err(Fault::limit("there are too many keywords"));
        }
        flags.keywords.push(keyword);
    }
    Ok(())
}

/// A keyword as the client wrote it.
pub(super) fn keyword(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    let keyword = cursor.atom("the flag is not valid")?;
    if keyword.len() > KEYWORD_MAX {
        return Err(Fault::limit("the keyword is too long"));
    }
    Ok(keyword.to_owned())
}
