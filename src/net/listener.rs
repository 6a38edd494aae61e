//! Listening sockets.

use super::Connection;
use smol::Async;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
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

/// A socket that accepts connections. A unix socket's file is removed when this is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: ListeningSocket,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(Async<TcpListener>),
    /// `inode`: of the file that is ours to remove.
    Unix {
        socket: Async<UnixListener>,
        path: PathBuf,
        inode: Option<u64>,
    },
}

impl Listener {
    /// Listens on a TCP address; port 0 takes a free one. An IPv6 address takes IPv6 only.
    ///
    /// # Errors
    /// The address is taken, not ours, or its port needs a privilege.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let bind = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.set_reuse_address(true)?;
            socket.bind(&SockAddr::from(address))?;
            socket.listen(BACKLOG)?;
            Async::new(TcpListener::from(socket))
        };
        match bind() {
            Ok(socket) => Ok(Self { socket: ListeningSocket::Tcp(socket) }),
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
            Ok((Async::new(socket)?, inode))
        };
        match bind() {
            Ok((socket, inode)) => {
                Ok(Self { socket: ListeningSocket::Unix { socket, path: path.to_owned(), inode: Some(inode) } })
            }
            Err(error) => {
                let _absent = fs::remove_file(&temporary);
                Err(failed(cause(&error)))
            }
        }
    }

    /// Takes over a TCP socket that listens already.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn passed_tcp(socket: TcpListener) -> Result<Self, BindError> {
        let socket = Async::new(socket).map_err(|error| BindError(cause(&error)))?;
        Ok(Self { socket: ListeningSocket::Tcp(socket) })
    }

    /// Takes over a unix socket that listens already; its file stays whoever's made it.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn passed_unix(socket: UnixListener) -> Result<Self, BindError> {
        let path = socket.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_owned));
        let socket = Async::new(socket).map_err(|error| BindError(cause(&error)))?;
        Ok(Self { socket: ListeningSocket::Unix { socket, path: path.unwrap_or_default(), inode: None } })
    }

    /// The address of a TCP listener, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListeningSocket::Tcp(socket) => socket.get_ref().local_addr().ok(),
            ListeningSocket::Unix { .. } => None,
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
            ListeningSocket::Unix { socket, .. } => Ok(Connection::unix(socket.accept().await?.0)),
        }
    }
}

/// The address or the path.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.socket, self.address()) {
            (ListeningSocket::Unix { path, .. }, _) => path.display().fmt(f),
            (ListeningSocket::Tcp(_), Some(address)) => address.fmt(f),
            (ListeningSocket::Tcp(_), None) => f.write_str("tcp"),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let ListeningSocket::Unix { path, inode: Some(inode), .. } = &self.socket
            // Another server may have put its own socket there.
            && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.ino() == *inode)
        {
            let _absent = fs::remove_file(path);
        }
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
