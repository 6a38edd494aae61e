//! Readers of header fields and texts: no input stops them, and none makes more of it than it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::message::message_id::MessageIds;
use mailnook::message::subject::base_subject;
use mailnook::message::{header, parse_addresses, parse_date, text, words};

fuzz_target!(|data: &[u8]| {
    let _ = parse_date(data);
    assert!(parse_addresses(data, 100).len() <= 101);
    let unfolded = header::unfold(data);
    assert!(unfolded.len() <= data.len());
    let decoded = words::decode_words(data);
    // The base subject is a part of the subject, and folding goes letter by letter.
    assert!(base_subject(data).text.len() <= decoded.len());
    let folded: String = decoded.chars().map(|letter| text::fold(letter.encode_utf8(&mut [0; 4]))).collect();
    assert_eq!(text::fold(&decoded), folded);
    let (mut ids, mut id) = (MessageIds::new(data), Vec::new());
    while ids.next_into(&mut id) {
        assert!(id.len() <= 1024 && id.contains(&b'@'));
    }
    let kept = header::filter_fields(data, &["From", "to", "X"], false);
    let left = header::filter_fields(data, &["From", "to", "X"], true);
    // The blank line that ends a header may be in both.
    assert!(kept.len() <= data.len() + 2 && left.len() <= data.len() + 2);
});
