//! The commands, one file each. A command gets what its state guarantees (`&Account`, `&mut Selected`),
//! writes untagged data through [`Output`] and returns the tagged outcome.
//! It never writes the tagged line, never synchronises, and knows no store.

pub mod append;
pub mod authenticate;
pub mod cancelupdate;
pub mod capability;
pub mod check;
pub mod close;
pub mod compress;
pub mod copy;
pub mod create;
pub mod delete;
pub mod enable;
pub mod esearch;
pub mod expunge;
pub mod fetch;
pub mod fetch_binary;
pub mod fetch_body;
pub mod fetch_preview;
pub mod id;
pub mod idle;
pub mod list;
pub mod login;
pub mod logout;
pub mod metadata;
pub mod namespace;
pub mod noop;
pub mod notify;
pub mod quota;
pub mod rename;
pub mod replace;
pub mod search;
mod search_result;
pub mod select;
pub mod sort;
pub mod starttls;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod thread;
pub mod uidbatches;
pub mod unauthenticate;
pub mod unselect;

use super::command::SequenceSet;
use super::output::Output;
use super::reply::{Failure, Reply};
use super::sync::Selected;
use super::wire::write;
use crate::types::UidSet;

/// The messages that a command names, by number or by UID.
///
/// # Errors
/// BAD for sequence numbers that no message has.
pub(super) fn resolve(selected: &Selected, uid: bool, set: &SequenceSet) -> Result<UidSet, Failure> {
    if uid {
        return Ok(selected.view.by_uid(set));
    }
    selected.view.by_number(set).map_err(|_| Reply::bad("There is no message of that number").into())
}

/// Refuses changes in a mailbox that was opened with EXAMINE, and by a device that may only read.
///
/// # Errors
/// NO where the mailbox is read-only, and `[NOPERM]` where the device is.
pub(super) fn writable(selected: &Selected) -> Result<(), Failure> {
    selected.mailbox.account().may_change()?;
    if selected.read_only {
        return Err(crate::mailbox::Error::ReadOnly.into());
    }
    Ok(())
}

/// The reply of a command that may have been cut by the message limit: its code goes in an untagged NO where the
/// tagged line has another one (RFC 9738 §3.1).
///
/// # Errors
/// Where the connection is gone.
pub(super) async fn with_limit(reply: Reply, cut: Option<String>, out: &mut Output<'_>) -> Result<Reply, Failure> {
    let Some(cut) = cut else { return Ok(reply) };
    if reply.code.is_none() {
        return Ok(reply.code(cut));
    }
    out.untagged(&format!("NO [{cut}] Messages with lower UIDs were left out")).await?;
    Ok(reply)
}

/// The set in pieces of at most `size` UIDs, ascending, so that no step holds more than that.
pub(super) fn pieces(set: &UidSet, size: u32) -> impl Iterator<Item = UidSet> + '_ {
    let mut ranges = set.ranges().iter().copied();
    let mut rest = ranges.next();
    std::iter::from_fn(move || {
        let mut piece = UidSet::new();
        let mut room = size;
        while let Some(range) = rest.filter(|_| room > 0) {
            if range.len() <= room {
                piece.insert_range(range.first, range.last);
                room -= range.len();
                rest = ranges.next();
            } else {
                piece.insert_range(range.first, range.first + room - 1);
                rest = Some(crate::types::UidRange { first: range.first + room, last: range.last });
                room = 0;
            }
        }
        (!piece.is_empty()).then_some(piece)
    })
}

/// A set of UIDs as in COPYUID: `1:5,7` (RFC 4315 §4, uid-set).
pub(super) fn uid_set(uids: &UidSet) -> String {
    let mut text = Vec::new();
    write::ranges(&mut text, uids.ranges());
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_cut_into_pieces() {
        let set: UidSet = [1, 2, 3, 7, 8, 9, 10, 20].into_iter().collect();
        let cut = |size| pieces(&set, size).map(|piece| uid_set(&piece)).collect::<Vec<_>>();
        assert_eq!(cut(3), ["1:3", "7:9", "10,20"]);
        assert_eq!(cut(4), ["1:3,7", "8:10,20"]);
        assert_eq!(cut(100), ["1:3,7:10,20"]);
        assert_eq!(pieces(&UidSet::new(), 3).count(), 0);
    }
}
