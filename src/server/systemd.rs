//! What systemd wants to know of a service (sd_notify(3)): datagrams to the socket that it names. Without it, nothing.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Limit: octets of a status text.
const STATUS_MAX: usize = 400;

/// The service manager, if there is one.
pub struct Manager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// Finds the service manager by the environment.
    #[must_use]
    pub fn find() -> Self {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = name.and_then(|name| connect(name.as_bytes()).ok());
        Self { watchdog: if socket.is_some() { watchdog() } else { None }, socket }
    }

    /// How often it must hear that the service is alive; None: it does not ask.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service serves.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The service reads its files again; [`Manager::ready`] follows.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The service ends.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Ending the sessions");
    }

    /// The service is alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// Says how the service is, or why it does not start; `systemctl status` shows it.
    pub fn status(&self, text: &str) {
        self.send(&format!("STATUS={}", one_line(text)));
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(text.as_bytes())
        {
            log::debug!("systemd cannot be told: {error}");
        }
    }
}

/// The datagram socket of that path, or of that abstract name behind an `@`.
fn connect(name: &[u8]) -> std::io::Result<UnixDatagram> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not hold up the mail.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let mine = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && mine)?;
    Some(Duration::from_micros(micros))
}

/// A status is one line.
fn one_line(text: &str) -> String {
    let mut end = text.len().min(STATUS_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_short_line() {
        assert_eq!(one_line("port 143:\nin use"), "port 143: in use");
        assert_eq!(one_line(&"ä".repeat(STATUS_MAX)).len(), STATUS_MAX);
    }

    #[test]
    fn both_kinds_of_sockets_hear() {
        let folder = std::env::temp_dir().join(format!("mailnook-notify-{}", std::process::id()));
        let _absent = std::fs::remove_file(&folder);
        let receiver = UnixDatagram::bind(&folder).unwrap();
        let manager = Manager { socket: Some(connect(folder.as_os_str().as_bytes()).unwrap()), watchdog: None };
        manager.ready("serving\n7 ports");
        let mut text = [0; 256];
        let length = receiver.recv(&mut text).unwrap();
        assert_eq!(&text[..length], b"READY=1\nSTATUS=serving 7 ports");
        std::fs::remove_file(&folder).unwrap();

        let name = format!("mailnook-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        let manager = Manager { socket: Some(connect(format!("@{name}").as_bytes()).unwrap()), watchdog: None };
        manager.reloading();
        let length = receiver.recv(&mut text).unwrap();
        assert!(text[..length].starts_with(b"RELOADING=1\nMONOTONIC_USEC="), "{:?}", &text[..length]);
    }
}
