//! Whether the clock has gone forward by itself: a battery that is empty, or a hand that slipped, makes all mail look
//! old at once, and rules would remove it.

use std::time::{Duration, Instant};

/// A clock that goes forward by more seconds than that may be wrong.
const LEAP: i64 = 7 * 86_400;
/// So long nothing is removed then: time for the network, or for somebody, to set it right.
const PAUSE: Duration = Duration::from_hours(24);

/// The clock beside the time that really goes by.
pub(super) struct Leaps {
    seen: i64,
    at: Instant,
    until: Option<Instant>,
}

impl Leaps {
    /// `latest`: the last moment before this one that is known, in seconds since 1970; 0: none.
    pub(super) fn new(latest: i64, now: i64, at: Instant) -> Self {
        Self { seen: if latest == 0 { now } else { latest }, at, until: None }
    }

    /// Looks at the clock. The days by which it leapt since the last look, if it did.
    pub(super) fn look(&mut self, now: i64, at: Instant) -> Option<i64> {
        let passed = i64::try_from(at.duration_since(self.at).as_secs()).unwrap_or(i64::MAX);
        let expected = self.seen.saturating_add(passed);
        let ahead = now.saturating_sub(expected);
        self.at = at;
        // A board's clock is behind until the network sets it: that it goes forward then is no leap. But one that leapt
        // just now is set right so.
        self.seen = if ahead < -LEAP && self.until.is_none() { expected } else { now };
        self.until = self.until.filter(|until| at < *until && ahead >= -LEAP);
        if ahead <= LEAP {
            return None;
        }
        self.until = at.checked_add(PAUSE);
        Some(ahead / 86_400)
    }

    /// Whether nothing is to be removed now.
    pub(super) fn pauses(&self, at: Instant) -> bool {
        self.until.is_some_and(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_leap_pauses_for_a_day_or_until_the_clock_is_set_back() {
        let (start, now) = (Instant::now(), 1_800_000_000);
        let mut leaps = Leaps::new(now - 6 * DAY, now, start);
        assert_eq!(leaps.look(now, start), None);
        // Time that really went by is no leap.
        let later = start + 300 * 24 * HOUR;
        assert_eq!(leaps.look(now + 300 * DAY, later), None);
        assert!(!leaps.pauses(later));
        assert_eq!(leaps.look(now + 310 * DAY, later + HOUR), Some(9));
        assert!(leaps.pauses(later + HOUR));
        assert_eq!(leaps.look(now + 311 * DAY, later + 24 * HOUR), None);
        assert!(leaps.pauses(later + 24 * HOUR) && !leaps.pauses(later + 25 * HOUR));
        assert_eq!(leaps.look(now + 4000 * DAY, later + 26 * HOUR), Some(3688));
        assert_eq!(leaps.look(now + 301 * DAY, later + 26 * HOUR), None);
        assert!(!leaps.pauses(later + 26 * HOUR));
        assert_eq!(leaps.look(now + 315 * DAY, later + 26 * HOUR), Some(14));
    }

    #[test]
    fn a_clock_that_is_behind_may_be_set_right() {
        let (start, now) = (Instant::now(), 1_800_000_000);
        let mut leaps = Leaps::new(now - DAY, now - 500 * DAY, start);
        assert_eq!(leaps.look(now - 500 * DAY, start), None);
        assert_eq!(leaps.look(0, start + HOUR), None);
        assert_eq!(leaps.look(now, start + 2 * HOUR), None);
        assert!(!leaps.pauses(start + 2 * HOUR));
    }

    #[test]
    fn a_new_store_has_nothing_to_compare_with() {
        let (at, now) = (Instant::now(), 1_800_000_000);
        let mut leaps = Leaps::new(0, now, at);
        assert_eq!(leaps.look(now, at), None);
        let mut long_off = Leaps::new(now - 40 * DAY, now, at);
        assert_eq!(long_off.look(now, at), Some(40));
        assert!(long_off.pauses(at));
    }
}
