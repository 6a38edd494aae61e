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

    /// Whether the peer is on this machine or in the local network: its address is loopback, private (RFC 1918,
    /// RFC 4193) or link-local (RFC 3927, RFC 4291 §2.5.6).
    #[must_use]
    pub fn is_lan(&self) -> bool {
        self.address.is_none_or(|address| match address.to_canonical() {
            IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
            IpAddr::V6(address) => {
                address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
            }
        })
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

    #[test]
    fn the_local_network_is_told_from_the_rest_of_the_world() {
        let is_lan = |address: &str| Peer { address: Some(address.parse().unwrap()), port: 0 }.is_lan();
        for near in ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.9", "169.254.7.7", "fe80::1", "fd12::1"] {
            assert!(is_lan(near), "{near}");
        }
        assert!(Peer::LOCAL.is_lan() && is_lan("::ffff:192.168.1.9"));
        for far in ["192.0.2.7", "172.32.0.1", "100.64.0.1", "2001:db8::1", "fec0::1", "::ffff:8.8.8.8"] {
            assert!(!is_lan(far), "{far}");
        }
    }
}
