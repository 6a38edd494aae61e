//! SEARCH (RFC 3501 §6.4.4, RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 5267, RFC 9394): turns sequence numbers and
//! \Recent into UIDs; the mailbox core does the search.
//!
//! A sequence number that no message has matches nothing here, while FETCH and STORE refuse it: a search asks which
//! messages there are.

use super::{search_result, with_limit};
use crate::imap::command::{FetchItem, SearchKey, SearchReturn};
use crate::imap::context;
use crate::imap::message_limit;
use crate::imap::object_id;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::selected::View;
use crate::imap::sync::{Selected, write_number};
use crate::imap::wire::Tag;
use crate::mailbox::Mailbox;
use crate::mailbox::search::Query;
use crate::types::{ModSeq, SystemFlags, Uid, UidSet};
use smol::future::yield_now;
use std::time::{SystemTime, UNIX_EPOCH};

/// Limit: ranges of UIDs in all sets of one search that has several, so that naming the same messages again and
/// again costs no memory.
const RANGES_MAX: usize = 64 * 1024;

/// Octets of the answer that are collected before they are sent.
const PIECE: usize = 4096;

/// What to look for, and what to tell of it.
pub struct Request {
    /// The answer holds UIDs.
    pub uid: bool,
    /// The result options; None: a plain SEARCH.
    pub returns: Option<SearchReturn>,
    /// What to tell of new messages that enter a result which is kept up to date (RFC 5465 §7).
    pub fetch: Vec<FetchItem>,
    /// The keys; all of them must match.
    pub keys: Vec<SearchKey>,
}

/// Tells which messages match.
///
/// # Errors
/// NO where the store fails, with `[LIMIT]` where the sets are too many, or with `[NOTSAVED]` where the result is too
/// large to be saved.
pub async fn run(selected: &mut Selected, out: &mut Output<'_>, tag: &Tag, request: Request) -> Result<Reply, Failure> {
    let Request { uid, returns, fetch, keys } = request;
    if returns.is_some_and(|returns| returns.update) && context::is_known(selected, tag) {
        return Err(Reply::bad("Tag reuse").into());
    }
    let lasting = returns.filter(|returns| returns.update).and_then(|_| context::lasting(&selected.view, &keys));
    // RFC 9051 §6.4.4: without options ALL is meant, and the answer is never SEARCH.
    let all = SearchReturn { all: true, ..SearchReturn::default() };
    let returns = returns.or(selected.enabled.rev2.then_some(all));
    let asks_modseq = SearchKey::any(&keys, &|key| matches!(key, SearchKey::ModSeq(_)));
    let query = translate(&selected.view, keys);
    if returns.is_some_and(|returns| returns.save) {
        // RFC 5182 §2.1: a search that fails leaves nothing saved.
        selected.view.save(&UidSet::new());
    }
    let query = query?;
    let among = message_limit::searched(&query, selected.view.uids());
    let (among, cut) = message_limit::cut(among, selected.message_limit);
    let found = find_among(&selected.mailbox, out, &query, &among).await?;
    let reply = Reply::ok("SEARCH completed");
    let Some(returns) = returns else {
        tell_list(selected, out, uid, asks_modseq, &found).await?;
        return with_limit(reply, cut, out).await;
    };
    let result = search_result::Outcome::new(returns, found);
    if returns.save && !selected.view.save(result.told()) {
        return Err(Reply::no("The result is too large to be saved").code("NOTSAVED").into());
    }
    if result.is_asked_for() {
        let modseq = if asks_modseq { highest_modseq(&selected.mailbox, result.told()).await? } else { None };
        result.tell(&selected.view, out, tag, uid, modseq).await?;
    }
    if returns.update {
        let keys = lasting.filter(|_| cut.is_none());
        let head = (search_result::head(tag, uid), uid, fetch);
        context::begin(selected, out, tag, head, (keys, result.found())).await?;
    }
    with_limit(reply, cut, out).await
}

/// The messages that match; tells how far the search has come.
///
/// # Errors
/// NO where the store fails.
pub(super) async fn find(selected: &Selected, out: &mut Output<'_>, query: &Query) -> Result<UidSet, Failure> {
    find_among(&selected.mailbox, out, query, selected.view.uids()).await
}

/// The same in any mailbox, among these messages.
pub(super) async fn find_among(
    mailbox: &Mailbox,
    out: &mut Output<'_>,
    query: &Query,
    among: &UidSet,
) -> Result<UidSet, Failure> {
    let mut search = mailbox.searching(query, among)?;
    while let Some(progress) = search.step().await? {
        out.progress(progress).await?;
    }
    Ok(search.into_found())
}

/// The untagged SEARCH response.
async fn tell_list(
    selected: &Selected,
    out: &mut Output<'_>,
    uid: bool,
    asks_modseq: bool,
    found: &UidSet,
) -> Result<(), Failure> {
    let mut line = b"* SEARCH".to_vec();
    for found in found.iter() {
        let number = if uid { Some(found) } else { selected.view.number(Uid(found)) };
        if let Some(number) = number {
            write_number(&mut line, " ", u64::from(number), "");
        }
        if line.len() >= PIECE {
            out.put(&line).await?;
            line.clear();
        }
    }
    // RFC 7162 §3.1.6
    if asks_modseq && let Some(modseq) = highest_modseq(&selected.mailbox, found).await? {
        write_number(&mut line, " (MODSEQ ", modseq.0, ")");
    }
    line.extend_from_slice(b"\r\n");
    out.put(&line).await
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The highest modification sequence among messages.
pub(super) async fn highest_modseq(mailbox: &Mailbox, uids: &UidSet) -> Result<Option<ModSeq>, Failure> {
    let (mut highest, mut from) = (None, Uid(1));
    loop {
        let rows = mailbox.rows(uids, from)?;
        highest = highest.max(rows.iter().map(|row| row.modseq).max());
        let Some(next) = rows.last().and_then(|last| last.uid.0.checked_add(1)) else { return Ok(highest) };
        from = Uid(next);
        yield_now().await;
    }
}

/// The keys as a query of the core, in the eyes of a client that knows this view.
///
/// # Errors
/// NO where the sets are too many.
pub(in crate::imap) fn translate(view: &View, keys: Vec<SearchKey>) -> Result<Query, Failure> {
    Translation { view, now: now(), sets: 0, ranges: 0 }.all(keys)
}

/// What no message is.
fn nothing() -> Query {
    Query::Not(Box::new(Query::All))
}

/// Keys as the client wrote them to a query of the core. The parser bounds how deep they nest.
struct Translation<'a> {
    view: &'a View,
    /// Seconds since 1970.
    now: i64,
    sets: usize,
    ranges: usize,
}

impl Translation<'_> {
    fn all(&mut self, keys: Vec<SearchKey>) -> Result<Query, Failure> {
        Ok(Query::And(keys.into_iter().map(|key| self.one(key)).collect::<Result<_, _>>()?))
    }

    fn one(&mut self, key: SearchKey) -> Result<Query, Failure> {
        Ok(match key {
            SearchKey::All => Query::All,
            SearchKey::Sequence(set) => self.messages(self.view.by_number_existing(&set))?,
            SearchKey::Uid(set) => self.messages(self.view.by_uid(&set))?,
            SearchKey::UidAfter(uid) => {
                let last = uid.or_else(|| self.view.saved().last());
                let first = last.and_then(|last| last.checked_add(1));
                self.messages(first.map_or_else(UidSet::new, |first| self.known(first, u32::MAX)))?
            }
            SearchKey::UidBefore(uid) => {
                let first = uid.or_else(|| self.view.saved().first());
                self.messages(first.map_or_else(UidSet::new, |first| self.known(1, first.saturating_sub(1))))?
            }
            SearchKey::Flag { flag, set } => Query::Flag { flag, set },
            SearchKey::Keyword { keyword, set } => Query::Keyword { keyword, set },
            SearchKey::Recent(true) => self.messages(self.view.recent().clone())?,
            SearchKey::Recent(false) => Query::Not(Box::new(self.messages(self.view.recent().clone())?)),
            SearchKey::New => {
                let unseen = Query::Flag { flag: SystemFlags::SEEN, set: false };
                Query::And(vec![self.messages(self.view.recent().clone())?, unseen])
            }
            SearchKey::Before(day) => Query::Before(day),
            SearchKey::On(day) => Query::On(day),
            SearchKey::Since(day) => Query::Since(day),
            SearchKey::SentBefore(day) => Query::SentBefore(day),
            SearchKey::SentOn(day) => Query::SentOn(day),
            SearchKey::SentSince(day) => Query::SentSince(day),
            SearchKey::SavedBefore(day) => Query::SavedBefore(day),
            SearchKey::SavedOn(day) => Query::SavedOn(day),
            SearchKey::SavedSince(day) => Query::SavedSince(day),
            SearchKey::EmailId(id) => object_id::parse_email(&id).map_or_else(nothing, Query::Content),
            SearchKey::ThreadId(_) => nothing(),
            SearchKey::ModSeq(modseq) => Query::ModSeq(modseq),
            SearchKey::Older(seconds) => Query::NotAfter(self.now.saturating_sub(i64::from(seconds))),
            SearchKey::Younger(seconds) => Query::NotBefore(self.now.saturating_sub(i64::from(seconds))),
            SearchKey::Larger(octets) => Query::Larger(octets),
            SearchKey::Smaller(octets) => Query::Smaller(octets),
            SearchKey::Header { field, text } => Query::Header { field, text },
            SearchKey::Body(text) => Query::Body(text),
            SearchKey::Text(text) => Query::Text(text),
            SearchKey::Not(key) => Query::Not(Box::new(self.one(*key)?)),
            SearchKey::Or(left, right) => Query::Or(Box::new(self.one(*left)?), Box::new(self.one(*right)?)),
            SearchKey::And(keys) => self.all(keys)?,
        })
    }

    /// The messages of the view with such UIDs.
    fn known(&self, first: u32, last: u32) -> UidSet {
        UidSet::from_range(first, last).intersection(self.view.uids())
    }

    fn messages(&mut self, uids: UidSet) -> Result<Query, Failure> {
        self.sets += 1;
        self.ranges = self.ranges.saturating_add(uids.ranges().len());
        if self.sets > 1 && self.ranges > RANGES_MAX {
            return Err(Reply::no("The search names too many messages").code("LIMIT").into());
        }
        Ok(Query::Uids(uids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::SequenceSet;

    fn translate(view: &View, keys: Vec<SearchKey>) -> Option<Query> {
        Translation { view, now: 0, sets: 0, ranges: 0 }.all(keys).ok()
    }

    fn everything() -> SearchKey {
        SearchKey::Sequence(SequenceSet { items: vec![(Some(1), None)] })
    }

    #[test]
    fn numbers_and_recent_become_uids() {
        let mut view = View::new([5, 7, 9].into_iter().collect(), Uid(10), ModSeq(1));
        view.add_recent(Uid(7), Uid(10));
        let two_on = SearchKey::Sequence(SequenceSet { items: vec![(Some(2), Some(40))] });
        let query = translate(&view, vec![SearchKey::Not(Box::new(two_on)), SearchKey::Recent(false)]);
        let recent = || Box::new(Query::Uids([7, 9].into_iter().collect()));
        assert_eq!(query, Some(Query::And(vec![Query::Not(recent()), Query::Not(recent())])));
    }

    #[test]
    fn many_sets_of_a_fragmented_mailbox_are_refused() {
        let view = View::new((1..=100_000).filter(|uid| uid % 2 == 0).collect(), Uid(100_001), ModSeq(1));
        assert!(translate(&view, vec![everything()]).is_some());
        assert!(translate(&view, vec![everything(), everything()]).is_none());
    }
}
