//! SORT (RFC 5256), with DISPLAYFROM and DISPLAYTO (RFC 5957).
//!
//! What the messages are compared by comes from rows and records, read where they lie; no header and no body is
//! opened. A message costs 8 octets for each number and its folded text for each text that is asked for. In the end
//! each column becomes ranks, and the messages are put in order by these without another comparison.

pub(super) mod order;
#[cfg(test)]
mod tests;

use super::fetch::Look;
use super::search::Progress;
use super::{Error, Mailbox, Row};
use crate::message::subject::base_subject;
use crate::message::text::fold_into;
use crate::message::words::decode_words_into;
use crate::message::{Address, Addresses, Summary};
use crate::types::{Uid, UidSet};
use order::sort_gently;
use smol::future::yield_now;
use std::cmp::Ordering;

/// Limit: messages that are sorted or threaded at once; they take up to 80 MB then.
pub(super) const MESSAGES_MAX: u32 = 1 << 20;
/// Limit: octets of the folded texts that are held at once.
const TEXTS_MAX: usize = 32 << 20;
/// Messages that are put in their places before other tasks get their turn.
const AT_ONCE: usize = 4096;
/// Limit: octets of one text that are compared. Texts that are the same so far count as the same.
const TEXT_MAX: usize = 4096;
/// Said where one of these is passed.
pub(super) const TOO_MANY: Error = Error::Limit("There are too many messages to sort; search for fewer");

/// What to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// ARRIVAL: the internal date.
    Arrival,
    /// CC: the mailbox of the first address.
    Cc,
    /// DATE: when it was sent (RFC 5256 §2.2), or else the internal date.
    Date,
    /// DISPLAYFROM (RFC 5957): the name of the first address, or else the address.
    DisplayFrom,
    /// DISPLAYTO
    DisplayTo,
    /// FROM: the mailbox of the first address.
    From,
    /// SIZE
    Size,
    /// SUBJECT: the base subject (RFC 5256 §2.1).
    Subject,
    /// TO: the mailbox of the first address.
    To,
}

/// One criterion of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// What to compare.
    pub key: SortKey,
    /// REVERSE: in descending order.
    pub reverse: bool,
}

/// A sort under way.
pub struct Sorting<'a> {
    mailbox: &'a Mailbox,
    among: UidSet,
    next: Option<Uid>,
    table: Table,
}

impl Mailbox {
    /// Sorts messages: by the first criterion, where that says the same by the second, and in the end by UID.
    ///
    /// # Errors
    /// `Limit` where they are too many.
    pub fn sorting(&self, criteria: &[Criterion], among: UidSet) -> Result<Sorting<'_>, Error> {
        if among.len() > MESSAGES_MAX {
            return Err(TOO_MANY);
        }
        let (next, count) = (among.first().map(Uid), among.len() as usize);
        Ok(Sorting { mailbox: self, among, next, table: Table::new(criteria, count) })
    }
}

impl Sorting<'_> {
    /// Looks at the next messages. None: all are known.
    ///
    /// # Errors
    /// `Limit` where their texts are too long in all, `NotFound`, `Temporary`.
    pub async fn step(&mut self) -> Result<Option<Progress>, Error> {
        let Some(next) = self.next else { return Ok(None) };
        self.next = self.mailbox.look(&self.among, next, &mut self.table)?;
        if self.table.octets > TEXTS_MAX {
            return Err(TOO_MANY);
        }
        yield_now().await;
        let done = u32::try_from(self.table.uids.len()).unwrap_or(u32::MAX);
        Ok(Some(Progress { done, goal: self.among.len() }))
    }

    /// The UIDs in order, once all are known.
    pub async fn into_sorted(self) -> Vec<u32> {
        self.table.into_sorted().await
    }
}

/// The messages and a column for each criterion.
struct Table {
    uids: Vec<u32>,
    columns: Vec<Column>,
    /// Of all texts.
    octets: usize,
    reads_records: bool,
    decoded: String,
    folded: String,
}

struct Column {
    criterion: Criterion,
    values: Values,
}

enum Values {
    Numbers(Vec<i64>),
    /// The texts behind one another, and where each ends.
    Texts(Vec<u8>, Vec<u32>),
}

impl SortKey {
    const fn is_in_row(self) -> bool {
        matches!(self, Self::Arrival | Self::Size)
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Arrival | Self::Size | Self::Date)
    }
}

impl Table {
    /// Room for `count` messages.
    fn new(criteria: &[Criterion], count: usize) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        for &criterion in criteria {
            // A key that came before has nothing left to decide, in neither direction.
            if columns.iter().all(|column| column.criterion.key != criterion.key) {
                let texts = || Values::Texts(Vec::new(), Vec::with_capacity(count));
                let values =
                    if criterion.key.is_number() { Values::Numbers(Vec::with_capacity(count)) } else { texts() };
                columns.push(Column { criterion, values });
            }
        }
        let reads_records = columns.iter().any(|column| !column.criterion.key.is_in_row());
        Self {
            uids: Vec::with_capacity(count),
            columns,
            octets: 0,
            reads_records,
            decoded: String::new(),
            folded: String::new(),
        }
    }

    fn add(&mut self, row: &Row, summary: Option<&Summary<'_>>) {
        let Self { columns, decoded, folded, octets, .. } = self;
        for Column { criterion, values } in columns {
            match values {
                Values::Numbers(numbers) => numbers.push(number(criterion.key, row, summary)),
                Values::Texts(texts, ends) => {
                    decoded.clear();
                    folded.clear();
                    if let Some(summary) = summary {
                        write_text(criterion.key, summary, decoded);
                    }
                    fold_into(decoded, folded);
                    let text = folded.as_bytes();
                    texts.extend_from_slice(text.get(..TEXT_MAX).unwrap_or(text));
                    *octets += text.len().min(TEXT_MAX);
                    // What is larger than TEXTS_MAX is never sorted.
                    ends.push(u32::try_from(texts.len()).unwrap_or(u32::MAX));
                }
            }
        }
    }

    async fn into_sorted(self) -> Vec<u32> {
        let Self { uids, columns, .. } = self;
        let mut order: Vec<u32> = (0..u32::try_from(uids.len()).unwrap_or(u32::MAX)).collect();
        // The last criterion first, and each time equals stay as they are.
        for Column { criterion, values } in columns.into_iter().rev() {
            let ranks = values.into_ranks().await;
            order = by_rank(&order, &ranks, criterion.reverse).await;
        }
        order.iter().filter_map(|index| at(&uids, *index).copied()).collect()
    }
}

impl Look for Table {
    fn at_row(&mut self, row: &Row) -> bool {
        self.uids.push(row.uid.0);
        if !self.reads_records {
            self.add(row, None);
        }
        self.reads_records
    }

    fn at_record(&mut self, row: &Row, summary: &Summary<'_>) {
        self.add(row, Some(summary));
    }
}

impl Values {
    /// The place of each value among the different ones.
    async fn into_ranks(self) -> Vec<u32> {
        match self {
            Self::Numbers(numbers) => {
                let keyed = numbers.into_iter().zip(0..).collect();
                ranks(keyed, |left: &(i64, u32), right| left.0.cmp(&right.0)).await
            }
            Self::Texts(texts, ends) => {
                let text = |index| text(&texts, &ends, index);
                let count = u32::try_from(ends.len()).unwrap_or(u32::MAX);
                let keyed = (0..count).map(|index| (beginning(text(index)), index)).collect();
                let compare = |left: &(u64, u32), right: &(u64, u32)| {
                    left.0.cmp(&right.0).then_with(|| text(left.1).cmp(text(right.1)))
                };
                ranks(keyed, compare).await
            }
        }
    }
}

/// The first octets of a text, which decide most comparisons.
fn beginning(text: &[u8]) -> u64 {
    let mut octets = [0; 8];
    octets.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(octets)
}

/// The place of each key among the different ones; a key comes with the number of its message.
async fn ranks<K: Copy + Default>(
    mut keyed: Vec<(K, u32)>,
    compare: impl Fn(&(K, u32), &(K, u32)) -> Ordering,
) -> Vec<u32> {
    sort_gently(&mut keyed, |left, right| compare(left, right).then(left.1.cmp(&right.1))).await;
    let mut ranks = vec![0; keyed.len()];
    let (mut rank, mut before) = (0, None);
    for piece in keyed.chunks(AT_ONCE) {
        for this in piece {
            if before.is_some_and(|before| compare(before, this).is_ne()) {
                rank += 1;
            }
            before = Some(this);
            if let Some(slot) = usize::try_from(this.1).ok().and_then(|index| ranks.get_mut(index)) {
                *slot = rank;
            }
        }
        yield_now().await;
    }
    ranks
}

/// Brings messages in the order of their ranks, and those of one rank in the order in which they came.
async fn by_rank(order: &[u32], ranks: &[u32], reverse: bool) -> Vec<u32> {
    let highest = ranks.iter().copied().max().unwrap_or(0);
    let place = |index: u32| {
        let rank = at(ranks, index).copied().unwrap_or(0);
        usize::try_from(if reverse { highest - rank } else { rank }).unwrap_or(0)
    };
    // How many are before each rank.
    let mut before = vec![0u32; usize::try_from(highest).unwrap_or(0) + 2];
    for piece in order.chunks(AT_ONCE) {
        for index in piece {
            if let Some(slot) = before.get_mut(place(*index) + 1) {
                *slot += 1;
            }
        }
        yield_now().await;
    }
    let mut sum = 0;
    for slot in &mut before {
        sum += *slot;
        *slot = sum;
    }
    let mut sorted = vec![0; order.len()];
    for piece in order.chunks(AT_ONCE) {
        for index in piece {
            let Some(next) = before.get_mut(place(*index)) else { continue };
            if let Some(slot) = usize::try_from(*next).ok().and_then(|next| sorted.get_mut(next)) {
                *slot = *index;
            }
            *next += 1;
        }
        yield_now().await;
    }
    sorted
}

fn at<T>(values: &[T], index: u32) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| values.get(index))
}

fn text<'a>(texts: &'a [u8], ends: &[u32], index: u32) -> &'a [u8] {
    let end = |index: u32| at(ends, index).and_then(|end| usize::try_from(*end).ok()).unwrap_or(0);
    let start = index.checked_sub(1).map_or(0, end);
    texts.get(start..end(index)).unwrap_or_default()
}

fn number(key: SortKey, row: &Row, summary: Option<&Summary<'_>>) -> i64 {
    match key {
        SortKey::Size => i64::try_from(row.size).unwrap_or(i64::MAX),
        SortKey::Date => sent(row, summary),
        _ => row.internal_date.seconds,
    }
}

/// When a message was sent (RFC 5256 §2.2), in seconds since 1970.
pub(super) fn sent(row: &Row, summary: Option<&Summary<'_>>) -> i64 {
    summary.and_then(|summary| summary.sent_date).unwrap_or(row.internal_date).seconds
}

fn write_text(key: SortKey, summary: &Summary<'_>, out: &mut String) {
    let envelope = &summary.envelope;
    match key {
        SortKey::Cc => write_mailbox(envelope.cc, out),
        SortKey::From => write_mailbox(envelope.from, out),
        SortKey::To => write_mailbox(envelope.to, out),
        SortKey::DisplayFrom => write_display(envelope.from, out),
        SortKey::DisplayTo => write_display(envelope.to, out),
        SortKey::Subject => out.push_str(&base_subject(envelope.subject.unwrap_or_default()).text),
        SortKey::Arrival | SortKey::Date | SortKey::Size => {}
    }
}

/// addr-mailbox of the first address.
fn write_mailbox(mut list: Addresses<'_>, out: &mut String) {
    if let Some(mailbox) = list.next().and_then(|address| address.mailbox) {
        decode_words_into(mailbox, out);
    }
}

/// RFC 5957 §3
fn write_display(mut list: Addresses<'_>, out: &mut String) {
    let Some(Address { name, mailbox, host, .. }) = list.next() else { return };
    decode_words_into(name.unwrap_or_default(), out);
    if out.is_empty()
        && let Some(mailbox) = mailbox
    {
        decode_words_into(mailbox, out);
        if let Some(host) = host {
            out.push('@');
            decode_words_into(host, out);
        }
    }
}
