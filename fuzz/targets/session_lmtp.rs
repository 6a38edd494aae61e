//! A whole LMTP session: every reply has its form, and there is a new message exactly if one was acknowledged, however the
//! octets arrive and wherever the client cuts the line.
#![no_main]
#![allow(dead_code, reason = "the house serves other targets as well")]

mod house;

use house::{Door, play};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let played = play(Door::Lmtp, b"", data);
    assert!(played.ended, "a session that never waits did not end");
    let mut delivered = 0;
    for line in played.output.split_inclusive(|&octet| octet == b'\n') {
        let shown = String::from_utf8_lossy(line);
        let line = line.strip_suffix(b"\r\n").unwrap_or_default();
        assert!(line.len() > 4 && !line.iter().any(u8::is_ascii_control), "{shown:?}");
        let (code, text) = line.split_at(4);
        assert!(code.iter().take(3).all(u8::is_ascii_digit) && matches!(code.last(), Some(b' ' | b'-')), "{shown:?}");
        delivered += i64::from(text.starts_with(b"2.1.5 Delivered"));
    }
    // Recipients that lead to the same mailbox share one message.
    let arrived = played.arrived;
    assert!(arrived <= delivered && (arrived > 0) == (delivered > 0), "{}", String::from_utf8_lossy(&played.output));
});
