//! Readers of header fields and texts: no input stops them, and none makes more of it than it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::message::{header, parse_addresses, parse_date, words};

fuzz_target!(|data: &[u8]| {
    let _ = parse_date(data);
    assert!(parse_addresses(data, 100).len() <= 101);
    let unfolded = header::unfold(data);
    assert!(unfolded.len() <= data.len());
    let _ = words::decode_words(data);
    let kept = header::filter_fields(data, &["From", "to", "X"], false);
    let left = header::filter_fields(data, &["From", "to", "X"], true);
    // The blank line that ends a header may be in both.
    assert!(kept.len() <= data.len() + 2 && left.len() <= data.len() + 2);
});
