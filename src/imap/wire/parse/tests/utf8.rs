//! Clients that have switched on UTF-8 (RFC 6855, RFC 9051).

use crate::imap::command::{Command, Literal};
use crate::imap::enabled::Enabled;
use crate::imap::wire::error::ErrorKind;
use crate::imap::wire::frame::Frame;
use crate::imap::wire::parse::parse_for;

#[test]
fn names_and_texts_of_a_client_that_reads_utf8() {
    let utf8 = Enabled { utf8: true, ..Enabled::default() };
    let rev2 = Enabled { rev2: true, ..Enabled::default() };
    let read = |line: &[u8], enabled| {
        let frame = Frame::from_text(&[b"t ", line, b"\r\n"].concat()).expect("a frame");
        parse_for(&frame, enabled).map(|(_, command)| command)
    };
    let delete = |name: &str| Ok(Command::Delete(name.to_owned()));
    for (line, plain, switched) in [
        ("DELETE &APw-", "ü", "&APw-"),
        ("DELETE R&-D", "R&D", "R&-D"),
        ("DELETE \"ü & ö\"", "ü & ö", "ü & ö"),
        ("DELETE {2+}\r\nü", "ü", "ü"),
        ("DELETE inbox", "INBOX", "INBOX"),
    ] {
        assert_eq!(read(line.as_bytes(), Enabled::default()), delete(plain), "{line}");
        for enabled in [utf8, rev2] {
            assert_eq!(read(line.as_bytes(), enabled), delete(switched), "{line}");
        }
    }
    assert_eq!(read(b"DELETE R&D", Enabled::default()).unwrap_err().kind, ErrorKind::MailboxName);
    assert_eq!(read(b"DELETE R&D", rev2), delete("R&D"));
    // RFC 6855 §3: octets outside of literals are UTF-8.
    for line in
        [&b"DELETE \"\xfc\""[..], b"ID (\"a\" \"\xfc\")", b"SEARCH BODY {1+}\r\na SUBJECT \xc3", b"DELETE \xed\xa0\x80"]
    {
        for enabled in [utf8, rev2] {
            assert_eq!(read(line, enabled).unwrap_err().kind, ErrorKind::Syntax);
        }
    }
    assert_eq!(read(b"DELETE {1+}\r\n\xfc", rev2).unwrap_err().kind, ErrorKind::MailboxName);
    // A charset is a contradiction in terms with UTF8=ACCEPT only.
    let search = |enabled, charset: &str| read(format!("SEARCH CHARSET {charset} ALL").as_bytes(), enabled);
    assert!(search(rev2, "UTF-8").is_ok());
    assert_eq!(search(rev2, "KOI8-R").unwrap_err().kind, ErrorKind::BadCharset);
    assert_eq!(search(utf8, "UTF-8").unwrap_err().kind, ErrorKind::Syntax);
    assert_eq!(search(utf8, "KOI8-R").unwrap_err().kind, ErrorKind::Syntax);
}

#[test]
fn utf8_data() {
    let read = |line: &str| {
        let frame = Frame::from_text(format!("t APPEND x {line}\r\n").as_bytes()).expect("a frame");
        parse_for(&frame, Enabled { utf8: true, ..Enabled::default() }).map(|(_, command)| command)
    };
    for line in ["UTF8 (~{3}", "(\\Seen) utf8 (~{3}", "\"17-Jul-1996 02:44:25 -0700\" UTF8 (~{3}"] {
        let Ok(Command::Append { message, .. }) = read(line) else { panic!("{line}") };
        assert!(
            message.utf8 && message.binary && message.literal == (Literal { size: 3, non_synchronizing: false }),
            "{line}"
        );
    }
    for bad in ["UTF8 ({3}", "UTF8 ( ~{3}", "UTF8 ~{3}", "UTF8(~{3}", "UTF9 (~{3}", "UTF8 (\\Seen) (~{3}", "UTF8 ("] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
