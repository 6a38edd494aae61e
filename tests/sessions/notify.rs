//! Clients that only listen (RFC 5465): they send NOTIFY and nothing more, while others change everything at random, and
//! what they were told is the store's state: names, subscriptions, annotations, counters, the selected mailbox.

use crate::house::House;
use mailnook::mailbox::{Account, Annotated};
use mailnook::types::{FlagOperation, Flags, SystemFlags, UidSet};
use proptest::prelude::*;
use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::unix::UnixStream;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MAILBOXES: [&str; 6] = ["INBOX", "a", "a/b", "a/b/c", "d", "Sent"];
const ENTRIES: [&str; 3] = ["/private/comment", "/shared/comment", "/shared/vendor/x/y"];

#[derive(Clone, Debug)]
enum Step {
    Deliver(usize),
    Flag {
        at: usize,
        range: (u32, u32),
        add: bool,
        flagged: bool,
    },
    Remove {
        at: usize,
        range: (u32, u32),
    },
    Create(usize),
    Delete(usize),
    Rename(usize, usize),
    Subscribe(usize, bool),
    Annotate {
        at: Option<usize>,
        entry: usize,
        set: bool,
    },
    /// Lets the listeners catch up, so that what comes is told in another piece.
    Rest,
}

fn step() -> impl Strategy<Value = Step> {
    let mailbox = || 0..MAILBOXES.len();
    let range = || (1u32..12, 0u32..3);
    prop_oneof![
        5 => mailbox().prop_map(Step::Deliver),
        5 => (mailbox(), range(), any::<bool>(), any::<bool>())
            .prop_map(|(at, range, add, flagged)| Step::Flag { at, range, add, flagged }),
        3 => (mailbox(), range()).prop_map(|(at, range)| Step::Remove { at, range }),
        3 => mailbox().prop_map(Step::Create),
        2 => mailbox().prop_map(Step::Delete),
        3 => (mailbox(), mailbox()).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => (mailbox(), any::<bool>()).prop_map(|(at, on)| Step::Subscribe(at, on)),
        3 => (prop::option::of(mailbox()), 0..ENTRIES.len(), any::<bool>())
            .prop_map(|(at, entry, set)| Step::Annotate { at, entry, set }),
        4 => Just(Step::Rest),
    ]
}

async fn run(house: &House, account: &Account, step: &Step) {
    let uids = |(first, more): (u32, u32)| UidSet::from_range(first, first + more);
    // Whether each of these is possible depends on those before it; both outcomes are fine.
    match step {
        Step::Deliver(at) => house.deliver_to(MAILBOXES[*at]).await,
        Step::Flag { at, range, add, flagged } => {
            let Ok(mailbox) = account.open(MAILBOXES[*at]) else { return };
            let operation = if *add { FlagOperation::Add } else { FlagOperation::Remove };
            let system = if *flagged { SystemFlags::FLAGGED } else { SystemFlags::SEEN };
            let flags = Flags { system, keywords: Vec::new() };
            mailbox.store_flags(&uids(*range), operation, &flags, None).await.expect("a change");
        }
        Step::Remove { at, range } => {
            if let Ok(mailbox) = account.open(MAILBOXES[*at]) {
                mailbox.remove(&uids(*range)).await.expect("an expunge");
            }
        }
        Step::Create(at) => drop(account.create(MAILBOXES[*at], None).await),
        // One listener has INBOX selected, which cannot be deleted.
        Step::Delete(at) => drop(account.delete(MAILBOXES[*at]).await),
        Step::Rename(from, to) => drop(account.rename(MAILBOXES[*from], MAILBOXES[*to]).await),
        Step::Subscribe(at, on) => drop(account.subscribe(MAILBOXES[*at], *on).await),
        Step::Annotate { at, entry, set } => {
            let of = at.map_or(Annotated::Server, |at| Annotated::Mailbox(MAILBOXES[at]));
            let value = set.then(|| b"x".to_vec());
            drop(account.set_annotations(of, vec![(ENTRIES[*entry].to_owned(), value)]).await);
        }
        Step::Rest => drop(smol::Timer::after(Duration::from_millis(3)).await),
    }
}

/// A client that knows what it was told.
struct Listener {
    stream: BufReader<UnixStream>,
    /// Each name that exists, with whether it can be selected.
    names: BTreeMap<String, bool>,
    subscribed: BTreeSet<String>,
    /// MESSAGES, UIDNEXT, UNSEEN, HIGHESTMODSEQ.
    counters: BTreeMap<String, BTreeMap<String, u64>>,
    /// Entries that are set, by mailbox (empty: the server), as they were when the client heard of them last.
    annotations: BTreeSet<(String, String)>,
    /// The selected mailbox: UIDs with flags.
    messages: Vec<(u32, BTreeSet<String>)>,
    exists: usize,
}

impl Listener {
    async fn new(house: &House, commands: &[&str]) -> Self {
        let mut client = Self {
            stream: BufReader::new(house.connect()),
            names: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            counters: BTreeMap::new(),
            annotations: BTreeSet::new(),
            messages: Vec::new(),
            exists: 0,
        };
        client.line().await;
        for command in ["LOGIN anna secret"].iter().chain(commands) {
            client.stream.get_mut().write_all(format!("t {command}\r\n").as_bytes()).await.expect("send");
            loop {
                let line = client.line().await;
                if let Some(rest) = line.strip_prefix("t ") {
                    assert!(rest.starts_with("OK"), "{command}: {rest}");
                    break;
                }
                client.take(&line, house);
            }
        }
        client
    }

    /// One response, its literals left out.
    async fn line(&mut self) -> String {
        let mut response = String::new();
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).await.expect("a line") > 0, "the server ended the session");
            let line = line.trim_end().to_owned();
            response.push_str(&line);
            let Some((_, length)) = line.strip_suffix('}').and_then(|line| line.rsplit_once('{')) else {
                return response;
            };
            let Ok(length) = length.parse() else { return response };
            let mut literal = vec![0; length];
            self.stream.read_exact(&mut literal).await.expect("a literal");
        }
    }

    fn take(&mut self, line: &str, house: &House) {
        let rest = line.strip_prefix("* ").unwrap_or_else(|| panic!("untagged: {line}"));
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "LIST" => self.listed(rest, house),
            "STATUS" => {
                let (name, items) = rest.split_once(" (").expect("items");
                let known = self.counters.entry(name.to_owned()).or_default();
                let words: Vec<&str> = items.trim_end_matches(')').split(' ').collect();
                let told: BTreeMap<String, u64> =
                    words.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].parse().expect("a number"))).collect();
                // Another UIDVALIDITY is another mailbox (RFC 5465 §5.1).
                let other =
                    told.get("UIDVALIDITY").is_some_and(|now| known.get("UIDVALIDITY").is_some_and(|was| was != now));
                if other {
                    known.clear();
                }
                known.extend(told);
            }
            "METADATA" => {
                let (name, entries) = rest.split_once(' ').expect("entries");
                let of = if name == "\"\"" { "" } else { name };
                // Only that an entry changed is told, also that it was removed: the client asks for it.
                for entry in entries.split(' ') {
                    self.ask(house, of, entry);
                }
            }
            number => self.selected(number, rest),
        }
    }

    /// What GETMETADATA would give now.
    fn ask(&mut self, house: &House, of: &str, entry: &str) {
        let key = (of.to_owned(), entry.to_owned());
        if house.annotated(of, entry) {
            self.annotations.insert(key);
        } else {
            self.annotations.remove(&key);
        }
    }

    fn listed(&mut self, rest: &str, house: &House) {
        let (attributes, rest) = rest.strip_prefix('(').and_then(|rest| rest.split_once(") \"/\" ")).expect("a LIST");
        let (name, old_name) = match rest.split_once(" (\"OLDNAME\" (") {
            Some((name, old)) => (name, Some(old.trim_end_matches(')'))),
            None => (rest, None),
        };
        let has = |wanted: &str| attributes.split(' ').any(|attribute| attribute == wanted);
        if let Some(old) = old_name {
            self.rename(old, name, house);
        }
        if has("\\NonExistent") {
            self.names.remove(name);
            // Annotations of a mailbox end with it (RFC 5464 §4.1).
            self.annotations.retain(|(of, _)| of != name);
        } else {
            self.names.insert(name.to_owned(), true);
            // It may be another mailbox than the one that had this name.
            for entry in ENTRIES {
                self.ask(house, name, entry);
            }
        }
        if has("\\Subscribed") {
            self.subscribed.insert(name.to_owned());
        } else {
            self.subscribed.remove(name);
        }
    }

    /// All below moves along (RFC 5465 §5.4).
    fn rename(&mut self, old: &str, new: &str, house: &House) {
        let moved = |name: &str| {
            let rest = name.strip_prefix(old).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
            Some(format!("{new}{rest}"))
        };
        for name in self.names.keys().cloned().collect::<Vec<_>>() {
            if let Some(to) = moved(&name) {
                self.names.remove(&name);
                self.names.insert(to.clone(), true);
                if self.subscribed.remove(&name) {
                    self.subscribed.insert(to.clone());
                }
                if let Some(counters) = self.counters.remove(&name) {
                    self.counters.insert(to.clone(), counters);
                }
                self.annotations.retain(|(of, _)| *of != name);
                for entry in ENTRIES {
                    self.ask(house, &to, entry);
                }
            }
        }
    }

    fn selected(&mut self, number: &str, rest: &str) {
        let Ok(number) = number.parse::<usize>() else { return };
        if rest == "EXISTS" {
            assert!(number >= self.exists);
            self.exists = number;
        } else if rest == "EXPUNGE" {
            self.exists -= 1;
            // One that went before it could be fetched was announced by its number alone.
            if number <= self.messages.len() {
                self.messages.remove(number - 1);
            }
        } else if let Some(items) = rest.strip_prefix("FETCH (UID ") {
            let uid = items.split(' ').next().and_then(|uid| uid.trim_end_matches(')').parse().ok()).expect("a UID");
            let flags = items.split_once("FLAGS (").and_then(|(_, rest)| rest.split_once(')')).expect("flags").0;
            let flags = flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent").map(str::to_owned);
            assert!(number <= self.exists, "a message is announced before it is told");
            if number > self.messages.len() {
                // Those before it that are gone already were not told.
                self.messages.resize(number - 1, (0, BTreeSet::new()));
                self.messages.push((uid, BTreeSet::new()));
            }
            assert_eq!(self.messages[number - 1].0, uid);
            self.messages[number - 1].1 = flags.collect();
        }
    }

    /// Listens until what was told is `wanted`, and fails where it does not become that.
    async fn until<T: PartialEq + std::fmt::Debug>(
        &mut self,
        house: &House,
        wanted: &T,
        known: impl Fn(&Self, &House) -> T,
    ) {
        while known(self, house) != *wanted {
            let line = smol::future::or(async { Some(self.line().await) }, async {
                smol::Timer::after(Duration::from_secs(3)).await;
                None
            });
            match line.await {
                Some(line) => self.take(&line, house),
                None => assert_eq!(&known(self, house), wanted, "what the listener was told, and what is"),
            }
        }
    }
}

/// Names that exist, and subscriptions.
type Listed = (BTreeSet<String>, BTreeSet<String>, BTreeSet<(String, String)>);

fn listed(house: &House) -> Listed {
    let entries = house.account().names().expect("names");
    let names = entries.iter().filter(|entry| entry.mailbox.is_some()).map(|entry| entry.name.clone()).collect();
    let subscribed = entries.iter().filter(|entry| entry.subscribed).map(|entry| entry.name.clone()).collect();
    let mut annotations = BTreeSet::new();
    for name in
        std::iter::once("").chain(entries.iter().filter(|entry| entry.mailbox.is_some()).map(|entry| &*entry.name))
    {
        annotations.extend(
            ENTRIES
                .iter()
                .filter(|entry| house.annotated(name, entry))
                .map(|entry| (name.to_owned(), (*entry).to_owned())),
        );
    }
    (names, subscribed, annotations)
}

/// MESSAGES, UIDNEXT, UNSEEN and HIGHESTMODSEQ of each mailbox that is not empty and never was.
fn counted(house: &House) -> BTreeMap<String, [u64; 4]> {
    let entries = house.account().names().expect("names");
    let existing = entries.iter().filter(|entry| entry.mailbox.is_some());
    existing
        .filter_map(|entry| {
            let status = house.account().status(&entry.name).ok()?;
            let numbers = [
                u64::from(status.messages),
                u64::from(status.uid_next.0),
                u64::from(status.unseen),
                status.highest_modseq.0,
            ];
            (status.uid_next.0 > 1).then(|| (entry.name.clone(), numbers))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_only_listens_knows_everything(steps in prop::collection::vec(step(), 5..60)) {
        let house = House::new();
        house.run(async {
            let account = house.account().clone();
            // One follows names, subscriptions and annotations, one counters, one the selected mailbox.
            let mut names = Listener::new(&house, &[
                "NOTIFY SET (PERSONAL (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))",
                "LIST \"\" * RETURN (SUBSCRIBED)",
            ]).await;
            let mut counters = Listener::new(&house, &[
                "ENABLE CONDSTORE",
                "NOTIFY SET STATUS (PERSONAL (MailboxName MessageNew MessageExpunge FlagChange))",
                "LIST \"\" * RETURN (SUBSCRIBED)",
            ]).await;
            let mut selected = Listener::new(&house, &[
                "SELECT INBOX",
                "NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange))",
            ]).await;
            for step in &steps {
                run(&house, &account, step).await;
            }
            names.until(&house, &listed(&house), |client, _| {
                (client.names.keys().cloned().collect(), client.subscribed.clone(), client.annotations.clone())
            }).await;
            counters.until(&house, &counted(&house), |client, house| {
                let known = client.counters.iter().filter_map(|(name, counters)| {
                    let exists = house.account().status(name).is_ok_and(|status| status.uid_next.0 > 1);
                    let value = |item: &str| counters.get(item).copied().unwrap_or(0);
                    exists.then(|| (name.clone(), ["MESSAGES", "UIDNEXT", "UNSEEN", "HIGHESTMODSEQ"].map(value)))
                });
                known.collect()
            }).await;
            selected.until(&house, &house.messages(), |client, _| {
                if client.exists == client.messages.len() { client.messages.clone() } else { Vec::new() }
            }).await;
        });
        house.finish();
    }
}

/// A client that asked for changes of annotations alone hears of its mailbox as before, however many names there are.
#[test]
fn too_many_names_for_annotations_hide_no_mail() {
    let house = House::new();
    house.run(async {
        let account = house.account().clone();
        let mut plain = Listener::new(&house, &["ENABLE METADATA", "SELECT INBOX"]).await;
        let notify = "NOTIFY SET (SELECTED (MessageNew MessageExpunge))";
        let mut listening = Listener::new(&house, &["ENABLE METADATA", "SELECT INBOX", notify]).await;
        for number in 0..2010 {
            account.subscribe(&format!("s{number}"), true).await.expect("a subscription");
        }
        for number in 1..=4 {
            let client = if number % 2 == 0 { &mut plain } else { &mut listening };
            house.deliver_to("INBOX").await;
            let write = format!("n{number} NOOP\r\n");
            client.stream.get_mut().write_all(write.as_bytes()).await.expect("send");
            let (mut told, done) = (false, format!("n{number} OK"));
            loop {
                let line = client.line().await;
                assert!(!line.contains("OVERFLOW"), "{line}");
                told |= line == format!("* {number} EXISTS");
                if line.starts_with(&done) {
                    break;
                }
            }
            assert!(told, "message {number} is not told");
        }
    });
    house.finish();
}

#[test]
fn a_thousand_names_more_than_can_be_followed_are_refused_and_given_up() {
    let house = House::new();
    house.run(async {
        let account = house.account().clone();
        let mut client = Listener::new(&house, &["NOTIFY SET (PERSONAL (MailboxName))"]).await;
        for number in 0..2000 {
            account.subscribe(&format!("s{number}"), true).await.expect("a subscription");
        }
        let overflow = loop {
            let line = client.line().await;
            if line.starts_with("* OK") {
                break line;
            }
        };
        assert!(overflow.starts_with("* OK [NOTIFICATIONOVERFLOW] "), "{overflow}");
        let write = b"a NOTIFY SET (PERSONAL (MailboxName))\r\nb NOTIFY SET (SELECTED (MessageNew MessageExpunge))\r\n";
        client.stream.get_mut().write_all(write).await.expect("send");
        assert!(client.line().await.starts_with("a NO [NOTIFICATIONOVERFLOW] "));
        assert!(client.line().await.starts_with("b OK "));
    });
    house.finish();
}
