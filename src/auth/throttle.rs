//! Slows down guessing: growing delays per user and per address, counted before a hash is computed.
//!
//! Pure: the caller gives the time and does the waiting. The rules:
//! - Every attempt counts as a failure while it is under way; success takes back what this address
//!   had failed for this user, so people who mistype are forgiven and guessers are not.
//! - The same wrong password for the same user counts once: a phone with an old password, polling
//!   for weeks, slows nobody down.
//! - An address that logged in well lately for a user is measured by its own failures for that
//!   user alone. Others, guessing that user's password, cannot lock it out.
//! - Beyond [`ADDRESS_REFUSED_FROM`] failures an address is refused without a hash.
//! - Failures are forgotten one by one, [`FORGET_AFTER`] each.

use super::credential::{Credential, UserKey};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The delay that the first failure costs; each further one doubles it.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// One failure is forgotten in so long a time.
const FORGET_AFTER: Duration = Duration::from_mins(2);
/// Limit: failures of an address from which on it is refused without computing a hash.
const ADDRESS_REFUSED_FROM: u32 = 30;
/// Limit: failures counted; more do not make the way back longer.
const COUNTED_MAX: u32 = 40;
/// Limit: the same for users, whose delays then end a quarter of an hour after the guessing.
const USER_COUNTED_MAX: u32 = 13;
/// How long an address that logged in keeps its standing for that user.
const STANDING_FOR: Duration = Duration::from_hours(7 * 24);
/// An address with so many failures of its own for a user has lost its standing for now.
const STANDING_LOST_FROM: u32 = 10;
/// How long a wrong password is recognised.
const WRONG_FOR: Duration = Duration::from_hours(24);
/// How often tables are rid of what has expired.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// Limit: users with failures.
const USERS_MAX: usize = 1024;
/// Limit: addresses with failures.
const ADDRESSES_MAX: usize = 4096;
/// Limit: pairs of user and address with failures.
const PAIRS_MAX: usize = 4096;
/// Limit: pairs of user and address that logged in lately.
const STANDINGS_MAX: usize = 1024;
/// Limit: attempts under way and wrong passwords that are recognised.
const ATTEMPTS_MAX: usize = 4096;

/// Where an attempt comes from: an IPv4 address, an IPv6 network of 64 bits, or this machine's unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AddressKey {
    Local,
    V4([u8; 4]),
    V6(u64),
}

impl From<Option<IpAddr>> for AddressKey {
    fn from(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Local,
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let network = u128::from(address) >> 64;
                Self::V6(u64::try_from(network).unwrap_or_default())
            }
        }
    }
}

/// Who tries what from where.
#[derive(Clone, Copy)]
pub(super) struct Try {
    pub(super) user: UserKey,
    pub(super) address: AddressKey,
    pub(super) credential: Credential,
}

/// What to do with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Check the password, and then call [`Throttle::end`].
    Check {
        /// Wait so long before.
        before: Duration,
        /// Where it is wrong, answer so long after the attempt came.
        on_failure: Duration,
        /// Whether the attempt added a failure, which an undecided end takes back.
        counted: bool,
    },
    /// This password was found wrong lately: answer so after `delay` without computing anything.
    KnownWrong {
        /// From when the attempt came.
        delay: Duration,
    },
    /// Too many failures from that address: refuse after `delay`.
    Refuse {
        /// From when the attempt came.
        delay: Duration,
    },
}

/// How an attempt ended that was to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The password was right.
    Success,
    /// The password was wrong.
    Wrong,
    /// Nobody knows, through no fault of the client: the queue was full, the store failed.
    Undecided,
    /// The client hung up; its failure stays counted.
    Abandoned,
}

#[derive(Clone, Copy)]
enum Known {
    UnderWay(u32),
    Wrong,
}

/// The memory of failures and of good logins.
pub(super) struct Throttle {
    users: Table<UserKey, Failures>,
    addresses: Table<AddressKey, Failures>,
    pairs: Table<(UserKey, AddressKey), Failures>,
    standings: Table<(UserKey, AddressKey), ()>,
    attempts: Table<Credential, Known>,
    swept: Option<Instant>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self {
            users: Table::new(USERS_MAX, FORGET_AFTER * USER_COUNTED_MAX),
            addresses: Table::new(ADDRESSES_MAX, FORGET_AFTER * COUNTED_MAX),
            pairs: Table::new(PAIRS_MAX, FORGET_AFTER * COUNTED_MAX),
            standings: Table::new(STANDINGS_MAX, STANDING_FOR),
            attempts: Table::new(ATTEMPTS_MAX, WRONG_FOR),
            swept: None,
        }
    }

    /// An attempt arrives: counts it and says how it is to be treated.
    pub(super) fn begin(&mut self, now: Instant, attempt: &Try) -> Admission {
        self.sweep(now);
        let pair = (attempt.user, attempt.address);
        let own = self.pairs.failures(now, &pair);
        let from_address = self.addresses.failures(now, &attempt.address);
        let known = self.attempts.get(now, &attempt.credential).copied();
        let standing = self.standings.get(now, &pair).is_some() && own < STANDING_LOST_FROM;

        if !standing && from_address >= ADDRESS_REFUSED_FROM {
            if known.is_none() {
                self.addresses.add(now, attempt.address, COUNTED_MAX);
            }
            return Admission::Refuse { delay: delay(from_address) };
        }
        let failures = if standing { own } else { from_address.max(self.users.failures(now, &attempt.user)) };
        match known {
            Some(Known::Wrong) => Admission::KnownWrong { delay: delay(failures.max(1)) },
            Some(Known::UnderWay(number)) => {
                self.attempts.set(now, attempt.credential, Known::UnderWay(number.saturating_add(1)));
                // The first of these equal attempts is in the count already: it must not delay the others.
                let before = delay(failures.saturating_sub(1));
                Admission::Check { before, on_failure: delay(failures.max(1)), counted: false }
            }
            None => {
                self.attempts.set(now, attempt.credential, Known::UnderWay(1));
                self.users.add(now, attempt.user, USER_COUNTED_MAX);
                self.addresses.add(now, attempt.address, COUNTED_MAX);
                self.pairs.add(now, pair, COUNTED_MAX);
                let on_failure = delay(failures.saturating_add(1));
                Admission::Check { before: delay(failures), on_failure, counted: true }
            }
        }
    }

    /// An attempt that was to be checked has ended.
    pub(super) fn end(&mut self, now: Instant, attempt: &Try, counted: bool, end: End) {
        let pair = (attempt.user, attempt.address);
        match end {
            End::Success => {
                self.attempts.remove(&attempt.credential);
                let forgiven = self.pairs.failures(now, &pair);
                self.take_back(now, attempt, forgiven);
                self.standings.set(now, pair, ());
            }
            End::Wrong => self.attempts.set(now, attempt.credential, Known::Wrong),
            End::Undecided | End::Abandoned => {
                match self.attempts.get(now, &attempt.credential) {
                    Some(Known::UnderWay(number)) if *number > 1 => {
                        let fewer = Known::UnderWay(*number - 1);
                        self.attempts.set(now, attempt.credential, fewer);
                    }
                    Some(Known::UnderWay(_)) => self.attempts.remove(&attempt.credential),
                    Some(Known::Wrong) | None => {}
                }
                if counted && end == End::Undecided {
                    self.take_back(now, attempt, 1);
                }
            }
        }
    }

    fn take_back(&mut self, now: Instant, attempt: &Try, number: u32) {
        self.users.subtract(now, &attempt.user, number);
        self.addresses.subtract(now, &attempt.address, number);
        self.pairs.subtract(now, &(attempt.user, attempt.address), number);
    }

    /// Gives memory back after an attack is over.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        self.users.sweep(now);
        self.addresses.sweep(now);
        self.pairs.sweep(now);
        self.standings.sweep(now);
        self.attempts.sweep(now);
    }
}

/// The delay that so many failures cost.
fn delay(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => 2_u32
            .checked_pow(doublings)
            .and_then(|factor| FIRST_DELAY.checked_mul(factor))
            .map_or(LONGEST_DELAY, |delay| delay.min(LONGEST_DELAY)),
    }
}

/// A number of failures that shrinks by one every [`FORGET_AFTER`].
#[derive(Clone, Copy)]
struct Failures {
    number: u32,
    since: Instant,
}

impl Failures {
    fn at(self, now: Instant) -> u32 {
        self.number.saturating_sub(self.forgotten(now))
    }

    fn forgotten(self, now: Instant) -> u32 {
        let periods = now.saturating_duration_since(self.since).as_secs() / FORGET_AFTER.as_secs();
        u32::try_from(periods).unwrap_or(u32::MAX)
    }

    /// Counts from `now` on, but keeps the part of a period that has passed.
    fn settle(&mut self, now: Instant) {
        let forgotten = self.forgotten(now);
        self.number = self.number.saturating_sub(forgotten);
        self.since = if self.number == 0 { now } else { self.since + FORGET_AFTER * forgotten };
    }
}

/// A map of bounded size whose entries expire; the one touched longest ago makes room.
struct Table<K, V> {
    entries: HashMap<K, (Instant, V)>,
    max: usize,
    lifetime: Duration,
}

impl<K: Copy + Eq + Hash, V> Table<K, V> {
    fn new(max: usize, lifetime: Duration) -> Self {
        Self { entries: HashMap::new(), max, lifetime }
    }

    fn get(&self, now: Instant, key: &K) -> Option<&V> {
        let (touched, value) = self.entries.get(key)?;
        (now.saturating_duration_since(*touched) < self.lifetime).then_some(value)
    }

    fn set(&mut self, now: Instant, key: K, value: V) {
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, (touched, _))| *touched).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key, (now, value));
    }

    fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn sweep(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        self.entries.retain(|_, (touched, _)| now.saturating_duration_since(*touched) < lifetime);
        if self.entries.capacity() > 4 * self.entries.len() {
            self.entries.shrink_to_fit();
        }
    }
}

impl<K: Copy + Eq + Hash> Table<K, Failures> {
    fn failures(&self, now: Instant, key: &K) -> u32 {
        self.get(now, key).map_or(0, |failures| failures.at(now))
    }

    fn add(&mut self, now: Instant, key: K, max: u32) {
        let mut failures = self.get(now, &key).copied().unwrap_or(Failures { number: 0, since: now });
        failures.settle(now);
        failures.number = failures.number.saturating_add(1).min(max);
        self.set(now, key, failures);
    }

    fn subtract(&mut self, now: Instant, key: &K, number: u32) {
        let Some(mut failures) = self.get(now, key).copied() else {
            return;
        };
        failures.settle(now);
        failures.number = failures.number.saturating_sub(number);
        if failures.number == 0 {
            self.remove(key);
        } else {
            self.set(now, *key, failures);
        }
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
