//! The client's side of one session: sends octets and reads whole responses.

use super::deflate::Deflate;
use super::script::Protocol;
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use std::time::Duration;

/// How long the server may take for a response.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it must be silent to count as quiet.
const QUIET: Duration = Duration::from_millis(60);

/// A stream of the client's side.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One session as the client has it.
pub struct Client {
    protocol: Protocol,
    stream: Option<Box<dyn Stream>>,
    input: Vec<u8>,
    ended: bool,
    greeted: bool,
    deflate: Option<Deflate>,
}

impl Client {
    pub fn new(protocol: Protocol, stream: Box<dyn Stream>) -> Self {
        Self { protocol, stream: Some(stream), input: Vec::new(), ended: false, greeted: false, deflate: None }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the greeting was read.
    pub fn greeted(&self) -> bool {
        self.greeted
    }

    /// Takes the stream out for a TLS handshake.
    pub fn take_stream(&mut self) -> Result<Box<dyn Stream>, String> {
        if !self.input.is_empty() {
            return Err(format!("before the handshake the server sent: {}", super::pattern::show(&self.input)));
        }
        self.stream.take().ok_or_else(|| "the session is closed".to_owned())
    }

    pub fn set_stream(&mut self, stream: Box<dyn Stream>) {
        self.stream = Some(stream);
    }

    /// Compresses from here on.
    pub fn deflate(&mut self) -> Result<(), String> {
        let mut deflate = Deflate::new();
        self.input = deflate.inflate(&self.input)?;
        self.deflate = Some(deflate);
        Ok(())
    }

    pub fn close(&mut self) {
        self.stream = None;
    }

    pub async fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        let stream = self.stream.as_mut().ok_or("the session is closed")?;
        let compressed = self.deflate.as_mut().map(|deflate| deflate.compress(octets));
        let octets = compressed.as_deref().unwrap_or(octets);
        let write = async {
            let outcome = stream.write_all(octets).await;
            outcome.and(stream.flush().await).map_err(|error| format!("cannot send: {error}"))
        };
        within(PATIENCE, write).await.unwrap_or_else(|| Err("the server takes no more octets".to_owned()))
    }

    /// The next response: for IMAP with its literals, else `lines` lines; without the last line end.
    pub async fn response(&mut self, lines: usize) -> Result<Vec<u8>, String> {
        loop {
            let length = match self.protocol {
                Protocol::Imap => imap_response(&self.input),
                Protocol::Pop3 | Protocol::Lmtp => line_ends(&self.input, lines),
            };
            if let Some(length) = length {
                let mut response: Vec<u8> = self.input.drain(..length).collect();
                response.truncate(length - 2);
                self.greeted = true;
                return Ok(response);
            }
            match within(PATIENCE, self.more()).await {
                None => {
                    return Err(format!(
                        "nothing more within {PATIENCE:?}; so far: {}",
                        super::pattern::show(&self.input)
                    ));
                }
                Some(Err(error)) => return Err(format!("{error}; so far: {}", super::pattern::show(&self.input))),
                Some(Ok(())) => {}
            }
        }
    }

    /// Fails if the server sends something now.
    pub async fn quiet(&mut self) -> Result<(), String> {
        if self.input.is_empty() {
            let _ = within(QUIET, self.more()).await;
        }
        match (self.input.is_empty(), self.ended) {
            (true, false) => Ok(()),
            (true, true) => Err("the server ended the connection".to_owned()),
            (false, _) => Err(format!("the server sent: {}", super::pattern::show(&self.input))),
        }
    }

    /// Fails unless the server ends the connection without another word.
    pub async fn closed(&mut self) -> Result<(), String> {
        while !self.ended && self.input.is_empty() {
            let outcome = within(PATIENCE, self.more()).await;
            if outcome.is_none() {
                return Err("the server keeps the connection".to_owned());
            }
        }
        if self.input.is_empty() {
            Ok(())
        } else {
            Err(format!("the server sent: {}", super::pattern::show(&self.input)))
        }
    }

    async fn more(&mut self) -> Result<(), String> {
        const PIECE: usize = 64 * 1024;
        let stream = self.stream.as_mut().ok_or("the session is closed")?;
        let mut piece = vec![0; PIECE];
        match stream.read(&mut piece).await {
            Ok(0) => {
                self.ended = true;
                Err("the server ended the connection".to_owned())
            }
            Ok(count) => {
                match &mut self.deflate {
                    Some(deflate) => self.input.extend(deflate.inflate(&piece[..count])?),
                    None => self.input.extend_from_slice(&piece[..count]),
                }
                Ok(())
            }
            Err(error) => {
                self.ended = true;
                Err(format!("cannot read: {error}"))
            }
        }
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    smol::future::or(async { Some(future.await) }, async {
        smol::Timer::after(limit).await;
        None
    })
    .await
}

/// Length of the first `lines` lines.
fn line_ends(input: &[u8], lines: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..lines {
        at += input.get(at..)?.windows(2).position(|pair| pair == b"\r\n")? + 2;
    }
    Some(at)
}

/// Length of the first IMAP response with its literals (RFC 9051 §4.3).
fn imap_response(input: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + line_ends(input.get(at..)?, 1)?;
        let line = &input[at..end - 2];
        at = end;
        match literal(line) {
            None => return Some(at),
            Some(length) => at += length,
        }
    }
}

/// The length that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&inside[open + 1..]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_cut_at_their_ends() {
        assert_eq!(imap_response(b"* OK\r\nx"), Some(6));
        assert_eq!(imap_response(b"* 1 FETCH ({3}\r\na\r\n)\r\n* x"), Some(22));
        assert_eq!(imap_response(b"* 1 FETCH ({3}\r\na\r"), None);
        assert_eq!(line_ends(b"+OK\r\na\r\n.\r\n", 2), Some(8));
    }
}
