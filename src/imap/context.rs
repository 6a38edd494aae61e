//! Searches that are kept up to date (RFC 5267 §4.3): what enters a result and what leaves it is told whenever the selected
//! mailbox is synchronised.
//!
//! Only messages that are new or changed are looked at again, and the last one, because `*` may have come to mean another.
//!
//! Invariant: what a client has after all that it was told is what the same search would give it in its view.
//!
//! Results whose change no message causes are refused: those of OLDER and YOUNGER.

use super::cmd::fetch;
use super::cmd::search::translate;
use super::command::{FetchItem, SearchKey, SequenceSet};
use super::output::Output;
use super::reply::Failure;
use super::selected::View;
use super::sync::Selected;
use super::wire::{Tag, write};
use crate::types::UidSet;
use std::sync::Arc;

/// Limit: searches that are kept up to date in one session.
const CONTEXTS_MAX: usize = 8;
/// Limit: ranges of all their results together, 128 KB of them.
const RANGES_MAX: usize = 16 * 1024;
/// Limit: items of the message sets in the keys of one.
const ITEMS_MAX: usize = 4096;
/// Limit: ranges told in one response; more make several.
const RANGES_AT_ONCE: usize = 256;

/// A search that is kept up to date.
pub struct Context {
    tag: Tag,
    /// The beginning of its responses, up to `UID`.
    head: Vec<u8>,
    /// UIDs are told, not numbers.
    uid: bool,
    /// What to tell of new messages that enter the result (RFC 5465 §7).
    fetch: Arc<[FetchItem]>,
    /// The keys, sequence numbers and `$` resolved when the search came.
    keys: Vec<SearchKey>,
    /// What the client has.
    found: UidSet,
    /// What must be looked at again.
    due: UidSet,
    /// What `*` meant when it was looked at.
    last: Option<u32>,
}

/// New messages, and what is to be told of them.
pub type ToFetch = (UidSet, Arc<[FetchItem]>);

/// The keys as they mean the same later, in the eyes of a client that knows this view; None where their result would
/// change by itself, or they are too many.
#[must_use]
pub fn lasting(view: &View, keys: &[SearchKey]) -> Option<Vec<SearchKey>> {
    let by_clock = SearchKey::any(keys, &|key| matches!(key, SearchKey::Older(_) | SearchKey::Younger(_)));
    let mut items = 0;
    let keys = keys.iter().map(|key| resolved(view, key, &mut items)).collect();
    (!by_clock && items <= ITEMS_MAX).then_some(keys)
}

/// One key of [`lasting`]. The parser bounds how deep they nest.
fn resolved(view: &View, key: &SearchKey, items: &mut usize) -> SearchKey {
    let mut these = |uids: &UidSet| {
        *items = items.saturating_add(uids.ranges().len());
        if uids.is_empty() {
            return SearchKey::Not(Box::new(SearchKey::All));
        }
        // Too many are refused as a whole.
        let ranges = uids.ranges().iter().take(ITEMS_MAX);
        let items = ranges.map(|range| (Some(range.first), Some(range.last))).collect();
        SearchKey::Uid(SequenceSet { items })
    };
    match key {
        SearchKey::Sequence(set) => these(&view.by_number_existing(set)),
        SearchKey::Uid(set) if set.is_saved() => these(view.saved()),
        SearchKey::Uid(set) => {
            *items = items.saturating_add(set.items.len());
            key.clone()
        }
        SearchKey::UidAfter(None) | SearchKey::UidBefore(None) => {
            let after = matches!(key, SearchKey::UidAfter(None));
            match if after { view.saved().last() } else { view.saved().first() } {
                Some(uid) if after => SearchKey::UidAfter(Some(uid)),
                Some(uid) => SearchKey::UidBefore(Some(uid)),
                None => SearchKey::Not(Box::new(SearchKey::All)),
            }
        }
        SearchKey::Not(key) => SearchKey::Not(Box::new(resolved(view, key, items))),
        SearchKey::Or(left, right) => {
            let left = resolved(view, left, items);
            SearchKey::Or(Box::new(left), Box::new(resolved(view, right, items)))
        }
        SearchKey::And(keys) => SearchKey::And(keys.iter().map(|key| resolved(view, key, items)).collect()),
        other => other.clone(),
    }
}

/// Keeps a finished search up to date from now on; where that is not possible the client is told (RFC 5267 §4.3.1).
/// `keys` are [`lasting`], `head` begins its ESEARCH responses, `fetch` is told of new messages.
///
/// # Errors
/// Where the connection is gone.
pub async fn begin(
    selected: &mut Selected,
    out: &mut Output<'_>,
    tag: &Tag,
    (head, uid, fetch): (Vec<u8>, bool, Vec<FetchItem>),
    (keys, found): (Option<Vec<SearchKey>>, &UidSet),
) -> Result<(), Failure> {
    let held: usize = selected.contexts.iter().map(|context| context.found.ranges().len()).sum();
    let fits = selected.contexts.len() < CONTEXTS_MAX && held.saturating_add(found.ranges().len()) <= RANGES_MAX;
    let Some(keys) = keys.filter(|_| fits) else { return refuse(out, tag).await };
    let last = selected.view.uids().last();
    let (tag, found) = (tag.clone(), found.clone());
    selected.contexts.push(Context { tag, head, uid, fetch: fetch.into(), keys, found, due: UidSet::new(), last });
    Ok(())
}

/// NOUPDATE (RFC 5267 §4.3.2) as an untagged response.
#[must_use]
pub fn no_update(tag: &Tag) -> String {
    format!("NO [NOUPDATE \"{tag}\"] This search is not kept up to date")
}

/// The same, told.
///
/// # Errors
/// Where the connection is gone.
pub async fn refuse(out: &mut Output<'_>, tag: &Tag) -> Result<(), Failure> {
    out.untagged(&no_update(tag)).await
}

/// Whether a search with that tag is kept up to date.
#[must_use]
pub fn is_known(selected: &Selected, tag: &Tag) -> bool {
    selected.contexts.iter().any(|context| context.tag == *tag)
}

/// Ends the updates of the searches with these tags (RFC 5267 §4.3.5).
pub fn cancel(selected: &mut Selected, tags: &[String]) {
    selected.contexts.retain(|context| !tags.iter().any(|tag| tag == context.tag.as_str()));
}

/// The client will use UIDs only: results in sequence numbers have no meaning any more (RFC 9586). The tags of the searches
/// that end by it, each of which the client has to hear of.
pub fn forget_numbers(selected: &mut Selected) -> Vec<Tag> {
    let ended = selected.contexts.extract_if(.., |context| !context.uid);
    ended.map(|context| context.tag).collect()
}

/// Tells that messages which are gone left the results. Before their expunge is told, because it takes their numbers
/// (RFC 5267 §4.3.4); also where that has to wait.
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_expunged(selected: &mut Selected, out: &mut Output<'_>) -> Result<(), Failure> {
    let Selected { contexts, view, .. } = selected;
    for context in contexts.iter_mut() {
        let gone = context.found.intersection(view.expunged());
        context.found = context.found.difference(&gone);
        context.due = context.due.difference(view.expunged());
        context.tell(view, out, "REMOVEFROM", &gone).await?;
    }
    Ok(())
}

/// Looks at messages that are new or changed, and tells which of them entered the results and which left. Behind EXISTS
/// and FETCH, so that their numbers are known (RFC 5267 §4.3.3). What is asked of new messages is told behind them: with
/// NOTIFY later, together with what that asks for.
///
/// # Errors
/// Where the connection is gone.
pub async fn update(
    selected: &mut Selected,
    out: &mut Output<'_>,
    changed: &UidSet,
    arrived: &UidSet,
) -> Result<(), Failure> {
    // Taken out while the view is read; put back whatever happens but the end of the session.
    let contexts = std::mem::take(&mut selected.contexts);
    let mut held = 0_usize;
    for mut context in contexts {
        let last = selected.view.uids().last();
        if last != context.last {
            let (one, other) = (last.unwrap_or(1), context.last.unwrap_or(1));
            context.due.insert_range(one.min(other), one.max(other));
            context.last = last;
        }
        context.due = context.due.union(changed).intersection(selected.view.uids());
        let due = context.due.difference(selected.view.expunged());
        if !due.is_empty() {
            let Ok(query) = translate(&selected.view, context.keys.clone()) else {
                refuse(out, &context.tag).await?;
                continue;
            };
            // What cannot be read now is looked at next time.
            if let Ok(matching) = selected.mailbox.search(&query, &due).await {
                let left = context.found.intersection(&due).difference(&matching);
                let entered = matching.difference(&context.found);
                context.found = context.found.difference(&left).union(&entered);
                context.due = UidSet::new();
                context.tell(&selected.view, out, "REMOVEFROM", &left).await?;
                context.tell(&selected.view, out, "ADDTO", &entered).await?;
                context.ask(&mut selected.to_fetch, &entered.intersection(arrived));
            }
        }
        held = held.saturating_add(context.found.ranges().len());
        if held > RANGES_MAX {
            refuse(out, &context.tag).await?;
        } else {
            selected.contexts.push(context);
        }
    }
    if selected.listening.is_some() { Ok(()) } else { tell_fetched(selected, out, UidSet::new(), &[]).await }
}

/// Tells of new messages what the searches ask for whose results they entered, and `more` of those that `arrived`: all in
/// one FETCH response for each message, behind ADDTO (RFC 5465 §5.2; the example in §7 has it before).
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_fetched(
    selected: &mut Selected,
    out: &mut Output<'_>,
    arrived: UidSet,
    more: &[FetchItem],
) -> Result<(), Failure> {
    // Messages of which the same is told; as many as there are combinations of searches at most.
    let mut parts = vec![(arrived, more.to_vec())];
    for (mut uids, items) in std::mem::take(&mut selected.to_fetch) {
        for index in 0..parts.len() {
            let Some((others, wanted)) = parts.get_mut(index) else { break };
            let both = others.intersection(&uids);
            if both.is_empty() {
                continue;
            }
            let mut wanted = wanted.clone();
            wanted.extend(items.iter().filter(|item| !wanted.contains(item)).cloned().collect::<Vec<_>>());
            *others = others.difference(&both);
            uids = uids.difference(&both);
            parts.push((both, wanted));
        }
        parts.push((uids, items.to_vec()));
        parts.retain(|(uids, _)| !uids.is_empty());
    }
    for (uids, items) in parts.iter().filter(|(uids, items)| !uids.is_empty() && !items.is_empty()) {
        Box::pin(fetch::tell_new(selected, out, uids, items)).await?;
    }
    Ok(())
}

impl Context {
    /// Notes new messages that entered the result.
    fn ask(&self, to_fetch: &mut Vec<ToFetch>, new: &UidSet) {
        if new.is_empty() || self.fetch.is_empty() {
            return;
        }
        match to_fetch.iter_mut().find(|(_, items)| Arc::ptr_eq(items, &self.fetch)) {
            Some((uids, _)) => *uids = uids.union(new),
            None => to_fetch.push((new.clone(), Arc::clone(&self.fetch))),
        }
    }

    /// Tells of messages in the order of the mailbox, so that their place needs not be told (RFC 5267 §4.3.3).
    async fn tell(&self, view: &View, out: &mut Output<'_>, item: &str, uids: &UidSet) -> Result<(), Failure> {
        if uids.is_empty() {
            return Ok(());
        }
        let numbered = if self.uid { uids.clone() } else { view.numbers(uids) };
        for ranges in numbered.ranges().chunks(RANGES_AT_ONCE) {
            let mut line = self.head.clone();
            line.extend_from_slice(format!(" {item} (0 ").as_bytes());
            write::ranges(&mut line, ranges);
            line.extend_from_slice(b")\r\n");
            out.put(&line).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ModSeq, Uid};

    #[test]
    fn numbers_are_resolved_once_and_for_all() {
        let mut view = View::new([3, 5, 8].into_iter().collect(), Uid(9), ModSeq(1));
        view.save(&UidSet::from_range(5, 8));
        let set = |items: &[(Option<u32>, Option<u32>)]| SequenceSet { items: items.to_vec() };
        let keys = vec![
            SearchKey::Not(Box::new(SearchKey::Sequence(set(&[(Some(2), None)])))),
            SearchKey::And(vec![SearchKey::Uid(SequenceSet::SAVED), SearchKey::Uid(set(&[(Some(4), None)]))]),
            SearchKey::Or(Box::new(SearchKey::UidAfter(None)), Box::new(SearchKey::UidBefore(None))),
            SearchKey::Sequence(set(&[(Some(9), Some(9))])),
        ];
        let both = || SearchKey::Uid(set(&[(Some(5), Some(5)), (Some(8), Some(8))]));
        let wanted = vec![
            SearchKey::Not(Box::new(both())),
            SearchKey::And(vec![both(), SearchKey::Uid(set(&[(Some(4), None)]))]),
            SearchKey::Or(Box::new(SearchKey::UidAfter(Some(8))), Box::new(SearchKey::UidBefore(Some(5)))),
            SearchKey::Not(Box::new(SearchKey::All)),
        ];
        assert_eq!(lasting(&view, &keys), Some(wanted));
    }

    #[test]
    fn what_changes_by_itself_or_is_too_much_is_refused() {
        let view = View::new((1..=10_000).filter(|uid| uid % 2 == 0).collect(), Uid(10_001), ModSeq(1));
        assert_eq!(lasting(&view, &[SearchKey::Not(Box::new(SearchKey::Older(5)))]), None);
        let all = || SearchKey::Sequence(SequenceSet { items: vec![(Some(1), None)] });
        assert_eq!(lasting(&view, &[all()]), None);
        assert!(lasting(&view, &[SearchKey::All]).is_some());
    }
}
