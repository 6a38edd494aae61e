//! A client with a cache (RFC 7162 §6) that is cut off and comes back at random while others change everything:
//! after each resynchronisation its cache is exactly what the store holds.
//!
//! The client knows what it was told and nothing else. It counts its HIGHESTMODSEQ by the rules of the RFC, so that a
//! FETCH that overtakes a VANISHED would leave it with messages that are gone.

use crate::house::House;
use mailnook::types::{FlagOperation, Flags, SystemFlags, UidSet};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use smol::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::unix::UnixStream;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const FLAGS: [&str; 6] = ["\\Seen", "\\Deleted", "\\Flagged \\Deleted", "Work", "", "\\Answered Private"];
const OPERATIONS: [&str; 3] = ["FLAGS", "+FLAGS", "-FLAGS"];
const PATIENCE: Duration = Duration::from_secs(20);

/// One thing that happens; places are cut to what is there.
#[derive(Clone, Debug)]
enum Step {
    /// Others.
    Deliver {
        flags: usize,
    },
    Change {
        range: (u32, u32),
        operation: usize,
        flags: usize,
    },
    Remove {
        range: (u32, u32),
    },
    /// The client, with a mailbox selected.
    Store {
        uid: bool,
        range: (u32, u32),
        operation: usize,
        silent: bool,
        flags: usize,
        conditional: bool,
    },
    Fetch {
        range: (u32, u32),
        seen: bool,
    },
    Expunge {
        uid: bool,
        range: (u32, u32),
    },
    Noop,
    /// What is new is fetched.
    Discover,
    /// It sends a command and is gone after so many lines; then it comes back.
    Cut {
        lines: usize,
        command: usize,
    },
    /// It comes back, with the arguments of this kind.
    Return {
        kind: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let range = || (0u32..30, 0u32..6);
    let flags = || 0..FLAGS.len();
    prop_oneof![
        3 => flags().prop_map(|flags| Step::Deliver { flags }),
        3 => (range(), 0usize..3, flags()).prop_map(|(range, operation, flags)| Step::Change { range, operation, flags }),
        2 => range().prop_map(|range| Step::Remove { range }),
        3 => (any::<bool>(), range(), 0usize..3, any::<bool>(), flags(), any::<bool>()).prop_map(
            |(uid, range, operation, silent, flags, conditional)| Step::Store { uid, range, operation, silent, flags, conditional }
        ),
        2 => (range(), any::<bool>()).prop_map(|(range, seen)| Step::Fetch { range, seen }),
        1 => (any::<bool>(), range()).prop_map(|(uid, range)| Step::Expunge { uid, range }),
        1 => Just(Step::Noop),
        1 => Just(Step::Discover),
        2 => (0usize..6, 0usize..4).prop_map(|(lines, command)| Step::Cut { lines, command }),
        8 => (0usize..4).prop_map(|kind| Step::Return { kind }),
    ]
}

/// How often clients came back, over all tests.
static RETURNS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_cache_that_returns_equals_the_store() {
    const CASES: u32 = 80;
    const RETURNS_MIN: usize = 2000;
    let config =
        ProptestConfig { cases: CASES, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() };
    let cases = (prop::collection::vec(step(), 20..160), any::<bool>());
    let outcome = TestRunner::new(config).run(&cases, |(steps, uid_only)| {
        let house = House::new();
        house.run(async {
            let mut client = Cache::with(&house, uid_only).await;
            for step in &steps {
                run(&house, &mut client, step).await;
            }
            client.come_back(&house, 0).await;
            client.agrees(&house).await;
        });
        house.finish();
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let returns = RETURNS.load(Ordering::Relaxed);
    assert!(returns > RETURNS_MIN, "the clients came back {returns} times only");
    println!("{returns} returns");
}

/// The memory of expunges is trimmed three times while caches of every age wait; each comes back more than once, before and
/// after what it would need is forgotten.
#[test]
fn caches_of_every_age_return_over_a_memory_that_is_trimmed() {
    const MESSAGES: u32 = 2048;
    const EXPUNGES: u32 = 1600;
    let house = House::new();
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    house.run(async {
        house.deliver("").await;
        let mut client = Cache::new(&house).await;
        for _ in 0..MESSAGES.ilog2() {
            client.command("COPY 1:* INBOX").await;
            client.discover().await;
        }
        let mailbox = house.mailbox();
        let mut ages = vec![client.again(&house).await];
        for round in 1..=EXPUNGES {
            // Each UID once, in an order without neighbours.
            let uid = round * 797 % MESSAGES + 1;
            mailbox.remove(&UidSet::from_range(uid, uid)).await.expect("an expunge");
            if round % 40 == 0 {
                let (first, last) = (random.random_range(1..=MESSAGES), random.random_range(0..20));
                mailbox
                    .store_flags(&uids((first, last)), FlagOperation::Add, &named("Work"), None)
                    .await
                    .expect("a change");
                house.deliver("\\Seen").await;
                client.agrees(&house).await;
                ages.push(client.again(&house).await);
            }
            if round % 80 == 0 {
                for _ in 0..3 {
                    let old = random.random_range(0..ages.len());
                    let kind = random.random_range(0..4);
                    returns(&ages[old], &house, kind).await;
                }
            }
        }
        for (age, cache) in ages.iter().enumerate() {
            returns(cache, &house, age % 4).await;
        }
    });
    house.finish();
}

/// A copy of the cache comes back.
async fn returns(cache: &Cache, house: &House, kind: usize) {
    let mut copy = cache.again(house).await;
    copy.come_back(house, kind).await;
    copy.agrees(house).await;
}

#[test]
fn ten_changes_cost_less_than_four_kilobytes() {
    let house = House::new();
    house.run(async {
        for _ in 0..400 {
            house.deliver("").await;
        }
        let mut client = Cache::new(&house).await;
        client.come_back(&house, 1).await;
        let mailbox = house.mailbox();
        for uid in (10..200).step_by(40) {
            mailbox
                .store_flags(&UidSet::from_range(uid, uid), FlagOperation::Add, &named("\\Seen"), None)
                .await
                .expect("a change");
            mailbox.remove(&UidSet::from_range(uid + 1, uid + 1)).await.expect("an expunge");
        }
        client.octets = 0;
        client.come_back(&house, 1).await;
        assert!(client.octets < 4096, "{} octets", client.octets);
        client.agrees(&house).await;
    });
    house.finish();
}

async fn run(house: &House, client: &mut Cache, step: &Step) {
    match step {
        Step::Deliver { flags } => house.deliver(FLAGS[*flags]).await,
        Step::Change { range, operation, flags } => {
            let operation = [FlagOperation::Replace, FlagOperation::Add, FlagOperation::Remove][*operation];
            house.mailbox().store_flags(&uids(*range), operation, &named(FLAGS[*flags]), None).await.expect("a change");
        }
        Step::Remove { range } => {
            house.mailbox().remove(&uids(*range)).await.expect("an expunge");
        }
        Step::Store { uid, range, operation, silent, flags, conditional } => {
            let uid = client.uid_only || *uid;
            let Some(set) = client.set(uid, *range) else { return };
            let condition = if *conditional { format!("(UNCHANGEDSINCE {}) ", client.modseq) } else { String::new() };
            let (prefix, suffix) = (if uid { "UID " } else { "" }, if *silent { ".SILENT" } else { "" });
            let item = OPERATIONS[*operation];
            let command = format!("{prefix}STORE {set} {condition}{item}{suffix} ({})", FLAGS[*flags]);
            client.own = silent.then(|| (item, FLAGS[*flags]));
            client.command(&command).await;
            client.own = None;
        }
        Step::Fetch { range, seen } => {
            let Some(set) = client.set(client.uid_only, *range) else { return };
            let prefix = client.prefix();
            client
                .command(&format!("{prefix}FETCH {set} {}", if *seen { "BODY[TEXT]" } else { "(UID MODSEQ FLAGS)" }))
                .await;
        }
        Step::Expunge { uid, range } => {
            let command = if *uid {
                format!("UID EXPUNGE {}:{}", range.0 + 1, range.0 + range.1 + 1)
            } else {
                "EXPUNGE".to_owned()
            };
            client.command(&command).await;
        }
        Step::Noop => client.command("NOOP").await,
        Step::Discover => client.discover().await,
        Step::Cut { lines, command } => {
            let command = ["STORE 1:* +FLAGS (Cut)", "EXPUNGE", "NOOP", "FETCH 1:* (UID FLAGS MODSEQ)"][*command];
            let prefix = if command.contains(':') { client.prefix() } else { "" };
            client.cut(&format!("{prefix}{command}"), *lines).await;
            client.come_back(house, *lines % 4).await;
            client.agrees(house).await;
        }
        Step::Return { kind } => {
            client.come_back(house, *kind).await;
            client.agrees(house).await;
        }
    }
}

fn uids((from, length): (u32, u32)) -> UidSet {
    UidSet::from_range(from + 1, from + length + 1)
}

fn named(names: &str) -> Flags {
    let mut flags = Flags::default();
    for name in names.split_whitespace() {
        match SystemFlags::from_name(name) {
            Some(system) => flags.system = flags.system.with(system),
            None => flags.keywords.push(name.to_owned()),
        }
    }
    flags
}

/// The client.
struct Cache {
    /// It uses UIDs only (RFC 9586).
    uid_only: bool,
    stream: BufReader<UnixStream>,
    tags: u32,
    uid_validity: u32,
    modseq: u64,
    /// UIDs with flags; complete below `known_next`.
    messages: BTreeMap<u32, BTreeSet<String>>,
    known_next: u32,
    /// What EXISTS and VANISHED say.
    exists: usize,
    /// The silent STORE under way.
    own: Option<(&'static str, &'static str)>,
    /// Messages that it changed.
    changed: Vec<u32>,
    discovering: bool,
    told: Option<u64>,
    /// IMAP4rev2 is enabled.
    rev2: bool,
    /// Octets received.
    octets: usize,
    seen: u64,
}

impl Cache {
    async fn new(house: &House) -> Self {
        Self::with(house, false).await
    }

    async fn with(house: &House, uid_only: bool) -> Self {
        let mut client = Self { uid_only, ..Self::unconnected(house) };
        client.log_in().await;
        client.command("SELECT INBOX").await;
        client.discover().await;
        client
    }

    fn unconnected(house: &House) -> Self {
        Self {
            uid_only: false,
            stream: BufReader::new(house.connect()),
            tags: 0,
            uid_validity: 0,
            modseq: 1,
            messages: BTreeMap::new(),
            known_next: 1,
            exists: 0,
            own: None,
            changed: Vec::new(),
            discovering: false,
            told: None,
            rev2: false,
            octets: 0,
            seen: 0,
        }
    }

    /// Another client with the same cache.
    async fn again(&self, house: &House) -> Self {
        let mut other = Self::unconnected(house);
        other.log_in().await;
        other.uid_validity = self.uid_validity;
        (other.modseq, other.messages, other.known_next) = (self.modseq, self.messages.clone(), self.known_next);
        other
    }

    async fn log_in(&mut self) {
        self.line().await;
        self.command("LOGIN anna secret").await;
        // Each returns now as a client of RFC 3501, now of RFC 9051: the cache is the same.
        self.rev2 = !self.rev2;
        self.command(if self.rev2 { "ENABLE QRESYNC IMAP4rev2" } else { "ENABLE QRESYNC" }).await;
        if self.uid_only {
            self.command("ENABLE UIDONLY").await;
        }
    }

    const fn prefix(&self) -> &'static str {
        if self.uid_only { "UID " } else { "" }
    }

    /// Drops the connection, resynchronises over another one and fetches what is new.
    async fn come_back(&mut self, house: &House, kind: usize) {
        RETURNS.fetch_add(1, Ordering::Relaxed);
        self.stream = BufReader::new(house.connect());
        self.log_in().await;
        self.exists = 0;
        let last = self.known_next - 1;
        let known = if kind & 1 == 1 && last > 0 { format!(" 1:{last}") } else { String::new() };
        let matches =
            if kind & 2 == 2 && !self.uid_only && !self.messages.is_empty() { self.sample() } else { String::new() };
        let (validity, modseq) = (self.uid_validity, self.modseq);
        self.command(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}{known}{matches}))")).await;
        self.discover().await;
    }

    /// Some numbers with their UIDs.
    fn sample(&self) -> String {
        let pairs: Vec<_> = (1..).zip(self.messages.keys()).filter(|(number, _)| number % 3 == 1).collect();
        let join = |words: Vec<String>| words.join(",");
        let numbers = join(pairs.iter().map(|(number, _): &(u32, _)| number.to_string()).collect());
        format!(" ({numbers} {})", join(pairs.iter().map(|(_, uid)| uid.to_string()).collect()))
    }

    async fn discover(&mut self) {
        self.discovering = true;
        self.command(&format!("UID FETCH {}:* (FLAGS MODSEQ)", self.known_next)).await;
        self.discovering = false;
        self.known_next = self.messages.keys().next_back().map_or(1, |last| last + 1).max(self.known_next);
    }

    /// A set of numbers that exist, or of UIDs.
    fn set(&self, uid: bool, (from, length): (u32, u32)) -> Option<String> {
        if uid {
            return Some(format!("{}:{}", from + 1, from + length + 1));
        }
        let count = u32::try_from(self.exists).ok().filter(|count| *count > 0)?;
        let first = from % count + 1;
        Some(format!("{first}:{}", (first + length).min(count)))
    }

    /// After NOOP and a look at what is new the cache is the store, unless a command that was cut off still runs.
    async fn agrees(&mut self, house: &House) {
        for _ in 0..100 {
            let before = house.highest_modseq();
            self.command("NOOP").await;
            self.discover().await;
            let store: BTreeMap<_, _> = house.messages().into_iter().collect();
            if house.highest_modseq() == before {
                assert_eq!(self.exists, store.len(), "EXISTS");
                assert_eq!(self.messages, store);
                assert!(self.modseq <= before, "HIGHESTMODSEQ is {before}, the client has {}", self.modseq);
                return;
            }
        }
        panic!("the store does not come to rest");
    }

    async fn command(&mut self, command: &str) {
        let tag = self.send(command).await;
        (self.told, self.seen) = (None, 0);
        self.changed.clear();
        loop {
            let line = self.line().await;
            if let Some(rest) = line.strip_prefix(&format!("{tag} ")) {
                assert!(!rest.starts_with("BAD") || self.exists == 0, "{command}: {rest}");
                self.code(rest);
                self.change_silently();
                // RFC 7162 §6: the code counts, else the highest of what came.
                self.modseq = self.told.unwrap_or_else(|| self.seen.max(self.modseq));
                return;
            }
            let no_expunge = ["FETCH", "STORE"].iter().any(|name| command.starts_with(name));
            assert!(!(no_expunge && line.starts_with("* VANISHED")), "{command}: {line}");
            self.take(&line);
        }
    }

    async fn cut(&mut self, command: &str, lines: usize) {
        let tag = self.send(command).await;
        for _ in 0..lines {
            let line = self.line().await;
            if line.starts_with(&tag) {
                return;
            }
            self.take(&line);
        }
    }

    /// What the client does to its cache when its silent STORE succeeded.
    fn change_silently(&mut self) {
        let Some((operation, flags)) = self.own else { return };
        for uid in std::mem::take(&mut self.changed) {
            let Some(known) = self.messages.get_mut(&uid) else { continue };
            let flags = flags.split_whitespace().map(str::to_owned);
            match operation {
                "+FLAGS" => known.extend(flags),
                "-FLAGS" => flags.for_each(|flag| {
                    known.remove(&flag);
                }),
                _ => *known = flags.collect(),
            }
        }
    }

    fn code(&mut self, text: &str) {
        if let Some((_, rest)) = text.split_once("[HIGHESTMODSEQ ") {
            self.told = Some(rest.split(']').next().unwrap_or_default().parse().expect("a mod-sequence"));
        }
        if let Some((_, rest)) = text.split_once("[UIDVALIDITY ") {
            self.uid_validity = rest.split(']').next().unwrap_or_default().parse().expect("a UIDVALIDITY");
        }
    }

    /// One untagged response.
    fn take(&mut self, line: &str) {
        let rest = line.strip_prefix("* ").unwrap_or_else(|| panic!("untagged: {line}"));
        if let Some(set) = rest.strip_prefix("VANISHED (EARLIER) ") {
            each(set, |uid| {
                self.messages.remove(&uid);
            });
        } else if let Some(set) = rest.strip_prefix("VANISHED ") {
            each(set, |uid| {
                assert!(self.messages.remove(&uid).is_some() || uid >= self.known_next, "{line}");
                self.exists = self.exists.checked_sub(1).expect("as many as exist");
            });
        } else if let Some(count) = rest.strip_suffix(" EXISTS") {
            let count = count.parse().expect("a number");
            assert!(count >= self.exists, "{line}");
            self.exists = count;
        } else if rest.starts_with("OK ") {
            self.code(rest);
        } else if rest.contains(" FETCH ") {
            assert!(!self.uid_only, "a number: {line}");
            self.fetched(rest);
        } else if rest.contains(" UIDFETCH ") {
            self.fetched(rest);
        } else {
            assert!(!rest.contains("EXPUNGE"), "{line}");
            assert!(!self.rev2 || !rest.ends_with(" RECENT"), "{line}");
        }
    }

    fn fetched(&mut self, rest: &str) {
        let number_behind = |name: &str| {
            let (_, rest) = rest.split_once(name)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        };
        let has_uid = !self.uid_only || number_behind("MODSEQ (").is_some();
        let uid = number_behind(if self.uid_only { "" } else { "UID " }).filter(|_| has_uid);
        let Some(uid) = uid.and_then(|uid| u32::try_from(uid).ok()) else {
            // BODY[TEXT] of a message that was \Seen already.
            assert!(rest.contains("BODY[TEXT]"), "{rest}");
            return;
        };
        self.seen = self.seen.max(number_behind("MODSEQ (").unwrap_or_else(|| panic!("no MODSEQ: {rest}")));
        let flags = rest.split_once("FLAGS (").map(|(_, flags)| {
            let flags = flags.split(')').next().unwrap_or_default().split_whitespace();
            flags.filter(|flag| *flag != "\\Recent").map(str::to_owned).collect()
        });
        let Some(flags) = flags else {
            self.changed.push(uid);
            return;
        };
        // What is told in full is no longer the client's own business.
        self.changed.retain(|own| *own != uid);
        if self.discovering || uid < self.known_next {
            self.messages.insert(uid, flags);
        }
    }

    async fn send(&mut self, command: &str) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.stream.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes()).await.expect("send");
        tag
    }

    /// One response; literals hold no line ends here but those at their end.
    async fn line(&mut self) -> String {
        let read = async {
            let mut response = String::new();
            loop {
                let mut line = String::new();
                assert!(self.stream.read_line(&mut line).await.expect("a line") > 0, "the server ended the session");
                self.octets += line.len();
                response.push_str(&line);
                let literal = response.contains("BODY[TEXT] {");
                if !literal || response.trim_end().ends_with(')') {
                    return response.trim_end().to_owned();
                }
            }
        };
        smol::future::or(async { Some(read.await) }, async {
            smol::Timer::after(PATIENCE).await;
            None
        })
        .await
        .expect("the server answers")
    }
}

fn each(set: &str, mut take: impl FnMut(u32)) {
    for item in set.split(',') {
        let (first, last) = item.split_once(':').unwrap_or((item, item));
        (first.parse().expect("a UID")..=last.parse().expect("a UID")).for_each(&mut take);
    }
}
