//! Who is at the other end of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; an IPv4 address that came in over IPv6 is shown as IPv4. None: a unix socket.
    pub address: Option<IpAddr>,
    /// Its TCP port; 0 for a unix socket.
    pub port: u16,
}

impl Peer {
    /// A peer on a unix socket.
    pub const LOCAL: Self = Self { address: None, port: 0 };

    /// Whether the peer is on this machine (loopback or unix socket), so that plaintext logins are allowed.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address.is_none_or(|address| address.is_loopback())
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { address: Some(address.ip().to_canonical()), port: address.port() }
    }
}

/// The address alone, or `local`: the form in which logs and Received lines name a peer.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("local"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_ipv4_and_loopback_is_local() {
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:4000".parse().unwrap();
        let peer = Peer::from(mapped);
        assert_eq!(peer.to_string(), "127.0.0.1");
        assert!(peer.is_local());
        let far: SocketAddr = "192.0.2.1:25".parse().unwrap();
        assert!(!Peer::from(far).is_local());
        assert!(Peer::LOCAL.is_local());
        assert_eq!(Peer::LOCAL.to_string(), "local");
    }
}
