//! A client that keeps the results of its searches by ADDTO and REMOVEFROM (RFC 5267 §4.3) has at any time what the same
//! search would give it: while others change everything, while expunges wait to be told, in IDLE, with UIDs and numbers.

use crate::house::House;
use mailnook::types::{FlagOperation, Flags, SystemFlags, UidSet};
use proptest::prelude::*;
use smol::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::unix::UnixStream;
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const FLAGS: [&str; 6] = ["\\Seen", "\\Deleted", "\\Flagged \\Deleted", "Work", "", "\\Answered"];
const OPERATIONS: [&str; 3] = ["FLAGS", "+FLAGS", "-FLAGS"];
const KEYS: [&str; 8] = [
    "UNSEEN",
    "OR FLAGGED DELETED",
    "NOT KEYWORD Work",
    "UID 3:*",
    "UID *",
    "RECENT",
    "NOT BODY none ANSWERED",
    "UIDAFTER 4",
];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Others.
    Deliver(usize),
    Change {
        range: (u32, u32),
        operation: usize,
        flags: usize,
    },
    Remove((u32, u32)),
    /// The client.
    Store {
        range: (u32, u32),
        operation: usize,
        silent: bool,
        flags: usize,
    },
    Read((u32, u32)),
    Expunge,
    Noop,
    /// The client waits in IDLE while others do something.
    Idle(Box<Step>),
}

fn step() -> impl Strategy<Value = Step> {
    let range = || (0u32..14, 0u32..5);
    let flags = || 0..FLAGS.len();
    let others = || {
        prop_oneof![
            3 => flags().prop_map(Step::Deliver),
            3 => (range(), 0usize..3, flags()).prop_map(|(range, operation, flags)| Step::Change { range, operation, flags }),
            2 => range().prop_map(Step::Remove),
        ]
    };
    prop_oneof![
        6 => others(),
        2 => others().prop_map(|step| Step::Idle(Box::new(step))),
        3 => (range(), 0usize..3, any::<bool>(), flags())
            .prop_map(|(range, operation, silent, flags)| Step::Store { range, operation, silent, flags }),
        1 => range().prop_map(Step::Read),
        1 => Just(Step::Expunge),
        1 => Just(Step::Noop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_kept_result_is_what_the_search_gives(
        messages in 0usize..5,
        searches in prop::collection::vec((0..KEYS.len(), any::<bool>()), 1..6),
        uid_only: bool,
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let house = House::new();
        house.run(async {
            for flags in &FLAGS[..messages] {
                house.deliver(flags).await;
            }
            let mut client = Keeper::new(&house, uid_only).await;
            for (key, uid) in &searches {
                client.begin(KEYS[*key], *uid || uid_only).await;
            }
            for step in &steps {
                run(&house, &mut client, step).await;
                client.compare().await;
            }
            client.command("NOOP").await;
            client.compare().await;
        });
        house.finish();
    }
}

async fn run(house: &House, client: &mut Keeper, step: &Step) {
    let uids = |(from, length): (u32, u32)| UidSet::from_range(from + 1, from + length + 1);
    let named = |(from, length): (u32, u32)| format!("{}:{}", from + 1, from + length + 1);
    match step {
        Step::Deliver(flags) => house.deliver(FLAGS[*flags]).await,
        Step::Change { range, operation, flags } => {
            let operation = [FlagOperation::Replace, FlagOperation::Add, FlagOperation::Remove][*operation];
            let mut set = Flags::default();
            for name in FLAGS[*flags].split_whitespace() {
                match SystemFlags::from_name(name) {
                    Some(system) => set.system = set.system.with(system),
                    None => set.keywords.push(name.to_owned()),
                }
            }
            house.mailbox().store_flags(&uids(*range), operation, &set, None).await.expect("a change");
        }
        Step::Remove(range) => {
            house.mailbox().remove(&uids(*range)).await.expect("an expunge");
        }
        Step::Store { range, operation, silent, flags } => {
            let suffix = if *silent { ".SILENT" } else { "" };
            let (set, item) = (named(*range), OPERATIONS[*operation]);
            client.command(&format!("UID STORE {set} {item}{suffix} ({})", FLAGS[*flags])).await;
        }
        // By number no expunge may be told.
        Step::Read(range) if client.uid_only => {
            client.command(&format!("UID FETCH {} BODY[TEXT]", named(*range))).await;
        }
        Step::Read(_) => client.command("FETCH 1:* BODY[TEXT]").await,
        Step::Expunge => client.command("EXPUNGE").await,
        Step::Noop => client.command("NOOP").await,
        Step::Idle(others) => {
            client.send("IDLE").await;
            Box::pin(run(house, client, others)).await;
            client.write("DONE\r\n").await;
            client.until_tagged().await;
        }
    }
}

/// A search and what the client has of it.
struct Kept {
    tag: String,
    uid: bool,
    key: &'static str,
    result: BTreeSet<u32>,
}

/// The client.
struct Keeper {
    stream: BufReader<UnixStream>,
    uid_only: bool,
    tags: u32,
    kept: Vec<Kept>,
    /// What the last search answered.
    answer: BTreeSet<u32>,
}

impl Keeper {
    async fn new(house: &House, uid_only: bool) -> Self {
        let stream = BufReader::new(house.connect());
        let mut client = Self { stream, uid_only, tags: 0, kept: Vec::new(), answer: BTreeSet::new() };
        client.line().await;
        client.command("LOGIN anna secret").await;
        if uid_only {
            client.command("ENABLE UIDONLY").await;
        }
        client.command("SELECT INBOX").await;
        client
    }

    async fn begin(&mut self, key: &'static str, uid: bool) {
        let prefix = if uid { "UID " } else { "" };
        self.answer.clear();
        self.send(&format!("{prefix}SEARCH RETURN (UPDATE ALL) {key}")).await;
        let tag = format!("t{}", self.tags);
        self.kept.push(Kept { tag, uid, key, result: BTreeSet::new() });
        self.until_tagged().await;
        self.kept.last_mut().expect("a search").result = std::mem::take(&mut self.answer);
    }

    /// Whether each result is what a fresh search gives.
    async fn compare(&mut self) {
        for index in 0..self.kept.len() {
            let Kept { key, uid, .. } = self.kept[index];
            let prefix = if uid { "UID " } else { "" };
            // The first one brings the view up to date: only then is `*` the same for both.
            for _ in 0..2 {
                self.answer.clear();
                self.command(&format!("{prefix}SEARCH RETURN (ALL) {key}")).await;
            }
            assert_eq!(self.kept[index].result, self.answer, "{prefix}SEARCH {key}");
        }
    }

    async fn command(&mut self, command: &str) {
        self.send(command).await;
        self.until_tagged().await;
    }

    async fn until_tagged(&mut self) {
        let tag = format!("t{} ", self.tags);
        loop {
            let line = self.line().await;
            if let Some(rest) = line.strip_prefix(&tag) {
                // FETCH 1:* in an empty mailbox.
                assert!(!rest.starts_with("BAD") || rest.contains("no message"), "{rest}");
                return;
            }
            self.take(&line);
        }
    }

    fn take(&mut self, line: &str) {
        // Lines of literals are of no interest.
        let Some(rest) = line.strip_prefix("* ") else { return };
        assert!(!rest.contains("NOUPDATE"), "{line}");
        if let Some(rest) = rest.strip_prefix("ESEARCH (TAG \"") {
            let (tag, rest) = rest.split_once("\")").expect("a tag");
            match rest.split_once(" (0 ") {
                Some((item, set)) => self.update(tag, item, set.trim_end_matches(')')),
                None => {
                    if let Some((_, set)) = rest.split_once(" ALL ") {
                        each(set, |number| {
                            self.answer.insert(number);
                        });
                    }
                }
            }
        } else if let Some(number) = rest.strip_suffix(" EXPUNGE").and_then(|number| number.parse::<u32>().ok()) {
            for kept in self.kept.iter_mut().filter(|kept| !kept.uid) {
                assert!(!kept.result.contains(&number), "{line}, but it is in the result of {}", kept.key);
                kept.result = kept.result.iter().map(|&other| if other > number { other - 1 } else { other }).collect();
            }
        } else if let Some(set) = rest.strip_prefix("VANISHED ") {
            each(set, |uid| {
                assert!(self.kept.iter().all(|kept| !kept.result.contains(&uid)), "{line}");
            });
        }
    }

    fn update(&mut self, tag: &str, item: &str, set: &str) {
        let kept = self.kept.iter_mut().find(|kept| kept.tag == tag).expect("a search that is kept");
        let uid = if kept.uid { " UID" } else { "" };
        if item == format!("{uid} ADDTO") {
            each(set, |number| {
                assert!(kept.result.insert(number), "{number} is in the result of {} already", kept.key);
            });
        } else {
            assert_eq!(item, format!("{uid} REMOVEFROM"));
            each(set, |number| {
                assert!(kept.result.remove(&number), "{number} is not in the result of {}", kept.key);
            });
        }
    }

    async fn send(&mut self, command: &str) {
        self.tags += 1;
        self.write(&format!("t{} {command}\r\n", self.tags)).await;
    }

    async fn write(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).await.expect("send");
    }

    async fn line(&mut self) -> String {
        let read = async {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).await.expect("a line") > 0, "the server ended the session");
            Some(line.trim_end().to_owned())
        };
        let late = async {
            smol::Timer::after(PATIENCE).await;
            None
        };
        smol::future::or(read, late).await.expect("the server answers")
    }
}

fn each(set: &str, mut take: impl FnMut(u32)) {
    for item in set.split(',') {
        let (first, last) = item.split_once(':').unwrap_or((item, item));
        (first.parse().expect("a number")..=last.parse().expect("a number")).for_each(&mut take);
    }
}
