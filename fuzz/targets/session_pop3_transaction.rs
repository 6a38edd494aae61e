//! A whole POP3 session after the login: messages go with QUIT and with nothing else (RFC 1939 §6).
#![no_main]
#![allow(dead_code, reason = "the house serves other targets as well")]

mod house;

use house::{Door, contains, play};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let played = play(Door::Pop3, b"USER anna\r\nPASS secret\r\n", data);
    assert!(
        contains(&played.output, b"\r\n+OK 3 messages") || !played.ended,
        "{}",
        String::from_utf8_lossy(&played.output)
    );
    let last = played.output.strip_suffix(b"\r\n");
    assert!(last.is_some() || !played.ended);
    let last = last.and_then(|lines| lines.rsplit(|&octet| octet == b'\n').next()).unwrap_or_default();
    assert!(!played.changed || last.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&played.output));
    assert!(played.arrived <= 0);
});
