//! Message octets in chunks that fill one overflow page each, every chunk with its own header and checksum.
//!
//! A chunk tells by itself which body it belongs to, so that a scan of the file finds bodies even if the tree is lost.

use super::Error;
use super::codec::{Fields, key_u64_u32};
use super::schema::{CODEC_IDENTITY, table};
use super::view::View;
use crate::types::BodyId;
use std::ops::Bound;

/// Octets before the payload of a chunk: magic, version, codec, body, number, checksum.
pub(crate) const CHUNK_HEADER: usize = 22;

const CHUNK_MAGIC: [u8; 4] = *b"mnCK";
const CHUNK_VERSION: u8 = 1;

/// Octets of a message in one full chunk.
pub(crate) const fn payload_size(chunk_size: usize) -> usize {
    chunk_size - CHUNK_HEADER
}

/// The value of chunk `number`.
pub(crate) fn encode(body: BodyId, number: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&CHUNK_MAGIC);
    out.push(CHUNK_VERSION);
    out.push(CODEC_IDENTITY);
    out.extend_from_slice(&body.0.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(out);
    sum.update(payload);
    out.extend_from_slice(&sum.finalize().to_be_bytes());
    out.extend_from_slice(payload);
}

/// The payload of chunk `number`, checked.
pub(crate) fn decode(body: BodyId, number: u32, value: &[u8]) -> Result<&[u8], Error> {
    let mut fields = Fields::new(value, table::CHUNKS);
    let head = fields.take(CHUNK_HEADER - 4)?;
    let stored = fields.u32()?;
    let payload = fields.rest();
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(payload);
    let mut names = Fields::new(head, table::CHUNKS);
    let sound = names.take(4)? == CHUNK_MAGIC
        && names.u8()? == CHUNK_VERSION
        && names.u8()? == CODEC_IDENTITY
        && names.u64()? == body.0
        && names.u32()? == number
        && sum.finalize() == stored;
    if sound { Ok(payload) } else { Err(Error::Corrupt(table::CHUNKS)) }
}

impl View<'_> {
    /// At most `max` octets of a body of `len` octets from `offset` on; fewer only at its end.
    pub(crate) fn body(&self, body: BodyId, len: u64, offset: u64, max: usize) -> Result<Vec<u8>, Error> {
        let want = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX).min(max);
        let mut out = Vec::with_capacity(want);
        if want == 0 {
            return Ok(out);
        }
        let size = payload_size(self.chunk_size);
        let wrong = Error::Corrupt(table::CHUNKS);
        let Ok(mut number) = u32::try_from(offset / size as u64) else { return Err(wrong) };
        // The remainder of a division by a usize fits one.
        let mut skip = usize::try_from(offset % size as u64).unwrap_or_default();
        let (from, to) = (key_u64_u32(body.0, number), key_u64_u32(body.0, u32::MAX));
        for entry in self.tables.chunks.range(self.txn, &(Bound::Included(&from[..]), Bound::Included(&to[..])))? {
            let (key, value) = entry?;
            if key != key_u64_u32(body.0, number) {
                return Err(wrong);
            }
            let payload = decode(body, number, value)?;
            let part = payload.get(skip..).ok_or(Error::Corrupt(table::CHUNKS))?;
            out.extend_from_slice(&part[..part.len().min(want - out.len())]);
            if out.len() == want {
                return Ok(out);
            }
            number += 1;
            skip = 0;
        }
        Err(wrong)
    }
}
