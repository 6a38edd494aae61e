//! All listeners of a configuration.

use super::activation;
use crate::admin::{DataDir, Protocol};
use crate::config::Config;
use crate::net::{Listener, Socket};
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

impl Bound {
    /// Waits for connections to a socket.
    ///
    /// # Errors
    /// A text that names the protocol.
    pub(super) fn new(protocol: Protocol, socket: Socket) -> Result<Self, String> {
        let listener = Listener::new(socket).map_err(|error| format!("{}: {error}", protocol.name()))?;
        Ok(Self { protocol, listener })
    }
}

/// The socket of administration.
///
/// # Errors
/// A text where it cannot be had.
pub(super) fn control(data_dir: &DataDir) -> Result<Bound, String> {
    let socket = Socket::unix(&data_dir.control_socket(), CONTROL_MODE);
    let socket = socket.map_err(|error| format!("{}: {error}", Protocol::Control.name()))?;
    Bound::new(Protocol::Control, socket)
}

/// Takes what systemd passed and binds everything else that is public. No thread is started.
///
/// # Errors
/// A text for each socket that cannot be had.
pub(super) fn public(config: &Config) -> Result<Vec<(Protocol, Socket)>, Vec<String>> {
    let listen = &config.listen;
    let mut failures = Vec::new();
    let mut sockets = activation::take().unwrap_or_else(|texts| {
        failures.extend(texts);
        Vec::new()
    });
    let given: Vec<Protocol> = sockets.iter().map(|(protocol, _)| *protocol).collect();
    let mut take = |protocol: Protocol, socket: Result<Socket, crate::net::BindError>| match socket {
        Ok(socket) => sockets.push((protocol, socket)),
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
            take(protocol, Socket::tcp(*address));
        }
    }
    if let Some(path) = listen.lmtp_socket.as_ref().filter(|_| !given.contains(&Protocol::Lmtp)) {
        take(Protocol::Lmtp, Socket::unix(path, listen.lmtp_socket_mode));
    }
    if failures.is_empty() { Ok(sockets) } else { Err(failures) }
}

/// Whether this is the IPv6 half of `*:PORT` on a machine without IPv6: then the IPv4 half is all there is.
fn is_wildcard_without_ipv6(address: &SocketAddr, all: &[SocketAddr]) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && all.iter().any(|other| other.is_ipv4() && other.ip().is_unspecified() && other.port() == address.port())
        && socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).is_err()
}
