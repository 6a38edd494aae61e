//! Operations as lines of text, which go from the test to the process that has the store, and the generator of chance.

use std::fmt::Write as _;

/// The mailboxes of each account; the place of one of them here is its number in an operation.
pub const NAMES: [&str; 5] = ["INBOX", "Trash", "Junk", "Archive", "work"];
pub const INBOX: usize = 0;
pub const TRASH: usize = 1;
pub const JUNK: usize = 2;
pub const USERS: [&str; 2] = ["anna", "berta"];
/// How many POP3 devices each account has beside its main password, which is device 0.
pub const DEVICES: u32 = 3;
pub const DAY: i64 = 86_400;
/// Octets by which the last delivered message may cross the limit.
pub const GRACE: u64 = 300;

/// A small deterministic generator: the same seed gives the same operations everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    pub fn number(&mut self, bound: usize) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }

    /// Whether something happens that happens once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Sets the clock: the time.
    Clock,
    /// APPEND by IMAP `to` a mailbox: token, length, flags.
    Append,
    /// LMTP: token, length, and account and mailbox of each recipient.
    Deliver,
    /// STORE: how, flags.
    Flag,
    Copy,
    Move,
    /// EXPUNGE, or UID EXPUNGE where there are UIDs.
    Expunge,
    /// Expunges whatever the flags.
    Remove,
    /// A POP3 session of device `by` begins.
    PopBegin,
    /// QUIT: `uids` were fetched, `more` deleted.
    PopQuit,
    /// The connection breaks: no QUIT.
    PopLost,
    /// The hourly POP3 rules.
    Rules,
    /// The hourly expiry.
    Sweep,
    /// Since when; `to` is the mailbox, or one more for all.
    Undelete,
    /// Octets and messages; -1: no limit.
    Limits,
    /// DELE policy, days of hiding, days of release, RETR sets \Seen, days of \Trash, of \Junk, of undelete, over quota.
    Settings,
    /// The warnings that are due.
    Warn,
    /// STATUS.
    Status,
    /// FETCH of one body.
    Read,
    /// What became of the message with that token.
    Why,
    /// All that is stored, as text.
    Dump,
    /// Checks every invariant and recounts.
    Verify,
}

const VERBS: [Verb; 22] = [
    Verb::Clock,
    Verb::Append,
    Verb::Deliver,
    Verb::Flag,
    Verb::Copy,
    Verb::Move,
    Verb::Expunge,
    Verb::Remove,
    Verb::PopBegin,
    Verb::PopQuit,
    Verb::PopLost,
    Verb::Rules,
    Verb::Sweep,
    Verb::Undelete,
    Verb::Limits,
    Verb::Settings,
    Verb::Warn,
    Verb::Status,
    Verb::Read,
    Verb::Why,
    Verb::Dump,
    Verb::Verify,
];

/// Messages of that length and more are written in several commits.
pub const LARGE: i64 = 100_000;

#[derive(Clone, Debug)]
pub struct Operation {
    pub verb: Verb,
    pub user: usize,
    /// The IMAP session, or the POP3 device.
    pub by: u32,
    pub from: usize,
    pub to: usize,
    pub numbers: Vec<i64>,
    pub uids: Vec<u32>,
    pub more: Vec<u32>,
}

impl Operation {
    pub const fn new(verb: Verb, user: usize) -> Self {
        Self { verb, user, by: 0, from: 0, to: 0, numbers: Vec::new(), uids: Vec::new(), more: Vec::new() }
    }

    /// Whether it is one job of the writer, so that several of them may wait for one commit.
    pub fn is_one_job(&self) -> bool {
        match self.verb {
            Verb::Append | Verb::Deliver => self.numbers[1] < LARGE,
            Verb::Flag | Verb::Copy | Verb::Move | Verb::Expunge | Verb::Remove => true,
            _ => false,
        }
    }

    pub fn line(&self) -> String {
        let verb = VERBS.iter().position(|verb| *verb == self.verb).unwrap();
        let mut line = format!("{verb} {} {} {} {}", self.user, self.by, self.from, self.to);
        let uids = |uids: &[u32]| uids.iter().map(|uid| i64::from(*uid)).collect();
        for list in [self.numbers.clone(), uids(&self.uids), uids(&self.more)] {
            line.push_str(" =");
            for number in list {
                let _ = write!(line, ",{number}");
            }
        }
        line
    }

    pub fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        let list = |at: usize| words[at].split(',').skip(1).map(|number| number.parse::<i64>().unwrap());
        let uids = |at: usize| list(at).map(|uid| u32::try_from(uid).unwrap()).collect();
        Self {
            verb: VERBS[number(0)],
            user: number(1),
            by: u32::try_from(number(2)).unwrap(),
            from: number(3),
            to: number(4),
            numbers: list(5).collect(),
            uids: uids(6),
            more: uids(7),
        }
    }

    /// The recipients of a delivery: account and mailbox.
    pub fn recipients(&self) -> Vec<(usize, usize)> {
        let place = |number: i64| usize::try_from(number).unwrap();
        self.numbers[2..].chunks(2).map(|pair| (place(pair[0]), place(pair[1]))).collect()
    }
}

/// Notices have a date for a token, which lies above all tokens of mail.
pub const fn is_notice(token: i64) -> bool {
    token > 1_000_000_000
}

/// The header lines that a delivery adds.
pub const PREFIX: &str = "Return-Path: <a@example.org>\r\n";

pub fn message_id(token: i64) -> String {
    format!("<{token}@example.org>")
}

/// The message with that token and about that length.
pub fn text(token: i64, length: i64) -> String {
    let mut text = format!("Message-ID: {}\r\nFrom: a@example.org\r\nSubject: {token}\r\n\r\n", message_id(token));
    let length = usize::try_from(length).unwrap();
    while text.len() < length {
        let _ = write!(text, "line {} of {token}\r\n", text.len());
    }
    text
}
