//! UIDBATCHES (RFC 10022 §4).

use super::Form;
use super::cursor::Cursor;
use crate::imap::command::Command;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;

pub(super) fn uid_batches(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space("the batch size is missing")?;
    let size = nz_number(cursor, "the batch size is not valid")?;
    cursor.padding();
    let mut range = None;
    if !cursor.at_end() {
        const INVALID: &str = "the batch range is not valid";
        let first = nz_number(cursor, INVALID)?;
        cursor.expect(b':', INVALID)?;
        range = Some((first, nz_number(cursor, INVALID)?));
    }
    Ok(Command::UidBatches { size, range })
}

fn nz_number(cursor: &mut Cursor<'_>, invalid: &'static str) -> Result<u32, Fault> {
    cursor.number(invalid).and_then(|number| if number == 0 { Err(Fault::syntax(invalid)) } else { Ok(number) })
}
