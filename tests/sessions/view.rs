//! Random commands from several sessions: after NOOP every client knows exactly what the store holds.
//!
//! The clients are simulated: they know only what EXISTS, EXPUNGE and FETCH told them, and their own silent
//! STOREs. Along the way each checks that no EXPUNGE comes when none may, that UIDs keep their places, and that a
//! message is \Recent in one session only. Some have enabled IMAP4rev2, and are told as it says; some use UIDs only
//! (RFC 9586).

use crate::client::Client;
use crate::house::House;
use proptest::prelude::*;
use smol::future::zip;
use std::collections::BTreeMap;

const SESSIONS: usize = 3;

/// One thing that happens. Messages are named by places that are cut to what is there.
#[derive(Clone, Debug)]
enum Step {
    /// A delivery, no session of ours.
    Deliver {
        count: usize,
        flags: usize,
    },
    Store {
        session: usize,
        uid: bool,
        set: (u32, u32),
        operation: usize,
        silent: bool,
        flags: usize,
    },
    Fetch {
        session: usize,
        uid: bool,
        set: (u32, u32),
        items: usize,
    },
    Search {
        session: usize,
        uid: bool,
    },
    Copy {
        session: usize,
        uid: bool,
        set: (u32, u32),
        own: bool,
    },
    Move {
        session: usize,
        uid: bool,
        set: (u32, u32),
    },
    Expunge {
        session: usize,
    },
    UidExpunge {
        session: usize,
        set: (u32, u32),
    },
    Append {
        session: usize,
        flags: usize,
    },
    Noop {
        session: usize,
    },
    Select {
        session: usize,
        read_only: bool,
        close: bool,
    },
    /// One session waits in IDLE while another acts.
    Idle {
        session: usize,
        meanwhile: Box<Step>,
    },
}

const FLAGS: [&str; 7] =
    ["\\Seen", "\\Deleted", "\\Flagged \\Deleted", "\\Answered Work", "Work Private", "", "\\Draft"];
const ITEMS: [&str; 5] = ["FLAGS", "(UID FLAGS)", "BODY.PEEK[TEXT]", "BODY[]", "(RFC822.SIZE UID)"];
const OPERATIONS: [&str; 3] = ["FLAGS", "+FLAGS", "-FLAGS"];

fn simple_step() -> impl Strategy<Value = Step> {
    let session = 0..SESSIONS;
    let set = || (0u32..24, 0u32..24);
    let flags = 0..FLAGS.len();
    prop_oneof![
        3 => (1usize..4, flags.clone()).prop_map(|(count, flags)| Step::Deliver { count, flags }),
        4 => (session.clone(), any::<bool>(), set(), 0usize..3, any::<bool>(), flags.clone()).prop_map(
            |(session, uid, set, operation, silent, flags)| Step::Store { session, uid, set, operation, silent, flags }
        ),
        3 => (session.clone(), any::<bool>(), set(), 0..ITEMS.len())
            .prop_map(|(session, uid, set, items)| Step::Fetch { session, uid, set, items }),
        1 => (session.clone(), any::<bool>()).prop_map(|(session, uid)| Step::Search { session, uid }),
        1 => (session.clone(), any::<bool>(), set(), any::<bool>())
            .prop_map(|(session, uid, set, own)| Step::Copy { session, uid, set, own }),
        1 => (session.clone(), any::<bool>(), set()).prop_map(|(session, uid, set)| Step::Move { session, uid, set }),
        2 => session.clone().prop_map(|session| Step::Expunge { session }),
        1 => (session.clone(), set()).prop_map(|(session, set)| Step::UidExpunge { session, set }),
        1 => (session.clone(), flags).prop_map(|(session, flags)| Step::Append { session, flags }),
        2 => session.clone().prop_map(|session| Step::Noop { session }),
        1 => (session, any::<bool>(), any::<bool>())
            .prop_map(|(session, read_only, close)| Step::Select { session, read_only, close }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => simple_step(),
        1 => (0..SESSIONS, simple_step())
            .prop_map(|(session, meanwhile)| Step::Idle { session, meanwhile: Box::new(meanwhile) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_client_knows_what_the_store_holds(
        rev2: [bool; SESSIONS],
        uid_only: [bool; SESSIONS],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let house = House::new();
        house.run(async {
            let mut clients = Vec::new();
            for (rev2, uid_only) in rev2.into_iter().zip(uid_only) {
                clients.push(Client::log_in(house.connect(), rev2, uid_only).await);
            }
            for client in &mut clients {
                client.select(false).await;
            }
            for step in &steps {
                run(&house, &mut clients, step).await;
            }
            settle(&house, &mut clients).await;
        });
        house.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, failure_persistence: None, ..ProptestConfig::default() })]

    /// All at the same time. No silent STORE: its client cannot know in which order it and others came.
    #[test]
    fn every_client_knows_it_after_commands_at_the_same_time(
        rev2: [bool; SESSIONS],
        uid_only: [bool; SESSIONS],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let house = House::new();
        house.run(async {
            let mut clients = Vec::new();
            for (rev2, uid_only) in rev2.into_iter().zip(uid_only) {
                let mut client = Client::log_in(house.connect(), rev2, uid_only).await;
                client.select(false).await;
                clients.push(client);
            }
            let [first, second, third] = &mut clients[..] else { unreachable!() };
            let outside = async {
                for step in &steps {
                    deliver(&house, step).await;
                }
            };
            let sessions = zip(zip(follow(first, 0, &steps), follow(second, 1, &steps)), follow(third, 2, &steps));
            zip(outside, sessions).await;
            settle(&house, &mut clients).await;
        });
        house.finish();
    }
}

async fn follow(client: &mut Client, session: usize, steps: &[Step]) {
    for step in steps.iter().filter(|step| session_of(step) == Some(session)) {
        if !matches!(step, Step::Store { silent: true, .. }) {
            act(client, step).await;
        }
    }
}

async fn run(house: &House, clients: &mut [Client], step: &Step) {
    match (step, session_of(step)) {
        (Step::Idle { session, meanwhile }, _) => {
            clients[*session].idle().await;
            // The one that waits can do nothing else.
            if session_of(meanwhile) != Some(*session) {
                Box::pin(run(house, clients, meanwhile)).await;
            }
            clients[*session].done().await;
        }
        (_, Some(session)) => act(&mut clients[session], step).await,
        (_, None) => deliver(house, step).await,
    }
}

async fn deliver(house: &House, step: &Step) {
    if let Step::Deliver { count, flags } = step {
        for _ in 0..*count {
            house.deliver(FLAGS[*flags]).await;
        }
    }
}

/// What one client does by itself.
async fn act(client: &mut Client, step: &Step) {
    let uses_uids = client.uses_uids(false);
    let uids = |wanted: &bool| *wanted || uses_uids;
    match step {
        Step::Deliver { .. } => {}
        Step::Idle { .. } => {
            client.idle().await;
            client.done().await;
        }
        Step::Store { uid, set, operation, silent, flags, .. } => {
            let Some(set) = client.set(uids(uid), *set) else { return };
            client.store(uids(uid), &set, OPERATIONS[*operation], *silent, FLAGS[*flags]).await;
        }
        Step::Fetch { uid, set, items, .. } => {
            let Some(set) = client.set(uids(uid), *set) else { return };
            client.command(&format!("{}FETCH {set} {}", prefix(uids(uid)), ITEMS[*items]), !uids(uid)).await;
        }
        Step::Search { uid, .. } => {
            client.command(&format!("{}SEARCH UNDELETED", prefix(uids(uid))), !uids(uid)).await;
        }
        Step::Copy { uid, set, own, .. } => {
            let Some(set) = client.set(uids(uid), *set) else { return };
            let mailbox = if *own { "INBOX" } else { "Archive" };
            client.command(&format!("{}COPY {set} {mailbox}", prefix(uids(uid))), false).await;
        }
        Step::Move { uid, set, .. } => {
            let Some(set) = client.set(uids(uid), *set) else { return };
            client.command(&format!("{}MOVE {set} Trash", prefix(uids(uid))), false).await;
        }
        Step::Expunge { .. } => client.command("EXPUNGE", false).await,
        Step::UidExpunge { set, .. } => {
            let Some(set) = client.set(true, *set) else { return };
            client.command(&format!("UID EXPUNGE {set}"), false).await;
        }
        Step::Append { flags, .. } => {
            let command = format!("APPEND INBOX ({}) {{10+}}\r\nS: x\r\n\r\ny\r\n", FLAGS[*flags]);
            client.command(&command, false).await;
        }
        Step::Noop { .. } => client.command("NOOP", false).await,
        Step::Select { read_only, close, .. } => {
            if *close {
                client.leave("CLOSE").await;
            }
            client.select(*read_only).await;
        }
    }
}

const fn session_of(step: &Step) -> Option<usize> {
    match step {
        Step::Deliver { .. } => None,
        Step::Store { session, .. }
        | Step::Fetch { session, .. }
        | Step::Search { session, .. }
        | Step::Copy { session, .. }
        | Step::Move { session, .. }
        | Step::Expunge { session }
        | Step::UidExpunge { session, .. }
        | Step::Append { session, .. }
        | Step::Noop { session }
        | Step::Select { session, .. }
        | Step::Idle { session, .. } => Some(*session),
    }
}

const fn prefix(uid: bool) -> &'static str {
    if uid { "UID " } else { "" }
}

/// Compares every client with the store, first with what it was told, then with all it can ask.
async fn settle(house: &House, clients: &mut [Client]) {
    let store = house.messages();
    let mut recent: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, client) in clients.iter_mut().enumerate() {
        client.command("NOOP", false).await;
        client.agrees_with(&store);
        let uid = client.uses_uids(false);
        client.command(&format!("{}FETCH 1:* (UID FLAGS)", prefix(uid)), !uid).await;
        client.agrees_with(&store);
        assert!(client.knows_all(), "session {index} asked for everything");
        for uid in client.claimed() {
            if let Some(other) = recent.insert(uid, index) {
                panic!("message {uid} is \\Recent in sessions {other} and {index}");
            }
        }
    }
}
