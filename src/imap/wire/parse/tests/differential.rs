//! What imap-codec accepts, we accept with the same meaning, but for what [`oracle`](super::oracle) names.

use super::oracle::{canonical, convert};
use super::seeds::{PIECES, SEEDS};
use crate::imap::wire::frame::Frame;
use crate::imap::wire::parse::parse;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types::command::CommandBody;
use proptest::prelude::*;
use proptest::sample::select;

/// Compares both parsers; whether imap-codec took the line.
fn compare(line: &[u8]) -> bool {
    let text = [b"t ", line, b"\r\n"].concat();
    let Some(frame) = Frame::from_text(&text) else { return false };
    let ours = parse(&frame).map(|(_, command)| canonical(command));
    // imap-codec wants the message too.
    let mut whole = text.clone();
    if let Some(literal) = frame.message() {
        whole.extend(std::iter::repeat_n(b'x', usize::try_from(literal.size).unwrap_or(0).min(1000)));
        whole.extend_from_slice(b"\r\n");
    }
    let Ok((rest, theirs)) = CommandCodec::default().decode(&whole) else { return false };
    if !rest.is_empty() {
        return false;
    }
    // RFC 4959 §3 writes an empty initial response as `=`; imap-codec takes a trailing space for it.
    if line.ends_with(b" ") && matches!(theirs.body, CommandBody::Authenticate { .. }) {
        return true;
    }
    match (convert(theirs.body), ours) {
        (Some(theirs), Ok(ours)) => assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(line)),
        (Some(theirs), Err(error)) => {
            panic!("we refuse {} ({}), theirs is {theirs:?}", String::from_utf8_lossy(line), error.text)
        }
        (None, Ok(ours)) => panic!("we accept {} as {ours:?}", String::from_utf8_lossy(line)),
        (None, Err(_)) => {}
    }
    true
}

#[test]
fn agrees_on_real_commands() {
    for seed in SEEDS {
        assert!(compare(seed.as_bytes()) || seed.contains("LOGIN {4}"), "imap-codec refuses {seed}");
    }
}

/// A seed with some edits.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..4_u8, select(PIECES), select(SEEDS), any::<prop::sample::Index>());
    (select(SEEDS), proptest::collection::vec(edit, 1..4)).prop_map(|(seed, edits)| {
        let mut line = seed.as_bytes().to_vec();
        for (at, kind, piece, other, from) in edits {
            let at = at.index(line.len() + 1);
            match kind {
                0 => {
                    line.splice(at..at, piece.bytes());
                }
                1 if at < line.len() => {
                    line.remove(at);
                }
                2 if at < line.len() => {
                    line.splice(at..=at, piece.bytes());
                }
                _ => {
                    let other = other.as_bytes();
                    line.splice(at.., other[from.index(other.len())..].iter().copied());
                }
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn agrees_on_mutated_commands(line in mutated()) {
        compare(&line);
    }
}
