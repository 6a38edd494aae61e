//! APPEND and REPLACE up to their message (RFC 9051 §6.3.12, RFC 8508), also as UTF8 (RFC 6855 §4), and what stands
//! behind it (RFC 3502).

use super::cursor::Cursor;
use super::flags::Foreign;
use super::{Form, date, flags, mailbox, selected};
use crate::imap::command::{AppendMessage, Command};
use crate::imap::enabled::Enabled;
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

/// What stands behind a message, in a frame that begins with [`RESUMED`]; None: the end of the command. `utf8`: the message
/// was UTF8 data, whose parenthesis comes first.
pub fn next_message(frame: &Frame, utf8: bool) -> Result<Option<AppendMessage>, Fault> {
    if frame.bytes().contains(&0) {
        return Err(Fault::syntax("a NUL octet is not allowed"));
    }
    let mut cursor = Cursor::new(frame, Enabled::default());
    cursor.skip(RESUMED.len());
    if utf8 {
        cursor.expect(b')', "the closing parenthesis of UTF8 is missing")?;
    }
    message(&mut cursor, frame)
}

/// Flags, date and the announced literal. None where nothing is left.
fn message(cursor: &mut Cursor<'_>, frame: &Frame) -> Result<Option<AppendMessage>, Fault> {
    let (mut set, mut date, mut utf8) = (None, None, false);
    while !cursor.at_end() {
        cursor.expect(b' ', "a space is missing")?;
        cursor.padding();
        match cursor.peek() {
            Some(b'(') if set.is_none() && date.is_none() => set = Some(flags::list(cursor, Foreign::Quirks)?),
            Some(b'"') if date.is_none() => date = Some(date::date_time(cursor)?),
            Some(b'U' | b'u') => {
                utf8 = utf8_data(cursor, frame)?;
                break;
            }
            None if cursor.at_end() => break,
            _ => return Err(NO_MESSAGE),
        }
    }
    let Some(announced) = frame.message else {
        return if set.is_none() && date.is_none() { Ok(None) } else { Err(NO_MESSAGE) };
    };
    if !utf8 && frame.bytes().last() != Some(&b' ') {
        return Err(Fault::syntax("a space is missing"));
    }
    let flags = set.unwrap_or_default();
    Ok(Some(AppendMessage { flags, date, literal: announced.literal, binary: announced.binary, utf8 }))
}

/// `UTF8 (` before a literal8, which ends the text (RFC 6855 §4).
fn utf8_data(cursor: &mut Cursor<'_>, frame: &Frame) -> Result<bool, Fault> {
    if !cursor.word().eq_ignore_ascii_case("UTF8") {
        return Err(NO_MESSAGE);
    }
    cursor.expect(b' ', "a space is missing")?;
    cursor.expect(b'(', "the opening parenthesis of UTF8 is missing")?;
    let is_literal8 = cursor.at_end() && frame.message.is_some_and(|announced| announced.binary);
    if is_literal8 { Ok(true) } else { Err(Fault::syntax("UTF8 needs a literal8")) }
}
