//! Whether the clock has gone forward by itself: a battery that is empty, or a hand that slipped, makes all mail look
//! old at once, and rules would remove it.

use crate::mailbox::Leap;
use std::time::{Duration, Instant};

/// A clock that goes forward by more seconds than that may be wrong.
const LEAP: i64 = 7 * 86_400;
/// So many seconds nothing is removed then: time for the network, or for somebody, to set it right.
const PAUSE: u32 = 86_400;
/// A pause is noted again when so many seconds of it are over: a start goes on with what is left.
const NOTE_EVERY: u32 = 3600;

/// The clock beside the time that really goes by.
pub(super) struct Leaps {
    seen: i64,
    at: Instant,
    pause: Option<Leap>,
    /// What the next start would be told. Before the first look it is what this one was told.
    noted: Option<Leap>,
}

impl Leaps {
    /// `latest`: the last moment before this one that is known, in seconds since 1970; 0: none. `noted`: the leap that an
    /// earlier process noted.
    pub(super) fn new(latest: i64, noted: Option<Leap>, now: i64, at: Instant) -> Self {
        let seen = noted.map_or(if latest == 0 { now } else { latest }, |leap| leap.believed);
        Self { seen, at, pause: None, noted }
    }

    /// Looks at the clock. The days by which it leapt since the last look, if it did.
    pub(super) fn look(&mut self, now: i64, at: Instant) -> Option<i64> {
        let passed = at.duration_since(self.at);
        let expected = self.seen.saturating_add(seconds(passed));
        let ahead = now.saturating_sub(expected);
        self.at = at;
        let resumed = self.noted.filter(|_| self.pause.is_none());
        self.pause = self.pause.and_then(|leap| gone_on(leap, passed)).filter(|_| ahead >= -LEAP);
        // A board's clock is behind until the network sets it: that it goes forward then is no leap. But one that leapt
        // just now is set right so.
        self.seen = if ahead < -LEAP && self.noted.is_none() { expected } else { now };
        if ahead <= LEAP {
            return None;
        }
        let believed = self.pause.map_or(expected, |leap| leap.believed);
        self.pause = Some(Leap { believed, left: resumed.map_or(PAUSE, |leap| leap.left) });
        Some(ahead / 86_400)
    }

    /// Somebody says that the clock is right.
    pub(super) fn trust(&mut self, now: i64, at: Instant) {
        *self = Self::new(now, None, now, at);
    }

    /// The pause in which nothing is to be removed, if there is one now.
    pub(super) const fn pause(&self) -> Option<Leap> {
        self.pause
    }

    /// Whether that is to be noted for the next start: it is another than the last time.
    pub(super) fn is_news(&mut self) -> bool {
        let same = match (self.noted, self.pause) {
            (Some(noted), Some(pause)) => (pause.left..pause.left.saturating_add(NOTE_EVERY)).contains(&noted.left),
            (noted, pause) => noted.is_none() && pause.is_none(),
        };
        if !same {
            self.noted = self.pause;
        }
        !same
    }
}

fn seconds(passed: Duration) -> i64 {
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
}

/// The pause after that time; None: it is over.
fn gone_on(Leap { believed, left }: Leap, passed: Duration) -> Option<Leap> {
    let left = left.saturating_sub(u32::try_from(passed.as_secs()).unwrap_or(u32::MAX));
    (left > 0).then(|| Leap { believed: believed.saturating_add(seconds(passed)), left })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const HOUR: Duration = Duration::from_hours(1);
    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_leap_pauses_for_a_day_or_until_the_clock_is_set_back() {
        let start = Instant::now();
        let mut leaps = Leaps::new(NOW - 6 * DAY, None, NOW, start);
        assert_eq!(leaps.look(NOW, start), None);
        // Time that really went by is no leap.
        let later = start + 300 * 24 * HOUR;
        assert_eq!(leaps.look(NOW + 300 * DAY, later), None);
        assert!(leaps.pause().is_none() && !leaps.is_news());
        assert_eq!(leaps.look(NOW + 310 * DAY, later + HOUR), Some(9));
        assert!(leaps.pause().is_some());
        assert_eq!(leaps.pause(), Some(Leap { believed: NOW + 300 * DAY + 3600, left: PAUSE }));
        assert!(leaps.is_news() && !leaps.is_news());
        assert_eq!(leaps.look(NOW + 311 * DAY, later + 24 * HOUR), None);
        assert!(leaps.pause().is_some());
        assert_eq!(leaps.pause().map(|leap| leap.left), Some(3600));
        assert!(leaps.is_news());
        assert_eq!(leaps.look(NOW + 311 * DAY, later + 25 * HOUR), None);
        assert!(leaps.pause().is_none());
        assert!(leaps.is_news() && !leaps.is_news());
        assert_eq!(leaps.look(NOW + 4000 * DAY, later + 26 * HOUR), Some(3688));
        assert!(leaps.is_news());
        assert_eq!(leaps.look(NOW + 301 * DAY, later + 26 * HOUR), None);
        assert!(leaps.pause().is_none());
        assert!(leaps.is_news());
        assert_eq!(leaps.look(NOW + 315 * DAY, later + 26 * HOUR), Some(14));
    }

    /// To start it again is the first thing that somebody tries.
    #[test]
    fn a_pause_outlives_a_start() {
        let at = Instant::now();
        let noted = Leap { believed: NOW, left: 5000 };
        let mut leaps = Leaps::new(NOW + 3650 * DAY, Some(noted), NOW + 3650 * DAY, at);
        assert_eq!(leaps.look(NOW + 3650 * DAY, at), Some(3650));
        assert!(leaps.pause().is_some() && !leaps.is_news());
        assert_eq!(leaps.look(NOW + 3650 * DAY + 3600, at + HOUR), None);
        assert!(leaps.pause().is_some());
        assert_eq!(leaps.look(NOW + 3650 * DAY + 7200, at + 2 * HOUR), None);
        assert!(leaps.pause().is_none());
        assert!(leaps.is_news());
        // A second leap begins the pause anew, which is noted at once.
        let mut leaps = Leaps::new(NOW + 3650 * DAY, Some(noted), NOW + 3650 * DAY, at);
        leaps.look(NOW + 3650 * DAY, at);
        assert_eq!(leaps.look(NOW + 4000 * DAY, at), Some(350));
        assert!(leaps.pause().is_some_and(|leap| leap.left == PAUSE) && leaps.is_news());
        // It was set right meanwhile.
        let mut leaps = Leaps::new(NOW + 3650 * DAY, Some(noted), NOW + DAY, at);
        assert_eq!(leaps.look(NOW + DAY, at), None);
        assert!(leaps.pause().is_none());
        assert!(leaps.is_news());
    }

    #[test]
    fn a_clock_that_is_behind_may_be_set_right() {
        let start = Instant::now();
        let mut leaps = Leaps::new(NOW - DAY, None, NOW - 500 * DAY, start);
        assert_eq!(leaps.look(NOW - 500 * DAY, start), None);
        assert_eq!(leaps.look(0, start + HOUR), None);
        assert_eq!(leaps.look(NOW, start + 2 * HOUR), None);
        assert!(leaps.pause().is_none());
    }

    /// A battery that is empty gives the same wrong date again.
    #[test]
    fn a_trusted_clock_may_leap_again() {
        let start = Instant::now();
        let mut leaps = Leaps::new(NOW + 3650 * DAY, None, NOW, start);
        assert_eq!(leaps.look(NOW, start), None);
        leaps.trust(NOW, start);
        assert_eq!(leaps.look(NOW + 3650 * DAY, start + HOUR), Some(3649));
        assert!(leaps.pause().is_some());
    }

    #[test]
    fn a_new_store_has_nothing_to_compare_with() {
        let at = Instant::now();
        let mut leaps = Leaps::new(0, None, NOW, at);
        assert_eq!(leaps.look(NOW, at), None);
        let mut long_off = Leaps::new(NOW - 40 * DAY, None, NOW, at);
        assert_eq!(long_off.look(NOW, at), Some(40));
        assert!(long_off.pause().is_some());
    }
}
