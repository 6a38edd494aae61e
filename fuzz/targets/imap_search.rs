//! SEARCH, SORT and THREAD: bounded depth and size whatever is asked, and agreement with imap-codec about what is a search at all.
#![no_main]

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types::command::CommandBody;
use libfuzzer_sys::fuzz_target;
use mailnook::imap::command::{Command, SearchKey};
use mailnook::imap::wire::ErrorKind;
use mailnook::imap::wire::frame::Frame;
use mailnook::imap::wire::parse::parse;

fn depth(key: &SearchKey) -> usize {
    1 + match key {
        SearchKey::Not(key) => depth(key),
        SearchKey::Or(first, second) => depth(first).max(depth(second)),
        SearchKey::And(keys) => keys.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fuzz_target!(|data: &[u8]| {
    for verb in [&b"a UID SORT "[..], b"a THREAD "] {
        let Some(frame) = Frame::from_text(&[verb, data, b"\r\n"].concat()) else { return };
        if let Ok((_, Command::Sort { keys, .. } | Command::Thread { keys, .. })) = parse(&frame) {
            assert!(!keys.is_empty() && keys.iter().map(depth).max() <= Some(129));
        }
    }
    let text = [b"a SEARCH ", data, b"\r\n"].concat();
    let Some(frame) = Frame::from_text(&text) else { return };
    match parse(&frame) {
        Ok((_, Command::Search { keys, .. })) => {
            assert!(!keys.is_empty());
            assert!(keys.iter().map(depth).max() <= Some(129));
        }
        Ok((_, other)) => panic!("{other:?}"),
        Err(error) => {
            if error.kind == ErrorKind::Syntax
                && error.text != "the search text is not UTF-8"
                // theirs has 64 bits, the RFC 63.
                && error.text != "the mod-sequence is not valid"
                && let Ok((b"", command)) = CommandCodec::default().decode(&text)
            {
                assert!(!matches!(command.body, CommandBody::Search { .. }), "{error:?}: {command:?}");
            }
        }
    }
});
