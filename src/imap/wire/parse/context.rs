//! CANCELUPDATE (RFC 5267 §5).

use super::Form;
use super::cursor::Cursor;
use crate::imap::command::Command;
use crate::imap::wire::error::{Fault, Tag};
use crate::imap::wire::frame::Frame;

/// Limit: tags of one command.
const TAGS_MAX: usize = 64;

pub(super) fn cancel_update(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    const INVALID: Fault = Fault::syntax("the tag is not valid");
    let mut tags = Vec::new();
    cursor.space("the tag is missing")?;
    while !cursor.at_end() {
        if tags.len() == TAGS_MAX {
            return Err(Fault::limit("there are too many tags"));
        }
        let tag = cursor.string()?.ok_or(Fault::syntax("the tag is not quoted"))?;
        tags.push(Tag::new(&tag).ok_or(INVALID)?.as_str().to_owned());
        if !cursor.at_end() {
            cursor.space("the tag is missing")?;
        }
    }
    Ok(Command::CancelUpdate(tags))
}
