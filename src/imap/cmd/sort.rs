//! SORT (RFC 5256), with DISPLAYFROM and DISPLAYTO (RFC 5957), and with result options (RFC 5267 §3, RFC 9394).

use super::search::{self, find};
use crate::imap::command::{SearchKey, SearchReturn};
use crate::imap::output::Output;
use crate::imap::partial::Partial;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::{Selected, write_number};
use crate::imap::wire::{Tag, write};
use crate::mailbox::sort::Criterion;
use crate::types::{Uid, UidRange, UidSet};

/// Octets of the answer that are collected before they are sent.
const PIECE: usize = 4096;

/// What to look for, and how to sort it.
pub struct Request {
    /// The answer holds UIDs.
    pub uid: bool,
    /// The result options; None: a plain SORT.
    pub returns: Option<SearchReturn>,
    /// What to sort by.
    pub criteria: Vec<Criterion>,
    /// The keys; all of them must match.
    pub keys: Vec<SearchKey>,
}

/// Tells which messages match, in the order that is asked for.
///
/// # Errors
/// NO where the store fails, with `[LIMIT]` where there are too many messages, or with `[NOTSAVED]` where the result is
/// too large to be saved.
pub async fn run(selected: &mut Selected, out: &mut Output<'_>, tag: &Tag, request: Request) -> Result<Reply, Failure> {
    let Request { uid, returns, criteria, keys } = request;
    let asks_modseq = SearchKey::any(&keys, &|key| matches!(key, SearchKey::ModSeq(_)));
    let saves = returns.is_some_and(|returns| returns.save);
    let query = search::translate(&selected.view, keys);
    if saves {
        // RFC 5182 §2.1: what fails leaves nothing saved.
        selected.view.save(&UidSet::new());
    }
    let found = find(selected, out, &query?).await?;
    let sorted = sort(selected, out, &criteria, found.clone()).await?;
    let told = told(returns, &sorted, found);
    if saves && !selected.view.save(&told) {
        return Err(Reply::no("The result is too large to be saved").code("NOTSAVED").into());
    }
    let is_asked_for = returns != Some(SearchReturn { save: true, ..SearchReturn::default() });
    if is_asked_for {
        let modseq = if asks_modseq { search::highest_modseq(&selected.mailbox, &told).await? } else { None };
        // Of messages that went meanwhile the client still knows the number.
        let number = |found: &u32| if uid { Some(*found) } else { selected.view.number(Uid(*found)) };
        let numbers: Vec<u32> = sorted.iter().filter_map(number).collect();
        let mut answer = Answer { out, line: Vec::new() };
        match returns {
            Some(returns) => answer.extended(tag, uid, returns, &numbers).await?,
            None => answer.plain(&numbers).await?,
        }
        if let Some(modseq) = modseq {
            let (before, behind) = if returns.is_some() { (" MODSEQ ", "") } else { (" (MODSEQ ", ")") };
            write_number(&mut answer.line, before, modseq.0, behind);
        }
        answer.line.extend_from_slice(b"\r\n");
        answer.out.put(&answer.line).await?;
    }
    Ok(Reply::ok("SORT completed"))
}

async fn sort(
    selected: &Selected,
    out: &mut Output<'_>,
    criteria: &[Criterion],
    found: UidSet,
) -> Result<Vec<u32>, Failure> {
    let mut sorting = selected.mailbox.sorting(criteria, found)?;
    while let Some(progress) = sorting.step().await? {
        out.progress(progress).await?;
    }
    out.while_waiting(sorting.into_sorted()).await
}

/// The messages that `$` stands for afterwards, and whose highest MODSEQ is told: those that the answer names (RFC 5182
/// §2.4, RFC 4731 §3.2).
fn told(returns: Option<SearchReturn>, sorted: &[u32], found: UidSet) -> UidSet {
    let SearchReturn { min, max, all, count, partial, .. } = returns.unwrap_or_default();
    if all || count || !(min || max || partial.is_some()) {
        return found;
    }
    let mut told = partial.map_or(&[][..], |partial| part(partial, sorted)).to_vec();
    told.extend([sorted.first().filter(|_| min), sorted.last().filter(|_| max)].into_iter().flatten());
    // A set is made fast of what ascends.
    told.sort_unstable();
    told.into_iter().collect()
}

/// The places of a sorted result that PARTIAL asks for, in its order.
fn part(partial: Partial, sorted: &[u32]) -> &[u32] {
    let (low, high) = (partial.first.min(partial.last) as usize, partial.first.max(partial.last) as usize);
    let (low, high) = (low.saturating_sub(1), high.min(sorted.len()));
    if low >= high {
        return &[];
    }
    let range = if partial.from_end { sorted.len() - high..sorted.len() - low } else { low..high };
    sorted.get(range).unwrap_or_default()
}

/// The response on its way.
struct Answer<'a, 'b> {
    out: &'a mut Output<'b>,
    line: Vec<u8>,
}

impl Answer<'_, '_> {
    async fn plain(&mut self, numbers: &[u32]) -> Result<(), Failure> {
        self.line.extend_from_slice(b"* SORT");
        for number in numbers {
            write_number(&mut self.line, " ", u64::from(*number), "");
            self.send_when_long().await?;
        }
        Ok(())
    }

    async fn extended(&mut self, tag: &Tag, uid: bool, returns: SearchReturn, numbers: &[u32]) -> Result<(), Failure> {
        let line = &mut self.line;
        line.extend_from_slice(format!("* ESEARCH (TAG \"{tag}\"){}", if uid { " UID" } else { "" }).as_bytes());
        if let Some(first) = numbers.first().filter(|_| returns.min) {
            write_number(line, " MIN ", u64::from(*first), "");
        }
        if let Some(last) = numbers.last().filter(|_| returns.max) {
            write_number(line, " MAX ", u64::from(*last), "");
        }
        if returns.count {
            write_number(line, " COUNT ", numbers.len() as u64, "");
        }
        if returns.all && !numbers.is_empty() {
            line.extend_from_slice(b" ALL ");
            self.in_order(numbers).await?;
        }
        if let Some(partial) = returns.partial {
            self.line.extend_from_slice(format!(" PARTIAL ({partial} ").as_bytes());
            match part(partial, numbers) {
                [] => self.line.extend_from_slice(b"NIL"),
                part => self.in_order(part).await?,
            }
            self.line.push(b')');
        }
        Ok(())
    }

    /// A set in the order of the result: only what ascends one by one is a range (RFC 5267 §3.2).
    async fn in_order(&mut self, numbers: &[u32]) -> Result<(), Failure> {
        for (index, run) in numbers.chunk_by(|left, right| left.checked_add(1) == Some(*right)).enumerate() {
            let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
            if index > 0 {
                self.line.push(b',');
            }
            write::ranges(&mut self.line, &[UidRange { first, last }]);
            self.send_when_long().await?;
        }
        Ok(())
    }

    async fn send_when_long(&mut self) -> Result<(), Failure> {
        if self.line.len() >= PIECE {
            self.out.put(&self.line).await?;
            self.line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_counted_from_either_end(
            sorted in prop::collection::vec(1u32..99, 0..20),
            (first, last, from_end) in (1u32..30, 1u32..30, any::<bool>()),
        ) {
            let places = first.min(last)..=first.max(last);
            let of = |(index, _): &(usize, &u32)| {
                let place = if from_end { sorted.len() - index } else { index + 1 };
                places.contains(&u32::try_from(place).unwrap())
            };
            let wanted: Vec<u32> = sorted.iter().enumerate().filter(of).map(|(_, number)| *number).collect();
            prop_assert_eq!(part(Partial { first, last, from_end }, &sorted), wanted);
        }
    }
}
