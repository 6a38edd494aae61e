//! Logins verified lately: a phone that logs in every few minutes costs one password hash, not hundreds.

use super::credential::Credential;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Limit: verified logins remembered; the one that would expire first makes room.
const VERIFIED_MAX: usize = 256;

/// Positive results only, each for a fixed time after the hash was computed.
pub(super) struct Verified {
    lifetime: Duration,
    expiries: HashMap<Credential, Instant>,
}

impl Verified {
    /// An empty cache; a `lifetime` of zero remembers nothing.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, expiries: HashMap::new() }
    }

    /// Whether this very login was verified and the result is fresh.
    pub(super) fn contains(&self, now: Instant, credential: &Credential) -> bool {
        self.expiries.get(credential).is_some_and(|&expiry| now < expiry)
    }

    /// Remembers a login that a password hash has just verified.
    pub(super) fn insert(&mut self, now: Instant, credential: Credential) {
        if self.lifetime.is_zero() {
            return;
        }
        self.expiries.retain(|_, expiry| now < *expiry);
        if self.expiries.len() >= VERIFIED_MAX {
            let first = self.expiries.iter().min_by_key(|(_, expiry)| **expiry).map(|(key, _)| *key);
            if let Some(first) = first {
                self.expiries.remove(&first);
            }
        }
        self.expiries.insert(credential, now + self.lifetime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_expire() {
        let start = Instant::now();
        let mut verified = Verified::new(Duration::from_mins(10));
        verified.insert(start, Credential::test(1));
        assert!(verified.contains(start, &Credential::test(1)));
        assert!(!verified.contains(start, &Credential::test(2)));
        assert!(verified.contains(start + Duration::from_secs(599), &Credential::test(1)));
        assert!(!verified.contains(start + Duration::from_mins(10), &Credential::test(1)));
    }

    #[test]
    fn a_lifetime_of_zero_remembers_nothing() {
        let start = Instant::now();
        let mut verified = Verified::new(Duration::ZERO);
        verified.insert(start, Credential::test(1));
        assert!(!verified.contains(start, &Credential::test(1)));
    }

    #[test]
    fn the_number_of_entries_is_bounded_and_the_newest_stay() {
        let start = Instant::now();
        let key = super::super::credential::ProcessKey::generate().unwrap();
        let mut verified = Verified::new(Duration::from_mins(10));
        let credentials: Vec<Credential> =
            (0..1000).map(|number| key.credential(&number.to_string(), b"", "")).collect();
        for (offset, credential) in (0..).zip(&credentials) {
            verified.insert(start + Duration::from_millis(offset), *credential);
        }
        assert_eq!(verified.expiries.len(), VERIFIED_MAX);
        let now = start + Duration::from_secs(1);
        assert!(verified.contains(now, &credentials[999]));
        assert!(!verified.contains(now, &credentials[0]));
    }
}
