//! How many connections there may be: in all, from one address, before login, and for LMTP.

use super::Peer;
use crate::config::Limits;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What kind of session a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// IMAP or POP3: begins without a login.
    Login,
    /// LMTP: has its own limit, so that clients cannot keep mail from coming in, and no login.
    Lmtp,
}

/// Limit: compressed sessions. Each costs 42 KiB while it waits and 360 KiB while it sends.
const COMPRESSED_MAX: usize = 64;

/// Why a connection is refused. Displayed: a text for the client, without a protocol's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many connections as the server may have.
    TooMany,
    /// As many connections as one address may have.
    TooManyFromAddress,
    /// As many connections as may be there without a login.
    TooManyBeforeLogin,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "Too many connections, try again later",
            Self::TooManyFromAddress => "Too many connections from your address",
            Self::TooManyBeforeLogin => "Too many connections that have not logged in, try again later",
        })
    }
}

/// The connections at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// IMAP and POP3, logged in or not.
    pub login: usize,
    /// Those of them that have not logged in.
    pub before_login: usize,
    /// LMTP.
    pub lmtp: usize,
}

/// Counts the connections of the process.
#[derive(Clone, Debug)]
pub struct Limiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connections: usize,
    per_address: usize,
    before_login: usize,
    lmtp: usize,
    state: Mutex<State>,
}

/// Limit: `addresses` has no more entries than there are connections.
#[derive(Debug, Default)]
struct State {
    counts: Counts,
    addresses: HashMap<IpAddr, usize>,
    compressed: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limiter {
    /// Counts against `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                connections: limits.connections,
                per_address: limits.connections_per_address,
                before_login: limits.connections_before_login,
                lmtp: limits.lmtp_connections,
                state: Mutex::default(),
            }),
        }
    }

    /// Counts a new connection in; it counts until its [`Admission`] is dropped.
    ///
    /// # Errors
    /// The limit that it would cross. The new connection is the one refused, never an older one.
    pub fn admit(&self, peer: &Peer, class: Class) -> Result<Admission, Refusal> {
        let network = peer.address.filter(|address| !address.is_loopback()).map(network);
        let mut state = self.shared.state();
        match class {
            Class::Lmtp if state.counts.lmtp >= self.shared.lmtp => return Err(Refusal::TooMany),
            Class::Login if state.counts.login >= self.shared.connections => return Err(Refusal::TooMany),
            Class::Login if state.counts.before_login >= self.shared.before_login => {
                return Err(Refusal::TooManyBeforeLogin);
            }
            Class::Login | Class::Lmtp => {}
        }
        if let Some(network) = network {
            let count = state.addresses.entry(network).or_insert(0);
            if *count >= self.shared.per_address {
                return Err(Refusal::TooManyFromAddress);
            }
            *count += 1;
        }
        match class {
            Class::Lmtp => state.counts.lmtp += 1,
            Class::Login => {
                state.counts.login += 1;
                state.counts.before_login += 1;
            }
        }
        Ok(Admission {
            shared: Arc::clone(&self.shared),
            network,
            class,
            before_login: AtomicBool::new(class == Class::Login),
            compressed: AtomicBool::new(false),
        })
    }

    /// The connections at this moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }
}

/// One counted connection; lives as long as its session.
#[derive(Debug)]
pub struct Admission {
    shared: Arc<Shared>,
    network: Option<IpAddr>,
    class: Class,
    before_login: AtomicBool,
    compressed: AtomicBool,
}

impl Admission {
    /// The session has logged in: it no longer counts among those that have not.
    pub fn logged_in(&self) {
        if self.before_login.swap(false, Ordering::SeqCst) {
            let mut state = self.shared.state();
            state.counts.before_login = state.counts.before_login.saturating_sub(1);
        }
    }
}

impl Admission {
    /// Whether the session may be compressed. It then counts among those that are until it ends.
    #[must_use]
    pub fn may_compress(&self) -> bool {
        let mut state = self.shared.state();
        if !self.compressed.load(Ordering::SeqCst) {
            if state.compressed >= COMPRESSED_MAX {
                return false;
            }
            state.compressed += 1;
            self.compressed.store(true, Ordering::SeqCst);
        }
        true
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.logged_in();
        let mut state = self.shared.state();
        if self.compressed.load(Ordering::SeqCst) {
            state.compressed = state.compressed.saturating_sub(1);
        }
        match self.class {
            Class::Login => state.counts.login = state.counts.login.saturating_sub(1),
            Class::Lmtp => state.counts.lmtp = state.counts.lmtp.saturating_sub(1),
        }
        if let Some(network) = self.network
            && let Some(count) = state.addresses.get_mut(&network)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.addresses.remove(&network);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 /64, which is what one household gets.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(connections: usize, per_address: usize, before_login: usize, lmtp: usize) -> Limiter {
        Limiter { shared: Arc::new(Shared { connections, per_address, before_login, lmtp, state: Mutex::default() }) }
    }

    fn peer(address: &str) -> Peer {
        Peer { address: Some(address.parse().unwrap()), port: 1 }
    }

    #[test]
    fn each_limit_refuses_with_its_reason_and_frees_on_drop() {
        let limiter = limiter(3, 2, 2, 1);
        let (near, far) = (peer("192.0.2.1"), peer("192.0.2.2"));
        let first = limiter.admit(&near, Class::Login).unwrap();
        let second = limiter.admit(&far, Class::Login).unwrap();
        assert_eq!(limiter.admit(&far, Class::Login).unwrap_err(), Refusal::TooManyBeforeLogin);
        first.logged_in();
        first.logged_in();
        let third = limiter.admit(&near, Class::Login).unwrap();
        assert_eq!(limiter.counts(), Counts { login: 3, before_login: 2, lmtp: 0 });
        assert_eq!(limiter.admit(&far, Class::Login).unwrap_err(), Refusal::TooMany);
        drop(second);
        assert_eq!(limiter.admit(&near, Class::Login).unwrap_err(), Refusal::TooManyFromAddress);
        drop((first, third));
        assert_eq!(limiter.counts(), Counts::default());
        assert!(limiter.shared.state().addresses.is_empty());
    }

    #[test]
    fn the_number_of_compressed_sessions_is_bounded() {
        let limiter = limiter(1000, 1000, 1000, 0);
        let admit = || limiter.admit(&Peer::LOCAL, Class::Login).unwrap();
        let compressed: Vec<_> = (0..COMPRESSED_MAX).map(|_| admit()).collect();
        assert!(compressed.iter().all(Admission::may_compress));
        let further = admit();
        assert!(!further.may_compress());
        assert!(compressed[0].may_compress());
        drop(compressed);
        assert!(further.may_compress());
        assert_eq!(limiter.shared.state().compressed, 1);
    }

    #[test]
    fn lmtp_has_its_own_limit() {
        let limiter = limiter(0, 1, 0, 1);
        let _session = limiter.admit(&Peer::LOCAL, Class::Lmtp).unwrap();
        assert_eq!(limiter.admit(&Peer::LOCAL, Class::Lmtp).unwrap_err(), Refusal::TooMany);
    }

    #[test]
    fn loopback_and_unix_sockets_are_not_counted_by_address() {
        let limiter = limiter(10, 1, 10, 10);
        let kept: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1", "::1"]
            .iter()
            .map(|address| limiter.admit(&peer(address), Class::Login).unwrap())
            .collect();
        assert_eq!(kept.len(), 4);
        limiter.admit(&Peer::LOCAL, Class::Login).unwrap();
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        let limiter = limiter(10, 1, 10, 10);
        let _first = limiter.admit(&peer("2001:db8:1:2::1"), Class::Login).unwrap();
        assert_eq!(
            limiter.admit(&peer("2001:db8:1:2:ffff::9"), Class::Login).unwrap_err(),
            Refusal::TooManyFromAddress
        );
        limiter.admit(&peer("2001:db8:1:3::1"), Class::Login).unwrap();
    }
}
