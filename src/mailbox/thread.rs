//! THREAD (RFC 5256; REFS: draft-ietf-morg-inthread-01 §4).
//!
//! Identifiers and subjects are kept as hashes of 64 bits, so that a message costs about 80 octets however long its
//! References field is. The hash is SipHash with a random key: nobody can aim at a collision, and among the million
//! identifiers that are the limit one happens by chance once in 30 million threads; then two messages stand
//! in one thread, and nothing is lost.
//!
//! Nothing recurses: a thread may be as deep as there are messages.

mod forest;
mod links;
#[cfg(test)]
mod tests;

use super::fetch::Look;
use super::search::Progress;
use super::sort::{MESSAGES_MAX, TOO_MANY, sent};
use super::{Error, Mailbox, Row};
use crate::message::Summary;
use crate::message::subject::base_subject;
use crate::message::text::fold_into;
use crate::types::{Uid, UidSet};
pub use forest::{Step, Threads};
use links::Links;
use smol::future::yield_now;
use std::hash::{BuildHasher, RandomState};

/// How messages come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ORDEREDSUBJECT: by their subjects, as children of the first one.
    OrderedSubject,
    /// REFERENCES: by who answers whom, and threads of one subject together.
    References,
    /// REFS: by who answers whom; the thread with the latest arrival is the last.
    Refs,
}

/// Threading under way.
pub struct Threading<'a> {
    mailbox: &'a Mailbox,
    among: UidSet,
    next: Option<Uid>,
    known: Known,
}

impl Mailbox {
    /// Brings messages into threads.
    ///
    /// # Errors
    /// `Limit` where they are too many.
    pub fn threading(&self, algorithm: Algorithm, among: UidSet) -> Result<Threading<'_>, Error> {
        if among.len() > MESSAGES_MAX {
            return Err(TOO_MANY);
        }
        let (next, count) = (among.first().map(Uid), among.len() as usize);
        Ok(Threading { mailbox: self, among, next, known: Known::new(algorithm, count) })
    }
}

impl Threading<'_> {
    /// Looks at the next messages. None: all are known.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub async fn step(&mut self) -> Result<Option<Progress>, Error> {
        let Some(next) = self.next else { return Ok(None) };
        self.next = self.mailbox.look(&self.among, next, &mut self.known)?;
        yield_now().await;
        let done = u32::try_from(self.known.messages.len()).unwrap_or(u32::MAX);
        Ok(Some(Progress { done, goal: self.among.len() }))
    }

    /// The threads, once all messages are known.
    pub async fn into_threads(self) -> Threads {
        let Known { algorithm, messages, links, .. } = self.known;
        forest::grow(algorithm, messages, links).await
    }
}

/// A message as it is threaded.
#[derive(Clone, Copy, Debug)]
struct Message {
    uid: u32,
    /// Seconds since 1970.
    sent: i64,
    arrived: i64,
    /// Of the base subject; of the empty one 0.
    subject: u64,
    /// RFC 5256 §3: the subject is one of a reply or a forward.
    is_reply: bool,
}

/// What is known of the messages so far.
struct Known {
    algorithm: Algorithm,
    messages: Vec<Message>,
    links: Links,
    /// Hashes subjects.
    hasher: RandomState,
    folded: String,
}

impl Known {
    /// Room for `count` messages.
    fn new(algorithm: Algorithm, count: usize) -> Self {
        Self {
            algorithm,
            messages: Vec::with_capacity(count),
            links: Links::default(),
            hasher: RandomState::new(),
            folded: String::new(),
        }
    }

    /// A number for the subject, and whether it is one of a reply.
    fn subject(&mut self, subject: &[u8]) -> (u64, bool) {
        let base = base_subject(subject);
        if base.text.is_empty() {
            return (0, base.is_reply);
        }
        self.folded.clear();
        fold_into(&base.text, &mut self.folded);
        (self.hasher.hash_one(self.folded.as_bytes()).max(1), base.is_reply)
    }
}

impl Look for Known {
    fn at_row(&mut self, _: &Row) -> bool {
        true
    }

    fn at_record(&mut self, row: &Row, summary: &Summary<'_>) {
        let (subject, is_reply) = match self.algorithm {
            Algorithm::Refs => (0, false),
            _ => self.subject(summary.envelope.subject.unwrap_or_default()),
        };
        let arrived = row.internal_date.seconds;
        self.messages.push(Message { uid: row.uid.0, sent: sent(row, Some(summary)), arrived, subject, is_reply });
        if self.algorithm != Algorithm::OrderedSubject {
            let envelope = &summary.envelope;
            self.links.add(envelope.message_id, summary.references, envelope.in_reply_to);
        }
    }
}
