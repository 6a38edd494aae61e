//! Sets of numbers.

use crate::types::UidRange;
use std::io::Write as _;

/// Appends ranges as a set (RFC 3501 §9 sequence-set): `1:5,7`.
pub fn ranges(out: &mut Vec<u8>, ranges: &[UidRange]) {
    for (index, range) in ranges.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a Vec cannot fail.
        let _written = if range.first == range.last {
            write!(out, "{comma}{}", range.first)
        } else {
            write!(out, "{comma}{}:{}", range.first, range.last)
        };
    }
}
