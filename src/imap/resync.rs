//! Quick resynchronisation (RFC 7162 §3.2): what a client missed since a mod-sequence that it remembers, and the
//! VANISHED response. Memory does not depend on how many messages changed: rows come in batches.

use super::command::{Resync, SequenceSet};
use super::output::Output;
use super::reply::Failure;
use super::selected::View;
use super::sync::Selected;
use super::wire::write;
use crate::mailbox::Change;
use crate::types::{ModSeq, Uid, UidSet};
use smol::future::yield_now;

/// Limit: ranges in one VANISHED response, which keeps its line under 8 KB (RFC 7162 §4); more make several.
const RANGES_MAX: usize = 256;

/// Tells of UIDs that are gone: `earlier` where the client cannot have them in its view (RFC 7162 §3.2.10).
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_vanished(out: &mut Output<'_>, earlier: bool, uids: &UidSet) -> Result<(), Failure> {
    for ranges in uids.ranges().chunks(RANGES_MAX) {
        let mut line = if earlier { b"* VANISHED (EARLIER) ".to_vec() } else { b"* VANISHED ".to_vec() };
        write::ranges(&mut line, ranges);
        line.extend_from_slice(b"\r\n");
        out.put(&line).await?;
    }
    Ok(())
}

/// Tells which of the UIDs `known` were expunged after `since`. Those that are still in the client's view are left to
/// the synchronisation: a VANISHED (EARLIER) may not name them.
///
/// # Errors
/// NO where the store fails.
pub async fn tell_expunged(
    selected: &Selected,
    out: &mut Output<'_>,
    since: ModSeq,
    known: &UidSet,
) -> Result<(), Failure> {
    let gone = selected.mailbox.expunged_since(since)?.intersection(known).difference(selected.view.uids());
    tell_vanished(out, true, &gone).await
}

/// The UIDs in a set as far as UIDs were given out, gone or not; `*` is the highest of them.
#[must_use]
pub fn given(view: &View, set: &SequenceSet) -> UidSet {
    if set.is_saved() {
        return view.saved().clone();
    }
    let last = view.uid_next().0.saturating_sub(1);
    let mut uids = UidSet::new();
    for (from, to) in &set.items {
        let (from, to) = (from.unwrap_or(last), to.unwrap_or(last));
        uids.insert_range(from.min(to), from.max(to).min(last));
    }
    uids
}

/// Answers the QRESYNC parameter of SELECT, behind everything else that SELECT tells (RFC 7162 §3.2.5).
///
/// # Errors
/// NO where the store fails.
pub async fn resynchronise(selected: &mut Selected, out: &mut Output<'_>, resync: &Resync) -> Result<(), Failure> {
    if resync.uid_validity != selected.mailbox.uid_validity().0 {
        return Ok(());
    }
    let mut known = match &resync.known {
        Some(set) => given(&selected.view, set),
        None => UidSet::from_range(1, selected.view.uid_next().0.saturating_sub(1)),
    };
    let changed = selected.mailbox.changed_since(resync.modseq, &known.intersection(selected.view.uids()))?;
    if let Some((numbers, uids)) = &resync.matches {
        known.remove_range(1, matching(&selected.view, numbers, uids));
    }
    tell_expunged(selected, out, resync.modseq, &known).await?;
    let mut from = Uid(1);
    loop {
        let rows = selected.mailbox.rows(&changed, from)?;
        let Some(last) = rows.last() else { return Ok(()) };
        let next = last.uid.0.checked_add(1);
        for row in &rows {
            let change = Change { uid: row.uid, flags: row.flags, keywords: row.keywords, modseq: row.modseq };
            selected.tell_flags(&change, out, true).await?;
        }
        let Some(next) = next else { return Ok(()) };
        from = Uid(next);
        yield_now().await;
    }
}

/// The highest UID for which the client has the right sequence number: it knows of every expunge up to there
/// (RFC 7162 §3.2.5.2). 0 where there is none.
///
/// A number can only be right if no message before it went that the client still counts, so that within a run the
/// right ones come first and a few looks find the last.
fn matching(view: &View, numbers: &SequenceSet, uids: &SequenceSet) -> u32 {
    let mut numbers = runs(numbers);
    let mut uids = runs(uids);
    let (mut number, mut uid) = (numbers.next(), uids.next());
    let mut highest = 0;
    while let (Some((first, last)), Some((low, high))) = (number, uid) {
        let length = (last - first).min(high - low);
        let is_right = |offset: u32| view.uid(first + offset) == Some(Uid(low + offset));
        if !is_right(0) {
            break;
        }
        // Invariant: `right` is right, `wrong` is not or lies behind the run.
        let (mut right, mut wrong) = (0, u64::from(length) + 1);
        while u64::from(right) + 1 < wrong {
            let middle = right + u32::try_from((wrong - u64::from(right)) / 2).unwrap_or(1);
            if is_right(middle) { right = middle } else { wrong = u64::from(middle) }
        }
        highest = low + right;
        if right < length {
            break;
        }
        number = if first + length == last { numbers.next() } else { Some((first + length + 1, last)) };
        uid = if low + length == high { uids.next() } else { Some((low + length + 1, high)) };
    }
    highest
}

/// The runs of an ascending set without `*`.
fn runs(set: &SequenceSet) -> impl Iterator<Item = (u32, u32)> + '_ {
    set.items.iter().filter_map(|item| Some((item.0?, item.1?))).filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[(u32, u32)]) -> SequenceSet {
        SequenceSet { items: items.iter().map(|&(first, last)| (Some(first), Some(last))).collect() }
    }

    #[test]
    fn the_match_data_of_the_rfc() {
        // Every third UID is there (RFC 7162 §3.2.5.2).
        let view = View::new((1..=30_012).filter(|uid| uid % 3 == 0).collect(), Uid(30_013), ModSeq(9));
        let numbers = set(&[(5000, 5000), (7500, 7500), (9000, 9000), (9990, 9999)]);
        let known: Vec<_> = [15_000, 22_500, 27_000].into_iter().chain((29_970..=29_997).step_by(3)).collect();
        let uids = set(&known.iter().map(|&uid| (uid, uid)).collect::<Vec<_>>());
        assert_eq!(matching(&view, &numbers, &uids), 29_997);
        // The fourth message has UID 12, the twelfth has another one than 24.
        assert_eq!(matching(&view, &set(&[(4, 4), (12, 12)]), &set(&[(12, 12), (24, 24)])), 12);
        assert_eq!(matching(&view, &set(&[(1, 1)]), &set(&[(1, 1)])), 0);
    }

    #[test]
    fn endless_runs_cost_a_few_looks() {
        let view = View::new(UidSet::from_range(1, 1000), Uid(1001), ModSeq(9));
        let all = set(&[(1, u32::MAX)]);
        assert_eq!(matching(&view, &all, &all), 1000);
        assert_eq!(matching(&view, &set(&[(1, 10), (11, u32::MAX)]), &all), 1000);
    }

    #[test]
    fn a_star_is_the_last_uid_that_was_given_out() {
        let view = View::new(UidSet::from_range(1, 5), Uid(11), ModSeq(9));
        let star = SequenceSet { items: vec![(Some(3), None)] };
        assert_eq!(given(&view, &star), UidSet::from_range(3, 10));
        assert_eq!(given(&view, &set(&[(8, u32::MAX)])), UidSet::from_range(8, 10));
    }
}
