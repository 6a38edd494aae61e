//! APPEND and REPLACE up to their message (RFC 9051 §6.3.12, RFC 8508), and what stands behind it (RFC 3502).

use super::cursor::Cursor;
use super::flags::Foreign;
use super::{Form, date, flags, mailbox, selected};
use crate::imap::command::{AppendMessage, Command};
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;

const NO_MESSAGE: Fault = Fault::syntax("the message literal is missing");

/// Put before what stands behind a message, so that the framer takes it for the rest of an APPEND.
pub const RESUMED: &[u8] = b"x APPEND \"\"";

pub(super) fn append(cursor: &mut Cursor<'_>, frame: &Frame, _: Form) -> Result<Command, Fault> {
    let mailbox = mailbox::argument(cursor)?;
    Ok(Command::Append { mailbox, message: message(cursor, frame)?.ok_or(NO_MESSAGE)? })
}

pub(super) fn replace(cursor: &mut Cursor<'_>, frame: &Frame, form: Form) -> Result<Command, Fault> {
    let set = selected::set(cursor)?;
    if !matches!(set.items.as_slice(), [(first, last)] if first == last) {
        return Err(Fault::syntax("one message is replaced at a time"));
    }
    let mailbox = mailbox::argument(cursor)?;
    let message = message(cursor, frame)?.ok_or(NO_MESSAGE)?;
    Ok(Command::Replace { uid: form.uid, set, mailbox, message })
}

/// What stands behind a message, in a frame that begins with [`RESUMED`]; None: the end of the command.
pub fn next_message(frame: &Frame) -> Result<Option<AppendMessage>, Fault> {
    if frame.bytes().contains(&0) {
        return Err(Fault::syntax("a NUL octet is not allowed"));
    }
    let mut cursor = Cursor::new(frame);
    cursor.skip(RESUMED.len());
    message(&mut cursor, frame)
}

/// Flags, date and the announced literal. None where nothing is left.
fn message(cursor: &mut Cursor<'_>, frame: &Frame) -> Result<Option<AppendMessage>, Fault> {
    let (mut set, mut date) = (None, None);
    while !cursor.at_end() {
        cursor.expect(b' ', "a space is missing")?;
        cursor.padding();
        match cursor.peek() {
            Some(b'(') if set.is_none() && date.is_none() => set = Some(flags::list(cursor, Foreign::Quirks)?),
            Some(b'"') if date.is_none() => date = Some(date::date_time(cursor)?),
            None if cursor.at_end() => break,
            _ => return Err(NO_MESSAGE),
        }
    }
    let Some(announced) = frame.message else {
        return if set.is_none() && date.is_none() { Ok(None) } else { Err(NO_MESSAGE) };
    };
    if frame.bytes().last() != Some(&b' ') {
        return Err(Fault::syntax("a space is missing"));
    }
    let flags = set.unwrap_or_default();
    Ok(Some(AppendMessage { flags, date, literal: announced.literal, binary: announced.binary }))
}
