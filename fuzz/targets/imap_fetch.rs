//! FETCH and STORE: bounded lists, and section names that imap-codec reads back as they were asked for.
#![no_main]

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use libfuzzer_sys::fuzz_target;
use mailnook::imap::command::{Command, FetchItem};
use mailnook::imap::wire::frame::Frame;
use mailnook::imap::wire::{parse::parse, write};

fuzz_target!(|data: &[u8]| {
    for verb in [&b"a UID FETCH "[..], b"a FETCH 1:* ", b"a FETCH 1 BODY[", b"a STORE 1 ", b"a UID STORE 1 +FLAGS ("] {
        let text = [verb, data, b"\r\n"].concat();
        let Some(frame) = Frame::from_text(&text) else { continue };
        let Ok((_, Command::Fetch { items, .. })) = parse(&frame) else { continue };
        assert!(!items.is_empty() && items.len() <= 256);
        for item in items {
            let FetchItem::Section { path, part, partial, .. } = item else { continue };
            let mut line = b"* 1 FETCH (".to_vec();
            // imap-codec holds 32 bits.
            let origin = partial.map(|(origin, _)| origin.min(u64::from(u32::MAX)));
            write::section(&mut line, &path, &part, origin);
            line.extend_from_slice(b" NIL)\r\n");
            assert!(ResponseCodec::default().decode(&line).is_ok(), "{}", String::from_utf8_lossy(&line));
        }
    }
});
