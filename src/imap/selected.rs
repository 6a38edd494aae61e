//! The client's view of the selected mailbox: which message has which sequence number, what the
//! client has been told and what it must still be told (RFC 3501 §2.3.1.2, §7.4.1). Pure.
//!
//! Sequence numbers exist nowhere else. UIDs are kept as ranges, so that 100,000 messages cost
//! bytes; a prefix sum over the ranges makes both directions of the mapping logarithmic. A client that uses UIDs only
//! (RFC 9586) needs no numbers, and its view keeps no prefix sum.
//!
//! Invariant: the view changes only together with what is sent: a message that was expunged keeps
//! its number until `* n EXPUNGE` goes out.

use crate::imap::command::SequenceSet;
use crate::types::{ModSeq, Uid, UidSet};

/// Limit: separate runs of modification sequences that are remembered as told. Beyond it the
/// oldest are forgotten, which costs the client a repeated FETCH response and nothing else.
const TOLD_MAX: usize = 256;

/// Limit: ranges of a saved search result, 128 KB of them.
const SAVED_MAX: usize = 16 * 1024;

/// A sequence number that no message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchNumber;

/// What one client knows of the mailbox that it has selected.
#[derive(Clone, Debug)]
pub struct View {
    /// Every message the client was told of and not told to be gone.
    uids: UidSet,
    /// For each range of `uids` how many messages come before it; None: the client knows no numbers.
    before: Option<Vec<u32>>,
    /// Invariant: how many messages `uids` holds.
    count: u32,
    /// Messages that are \Recent in this session.
    recent: UidSet,
    /// Invariant: a subset of `uids`. What a SEARCH saved, `$` (RFC 5182).
    saved: UidSet,
    /// Invariant: a subset of `uids`. Gone, but the client does not know yet.
    pending: UidSet,
    /// UIDNEXT as the client could know it.
    uid_next: Uid,
    /// All changes up to here are in the view.
    modseq: ModSeq,
    /// `modseq` before the first of `pending` went.
    held: ModSeq,
    /// Runs of modification sequences after `modseq` that this session made and has told; ascending.
    told: Vec<(u64, u64)>,
}

impl View {
    /// The view after SELECT told of `uids`.
    #[must_use]
    pub fn new(uids: UidSet, uid_next: Uid, modseq: ModSeq) -> Self {
        let mut view = Self {
            uids,
            before: Some(Vec::new()),
            count: 0,
            recent: UidSet::new(),
            saved: UidSet::new(),
            pending: UidSet::new(),
            uid_next,
            modseq,
            held: modseq,
            told: Vec::new(),
        };
        view.count();
        view
    }

    /// How many messages the client believes to exist.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// The client will use UIDs only (RFC 9586): from now on [`View::number`] has no answer.
    pub fn forget_numbers(&mut self) {
        self.before = None;
    }

    /// Whether the client believes the message to exist.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        self.uids.contains(uid.0)
    }

    /// Whether the client believes the mailbox to be empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uids.is_empty()
    }

    /// The UIDs the client knows, those expunged but not announced included.
    #[must_use]
    pub fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// UIDNEXT of the last synchronisation.
    #[must_use]
    pub fn uid_next(&self) -> Uid {
        self.uid_next
    }

    /// The modification sequence of the last synchronisation.
    #[must_use]
    pub fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// The modification sequence up to which the client was told everything: lower than [`View::modseq`] while
    /// expunges wait to be announced (RFC 7162 §3.2, §6).
    #[must_use]
    pub fn told_modseq(&self) -> ModSeq {
        if self.pending.is_empty() { self.modseq } else { self.held }
    }

    /// How many messages are \Recent in this session.
    #[must_use]
    pub fn recent_len(&self) -> u32 {
        self.recent.len()
    }

    /// The messages that are \Recent in this session.
    #[must_use]
    pub fn recent(&self) -> &UidSet {
        &self.recent
    }

    /// Whether the message is \Recent in this session.
    #[must_use]
    pub fn is_recent(&self, uid: Uid) -> bool {
        self.recent.contains(uid.0)
    }

    /// The sequence number of a message.
    #[must_use]
    pub fn number(&self, uid: Uid) -> Option<u32> {
        let at = self.uids.ranges().partition_point(|range| range.last < uid.0);
        let range = self.uids.ranges().get(at).filter(|range| range.first <= uid.0)?;
        Some(self.before.as_ref()?.get(at)? + (uid.0 - range.first) + 1)
    }

    /// The sequence numbers of messages, as a set of numbers. Messages that the view does not hold are left out.
    #[must_use]
    pub fn numbers(&self, uids: &UidSet) -> UidSet {
        let mut numbers = UidSet::new();
        for range in uids.intersection(&self.uids).ranges() {
            if let Some(first) = self.number(Uid(range.first)) {
                numbers.insert_range(first, first + (range.last - range.first));
            }
        }
        numbers
    }

    /// The message of a sequence number.
    #[must_use]
    pub fn uid(&self, number: u32) -> Option<Uid> {
        let before = self.before.as_ref()?;
        let at = before.partition_point(|before| *before < number).checked_sub(1)?;
        let range = self.uids.ranges().get(at)?;
        let offset = number - before.get(at)? - 1;
        (offset < range.len()).then(|| Uid(range.first + offset))
    }

    /// The first of the last `count` messages; None where there are none.
    #[must_use]
    pub fn first_of_last(&self, mut count: u32) -> Option<Uid> {
        let mut first = None;
        for range in self.uids.ranges().iter().rev() {
            if count == 0 {
                break;
            }
            let here = range.len().min(count);
            first = Some(Uid(range.last - (here - 1)));
            count -= here;
        }
        first
    }

    /// The messages of a set of sequence numbers.
    ///
    /// # Errors
    /// Where a number is larger than that of the last message, or `*` meets an empty mailbox
    /// (RFC 9051 §9, seq-number: BAD).
    pub fn by_number(&self, set: &SequenceSet) -> Result<UidSet, NoSuchNumber> {
        if set.is_saved() {
            return Ok(self.saved.clone());
        }
        let count = self.len();
        let runs = normalised(set, count);
        if runs.iter().any(|&(low, high)| low == 0 || high > count) {
            return Err(NoSuchNumber);
        }
        Ok(self.uids_of(&runs))
    }

    /// The messages of a set of sequence numbers; numbers without a message are left out.
    #[must_use]
    pub fn by_number_existing(&self, set: &SequenceSet) -> UidSet {
        if set.is_saved() {
            return self.saved.clone();
        }
        let count = self.len();
        let mut runs = normalised(set, count);
        runs.retain_mut(|(low, high)| {
            (*low, *high) = ((*low).max(1), (*high).min(count));
            low <= high
        });
        self.uids_of(&runs)
    }

    /// The messages of a set of UIDs; UIDs without a message are ignored (RFC 9051 §6.4.9), and
    /// `*` is the highest UID, also in a range that begins above it.
    #[must_use]
    pub fn by_uid(&self, set: &SequenceSet) -> UidSet {
        if set.is_saved() {
            return self.saved.clone();
        }
        let Some(last) = self.uids.last() else { return UidSet::new() };
        let mut asked = UidSet::new();
        for (low, high) in normalised(set, last) {
            asked.insert_range(low, high);
        }
        asked.intersection(&self.uids)
    }

    /// Saves a search result; false, and nothing is saved, where it has too many ranges.
    pub fn save(&mut self, uids: &UidSet) -> bool {
        let fits = uids.ranges().len() <= SAVED_MAX;
        self.saved = if fits { uids.intersection(&self.uids) } else { UidSet::new() };
        fits
    }

    /// What was saved, without messages that were announced as expunged since.
    #[must_use]
    pub fn saved(&self) -> &UidSet {
        &self.saved
    }

    /// Takes in messages that arrived; tell `EXISTS` after it.
    pub fn arrive(&mut self, uids: &UidSet, uid_next: Uid) {
        for range in uids.ranges() {
            self.uids.insert_range(range.first, range.last);
        }
        self.uid_next = self.uid_next.max(uid_next);
        if !uids.is_empty() {
            self.count();
        }
    }

    /// Makes those messages of the view with `first <= UID < next` \Recent in this session.
    pub fn add_recent(&mut self, first: Uid, next: Uid) {
        let mine = UidSet::from_range(first.0, next.0.saturating_sub(1)).intersection(&self.uids);
        self.recent = self.recent.union(&mine);
    }

    /// Remembers messages that are gone; they keep their numbers until [`View::drop_expunged`].
    pub fn expunge(&mut self, uids: &UidSet) {
        let known = uids.intersection(&self.uids);
        if !known.is_empty() {
            if self.pending.is_empty() {
                self.held = self.modseq;
            }
            self.pending = self.pending.union(&known);
        }
    }

    /// Whether the client must be told of expunged messages.
    #[must_use]
    pub fn has_expunged(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the message is known to be gone though the client was not told yet.
    #[must_use]
    pub fn is_expunged(&self, uid: Uid) -> bool {
        self.pending.contains(uid.0)
    }

    /// The expunged messages that the client was not told of.
    #[must_use]
    pub fn expunged(&self) -> &UidSet {
        &self.pending
    }

    /// The expunges to announce as `(number, times)`: as many times `* number EXPUNGE`, each
    /// number valid once all before it were sent.
    pub fn expunge_numbers(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut removed = 0;
        self.pending.ranges().iter().filter_map(move |range| {
            let number = self.number(Uid(range.first))? - removed;
            removed += range.len();
            Some((number, range.len()))
        })
    }

    /// The announced expunges leave the view.
    pub fn drop_expunged(&mut self) {
        let gone = std::mem::take(&mut self.pending);
        self.uids = self.uids.difference(&gone);
        self.recent = self.recent.difference(&gone);
        self.saved = self.saved.difference(&gone);
        self.count();
    }

    /// All changes up to `modseq` are in the view.
    pub fn advance(&mut self, modseq: ModSeq) {
        self.modseq = self.modseq.max(modseq);
        let known = self.modseq.0;
        self.told.retain(|&(_, last)| last > known);
    }

    /// A change that this session made itself: the client knows its outcome.
    pub fn tell(&mut self, modseq: ModSeq) {
        let value = modseq.0;
        match self.told.last_mut() {
            Some((first, last)) if *first <= value && value <= last.saturating_add(1) => *last = value.max(*last),
            _ => self.told.push((value, value)),
        }
        if self.told.len() > TOLD_MAX {
            self.told.remove(0);
        }
    }

    /// Whether the client knows the outcome of the change with that modification sequence.
    #[must_use]
    pub fn was_told(&self, modseq: ModSeq) -> bool {
        self.told.iter().any(|&(first, last)| first <= modseq.0 && modseq.0 <= last)
    }

    /// Runs of sequence numbers as UIDs. `runs` ascend and lie within `1..=len`.
    fn uids_of(&self, runs: &[(u32, u32)]) -> UidSet {
        let mut uids = UidSet::new();
        let ranges = self.uids.ranges();
        let Some(before_all) = &self.before else { return uids };
        for &(low, high) in runs {
            let mut at = before_all.partition_point(|before| *before < low).saturating_sub(1);
            while let (Some(range), Some(&before)) = (ranges.get(at), before_all.get(at)) {
                if before >= high {
                    break;
                }
                let first = range.first + low.saturating_sub(before + 1);
                let last = range.first + (high - before - 1).min(range.len() - 1);
                uids.insert_range(first, last);
                at += 1;
            }
        }
        uids
    }

    fn count(&mut self) {
        let Some(before) = &mut self.before else {
            self.count = self.uids.len();
            return;
        };
        before.clear();
        let mut sum = 0;
        before.extend(self.uids.ranges().iter().map(|range| {
            let before = sum;
            sum += range.len();
            before
        }));
        self.count = sum;
    }
}

/// The items of a set as ascending, disjoint runs, `*` replaced by `largest`.
fn normalised(set: &SequenceSet, largest: u32) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = set
        .items
        .iter()
        .map(|&(from, to)| {
            let (from, to) = (from.unwrap_or(largest), to.unwrap_or(largest));
            (from.min(to), from.max(to))
        })
        .collect();
    runs.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
    for (low, high) in runs {
        match merged.last_mut() {
            Some(end) if low <= end.1.saturating_add(1) => end.1 = end.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(items: &[(Option<u32>, Option<u32>)]) -> SequenceSet {
        SequenceSet { items: items.to_vec() }
    }

    fn view(uids: &[u32]) -> View {
        let next = uids.iter().max().map_or(1, |last| last + 1);
        View::new(uids.iter().copied().collect(), Uid(next), ModSeq(1))
    }

    #[test]
    fn star_is_the_last_message() {
        let view = view(&[2, 3, 7]);
        let uids = |set: UidSet| set.iter().collect::<Vec<_>>();
        assert_eq!(uids(view.by_number(&set(&[(None, None)])).unwrap()), [7]);
        assert_eq!(uids(view.by_number(&set(&[(None, Some(2))])).unwrap()), [3, 7]);
        assert_eq!(uids(view.by_uid(&set(&[(Some(900), None)]))), [7]);
        assert_eq!(uids(view.by_uid(&set(&[(Some(4), Some(6))]))), [0; 0]);
        assert_eq!(uids(view.by_uid(&set(&[(Some(4), None)]))), [7]);
        assert_eq!(uids(view.by_uid(&set(&[(Some(u32::MAX), Some(1))]))), [2, 3, 7]);
    }

    #[test]
    fn numbers_beyond_the_end_are_refused() {
        assert_eq!(view(&[2]).by_number(&set(&[(Some(2), Some(2))])), Err(NoSuchNumber));
        assert_eq!(view(&[2]).by_number(&set(&[(Some(1), Some(2))])), Err(NoSuchNumber));
        assert_eq!(view(&[]).by_number(&set(&[(Some(1), None)])), Err(NoSuchNumber));
        assert_eq!(view(&[]).by_number(&set(&[(None, None)])), Err(NoSuchNumber));
        assert!(view(&[]).by_number_existing(&set(&[(Some(1), None)])).is_empty());
        assert!(view(&[]).by_uid(&set(&[(Some(1), None)])).is_empty());
    }

    #[test]
    fn a_saved_result_is_bounded_and_forgets_what_went() {
        let mut view = View::new(UidSet::from_range(1, 100_000), Uid(100_001), ModSeq(1));
        assert!(view.save(&UidSet::from_range(5, 9)));
        view.expunge(&UidSet::from_range(1, 6));
        assert_eq!(view.by_uid(&SequenceSet::SAVED), UidSet::from_range(5, 9));
        assert_eq!(view.told_modseq(), ModSeq(1));
        view.drop_expunged();
        assert_eq!(view.by_number(&SequenceSet::SAVED), Ok(UidSet::from_range(7, 9)));
        // Every other message is too much.
        assert!(!view.save(&(1..=100_000).filter(|uid| uid % 2 == 0).collect()));
        assert!(view.by_number_existing(&SequenceSet::SAVED).is_empty());
    }

    #[test]
    fn a_view_without_numbers_knows_its_messages() {
        let mut view = view(&[2, 3, 7]);
        assert_eq!(view.first_of_last(2), Some(Uid(3)));
        assert_eq!(view.first_of_last(9), Some(Uid(2)));
        assert_eq!(view.first_of_last(0), None);
        view.forget_numbers();
        view.arrive(&UidSet::from_range(9, 10), Uid(11));
        view.expunge(&UidSet::from_range(3, 3));
        view.drop_expunged();
        assert_eq!((view.len(), view.number(Uid(2)), view.uid(1)), (4, None, None));
        assert!(view.contains(Uid(9)) && !view.contains(Uid(3)));
        assert_eq!(view.by_uid(&set(&[(Some(1), None)])).len(), 4);
    }

    #[test]
    fn the_told_modseq_waits_for_expunges() {
        let mut view = view(&[1, 2]);
        view.expunge(&UidSet::from_range(2, 2));
        view.advance(ModSeq(7));
        view.advance(ModSeq(9));
        assert_eq!((view.modseq(), view.told_modseq()), (ModSeq(9), ModSeq(1)));
        view.drop_expunged();
        assert_eq!(view.told_modseq(), ModSeq(9));
    }

    #[test]
    fn own_changes_are_remembered_until_synchronised() {
        let mut view = view(&[1]);
        view.tell(ModSeq(5));
        view.tell(ModSeq(6));
        view.tell(ModSeq(9));
        assert_eq!(view.told, [(5, 6), (9, 9)]);
        assert!(view.was_told(ModSeq(6)) && !view.was_told(ModSeq(7)));
        view.advance(ModSeq(6));
        assert_eq!(view.told, [(9, 9)]);
        for modseq in 0..2 * TOLD_MAX as u64 {
            view.tell(ModSeq(20 + 2 * modseq));
        }
        assert_eq!(view.told.len(), TOLD_MAX);
    }

    #[test]
    fn a_fragmented_mailbox_stays_fast() {
        let all: UidSet = (1..=200_000).filter(|uid| uid % 4 != 0).collect();
        let mut view = View::new(all.clone(), Uid(200_001), ModSeq(1));
        for (index, uid) in all.iter().enumerate() {
            let number = u32::try_from(index).unwrap() + 1;
            assert_eq!(view.number(Uid(uid)), Some(number));
            assert_eq!(view.uid(number), Some(Uid(uid)));
        }
        let gone: UidSet = all.iter().filter(|uid| uid % 2 == 0).collect();
        view.expunge(&gone);
        assert_eq!(view.expunge_numbers().map(|(_, times)| times).sum::<u32>(), gone.len());
        view.drop_expunged();
        assert_eq!(view.len(), all.len() - gone.len());
    }

    #[test]
    fn a_set_of_many_items_is_resolved_in_one_pass() {
        let view = View::new(UidSet::from_range(1, 100_000), Uid(100_001), ModSeq(1));
        let items = (0..50_000).rev().map(|n| (Some(2 * n + 1), Some(2 * n + 1))).collect();
        assert_eq!(view.by_number(&SequenceSet { items }).unwrap().len(), 50_000);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Arrive(Vec<u32>),
        Expunge(Vec<u32>),
        Announce,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            prop::collection::vec(1u32..4, 0..6).prop_map(Step::Arrive),
            prop::collection::vec(1u32..60, 0..12).prop_map(Step::Expunge),
            Just(Step::Announce),
        ];
        prop::collection::vec(step, 0..24)
    }

    proptest! {
        #[test]
        fn equals_a_plain_list(steps in steps(), items in prop::collection::vec((prop::option::of(1u32..50), prop::option::of(1u32..50)), 1..5)) {
            let mut view = view(&[]);
            let mut model: Vec<u32> = Vec::new();
            let mut gone: Vec<u32> = Vec::new();
            for step in steps {
                match step {
                    Step::Arrive(gaps) => {
                        let mut arrived = UidSet::new();
                        let mut next = view.uid_next().0;
                        for gap in gaps {
                            arrived.insert(next + gap - 1);
                            model.push(next + gap - 1);
                            next += gap;
                        }
                        view.arrive(&arrived, Uid(next));
                    }
                    Step::Expunge(uids) => {
                        view.expunge(&uids.iter().copied().collect());
                        gone.extend(uids.iter().filter(|uid| model.contains(uid)));
                    }
                    Step::Announce => {
                        let numbers: Vec<_> = view.expunge_numbers().collect();
                        for (number, times) in numbers {
                            for _ in 0..times {
                                let uid = model.remove(number as usize - 1);
                                prop_assert!(gone.contains(&uid));
                            }
                        }
                        prop_assert!(!model.iter().any(|uid| gone.contains(uid)));
                        view.drop_expunged();
                        gone.clear();
                    }
                }
                prop_assert_eq!(view.uids().iter().collect::<Vec<_>>(), model.clone());
                prop_assert_eq!(view.len() as usize, model.len());
                for (index, uid) in model.iter().enumerate() {
                    let number = u32::try_from(index).unwrap() + 1;
                    prop_assert_eq!(view.number(Uid(*uid)), Some(number));
                    prop_assert_eq!(view.uid(number), Some(Uid(*uid)));
                    prop_assert_eq!(view.is_expunged(Uid(*uid)), gone.contains(uid));
                }
                prop_assert_eq!(view.uid(0), None);
                prop_assert_eq!(view.uid(view.len() + 1), None);
                prop_assert_eq!(view.number(view.uid_next()), None);
            }
            let asked = set(&items);
            let count = view.len();
            let wanted = |star: u32, value: u32| items.iter().any(|&(a, b)| {
                let (a, b) = (a.unwrap_or(star), b.unwrap_or(star));
                (a.min(b)..=a.max(b)).contains(&value)
            });
            let naive: Vec<u32> = (1..=count).filter(|number| wanted(count, *number)).map(|number| model[number as usize - 1]).collect();
            prop_assert_eq!(view.by_number_existing(&asked).iter().collect::<Vec<_>>(), naive.clone());
            let beyond = items.iter().any(|&(a, b)| [a, b].iter().any(|n| n.unwrap_or(count) > count || n.unwrap_or(count) == 0));
            match view.by_number(&asked) {
                Ok(uids) => { prop_assert!(!beyond); prop_assert_eq!(uids.iter().collect::<Vec<_>>(), naive); }
                Err(NoSuchNumber) => prop_assert!(beyond),
            }
            let star = model.last().copied().unwrap_or(0);
            let naive: Vec<u32> = model.iter().copied().filter(|uid| wanted(star, *uid)).collect();
            prop_assert_eq!(view.by_uid(&asked).iter().collect::<Vec<_>>(), naive);
        }
    }
}
