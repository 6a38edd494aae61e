//! A whole IMAP session of somebody who has not logged in yet.
#![no_main]
#![allow(dead_code, reason = "the house serves other targets as well")]

mod house;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| house::imap_client::session(b"", data));
