//! APPEND up to its message (RFC 9051 §6.3.12).

use super::cursor::Cursor;
use super::flags::Foreign;
use super::{Form, date, flags, mailbox};
use crate::imap::command::Command;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::types::Flags;

const NO_MESSAGE: &str = "the message literal is missing";

pub(super) fn append(cursor: &mut Cursor<'_>, frame: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space("the mailbox name is missing")?;
    let mailbox = mailbox::name(cursor)?;
    let mut set = None;
    let mut date = None;
    while !cursor.at_end() {
        cursor.expect(b' ', "a space is missing")?;
        cursor.padding();
        match cursor.peek() {
            Some(b'(') if set.is_none() && date.is_none() => set = Some(flags::list(cursor, Foreign::Quirks)?),
            Some(b'"') if date.is_none() => date = Some(date::date_time(cursor)?),
            None if cursor.at_end() => break,
            _ => return Err(Fault::syntax(NO_MESSAGE)),
        }
    }
    let message = frame.message.ok_or(Fault::syntax(NO_MESSAGE))?;
    if message.binary {
        return Err(Fault::syntax("a literal8 is not allowed here"));
    }
    if frame.bytes().last() != Some(&b' ') {
        return Err(Fault::syntax("a space is missing"));
    }
    let flags: Flags = set.unwrap_or_default();
    Ok(Command::Append { mailbox, flags, date, literal: message.literal })
}
