//! What an extended SEARCH tells and saves (RFC 4731 §3, RFC 5182 §2.4, RFC 9394 §3).

use crate::imap::command::SearchReturn;
use crate::imap::enabled::Quoting;
use crate::imap::output::Output;
use crate::imap::reply::Failure;
use crate::imap::selected::View;
use crate::imap::sync::write_number;
use crate::imap::wire::{Tag, write};
use crate::types::{ModSeq, UidSet, UidValidity};

/// Ranges of the answer that are written before they are sent.
const RANGES_AT_ONCE: usize = 256;

/// A finished search.
pub(super) struct Outcome {
    returns: SearchReturn,
    found: UidSet,
    /// The part that PARTIAL asks for.
    part: UidSet,
    /// Where it is less than all: what the answer names.
    told: Option<UidSet>,
}

impl Outcome {
    pub(super) fn new(returns: SearchReturn, found: UidSet) -> Self {
        let part = returns.partial.map(|partial| partial.of(&found)).unwrap_or_default();
        let SearchReturn { min, max, all, count, partial, .. } = returns;
        let told = (!all && !count && (min || max || partial.is_some())).then(|| {
            let mut told = part.clone();
            let ends = [found.first().filter(|_| min), found.last().filter(|_| max)];
            ends.into_iter().flatten().for_each(|uid| told.insert(uid));
            told
        });
        Self { returns, found, part, told }
    }

    /// The messages that `$` stands for afterwards (RFC 5182 §2.4, RFC 9394 §3.2), which are also those whose highest
    /// MODSEQ is told (RFC 4731 §3.2).
    pub(super) fn told(&self) -> &UidSet {
        self.told.as_ref().unwrap_or(&self.found)
    }

    /// Whether there is an answer: SAVE alone has none.
    pub(super) fn is_asked_for(&self) -> bool {
        SearchReturn { update: false, ..self.returns } != SearchReturn { save: true, ..SearchReturn::default() }
    }

    /// All that match.
    pub(super) fn found(&self) -> &UidSet {
        &self.found
    }

    /// Whether nothing matches.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Sends the ESEARCH response.
    pub(super) async fn tell(
        &self,
        view: &View,
        out: &mut Output<'_>,
        tag: &Tag,
        uid: bool,
        modseq: Option<ModSeq>,
    ) -> Result<(), Failure> {
        let numbered = |uids: &UidSet| if uid { uids.clone() } else { view.numbers(uids) };
        self.tell_as(head(tag, uid), out, modseq, (&numbered(&self.found), &numbered(&self.part))).await
    }

    /// Sends the ESEARCH response with the mailbox that it is about (RFC 7377 §2.1).
    pub(super) async fn tell_uids(
        &self,
        out: &mut Output<'_>,
        tag: &Tag,
        modseq: Option<ModSeq>,
        (mailbox, uid_validity): (&str, UidValidity),
    ) -> Result<(), Failure> {
        self.tell_as(
            head_of(tag, mailbox, uid_validity, out.enabled().quoting()),
            out,
            modseq,
            (&self.found, &self.part),
        )
        .await
    }

    /// Sends what is asked for behind `line`; `found` and `part` are numbered as the client wants them.
    async fn tell_as(
        &self,
        mut line: Vec<u8>,
        out: &mut Output<'_>,
        modseq: Option<ModSeq>,
        (found, part): (&UidSet, &UidSet),
    ) -> Result<(), Failure> {
        if let Some(first) = found.first().filter(|_| self.returns.min) {
            write_number(&mut line, " MIN ", u64::from(first), "");
        }
        if let Some(last) = found.last().filter(|_| self.returns.max) {
            write_number(&mut line, " MAX ", u64::from(last), "");
        }
        if self.returns.count {
            write_number(&mut line, " COUNT ", u64::from(found.len()), "");
        }
        if self.returns.all && !found.is_empty() {
            line.extend_from_slice(b" ALL ");
            put_ranges(&mut line, out, found).await?;
        }
        if let Some(partial) = self.returns.partial {
            line.extend_from_slice(format!(" PARTIAL ({partial} ").as_bytes());
            if part.is_empty() {
                line.extend_from_slice(b"NIL");
            } else {
                put_ranges(&mut line, out, part).await?;
            }
            line.push(b')');
        }
        if let Some(modseq) = modseq {
            write_number(&mut line, " MODSEQ ", modseq.0, "");
        }
        line.extend_from_slice(b"\r\n");
        out.put(&line).await
    }
}

/// The beginning of an ESEARCH response.
pub(super) fn head(tag: &Tag, uid: bool) -> Vec<u8> {
    format!("* ESEARCH (TAG \"{tag}\"){}", if uid { " UID" } else { "" }).into_bytes()
}

/// The same with the mailbox that it is about (RFC 7377 §2.1).
pub(super) fn head_of(tag: &Tag, mailbox: &str, uid_validity: UidValidity, quoting: Quoting) -> Vec<u8> {
    let mut head = format!("* ESEARCH (TAG \"{tag}\" MAILBOX ").into_bytes();
    write::mailbox(&mut head, mailbox, quoting);
    write_number(&mut head, " UIDVALIDITY ", u64::from(uid_validity.0), ") UID");
    head
}

/// Writes a set behind `line`, which is sent whenever it has become long.
async fn put_ranges(line: &mut Vec<u8>, out: &mut Output<'_>, set: &UidSet) -> Result<(), Failure> {
    for (index, ranges) in set.ranges().chunks(RANGES_AT_ONCE).enumerate() {
        if index > 0 {
            line.push(b',');
            out.put(line).await?;
            line.clear();
        }
        write::ranges(line, ranges);
    }
    Ok(())
}
