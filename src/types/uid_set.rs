//! A set of UIDs as sorted, disjoint, non-adjacent ranges: a mailbox of 100,000 messages costs bytes.

/// An inclusive range of UIDs; `first <= last`, both 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidRange {
    /// The lowest UID.
    pub first: u32,
    /// The highest UID.
    pub last: u32,
}

impl UidRange {
    /// How many UIDs it holds.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.last - self.first + 1
    }

    /// Never: a range holds at least one UID.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// A set of UIDs.
///
/// Invariant: ranges ascend, do not overlap and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<UidRange>,
}

impl UidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The set of `first..=last`; empty where `first > last` or `last` is 0.
    #[must_use]
    pub fn from_range(first: u32, last: u32) -> Self {
        let mut set = Self::new();
        set.insert_range(first, last);
        set
    }

    /// The ranges, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[UidRange] {
        &self.ranges
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many UIDs it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.ranges.iter().map(|range| range.len()).sum()
    }

    /// The lowest UID.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|range| range.first)
    }

    /// The highest UID.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|range| range.last)
    }

    /// Whether it holds `uid`.
    #[must_use]
    pub fn contains(&self, uid: u32) -> bool {
        let at = self.ranges.partition_point(|range| range.last < uid);
        self.ranges.get(at).is_some_and(|range| range.first <= uid)
    }

    /// Adds one UID.
    pub fn insert(&mut self, uid: u32) {
        self.insert_range(uid, uid);
    }

    /// Adds `first..=last`; nothing where `first > last`. UID 0 does not exist and is left out.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        let first = first.max(1);
        if first > last {
            return;
        }
        // The common case is an ascending build: extend or append at the end.
        match self.ranges.last_mut() {
            None => {
                self.ranges.push(UidRange { first, last });
                return;
            }
            Some(end) if first > end.last => {
                if first - 1 == end.last {
                    end.last = last;
                } else {
                    self.ranges.push(UidRange { first, last });
                }
                return;
            }
            Some(_) => {}
        }
        let from = self.ranges.partition_point(|range| range.last < first - 1);
        let to = self.ranges.partition_point(|range| range.first <= last.saturating_add(1));
        let (mut low, mut high) = (first, last);
        if from < to {
            low = low.min(self.ranges[from].first);
            high = high.max(self.ranges[to - 1].last);
        }
        self.ranges.splice(from..to, [UidRange { first: low, last: high }]);
    }

    /// Removes `first..=last`.
    pub fn remove_range(&mut self, first: u32, last: u32) {
        if first > last {
            return;
        }
        let from = self.ranges.partition_point(|range| range.last < first);
        let to = self.ranges.partition_point(|range| range.first <= last);
        if from >= to {
            return;
        }
        let (low, high) = (self.ranges[from].first, self.ranges[to - 1].last);
        let left = (low < first).then(|| UidRange { first: low, last: first - 1 });
        let right = (high > last).then(|| UidRange { first: last + 1, last: high });
        self.ranges.splice(from..to, left.into_iter().chain(right));
    }

    /// Removes one UID.
    pub fn remove(&mut self, uid: u32) {
        self.remove_range(uid, uid);
    }

    /// The UIDs in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut a, mut b) = (0, 0);
        let mut ranges = Vec::new();
        while let (Some(left), Some(right)) = (self.ranges.get(a), other.ranges.get(b)) {
            let (first, last) = (left.first.max(right.first), left.last.min(right.last));
            if first <= last {
                ranges.push(UidRange { first, last });
            }
            if left.last < right.last { a += 1 } else { b += 1 }
        }
        Self { ranges }
    }

    /// The UIDs of `self` that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut set = Self::new();
        let mut b = 0;
        for range in &self.ranges {
            let mut first = range.first;
            while other.ranges.get(b).is_some_and(|hole| hole.last < first) {
                b += 1;
            }
            let mut at = b;
            let mut open = true;
            while let Some(hole) = other.ranges.get(at).filter(|hole| hole.first <= range.last) {
                if hole.first > first {
                    set.insert_range(first, hole.first - 1);
                }
                if hole.last >= range.last {
                    open = false;
                    break;
                }
                first = hole.last + 1;
                at += 1;
            }
            if open {
                set.insert_range(first, range.last);
            }
        }
        set
    }

    /// The UIDs in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut set = Self::new();
        loop {
            let take_left = match (a.peek(), b.peek()) {
                (Some(left), Some(right)) => left.first <= right.first,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return set,
            };
            if let Some(range) = if take_left { a.next() } else { b.next() } {
                set.insert_range(range.first, range.last);
            }
        }
    }

    /// Every UID, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|range| range.first..=range.last)
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> Self {
        let mut set = Self::new();
        uids.into_iter().for_each(|uid| set.insert(uid));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::UidSet;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn model(ops: &[(bool, u32, u32)]) -> (UidSet, BTreeSet<u32>) {
        let (mut set, mut model) = (UidSet::new(), BTreeSet::new());
        for &(add, first, len) in ops {
            if add {
                set.insert_range(first, first + len);
                model.extend(first..=first + len);
            } else {
                set.remove_range(first, first + len);
                model.retain(|uid| !(first..=first + len).contains(uid));
            }
        }
        (set, model)
    }

    fn ops() -> impl Strategy<Value = Vec<(bool, u32, u32)>> {
        prop::collection::vec((any::<bool>(), 1u32..60, 0u32..8), 0..40)
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(left in ops(), right in ops()) {
            let ((a, ma), (b, mb)) = (model(&left), model(&right));
            prop_assert_eq!(a.iter().collect::<BTreeSet<_>>(), ma.clone());
            prop_assert_eq!(a.len() as usize, ma.len());
            prop_assert!(a.ranges().windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
            prop_assert!((0..80).all(|uid| a.contains(uid) == ma.contains(&uid)));
            let check = |set: UidSet, model: BTreeSet<u32>| {
                assert_eq!(set.iter().collect::<BTreeSet<_>>(), model);
                assert!(set.ranges().windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
            };
            check(a.intersection(&b), ma.intersection(&mb).copied().collect());
            check(a.difference(&b), ma.difference(&mb).copied().collect());
            check(a.union(&b), ma.union(&mb).copied().collect());
        }
    }

    #[test]
    fn reaches_the_highest_uid() {
        let mut set = UidSet::from_range(1, u32::MAX);
        assert!(set.contains(u32::MAX));
        set.remove(u32::MAX);
        assert_eq!(set.last(), Some(u32::MAX - 1));
        set.insert(u32::MAX);
        assert_eq!(set.ranges().len(), 1);
    }
}
