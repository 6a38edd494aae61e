//! A whole POP3 session from its greeting: it deletes nothing without a login and a QUIT.
#![no_main]
#![allow(dead_code, reason = "the house serves other targets as well")]

mod house;

use house::{Door, contains, play};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let played = play(Door::Pop3, b"", data);
    assert!(played.output.starts_with(b"+OK "));
    assert!(!played.changed || contains(&data.to_ascii_uppercase(), b"QUIT"));
});
