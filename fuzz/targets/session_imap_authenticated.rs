//! A whole IMAP session after the login: mailboxes, subscriptions, APPEND, everything across mailboxes.
#![no_main]
#![allow(dead_code, reason = "the house serves other targets as well")]

mod house;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| house::imap_client::session(b"p LOGIN anna secret\r\n", data));
