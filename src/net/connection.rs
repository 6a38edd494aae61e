//! What a session reads from and writes to.

use super::deflate::Deflate;
use super::line::{Input, LineEnd, Taken};
use super::stream::{Plain, Stream};
use super::{ChannelBindings, Peer, TlsAcceptor};
use futures_rustls::server::TlsStream;
use rustls::ServerConfig;
use smol::Async;
use smol::future::yield_now;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// Queued octets at which a session flushes.
pub const OUT_HIGH: usize = 16 * 1024;

/// Limit: plaintext that rustls may queue for one session.
const TLS_BUFFER_MAX: usize = 16 * 1024;

/// Capacity that an empty output buffer may keep; more is given back.
const OUT_KEEP_MAX: usize = 256;

/// Write timeout until [`Connection::set_write_timeout`] is called.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// Limit: time for the last octets and the TLS farewell.
const CLOSE_FLUSH: Duration = Duration::from_millis(700);

/// Limit: time to wait for the peer to close after us. Input that nobody read would make the kernel
/// reset the connection, and the peer might lose our last words.
const CLOSE_LINGER: Duration = Duration::from_millis(500);

/// Limit: octets thrown away while waiting for the peer to close.
const CLOSE_DISCARD_MAX: usize = 256 * 1024;

/// Why nothing could be read from or written to a connection.
#[derive(Debug)]
pub enum ReadError {
    /// The peer ended or cut the connection.
    Closed,
    /// The line was over the limit. It has been thrown away up to its end, and the session may go on.
    TooLong,
    /// So long a line that its end is not waited for; the session must end.
    Endless,
    /// The peer took no data for the time of the write timeout.
    Timeout,
    /// Anything else: a failed TLS handshake, a damaged TLS record.
    Io(io::Error),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("connection closed by the peer"),
            Self::TooLong => f.write_str("line too long"),
            Self::Endless => f.write_str("endless line"),
            Self::Timeout => f.write_str("the peer takes no data"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// A stream with its unread input and its unsent output. Both buffers are freed when empty.
///
/// Reading and flushing are cancel-safe: a future that is dropped has lost nothing.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: Peer,
    input: Input,
    output: Vec<u8>,
    /// Octets of `output` that the stream took already.
    written: usize,
    write_timeout: Duration,
    /// The hash of our certificate under TLS.
    end_point: Option<Arc<[u8]>>,
    /// Between the buffers and the stream, where the session is compressed.
    deflate: Option<Box<Deflate>>,
}

impl Connection {
    /// Takes over an accepted TCP connection.
    ///
    /// # Errors
    /// The socket refuses its options, because the peer is gone already.
    pub fn tcp(stream: Async<TcpStream>, address: SocketAddr) -> io::Result<Self> {
        Ok(Self::new(Plain::tcp(stream)?, Peer::from(address)))
    }

    /// Takes over a connected unix socket.
    #[must_use]
    pub fn unix(stream: Async<UnixStream>) -> Self {
        Self::new(Plain::Unix(stream), Peer::LOCAL)
    }

    fn new(stream: Plain, peer: Peer) -> Self {
        Self {
            stream: Stream::Plain(stream),
            peer,
            input: Input::default(),
            output: Vec::new(),
            written: 0,
            write_timeout: WRITE_TIMEOUT,
            end_point: None,
            deflate: None,
        }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Shows another peer to the session; for tests of rules about addresses.
    pub fn set_peer(&mut self, peer: Peer) {
        self.peer = peer;
    }

    /// Whether the session runs under TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The TLS version, `TLSv1.3` or `TLSv1.2`, for Received lines and logs.
    #[must_use]
    pub fn tls_description(&self) -> Option<String> {
        let Stream::Tls(stream) = &self.stream else { return None };
        Some(match stream.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
            _ => "TLS".to_owned(),
        })
    }

    /// What a login can be bound to; nothing without TLS.
    #[must_use]
    pub fn channel_bindings(&self) -> ChannelBindings {
        match &self.stream {
            Stream::Tls(stream) => ChannelBindings::of(stream.get_ref().1, self.end_point.clone()),
            Stream::Plain(_) | Stream::Gone => ChannelBindings::default(),
        }
    }

    /// A peer that takes no data for `limit` is gone; flushing fails with [`ReadError::Timeout`].
    pub fn set_write_timeout(&mut self, limit: Duration) {
        self.write_timeout = limit;
    }

    /// The next line of `max` octets at most (its end not counted), without its LF or CRLF. Cancel-safe.
    ///
    /// # Errors
    /// [`ReadError::TooLong`] for a line over the limit, which is thrown away to its end while memory stays bounded;
    /// the session may go on. `Closed` at the end of the stream, where a line without an end is lost.
    pub async fn line(&mut self, max: usize) -> Result<Vec<u8>, ReadError> {
        self.next_line(max, LineEnd::Lenient).await
    }

    /// Like [`Connection::line`], but only CRLF ends a line and a bare LF is part of it (RFC 5321 §2.3.8), so that
    /// we and a strict server before us see the same commands.
    ///
    /// # Errors
    /// As [`Connection::line`].
    pub async fn line_crlf(&mut self, max: usize) -> Result<Vec<u8>, ReadError> {
        self.next_line(max, LineEnd::Strict).await
    }

    async fn next_line(&mut self, max: usize, ends: LineEnd) -> Result<Vec<u8>, ReadError> {
        loop {
            match self.input.take_line(max, ends) {
                Taken::Line(line) => return Ok(line),
                Taken::TooLong => return Err(ReadError::TooLong),
                Taken::Endless => return Err(ReadError::Endless),
                Taken::More => self.read_more().await?,
            }
        }
    }

    /// Whether a whole line was read already: the client sends commands without waiting for answers.
    #[must_use]
    pub fn line_is_buffered(&self) -> bool {
        self.input.has_line()
    }

    /// Like [`Connection::line_is_buffered`] for [`Connection::line_crlf`].
    #[must_use]
    pub fn line_crlf_is_buffered(&self) -> bool {
        self.input.has_crlf_line()
    }

    /// Some unread input, never empty; waits where there is none. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` at the end of the stream.
    pub async fn fill(&mut self) -> Result<&[u8], ReadError> {
        while self.input.is_empty() {
            self.read_more().await?;
        }
        Ok(self.input.unread())
    }

    /// Marks the first `count` octets of the unread input as read.
    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    async fn read_more(&mut self) -> Result<(), ReadError> {
        self.release_output();
        if self.deflate.is_some() {
            return self.read_compressed().await;
        }
        let Self { stream, input, .. } = self;
        match poll_fn(|cx| stream.poll_read_with(cx, |octets| input.push(octets))).await? {
            0 => Err(ReadError::Closed),
            _ => Ok(()),
        }
    }

    /// Inflates what was read already, or reads until there is something to inflate.
    async fn read_compressed(&mut self) -> Result<(), ReadError> {
        let Self { stream, input, deflate: Some(deflate), .. } = self else { return Ok(()) };
        deflate.rest();
        loop {
            if deflate.needs_input()
                && poll_fn(|cx| stream.poll_read_with(cx, |octets| deflate.push(octets))).await? == 0
            {
                return Err(ReadError::Closed);
            }
            match deflate.inflate(input)? {
                0 if deflate.has_ended() => return Err(ReadError::Closed),
                // A peer that sends blocks without content must not keep others from running.
                0 => yield_now().await,
                _ => break,
            }
        }
        if !deflate.needs_input() {
            // The same for one whose few octets become many.
            yield_now().await;
        }
        Ok(())
    }

    /// From here on both directions are compressed (RFC 4978 §3): what is queued is sent as it is, and input that came
    /// already counts as compressed.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub async fn start_deflate(&mut self) -> Result<(), ReadError> {
        self.flush().await?;
        if self.deflate.is_none() {
            self.deflate = Some(Box::new(Deflate::new(self.input.unread())));
            self.input.clear();
        }
        Ok(())
    }

    /// Whether both directions are compressed.
    #[must_use]
    pub const fn is_deflated(&self) -> bool {
        self.deflate.is_some()
    }

    /// Appends to the output without sending it; callers flush before they wait and at [`OUT_HIGH`].
    pub fn queue(&mut self, octets: &[u8]) {
        self.output.extend_from_slice(octets);
    }

    /// Octets in the output buffer.
    #[must_use]
    pub fn queued(&self) -> usize {
        let compressed = self.deflate.as_ref().map_or(0, |deflate| deflate.unsent().len());
        self.output.len() - self.written + compressed
    }

    /// Sends the whole output. Cancel-safe.
    ///
    /// # Errors
    /// `Timeout` where the peer took nothing for the time of the write timeout, `Closed` where it is gone.
    pub async fn flush(&mut self) -> Result<(), ReadError> {
        self.write_out(true).await?;
        self.release_output();
        Ok(())
    }

    /// Queues `octets` and flushes whenever the output is over [`OUT_HIGH`], so that a streamed body of any size
    /// takes no more memory than that.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub async fn send(&mut self, octets: &[u8]) -> Result<(), ReadError> {
        for piece in octets.chunks(OUT_HIGH) {
            self.queue(piece);
            if self.queued() >= OUT_HIGH {
                self.write_out(false).await?;
            }
        }
        Ok(())
    }

    /// Sends the output. `whole`: the peer must be able to read all of it, which matters to a compressor alone.
    async fn write_out(&mut self, whole: bool) -> Result<(), ReadError> {
        if let Some(deflate) = &mut self.deflate {
            deflate.compress(&self.output, whole)?;
            self.output.clear();
        }
        loop {
            let Self { stream, output, written, deflate, .. } = self;
            let rest = deflate.as_ref().map_or_else(|| output.get(*written..).unwrap_or_default(), |it| it.unsent());
            if rest.is_empty() {
                break;
            }
            let count = match timeout(self.write_timeout, poll_fn(|cx| stream.poll_write(cx, rest))).await {
                None => return Err(ReadError::Timeout),
                Some(Ok(0)) => return Err(ReadError::Closed),
                Some(Ok(count)) => count,
                Some(Err(error)) => return Err(error.into()),
            };
            match deflate {
                Some(deflate) => deflate.mark_sent(count),
                None => *written += count,
            }
        }
        self.output.clear();
        self.written = 0;
        let stream = &mut self.stream;
        timeout(self.write_timeout, poll_fn(|cx| stream.poll_flush(cx))).await.ok_or(ReadError::Timeout)??;
        Ok(())
    }

    fn release_output(&mut self) {
        if self.output.is_empty() && self.output.capacity() > OUT_KEEP_MAX {
            self.output = Vec::new();
        }
    }

    /// Flushes, throws away plaintext that came before its time (a command injected before the handshake must not
    /// run after it, RFC 2595 §4 and RFC 9051 §6.2.1), and shakes hands. The caller bounds the time.
    /// The connection is of no more use when this fails or is cancelled.
    ///
    /// # Errors
    /// `Io` with the reason where the handshake fails.
    pub async fn start_tls(&mut self, tls: &TlsAcceptor) -> Result<(), ReadError> {
        self.flush().await?;
        self.input.clear();
        let stream = match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => stream,
            other => {
                self.stream = other;
                return Err(ReadError::Io(io::Error::other("TLS is active already")));
            }
        };
        let (config, end_point) = tls.current();
        self.stream = Stream::Tls(handshake(stream, config).await?);
        self.end_point = end_point;
        Ok(())
    }

    /// Sends what is queued, then ends the connection in an orderly way within a good second.
    pub async fn close(&mut self) {
        let farewell = async {
            self.write_out(true).await?;
            let stream = &mut self.stream;
            poll_fn(|cx| stream.poll_close(cx)).await?;
            Ok::<_, ReadError>(())
        };
        if matches!(timeout(CLOSE_FLUSH, farewell).await, Some(Ok(()))) {
            let stream = &mut self.stream;
            let linger = async {
                let mut discarded = 0;
                while discarded < CLOSE_DISCARD_MAX {
                    match poll_fn(|cx| stream.poll_read_with(cx, |_| ())).await {
                        Ok(0) | Err(_) => return,
                        Ok(count) => discarded += count,
                    }
                }
            };
            // Whether the peer closed in time makes no difference.
            let _closed = timeout(CLOSE_LINGER, linger).await;
        }
        self.stream = Stream::Gone;
        self.input.clear();
        self.deflate = None;
        self.output = Vec::new();
        self.written = 0;
    }
}

/// In a box, because the handshake's state is large and a session's future holds it only for a moment.
async fn handshake(stream: Plain, config: Arc<ServerConfig>) -> Result<Box<TlsStream<Plain>>, ReadError> {
    let acceptor = futures_rustls::TlsAcceptor::from(config);
    let accept = Box::pin(acceptor.accept_with(stream, |session| session.set_buffer_limit(Some(TLS_BUFFER_MAX))));
    Ok(Box::new(accept.await?))
}

/// Runs `future` for `limit` at most; None where the time ran out first.
pub async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    smol::future::or(async { Some(future.await) }, async {
        async_io::Timer::after(limit).await;
        None
    })
    .await
}

/// A connection over a socket pair and the test's end of it.
///
/// # Panics
/// Where the system gives no socket pair; this is for tests.
#[must_use]
pub fn pair() -> (Connection, smol::net::unix::UnixStream) {
    pair_from(Peer::LOCAL)
}

/// As [`pair`], but the connection believes that `peer` is at its other end.
///
/// # Panics
/// Where the system gives no socket pair; this is for tests.
#[must_use]
pub fn pair_from(peer: Peer) -> (Connection, smol::net::unix::UnixStream) {
    let (ours, theirs) = Async::<UnixStream>::pair().expect("a socket pair");
    (Connection::new(Plain::Unix(ours), peer), theirs.into())
}
