//! The dates of SEARCH and APPEND.

use super::cursor::Cursor;
use crate::imap::wire::date;
use crate::imap::wire::error::Fault;
use crate::types::DateTime;

/// A date of SEARCH, quoted or not, as days since 1970-01-01.
pub(super) fn date(cursor: &mut Cursor<'_>) -> Result<i32, Fault> {
    let octets = cursor.astring(|octet| octet == b'-' || octet.is_ascii_alphanumeric(), "the date is missing")?;
    let text = std::str::from_utf8(&octets).ok();
    text.and_then(date::parse_date).ok_or(Fault::syntax("the date is not valid"))
}

/// The date-time of APPEND, quoted: `" 1-Feb-1994 21:52:25 -0800"`.
pub(super) fn date_time(cursor: &mut Cursor<'_>) -> Result<DateTime, Fault> {
    let invalid = Fault::syntax("the date and time are not valid");
    let octets = cursor.string()?.ok_or(invalid)?;
    std::str::from_utf8(&octets).ok().and_then(date::parse_date_time).ok_or(invalid)
}
