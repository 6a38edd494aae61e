//! Part of a list of messages by place (RFC 9394): from its beginning or from its end.

use crate::types::{UidRange, UidSet};

/// partial-range: `1:100` or `-1:-100`, as the client wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// One end, 1 or more.
    pub first: u32,
    /// The other, in either order.
    pub last: u32,
    /// Counted from the message with the highest UID.
    pub from_end: bool,
}

impl Partial {
    /// Those of the messages that stand in these places.
    #[must_use]
    pub fn of(self, uids: &UidSet) -> UidSet {
        let count = uids.len();
        let (low, high) = (self.first.min(self.last), self.first.max(self.last).min(count));
        let mut part = UidSet::new();
        if low > high {
            return part;
        }
        let (low, high) = if self.from_end { (count - high + 1, count - low + 1) } else { (low, high) };
        let mut before = 0;
        for &UidRange { first, last } in uids.ranges() {
            let length = last - first + 1;
            // Places before + 1 ..= before + length are here.
            let (from, to) = (low.max(before + 1), high.min(before + length));
            if from <= to {
                part.insert_range(first + (from - before - 1), first + (to - before - 1));
            }
            before += length;
            if before >= high {
                break;
            }
        }
        part
    }
}

impl std::fmt::Display for Partial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.from_end { "-" } else { "" };
        write!(f, "{sign}{}:{sign}{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_slice(
            uids in prop::collection::btree_set(1u32..60, 0..30),
            (first, last, from_end) in (1u32..40, 1u32..40, any::<bool>()),
        ) {
            let partial = Partial { first, last, from_end };
            let places = first.min(last)..=first.max(last);
            let mut list: Vec<u32> = uids.iter().copied().collect();
            if from_end {
                list.reverse();
            }
            let mut wanted: Vec<u32> = (1..).zip(list).filter(|(place, _)| places.contains(place)).map(|(_, uid)| uid).collect();
            wanted.sort_unstable();
            prop_assert_eq!(partial.of(&uids.into_iter().collect()).iter().collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn the_last_place_is_within_reach() {
        let all = UidSet::from_range(1, u32::MAX);
        let partial = |first, last, from_end| Partial { first, last, from_end }.of(&all);
        assert_eq!(partial(u32::MAX, 1, false), all);
        assert_eq!(partial(1, u32::MAX, true), all);
        assert_eq!(partial(1, 1, true), UidSet::from_range(u32::MAX, u32::MAX));
    }
}
