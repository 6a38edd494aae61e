//! Which operation comes next: any that the accounts as they are allow, and those that make no sense, too.

use crate::model::{Model, User};
use crate::operation::{DAY, DEVICES, INBOX, LARGE, NAMES, Operation, Random, USERS, Verb, is_notice};

/// With more messages than this an account gets less mail than it loses.
const CROWD: usize = 160;
/// Quiet days come and go after so many operations.
const QUIET: u64 = 150;
const FLAGS: [i64; 6] = [0, 1, 4, 8, 9, 13];

fn some(random: &mut Random, user: &User, mailbox: usize) -> Vec<u32> {
    let uids: Vec<u32> = user.mailboxes[mailbox].keys().copied().collect();
    let mut chosen = Vec::new();
    for _ in 0..=random.below(6) {
        match uids.get(random.below(uids.len().max(1))) {
            Some(uid) if !random.once_in(20) => chosen.push(*uid),
            _ => chosen.push(1 + u32::try_from(random.below(3000)).unwrap()),
        }
    }
    chosen
}

fn length(random: &mut Random) -> i64 {
    match random.below(1000) {
        0 => LARGE + random.number(250_000),
        1..=20 => random.number(20_000),
        _ => random.number(900),
    }
}

fn mailbox(random: &mut Random) -> usize {
    if random.once_in(2) { INBOX } else { random.below(NAMES.len()) }
}

fn arrival(random: &mut Random, mut operation: Operation, token: i64) -> Operation {
    if random.once_in(2) {
        operation.verb = Verb::Append;
        operation.to = mailbox(random);
        operation.numbers = vec![token, length(random), FLAGS[random.below(6)]];
        return operation;
    }
    operation.verb = Verb::Deliver;
    operation.numbers = vec![token, length(random)];
    let recipients = if random.once_in(3) { vec![0, 1] } else { vec![operation.user] };
    for user in recipients {
        let to = mailbox(random);
        operation.numbers.extend([user, to].map(|number| i64::try_from(number).unwrap()));
    }
    operation
}

fn limits(random: &mut Random, user: &User) -> Vec<i64> {
    let (bytes, messages) = user.usage();
    let mut near = |usage: u64, step: usize| {
        let usage = i64::try_from(usage).unwrap();
        match random.below(8) {
            0 => usage + random.number(step),
            1 => (usage - random.number(step)).max(0),
            2 => usage * 10 / (7 + random.number(4)),
            3 if step > 100 => [0, 1, i64::MAX][random.below(3)],
            _ => -1,
        }
    };
    vec![near(bytes, 20_000), near(messages, 20)]
}

pub fn settings(random: &mut Random) -> Vec<i64> {
    let days = |random: &mut Random, choices: [i64; 4]| choices[random.below(4)];
    vec![
        random.number(3),
        days(random, [0, 1, 1, 3]),
        days(random, [0, 1, 2, 4]),
        random.number(2),
        days(random, [0, 1, 2, 4]),
        days(random, [0, 1, 1, 2]),
        days(random, [0, 1, 2, 3]),
        random.number(2),
    ]
}

fn pop(random: &mut Random, user: &User, mut operation: Operation) -> Operation {
    // The second account has one device, which is alone in deciding.
    let devices = if operation.user == 0 { DEVICES as usize + 1 } else { 1 };
    operation.by = u32::try_from(random.below(devices)).unwrap() + u32::from(operation.user != 0);
    let Some(shown) = user.sessions.get(&operation.by) else {
        operation.verb = Verb::PopBegin;
        return operation;
    };
    operation.verb = match random.below(20) {
        0 => Verb::PopLost,
        // A second session of the same device is refused.
        1 if operation.by != 0 => Verb::PopBegin,
        _ => Verb::PopQuit,
    };
    if operation.verb == Verb::PopQuit {
        // Some clients fetch and delete all, some leave all there, some do anything.
        let (fetches, deletes) = [(1, 1), (1, 1000), (1, 8), (2, 3), (8, 2)][random.below(5)];
        operation.uids = shown.iter().map(|(uid, _)| *uid).filter(|_| random.once_in(fetches)).collect();
        operation.more = shown.iter().map(|(uid, _)| *uid).filter(|_| random.once_in(deletes)).collect();
    }
    operation
}

/// Mail that came lately or went lately.
fn question(random: &mut Random, model: &Model, mut operation: Operation, tokens: i64) -> Operation {
    operation.verb = Verb::Why;
    let gone = if random.once_in(2) { model.lately_gone(random.below(300)) } else { None };
    let token;
    (operation.user, token) = gone.unwrap_or((operation.user, 1 + tokens - random.number(300).min(tokens - 1)));
    operation.numbers = vec![token];
    operation
}

/// The next operation; a new message gets that token.
pub fn next(random: &mut Random, model: &Model, token: i64) -> Operation {
    let at = usize::from(random.once_in(3)) % USERS.len();
    let user = &model.users[at];
    let mut operation = Operation::new(Verb::Status, at);
    operation.by = u32::try_from(1 + random.below(3)).unwrap();
    (operation.from, operation.to) = (mailbox(random), random.below(NAMES.len()));
    let crowd: usize = user.mailboxes.iter().map(std::collections::BTreeMap::len).sum();
    // On quiet days there is only new mail, what POP3 does with it, and what happens by itself.
    let is_quiet = (model.operations / QUIET).is_multiple_of(3);
    let verb = match random.below(100) {
        0..=12 if is_quiet && crowd < 2 * CROWD => return arrival(random, operation, token),
        0..=50 if is_quiet => return pop(random, user, operation),
        51..=59 if is_quiet => Verb::Clock,
        60..=66 if is_quiet => Verb::Rules,
        0..=29 if crowd < CROWD => return arrival(random, operation, token),
        0..=14 | 65 | 66 => Verb::Remove,
        30..=42 => Verb::Flag,
        43..=48 if crowd < CROWD => Verb::Copy,
        15..=29 | 43..=59 => Verb::Move,
        60..=64 => Verb::Expunge,
        67..=81 => return pop(random, user, operation),
        82..=85 => Verb::Clock,
        86..=88 => Verb::Rules,
        89 | 90 => Verb::Sweep,
        91 => Verb::Undelete,
        92 => Verb::Limits,
        93 => Verb::Settings,
        94 => Verb::Warn,
        95 | 96 => Verb::Status,
        97 | 98 => Verb::Read,
        _ if token > 1 => return question(random, model, operation, token - 1),
        _ => Verb::Status,
    };
    operation.verb = verb;
    match verb {
        Verb::Flag => {
            operation.uids = some(random, user, operation.from);
            operation.numbers = vec![random.number(3), FLAGS[random.below(6)]];
        }
        Verb::Expunge if random.once_in(2) => {}
        Verb::Copy | Verb::Move | Verb::Expunge | Verb::Remove => {
            operation.uids = some(random, user, operation.from);
        }
        Verb::Clock if random.once_in(12) => operation.numbers = vec![model.now - random.number(3 * 86_400)],
        Verb::Clock => operation.numbers = vec![model.now + random.number(86_400)],
        Verb::Undelete => {
            operation.to = random.below(2 * NAMES.len());
            operation.numbers = vec![model.now - random.number(2 * 86_400) - DAY / 24];
        }
        Verb::Limits => operation.numbers = limits(random, user),
        Verb::Settings => operation.numbers = settings(random),
        Verb::Read => {
            let here = user.mailboxes[operation.from].iter().filter(|(_, message)| !is_notice(message.token));
            let here: Vec<u32> = here.map(|(uid, _)| *uid).collect();
            match here.get(random.below(here.len().max(1))) {
                Some(uid) => operation.uids = vec![*uid],
                None => operation.verb = Verb::Status,
            }
        }
        _ => {}
    }
    operation
}
