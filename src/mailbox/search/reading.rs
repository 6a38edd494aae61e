//! Looks for texts in the header and the body of one message, piece by piece.

use super::plan::{Known, Place, Plan};
use crate::mailbox::{Error, Message, Row};
use crate::message::decode::{CharsetDecoder, Transfer};
use crate::message::header::{FieldSplitter, split_name, unfold};
use crate::message::text::{Tail, fold, fold_into};
use crate::message::words::decode_words;
use crate::message::{Kind, Part};
use smol::future::yield_now;
use std::ops::Range;

/// Limit: octets read at once. Decoded and folded they take a few times as much.
const PIECE_MAX: u64 = 32 * 1024;

/// Octets times texts that are looked at before other tasks get their turn.
const WORK_MAX: u64 = 1024 * 1024;

/// Octets read at once for very many texts.
const PIECE_MIN: u64 = 1024;

/// One message that row and record do not decide.
pub(super) struct Reading<'a> {
    plan: &'a Plan,
    row: &'a Row,
    message: &'a Message,
    known: &'a mut Known,
}

/// A stretch of the body in which texts are looked for.
struct Segment<'a> {
    /// Counted from behind the prefix.
    range: Range<u64>,
    contents: Contents<'a>,
}

enum Contents<'a> {
    /// The header of a message inside the message.
    MessageHeader,
    /// The MIME header of a part: only for TEXT.
    MimeHeader,
    Text {
        encoding: &'a [u8],
        charset: Option<&'a [u8]>,
    },
}

impl<'a> Reading<'a> {
    /// `known` holds what is known of the plan's texts.
    pub(super) const fn new(plan: &'a Plan, row: &'a Row, message: &'a Message, known: &'a mut Known) -> Self {
        Self { plan, row, message, known }
    }

    /// Whether the message matches.
    pub(super) async fn run(mut self) -> Result<bool, Error> {
        self.read_header().await?;
        if let Some(matches) = self.decide() {
            return Ok(matches);
        }
        self.read_body().await?;
        // By now every text is known.
        Ok(self.decide().unwrap_or(false))
    }

    fn decide(&mut self) -> Option<bool> {
        self.plan.decide(self.row, Some(&self.message.record().summary()), self.known)
    }

    /// The texts that still matter and may be in such a place.
    fn open(&mut self, fits: impl Fn(&Place) -> bool) -> Vec<usize> {
        let mut open = self.plan.open_texts(self.row, &self.message.record().summary(), self.known);
        open.retain(|index| self.plan.texts().get(*index).is_some_and(|wanted| fits(&wanted.place)));
        open
    }

    /// Looks through the header, with the fields that delivery put before it.
    async fn read_header(&mut self) -> Result<(), Error> {
        let open = self.open(|place| *place != Place::Body);
        if open.is_empty() {
            return Ok(());
        }
        let end = self.message.prefix_len() + self.message.record().header_len();
        self.read_fields(0..end, &open, true).await?;
        for &index in &open {
            let is_header = self.plan.texts().get(index).is_some_and(|wanted| matches!(wanted.place, Place::Header(_)));
            if let Some(slot) = self.known.unknown(index).filter(|_| is_header) {
                *slot = Some(false);
            }
        }
        Ok(())
    }

    /// Looks through fields for texts; the range counts from the start of the prefix.
    async fn read_fields(&mut self, range: Range<u64>, open: &[usize], is_top: bool) -> Result<(), Error> {
        let mut splitter = FieldSplitter::new();
        let mut at = range.start;
        while at < range.end {
            let octets = self.read(at, range.end, open.len())?;
            at += octets.len() as u64;
            let is_last = at >= range.end;
            let (plan, known) = (self.plan, &mut *self.known);
            splitter.push(&octets, |field| look_in_field(plan, known, open, field, is_top));
            if is_last {
                splitter.finish(|field| look_in_field(plan, known, open, field, is_top));
            } else if open.iter().all(|index| self.known.get(*index).is_some()) {
                break;
            }
            yield_now().await;
        }
        Ok(())
    }

    /// Looks through the body until the answer is known or the body is over.
    async fn read_body(&mut self) -> Result<(), Error> {
        let open = self.open(|place| matches!(place, Place::Body | Place::Text));
        let only_text: Vec<usize> = open.iter().copied().filter(|index| self.is_text(*index)).collect();
        let mut tails = vec![Tail::new(); open.len()];
        let mut segments = Vec::new();
        let message = self.message;
        collect(&message.record().structure(), &mut segments);
        for segment in segments {
            let prefix = self.message.prefix_len();
            let range = segment.range.start + prefix..segment.range.end + prefix;
            match segment.contents {
                Contents::MessageHeader => self.read_fields(range, &open, false).await?,
                Contents::MimeHeader if only_text.is_empty() => {}
                Contents::MimeHeader => self.read_fields(range, &only_text, false).await?,
                Contents::Text { encoding, charset } => {
                    self.read_text(range, encoding, charset, &open, &mut tails).await?;
                }
            }
            if self.decide().is_some() {
                return Ok(());
            }
        }
        for index in open {
            if let Some(slot) = self.known.unknown(index) {
                *slot = Some(false);
            }
        }
        Ok(())
    }

    fn is_text(&self, index: usize) -> bool {
        self.plan.texts().get(index).is_some_and(|wanted| wanted.place == Place::Text)
    }

    /// Looks through one part of text.
    async fn read_text(
        &mut self,
        range: Range<u64>,
        encoding: &[u8],
        charset: Option<&[u8]>,
        open: &[usize],
        tails: &mut [Tail],
    ) -> Result<(), Error> {
        let mut transfer = Transfer::new(encoding).unwrap_or(Transfer::Identity);
        let mut decoder = CharsetDecoder::new(charset);
        let (mut decoded, mut text, mut folded) = (Vec::new(), String::new(), String::new());
        tails.iter_mut().for_each(Tail::clear);
        let mut at = range.start;
        while at < range.end {
            let octets = self.read(at, range.end, open.len())?;
            at += octets.len() as u64;
            let is_last = at >= range.end;
            decoded.clear();
            transfer.push(&octets, &mut decoded);
            if is_last {
                transfer.finish(&mut decoded);
            }
            text.clear();
            decoder.push(&decoded, is_last, &mut text);
            folded.clear();
            fold_into(&text, &mut folded);
            if self.look_in_text(&folded, open, tails) && self.decide().is_some() {
                return Ok(());
            }
            yield_now().await;
        }
        Ok(())
    }

    /// Looks through a piece of text; true where a text was found.
    fn look_in_text(&mut self, folded: &str, open: &[usize], tails: &mut [Tail]) -> bool {
        let mut found = false;
        for (index, tail) in open.iter().zip(tails) {
            let slot = self.known.unknown(*index);
            if let (Some(slot), Some(wanted)) = (slot, self.plan.texts().get(*index))
                && tail.push(&wanted.needle, folded)
            {
                *slot = Some(true);
                found = true;
            }
        }
        found
    }

    /// The next octets of the message, never none.
    fn read(&self, at: u64, end: u64, texts: usize) -> Result<Vec<u8>, Error> {
        let work = WORK_MAX / u64::try_from(texts).unwrap_or(u64::MAX).max(1);
        let size = (end - at).min(work.clamp(PIECE_MIN, PIECE_MAX));
        let octets = self.message.read(at, usize::try_from(size).unwrap_or(0))?;
        if octets.is_empty() {
            log::error!("message {}: its body ends before its record says", self.row.uid.0);
            return Err(Error::Temporary);
        }
        Ok(octets)
    }
}

/// Looks for texts in one field. Only the header of the message itself counts for HEADER.
fn look_in_field(plan: &Plan, known: &mut Known, open: &[usize], field: &[u8], is_top: bool) {
    let (name, value_at) = split_name(field).unwrap_or((&[], 0));
    let mut folded: Option<String> = None;
    // A field's name is ASCII: it is as long in text.
    let text_at = if name.is_empty() { 0 } else { name.len() + 2 };
    for &index in open {
        let (Some(slot), Some(wanted)) = (known.unknown(index), plan.texts().get(index)) else { continue };
        let from = match &wanted.place {
            Place::Header(field) if is_top && field.as_bytes().eq_ignore_ascii_case(name) => text_at,
            Place::Header(_) => continue,
            Place::Body | Place::Text => 0,
        };
        let folded = folded.get_or_insert_with(|| {
            let value = decode_words(&unfold(field.get(value_at..).unwrap_or_default()));
            let separator = if name.is_empty() { "" } else { ": " };
            fold(&format!("{}{separator}{value}", String::from_utf8_lossy(name)))
        });
        if folded.get(from..).is_some_and(|text| wanted.needle.is_in(text)) {
            *slot = Some(true);
        }
    }
}

/// The stretches of a message's body in which text may be, in order. Recursion ends where the scanner's does.
fn collect<'a>(part: &Part<'a>, segments: &mut Vec<Segment<'a>>) {
    if part.kind == Kind::Leaf {
        if part.is_type("text") || part.is_type("message") {
            let contents = Contents::Text { encoding: part.encoding, charset: part.parameter("charset") };
            segments.push(Segment { range: part.body.clone(), contents });
        }
        return;
    }
    for child in part.children() {
        let contents = if part.kind == Kind::Message { Contents::MessageHeader } else { Contents::MimeHeader };
        segments.push(Segment { range: child.header.clone(), contents });
        collect(&child, segments);
    }
}
