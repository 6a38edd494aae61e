use super::{command, error, octets};
use crate::imap::command::{
    AppendMessage, Command, Depth, EntryName, FetchItem, ListRequest, Literal, SearchKey, Secret, SectionPart,
    SelectParameters, SequenceSet, StatusItem,
};
use crate::imap::wire::error::ErrorKind;
use crate::types::{DateTime, FlagOperation, Flags, SystemFlags};

fn set(items: &[(u32, u32)]) -> SequenceSet {
    let number = |number| (number != 0).then_some(number);
    SequenceSet { items: items.iter().map(|&(first, last)| (number(first), number(last))).collect() }
}

#[allow(clippy::unnecessary_wraps)]
fn login(user: &[u8], password: &[u8]) -> Result<Command, crate::imap::wire::ParseError> {
    Ok(Command::Login { user: user.to_vec(), password: Secret(password.to_vec()) })
}

fn search(line: &str) -> Vec<SearchKey> {
    match command(line) {
        Ok(Command::Search { keys, .. }) => keys,
        other => panic!("{line}: {other:?}"),
    }
}

fn fetch(line: &str) -> Vec<FetchItem> {
    match command(line) {
        Ok(Command::Fetch { items, .. }) => items,
        other => panic!("{line}: {other:?}"),
    }
}

fn header(field: &str, text: &str) -> SearchKey {
    SearchKey::Header { field: field.to_owned(), text: text.to_owned() }
}

#[test]
fn verbs_of_imap_codec() {
    assert_eq!(command("capability"), Ok(Command::Capability));
    assert_eq!(command("  NooP  "), Ok(Command::Noop));
    assert_eq!(command("ID NIL"), Ok(Command::Id(None)));
    let fields = vec![("name".to_owned(), Some("K?9".to_owned())), ("version".to_owned(), None)];
    assert_eq!(octets(b"id (\"name\" \"K\xfc9\" \"version\" NIL) "), Ok(Command::Id(Some(fields))));
    let names = ["CONDSTORE", "IMAP4REV2", "UTF8=ACCEPT", "X-FOO"].map(str::to_owned).to_vec();
    assert_eq!(command("ENABLE condstore IMAP4rev2 utf8=accept X-Foo"), Ok(Command::Enable(names)));
    assert_eq!(command("EXPUNGE"), Ok(Command::Expunge { uids: None }));
    assert_eq!(error("NOOP x").kind, ErrorKind::Syntax);
    assert_eq!(error("ENABLE").text, "the arguments are missing");
    let long = format!("ID ({})", ["\"a\" NIL"; 31].join(" "));
    assert_eq!(error(&long).kind, ErrorKind::Limit);
}

#[test]
fn unknown_commands() {
    assert_eq!(error("FOO").kind, ErrorKind::UnknownCommand);
    assert_eq!(error("UID NOOP").kind, ErrorKind::UnknownCommand);
    assert_eq!(error("").text, "the command is missing");
    assert_eq!(error("UID").text, "UID needs a command");
    assert_eq!(error("NOOP\0").text, "a NUL octet is not allowed");
}

#[test]
fn logins() {
    assert_eq!(command("LOGIN anna geheim"), login(b"anna", b"geheim"));
    assert_eq!(command("login  \"a b\"  \"\" "), login(b"a b", b""));
    assert_eq!(command("LOGIN {1}\r\n\" {2}\r\n{x"), login(b"\"", b"{x"));
    assert_eq!(command("LOGIN u p%s*(s)\\"), login(b"u", b"p%s*(s)\\"));
    assert_eq!(command("LOGIN \"DOM\\user\" \"a\\\\b\\\"\""), login(b"DOM\\user", b"a\\b\""));
    assert_eq!(octets(b"LOGIN u \"\xc3\xbc\xff\""), login(b"u", b"\xc3\xbc\xff"));
    assert_eq!(error("LOGIN u").text, "the password is missing");
    assert_eq!(error("LOGIN").text, "the user name is missing");
    assert_eq!(error("LOGIN a b c").text, "there is more than the command takes");
    assert_eq!(error("LOGIN a \"b").text, "a quoted string does not end");
    assert_eq!(error("LOGIN a \"b\\").text, "a quoted string does not end");
    assert_eq!(error("LOGIN ~{1}\r\na b").text, "a literal8 is not allowed here");
    assert!(!format!("{:?}", command("LOGIN u 4711")).contains("4711"));
}

#[test]
fn authenticate() {
    let expect = |initial: Option<&[u8]>| {
        Ok(Command::Authenticate {
            mechanism: "PLAIN".to_owned(),
            initial: initial.map(|octets| Secret(octets.to_vec())),
        })
    };
    assert_eq!(command("AUTHENTICATE plain"), expect(None));
    assert_eq!(command("AUTHENTICATE PLAIN ="), expect(Some(b"=")));
    assert_eq!(command("AUTHENTICATE PLAIN AHU"), expect(Some(b"AHU")));
    assert!(command("AUTHENTICATE PLAIN a b").is_err());
    assert!(command("AUTHENTICATE").is_err());
}

#[test]
fn mailbox_names() {
    let select = |name: &str| {
        Ok(Command::Select { mailbox: name.to_owned(), read_only: false, parameters: SelectParameters::default() })
    };
    assert_eq!(command("SELECT iNbOx"), select("INBOX"));
    assert_eq!(command("SELECT \"inbox/Sub\""), select("INBOX/Sub"));
    assert_eq!(command("SELECT inboxes"), select("inboxes"));
    assert_eq!(command("SELECT Entw&APw-rfe"), select("Entwürfe"));
    assert_eq!(command("SELECT Entwürfe"), select("Entwürfe"));
    assert_eq!(command("SELECT \"R&-D\""), select("R&D"));
    assert_eq!(command("SELECT {4+}\r\na\\b\""), select("a\\b\""));
    assert_eq!(command("SELECT a]b"), select("a]b"));
    for bad in ["\"R&D\"", "&AGE-", "\"\"", "&AAE-", "{1}\r\n\n"] {
        assert_eq!(error(&format!("SELECT {bad}")).kind, ErrorKind::MailboxName, "{bad}");
    }
    assert_eq!(octets(b"SELECT \xff").map_err(|error| error.kind), Err(ErrorKind::MailboxName));
    for bad in ["", "a b", "a*", "(a)"] {
        assert_eq!(error(&format!("SELECT {bad}")).kind, ErrorKind::Syntax, "{bad}");
    }
    assert_eq!(
        command("EXAMINE x"),
        Ok(Command::Select { mailbox: "x".to_owned(), read_only: true, parameters: SelectParameters::default() })
    );
    assert_eq!(command("RENAME inbox \"a b\""), Ok(Command::Rename { from: "INBOX".into(), to: "a b".into() }));
    assert_eq!(error("RENAME a").text, "the mailbox name is missing");
}

#[test]
fn lists() {
    let list = |reference: &str, pattern: &str| {
        Ok(Command::List(ListRequest {
            reference: reference.to_owned(),
            patterns: vec![pattern.to_owned()],
            ..ListRequest::default()
        }))
    };
    assert_eq!(command("LIST \"\" \"\""), list("", ""));
    assert_eq!(command("LIST \"\" *"), list("", "*"));
    assert_eq!(command("LIST inbox %/x]"), list("INBOX", "%/x]"));
    assert_eq!(command("LIST \"\" \"Entw&APw-r*\""), list("", "Entwür*"));
    assert_eq!(command("LIST \"\" \"Entw&AP*\""), list("", "Entw&AP*"));
    assert_eq!(command("LIST \"\" Entwü%"), list("", "Entwü%"));
    assert_eq!(command("LSUB \"\" inbox"), Ok(Command::Lsub { reference: String::new(), pattern: "INBOX".into() }));
    assert!(command("LIST \"\"").is_err());
    assert!(command("LIST").is_err());
}

#[test]
fn status() {
    let items = vec![StatusItem::Messages, StatusItem::UidNext];
    assert_eq!(
        command("status INBOX ( messages UIDNEXT  MESSAGES )"),
        Ok(Command::Status { mailbox: "INBOX".into(), items })
    );
    for bad in
        ["STATUS INBOX", "STATUS INBOX ()", "STATUS INBOX MESSAGES", "STATUS INBOX (FOO)", "STATUS INBOX (UNSEEN"]
    {
        assert_eq!(error(bad).kind, ErrorKind::Syntax);
    }
}

#[test]
fn appends() {
    let literal = |size, non_synchronizing| Literal { size, non_synchronizing };
    assert_eq!(
        command("APPEND \"Sent\" (\\Seen \\Recent $MDNSent $mdnsent) \" 1-Feb-1994 21:52:25 -0800\" {310}"),
        Ok(Command::Append {
            mailbox: "Sent".into(),
            message: AppendMessage {
                flags: Flags { system: SystemFlags::SEEN, keywords: vec!["$MDNSent".into()] },
                date: Some(DateTime { seconds: 760_168_345, zone: -480 }),
                literal: literal(310, false),
                binary: false,
                utf8: false,
            },
        })
    );
    assert_eq!(
        command("APPEND {5}\r\ninbox {157286400+}"),
        Ok(Command::Append {
            mailbox: "INBOX".into(),
            message: AppendMessage {
                flags: Flags::default(),
                date: None,
                literal: literal(157_286_400, true),
                binary: false,
                utf8: false,
            },
        })
    );
    let replace = |uid, number, mailbox: &str| {
        Ok(Command::Replace {
            uid,
            set: SequenceSet { items: vec![(number, number)] },
            mailbox: mailbox.into(),
            message: AppendMessage {
                flags: Flags::default(),
                date: None,
                literal: literal(3, false),
                binary: true,
                utf8: false,
            },
        })
    };
    assert_eq!(command("REPLACE 4 Drafts ~{3}"), replace(false, Some(4), "Drafts"));
    assert_eq!(command("UID REPLACE * {5+}\r\ninbox ~{3}"), replace(true, None, "INBOX"));
    for bad in ["REPLACE 4 Drafts", "REPLACE 1:2 x {3}", "REPLACE 1,2 x {3}", "UID APPEND x {3}"] {
        assert_eq!(error(bad).kind, if bad.starts_with("UID") { ErrorKind::UnknownCommand } else { ErrorKind::Syntax });
    }
    for bad in [
        "APPEND x",
        "APPEND x ()",
        "APPEND {1}\r\nx",
        "APPEND x{3}",
        "APPEND x (\\Foo) {3}",
        "APPEND x \"1-Feb-1994\" {3}",
        "APPEND x () () {3}",
        "APPEND x \"17-Jul-1996 02:44:25 -0700\" () {3}",
        "APPEND x foo {3}",
    ] {
        assert_eq!(error(bad).kind, ErrorKind::Syntax, "{bad}");
    }
    assert_eq!(error("APPEND \"R&D\" {3}").kind, ErrorKind::MailboxName);
}

#[test]
fn sequence_sets() {
    let parsed = |text: &str| match command(&format!("UID EXPUNGE {text}")) {
        Ok(Command::Expunge { uids: Some(set) }) => Some(set),
        _ => None,
    };
    assert_eq!(parsed("1"), Some(set(&[(1, 1)])));
    assert_eq!(parsed("*"), Some(set(&[(0, 0)])));
    assert_eq!(parsed("5:*,*:7,9:2"), Some(set(&[(5, 0), (0, 7), (9, 2)])));
    assert_eq!(parsed("1,2,3,5,6:9,7,10,4294967295,4294967295"), Some(set(&[(1, 3), (5, 10), (u32::MAX, u32::MAX)])));
    assert_eq!(parsed("$"), Some(SequenceSet::SAVED));
    assert_eq!(parsed("3,2,1"), Some(set(&[(3, 3), (2, 2), (1, 1)])));
    for bad in ["0", "1:0", "", "1,", ",1", "1:", "1:2:3", "4294967296", "-1", "1 2", "a", "1;2", "$,1", "1,$", "$:5"] {
        assert_eq!(parsed(bad), None, "{bad}");
    }
}

#[test]
fn fetches() {
    use FetchItem::{
        Body, BodyStructure, Envelope, Flags, InternalDate, Rfc822, Rfc822Header, Rfc822Size, Rfc822Text, Uid,
    };
    assert_eq!(fetch("FETCH 1 fast"), [Flags, InternalDate, Rfc822Size]);
    assert_eq!(fetch("FETCH 1 ALL"), [Flags, InternalDate, Rfc822Size, Envelope]);
    assert_eq!(fetch("FETCH 1 FULL"), [Flags, InternalDate, Rfc822Size, Envelope, Body]);
    assert_eq!(fetch("FETCH 1 (UID UID FLAGS)"), [Uid, Flags]);
    assert_eq!(
        fetch("FETCH 1 ( BODYSTRUCTURE RFC822 rfc822.header RFC822.TEXT )"),
        [BodyStructure, Rfc822, Rfc822Header, Rfc822Text]
    );
    let section = |path: &[u32], part, partial, peek| FetchItem::Section { path: path.to_vec(), part, partial, peek };
    assert_eq!(
        fetch("FETCH 1 (BODY[] BODY.PEEK[1.2.MIME]<0.4294967296> body[3.header.fields (a \"b\" {1}\r\nc)] BODY[2])"),
        [
            section(&[], SectionPart::Full, None, false),
            section(&[1, 2], SectionPart::Mime, Some((0, 4_294_967_296)), true),
            section(&[3], SectionPart::Fields(vec!["a".into(), "b".into(), "c".into()]), None, false),
            section(&[2], SectionPart::Full, None, false),
        ]
    );
    assert_eq!(fetch("FETCH 1 BODY[HEADER]"), [section(&[], SectionPart::Header, None, false)]);
    assert_eq!(fetch("FETCH 1 BODY[4.TEXT]"), [section(&[4], SectionPart::Text, None, false)]);
    for bad in [
        "",
        "()",
        "(",
        "FOO",
        "(UID",
        "BODY.PEEK",
        "BODY[",
        "BODY[MIME]",
        "BODY[0]",
        "BODY[1.]",
        "BODY[1.FOO]",
        "BODY[1 ]",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[HEADER.FIELDS (\"a b\")]",
        "BODY[]<0>",
        "BODY[]<0.0>",
        "BODY[]<1.9223372036854775808>",
        "BODY[]<-1.2>",
        "UID FLAGS",
        "RFC822[]",
        "BODY[4294967296]",
        "BODY[.1]",
        "BODY[1..2]",
        "BODY[1HEADER]",
        "BODYSTRUCTURE[]",
    ] {
        assert_eq!(error(&format!("FETCH 1 {bad}")).kind, ErrorKind::Syntax, "{bad}");
    }
}

#[test]
fn stores() {
    let expect = |operation, silent, system, keywords: &[&str]| {
        let keywords = keywords.iter().map(|&keyword| keyword.to_owned()).collect();
        let flags = Flags { system, keywords };
        Ok(Command::Store { uid: false, set: set(&[(1, 1)]), unchanged_since: None, operation, silent, flags })
    };
    let both = SystemFlags::SEEN.with(SystemFlags::DELETED);
    assert_eq!(command("STORE 1 FLAGS ()"), expect(FlagOperation::Replace, false, SystemFlags::NONE, &[]));
    assert_eq!(command("STORE 1 +flags.silent (\\seen \\DELETED a A)"), expect(FlagOperation::Add, true, both, &["a"]));
    assert_eq!(command("STORE 1 -FLAGS \\Seen \\Deleted "), expect(FlagOperation::Remove, false, both, &[]));
    for bad in [
        "STORE 1 FLAGS",
        "STORE 1 FLAGS (",
        "STORE 1 FLAGS (\\Recent)",
        "STORE 1 FLAGS (\\Foo)",
        "STORE 1 FLAGS (\\*)",
        "STORE 1 FLAGS (\\)",
        "STORE 1 FOO (a)",
        "STORE 1 FLAGS (a) b",
        "STORE FLAGS (a)",
        "STORE 1 ++FLAGS a",
        "STORE 1 FLAGS (\"a\")",
        "STORE 1 FLAGS.LOUD (a)",
    ] {
        assert_eq!(error(bad).kind, ErrorKind::Syntax, "{bad}");
    }
    let many: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    assert_eq!(error(&format!("STORE 1 FLAGS ({})", many.join(" "))).kind, ErrorKind::Limit);
    assert_eq!(error(&format!("STORE 1 FLAGS ({})", "k".repeat(1000))).kind, ErrorKind::Limit);
}

#[test]
fn searches() {
    use SearchKey::{All, And, Flag, Keyword, Larger, Not, Or, Recent, Sequence, Since, Text, Uid};
    let seen = || Flag { flag: SystemFlags::SEEN, set: true };
    assert_eq!(search("SEARCH ALL "), [All]);
    assert_eq!(
        search("SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\""),
        [Flag { flag: SystemFlags::FLAGGED, set: true }, Since(8797), Not(Box::new(header("From", "Smith")))]
    );
    assert_eq!(search("SEARCH 1:3,9 UID *"), [Sequence(set(&[(1, 3), (9, 9)])), Uid(set(&[(0, 0)]))]);
    assert_eq!(search("SEARCH ((seen))"), [seen()]);
    assert_eq!(search("SEARCH ( ALL  (OLD 2) )"), [And(vec![All, And(vec![Recent(false), Sequence(set(&[(2, 2)]))])])]);
    assert_eq!(
        search("SEARCH OR NOT SEEN OR ALL LARGER 9223372036854775807 UNKEYWORD x"),
        [
            Or(Box::new(Not(Box::new(seen()))), Box::new(Or(Box::new(All), Box::new(Larger(i64::MAX as u64))))),
            Keyword { keyword: "x".into(), set: false }
        ]
    );
    assert_eq!(
        search("SEARCH HEADER Message-ID <a%b@c> SUBJECT \"\""),
        [header("Message-ID", "<a%b@c>"), header("Subject", "")]
    );
    assert_eq!(search("SEARCH TEXT {4}\r\n)\" ( SUBJECT grün"), [Text(")\" (".into()), header("Subject", "grün")]);
    assert_eq!(search("SEARCH (FROM a)"), [header("From", "a")]);
    assert_eq!(search("SEARCH SENTON \"1-Jan-1970\""), [SearchKey::SentOn(0)]);
    let charset = |line: &str| match command(line) {
        Ok(Command::Search { charset, .. }) => charset,
        other => panic!("{other:?}"),
    };
    assert_eq!(charset("UID SEARCH CHARSET utf-8 ALL").as_deref(), Some("UTF-8"));
    assert_eq!(error("SEARCH CHARSET KOI8-R ALL").kind, ErrorKind::BadCharset);
    assert!(octets(b"SEARCH BODY \"\xff\"").is_err());
    for bad in [
        "",
        "()",
        "(",
        ")",
        "NOT",
        "OR",
        "OR SEEN",
        "(SEEN",
        "SEEN)",
        "FOO",
        "SUBJECT",
        "HEADER a",
        "BEFORE 1994",
        "ON 30-Feb-2000",
        "LARGER x",
        "LARGER 9223372036854775808",
        "UID",
        "UID 0",
        "0",
        "1:",
        "NOT(SEEN",
        "SEEN(ALL)",
        "CHARSET",
        "CHARSET UTF-8",
        "KEYWORD \\Seen",
        "SUBJECT \"a\"SEEN",
        "OR SEEN)",
        "(OR SEEN)",
        "SEEN SEEN x",
        "1SEEN",
    ] {
        assert_eq!(error(&format!("SEARCH {bad}")).kind, ErrorKind::Syntax, "{bad}");
    }
}

#[test]
fn a_hundred_message_ids_in_an_or_chain() {
    let id = |number: usize| format!("HEADER Message-ID <{number}@example.org>");
    let mut left = id(0);
    let mut right = id(99);
    for number in 1..100 {
        left = format!("OR {left} {}", id(number));
        right = format!("OR {} {right}", id(99 - number));
    }
    for chain in [left, right] {
        let [SearchKey::Or(..)] = search(&format!("UID SEARCH NOT ({chain})").replace("NOT (", "(")).as_slice() else {
            panic!("not an OR");
        };
    }
}

#[test]
fn annotations_have_options_on_either_side_and_any_octets() {
    let entry = |name: &str| EntryName::new(name.to_owned());
    let get = |mailbox: Option<&str>, entries: &[&str], max_size, depth| {
        let entries = entries.iter().map(|name| entry(name)).collect();
        Ok(Command::GetMetadata { mailbox: mailbox.map(str::to_owned), entries, max_size, depth })
    };
    let wanted = get(Some("INBOX"), &["/shared/a", "/private/b"], Some(9), Depth::One);
    assert_eq!(command("GETMETADATA (maxsize 9 depth 1) inbox (/shared/a /private/b)"), wanted);
    assert_eq!(command("GETMETADATA Inbox (DEPTH 1 MAXSIZE 9) (/shared/a /private/b /SHARED/A)"), wanted);
    assert_eq!(command("GETMETADATA {0}\r\n ( /shared )").unwrap_err().kind, ErrorKind::Syntax);
    assert_eq!(command("GETMETADATA \"\" (DEPTH 1) /shared"), get(None, &["/shared"], None, Depth::One));
    let set = octets(b"SETMETADATA \"\" (/shared/a ~{2+}\r\n\0\xff /private/b nil /private/c \"\")");
    let values = [("/shared/a", Some(&b"\0\xff"[..])), ("/private/b", None), ("/private/c", Some(b""))];
    let entries = values.map(|(name, value)| (entry(name), value.map(<[u8]>::to_vec))).to_vec();
    assert_eq!(set, Ok(Command::SetMetadata { mailbox: None, entries }));
    assert_eq!(octets(b"SETMETADATA \"\" (/shared/a {1+}\r\n\0)").unwrap_err().text, "a NUL octet is not allowed");
    assert_eq!(error(&format!("SETMETADATA x (/shared/{} NIL)", "a".repeat(300))).kind, ErrorKind::Limit);
}
