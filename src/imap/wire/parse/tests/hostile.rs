use super::{error, octets};
use crate::imap::command::Command;
use crate::imap::enabled::Enabled;
use crate::imap::wire::error::ErrorKind;
use crate::imap::wire::frame::Frame;
use crate::imap::wire::parse::{parse, parse_for, search::DEPTH_MAX};
use proptest::prelude::*;

#[test]
fn deep_nesting_is_refused() {
    let cases = [
        "(".repeat(100_000),
        "NOT ".repeat(100_000),
        "OR ".repeat(100_000),
        "OR ALL ".repeat(4000),
        "(NOT ".repeat(900),
    ];
    for keys in cases {
        assert_eq!(error(&format!("SEARCH {keys}ALL")).kind, ErrorKind::Limit);
    }
    let nested = |depth: usize| format!("SEARCH {}ALL{}", "(".repeat(depth), ")".repeat(depth));
    assert!(octets(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(error(&nested(DEPTH_MAX + 1)).kind, ErrorKind::Limit);
    assert_eq!(error(&format!("LIST {}", "(".repeat(100_000))).kind, ErrorKind::Syntax);
    assert_eq!(error(&format!("FETCH 1 {}", "(".repeat(100_000))).kind, ErrorKind::Syntax);
}

#[test]
fn large_sets_are_joined_or_refused() {
    let list =
        |step: u32| (1..1_000_000).step_by(step as usize).map(|uid: u32| uid.to_string()).collect::<Vec<_>>().join(",");
    match octets(format!("UID EXPUNGE {}", list(1)).as_bytes()) {
        Ok(Command::Expunge { uids: Some(set) }) => assert_eq!(set.items, [(Some(1), Some(999_999))]),
        other => panic!("{other:?}"),
    }
    assert_eq!(error(&format!("UID EXPUNGE {}", list(2))).kind, ErrorKind::Limit);
}

#[test]
fn many_keys_items_and_names_are_refused() {
    assert_eq!(error(&format!("SEARCH {}", "ALL ".repeat(10_000))).kind, ErrorKind::Limit);
    let items: Vec<String> = (1..=300).map(|part| format!("BODY[{part}]")).collect();
    assert_eq!(error(&format!("FETCH 1 ({})", items.join(" "))).kind, ErrorKind::Limit);
    assert_eq!(error(&format!("FETCH 1 BODY[HEADER.FIELDS ({})]", "a ".repeat(1000))).kind, ErrorKind::Limit);
    assert_eq!(error(&format!("FETCH 1 BODY[{}1]", "1.".repeat(1000))).kind, ErrorKind::Limit);
}

#[test]
fn nul_octets_are_refused_everywhere() {
    for line in ["NOOP\0", "LOGIN {1}\r\n\0 x", "LOGIN \"\0\" x", "\0", "APPEND \0 {3}"] {
        assert_eq!(error(line).text, "a NUL octet is not allowed", "{line:?}");
    }
}

#[test]
fn many_literals_are_read_in_one_pass() {
    let line = format!("SEARCH OR ALL BODY {}x", "{1+}\r\na".repeat(4000));
    let start = std::time::Instant::now();
    assert!(octets(line.as_bytes()).is_err());
    assert!(start.elapsed().as_millis() < 1000);
}

#[test]
fn a_line_that_ends_inside_quotes_is_no_literal_for_the_parser() {
    assert_eq!(error("LOGIN \"a {3}\r\nb\" c").text, "a quoted string does not end");
}

proptest! {
    #[test]
    fn no_octets_panic(mut octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        octets.extend_from_slice(b"\r\n");
        if let Some(frame) = Frame::from_text(&octets) {
            let _ = parse(&frame);
            let _ = parse_for(&frame, Enabled { rev2: true, utf8: true, ..Enabled::default() });
        }
    }

    #[test]
    fn no_text_behind_a_verb_panics(
        verb in "(UID )?(SEARCH|ESEARCH|ESEARCH IN|UIDBATCHES|CANCELUPDATE|FETCH 1|STORE 1|LIST|STATUS x|APPEND x|LOGIN|ID|SELECT)",
        text in "[ -~]{0,40}",
    ) {
        if let Some(frame) = Frame::from_text(format!("a {verb} {text}\r\n").as_bytes()) {
            let _ = parse(&frame);
            let _ = parse_for(&frame, Enabled { rev2: true, utf8: true, ..Enabled::default() });
        }
    }
}
