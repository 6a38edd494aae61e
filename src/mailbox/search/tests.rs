use super::Query;
use crate::mailbox::{Account, Core, Delivery, DeliveryTarget, Door, Mailbox, Options};
use crate::types::{AccountId, DateTime, FlagOperation, Flags, SystemFlags, Uid, UidSet};
use smol::block_on;
use std::path::PathBuf;
use std::sync::Arc;

/// A store of its own, checked and removed at the end.
struct House {
    path: PathBuf,
    core: Arc<Core>,
    id: AccountId,
    account: Account,
}

impl House {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mailnook-search-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let options = Options { map_size: Some(64 << 20), max_message_size: 16 << 20, ..Options::new(path.clone()) };
        let core = Core::open(options).unwrap();
        let id = block_on(core.create_account("anna", None)).unwrap();
        let account = core.account(id).unwrap();
        Self { path, core, id, account }
    }

    fn append(&self, message: &[u8], date: DateTime) {
        let mut incoming = self.core.incoming();
        block_on(async {
            incoming.push(message).await.unwrap();
            let staged = incoming.finish().await.unwrap();
            self.account.append(staged, "INBOX", Flags::default(), Some(date)).await.unwrap();
        });
    }

    fn inbox(&self) -> Mailbox {
        self.account.open("INBOX").unwrap()
    }

    fn search(&self, query: &Query) -> Vec<u32> {
        block_on(self.inbox().search(query, &UidSet::from_range(1, u32::MAX))).unwrap().iter().collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let findings = self.core.verify();
        self.core.close();
        let _ = std::fs::remove_dir_all(&self.path);
        if !std::thread::panicking() {
            assert_eq!(findings, Ok(Vec::new()));
        }
    }
}

const NOON: DateTime = DateTime { seconds: 951_825_600, zone: 0 };

fn header(field: &str, text: &str) -> Query {
    Query::Header { field: field.to_owned(), text: text.to_owned() }
}

fn body(text: &str) -> Query {
    Query::Body(text.to_owned())
}

fn text(text: &str) -> Query {
    Query::Text(text.to_owned())
}

fn not(query: Query) -> Query {
    Query::Not(Box::new(query))
}

fn or(left: Query, right: Query) -> Query {
    Query::Or(Box::new(left), Box::new(right))
}

#[test]
fn rows() {
    let house = House::new("rows");
    // 2000-02-29: 23:30 in UTC is the day after in Berlin.
    house.append(b"Subject: a\r\n\r\n", DateTime { seconds: 951_867_000, zone: 60 });
    house.append(b"Subject: b\r\n\r\nlonger", DateTime { seconds: 951_867_000, zone: 0 });
    house.append(b"Subject: c\r\n\r\n", DateTime { seconds: 951_867_000, zone: -1439 });
    let flags = Flags { system: SystemFlags::SEEN, keywords: vec!["$Work".to_owned()] };
    block_on(house.inbox().store_flags(&UidSet::from_range(2, 2), FlagOperation::Add, &flags, None)).unwrap();
    let day = 11_016;
    let all = vec![1, 2, 3];
    for (query, expected) in [
        (Query::All, all.clone()),
        (Query::And(Vec::new()), all.clone()),
        (not(Query::All), vec![]),
        (Query::Uids(UidSet::from_range(2, 9)), vec![2, 3]),
        (not(Query::Uids(UidSet::from_range(2, 9))), vec![1]),
        (Query::Flag { flag: SystemFlags::SEEN, set: true }, vec![2]),
        (Query::Flag { flag: SystemFlags::SEEN, set: false }, vec![1, 3]),
        (Query::Keyword { keyword: "$WORK".to_owned(), set: true }, vec![2]),
        (Query::Keyword { keyword: "$work".to_owned(), set: false }, vec![1, 3]),
        (Query::Keyword { keyword: "other".to_owned(), set: true }, vec![]),
        (Query::Keyword { keyword: "other".to_owned(), set: false }, all.clone()),
        (Query::On(day + 1), vec![1]),
        (Query::On(day), vec![2]),
        (Query::Before(day), vec![3]),
        (Query::Since(day), vec![1, 2]),
        (Query::Larger(14), vec![2]),
        (Query::Smaller(14), vec![]),
        (Query::Smaller(15), vec![1, 3]),
        (Query::And(vec![Query::On(day), Query::Larger(14)]), vec![2]),
        (or(Query::On(day), Query::Before(day)), vec![2, 3]),
    ] {
        assert_eq!(house.search(&query), expected, "{query:?}");
    }
    let among: UidSet = [1, 3].into_iter().collect();
    let found = block_on(house.inbox().search(&Query::All, &among)).unwrap();
    assert_eq!(found, among);
}

#[test]
fn headers() {
    let house = House::new("headers");
    house.append(
        "From: =?utf-8?Q?J=C3=BCrgen?= M\u{fc}ller <jm@example.org> (at work)\r\nTo: \"Doe, John\" <john@x.test>, list: a@x.test;\r\nCc:\r\n\
         Subject: =?utf-8?B?R3LDvMOf?= =?utf-8?Q?e?=\r\n and more\r\nDate: Tue, 29 Feb 2000 23:30:00 -0500\r\nMessage-ID: <one@x>\r\n\
         In-Reply-To: <zero@x>\r\nReferences: <a@x>\r\n <b@x>\r\nX-Thing: =?iso-8859-1?Q?caf=E9?=\r\n\tfolded\r\nX-Thing: second\r\n\r\nFrom: body\r\n"
            .as_bytes(),
        NOON,
    );
    house.append(b"Subject: first\r\nSubject: second\r\nDate: nonsense\r\n\r\n", NOON);
    house.append(b"no header at all\r\n", NOON);
    let day = 11_016;
    for (query, expected) in [
        (header("From", "j\u{fc}rgen M\u{dc}LLER"), vec![1]),
        (header("FROM", "JM@EXAMPLE"), vec![1]),
        (header("from", "<jm@"), vec![1]),
        (header("from", "(at work)"), vec![1]),
        (header("from", "body"), vec![]),
        (header("from", ""), vec![1]),
        (header("to", "doe, john"), vec![1]),
        (header("to", "john <john"), vec![]),
        (header("to", "list"), vec![1]),
        (header("cc", ""), vec![1]),
        (header("cc", "x"), vec![]),
        (header("bcc", ""), vec![]),
        (header("sender", ""), vec![]),
        (header("subject", "gr\u{fc}\u{df}e and more"), vec![1]),
        (header("subject", "second"), vec![2]),
        (header("subject", ""), vec![1, 2]),
        (header("message-id", "<one@x>"), vec![1]),
        (header("in-reply-to", "zero"), vec![1]),
        (header("references", "<a@x> <b@x>"), vec![1]),
        (header("date", "29 feb"), vec![1]),
        (header("x-thing", "caf\u{e9}\tfolded"), vec![1]),
        (header("x-thing", "second"), vec![1]),
        (header("x-thing", ""), vec![1]),
        (header("x-thing", "x-thing"), vec![]),
        (header("x-other", ""), vec![]),
        (not(header("x-thing", "caf\u{e9}")), vec![2, 3]),
        (Query::SentOn(day), vec![1]),
        (Query::SentBefore(day + 1), vec![1]),
        (Query::SentBefore(day), vec![]),
        (Query::SentSince(day), vec![1]),
        (not(Query::SentSince(0)), vec![2, 3]),
        (or(header("x-thing", "nothing"), header("subject", "first")), vec![2]),
    ] {
        assert_eq!(house.search(&query), expected, "{query:?}");
    }
}

#[test]
fn bodies() {
    let house = House::new("bodies");
    house.append(
        b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
          Content-Transfer-Encoding: quoted-printable\r\nContent-ID: <mime@x>\r\n\r\nGr=FC=\r\n=DFe an alle\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\
          Content-Transfer-Encoding: base64\r\n\r\nPGI+0L7RgtC/0YPRgdC6PC9iPg==\r\n--b\r\nContent-Type: application/pdf\r\n\r\nbinary\r\n--b\r\n\
          Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?Q?inner_=C3=BC?=\r\n\r\nforwarded\r\n--b--\r\nepilogue",
        NOON,
    );
    house.append(b"Subject: other\r\n\r\nplain only", NOON);
    house.append(b"plain without header\r\nGr\xfc\xdfe", NOON);
    for (query, expected) in [
        (body("gr\u{fc}\u{df}e AN alle"), vec![1]),
        (body("gr\u{fc}\u{df}e"), vec![1, 3]),
        (body("\u{41e}\u{422}\u{41f}\u{423}\u{421}\u{41a}"), vec![1]),
        (body("forwarded"), vec![1]),
        (body("inner \u{fc}"), vec![1]),
        (body("outer"), vec![]),
        (body("binary"), vec![]),
        (body("mime@x"), vec![]),
        (body("PGI+"), vec![]),
        (body("plain"), vec![2, 3]),
        (body(""), vec![1, 2, 3]),
        (text("mime@x"), vec![1]),
        (text("outer"), vec![1]),
        (text("subject: other"), vec![2]),
        (text("forwarded"), vec![1]),
        (text("nowhere"), vec![]),
        (not(text("plain")), vec![]),
        (not(body("plain")), vec![1]),
        (Query::And(vec![body("plain"), header("subject", "other"), text("only")]), vec![2]),
        (or(body("forwarded"), or(header("x", ""), text("only"))), vec![1, 2]),
        (Query::And(vec![not(body("forwarded")), not(text("only"))]), vec![3]),
    ] {
        assert_eq!(house.search(&query), expected, "{query:?}");
    }
}

#[test]
fn what_delivery_added_is_part_of_the_header() {
    let house = House::new("prefix");
    let deliver = |message: &[u8]| {
        block_on(async {
            let mut incoming = house.core.incoming();
            incoming.push(message).await.unwrap();
            let delivery = Delivery {
                account: house.id,
                target: DeliveryTarget::Inbox,
                prefix: b"Return-Path: <sender@x>\r\nDelivered-To: anna\r\n".to_vec(),
                flags: Flags::default(),
                date: None,
                door: Door::UNKNOWN,
            };
            let staged = incoming.finish().await.unwrap();
            for made in house.core.deliver(staged, vec![delivery]).await.unwrap() {
                made.unwrap();
            }
        });
    };
    deliver(b"Subject: a\r\n\r\nbody one");
    deliver(b"body two\r\n");
    for (query, expected) in [
        (header("return-path", "sender"), vec![1, 2]),
        (header("delivered-to", "x"), vec![]),
        (text("sender@x"), vec![1, 2]),
        (text("delivered-to: ANNA"), vec![1, 2]),
        (body("anna"), vec![]),
        (body("body one"), vec![1]),
        (body("body two"), vec![2]),
        (header("subject", "a"), vec![1]),
    ] {
        assert_eq!(house.search(&query), expected, "{query:?}");
    }
}

#[test]
fn texts_across_pieces_and_many_keys() {
    let house = House::new("pieces");
    let mut message = b"X-Long: ".to_vec();
    message.extend(b"a ".repeat(20_000));
    message.extend(b"end-of-field\r\nX-After: yes\r\n\r\n");
    let start = message.len();
    for at in [start + 32_764, start + 70_000] {
        message.resize(at, b'.');
        message.extend_from_slice("needle \u{fc}".as_bytes());
    }
    house.append(&message, NOON);
    assert_eq!(house.search(&header("x-long", "end-of-field")), [1]);
    assert_eq!(house.search(&header("x-after", "yes")), [1]);
    assert_eq!(house.search(&body(".needle \u{dc}.")), [1]);
    assert_eq!(house.search(&not(body("needle!"))), [1]);
    let many: Vec<Query> = (0..500).map(|number| not(body(&format!("needle {number}")))).collect();
    assert_eq!(house.search(&Query::And(many)), [1]);
    let mut deep = body("needle");
    for _ in 0..128 {
        deep = not(deep);
    }
    assert_eq!(house.search(&deep), [1]);
}

#[test]
fn a_search_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let house = House::new("send");
    let (inbox, among) = (house.inbox(), UidSet::new());
    is_send(&inbox.search(&Query::All, &among));
}

#[test]
fn many_messages_and_expunged_ones() {
    let house = House::new("many");
    for number in 0..150 {
        house.append(format!("Subject: number {}\r\n\r\n", number % 3).as_bytes(), NOON);
    }
    block_on(house.inbox().remove(&UidSet::from_range(1, 30))).unwrap();
    let found = house.search(&header("subject", "number 1"));
    assert_eq!(found, (31..=150).filter(|uid| (uid - 1) % 3 == 1).collect::<Vec<u32>>());
    assert_eq!(house.inbox().rows(&UidSet::from_range(1, u32::MAX), Uid(1)).unwrap().len(), 64);
    assert_eq!(house.search(&Query::All).len(), 120);
}
