//! A whole IMAP session with a mailbox of three messages selected.
#![no_main]
#![allow(dead_code, reason = "the house serves other targets as well")]

mod house;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| house::imap_client::session(b"p LOGIN anna secret\r\nq SELECT INBOX\r\n", data));
