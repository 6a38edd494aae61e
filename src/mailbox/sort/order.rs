//! Sorting many messages while other tasks run.

use smol::future::yield_now;
use std::cmp::Ordering;

/// Comparisons, about, before other tasks get their turn; a tenth of a millisecond on a fast machine.
const AT_ONCE: usize = 2048;

/// Sorts; `compare` never says that two are equal. Takes room for as many again.
pub(in crate::mailbox) async fn sort_gently<T: Copy + Default>(
    order: &mut Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
) {
    for run in order.chunks_mut(AT_ONCE) {
        run.sort_unstable_by(&compare);
        yield_now().await;
    }
    let mut width = AT_ONCE;
    if order.len() <= width {
        return;
    }
    let mut merged = vec![T::default(); order.len()];
    while width < order.len() {
        for (from, to) in order.chunks(width * 2).zip(merged.chunks_mut(width * 2)) {
            let (left, right) = from.split_at_checked(width).unwrap_or((from, &[]));
            let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
            for piece in to.chunks_mut(AT_ONCE) {
                for slot in piece {
                    let takes_left = match (left.peek(), right.peek()) {
                        (Some(left), Some(right)) => compare(left, right).is_lt(),
                        (left, _) => left.is_some(),
                    };
                    let next = if takes_left { left.next() } else { right.next() };
                    *slot = next.unwrap_or_default();
                }
                yield_now().await;
            }
        }
        std::mem::swap(order, &mut merged);
        width *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::sort_gently;
    use proptest::prelude::*;
    use smol::block_on;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn equals_a_plain_sort(keys in prop::collection::vec(0u8..20, 0..9000)) {
            let mut order: Vec<u32> = (0u32..).take(keys.len()).collect();
            let mut plain = order.clone();
            plain.sort_by_key(|index| keys[*index as usize]);
            let key = |index: u32| (keys[index as usize], index);
            block_on(sort_gently(&mut order, |left, right| key(*left).cmp(&key(*right))));
            prop_assert_eq!(order, plain);
        }
    }
}
