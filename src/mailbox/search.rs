//! SEARCH (RFC 9051 §6.4.4): a protocol-neutral query, evaluated from the cheapest source to the dearest.
//!
//! For each message: the index row, the cached record, the header, the body; each only if what came
//! before does not decide. Rows and records are looked at where they lie, 64 in a transaction; header and body
//! are read in pieces, all texts that still matter are looked for in one pass, and memory does not depend on the
//! message. Other tasks run between these steps.

mod plan;
mod reading;
#[cfg(test)]
mod tests;

use super::fetch::Look;
use super::{Error, Mailbox, Row};
use crate::message::Summary;
use crate::types::{ContentId, ModSeq, SystemFlags, Uid, UidSet};
use plan::{Known, Plan};
use reading::Reading;
use smol::future::yield_now;
use std::collections::VecDeque;

/// How far a long command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Messages that are done.
    pub done: u32,
    /// Of how many.
    pub goal: u32,
}

/// What to look for. Sequence numbers, `\Recent` and saved results are resolved to UIDs by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// ALL
    All,
    /// These messages.
    Uids(UidSet),
    /// MODSEQ (RFC 7162 §3.1.5): this modification sequence or a higher one.
    ModSeq(ModSeq),
    /// A system flag is set, or not.
    Flag {
        /// The flag.
        flag: SystemFlags,
        /// Whether it has to be set.
        set: bool,
    },
    /// A keyword is set, or not.
    Keyword {
        /// The keyword, in any case.
        keyword: String,
        /// Whether it has to be set.
        set: bool,
    },
    /// BEFORE: the internal date's day in its own zone is earlier; days since 1970-01-01.
    Before(i32),
    /// ON
    On(i32),
    /// SINCE
    Since(i32),
    /// The internal date is this moment or an earlier one, in seconds since 1970 (RFC 5032 OLDER).
    NotAfter(i64),
    /// The internal date is this moment or a later one (RFC 5032 YOUNGER).
    NotBefore(i64),
    /// SENTBEFORE: the Date field's own day is earlier. A message whose Date cannot be read has none.
    SentBefore(i32),
    /// SENTON
    SentOn(i32),
    /// SENTSINCE
    SentSince(i32),
    /// SAVEDBEFORE (RFC 8514): the day on which it came into its mailbox is earlier, in the zone of this machine.
    SavedBefore(i32),
    /// SAVEDON
    SavedOn(i32),
    /// SAVEDSINCE
    SavedSince(i32),
    /// EMAILID (RFC 8474): its content is that one.
    Content(ContentId),
    /// LARGER, in octets
    Larger(u64),
    /// SMALLER, in octets
    Smaller(u64),
    /// A field of that name holds the text; the empty text asks whether there is such a field.
    Header {
        /// The name, in any case.
        field: String,
        /// The text.
        text: String,
    },
    /// BODY: the text is in the body: in a part of text, or in the header of a message inside.
    Body(String),
    /// TEXT: the text is in the header, in the MIME header of a part, or in the body.
    Text(String),
    /// NOT
    Not(Box<Query>),
    /// OR
    Or(Box<Query>, Box<Query>),
    /// All of them; none is ALL.
    And(Vec<Query>),
}

impl Mailbox {
    /// The messages of `among` that match. Messages that are expunged meanwhile do not.
    ///
    /// Texts are compared by i;unicode-casemap (RFC 5051), encoded words and transfer encodings decoded.
    /// Recursion follows the nesting of the query, which its maker bounds.
    ///
    /// # Errors
    /// `NotFound` where the mailbox is gone, `Temporary` where the store fails.
    pub async fn search(&self, query: &Query, among: &UidSet) -> Result<UidSet, Error> {
        let mut search = self.searching(query, among)?;
        while search.step().await?.is_some() {}
        Ok(search.into_found())
    }

    /// A search that is done step by step, so that the caller can tell how far it has come.
    ///
    /// # Errors
    /// As [`Mailbox::search`].
    pub fn searching(&self, query: &Query, among: &UidSet) -> Result<Search<'_>, Error> {
        let plan = Plan::new(query, &self.keywords()?);
        let among = plan.narrow(among);
        let known = plan.nothing_known();
        let (goal, next) = (among.len(), among.first().map(Uid));
        let candidates = Candidates { plan, known, found: UidSet::new(), open: VecDeque::new(), done: 0 };
        Ok(Search { mailbox: self, among, goal, next, candidates })
    }
}

/// A search under way.
pub struct Search<'a> {
    mailbox: &'a Mailbox,
    among: UidSet,
    goal: u32,
    /// Where the next step goes on.
    next: Option<Uid>,
    candidates: Candidates,
}

/// What is known of the messages so far.
struct Candidates {
    plan: Plan,
    known: Known,
    found: UidSet,
    /// Messages that row and record do not decide; at most those of one step.
    open: VecDeque<Row>,
    done: u32,
}

impl Candidates {
    fn decided(&mut self, uid: Uid, matches: bool) {
        self.done = self.done.saturating_add(1);
        if matches {
            self.found.insert(uid.0);
        }
    }
}

impl Look for Candidates {
    fn at_row(&mut self, row: &Row) -> bool {
        match self.plan.decide(row, None, &mut self.known) {
            Some(matches) => self.decided(row.uid, matches),
            None => return true,
        }
        false
    }

    fn at_record(&mut self, row: &Row, summary: &Summary<'_>) {
        match self.plan.decide(row, Some(summary), &mut self.known) {
            Some(matches) => self.decided(row.uid, matches),
            None => self.open.push_back(row.clone()),
        }
        self.known.clear();
    }
}

impl Search<'_> {
    /// Looks at the next rows and records, or through one message. None: all is done.
    ///
    /// # Errors
    /// As [`Mailbox::search`].
    pub async fn step(&mut self) -> Result<Option<Progress>, Error> {
        if let Some(row) = self.candidates.open.pop_front() {
            self.read(&row).await?;
        } else if let Some(next) = self.next {
            self.next = self.mailbox.look(&self.among, next, &mut self.candidates)?;
        } else {
            return Ok(None);
        }
        yield_now().await;
        // Messages that are gone are never done: the goal is not passed, and perhaps not reached.
        Ok(Some(Progress { done: self.candidates.done.min(self.goal), goal: self.goal }))
    }

    /// What was found, once all is done.
    #[must_use]
    pub fn into_found(self) -> UidSet {
        self.candidates.found
    }

    async fn read(&mut self, row: &Row) -> Result<(), Error> {
        let Candidates { plan, known, .. } = &mut self.candidates;
        let matches = match self.mailbox.message(row.uid) {
            Err(Error::Expunged) => false,
            Err(error) => return Err(error),
            Ok(message) => Box::pin(Reading::new(plan, row, &message, known).run()).await?,
        };
        known.clear();
        self.candidates.decided(row.uid, matches);
        Ok(())
    }
}
