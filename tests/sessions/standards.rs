//! What a session offers, what the list of capabilities says, and what README's table of standards says, are one.

use crate::house::House;
use mailnook::imap::capability::documents;
use smol::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::unix::UnixStream;
use std::collections::{BTreeMap, BTreeSet};

/// Documents that README names and that no IMAP capability stands for, with the reason.
const NO_CAPABILITY: &[(&str, &[u32])] = &[
    ("response codes need none", &[5530]),
    ("how SCRAM and its bindings work; the capability is defined elsewhere", &[5802, 9266, 5929]),
    ("it took the place of RFC 6855, by which the capability is known", &[9755]),
    ("POP3", &[1939, 2449, 2595, 3206, 5034, 6856]),
    ("LMTP", &[2033, 1870, 1652, 2034, 2920, 3030, 6531]),
    ("the format of messages", &[5322, 6532, 2045, 2046, 2047, 2048, 2049, 2183, 2231]),
];

/// Whether a row tells of something that is not there.
fn left_out(row: &Row) -> bool {
    row.state.contains("left out")
}

/// A row of README's table.
struct Row {
    numbers: BTreeSet<u32>,
    what: String,
    state: String,
}

fn table() -> Vec<Row> {
    let readme = std::fs::read_to_string("README.md").expect("README.md");
    let section = readme.split("## Standards").nth(1).expect("the table of standards");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let mut numbers = BTreeSet::new();
            for item in cells[1].split(", ") {
                let (first, last) = item.split_once('-').unwrap_or((item, item));
                let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("no number of an RFC: {line}"));
                numbers.extend(number(first)..=number(last));
            }
            Row { numbers, what: cells[2].to_owned(), state: cells[3].to_owned() }
        })
        .collect()
}

/// The number in `RFC 6154 §3`; None: it is no RFC.
fn number(document: &str) -> Option<u32> {
    document.strip_prefix("RFC ")?.split_whitespace().next()?.parse().ok()
}

/// How README calls a capability.
fn called(name: &str) -> &str {
    name.strip_prefix("AUTH=").unwrap_or(name)
}

/// `THREAD=REFS` is named as it is, or by `REFS` in a row that says `THREAD` as well.
fn names(text: &str, name: &str) -> bool {
    let word = |wanted: &str| {
        text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '`')).any(|word| word == wanted)
    };
    word(name) || name.split_once('=').is_some_and(|(family, member)| text.contains(family) && word(member))
}

#[test]
fn every_capability_is_in_the_table_of_standards() {
    let table = table();
    let mut missing = Vec::new();
    for (name, document) in documents() {
        let rows = || table.iter().filter(|row| !left_out(row));
        let base = ["STARTTLS", "LOGINDISABLED"].contains(&name);
        let found = match number(document) {
            Some(number) => rows().any(|row| row.numbers.contains(&number) && (base || names(&row.what, called(name)))),
            None => rows().any(|row| names(&row.what, called(name))),
        };
        if !found {
            missing.push(format!("{name} ({document})"));
        }
    }
    assert!(missing.is_empty(), "README's table of standards does not name: {}", missing.join(", "));
}

#[test]
fn every_standard_of_the_table_has_its_capability() {
    let offered: BTreeSet<u32> = documents().filter_map(|(_, document)| number(document)).collect();
    let without: BTreeMap<u32, &str> =
        NO_CAPABILITY.iter().flat_map(|(why, numbers)| numbers.iter().map(move |number| (*number, *why))).collect();
    let table = table();
    for row in &table {
        for number in &row.numbers {
            let known = offered.contains(number) || without.contains_key(number);
            // RFC 9051 is the base as RFC 3501 is.
            let known = known || *number == 9051;
            if left_out(row) {
                assert!(!offered.contains(number), "README says that RFC {number} is left out, but it is offered");
                continue;
            }
            assert!(
                known,
                "README names RFC {number} ({}), but no capability has it; if none should, say why in NO_CAPABILITY",
                row.what
            );
        }
    }
    let named: BTreeSet<u32> = table.iter().flat_map(|row| row.numbers.iter().copied()).collect();
    let stale: Vec<&u32> = without.keys().filter(|number| !named.contains(number)).collect();
    assert!(stale.is_empty(), "in NO_CAPABILITY but not in README: {stale:?}");
}

/// Capabilities that a session of the house, local and without a certificate, does not show.
const ELSEWHERE: &[&str] = &["STARTTLS", "LOGINDISABLED", "AUTH=SCRAM-SHA-256-PLUS", "QUOTASET"];

#[test]
fn sessions_offer_what_the_list_has() {
    let house = House::new();
    house.run(async {
        let mut stream = BufReader::new(house.connect());
        // The greeting and the reply to LOGIN say the same as CAPABILITY.
        let greeting = line(&mut stream).await;
        let before = capabilities(&mut stream).await;
        assert!(greeting.starts_with(&format!("* OK [{before}] ")), "{greeting} / {before}");
        stream.get_mut().write_all(b"l LOGIN anna secret\r\n").await.expect("send");
        let reply = line(&mut stream).await;
        let after = capabilities(&mut stream).await;
        assert!(reply.starts_with(&format!("l OK [{after}] ")), "{reply} / {after}");

        let (before, after) = (offered(&before), offered(&after));
        for (name, document) in documents() {
            let shown = before.contains(name) || after.contains(name);
            assert!(shown || ELSEWHERE.contains(&name), "{name} ({document}) is never offered");
        }
        let known: BTreeSet<&str> = documents().map(|(name, _)| name).collect();
        for name in before.union(&after) {
            assert!(known.contains(name.as_str()), "{name} has no document");
        }
        // Ways to log in end with the login; what needs an account begins with it.
        assert!(!after.iter().any(|name| name.starts_with("AUTH=")), "{after:?}");
        assert!(after.contains("IDLE") && !before.contains("IDLE"), "{before:?}");
    });
    house.finish();
}

/// The names of a list, each once; a number behind a name is not part of it.
fn offered(list: &str) -> BTreeSet<String> {
    let names = list.split(' ').skip(1).map(|name| match name.split_once('=') {
        Some((plain, value)) if value.parse::<u64>().is_ok() && plain != "I18NLEVEL" => plain.to_owned(),
        _ => name.to_owned(),
    });
    let mut found = BTreeSet::new();
    for name in names {
        assert!(found.insert(name.clone()), "{name} is told twice: {list}");
    }
    found
}

async fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("a line");
    line
}

/// What CAPABILITY answers.
async fn capabilities(stream: &mut BufReader<UnixStream>) -> String {
    stream.get_mut().write_all(b"c CAPABILITY\r\n").await.expect("send");
    let answer = line(stream).await;
    assert!(line(stream).await.starts_with("c OK"), "{answer}");
    answer.trim_end().strip_prefix("* ").expect("untagged").to_owned()
}
