//! RETR and TOP: streams one message, dot-stuffed, as fast as the client takes it.

use super::downgrade::Downgrade;
use super::maildrop::Entry;
use super::reply;
use crate::mailbox::{self, Mailbox};
use crate::net::{Connection, DotStuffer, OUT_HIGH, ReadError};

/// Octets read from the store at a time.
const PIECE: usize = 16 * 1024;

/// Why a message was cut off in the middle.
pub(super) enum Cut {
    /// The client is gone.
    Client(ReadError),
    /// The store failed after the answer had begun. The only honest thing to do is to end the connection
    /// without the dot that ends a message.
    Store,
}

impl From<ReadError> for Cut {
    fn from(error: ReadError) -> Self {
        Self::Client(error)
    }
}

/// Sends a message or its beginning: with `lines`, its header and so many lines of its body. Whether there was such a
/// message. Without `utf8` a header in UTF-8 is sent as a surrogate in ASCII; the maildrop knows its size.
pub(super) async fn retrieve(
    conn: &mut Connection,
    mailbox: &Mailbox,
    entry: Entry,
    lines: Option<u64>,
    utf8: bool,
) -> Result<bool, Cut> {
    let opened = mailbox.message(entry.uid).and_then(|message| message.read(0, PIECE).map(|piece| (message, piece)));
    let (message, mut piece) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            conn.queue(reply::read(&error).as_bytes());
            return Ok(false);
        }
    };
    let size = message.size();
    match lines {
        None => conn.queue(format!("+OK {} octets\r\n", entry.size).as_bytes()),
        Some(_) => conn.queue(b"+OK Top of message follows\r\n"),
    }
    let mut top = lines.map(Top::new);
    let mut downgrade = (!utf8).then(Downgrade::new);
    let mut stuffer = DotStuffer::new();
    let mut offset = 0_u64;
    loop {
        let end = top.as_mut().map_or(piece.len(), |top| top.take(&piece));
        let shown = piece.get(..end).unwrap_or_default();
        match &mut downgrade {
            Some(downgrade) => downgrade.feed(shown, |octets| stuffer.feed(octets, |octets| conn.queue(octets))),
            None => stuffer.feed(shown, |octets| conn.queue(octets)),
        }
        offset = offset.saturating_add(piece.len() as u64);
        if offset >= size || top.as_ref().is_some_and(Top::is_complete) {
            break;
        }
        if conn.queued() >= OUT_HIGH {
            conn.flush().await?;
        }
        // A client that takes everything at once must not keep the others waiting.
        smol::future::yield_now().await;
        piece = message.read(offset, PIECE).and_then(some).map_err(|_| Cut::Store)?;
    }
    if let Some(downgrade) = &mut downgrade {
        downgrade.end(|octets| stuffer.feed(octets, |octets| conn.queue(octets)));
    }
    conn.queue(stuffer.end());
    Ok(true)
}

/// Nothing to read before the end of the message would go on for ever.
fn some(piece: Vec<u8>) -> Result<Vec<u8>, mailbox::Error> {
    if piece.is_empty() { Err(mailbox::Error::Temporary) } else { Ok(piece) }
}

/// Finds the end of what TOP shows: the header, the empty line, and a number of lines.
#[derive(Debug)]
struct Top {
    /// Lines of the body that are still to come.
    lines: u64,
    in_body: bool,
    /// Whether the line so far is empty; a CR before LF is no text.
    line_is_empty: bool,
}

impl Top {
    fn new(lines: u64) -> Self {
        Self { lines, in_body: false, line_is_empty: true }
    }

    /// How many octets of the next piece belong to the top.
    fn take(&mut self, piece: &[u8]) -> usize {
        for (at, &octet) in piece.iter().enumerate() {
            if self.is_complete() {
                return at;
            }
            match octet {
                b'\n' => {
                    if self.in_body {
                        self.lines = self.lines.saturating_sub(1);
                    } else {
                        self.in_body = self.line_is_empty;
                    }
                    self.line_is_empty = true;
                }
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
        }
        piece.len()
    }

    fn is_complete(&self) -> bool {
        self.in_body && self.lines == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn top(message: &[u8], lines: u64, piece: usize) -> Vec<u8> {
        let mut top = Top::new(lines);
        let mut shown = Vec::new();
        for piece in message.chunks(piece) {
            shown.extend_from_slice(&piece[..top.take(piece)]);
        }
        shown
    }

    #[test]
    fn the_header_the_empty_line_and_the_lines() {
        let message = b"A: 1\r\nB: 2\r\n\r\none\r\n\r\nthree";
        assert_eq!(top(message, 0, 100), b"A: 1\r\nB: 2\r\n\r\n");
        assert_eq!(top(message, 1, 100), b"A: 1\r\nB: 2\r\n\r\none\r\n");
        assert_eq!(top(message, 2, 100), b"A: 1\r\nB: 2\r\n\r\none\r\n\r\n");
        assert_eq!(top(message, 3, 100), message);
        assert_eq!(top(message, u64::MAX, 100), message);
    }

    #[test]
    fn messages_without_body_or_header() {
        assert_eq!(top(b"A: 1\r\nB: 2\r\n", 0, 100), b"A: 1\r\nB: 2\r\n");
        assert_eq!(top(b"\r\nbody\r\n", 0, 100), b"\r\n");
        assert_eq!(top(b"\r\nbody\r\nmore\r\n", 1, 100), b"\r\nbody\r\n");
        assert_eq!(top(b"", 5, 100), b"");
    }

    proptest! {
        #[test]
        fn the_cut_does_not_depend_on_the_pieces(
            message in "(a|\r\n|\\.|\r){0,40}", lines in 0..5_u64, piece in 1..20_usize
        ) {
            let message = message.as_bytes();
            prop_assert_eq!(top(message, lines, piece), top(message, lines, 1000));
            prop_assert!(message.starts_with(&top(message, lines, piece)));
        }
    }
}
