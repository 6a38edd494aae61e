//! INPROGRESS (RFC 9585): tells the client of a long command how far it has come.
//!
//! Nothing is told before one interval is over, so that the answer of a short command comes as it always did; and
//! never more often than that, so that a client is not flooded.

use super::wire::Tag;
use crate::mailbox::search::Progress;
use std::time::{Duration, Instant};

/// When the client of a command hears of it next.
#[derive(Debug)]
pub struct Ticker {
    /// In quotes, or NIL: a bracket in a tag would end the response code (RFC 9585 §4).
    tag: String,
    next: Instant,
    /// Limit: time between two notifications, the configuration's `imap_progress`.
    every: Duration,
    told: u32,
    goal: u32,
}

impl Ticker {
    /// For the command of that tag, which begins now.
    #[must_use]
    pub fn new(tag: &Tag, every: Duration) -> Self {
        let tag = if tag.as_str().contains(']') { "NIL".to_owned() } else { format!("\"{tag}\"") };
        Self { tag, next: Instant::now() + every, every, told: 0, goal: 0 }
    }

    /// When the next notification is due.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.next
    }

    /// The notification, where it is due. A goal that is reached is not told: the answer follows.
    pub fn tell(&mut self, progress: Option<Progress>) -> Option<String> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + self.every;
        let state = match progress {
            Some(Progress { done, goal }) if goal > 0 => {
                // RFC 9585 §4: it may not go back, but for another goal: a search in several mailboxes comes to the next.
                if self.goal != goal {
                    (self.goal, self.told) = (goal, 0);
                }
                self.told = done.min(goal - 1).max(self.told);
                format!("{} {goal}", self.told)
            }
            _ => "NIL NIL".to_owned(),
        };
        Some(format!("OK [INPROGRESS ({} {state})] Still at work", self.tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticker(tag: &[u8], every: Duration) -> Ticker {
        Ticker::new(&Tag::new(tag).unwrap(), every)
    }

    #[test]
    fn a_short_command_says_nothing() {
        assert_eq!(ticker(b"a1", Duration::from_hours(1)).tell(Some(Progress { done: 1, goal: 2 })), None);
    }

    #[test]
    fn progress_never_goes_back_and_never_reaches_the_goal() {
        let mut ticker = ticker(b"a1", Duration::ZERO);
        let mut tell = |done, goal| ticker.tell(Some(Progress { done, goal })).unwrap();
        assert_eq!(tell(5, 10), "OK [INPROGRESS (\"a1\" 5 10)] Still at work");
        assert_eq!(tell(3, 10), "OK [INPROGRESS (\"a1\" 5 10)] Still at work");
        assert_eq!(tell(10, 10), "OK [INPROGRESS (\"a1\" 9 10)] Still at work");
        assert_eq!(tell(0, 0), "OK [INPROGRESS (\"a1\" NIL NIL)] Still at work");
        assert_eq!(tell(1, 3), "OK [INPROGRESS (\"a1\" 1 3)] Still at work");
    }

    #[test]
    fn a_tag_with_a_bracket_is_not_told() {
        let told = ticker(b"a]1", Duration::ZERO).tell(None);
        assert_eq!(told.as_deref(), Some("OK [INPROGRESS (NIL NIL NIL)] Still at work"));
    }
}
