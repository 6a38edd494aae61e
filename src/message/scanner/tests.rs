use super::super::{Kind, Part, Record, RecordError, SectionKind};
use super::{BOUNDARY_MAX, PARTS_MAX, Scan, Scanner};
use proptest::prelude::*;
use std::fmt::Write;

fn scan(message: &[u8]) -> Scan {
    let mut scanner = Scanner::new();
    scanner.push(message);
    let scan = scanner.finish();
    assert_eq!(scan.size, message.len() as u64);
    let copy = Record::from_bytes(scan.record.as_bytes().to_vec()).expect("a record of its own making");
    assert_eq!(copy, scan.record);
    check(message, &scan.record);
    scan
}

/// Lines with CRLF.
fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// `type/subtype:body` with children in brackets.
fn outline(message: &[u8], part: &Part<'_>) -> String {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).to_ascii_lowercase();
    let mut out = format!("{}/{}", text(part.media_type), text(part.subtype));
    if part.kind == Kind::Leaf {
        write!(out, ":{}", octets(message, part).escape_ascii()).unwrap();
    } else {
        let children: Vec<_> = part.children().map(|child| outline(message, &child)).collect();
        write!(out, "[{}]", children.join(" ")).unwrap();
    }
    out
}

fn octets<'a>(message: &'a [u8], part: &Part<'_>) -> &'a [u8] {
    &message[usize::try_from(part.body.start).unwrap()..usize::try_from(part.body.end).unwrap()]
}

fn outline_of(text: &str) -> String {
    let message = crlf(text);
    let scan = scan(&message);
    outline(&message, &scan.record.structure())
}

/// Ranges lie in one another and in the message, and line counts are right.
fn check(message: &[u8], record: &Record) {
    fn check_part(message: &[u8], part: &Part<'_>, within: std::ops::Range<u64>) {
        assert!(within.start <= part.header.start && part.header.end == part.body.start && part.body.end <= within.end);
        let body = octets(message, part);
        assert_eq!(part.lines, memchr::memchr_iter(b'\n', body).count() as u64, "{}", body.escape_ascii());
        let mut from = part.body.start;
        for child in part.children() {
            assert!(child.header.start >= from);
            check_part(message, &child, part.body.clone());
            from = child.body.end;
            if part.kind == Kind::Message {
                assert_eq!(part.body, child.header.start..child.body.end);
            }
        }
    }
    let size = message.len() as u64;
    assert_eq!(record.header_len() + record.body_len(), size);
    assert_eq!(record.section(&[], SectionKind::Full), Some(0..size));
    assert_eq!(record.section(&[], SectionKind::Header), Some(0..record.header_len()));
    assert_eq!(record.section(&[], SectionKind::Text), Some(record.header_len()..size));
    check_part(message, &record.structure(), 0..size);
    assert_eq!(record.structure().lines, record.lines());
}

#[test]
fn plain_message() {
    let message = crlf("From: a@b\nSubject: x\n\nline one\nline two");
    let found = scan(&message);
    assert!(found.has_header);
    assert_eq!((found.record.header_len(), found.record.body_len(), found.record.lines()), (25, 18, 1));
    let part = found.record.structure();
    assert_eq!((part.kind, part.encoding), (Kind::Leaf, &b"7bit"[..]));
    assert_eq!(part.parameters.collect::<Vec<_>>(), [(&b"charset"[..], &b"us-ascii"[..])]);
    assert!(part.id.is_none() && part.disposition.is_none() && part.languages.is_empty());
}

#[test]
fn messages_without_header_or_body() {
    for (message, header_len, has_header) in [
        (&b""[..], 0, false),
        (b"\r\n", 2, true),
        (b"\r\nbody", 2, true),
        (b"just text\r\n\r\nmore", 0, false),
        (b" folded: first\r\n\r\n", 0, false),
        (b"\0\0\0", 0, false),
        (b"\xff\xfe: x\r\n", 0, false),
        (b"A: b", 4, true),
        (b"A: b\r\n", 6, true),
        (b"A: b\r\nC", 6, true),
        (b"A: b\r\nC\r\n\r\nD: e", 6, true),
        (b"A: b\r\n\r\n", 8, true),
        (b"A: b\r\r\n\r\r\nx", 10, true),
        (b"From me\r\nA: b\r\n\r\nx", 17, true),
        (b">From me\r\nA: b\r\n\r\nx", 18, true),
        (b"From me to you\r\nwith love\r\n", 0, false),
        (b"From me to you", 0, false),
        (b"From me\r\n\r\nx", 0, false),
        (b"A: b\r\nno field here\r\nC: d\r\n\r\nx", 29, true),
    ] {
        let found = scan(message);
        assert_eq!(
            (found.record.header_len(), found.has_header),
            (header_len, has_header),
            "{}",
            message.escape_ascii()
        );
        assert_eq!(found.record.has_header(), has_header);
    }
}

#[test]
fn broken_continuations_are_mended() {
    let found = scan(b"Subject: a\r\nbroken\r\n line\r\nTo: x@y\r\nCc: z@y\r\nnot an address\r\n\r\n");
    let envelope = found.record.envelope();
    assert_eq!((envelope.subject, envelope.to.count()), (Some(&b"a broken line"[..]), 1));
    assert_eq!(envelope.cc.map(|address| address.host).collect::<Vec<_>>(), [Some(&b"y"[..])]);
    assert_eq!(
        outline_of("Content-Type: multipart/mixed;\nboundary=\"b\"\nX: y\n\n--b\n\none\n--b--"),
        "multipart/mixed[text/plain:one]"
    );
}

/// RFC 2046 §5.1.1
#[test]
fn example_of_rfc_2046() {
    let text = "From: Nathaniel Borenstein <nsb@bellcore.com>\nMIME-Version: 1.0\nContent-type: multipart/mixed; boundary=\"simple boundary\"\n\n\
        This is the preamble.\n\n--simple boundary\n\nThis is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.\n--simple boundary\n\
        Content-type: text/plain; charset=us-ascii\n\nThis is explicitly typed plain US-ASCII text.\nIt DOES end with a linebreak.\n\n--simple boundary--\n\n\
        This is the epilogue.  It is also to be ignored.\n";
    assert_eq!(
        outline_of(text),
        "multipart/mixed[text/plain:This is implicitly typed plain US-ASCII text.\\r\\nIt does NOT end with a linebreak. \
         text/plain:This is explicitly typed plain US-ASCII text.\\r\\nIt DOES end with a linebreak.\\r\\n]"
    );
}

#[test]
fn boundaries() {
    let mixed = |body: &str| outline_of(&format!("Content-Type: multipart/mixed; boundary=b\n\n{body}"));
    for (body, expected) in [
        // No end.
        ("--b\n\none\n--b\n\ntwo\n", "multipart/mixed[text/plain:one text/plain:two\\r\\n]"),
        ("--b\n\none\n--b", "multipart/mixed[text/plain:one text/plain:]"),
        ("--b\n\none\n--b--", "multipart/mixed[text/plain:one]"),
        // White space behind, other text behind, text before.
        ("--b \t\n\none\n--b-- \n", "multipart/mixed[text/plain:one]"),
        ("--b\n\none\n--bc\n--b c\n --b\n--b--", "multipart/mixed[text/plain:one\\r\\n--bc\\r\\n--b c\\r\\n --b]"),
        // Empty parts.
        ("--b\n\n--b\n\n\n--b\n--b--", "multipart/mixed[text/plain: text/plain: text/plain:]"),
        // Two delimiters in a row are one.
        ("--b\n--b\n\none\n--b\n--b\n--b\n\ntwo\n--b--", "multipart/mixed[text/plain:one text/plain:two]"),
        // A part whose header has no blank line, or which has no header.
        ("--b\nContent-Type: text/html\n--b--", "multipart/mixed[text/html:]"),
        ("--b\nContent-Type: text/html\n<p>\n--b--", "multipart/mixed[text/html:<p>]"),
        ("--b\nContent-Type: text/html\n<p>\n</p>\nA: b\n--b--", "multipart/mixed[text/html:<p>\\r\\n</p>\\r\\nA: b]"),
        (
            "--b\nContent-Type: message/rfc822\nno field\n\nx\n--b--",
            "multipart/mixed[message/rfc822[text/plain:no field\\r\\n\\r\\nx]]",
        ),
        ("--b\nno header\n\n--b--", "multipart/mixed[text/plain:no header\\r\\n]"),
        // Behind the end nothing counts.
        ("--b\n\none\n--b--\n--b\n\ntwo\n--b--", "multipart/mixed[text/plain:one]"),
        // A long line is no delimiter.
        (
            &format!("--b\n\none\n--b{}\n--b--", " ".repeat(2000)),
            &format!("multipart/mixed[text/plain:one\\r\\n--b{}]", " ".repeat(2000)),
        ),
        // No part at all.
        ("nothing here\n", "text/plain:nothing here\\r\\n"),
        ("--b--\nx", "text/plain:--b--\\r\\nx"),
    ] {
        assert_eq!(mixed(body), expected, "{body}");
    }
}

#[test]
fn boundaries_that_begin_alike() {
    let inner_longer = "Content-Type: multipart/mixed; boundary=foo\n\n--foo\nContent-Type: multipart/alternative; boundary=foobar\n\n\
        --foobar\n\na\n--foobar\n\nb\n--foobar--\n--foo\n\nc\n--foo--\n";
    let inner_shorter = inner_longer.replace("foobar", "x").replace("foo", "foobar").replace('x', "foo");
    let with_hyphens = inner_longer.replace("foobar", "foo--");
    let expected = "multipart/mixed[multipart/alternative[text/plain:a text/plain:b] text/plain:c]";
    assert_eq!(outline_of(inner_longer), expected);
    assert_eq!(outline_of(&inner_shorter.replace("mifooed", "mixed")), expected);
    assert_eq!(outline_of(&with_hyphens), expected);
}

#[test]
fn an_outer_delimiter_ends_inner_parts() {
    assert_eq!(
        outline_of(
            "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--o\n\ntwo\n--i\n--o--"
        ),
        "multipart/mixed[multipart/mixed[text/plain:one] text/plain:two\\r\\n--i]"
    );
    assert_eq!(
        outline_of(
            "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\nSubject: x\n--o--"
        ),
        "multipart/mixed[message/rfc822[text/plain:]]"
    );
    assert_eq!(
        outline_of("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n--o--"),
        "multipart/mixed[message/rfc822[text/plain:]]"
    );
}

#[test]
fn digests_hold_messages() {
    assert_eq!(
        outline_of(
            "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nfirst\n--b\nContent-Type: text/plain\n\nsecond\n--b\n\n--b\n\nno header\n--b--"
        ),
        "multipart/digest[message/rfc822[text/plain:first] text/plain:second message/rfc822[text/plain:] message/rfc822[text/plain:no header]]"
    );
    assert_eq!(
        outline_of("Content-Type: multipart/digest; boundary=b\n\n--b\nno header at all\n--b--"),
        "multipart/digest[message/rfc822[text/plain:no header at all]]"
    );
}

#[test]
fn content_types_that_cannot_be_used() {
    for content_type in [
        "multipart/mixed",
        "multipart/mixed; boundary=",
        "multipart/mixed; boundary=\" \"",
        "text",
        "",
        "/",
        "multipart",
    ] {
        let text = format!("Content-Type: {content_type}\n\n--\n\nx\n");
        assert_eq!(outline_of(&text), "text/plain:--\\r\\n\\r\\nx\\r\\n", "{content_type}");
    }
    let long = "b".repeat(BOUNDARY_MAX + 1);
    assert!(
        outline_of(&format!("Content-Type: multipart/mixed; boundary={long}\n\n--{long}\n\nx"))
            .starts_with("text/plain:--bbb")
    );
    let long = "b".repeat(BOUNDARY_MAX);
    assert_eq!(
        outline_of(&format!("Content-Type: multipart/mixed; boundary={long}\n\n--{long}\n\nx")),
        "multipart/mixed[text/plain:x]"
    );
    assert_eq!(
        outline_of("Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n\nx"),
        "multipart/mixed[text/plain:x]"
    );
    assert_eq!(
        outline_of("Content-Type: multipart/mixed; boundary*=us-ascii''a%2Fb\n\n--a/b\n\nx"),
        "multipart/mixed[text/plain:x]"
    );
    assert_eq!(
        outline_of("Content-Type: multipart/mixed; boundary*0*=''%61; boundary*1=b\n\n--ab\n\nx"),
        "multipart/mixed[text/plain:x]"
    );
    // The first usable one counts.
    assert_eq!(outline_of("Content-Type: text\nContent-Type: text/html\nContent-Type: text/css\n\nx"), "text/html:x");
}

#[test]
fn mime_fields() {
    let message = crlf(
        "Content-Type: APPLICATION/x-tar (tape);\n\tname=\"a \\\"b\\\".tar\"; x*0*=utf-8''%41\nContent-ID: <id@x>\nContent-Description: a\n description\n\
         Content-Transfer-Encoding: BASE64 (really)\nContent-MD5: abc==\nContent-Disposition: attachment; filename=a.tar; size=3\nContent-Language: en, de\nContent-Location: http://x/\n\nAAAA",
    );
    let found = scan(&message);
    let part = found.record.structure();
    assert_eq!((part.media_type, part.subtype), (&b"APPLICATION"[..], &b"x-tar"[..]));
    assert!(part.is_type("application"));
    assert_eq!(part.parameters.collect::<Vec<_>>(), [(&b"name"[..], &b"a \"b\".tar"[..]), (b"x*0*", b"utf-8''%41")]);
    assert_eq!(part.parameter("NAME"), Some(&b"a \"b\".tar"[..]));
    assert_eq!(
        (part.id, part.description, part.encoding),
        (Some(&b"<id@x>"[..]), Some(&b"a description"[..]), &b"BASE64"[..])
    );
    assert_eq!((part.md5, part.location), (Some(&b"abc=="[..]), Some(&b"http://x/"[..])));
    let disposition = part.disposition.unwrap();
    assert_eq!(disposition.name, b"attachment");
    assert_eq!(disposition.parameters.collect::<Vec<_>>(), [(&b"filename"[..], &b"a.tar"[..]), (b"size", b"3")]);
    assert_eq!(part.languages.collect::<Vec<_>>(), [&b"en"[..], b"de"]);
}

#[test]
fn envelope_tells_absent_from_empty() {
    let found = scan(b"Subject:\r\nFrom: A <a@x>\r\nTo:\r\nDate: 1 Jan 2000 00:00:00 +0100\r\nReferences: <a>\r\n <b>\r\nX: \0\r\nMessage-ID: <\0>\r\n\r\n");
    let envelope = found.record.envelope();
    assert_eq!((envelope.subject, envelope.in_reply_to), (Some(&b""[..]), None));
    assert_eq!(envelope.message_id, Some(&b"< >"[..]));
    assert!(envelope.to.is_empty() && envelope.cc.is_empty());
    for list in [envelope.from, envelope.sender, envelope.reply_to] {
        assert_eq!(list.map(|address| address.mailbox).collect::<Vec<_>>(), [Some(&b"a"[..])]);
    }
    assert_eq!(found.record.references(), Some(&b"<a> <b>"[..]));
    let date = found.record.sent_date().unwrap();
    assert_eq!((date.seconds, date.zone), (946_681_200, 60));
    assert!(found.record.is_exact());
    let again = scan(b"To: a@x\r\nSubject: a\r\nSubject: b\r\nTo: b@x\r\nDate: never\r\n\r\n");
    assert_eq!((again.record.envelope().subject, again.record.envelope().to.count()), (Some(&b"a"[..]), 2));
    assert!(!again.record.is_exact());
    assert_eq!(again.record.sent_date(), None);
    assert_eq!(scan(b"").record.envelope().date, None);
}

/// The example of RFC 9051 §6.4.5.1.
fn numbered() -> Vec<u8> {
    crlf(
        "Subject: top\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\n1\n--a\nContent-Type: application/octet-stream\n\n2\n--a\nContent-Type: message/rfc822\n\n\
         Subject: three\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n3.1\n--b\nContent-Type: application/octet-stream\n\n3.2\n--b--\n--a\n\
         Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/gif\n\n4.1\n--c\nContent-Type: message/rfc822\n\nSubject: four\n\
         Content-Type: multipart/mixed; boundary=d\n\n--d\n\n4.2.1\n--d\nContent-Type: multipart/alternative; boundary=e\n\n--e\n\n4.2.2.1\n--e\n\
         Content-Type: text/richtext\n\n4.2.2.2\n--e--\n--d--\n--c--\n--a--\n",
    )
}

#[test]
fn part_numbers() {
    let message = numbered();
    let found = scan(&message);
    let get = |path: &[u32], kind| {
        let range = found.record.section(path, kind)?;
        Some(
            String::from_utf8_lossy(
                &message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()],
            )
            .into_owned(),
        )
    };
    for path in [&[1][..], &[2], &[3, 1], &[3, 2], &[4, 1], &[4, 2, 1], &[4, 2, 2, 1], &[4, 2, 2, 2]] {
        let number = path.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
        assert_eq!(get(path, SectionKind::Full), Some(number));
        assert_eq!(get(path, SectionKind::Header), None);
        assert_eq!(get(path, SectionKind::Text), None);
    }
    assert_eq!(get(&[1], SectionKind::Mime).unwrap(), "\r\n");
    assert_eq!(get(&[4, 1], SectionKind::Mime).unwrap(), "Content-Type: image/gif\r\n\r\n");
    assert!(get(&[3], SectionKind::Full).unwrap().starts_with("Subject: three\r\n"));
    assert_eq!(
        get(&[3], SectionKind::Header).unwrap(),
        "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    );
    assert!(get(&[3], SectionKind::Text).unwrap().starts_with("--b\r\n"));
    assert!(get(&[4, 2], SectionKind::Header).unwrap().starts_with("Subject: four\r\n"));
    assert!(get(&[4, 2, 2], SectionKind::Full).unwrap().starts_with("--e\r\n"));
    assert!(get(&[4, 2, 2], SectionKind::Full).unwrap().ends_with("--e--"));
    assert_eq!(get(&[], SectionKind::Mime), None);
    for path in [&[0][..], &[5], &[1, 1], &[3, 3], &[4, 2, 3], &[4, 0], &[3, 1, 1], &[u32::MAX]] {
        assert_eq!(get(path, SectionKind::Full), None, "{path:?}");
    }
    let inner = found.record.part(&[4, 2]).unwrap();
    assert_eq!(inner.envelope().unwrap().subject, Some(&b"four"[..]));
    assert!(found.record.part(&[4]).unwrap().envelope().is_none());
}

#[test]
fn part_numbers_of_messages_that_are_not_multipart() {
    let message = crlf("Content-Type: message/rfc822\n\nSubject: in\n\ntext");
    let found = scan(&message);
    assert_eq!(found.record.section(&[1], SectionKind::Full), Some(32..51));
    assert_eq!(found.record.section(&[1], SectionKind::Header), Some(32..47));
    assert_eq!(found.record.section(&[1, 1], SectionKind::Full), Some(47..51));
    assert_eq!(found.record.section(&[1, 1], SectionKind::Mime), Some(32..47));
    assert_eq!(found.record.section(&[1, 1, 1], SectionKind::Full), None);
    assert_eq!(found.record.section(&[2], SectionKind::Full), None);
    let found = scan(b"\r\nx");
    assert_eq!(found.record.section(&[1], SectionKind::Full), Some(2..3));
    assert_eq!(found.record.section(&[1], SectionKind::Mime), Some(0..2));
}

#[test]
fn deep_nesting_ends_in_text() {
    let mut text = String::new();
    for level in 0..200 {
        write!(text, "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n").unwrap();
    }
    let message = crlf(&text);
    let found = scan(&message);
    let mut part = found.record.structure();
    let mut depth = 0;
    while let Some(child) = part.children().next() {
        part = child;
        depth += 1;
    }
    assert_eq!(depth, 50);
    assert_eq!((part.media_type, part.kind), (&b"text"[..], Kind::Leaf));
    let messages = crlf(&"Content-Type: message/rfc822\n\n".repeat(100));
    assert_eq!(outline(&messages, &scan(&messages).record.structure()).matches('[').count(), 50);
}

#[test]
fn too_many_parts_are_one_text() {
    let mut text =
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=b\n\n".to_owned();
    text.push_str(&"--b\n\nx\n".repeat(5000));
    text.push_str("--b--\n--o\n\nlast\n--o--");
    let message = crlf(&text);
    let record = scan(&message).record;
    let inner = record.part(&[1]).unwrap();
    assert_eq!(inner.children().count(), PARTS_MAX - 2 + 1);
    let rest = inner.children().last().unwrap();
    assert!(
        octets(&message, &rest).starts_with(b"\r\nx\r\n--b\r\n") && octets(&message, &rest).ends_with(b"\r\n--b--")
    );
    assert_eq!(octets(&message, &record.part(&[2]).unwrap()), b"\r\nlast\r\n--o--");
}

#[test]
fn large_fields_leave_a_bounded_record() {
    let part = format!("--b\nContent-Type: text/plain; name={}\n\nx\n", "n".repeat(30_000));
    let message = crlf(&format!(
        "Subject: {}\nTo: {}\nContent-Type: multipart/mixed; boundary=b\n\n{}--b--",
        "s".repeat(100_000),
        "a,".repeat(50_000),
        part.repeat(50)
    ));
    let record = scan(&message).record;
    assert!(record.as_bytes().len() < 256 * 1024, "{}", record.as_bytes().len());
    assert!(!record.is_exact());
    assert_eq!(record.envelope().subject.map(<[u8]>::len), Some(64 * 1024 - 1));
    assert_eq!(record.envelope().to.count(), 4096);
    assert!(record.structure().children().count() > 3);
}

#[test]
fn other_records_are_refused() {
    assert_eq!(Record::from_bytes(Vec::new()), Err(RecordError::Damaged));
    assert_eq!(Record::from_bytes(vec![9, 1, 2]), Err(RecordError::Version(9)));
    let record = scan(&numbered()).record;
    // A section of a later version is passed over.
    let mut later = record.as_bytes().to_vec();
    later.extend([77, 3, 1, 2, 3]);
    assert_eq!(Record::from_bytes(later).unwrap().structure().children().count(), 4);
    for length in 0..record.as_bytes().len() {
        assert!(Record::from_bytes(record.as_bytes()[..length].to_vec()).is_err(), "{length}");
    }
}

/// Reads all of a record.
fn visit(record: &Record) -> usize {
    fn visit_part(part: &Part<'_>) -> usize {
        let envelope = part.envelope().map_or(0, |envelope| envelope.to.count());
        envelope + part.parameters.count() + part.children().map(|child| visit_part(&child)).sum::<usize>()
    }
    let envelope = record.envelope();
    envelope.from.count() + envelope.reply_to.count() + visit_part(&record.structure())
}

/// Text that looks like MIME often enough.
fn mime_like() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => Just("--b".to_owned()),
        2 => Just("--bb".to_owned()),
        2 => Just("--b--".to_owned()),
        1 => Just("--bb-- ".to_owned()),
        3 => Just("Content-Type: multipart/mixed; boundary=b".to_owned()),
        2 => Just("Content-Type: multipart/digest;\r\n boundary=\"bb\"".to_owned()),
        3 => Just("Content-Type: message/rfc822".to_owned()),
        1 => Just("From me".to_owned()),
        1 => Just("Subject: x".to_owned()),
        1 => Just("To: a@b, c:d;".to_owned()),
        6 => Just(String::new()),
        2 => "[ -~\r\0]{0,12}",
    ];
    let end = prop_oneof![30 => Just("\r\n"), 1 => Just(""), 1 => Just("\r\r\n"), 1 => Just("\n")];
    prop::collection::vec((line, end), 0..40).prop_map(|lines| {
        let mut text = "Content-Type: multipart/mixed; boundary=b\r\n".to_owned();
        for (line, end) in &lines {
            text.extend([line.as_str(), end]);
        }
        text.into_bytes()
    })
}

proptest! {
    #[test]
    fn pieces_do_not_matter(message in mime_like(), cuts in prop::collection::vec(1usize..40, 0..40)) {
        let whole = scan(&message);
        let mut scanner = Scanner::new();
        let mut rest = &message[..];
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            scanner.push(piece);
            rest = behind;
        }
        scanner.push(rest);
        prop_assert_eq!(scanner.finish(), whole);
        let mut scanner = Scanner::new();
        for octet in &message {
            scanner.push(&[*octet]);
        }
        prop_assert_eq!(scanner.finish(), scan(&message));
    }

    #[test]
    fn any_octets_are_a_message(message: Vec<u8>) {
        visit(&scan(&message).record);
    }

    #[test]
    fn damaged_records_are_refused_or_readable(message in mime_like(), at: prop::sample::Index, octet: u8, garbage: Vec<u8>) {
        let mut octets = scan(&message).record.as_bytes().to_vec();
        let at = at.index(octets.len());
        octets[at] = octet;
        if let Ok(record) = Record::from_bytes(octets) {
            visit(&record);
        }
        let _ = Record::from_bytes([vec![1], garbage].concat());
    }
}
