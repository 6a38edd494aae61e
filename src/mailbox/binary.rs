//! Binary parts with NUL (RFC 3516), which IMAP can show in an encoding only (§6): they are stored as base64.
//!
//! Encoding anew breaks what was signed, so that nothing but such parts is changed, in their body and in one field.

use super::Error;
use super::incoming::{Incoming, Staged};
use crate::message::header::fields;
use crate::message::{Kind, Part};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use std::ops::Range;

/// Octets in a line of base64: 76 characters (RFC 2045 §6.8).
const LINE: usize = 57;
/// Limit: octets that are read at once: whole lines.
const PIECE: usize = LINE * 512;
/// Limit: octets of the header of a part that is encoded.
const HEADER_MAX: u64 = 64 << 10;

const FIELD: &[u8] = b"Content-Transfer-Encoding";

/// Sends `staged` into `out`, its binary parts that hold NUL in base64. NUL elsewhere stays.
pub(super) async fn encode(staged: &Staged, out: &mut Incoming) -> Result<(), Error> {
    let mut done = 0;
    for part in binary_parts(staged.record().structure()) {
        if !holds_nul(staged, part.body.clone())? {
            continue;
        }
        copy(staged, done..part.header.start, out).await?;
        out.push(&header(staged, &part.header)?).await?;
        body(staged, &part.body, out).await?;
        done = part.body.end;
    }
    copy(staged, done..staged.size(), out).await
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

fn holds_nul(staged: &Staged, range: Range<u64>) -> Result<bool, Error> {
    for piece in pieces(staged, range) {
        if memchr(0, &piece?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn copy(staged: &Staged, range: Range<u64>, out: &mut Incoming) -> Result<(), Error> {
    for piece in pieces(staged, range) {
        out.push(&piece?).await?;
    }
    Ok(())
}

/// The header of a part with another Content-Transfer-Encoding, at the place of the first one.
fn header(staged: &Staged, range: &Range<u64>) -> Result<Vec<u8>, Error> {
    if range.end.saturating_sub(range.start) > HEADER_MAX {
        return Err(Error::Invalid("There is NUL in a part whose header is too long"));
    }
    let mut old = Vec::new();
    for piece in pieces(staged, range.clone()) {
        old.extend(piece?);
    }
    let (mut new, mut told) = (Vec::with_capacity(old.len()), false);
    let mut old = fields(&old);
    for field in old.by_ref() {
        if !field.name.eq_ignore_ascii_case(FIELD) {
            new.extend_from_slice(field.raw);
        } else if !told {
            new.extend_from_slice(FIELD);
            new.extend_from_slice(b": base64\r\n");
            told = true;
        }
    }
    new.extend_from_slice(old.rest());
    Ok(new)
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
    }
    Ok(())
}
