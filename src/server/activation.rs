//! Sockets that systemd opened for us (sd_listen_fds(3)), so that the server needs no privilege for ports below 1024.
//!
//! Each is called by its protocol (`FileDescriptorName=` in the socket unit); one that has no such name is known by its
//! standard port, and a unix socket speaks LMTP. A protocol that has such sockets does not open those of the
//! configuration.

use crate::admin::Protocol;
use crate::net::Socket;
use listenfd::ListenFd;

/// Takes the sockets that were passed to this process; none where it was started otherwise.
///
/// # Errors
/// A text for each that cannot be used.
pub(super) fn take() -> Result<Vec<(Protocol, Socket)>, Vec<String>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut sockets = ListenFd::from_env();
    let (mut passed, mut failures) = (Vec::new(), Vec::new());
    let names: Vec<&str> = names.split(':').collect();
    for index in 0..sockets.len() {
        let name = names.get(index).copied().unwrap_or_default();
        // Which of the two it is shows only by trying; the one that does not fit leaves it there.
        let socket = match sockets.take_tcp_listener(index) {
            Ok(Some(socket)) => Ok(Socket::from(socket)),
            _ => match sockets.take_unix_listener(index) {
                Ok(Some(socket)) => Ok(Socket::from(socket)),
                Ok(None) => Err("it was taken already".to_owned()),
                Err(error) => Err(error.to_string()),
            },
        };
        match socket {
            Ok(socket) => match protocol(name, socket.address().map(|address| address.port())) {
                Some(protocol) => passed.push((protocol, socket)),
                None => failures.push(format!(
                    "systemd passed {socket} as {name:?}; FileDescriptorName= must be imap, imaps, pop3, pop3s or lmtp"
                )),
            },
            Err(error) => failures.push(format!("{name}: the socket that systemd passed cannot be used: {error}")),
        }
    }
    if failures.is_empty() { Ok(passed) } else { Err(failures) }
}

/// The protocol of a socket by its name or, where that is the socket unit's (systemd's default), by its port; no port: a
/// unix socket. Administration is never passed: its socket is in the data directory.
fn protocol(name: &str, port: Option<u16>) -> Option<Protocol> {
    let named = |protocol: &Protocol| *protocol != Protocol::Control && protocol.name() == name;
    let by_port = || match port {
        Some(143) => Some(Protocol::Imap),
        Some(993) => Some(Protocol::Imaps),
        Some(110) => Some(Protocol::Pop3),
        Some(995) => Some(Protocol::Pop3s),
        Some(24) | None => Some(Protocol::Lmtp),
        Some(_) => None,
    };
    let found = Protocol::ALL.into_iter().find(named);
    found.or_else(|| name.strip_suffix(".socket").and_then(|_| by_port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_known_by_its_name_or_its_port() {
        assert_eq!(protocol("imaps", Some(1)), Some(Protocol::Imaps));
        assert_eq!(protocol("lmtp", None), Some(Protocol::Lmtp));
        assert_eq!(protocol("mailnook.socket", Some(995)), Some(Protocol::Pop3s));
        assert_eq!(protocol("mailnook.socket", None), Some(Protocol::Lmtp));
        assert_eq!(protocol("mailnook.socket", Some(80)), None);
        assert_eq!(protocol("control", None), None);
        assert_eq!(protocol("unknown", Some(143)), None);
    }
}
