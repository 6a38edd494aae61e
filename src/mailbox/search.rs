//! SEARCH (RFC 9051 §6.4.4): a protocol-neutral query, evaluated from the cheapest source to the dearest.
//!
//! For each message: the index row, the cached record, the header, the body; each only if what came
//! before does not decide. Header and body are read in pieces, all texts that still matter are looked
//! for in one pass, and memory does not depend on the message. Other tasks run between messages and pieces.

mod plan;
mod reading;
#[cfg(test)]
mod tests;

use super::{Error, Mailbox};
use crate::types::{ContentId, ModSeq, SystemFlags, Uid, UidSet};
use plan::Plan;
use reading::Reading;
use smol::future::yield_now;

/// Messages whose records are looked at before other tasks get their turn.
const MESSAGES_AT_ONCE: usize = 16;

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
    /// Texts are compared without regard to case, encoded words and transfer encodings decoded.
    /// Recursion follows the nesting of the query, which its maker bounds.
    ///
    /// # Errors
    /// `NotFound` where the mailbox is gone, `Temporary` where the store fails.
    pub async fn search(&self, query: &Query, among: &UidSet) -> Result<UidSet, Error> {
        let plan = Plan::new(query, &self.keywords()?);
        let among = plan.narrow(among);
        let mut found = UidSet::new();
        let mut known = plan.nothing_known();
        let (mut next, mut looked_at) = (Uid(1), 0usize);
        loop {
            let rows = self.rows(&among, next)?;
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            for row in &rows {
                let matches = match plan.decide(row, None, &mut known) {
                    Some(matches) => matches,
                    None => match self.message(row.uid) {
                        Err(Error::Expunged) => false,
                        Err(error) => return Err(error),
                        Ok(message) => {
                            looked_at += 1;
                            if looked_at.is_multiple_of(MESSAGES_AT_ONCE) {
                                yield_now().await;
                            }
                            let matches = match plan.decide(row, Some(message.record()), &mut known) {
                                Some(matches) => matches,
                                None => Box::pin(Reading::new(&plan, row, &message, &mut known).run()).await?,
                            };
                            known.fill(None);
                            matches
                        }
                    },
                };
                if matches {
                    found.insert(row.uid.0);
                }
            }
            let Some(behind) = last.0.checked_add(1) else { break };
            next = Uid(behind);
            yield_now().await;
        }
        Ok(found)
    }
}
