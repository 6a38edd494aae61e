//! Mailbox names and patterns: modified UTF-7 is a bijection, and a name that was understood is written in a form that
//! is understood as the same name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::imap::command::Command;
use mailnook::imap::enabled::Enabled;
use mailnook::imap::wire::frame::Frame;
use mailnook::imap::wire::parse::parse_for;
use mailnook::imap::wire::{utf7, write};

/// A client of RFC 3501, and one that reads UTF-8.
fn clients() -> [Enabled; 2] {
    [Enabled::default(), Enabled { utf8: true, ..Enabled::default() }]
}

fn select(argument: &[u8], enabled: Enabled) -> Option<String> {
    let text = [b"a SELECT ", argument, b"\r\n"].concat();
    match parse_for(&Frame::from_text(&text)?, enabled) {
        Ok((_, Command::Select { mailbox, .. })) => Some(mailbox),
        _ => None,
    }
}

fuzz_target!(|data: &[u8]| {
    for verb in [&b"a LIST "[..], b"a LSUB \"\" ", b"a STATUS ", b"a RENAME x ", b"a CREATE ", b"a APPEND ", b"a GETMETADATA ", b"a SETMETADATA ", b"a NOTIFY "] {
        let text = [verb, data, b"\r\n"].concat();
        if let Some(frame) = Frame::from_text(&text) {
            for enabled in clients() {
                let _ = parse_for(&frame, enabled);
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(utf7::decode(&utf7::encode(text)).as_deref(), Some(text));
        if let Some(name) = utf7::decode(text) {
            assert_eq!(utf7::encode(&name), text);
        }
    }
    for enabled in clients() {
        let Some(name) = select(data, enabled) else { continue };
        let mut written = Vec::new();
        write::mailbox(&mut written, &name, enabled.quoting());
        assert!((enabled.utf8 || written.is_ascii()) && !written.contains(&b'\n'));
        assert_eq!(select(&written, enabled), Some(name));
    }
});
