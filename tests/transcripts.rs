//! Plays tests/imap/*.txt, tests/pop3/*.txt and tests/lmtp/*.txt; tests/imap/README.md describes their format.

mod transcript;

use transcript::{Protocol, play_all};

#[test]
fn imap() {
    play_all("imap", Protocol::Imap);
}

#[test]
fn pop3() {
    play_all("pop3", Protocol::Pop3);
}

#[test]
fn lmtp() {
    play_all("lmtp", Protocol::Lmtp);
}
