//! BINARY, BINARY.PEEK and BINARY.SIZE of FETCH (RFC 3516): the content of a part without its transfer encoding.
//!
//! The size is told before the octets, so that a part is decoded twice, piece by piece; short ones once. A
//! multipart, a message inside and the whole message (`BINARY[]`) are encodings of nothing and come as they are.

use super::fetch_body::{flush, read, slice};
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::write_number;
use crate::imap::wire::write;
use crate::mailbox::Message;
use crate::message::decode::Transfer;
use crate::message::{Kind, Record};
use smol::future::yield_now;
use std::ops::Range;

/// Limit: octets of a part that is decoded once and kept in memory.
const SHORT_MAX: u64 = 16 * 1024;

/// Refuses a part whose encoding is not known, before anything of it is told.
///
/// # Errors
/// NO with `[UNKNOWN-CTE]`.
pub fn check(record: &Record, path: &[u32]) -> Result<(), Failure> {
    match record.part(path).filter(|part| !path.is_empty() && part.kind == Kind::Leaf) {
        Some(part) if Transfer::new(part.encoding).is_none() => {
            Err(Reply::no("The encoding of the part is not known").code("UNKNOWN-CTE").into())
        }
        _ => Ok(()),
    }
}

/// A part under way through its decoder.
struct Decoding<'a> {
    message: &'a Message,
    /// What is left of it, counted from the start of the whole message.
    range: Range<u64>,
    transfer: Transfer,
}

impl<'a> Decoding<'a> {
    /// None: there is no such part.
    fn new(message: &'a Message, path: &[u32]) -> Option<Self> {
        if path.is_empty() {
            return Some(Self { message, range: 0..message.size(), transfer: Transfer::Identity });
        }
        let part = message.record().part(path)?;
        let known = if part.kind == Kind::Leaf { Transfer::new(part.encoding) } else { None };
        let prefix = message.prefix_len();
        let range = part.body.start.saturating_add(prefix)..part.body.end.saturating_add(prefix);
        Some(Self { message, range, transfer: known.unwrap_or(Transfer::Identity) })
    }

    fn encoded_length(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// Puts the next decoded octets in `octets`, perhaps none; false: there are no more.
    async fn next(&mut self, octets: &mut Vec<u8>) -> Result<bool, Failure> {
        octets.clear();
        if self.range.start >= self.range.end {
            return Ok(false);
        }
        let piece = read(self.message, &self.range)?;
        self.range.start = self.range.start.saturating_add(piece.len() as u64);
        self.transfer.push(&piece, octets);
        if self.range.start >= self.range.end {
            self.transfer.finish(octets);
        }
        yield_now().await;
        Ok(true)
    }
}

/// Writes `BINARY.SIZE[...]` and the size.
///
/// # Errors
/// NO where the message cannot be read.
pub async fn tell_size(line: &mut Vec<u8>, message: &Message, path: &[u32]) -> Result<(), Failure> {
    let mut size = 0_u64;
    if let Some(mut decoding) = Decoding::new(message, path) {
        if matches!(decoding.transfer, Transfer::Identity) {
            size = decoding.encoded_length();
        } else {
            let mut octets = Vec::new();
            while decoding.next(&mut octets).await? {
                size = size.saturating_add(octets.len() as u64);
            }
        }
    }
    write::binary_section(line, "BINARY.SIZE", path, None);
    write_number(line, " ", size, "");
    Ok(())
}

/// Writes `BINARY[...]` and the octets: short ones behind what is in `line`, others to the client together with it.
/// `sent` tells whether anything of this response was sent.
///
/// # Errors
/// NO where the message cannot be read and nothing was sent; `Broken` where something was.
pub async fn tell(
    line: &mut Vec<u8>,
    sent: &mut bool,
    out: &mut Output<'_>,
    message: &Message,
    (path, partial): (&[u32], Option<(u64, u64)>),
) -> Result<(), Failure> {
    write::binary_section(line, "BINARY", path, partial.map(|(offset, _)| offset));
    line.push(b' ');
    match write_content(line, sent, out, message, (path, partial)).await {
        Err(Failure::Refused(_)) if *sent => Err(Failure::Broken),
        other => other,
    }
}

async fn write_content(
    line: &mut Vec<u8>,
    sent: &mut bool,
    out: &mut Output<'_>,
    message: &Message,
    (path, partial): (&[u32], Option<(u64, u64)>),
) -> Result<(), Failure> {
    let Some(mut decoding) = Decoding::new(message, path) else {
        line.extend_from_slice(b"NIL");
        return Ok(());
    };
    let wanted = partial.map_or(0..u64::MAX, |(offset, count)| offset..offset.saturating_add(count));
    let is_short = decoding.encoded_length() <= SHORT_MAX;
    let (mut kept, mut octets) = (Vec::new(), Vec::new());
    let (mut at, mut length, mut has_nul) = (0_u64, 0_u64, false);
    while at < wanted.end && decoding.next(&mut octets).await? {
        let part = slice(&octets, at, &wanted);
        length = length.saturating_add(part.len() as u64);
        has_nul |= part.contains(&0);
        if is_short {
            kept.extend_from_slice(part);
        }
        at = at.saturating_add(octets.len() as u64);
    }
    if length == 0 {
        line.extend_from_slice(b"\"\"");
        return Ok(());
    }
    // RFC 3516 §4.3: a plain string where there is no NUL.
    write_number(line, if has_nul { "~{" } else { "{" }, length, "}\r\n");
    if is_short {
        line.append(&mut kept);
        return Ok(());
    }
    flush(line, sent, out).await?;
    let Some(mut decoding) = Decoding::new(message, path) else { return Err(Failure::Broken) };
    let mut at = 0_u64;
    while at < wanted.end && decoding.next(&mut octets).await? {
        out.put(slice(&octets, at, &wanted)).await?;
        at = at.saturating_add(octets.len() as u64);
    }
    Ok(())
}
