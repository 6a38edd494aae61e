//! All listeners of a configuration.

use super::activation::{self, Passed};
use crate::admin::{DataDir, Protocol};
use crate::config::Config;
use crate::net::Listener;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The mode of the control socket: whoever may connect may do everything.
const CONTROL_MODE: u32 = 0o600;

/// A listener and what it speaks.
pub(super) struct Bound {
    pub protocol: Protocol,
    pub listener: Listener,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol.name(), self.listener)
    }
}

impl Bound {
    /// Protocol, place and the way of TLS, for people; None for administration.
    pub(super) fn place(&self) -> Option<(&'static str, String, &'static str)> {
        let (name, how) = match self.protocol {
            Protocol::Imap => ("IMAP", "STARTTLS; from this machine also without TLS"),
            Protocol::Imaps => ("IMAPS", "TLS"),
            Protocol::Pop3 => ("POP3", "STLS; from this machine also without TLS"),
            Protocol::Pop3s => ("POP3S", "TLS"),
            Protocol::Lmtp => ("LMTP", "for an MTA, which delivers here"),
            Protocol::Control => return None,
        };
        let place = match self.listener.address() {
            Some(address) => format!("{} port {}", address.ip(), address.port()),
            None => self.listener.to_string(),
        };
        Some((name, place, how))
    }
}

/// Takes what systemd passed and binds everything else.
///
/// # Errors
/// A text for each listener that cannot be had.
pub(super) fn all(config: &Config, data_dir: &DataDir) -> Result<Vec<Bound>, Vec<String>> {
    let listen = &config.listen;
    let mut failures = Vec::new();
    let passed = activation::take().unwrap_or_else(|texts| {
        failures.extend(texts);
        Vec::new()
    });
    let mut bound: Vec<Bound> =
        passed.into_iter().map(|Passed { protocol, listener }| Bound { protocol, listener }).collect();
    let given: Vec<Protocol> = bound.iter().map(|bound| bound.protocol).collect();
    let mut take = |protocol: Protocol, listener: Result<Listener, crate::net::BindError>| match listener {
        Ok(listener) => bound.push(Bound { protocol, listener }),
        Err(error) => failures.push(format!("{}: {error}", protocol.name())),
    };
    for (protocol, addresses) in [
        (Protocol::Imap, &listen.imap),
        (Protocol::Imaps, &listen.imaps),
        (Protocol::Pop3, &listen.pop3),
        (Protocol::Pop3s, &listen.pop3s),
        (Protocol::Lmtp, &listen.lmtp),
    ] {
        if given.contains(&protocol) {
            continue;
        }
        for address in addresses.iter().filter(|address| !is_wildcard_without_ipv6(address, addresses)) {
            take(protocol, Listener::tcp(*address));
        }
    }
    if let Some(path) = listen.lmtp_socket.as_ref().filter(|_| !given.contains(&Protocol::Lmtp)) {
        take(Protocol::Lmtp, Listener::unix(path, listen.lmtp_socket_mode));
    }
    take(Protocol::Control, Listener::unix(&data_dir.control_socket(), CONTROL_MODE));
    if failures.is_empty() { Ok(bound) } else { Err(failures) }
}

/// Whether this is the IPv6 half of `*:PORT` on a machine without IPv6: then the IPv4 half is all there is.
fn is_wildcard_without_ipv6(address: &SocketAddr, all: &[SocketAddr]) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && all.iter().any(|other| other.is_ipv4() && other.ip().is_unspecified() && other.port() == address.port())
        && socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).is_err()
}
