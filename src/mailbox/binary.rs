//! What came as a literal8 (RFC 3516). Binary parts with NUL, which IMAP can show in an encoding only (§6), are stored as
//! base64; all that is no binary part gets CRLF for bare LF, as in every other message.
//!
//! Encoding anew breaks what was signed, so that nothing but such parts is encoded, in their body and in one field.

use super::Error;
use super::incoming::{Incoming, Staged};
use crate::message::header::fields;
use crate::message::{Kind, Normalizer, Part, media_type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use smol::future::yield_now;
use std::ops::Range;

/// Octets in a line of base64: 76 characters (RFC 2045 §6.8).
const LINE: usize = 57;
/// Limit: octets that are read at once: whole lines.
const PIECE: usize = LINE * 512;
/// Limit: octets of the header of a part that is encoded.
const HEADER_MAX: u64 = 64 << 10;

const ENCODING: &[u8] = b"Content-Transfer-Encoding";
const TYPE: &[u8] = b"Content-Type";

/// Sends `staged` into `out`, clean but for NUL outside of binary parts.
pub(super) async fn encode(staged: &Staged, out: &mut Incoming) -> Result<(), Error> {
    let mut done = 0;
    for part in binary_parts(staged.record().structure()) {
        if holds_nul(staged, part.body.clone()).await? {
            lines(staged, done..part.header.start, out).await?;
            header(staged, &part.header, out).await?;
            body(staged, &part.body, out).await?;
        } else {
            lines(staged, done..part.body.start, out).await?;
            for piece in pieces(staged, part.body.clone()) {
                out.push(&piece?).await?;
                yield_now().await;
            }
        }
        done = part.body.end;
    }
    lines(staged, done..staged.size(), out).await
}

/// The parts that say of themselves that they are binary, in their order.
fn binary_parts(root: Part<'_>) -> Vec<Part<'_>> {
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(part) = open.pop() {
        if part.kind == Kind::Leaf && part.encoding.eq_ignore_ascii_case(b"binary") {
            found.push(part);
        } else {
            let behind = open.len();
            open.extend(part.children());
            open[behind..].reverse();
        }
    }
    found
}

/// The octets of `range` in pieces of `PIECE`, the last one shorter.
fn pieces(staged: &Staged, range: Range<u64>) -> impl Iterator<Item = Result<Vec<u8>, Error>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let want = usize::try_from(range.end.saturating_sub(at)).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = Vec::with_capacity(want);
        while piece.len() < want {
            match staged.read(at, want - piece.len()) {
                Ok(octets) if octets.is_empty() => return Some(Err(Error::Damaged)),
                Ok(octets) => {
                    at += octets.len() as u64;
                    piece.extend(octets);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        (want > 0).then_some(Ok(piece))
    })
}

async fn holds_nul(staged: &Staged, range: Range<u64>) -> Result<bool, Error> {
    for piece in pieces(staged, range) {
        if memchr(0, &piece?).is_some() {
            return Ok(true);
        }
        yield_now().await;
    }
    Ok(false)
}

/// What is text, with its line ends.
async fn lines(staged: &Staged, range: Range<u64>, out: &mut Incoming) -> Result<(), Error> {
    let (mut normalizer, mut buffer) = (Normalizer::new(), Vec::new());
    for piece in pieces(staged, range) {
        out.push(normalizer.push(&piece?, &mut buffer)).await?;
        yield_now().await;
    }
    Ok(())
}

/// The header of a part with another Content-Transfer-Encoding.
async fn header(staged: &Staged, range: &Range<u64>, out: &mut Incoming) -> Result<(), Error> {
    if range.end.saturating_sub(range.start) > HEADER_MAX {
        return Err(Error::Invalid("There is NUL in a part whose header is too long"));
    }
    let mut old = Vec::new();
    for piece in pieces(staged, range.clone()) {
        old.extend(piece?);
    }
    let mut new = Vec::with_capacity(old.len());
    let mut old = fields(&old);
    for field in old.by_ref() {
        if field.name.eq_ignore_ascii_case(TYPE) && is_composite(&field.value()) {
            return Err(Error::Invalid("There is NUL in a part of a type that must not be encoded"));
        }
        if field.name.eq_ignore_ascii_case(ENCODING) {
            // Every one of several: without a line another one might no longer be read as a field.
            new.extend_from_slice(ENCODING);
            new.extend_from_slice(b": base64\r\n");
        } else {
            new.extend_from_slice(field.raw);
        }
    }
    new.extend_from_slice(old.rest());
    out.push(Normalizer::new().push(&new, &mut Vec::new())).await
}

/// Whether a Content-Type is of a part that holds parts, which has no encoding of its own (RFC 2045 §6.4). One is a leaf
/// where it lies too deep or has no boundary; message/partial and its like must be 7bit.
fn is_composite(content_type: &[u8]) -> bool {
    let is = |name: &[u8]| media_type(content_type).is_some_and(|found| found.eq_ignore_ascii_case(name));
    is(b"multipart") || is(b"message")
}

/// The body of a part in lines of base64; the line end behind the last one is the delimiter's, if there is one.
async fn body(staged: &Staged, range: &Range<u64>, out: &mut Incoming) -> Result<(), Error> {
    let (mut left, mut lines) = (range.end.saturating_sub(range.start), String::new());
    for piece in pieces(staged, range.clone()) {
        let piece = piece?;
        left = left.saturating_sub(piece.len() as u64);
        lines.clear();
        let mut rest = piece.chunks(LINE).peekable();
        while let Some(line) = rest.next() {
            STANDARD.encode_string(line, &mut lines);
            if rest.peek().is_some() || left > 0 || range.end == staged.size() {
                lines.push_str("\r\n");
            }
        }
        out.push(lines.as_bytes()).await?;
        yield_now().await;
    }
    Ok(())
}
