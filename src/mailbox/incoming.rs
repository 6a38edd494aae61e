//! A message on its way in: every door streams it through [`Incoming`], and [`super::append`] makes it visible.

use super::{Error, binary};
use crate::message::{Normalizer, Record, Scanner};
use crate::store::schema::{CODEC_IDENTITY, Content, kind};
use crate::store::txn::Tx;
use crate::store::{self, Commit, Store};
use crate::types::BodyId;
use memchr::memchr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limit: octets of a message kept in memory; what is more is staged in the store, one such piece at a time.
pub(super) const STAGE_SIZE: usize = 128 << 10;
/// Limit: octets taken at once, so that the buffers below stay small.
const PUSH_MAX: usize = 32 << 10;

/// A message being taken in: normalises bare LF to CRLF, scans MIME, stages large bodies. Memory stays bounded.
/// Dropped before [`Incoming::finish`]: nothing is stored.
pub struct Incoming {
    body: Body,
    normalizer: Normalizer,
    /// It came as a literal8 (RFC 3516): binary parts are not text.
    is_binary: bool,
    scanner: Scanner,
    scratch: Vec<u8>,
    limit: u64,
    /// Of a literal8: whether there is NUL in it.
    has_nul: bool,
    /// The same for bare LF.
    has_bare_lf: bool,
}

/// The octets so far: the first in the store, the last in memory.
struct Body {
    store: Arc<Store>,
    /// The staged body's identifier as the writer gave it; 0: not yet.
    id: Arc<AtomicU64>,
    chunks: u32,
    pending: Vec<u8>,
    size: u64,
}

impl Body {
    /// Keeps the next octets in memory.
    fn keep(&mut self, octets: &[u8]) {
        // A large message gets all the room that it may use at once: doubling would take up to twice as much.
        let large = self.chunks > 0 || self.pending.len() >= PUSH_MAX;
        if large && self.pending.len() + octets.len() > self.pending.capacity() {
            self.pending.reserve_exact(STAGE_SIZE + PUSH_MAX - self.pending.len());
        }
        self.pending.extend_from_slice(octets);
    }

    /// Sends all full chunks that are pending to the store. It waits for the disk, so that one piece of the message
    /// is in memory and not two.
    async fn stage(&mut self) -> Result<(), Error> {
        let payload = self.store.payload_size();
        let whole = self.pending.len() / payload * payload;
        let rest = self.pending[whole..].to_vec();
        self.pending.truncate(whole);
        let piece = std::mem::replace(&mut self.pending, rest);
        Ok(self.write(piece).await?)
    }

    /// Sends all that is pending to the store; None: nothing is. Nothing can be added afterwards.
    fn park(&mut self) -> Option<Commit<()>> {
        if self.pending.is_empty() {
            return None;
        }
        let piece = std::mem::take(&mut self.pending);
        Some(self.write(piece))
    }

    /// At most `max` octets from `offset` on; fewer where the store's part of the body ends, none behind the end.
    fn read(&self, offset: u64, max: usize) -> Result<Vec<u8>, Error> {
        let stored = self.size - self.pending.len() as u64;
        if offset < stored {
            let id = BodyId(self.id.load(Ordering::Acquire));
            return Ok(self.store.read(|view| view.body(id, stored, offset, max))?);
        }
        let rest = usize::try_from(offset - stored).ok().and_then(|at| self.pending.get(at..)).unwrap_or_default();
        Ok(rest[..rest.len().min(max)].to_vec())
    }

    /// Writes the next chunks; only the last one of a body may be short.
    fn write(&mut self, piece: Vec<u8>) -> Commit<()> {
        let (id, first) = (self.id.clone(), self.chunks);
        let chunks = piece.len().div_ceil(self.store.payload_size());
        self.chunks += u32::try_from(chunks).unwrap_or(u32::MAX);
        self.store.write_arrival(piece.len(), move |tx| {
            if first == 0 {
                let body = tx.new_body()?;
                tx.add_garbage(kind::STAGING, body.0)?;
                id.store(body.0, Ordering::Release);
            }
            tx.put_chunks(BodyId(id.load(Ordering::Acquire)), first, &piece)
        })
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.chunks > 0 {
            abandon(&self.store, self.id.clone());
        }
    }
}

/// Gives back a staged body. The writer works in order, so that all its pieces are there by then.
fn abandon(store: &Store, id: Arc<AtomicU64>) {
    drop(store.write_aside(move |tx| {
        let id = id.load(Ordering::Acquire);
        if tx.view().is_garbage(kind::STAGING, id)? {
            tx.delete_garbage(kind::STAGING, id)?;
            tx.add_garbage(kind::BODY, id)?;
        }
        Ok(())
    }));
    store.purge();
}

impl Incoming {
    pub(super) fn new(store: Arc<Store>, limit: u64, is_binary: bool) -> Self {
        let body = Body { store, id: Arc::default(), chunks: 0, pending: Vec::new(), size: 0 };
        Self {
            body,
            normalizer: Normalizer::new(),
            is_binary,
            scanner: Scanner::new(),
            scratch: Vec::new(),
            limit,
            has_nul: false,
            has_bare_lf: false,
        }
    }

    /// Takes the next octets as they came.
    ///
    /// # Errors
    /// `TooBig` once the limit is crossed; `Temporary` where the store fails.
    pub async fn push(&mut self, octets: &[u8]) -> Result<(), Error> {
        for piece in octets.chunks(PUSH_MAX) {
            let mut clean = self.normalizer.push(piece, &mut self.scratch);
            if self.is_binary {
                self.has_nul |= memchr(0, piece).is_some();
                self.has_bare_lf |= clean.len() != piece.len();
                clean = piece;
            }
            self.body.size += clean.len() as u64;
            if self.body.size > self.limit {
                return Err(Error::TooBig(self.limit));
            }
            self.scanner.push(clean);
            self.body.keep(clean);
            if self.body.pending.len() >= STAGE_SIZE {
                self.body.stage().await?;
            }
        }
        Ok(())
    }

    /// The message is complete. Of a literal8 a binary part with NUL gets an encoding that IMAP can show, and what is no
    /// binary part gets its line ends (RFC 3516 §6).
    ///
    /// # Errors
    /// `Invalid` where there is NUL and no such encoding (RFC 3516 §4.4); `TooBig` where the encoded message is;
    /// `Temporary` where the store fails.
    pub async fn finish(self) -> Result<Staged, Error> {
        let (store, limit, is_clean) = (self.body.store.clone(), self.limit, !self.has_nul && !self.has_bare_lf);
        let staged = self.complete();
        if is_clean {
            return Ok(staged);
        }
        let mut encoded = Self::new(store, limit, true);
        binary::encode(&staged, &mut encoded).await?;
        if encoded.has_nul {
            return Err(Error::Invalid("There is NUL outside of a part in binary encoding"));
        }
        Ok(encoded.complete())
    }

    fn complete(self) -> Staged {
        let scan = self.scanner.finish();
        Staged { body: self.body, has_header: scan.has_header, record: scan.record }
    }

    /// Octets so far, after normalisation.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body.size
    }
}

/// A complete message that no mailbox shows yet. Dropped: it is discarded.
pub struct Staged {
    body: Body,
    has_header: bool,
    record: Record,
}

impl Staged {
    /// RFC822.SIZE without the headers that a delivery adds.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body.size
    }

    /// What was scanned. All octets were given to it, so that its offsets are those of [`Staged::read`].
    pub(super) const fn record(&self) -> &Record {
        &self.record
    }

    /// At most `max` octets from `offset` on, perhaps fewer; none only at the end.
    pub(super) fn read(&self, offset: u64, max: usize) -> Result<Vec<u8>, Error> {
        self.body.read(offset, max)
    }

    /// Sends all that is in memory to the store; None: nothing is. Nothing can be read afterwards.
    pub(super) fn park(&mut self) -> Option<Commit<()>> {
        self.body.park()
    }

    /// Octets in memory.
    pub(super) const fn held(&self) -> usize {
        self.body.pending.len()
    }

    /// What the writer needs. The staged chunks stay the `Staged`'s, which gives them back if the job fails.
    pub(super) fn parts(&mut self) -> Parts {
        Parts {
            staged: (self.body.chunks > 0).then(|| BodyId(self.body.id.load(Ordering::Acquire))),
            chunks: self.body.chunks,
            size: self.body.size,
            pending: std::mem::take(&mut self.body.pending),
            has_header: self.has_header,
            record: self.record.as_bytes().to_vec(),
        }
    }
}

/// A staged message as the writer takes it.
pub(super) struct Parts {
    staged: Option<BodyId>,
    chunks: u32,
    /// RFC822.SIZE without the headers that a delivery adds.
    pub(super) size: u64,
    /// The octets that are not in the store.
    pub(super) pending: Vec<u8>,
    has_header: bool,
    record: Vec<u8>,
}

impl Parts {
    /// Stores the rest of the body.
    pub(super) fn put_body(&self, tx: &mut Tx<'_>) -> Result<BodyId, store::Error> {
        let body = match self.staged {
            Some(body) => {
                tx.delete_garbage(kind::STAGING, body.0)?;
                body
            }
            None => tx.new_body()?,
        };
        tx.put_chunks(body, self.chunks, &self.pending)?;
        Ok(body)
    }

    /// Without an empty line behind it, the first line of a message that has no header would be read as one.
    fn needs_line(&self, prefix: &[u8]) -> bool {
        !prefix.is_empty() && !self.has_header
    }

    /// RFC822.SIZE behind `prefix`.
    pub(super) fn size_behind(&self, prefix: &[u8]) -> u64 {
        self.size + prefix.len() as u64 + if self.needs_line(prefix) { 2 } else { 0 }
    }

    /// The content that shows the body behind `prefix`, and its size.
    pub(super) fn content(&self, body: BodyId, prefix: &[u8]) -> (Content, u64) {
        let size = self.size_behind(prefix);
        let needs_line = self.needs_line(prefix);
        let mut prefix = prefix.to_vec();
        if needs_line {
            prefix.extend_from_slice(b"\r\n");
        }
        (Content { body, body_len: self.size, codec: CODEC_IDENTITY, prefix, record: self.record.clone() }, size)
    }
}
