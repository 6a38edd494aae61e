//! What README says must become of every message, as plainly as it can be written; no line of it knows the store.

use crate::later::Later;
use crate::operation::{
    DAY, DEVICES, GRACE, INBOX, JUNK, NAMES, Operation, PREFIX, TRASH, USERS, Verb, is_notice, text,
};
use mailnook::types::{PopDelete, SystemFlags};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

pub const SEEN: u8 = SystemFlags::SEEN.0;
pub const DELETED: u8 = SystemFlags::DELETED.0;

#[derive(Clone, Debug)]
pub struct Message {
    /// Its number, which is also its internal date; of a notice only the date.
    pub token: i64,
    pub length: i64,
    pub prefixed: bool,
    pub size: u64,
    pub flags: u8,
    pub notice: bool,
    /// Instances in the order in which they were made.
    serial: u64,
    pub saved: i64,
    /// When each device fetched it, and whether it deleted it.
    marks: BTreeMap<u32, (i64, bool)>,
    /// What moved it last, and with which operation.
    pub last: Option<(u64, String)>,
}

#[derive(Clone)]
struct Rules {
    delete: PopDelete,
    hide: i64,
    release: i64,
    seen: bool,
    trash: i64,
    junk: i64,
    undelete: i64,
    bounce: bool,
}

#[derive(Clone)]
pub struct User {
    pub mailboxes: [BTreeMap<u32, Message>; NAMES.len()],
    pub next: [u32; NAMES.len()],
    /// By the moment and the instance: from which mailbox, and why.
    pub hidden: BTreeMap<(i64, u64), (usize, Message, String)>,
    pub polls: [bool; DEVICES as usize + 1],
    /// The POP3 sessions that are open, with what they were shown: UIDs in INBOX and serials.
    pub sessions: BTreeMap<u32, Vec<(u32, u64)>>,
    rules: Rules,
    pub limits: (Option<u64>, Option<u64>),
    pub warned: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slack {
    None,
    Grace,
    Headroom,
}

impl Message {
    pub fn is_marked(&self, device: u32) -> bool {
        self.marks.contains_key(&device)
    }

    pub const fn serial(&self) -> u64 {
        self.serial
    }
}

impl User {
    /// Whether a rule of POP3 can ever take a message.
    pub const fn has_pop_rules(&self) -> bool {
        self.rules.hide > 0 || self.rules.release > 0
    }

    /// Forgets that a device fetched these.
    pub fn unmark(&mut self, device: u32, serials: &[u64]) {
        for message in self.mailboxes.iter_mut().flat_map(BTreeMap::values_mut) {
            if serials.contains(&message.serial) {
                message.marks.remove(&device);
            }
        }
    }

    /// What a device has fetched and deleted, wherever it is now.
    pub fn marks(&self, device: u32) -> String {
        let mut told = String::new();
        for (at, mailbox) in self.mailboxes.iter().enumerate() {
            for (uid, message) in mailbox {
                if let Some((time, deleted)) = message.marks.get(&device) {
                    let _ = write!(told, " {at}/{uid}:{time}/{deleted}");
                }
            }
        }
        told
    }

    fn new() -> Self {
        let rules = Rules {
            delete: PopDelete::Hide,
            hide: 0,
            release: 0,
            seen: false,
            trash: 0,
            junk: 0,
            undelete: 0,
            bounce: false,
        };
        Self {
            mailboxes: Default::default(),
            next: [1; NAMES.len()],
            hidden: BTreeMap::new(),
            polls: [false; DEVICES as usize + 1],
            sessions: BTreeMap::new(),
            rules,
            limits: (None, None),
            warned: None,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Message> {
        self.mailboxes.iter().flat_map(BTreeMap::values)
    }

    /// Octets and messages that the quota counts.
    pub fn usage(&self) -> (u64, u64) {
        let counted = self.all().filter(|message| !message.notice);
        counted.fold((0, 0), |(bytes, messages), message| (bytes + message.size, messages + 1))
    }

    /// What a refusal says, where so many messages of so many octets do not fit.
    fn refusal(&self, slack: Slack, messages: u64, bytes: u64) -> Option<&'static str> {
        let usage = self.usage();
        let most = self.limits.0.map_or(u64::MAX, |limit| match slack {
            Slack::Grace if usage.0 < limit => limit.saturating_add(GRACE.min(limit / 10)),
            Slack::None | Slack::Grace => limit,
            Slack::Headroom => limit.saturating_add(limit / 10),
        });
        let room = if slack == Slack::Headroom { 10 } else { u64::MAX };
        let most_messages = self.limits.1.map_or(u64::MAX, |limit| limit.saturating_add(limit / room));
        if usage.0 + bytes <= most && usage.1 + messages <= most_messages {
            return None;
        }
        let ever = self.limits.0.map_or(u64::MAX, |limit| limit.saturating_add(GRACE.min(limit / 10)));
        Some(if bytes > ever || self.rules.bounce { "too much" } else { "full" })
    }

    /// Percent of the nearer limit.
    fn percent(&self) -> u64 {
        let usage = self.usage();
        let of = |usage: u64, limit: Option<u64>| limit.map_or(0, |limit| usage * 100 / limit.max(1));
        of(usage.0, self.limits.0).max(of(usage.1, self.limits.1))
    }

    fn put(&mut self, mailbox: usize, message: Message) -> u32 {
        let uid = self.next[mailbox];
        self.next[mailbox] += 1;
        self.mailboxes[mailbox].insert(uid, message);
        uid
    }

    /// The UIDs in INBOX that a device is shown.
    pub fn maildrop(&self, device: u32) -> Vec<u32> {
        let deleted = |message: &Message| message.marks.get(&device).is_some_and(|(_, deleted)| *deleted);
        self.mailboxes[INBOX].iter().filter(|(_, message)| !deleted(message)).map(|(uid, _)| *uid).collect()
    }

    /// Where these messages of INBOX are now, those included that were moved since the session was shown them.
    fn whereabouts(&self, shown: &[(u32, u64)], uids: &[u32]) -> Vec<(usize, u32)> {
        let unique: BTreeSet<u32> = uids.iter().copied().collect();
        let find = |uid: &u32| {
            if self.mailboxes[INBOX].contains_key(uid) {
                return Some((INBOX, *uid));
            }
            let (_, serial) = shown.iter().find(|(known, _)| known == uid)?;
            let inside = |at: usize| {
                let found = self.mailboxes[at].iter().find(|(_, message)| message.serial == *serial);
                found.map(|(uid, _)| (at, *uid))
            };
            (0..self.mailboxes.len()).find_map(inside)
        };
        let mut found: Vec<_> = unique.iter().filter_map(find).collect();
        found.sort_unstable();
        found
    }

    /// Those of these messages that there are.
    fn present(&self, mailbox: usize, uids: &[u32]) -> Vec<u32> {
        let unique: BTreeSet<u32> = uids.iter().copied().collect();
        unique.into_iter().filter(|uid| self.mailboxes[mailbox].contains_key(uid)).collect()
    }
}

#[derive(Clone)]
pub struct Model {
    pub users: Vec<User>,
    pub now: i64,
    /// The latest moment that is stored.
    last_time: i64,
    serials: u64,
    pub operations: u64,
    /// How many messages came, by what.
    pub came: BTreeMap<&'static str, u64>,
    /// How many messages are gone for good, by the policy that says so.
    pub gone: BTreeMap<String, u64>,
    /// The newest of them: account, token, operation, last event.
    pub recent: VecDeque<(usize, i64, u64, String)>,
    /// What POP3 sessions fetched and the store has not written yet.
    pub later: Later,
    /// How often mail was refused because an account is full.
    pub refused: u64,
    /// How many messages the POP3 rules took from INBOX.
    pub ruled: u64,
    /// How many messages were brought back.
    pub back: u64,
}

impl Model {
    pub fn new(now: i64) -> Self {
        Self {
            users: USERS.iter().map(|_| User::new()).collect(),
            now,
            // The accounts and their mailboxes are made then.
            last_time: now,
            serials: 0,
            operations: 0,
            came: BTreeMap::new(),
            gone: BTreeMap::new(),
            recent: VecDeque::new(),
            later: Later::default(),
            refused: 0,
            ruled: 0,
            back: 0,
        }
    }

    pub const fn last_time(&self) -> i64 {
        self.last_time
    }

    pub const fn set_last_time(&mut self, time: i64) {
        self.last_time = time;
    }

    /// The moment that is stored with what happens now.
    pub fn stamp(&mut self) -> i64 {
        self.last_time = self.last_time.max(self.now);
        self.last_time
    }

    fn serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    fn vanish(&mut self, user: usize, token: i64, policy: String, event: String) {
        *self.gone.entry(policy).or_default() += 1;
        // Nobody knows a notice's Message-ID.
        if is_notice(token) {
            return;
        }
        self.recent.push_back((user, token, self.operations, event));
        if self.recent.len() > 300 {
            self.recent.pop_front();
        }
    }

    /// Takes messages out of a mailbox: they are hidden, or gone where the account keeps none.
    fn take_out(&mut self, user: usize, mailbox: usize, uids: &[u32], cause: &str, who: &str) {
        if uids.is_empty() {
            return;
        }
        let time = self.stamp();
        for uid in uids {
            let mut message = self.users[user].mailboxes[mailbox].remove(uid).unwrap();
            message.marks.clear();
            message.last = Some((self.operations, format!("{cause} {who}")));
            if self.users[user].rules.undelete > 0 {
                let hidden = (mailbox, message, format!("{cause} {who}"));
                self.users[user].hidden.insert((time, hidden.1.serial), hidden);
            } else {
                let policy = format!("{cause} {who}, nothing is kept to be brought back");
                self.vanish(user, message.token, policy, format!("removed NotKept {who}"));
            }
        }
    }

    fn move_to(&mut self, user: usize, (from, to): (usize, usize), uids: &[u32], who: &str) -> Vec<u32> {
        let saved = if uids.is_empty() { 0 } else { self.stamp() };
        let mut made = Vec::new();
        for uid in uids {
            let message = self.users[user].mailboxes[from].remove(uid).unwrap();
            let last = Some((self.operations, format!("moved {who}")));
            made.push(self.users[user].put(to, Message { saved, last, ..message }));
        }
        made
    }

    fn arrive(&mut self, user: usize, mailbox: usize, operation: &Operation, slack: Slack) -> String {
        let (token, length) = (operation.numbers[0], operation.numbers[1]);
        let prefixed = operation.verb == Verb::Deliver;
        let size = text(token, length).len() as u64 + if prefixed { PREFIX.len() as u64 } else { 0 };
        if let Some(refusal) = self.users[user].refusal(slack, 1, size) {
            self.refused += 1;
            return refusal.to_owned();
        }
        let (serial, saved) = (self.serial(), self.stamp());
        let flags = if prefixed { 0 } else { u8::try_from(operation.numbers[2]).unwrap() };
        let marks = BTreeMap::new();
        let message = Message { token, length, prefixed, size, flags, notice: false, serial, saved, marks, last: None };
        *self.came.entry(if prefixed { "LMTP" } else { "APPEND" }).or_default() += 1;
        self.users[user].put(mailbox, message).to_string()
    }

    fn flag(&mut self, operation: &Operation) -> String {
        let given = u8::try_from(operation.numbers[1]).unwrap();
        let user = &mut self.users[operation.user];
        let (mut told, mut changed) = (Vec::new(), false);
        for uid in user.present(operation.from, &operation.uids) {
            let message = user.mailboxes[operation.from].get_mut(&uid).unwrap();
            let flags = match operation.numbers[0] {
                0 => given,
                1 => message.flags | given,
                _ => message.flags & !given,
            };
            changed |= flags != message.flags;
            message.flags = flags;
            told.push(format!("{uid}:{flags}"));
        }
        if changed {
            self.stamp();
        }
        told.join(" ")
    }

    fn copy(&mut self, operation: &Operation) -> String {
        let (user, from, to) = (operation.user, operation.from, operation.to);
        let uids = self.users[user].present(from, &operation.uids);
        if uids.is_empty() {
            return "[] []".to_owned();
        }
        let messages: Vec<Message> = uids.iter().map(|uid| self.users[user].mailboxes[from][uid].clone()).collect();
        let sum = messages.iter().map(|message| message.size).sum();
        let slack = if to == TRASH { Slack::Headroom } else { Slack::None };
        if let Some(refusal) = self.users[user].refusal(slack, uids.len() as u64, sum) {
            self.refused += 1;
            return refusal.to_owned();
        }
        let saved = self.stamp();
        let mut made = Vec::new();
        for message in messages {
            let serial = self.serial();
            *self.came.entry("COPY").or_default() += 1;
            let copy = Message { serial, saved, notice: false, marks: BTreeMap::new(), last: None, ..message };
            made.push(self.users[user].put(to, copy));
        }
        format!("{uids:?} {made:?}")
    }

    fn expunge(&mut self, operation: &Operation) -> String {
        let (user, from) = (operation.user, operation.from);
        let mut uids = self.users[user].present(from, &operation.uids);
        if operation.verb == Verb::Expunge {
            if operation.uids.is_empty() {
                uids = self.users[user].mailboxes[from].keys().copied().collect();
            }
            uids.retain(|uid| self.users[user].mailboxes[from][uid].flags & DELETED != 0);
        }
        self.take_out(user, from, &uids, "Expunged", "Imap");
        format!("{uids:?}")
    }

    fn pop_begin(&mut self, operation: &Operation) -> String {
        let device = operation.by;
        if device != 0 && self.users[operation.user].sessions.contains_key(&device) {
            return "in use".to_owned();
        }
        if device == 0 && !self.users[operation.user].polls[0] {
            // The main password's entry is made then.
            self.stamp();
        }
        let user = &mut self.users[operation.user];
        user.polls[device as usize] = true;
        let shown = user.maildrop(device);
        let named = shown.iter().map(|uid| (*uid, user.mailboxes[INBOX][uid].serial)).collect();
        user.sessions.insert(device, named);
        format!("{shown:?}")
    }

    /// Whether what was fetched waits to be written.
    fn pop_quit(&mut self, operation: &Operation) -> bool {
        let (at, device) = (operation.user, operation.by);
        let shown = self.users[at].sessions.remove(&device).unwrap_or_default();
        let fetched = self.users[at].whereabouts(&shown, &operation.uids);
        let rules = self.users[at].rules.clone();
        let waits = operation.more.is_empty() && !rules.seen && self.fetch_later(operation, &fetched);
        self.mark(at, device, &fetched, false);
        if rules.seen {
            for (mailbox, uid) in fetched {
                if self.users[at].mailboxes[mailbox][&uid].flags & SEEN == 0 {
                    self.stamp();
                    self.users[at].mailboxes[mailbox].get_mut(&uid).unwrap().flags |= SEEN;
                }
            }
        }
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.users[at].whereabouts(&shown, &operation.more).into_iter().partition(|(mailbox, _)| *mailbox == INBOX);
        let uids: Vec<u32> = here.iter().map(|(_, uid)| *uid).collect();
        match rules.delete {
            PopDelete::Expunge => self.take_out(at, INBOX, &uids, "Expunged", "Pop3"),
            PopDelete::Trash => drop(self.move_to(at, (INBOX, TRASH), &uids, "Pop3")),
            PopDelete::Hide => self.mark(at, device, &here, true),
        }
        self.mark(at, device, &elsewhere, true);
        waits
    }

    fn mark(&mut self, at: usize, device: u32, messages: &[(usize, u32)], deleted: bool) {
        for (mailbox, uid) in messages {
            let known = self.users[at].mailboxes[*mailbox][uid].marks.get(&device);
            if known.is_none_or(|mark| deleted && !mark.1) {
                let time = self.stamp();
                let message = self.users[at].mailboxes[*mailbox].get_mut(uid).unwrap();
                message.marks.insert(device, (time, deleted));
            }
        }
    }

    /// What every device that polls has had goes to \Trash when its time is over, and nothing else.
    fn pop_rules(&mut self, at: usize) -> String {
        let polling: Vec<u32> = (0..=DEVICES).filter(|device| self.users[at].polls[*device as usize]).collect();
        if self.now < self.last_time || polling.is_empty() {
            return "0".to_owned();
        }
        let (rules, now) = (&self.users[at].rules, self.now);
        let due = |message: &&Message| {
            let marks: Option<Vec<&(i64, bool)>> = polling.iter().map(|device| message.marks.get(device)).collect();
            let Some(marks) = marks else { return false };
            let over = |since: Option<i64>, days: i64| {
                days > 0 && since.is_some_and(|since| now >= since.max(message.saved) + days * DAY)
            };
            let last_deleted = marks.iter().filter(|mark| mark.1).map(|mark| mark.0).max();
            over(last_deleted, rules.hide) || over(marks.iter().map(|mark| mark.0).max(), rules.release)
        };
        let inbox = &self.users[at].mailboxes[INBOX];
        let uids: Vec<u32> = inbox.iter().filter(|(_, message)| due(message)).map(|(uid, _)| *uid).collect();
        self.ruled += self.move_to(at, (INBOX, TRASH), &uids, "Policy").len() as u64;
        uids.len().to_string()
    }

    fn sweep(&mut self) -> String {
        let mut expired: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        let mut removed: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let is_behind = self.now < self.last_time;
        for (at, name) in USERS.iter().enumerate().filter(|_| !is_behind) {
            let rules = self.users[at].rules.clone();
            for (mailbox, days) in [(JUNK, rules.junk), (TRASH, rules.trash)].into_iter().filter(|(_, days)| *days > 0)
            {
                let before = self.now - days * DAY;
                let old = self.users[at].mailboxes[mailbox].iter().filter(|(_, message)| message.saved < before);
                let old: Vec<(u32, u64)> = old.map(|(uid, message)| (*uid, message.size)).collect();
                for (_, size) in &old {
                    let sum = expired.entry(((*name).to_owned(), NAMES[mailbox].to_owned())).or_default();
                    *sum = (sum.0 + 1, sum.1 + size);
                }
                let uids: Vec<u32> = old.into_iter().map(|(uid, _)| uid).collect();
                self.take_out(at, mailbox, &uids, "Expired", "Policy");
            }
            let before = self.now - rules.undelete * DAY;
            let kept = self.users[at].hidden.split_off(&(before, 0));
            for (_, message, why) in std::mem::replace(&mut self.users[at].hidden, kept).into_values() {
                self.stamp();
                let sum = removed.entry((*name).to_owned()).or_default();
                *sum = (sum.0 + 1, sum.1 + message.size);
                let policy = format!("{why}, and the days to bring it back are over");
                let reason = match rules.undelete {
                    0 => "NotKept".to_owned(),
                    days => format!("DaysOver({days})"),
                };
                self.vanish(at, message.token, policy, format!("removed {reason} Policy"));
            }
        }
        format!("{expired:?} {removed:?} {is_behind}")
    }

    fn undelete(&mut self, operation: &Operation) -> String {
        let at = operation.user;
        let all = std::mem::take(&mut self.users[at].hidden);
        let mut back: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (key, (mailbox, message, why)) in all {
            if key.0 < operation.numbers[0] || (operation.to < NAMES.len() && operation.to != mailbox) {
                self.users[at].hidden.insert(key, (mailbox, message, why));
                continue;
            }
            let sum = back.entry(NAMES[mailbox].to_owned()).or_default();
            *sum = (sum.0 + 1, sum.1 + message.size);
            let (saved, flags) = (self.stamp(), message.flags & !DELETED);
            let last = Some((self.operations, "back Cli".to_owned()));
            self.back += 1;
            self.users[at].put(mailbox, Message { flags, saved, last, ..message });
        }
        format!("{back:?}")
    }

    fn settle(&mut self, operation: &Operation) {
        let user = &mut self.users[operation.user];
        let numbers = &operation.numbers;
        if operation.verb == Verb::Limits {
            user.limits = (u64::try_from(numbers[0]).ok(), u64::try_from(numbers[1]).ok());
            return;
        }
        user.rules = Rules {
            delete: PopDelete::ALL[usize::try_from(numbers[0]).unwrap()],
            hide: numbers[1],
            release: numbers[2],
            seen: numbers[3] == 1,
            trash: numbers[4],
            junk: numbers[5],
            undelete: numbers[6],
            bounce: numbers[7] == 1,
        };
    }

    /// Learns how large the notices are that were written; that they were, and where, is known.
    pub fn warned(&mut self, answer: &str) {
        let told: Vec<u64> = answer.split_whitespace().map(|number| number.parse().unwrap()).collect();
        for (at, told) in told.chunks(3).enumerate() {
            let percent = self.users[at].percent();
            let warned = self.users[at].warned.unwrap_or(0);
            let level = [100, 95, 90, 80].into_iter().find(|level| percent >= u64::from(*level)).unwrap_or(0);
            if (warned > 0 && percent < 75) || level <= warned {
                if percent < 75 {
                    self.users[at].warned = None;
                }
                assert_eq!(told, [0, 0, 0], "no warning is due for {}", USERS[at]);
                continue;
            }
            let (serial, saved) = (self.serial(), self.stamp());
            let uid = u64::from(self.users[at].next[INBOX]);
            assert_eq!((told[0], told[2]), (uid, u64::try_from(saved).unwrap()), "a warning for {}", USERS[at]);
            let notice = Message {
                token: saved,
                length: 0,
                prefixed: false,
                size: told[1],
                flags: 0,
                notice: true,
                serial,
                saved,
                marks: BTreeMap::new(),
                last: None,
            };
            *self.came.entry("warning").or_default() += 1;
            self.users[at].put(INBOX, notice);
            self.users[at].warned = Some(level);
        }
    }

    /// Does to the model what the operation does; what the answer must be. Warnings are learned.
    pub fn apply(&mut self, operation: &Operation) -> String {
        self.operations += 1;
        let (mut quiet, mut waits) = (String::new(), false);
        match operation.verb {
            Verb::Clock => self.now = operation.numbers[0],
            Verb::Append => quiet = self.arrive(operation.user, operation.to, operation, Slack::None),
            Verb::Deliver => {
                let made = operation.recipients();
                let made = made.into_iter().map(|(user, to)| self.arrive(user, to, operation, Slack::Grace));
                quiet = made.collect::<Vec<_>>().join(" ");
            }
            Verb::Flag => quiet = self.flag(operation),
            Verb::Copy => quiet = self.copy(operation),
            Verb::Move => {
                let uids = self.users[operation.user].present(operation.from, &operation.uids);
                let made = self.move_to(operation.user, (operation.from, operation.to), &uids, "Imap");
                quiet = format!("{uids:?} {made:?}");
            }
            Verb::Expunge | Verb::Remove => quiet = self.expunge(operation),
            Verb::PopBegin => quiet = self.pop_begin(operation),
            Verb::PopQuit => waits = self.pop_quit(operation),
            Verb::PopLost => drop(self.users[operation.user].sessions.remove(&operation.by)),
            Verb::Rules => quiet = self.pop_rules(operation.user),
            Verb::Sweep => quiet = self.sweep(),
            Verb::Undelete => quiet = self.undelete(operation),
            Verb::Limits | Verb::Settings => self.settle(operation),
            Verb::Status => quiet = self.status(operation),
            Verb::Read => quiet = self.read(operation),
            Verb::Warn | Verb::Why | Verb::Dump | Verb::Verify => {}
        }
        self.note_written(operation, &quiet, waits);
        quiet
    }
}
