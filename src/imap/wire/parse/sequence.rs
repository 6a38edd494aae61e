//! sequence-set (RFC 9051 §9), and `$` for the saved result (RFC 5182 §3).

use super::cursor::Cursor;
use crate::imap::command::SequenceSet;
use crate::imap::wire::error::Fault;

/// Limit: items of a set after neighbours were joined; a command line of 64 KiB has no more with numbers
/// above 999.
pub(super) const SET_ITEMS_MAX: usize = 16 * 1024;

const INVALID: Fault = Fault::syntax("the message set is not valid");

/// One end of a range: None is `*`.
type Number = Option<u32>;

/// A set. Items that continue the one before are joined with it, so that a list of all numbers costs one item.
pub(super) fn sequence_set(cursor: &mut Cursor<'_>) -> Result<SequenceSet, Fault> {
    if cursor.take(b'$') {
        return Ok(SequenceSet::SAVED);
    }
    let mut items: Vec<(Number, Number)> = Vec::new();
    loop {
        let first = number(cursor)?;
        let last = if cursor.take(b':') { number(cursor)? } else { first };
        let full = items.len() == SET_ITEMS_MAX;
        match (items.last_mut(), first, last) {
            // 3:5,6 or 3:5,4 but nothing with `*`, whose value is not known here.
            (Some((Some(low), Some(high))), Some(first), Some(last))
                if *low <= *high && *low <= first && first <= last && first <= high.saturating_add(1) =>
            {
                *high = last.max(*high);
            }
            _ if full => return Err(Fault::limit("the message set has too many items")),
            _ => items.push((first, last)),
        }
        if !cursor.take(b',') {
            break;
        }
    }
    items.shrink_to_fit();
    Ok(SequenceSet { items })
}

/// Whether a set may begin with this octet.
pub(super) fn begins_set(octet: u8) -> bool {
    matches!(octet, b'*' | b'$') || octet.is_ascii_digit()
}

/// nz-number or `*`.
fn number(cursor: &mut Cursor<'_>) -> Result<Number, Fault> {
    if cursor.take(b'*') {
        return Ok(None);
    }
    match cursor.number("the message set is not valid")? {
        0 => Err(INVALID),
        number => Ok(Some(number)),
    }
}
