//! Whatever a message holds, imap-codec reads what is written.

use super::*;
use crate::imap::command::SectionPart;
use crate::imap::enabled::{Enabled, Quoting};
use crate::message::{Record, Scanner};
use crate::types::DateTime;
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types::body::BodyStructure;
use imap_codec::imap_types::core::NString;
use imap_codec::imap_types::envelope::Envelope as TheirEnvelope;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::{Data, Response};
use proptest::prelude::*;

fn record(message: &[u8]) -> Record {
    let mut scanner = Scanner::new();
    scanner.push(message);
    scanner.finish().record
}

/// The data items of a FETCH response of one message.
fn fetch_line(items: &[u8]) -> Vec<u8> {
    [b"* 1 FETCH (", items, b")\r\n"].concat()
}

/// What imap-codec reads in a FETCH response with one item, handed on to `check`.
fn oracle<T>(items: &[u8], check: impl FnOnce(&MessageDataItem<'_>) -> T) -> T {
    let line = fetch_line(items);
    let text = String::from_utf8_lossy(&line).into_owned();
    match ResponseCodec::default().decode(&line) {
        Ok((b"", Response::Data(Data::Fetch { items, .. }))) => check(&items.as_ref()[0]),
        other => panic!("{text}\n{other:?}"),
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn envelope_of(message: &[u8]) -> Vec<u8> {
    let mut out = b"ENVELOPE ".to_vec();
    envelope(&mut out, &record(message).envelope(), Quoting::Ascii);
    out
}

fn structure_of(message: &[u8], extended: bool) -> Vec<u8> {
    structure_for(message, extended, Enabled::default())
}

fn structure_for(message: &[u8], extended: bool, enabled: Enabled) -> Vec<u8> {
    let record = record(message);
    let mut out = if extended { b"BODYSTRUCTURE ".to_vec() } else { b"BODY ".to_vec() };
    if extended {
        body_structure(&mut out, &record.structure(), enabled);
    } else {
        body(&mut out, &record.structure(), enabled);
    }
    out
}

#[test]
fn strings() {
    for (octets, expected) in [
        (&b"abc"[..], "\"abc\""),
        (b"", "\"\""),
        (b"a\"\\b", "\"a\\\"\\\\b\""),
        (b"a\0b", "\"ab\""),
        (b"\0", "\"\""),
        ("ü\0".as_bytes(), "{2}\r\nü"),
        (b"a\r\nb", "{4}\r\na\r\nb"),
        (b"\t\x7f", "\"\t\x7f\""),
    ] {
        assert_eq!(written(|out| string(out, octets)), expected);
    }
    assert_eq!(written(|out| ntext(out, None, Quoting::Utf8)), "NIL");
    assert_eq!(written(|out| ntext(out, Some(b"NIL"), Quoting::Ascii)), "\"NIL\"");
    for (octets, expected) in [("ü\"\0", "\"ü\\\"\""), ("日本", "\"日本\""), ("ü\r\n", "{4}\r\nü\r\n"), ("a", "\"a\"")]
    {
        assert_eq!(written(|out| text(out, octets.as_bytes(), Quoting::Utf8)), expected);
    }
    // What is not UTF-8 can only be a literal.
    let mut out = Vec::new();
    text(&mut out, b"\xfc", Quoting::Utf8);
    assert_eq!(out, b"{1}\r\n\xfc");
}

#[test]
fn mailbox_names() {
    for (name, expected) in [
        ("INBOX", "INBOX"),
        ("a b", "\"a b\""),
        ("nil", "\"nil\""),
        ("", "\"\""),
        ("Entwürfe", "Entw&APw-rfe"),
        ("R&D", "R&-D"),
        ("50%", "\"50%\""),
        ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ("[Gmail]/x", "\"[Gmail]/x\""),
    ] {
        assert_eq!(written(|out| mailbox(out, name, Quoting::Ascii)), expected);
    }
    for (name, expected) in [
        ("INBOX", "INBOX"),
        ("Entwürfe", "\"Entwürfe\""),
        ("R&D", "R&D"),
        ("&APw-", "&APw-"),
        ("nil", "\"nil\""),
        ("a\"ü\\", "\"a\\\"ü\\\\\""),
    ] {
        assert_eq!(written(|out| mailbox(out, name, Quoting::Utf8)), expected);
    }
}

#[test]
fn section_names() {
    let fields = vec!["To".to_owned(), "a]b".to_owned()];
    let name = |path: &[u32], part: &SectionPart, origin| written(|out| section(out, path, part, origin));
    assert_eq!(name(&[], &SectionPart::Full, None), "BODY[]");
    assert_eq!(name(&[1, 2], &SectionPart::Full, Some(7)), "BODY[1.2]<7>");
    assert_eq!(name(&[3], &SectionPart::Mime, None), "BODY[3.MIME]");
    assert_eq!(name(&[], &SectionPart::Text, None), "BODY[TEXT]");
    assert_eq!(
        name(&[2], &SectionPart::FieldsNot(fields.clone()), Some(0)),
        "BODY[2.HEADER.FIELDS.NOT (To \"a]b\")]<0>"
    );
    for part in [SectionPart::Fields(fields), SectionPart::Header] {
        let mut line = name(&[1], &part, None).into_bytes();
        line.extend_from_slice(b" NIL");
        oracle(&line, |item| assert!(matches!(item, MessageDataItem::BodyExt { data: NString(None), .. })));
    }
}

#[test]
fn envelopes() {
    let message = b"Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@blurdybloop.example>\r\n\
        Subject: afternoon meeting\r\nTo: mooch@owatagu.example, Friends: a@b, \"c d\"@e;\r\n\
        Message-Id: <B27397-0100000@blurdybloop.example>\r\n\r\n";
    let from = "((\"Fred Foobar\" NIL \"foobar\" \"blurdybloop.example\"))";
    let to = "((NIL NIL \"mooch\" \"owatagu.example\")(NIL NIL \"Friends\" NIL)(NIL NIL \"a\" \"b\")\
              (NIL NIL \"c d\" \"e\")(NIL NIL NIL NIL))";
    let expected = format!(
        "ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800 (PST)\" \"afternoon meeting\" {from} {from} {from} {to} NIL NIL NIL \
         \"<B27397-0100000@blurdybloop.example>\")"
    );
    assert_eq!(String::from_utf8_lossy(&envelope_of(message)), expected);
    assert_eq!(envelope_of(b""), b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

#[test]
fn structures() {
    let message = b"Content-Type: multipart/mixed; boundary=x\r\nContent-Language: en, de\r\n\r\n--x\r\n\
        Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment; filename=\"a \\\" b\"\r\n\r\nQQ==\r\n--x\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n--x\r\nContent-Type: image/png\r\n\
        Content-ID: <1@x>\r\n\r\n\r\n--x--\r\n";
    let body = String::from_utf8(structure_of(message, false)).expect("UTF-8");
    assert_eq!(
        body,
        "BODY ((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"base64\" 4 0)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 0) 2)\
         (\"image\" \"png\" NIL \"<1@x>\" NIL \"7bit\" 0) \"mixed\")"
    );
    let extended = String::from_utf8(structure_of(message, true)).expect("UTF-8");
    assert!(extended.contains("4 0 NIL (\"attachment\" (\"filename\" \"a \\\" b\")) NIL NIL)"), "{extended}");
    assert!(extended.ends_with(" \"mixed\" (\"boundary\" \"x\") NIL (\"en\" \"de\") NIL)"), "{extended}");
    for extended in [false, true] {
        oracle(&structure_of(message, extended), |_| ());
    }
}

#[test]
fn a_message_that_lies_too_deep_or_is_global_is_a_plain_part() {
    let message = b"Content-Type: message/global\r\n\r\nSubject: x\r\n\r\n";
    let body = String::from_utf8(structure_of(message, false)).expect("UTF-8");
    assert_eq!(body, "BODY (\"message\" \"global\" NIL NIL NIL \"7bit\" 14)");
    // Who reads UTF-8 sees the message in it (RFC 9051 §7.5.2).
    let utf8 = Enabled { utf8: true, ..Enabled::default() };
    let body = String::from_utf8(structure_for(message, false, utf8)).expect("UTF-8");
    assert_eq!(
        body,
        "BODY (\"message\" \"global\" NIL NIL NIL \"7bit\" 14 (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) 2)"
    );
    let deep = b"Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let body = structure_of(&deep, true);
    let depth = body.split(|&octet| octet == b'(').count();
    assert!(depth < 500, "{depth}");
}

#[test]
fn internal_dates() {
    let mut out = b"INTERNALDATE ".to_vec();
    date_time(&mut out, DateTime { seconds: 837_596_665, zone: -420 });
    oracle(&out, |item| match item {
        MessageDataItem::InternalDate(date) => assert_eq!(date.as_ref().timestamp(), 837_596_665),
        other => panic!("{other:?}"),
    });
}

/// A header or a multipart of pieces that parsers trip over.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"From: ",
        b"To: a@b, \"x\" <c@d>, g: ;\r\n",
        b"Cc: <@r:u@h> (c)\r\n",
        b"Subject: =?utf-8?q?x?= \r\n",
        b"Subject: gr\xfc\xdfe \"\\\r\n",
        b"In-Reply-To: <a>\r\n\t<b>\r\n",
        b"Content-Type: multipart/mixed; boundary=\"x\"\r\n",
        b"Content-Type: text/plain; charset=\xff; x=\"y\\\"z\"\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Disposition: attachment; filename*=utf-8''a%20b\r\n",
        b"Content-Language: en, de\r\nContent-Location: \xe4\r\nContent-MD5: x\r\nContent-ID: <i>\r\n",
        b"Content-Transfer-Encoding: \r\n",
        b"\r\n",
        b"--x\r\n",
        b"--x--\r\n",
        b"\0",
        b"\"(\\",
        b" \r",
    ];
    proptest::collection::vec(proptest::sample::select(pieces), 0..24).prop_map(|pieces| pieces.concat())
}

fn check_structure(message: &[u8]) {
    for extended in [false, true] {
        let line = structure_of(message, extended);
        // imap-codec gives up at eight levels.
        if line.windows(2).filter(|pair| pair == b"((").count() < 4
            && line.windows(6).filter(|word| *word == b"rfc822").count() < 4
        {
            oracle(&line, |item| match item {
                MessageDataItem::Body(structure) | MessageDataItem::BodyStructure(structure) => {
                    if let BodyStructure::Multi { bodies, .. } = structure {
                        assert_eq!(bodies.as_ref().len(), record(message).structure().children().count());
                    }
                }
                other => panic!("{other:?}"),
            });
        }
    }
}

fn check_envelope(message: &[u8]) {
    let record = record(message);
    let ours = record.envelope();
    let without_nul = |octets: &[u8]| octets.iter().copied().filter(|&octet| octet != 0).collect::<Vec<_>>();
    oracle(&envelope_of(message), |item| {
        let MessageDataItem::Envelope(TheirEnvelope { subject, to, .. }) = item else { panic!("{item:?}") };
        let subject = subject.0.as_ref().map(|subject| subject.as_ref().to_vec());
        assert_eq!(subject, ours.subject.map(without_nul));
        assert_eq!(to.len(), ours.to.count());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_has_a_valid_envelope_and_structure(message in message()) {
        check_envelope(&message);
        check_structure(&message);
    }

    #[test]
    fn any_octets_have_a_valid_envelope_and_structure(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_envelope(&octets);
        check_structure(&octets);
    }

    #[test]
    fn any_string_is_read_back(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut line = b"RFC822 ".to_vec();
        string(&mut line, &octets);
        let kept: Vec<u8> = octets.into_iter().filter(|&octet| octet != 0).collect();
        oracle(&line, |item| match item {
            MessageDataItem::Rfc822(NString(Some(text))) => assert_eq!(text.as_ref(), &kept[..]),
            other => panic!("{other:?}"),
        });
    }

    #[test]
    fn any_mailbox_name_is_read_back(name in "[^\0]{1,20}") {
        let mut line = b"* STATUS ".to_vec();
        mailbox(&mut line, &name, Quoting::Ascii);
        line.extend_from_slice(b" (MESSAGES 1)\r\n");
        prop_assert!(ResponseCodec::default().decode(&line).is_ok());
    }
}
