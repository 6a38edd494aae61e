//! What a killed process may lose: that messages were fetched by POP3, since the store wrote such notes last, and
//! nothing else. The newest go first.

use crate::model::{Message, Model};
use crate::operation::{Operation, Verb};

/// With so many they are written with whatever comes next.
const RIDE_AT: usize = 16;
/// After so many seconds, too.
const RIDE_AFTER: i64 = 600;
/// A session that fetched so many writes that at once, and so does one for whose notes there is no room.
const AT_ONCE: usize = 16;
const WAITING_MAX: usize = 256;

/// What one session fetched.
#[derive(Clone)]
struct Waiting {
    user: usize,
    device: u32,
    /// The messages that it had not fetched before, by their serials.
    serials: Vec<u64>,
    entries: usize,
    time: i64,
}

/// What waits to be written.
#[derive(Clone, Default)]
pub struct Later {
    waiting: Vec<Waiting>,
    newest: i64,
    /// The latest moment that is stored for certain.
    durable_time: i64,
}

impl Later {
    fn entries(&self) -> usize {
        self.waiting.iter().map(|one| one.entries).sum()
    }

    fn holds(&self, user: usize, device: u32, serial: u64) -> bool {
        self.waiting.iter().any(|one| one.user == user && one.device == device && one.serials.contains(&serial))
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Model {
    /// A session that fetched these and changed nothing else; whether its note waits.
    pub fn fetch_later(&mut self, operation: &Operation, fetched: &[(usize, u32)]) -> bool {
        let (user, device) = (operation.user, operation.by);
        let given: std::collections::BTreeSet<u32> = operation.uids.iter().copied().collect();
        let serials = |model: &Self, marked: bool| {
            let all = fetched.iter().map(|(mailbox, uid)| &model.users[user].mailboxes[*mailbox][uid]);
            let wanted = all.filter(|message| message.is_marked(device) == marked);
            wanted.map(Message::serial).collect::<Vec<_>>()
        };
        let new = serials(self, false);
        let again = serials(self, true).into_iter().filter(|serial| self.later.holds(user, device, *serial)).count();
        let entries = new.len() + again;
        if given.len() >= AT_ONCE || self.later.entries() + entries > WAITING_MAX {
            return false;
        }
        if entries > 0 {
            let time = self.stamp();
            self.later.newest = self.later.newest.max(time);
            self.later.waiting.push(Waiting { user, device, serials: new, entries, time });
        }
        true
    }

    /// All that waited is written.
    pub fn written(&mut self) {
        self.later.waiting.clear();
        self.later.durable_time = self.last_time();
    }

    /// What an operation that was answered did to what waits.
    pub fn note_written(&mut self, operation: &Operation, answer: &str, waits: bool) {
        let refused =
            answer.split_whitespace().all(|word| ["full", "too", "much"].contains(&word)) && !answer.is_empty();
        let rides = self.later.entries() >= RIDE_AT
            || self.now < self.later.newest
            || self.later.waiting.first().is_some_and(|first| self.now - first.time >= RIDE_AFTER);
        match operation.verb {
            Verb::Clock | Verb::Status | Verb::Read | Verb::PopLost => {}
            Verb::PopQuit if waits => {}
            Verb::Rules if !self.users[operation.user].has_pop_rules() => {}
            _ if refused || answer == "in use" => {}
            Verb::Append | Verb::Deliver | Verb::PopBegin if !rides => self.later.durable_time = self.last_time(),
            _ => self.written(),
        }
    }

    /// The models of what a killed process may have left, beginning with the one that lost nothing.
    pub fn after_losses(&self) -> Vec<Self> {
        let mut found = Vec::new();
        for kept in (0..=self.later.waiting.len()).rev() {
            let mut model = self.clone();
            let lost = model.later.waiting.split_off(kept);
            for Waiting { user, device, serials, .. } in &lost {
                model.users[*user].unmark(*device, serials);
            }
            if !lost.is_empty() {
                let stored = model.later.waiting.last().map_or(i64::MIN, |last| last.time);
                model.set_last_time(self.later.durable_time.max(stored));
            }
            // What is there after that is durable, and the new process has nothing that waits.
            model.later = Later { durable_time: model.last_time(), ..Later::default() };
            found.push(model);
        }
        found
    }
}
