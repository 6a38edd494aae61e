//! STORE, COPY, MOVE and UID EXPUNGE (RFC 9051 §6.4).

use super::cursor::Cursor;
use super::flags::Foreign;
use super::sequence::sequence_set;
use super::{Form, flags, mailbox, modifier};
use crate::imap::command::{Command, SequenceSet};
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::types::FlagOperation;

pub(super) fn copy(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    let set = set(cursor)?;
    Ok(Command::Copy { uid: form.uid, set, mailbox: mailbox::argument(cursor)? })
}

pub(super) fn move_to(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    let set = set(cursor)?;
    Ok(Command::Move { uid: form.uid, set, mailbox: mailbox::argument(cursor)? })
}

/// UID EXPUNGE (RFC 4315 §2.1).
pub(super) fn uid_expunge(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    Ok(Command::Expunge { uids: Some(set(cursor)?) })
}

pub(super) fn store(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    let set = set(cursor)?;
    let unchanged_since = modifier::store(cursor)?;
    cursor.space("the flags item is missing")?;
    let operation = if cursor.take(b'+') {
        FlagOperation::Add
    } else if cursor.take(b'-') {
        FlagOperation::Remove
    } else {
        FlagOperation::Replace
    };
    let item = cursor.word();
    let silent = item.eq_ignore_ascii_case("FLAGS.SILENT");
    if !silent && !item.eq_ignore_ascii_case("FLAGS") {
        return Err(Fault::syntax("unknown store item"));
    }
    cursor.space("the flags are missing")?;
    let flags = if cursor.peek() == Some(b'(') {
        flags::list(cursor, Foreign::Refuse)?
    } else {
        flags::bare(cursor, Foreign::Refuse)?
    };
    Ok(Command::Store { uid: form.uid, set, unchanged_since, operation, silent, flags })
}

/// A space and a set.
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<SequenceSet, Fault> {
    cursor.space("the message set is missing")?;
    sequence_set(cursor)
}
