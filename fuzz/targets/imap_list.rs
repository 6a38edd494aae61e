//! Mailbox names and patterns: modified UTF-7 is a bijection, and a name that was understood is written in a form that
//! is understood as the same name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::imap::command::Command;
use mailnook::imap::wire::frame::Frame;
use mailnook::imap::wire::{parse::parse, utf7, write};

fn select(argument: &[u8]) -> Option<String> {
    let text = [b"a SELECT ", argument, b"\r\n"].concat();
    match parse(&Frame::from_text(&text)?) {
        Ok((_, Command::Select { mailbox, .. })) => Some(mailbox),
        _ => None,
    }
}

fuzz_target!(|data: &[u8]| {
    for verb in [&b"a LIST "[..], b"a LSUB \"\" ", b"a STATUS ", b"a RENAME x ", b"a CREATE ", b"a APPEND ", b"a GETMETADATA ", b"a SETMETADATA "] {
        let text = [verb, data, b"\r\n"].concat();
        if let Some(frame) = Frame::from_text(&text) {
            let _ = parse(&frame);
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(utf7::decode(&utf7::encode(text)).as_deref(), Some(text));
        if let Some(name) = utf7::decode(text) {
            assert_eq!(utf7::encode(&name), text);
        }
    }
    if let Some(name) = select(data) {
        let mut written = Vec::new();
        write::mailbox(&mut written, &name);
        assert!(written.is_ascii() && !written.contains(&b'\n'));
        assert_eq!(select(&written), Some(name));
    }
});
