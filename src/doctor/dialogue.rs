//! A mail program's side of IMAP, POP3 and LMTP, as far as a test mail needs it. Blocking, with time limits.

use crate::admin::Protocol;
use crate::net::{TlsClientStream, tls_client};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a port on this machine may take to connect, and a server for each answer. A small board takes a second for a
/// handshake or a password while it does other things.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(20);

/// Limit: octets of a line.
const LINE_MAX: u64 = 64 << 10;

/// Limit: lines of an answer.
const LINES_MAX: usize = 1_000;

enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsClientStream>),
    Unix(UnixStream),
    /// While TLS begins.
    None,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::None => Ok(0),
        }
    }
}

/// A connection that speaks lines.
pub(super) struct Dialogue(BufReader<Wire>);

/// Where an address of a listener is reached from this machine.
pub(super) fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(four) if four.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(six) if six.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl Dialogue {
    /// Connects, begins TLS where it comes first, and hears the greeting.
    pub(super) fn open(protocol: Protocol, address: SocketAddr, certificate: Option<&[u8]>) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&reached(address), CONNECT)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let wire = match (protocol.is_implicit_tls(), certificate) {
            (false, _) => Wire::Tcp(stream),
            (true, Some(certificate)) => Wire::Tls(Box::new(tls_client(stream, certificate)?)),
            (true, None) => return Err(io::Error::other("its certificate cannot be read")),
        };
        let mut dialogue = Self(BufReader::new(wire));
        dialogue.expect(greeting(protocol))?;
        Ok(dialogue)
    }

    /// Connects to LMTP on a unix socket.
    pub(super) fn open_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let mut dialogue = Self(BufReader::new(Wire::Unix(stream)));
        dialogue.expect(greeting(Protocol::Lmtp))?;
        Ok(dialogue)
    }

    /// Begins TLS as STARTTLS and STLS do.
    fn start_tls(&mut self, command: &str, answer: &str, certificate: Option<&[u8]>) -> io::Result<()> {
        self.say(command, answer)?;
        let certificate = certificate.ok_or_else(|| io::Error::other("its certificate cannot be read"))?;
        match std::mem::replace(self.0.get_mut(), Wire::None) {
            Wire::Tcp(stream) => {
                self.0 = BufReader::new(Wire::Tls(Box::new(tls_client(stream, certificate)?)));
                Ok(())
            }
            _ => Err(io::Error::other("TLS was there before")),
        }
    }

    fn send(&mut self, text: &str) -> io::Result<()> {
        let octets = text.as_bytes();
        match self.0.get_mut() {
            Wire::Tcp(stream) => stream.write_all(octets),
            Wire::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
            Wire::Unix(stream) => stream.write_all(octets),
            Wire::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut octets = Vec::new();
        (&mut self.0).take(LINE_MAX).read_until(b'\n', &mut octets)?;
        if octets.last() != Some(&b'\n') {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it hung up"));
        }
        Ok(String::from_utf8_lossy(&octets).trim_end().to_owned())
    }

    /// The next line, which must begin so.
    fn expect(&mut self, begin: &str) -> io::Result<String> {
        let line = self.line()?;
        if line.starts_with(begin) { Ok(line) } else { Err(io::Error::other(format!("it said {line:?}"))) }
    }

    /// Sends a command and hears its last line, which must begin so. Whether a line before it had `wanted` in it.
    fn ask(&mut self, command: &str, (is_last, begin): (fn(&str) -> bool, &str), wanted: &str) -> io::Result<bool> {
        self.send(&format!("{command}\r\n"))?;
        let mut found = false;
        for _ in 0..LINES_MAX {
            let line = self.line()?;
            if is_last(&line) {
                let refused = || io::Error::other(format!("it said {line:?}"));
                return if line.starts_with(begin) { Ok(found) } else { Err(refused()) };
            }
            found |= line.contains(wanted);
        }
        Err(io::Error::other("its answer has no end"))
    }

    /// Sends a command whose answer is one line, which must begin so.
    fn say(&mut self, command: &str, begin: &str) -> io::Result<()> {
        self.ask(command, (|line| !line.starts_with("* "), begin), "").map(drop)
    }
}

const fn greeting(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap | Protocol::Imaps => "* OK",
        Protocol::Pop3 | Protocol::Pop3s => "+OK",
        Protocol::Lmtp | Protocol::Control => "220",
    }
}

/// Delivers a message by LMTP (RFC 2033).
pub(super) fn deliver(mut lmtp: Dialogue, recipient: &str, message: &str) -> io::Result<()> {
    let last = |line: &str| line.as_bytes().get(3) != Some(&b'-');
    lmtp.ask("LHLO localhost", (last, "250"), "")?;
    lmtp.say("MAIL FROM:<>", "250")?;
    lmtp.say(&format!("RCPT TO:<{recipient}>"), "250")?;
    lmtp.say("DATA", "354")?;
    // No line of the message begins with a dot.
    lmtp.say(&format!("{message}."), "250")?;
    lmtp.say("QUIT", "221")
}

/// Fetches the only message by IMAP; whether `wanted` is in it.
pub(super) fn fetch(mut imap: Dialogue, login: Login<'_>, wanted: &str) -> io::Result<bool> {
    if !login.is_implicit_tls {
        imap.start_tls("a STARTTLS", "a OK", login.certificate)?;
    }
    imap.say(&format!("b LOGIN {} {}", login.name, login.password), "b OK")?;
    imap.say("c SELECT INBOX", "c OK")?;
    let found = imap.ask("d FETCH 1 BODY.PEEK[]", (|line| line.starts_with("d "), "d OK"), wanted)?;
    imap.say("e LOGOUT", "e OK")?;
    Ok(found)
}

/// Fetches the only message by POP3; whether `wanted` is in it.
pub(super) fn retrieve(mut pop3: Dialogue, login: Login<'_>, wanted: &str) -> io::Result<bool> {
    if !login.is_implicit_tls {
        pop3.start_tls("STLS", "+OK", login.certificate)?;
    }
    pop3.say(&format!("USER {}", login.name), "+OK")?;
    pop3.say(&format!("PASS {}", login.password), "+OK")?;
    let found = pop3.ask("RETR 1", (|line| line == "." || line.starts_with("-ERR"), "."), wanted)?;
    pop3.say("QUIT", "+OK")?;
    Ok(found)
}

/// Who logs in, and how.
#[derive(Clone, Copy)]
pub(super) struct Login<'l> {
    pub name: &'l str,
    pub password: &'l str,
    pub is_implicit_tls: bool,
    pub certificate: Option<&'l [u8]>,
}
