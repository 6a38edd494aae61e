//! UIDBATCHES (RFC 10022): ranges of UIDs with so many messages each, the newest first.
//!
//! Answered from the session's view, without a look at the store, so that asking again costs less than remembering who
//! asked when would (the RFC would have such a client refused, §3.1.1, §6).

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::Selected;
use crate::imap::wire::Tag;
use crate::types::UidSet;

/// The smallest batch (§3.1.3.2).
const SIZE_MIN: u32 = 500;

/// Limit: messages that a range of batches may span (§3.1.5).
const SPAN_MAX: u64 = 100_000;

/// Octets of the answer that are collected before they are sent.
const PIECE: usize = 4096;

/// Tells the batches, of all or of those in `range`.
///
/// # Errors
/// NO where the batches are too small or the range spans too many messages; BAD where the range is the wrong way round.
pub async fn run(
    selected: &Selected,
    out: &mut Output<'_>,
    tag: &Tag,
    size: u32,
    range: Option<(u32, u32)>,
) -> Result<Reply, Failure> {
    if size < SIZE_MIN {
        return Err(Reply::no("Minimum batch size is 500").code("TOOFEW").into());
    }
    if let Some((first, last)) = range {
        if first > last {
            return Err(Reply::bad("Invalid batch range").code("CLIENTBUG").into());
        }
        if (u64::from(last - first) + 1).saturating_mul(u64::from(size)) > SPAN_MAX {
            return Err(Reply::no("Too many messages").code("TOOMANY").into());
        }
    }
    let (first, last) = range.unwrap_or((1, u32::MAX));
    // Those that are gone already would make the first batch smaller than the client asked for.
    let uids = selected.view.uids().difference(selected.view.expunged());
    let highest = selected.view.uid_next().0.saturating_sub(1);
    let mut line = format!("* UIDBATCHES (TAG \"{tag}\")").into_bytes();
    let mut separator = ' ';
    let wanted = (1..=last).zip(batches(&uids, highest, size)).skip_while(|(index, _)| *index < first);
    for (_, (high, low)) in wanted {
        line.extend_from_slice(format!("{separator}{high}:{low}").as_bytes());
        separator = ',';
        if line.len() >= PIECE {
            out.put(&line).await?;
            line.clear();
        }
    }
    line.extend_from_slice(b"\r\n");
    out.put(&line).await?;
    Ok(Reply::ok("UIDBATCHES completed"))
}

/// The batches as (highest, lowest UID). Together they hold every UID from `highest` down to 1 (§3.1.4), so that a
/// client sees which one is the last.
fn batches(uids: &UidSet, highest: u32, size: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
    let mut ranges = uids.ranges().iter().rev().copied();
    let mut rest = ranges.next();
    let mut high = highest;
    std::iter::from_fn(move || {
        rest?;
        let mut room = size;
        while let Some(range) = rest {
            if range.len() > room {
                let low = range.last - (room - 1);
                rest = Some(crate::types::UidRange { first: range.first, last: low - 1 });
                return Some((std::mem::replace(&mut high, low - 1), low));
            }
            room -= range.len();
            rest = ranges.next();
            if room == 0 && rest.is_some() {
                return Some((std::mem::replace(&mut high, range.first - 1), range.first));
            }
        }
        Some((high, 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_cover_everything_and_are_full(uids in prop::collection::btree_set(1u32..200, 0..90), size in 1u32..30) {
            let set: UidSet = uids.iter().copied().collect();
            let highest = uids.last().map_or(7, |last| last + 3);
            let batches: Vec<_> = batches(&set, highest, size).collect();
            let held = |&(high, low): &(u32, u32)| uids.range(low..=high).count();
            prop_assert_eq!(batches.len(), uids.len().div_ceil(size as usize));
            for (index, batch) in batches.iter().enumerate() {
                let is_last = index + 1 == batches.len();
                prop_assert!(is_last || held(batch) == size as usize);
                prop_assert!((1..=size as usize).contains(&held(batch)));
                prop_assert!(!is_last || batch.1 == 1);
                let above = if index == 0 { highest + 1 } else { batches[index - 1].1 };
                prop_assert_eq!(batch.0, above - 1);
            }
        }
    }

    #[test]
    fn the_highest_uid_is_within_reach() {
        let all = UidSet::from_range(1, u32::MAX);
        assert_eq!(batches(&all, u32::MAX, u32::MAX).collect::<Vec<_>>(), [(u32::MAX, 1)]);
        assert_eq!(batches(&all, u32::MAX, 1 << 31).collect::<Vec<_>>(), [(u32::MAX, 1 << 31), ((1 << 31) - 1, 1)]);
        assert_eq!(batches(&UidSet::new(), 5, 500).count(), 0);
    }
}
