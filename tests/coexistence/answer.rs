//! What the store must answer: the model's state in the words of the process that has the store.

use crate::model::{DELETED, Message, Model, SEEN, User};
use crate::operation::{DEVICES, NAMES, Operation, PREFIX, USERS, text};
use crate::process::crc;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The journal surely remembers what happened so many operations ago.
const REMEMBERED: u64 = 1000;

impl Model {
    pub fn status(&self, operation: &Operation) -> String {
        let mailbox = &self.users[operation.user].mailboxes[operation.from];
        let sum = |test: fn(&Message) -> bool| {
            let found = mailbox.values().filter(|message| test(message));
            found.fold((0, 0), |(count, bytes), message| (count + 1, bytes + message.size))
        };
        let (all, deleted) = (sum(|_| true), sum(|message| message.flags & DELETED != 0));
        format!("{} {} {} {} {}", all.0, sum(|message| message.flags & SEEN == 0).0, deleted.0, all.1, deleted.1)
    }

    pub fn read(&self, operation: &Operation) -> String {
        let message = &self.users[operation.user].mailboxes[operation.from][&operation.uids[0]];
        let octets = format!("{}{}", if message.prefixed { PREFIX } else { "" }, text(message.token, message.length));
        format!("{} {} {}", message.token, octets.len(), crc(octets.as_bytes()))
    }

    /// All that must be stored.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        for (user, name) in self.users.iter().zip(USERS) {
            for (at, mailbox) in user.mailboxes.iter().enumerate() {
                let _ = write!(out, "{name} {} next {}:", NAMES[at], user.next[at]);
                for (uid, message) in mailbox {
                    let (token, size) = (message.token, message.size);
                    let _ = write!(out, " {uid}/{token}/{size}/{}/{}", message.flags, message.saved);
                }
                out.push('|');
            }
            let mut back: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for (mailbox, message, _) in user.hidden.values() {
                let sum = back.entry(NAMES[*mailbox].to_owned()).or_default();
                *sum = (sum.0 + 1, sum.1 + message.size);
            }
            let sum = back.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            let _ = write!(out, "hidden {sum:?} {back:?}|");
            let (usage, limits) = (user.usage(), user.limits);
            let _ = write!(out, "usage {} {} of {limits:?} warned {:?}|", usage.0, usage.1, user.warned);
            for device in 0..=DEVICES {
                let polls = user.polls[device as usize];
                let _ = write!(out, "device {device} {polls} {:?}{}|", user.maildrop(device), user.marks(device));
            }
        }
        out
    }

    /// What a check must say.
    pub fn verified(&self) -> String {
        let mut out = String::new();
        for user in &self.users {
            let (bytes, messages) = user.usage();
            let _ = write!(out, "{bytes} {messages} true ");
        }
        out + "[]"
    }

    /// Every message that ever came is in a mailbox, or hidden, or gone by a policy that has a name.
    pub fn account_for_all(&self) {
        let there = |user: &User| user.all().count() + user.hidden.len();
        let there: u64 = self.users.iter().map(|user| there(user) as u64).sum();
        assert_eq!(self.came.values().sum::<u64>(), there + self.gone.values().sum::<u64>());
    }

    /// A message that went lately.
    pub fn lately_gone(&self, choice: usize) -> Option<(usize, i64)> {
        let gone = self.recent.get(choice % self.recent.len().max(1))?;
        Some((gone.0, gone.1))
    }

    /// Whether `why` tells of all copies where they are and what moved them last.
    pub fn check_why(&self, operation: &Operation, answer: &str) {
        let (user, token) = (&self.users[operation.user], operation.numbers[0]);
        let is_recent = |at: u64| at + REMEMBERED >= self.operations;
        let mut expected = Vec::new();
        for (at, mailbox) in user.mailboxes.iter().enumerate() {
            let own = mailbox.iter().filter(|(_, message)| message.token == token);
            expected.extend(own.map(|(uid, message)| (format!("in {} {uid} {}", NAMES[at], message.flags), message)));
        }
        for ((time, _), (mailbox, message, _)) in &user.hidden {
            if message.token == token {
                expected.push((format!("hidden {} {time}", NAMES[*mailbox]), message));
            }
        }
        let stories: Vec<(&str, &str)> = answer.split(';').filter_map(|story| story.split_once(": ")).collect();
        // The answer has a bound.
        if expected.len() >= 10 {
            return;
        }
        let there = stories.iter().filter(|(place, _)| *place != "gone").count();
        assert_eq!(there, expected.len(), "{operation:?}: {answer}");
        for (place, message) in expected {
            let mut told = stories.iter().filter(|(told, _)| *told == place);
            let fits = told.any(|(_, last)| match &message.last {
                Some((at, event)) => !is_recent(*at) || event == last,
                None => last.is_empty(),
            });
            assert!(fits, "{operation:?}: {place} {:?}, but: {answer}", message.last);
        }
        for (_, _, _, event) in
            self.recent.iter().filter(|gone| (gone.0, gone.1) == (operation.user, token) && is_recent(gone.2))
        {
            let told = stories.iter().any(|(place, last)| *place == "gone" && last == event);
            assert!(told || stories.len() >= 10, "{operation:?}: gone, {event}, but: {answer}");
        }
    }
}
