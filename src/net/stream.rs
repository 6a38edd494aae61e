//! The one stream type: TCP or a unix socket, plain or under TLS.
//!
//! Reads go through a scratch buffer that the sessions of one executor thread share, so that a session which waits
//! for input owns no read buffer.

use futures_rustls::server::TlsStream;
use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Limit: octets taken from a stream in one read.
const READ_MAX: usize = 16 * 1024;

/// A silent TCP peer is probed after this time. Phones sleep through shorter ones at the cost of their battery.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(10);
/// Time between two probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_mins(1);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_MAX].into_boxed_slice());
}

/// A socket without TLS.
#[derive(Debug)]
pub(super) enum Plain {
    Tcp(Async<TcpStream>),
    Unix(Async<UnixStream>),
}

impl Plain {
    /// Takes over an accepted TCP connection: no delay for small segments, probes for silent peers.
    pub(super) fn tcp(stream: Async<TcpStream>) -> io::Result<Self> {
        let socket = socket2::SockRef::from(stream.get_ref());
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(
            &socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL),
        )?;
        Ok(Self::Tcp(stream))
    }
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has no buffer of its own.
        Poll::Ready(Ok(()))
    }

    /// Ends our direction; the peer's stays open until it ends it or the socket is dropped.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.get_mut() {
            Self::Tcp(stream) => stream.get_ref().shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.get_ref().shutdown(Shutdown::Write),
        })
    }
}

/// A socket, under TLS or not.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
    /// Closed, or a TLS handshake that failed.
    Gone,
}

impl Stream {
    /// Reads what is there, `READ_MAX` octets at most, and hands it to `take`. 0 means the end of the stream.
    pub(super) fn poll_read_with(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&[u8])) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let count = ready!(match self {
                Self::Plain(stream) => Pin::new(stream).poll_read(cx, scratch),
                Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, scratch),
                Self::Gone => Poll::Ready(Ok(0)),
            })?;
            let octets = scratch.get_mut(..count).unwrap_or_default();
            take(octets);
            // Passwords and mail do not linger in memory that other sessions use.
            octets.fill(0);
            Poll::Ready(Ok(count))
        })
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, octets),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Plain(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    /// Ends our direction, under TLS with `close_notify`.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_close(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_close(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
