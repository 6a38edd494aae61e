//! The frames of the control socket, read from a [`Connection`] by the server and from a plain stream by the client.

use crate::net::{Connection, ReadError};
use std::io::{self, Read, Write};

/// Limit: octets of one frame without its head.
pub const FRAME_MAX: usize = 64 * 1024;

const HEAD: usize = 5;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Client: the request.
    Request,
    /// Client: a piece of standard input.
    Input,
    /// Client: standard input is complete. A connection that ends without it was cut.
    InputEnd,
    /// Server: text for standard output.
    Output,
    /// Server: text for standard error.
    ErrorOutput,
    /// Server: the exit code, one octet; the last frame.
    Exit,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Request, Self::Input, Self::InputEnd, Self::Output, Self::ErrorOutput, Self::Exit];

    const fn octet(self) -> u8 {
        match self {
            Self::Request => b'R',
            Self::Input => b'I',
            Self::InputEnd => b'E',
            Self::Output => b'O',
            Self::ErrorOutput => b'X',
            Self::Exit => b'Z',
        }
    }

    fn from_octet(octet: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.octet() == octet)
    }
}

/// A frame that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub kind: Kind,
    pub payload: Vec<u8>,
}

/// The head of a frame; `payload` has at most [`FRAME_MAX`] octets.
pub(super) fn head(kind: Kind, payload: &[u8]) -> io::Result<[u8; HEAD]> {
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= FRAME_MAX);
    let [a, b, c, d] = length.ok_or_else(|| io::Error::other("the frame is too large"))?.to_be_bytes();
    Ok([kind.octet(), a, b, c, d])
}

fn parse_head(head: [u8; HEAD]) -> io::Result<(Kind, usize)> {
    let [kind, a, b, c, d] = head;
    let kind = Kind::from_octet(kind);
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok().filter(|length| *length <= FRAME_MAX);
    kind.zip(length)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a frame of mailnook's control socket"))
}

/// Reads a frame on the server's side. Not cancel-safe.
pub(super) async fn read(connection: &mut Connection) -> Result<Frame, ReadError> {
    let mut head = [0; HEAD];
    fill(connection, &mut head).await?;
    let (kind, length) = parse_head(head)?;
    let mut payload = vec![0; length];
    fill(connection, &mut payload).await?;
    Ok(Frame { kind, payload })
}

async fn fill(connection: &mut Connection, mut wanted: &mut [u8]) -> Result<(), ReadError> {
    while !wanted.is_empty() {
        let available = connection.fill().await?;
        let count = available.len().min(wanted.len());
        let (now, later) = wanted.split_at_mut(count);
        now.copy_from_slice(available.get(..count).unwrap_or_default());
        wanted = later;
        connection.consume(count);
    }
    Ok(())
}

/// Writes a frame on the server's side; waits where the client is slow.
pub(super) async fn send(connection: &mut Connection, kind: Kind, payload: &[u8]) -> Result<(), ReadError> {
    connection.queue(&head(kind, payload)?);
    connection.send(payload).await
}

/// Reads a frame on the client's side.
pub(super) fn read_blocking(stream: &mut impl Read) -> io::Result<Frame> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let (kind, length) = parse_head(head)?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok(Frame { kind, payload })
}

/// Writes a frame on the client's side.
pub(super) fn write_blocking(stream: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    stream.write_all(&head(kind, payload)?)?;
    stream.write_all(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smol::io::AsyncWriteExt;

    /// What the server reads from a client that sends `octets` and goes.
    fn served(octets: &[u8]) -> Result<Vec<Frame>, String> {
        let (mut connection, mut client) = crate::net::pair();
        let octets = octets.to_vec();
        smol::block_on(async {
            let sending = async {
                let _gone = client.write_all(&octets).await;
                drop(client);
                std::future::pending::<()>().await;
                Err("unreachable".to_owned())
            };
            let reading = async {
                let mut frames = Vec::new();
                loop {
                    match read(&mut connection).await {
                        Ok(frame) => frames.push(frame),
                        Err(ReadError::Closed) => return Ok(frames),
                        Err(error) => return Err(format!("{error:?}")),
                    }
                }
            };
            smol::future::or(reading, sending).await
        })
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut octets = Vec::new();
        let large = vec![7; FRAME_MAX];
        for (kind, payload) in [(Kind::Request, &b"x"[..]), (Kind::InputEnd, b""), (Kind::Input, &large)] {
            write_blocking(&mut octets, kind, payload).expect("writes");
        }
        let frames = served(&octets).expect("reads");
        assert_eq!(
            frames.iter().map(|frame| (frame.kind, frame.payload.len())).collect::<Vec<_>>(),
            [(Kind::Request, 1), (Kind::InputEnd, 0), (Kind::Input, FRAME_MAX)]
        );
    }

    #[test]
    fn too_large_and_unknown_frames_are_refused() {
        assert!(write_blocking(&mut Vec::new(), Kind::Input, &vec![0; FRAME_MAX + 1]).is_err());
        for hostile in [&b"R\xff\xff\xff\xff"[..], b"R\x00\x01\x00\x01", b"?\0\0\0\0", b"* OK IMAP\r\n", b"\0\0\0\0\0"]
        {
            assert!(served(hostile).is_err(), "{hostile:?}");
        }
        // Cut in the head and in the payload: nothing is read.
        assert_eq!(served(b"R\0\0"), Ok(Vec::new()));
        assert_eq!(served(b"R\0\0\0\x05abc"), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_octets_panic_and_both_readers_agree(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            let served = served(&octets);
            let mut rest = octets.as_slice();
            let mut frames = Vec::new();
            let end = loop {
                match read_blocking(&mut rest) {
                    Ok(frame) => frames.push(frame),
                    Err(error) => break error,
                }
            };
            if let Ok(served) = served {
                prop_assert_eq!(served, frames);
            } else {
                prop_assert_eq!(end.kind(), io::ErrorKind::InvalidData);
            }
        }
    }
}
