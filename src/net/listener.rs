//! Listening sockets.

use super::Connection;
use smol::Async;
use socket2::{Domain, Protocol, SockAddr, Type};
use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections that the kernel holds until we accept them.
const BACKLOG: i32 = 128;

/// Pause after an error of accept that will not go away at once (no more file descriptors, no memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no listening socket; the text names the address and the cause, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindError(String);

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BindError {}

/// A socket that listens, but is not waited for yet: making it starts no thread. A unix socket's file is removed when
/// this is dropped.
#[derive(Debug)]
pub struct Socket {
    kind: Kind,
    file: Option<SocketFile>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The file of a unix socket that is ours to remove.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Listens on a TCP address; port 0 takes a free one. An IPv6 address takes IPv6 only.
    ///
    /// # Errors
    /// The address is taken, not ours, or its port needs a privilege.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let bind = || {
            let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.set_reuse_address(true)?;
            socket.bind(&SockAddr::from(address))?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from(socket))
        };
        match bind() {
            Ok(socket) => Ok(socket.into()),
            Err(error) => Err(BindError(format!("cannot listen on {address}: {}", cause(&error)))),
        }
    }

    /// Listens on a unix socket with that mode. A socket file that nobody listens on any more is replaced; the
    /// directory must be there.
    ///
    /// # Errors
    /// Another process listens there, something that is no socket has that name, or the directory refuses.
    pub fn unix(path: &Path, mode: u32) -> Result<Self, BindError> {
        let failed = |reason: String| BindError(format!("cannot listen on {}: {reason}", path.display()));
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(failed("a file that is no socket has this name".to_owned()));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(failed("another process listens there".to_owned()));
            }
            Ok(_) | Err(_) => {}
        }
        // Under another name until the mode is set, so that nobody connects who must not; the rename also
        // replaces a stale file without a gap.
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let bind = || {
            let _absent = fs::remove_file(&temporary);
            let socket = UnixListener::bind(&temporary)?;
            fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))?;
            let inode = fs::symlink_metadata(&temporary)?.ino();
            fs::rename(&temporary, path)?;
            Ok((socket, inode))
        };
        match bind() {
            Ok((socket, inode)) => {
                Ok(Self { kind: Kind::Unix(socket), file: Some(SocketFile { path: path.to_owned(), inode }) })
            }
            Err(error) => {
                let _absent = fs::remove_file(&temporary);
                Err(failed(cause(&error)))
            }
        }
    }

    /// The address of a TCP socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(socket) => socket.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }
}

/// A socket that listens already.
impl From<TcpListener> for Socket {
    fn from(socket: TcpListener) -> Self {
        Self { kind: Kind::Tcp(socket), file: None }
    }
}

/// A socket that listens already; its file stays whoever's made it.
impl From<UnixListener> for Socket {
    fn from(socket: UnixListener) -> Self {
        Self { kind: Kind::Unix(socket), file: None }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have put its own socket there.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            let _absent = fs::remove_file(&self.path);
        }
    }
}

/// A socket that accepts connections. A unix socket's file is removed when this is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: ListeningSocket,
    file: Option<SocketFile>,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(Async<TcpListener>),
    Unix(Async<UnixListener>),
}

impl Listener {
    /// Waits for connections to a socket.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new(socket: Socket) -> Result<Self, BindError> {
        let Socket { kind, file } = socket;
        let failed = |error| BindError(cause(&error));
        let socket = match kind {
            Kind::Tcp(socket) => ListeningSocket::Tcp(Async::new(socket).map_err(failed)?),
            Kind::Unix(socket) => ListeningSocket::Unix(Async::new(socket).map_err(failed)?),
        };
        Ok(Self { socket, file })
    }

    /// The address of a TCP listener, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListeningSocket::Tcp(socket) => socket.get_ref().local_addr().ok(),
            ListeningSocket::Unix(_) => None,
        }
    }

    /// The next connection. Never fails: a connection that is gone already is skipped, and where the process is out
    /// of file descriptors or memory it tries again after a pause. Cancel-safe.
    pub async fn accept(&self) -> Connection {
        loop {
            let error = match self.try_accept().await {
                Ok(connection) => return connection,
                Err(error) => error,
            };
            if is_gone(&error) {
                continue;
            }
            log::warn!("{self}: cannot accept a connection: {error}");
            async_io::Timer::after(ACCEPT_PAUSE).await;
        }
    }

    async fn try_accept(&self) -> io::Result<Connection> {
        match &self.socket {
            ListeningSocket::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                // A peer that left meanwhile makes setting options fail.
                Connection::tcp(stream, address).map_err(|_| io::ErrorKind::ConnectionAborted.into())
            }
            ListeningSocket::Unix(socket) => Ok(Connection::unix(socket.accept().await?.0)),
        }
    }
}

/// The address or the path.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            ListeningSocket::Tcp(_) => match self.address() {
                Some(address) => address.fmt(f),
                None => f.write_str("tcp"),
            },
            ListeningSocket::Unix(socket) => write_path(f, socket.get_ref(), self.file.as_ref()),
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, self.address()) {
            (Kind::Unix(socket), _) => write_path(f, socket, self.file.as_ref()),
            (Kind::Tcp(_), Some(address)) => address.fmt(f),
            (Kind::Tcp(_), None) => f.write_str("tcp"),
        }
    }
}

/// The path of a unix socket; one of our own was bound under another name before it got this one.
fn write_path(f: &mut fmt::Formatter<'_>, socket: &UnixListener, file: Option<&SocketFile>) -> fmt::Result {
    if let Some(file) = file {
        return write!(f, "{}", file.path.display());
    }
    match socket.local_addr().ok().as_ref().and_then(|address| address.as_pathname()) {
        Some(path) => write!(f, "{}", path.display()),
        None => f.write_str("unix"),
    }
}

/// Errors of one connection rather than of the listener.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process uses this address".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have this address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied (ports below 1024 need a privilege, files a writable directory)".to_owned()
        }
        io::ErrorKind::NotFound => "the directory does not exist".to_owned(),
        _ => error.to_string(),
    }
}
