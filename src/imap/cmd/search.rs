//! SEARCH (RFC 3501 §6.4.4): turns sequence numbers and \Recent into UIDs; the mailbox core does the search.
//!
//! A sequence number that no message has matches nothing here, while FETCH and STORE refuse it: a search asks which
//! messages there are.

use crate::imap::command::SearchKey;
use crate::imap::object_id;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::selected::View;
use crate::imap::sync::Selected;
use crate::mailbox::search::Query;
use crate::types::{SystemFlags, Uid, UidSet};
use std::io::Write;

/// Limit: ranges of UIDs in all sets of one search that has several, so that naming the same messages again and
/// again costs no memory.
const RANGES_MAX: usize = 64 * 1024;

/// Octets of the answer that are collected before they are sent.
const PIECE: usize = 4096;

/// Tells which messages match.
///
/// # Errors
/// NO where the store fails, or with `[LIMIT]` where the sets are too many.
pub async fn run(
    selected: &mut Selected,
    out: &mut Output<'_>,
    uid: bool,
    keys: Vec<SearchKey>,
) -> Result<Reply, Failure> {
    let query = Translation { view: &selected.view, sets: 0, ranges: 0 }.all(keys)?;
    let found = selected.mailbox.search(&query, selected.view.uids()).await?;
    let mut line = b"* SEARCH".to_vec();
    for found in found.iter() {
        let number = if uid { Some(found) } else { selected.view.number(Uid(found)) };
        if let Some(number) = number {
            // Writing to a Vec cannot fail.
            let _written = write!(line, " {number}");
        }
        if line.len() >= PIECE {
            out.put(&line).await?;
            line.clear();
        }
    }
    line.extend_from_slice(b"\r\n");
    out.put(&line).await?;
    Ok(Reply::ok("SEARCH completed"))
}

/// What no message is.
fn nothing() -> Query {
    Query::Not(Box::new(Query::All))
}

/// Keys as the client wrote them to a query of the core. The parser bounds how deep they nest.
struct Translation<'a> {
    view: &'a View,
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
    use crate::types::ModSeq;

    fn translate(view: &View, keys: Vec<SearchKey>) -> Option<Query> {
        Translation { view, sets: 0, ranges: 0 }.all(keys).ok()
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
