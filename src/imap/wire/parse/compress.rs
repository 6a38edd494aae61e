//! COMPRESS (RFC 4978 §5).

use super::Form;
use super::cursor::Cursor;
use crate::imap::command::Command;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;

const MISSING: &str = "the algorithm is missing";

pub(super) fn compress(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space(MISSING)?;
    Ok(Command::Compress(cursor.atom(MISSING)?.to_ascii_uppercase()))
}
