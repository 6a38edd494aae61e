//! How many messages one command may touch (RFC 9738). Pure.
//!
//! The limit is for the machine's sake, and so high by default that no real mailbox meets it: a client that does not know the
//! extension takes what a cut FETCH leaves out for gone (RFC 9738 §4), and would delete its own copies.

use super::partial::Partial;
use crate::mailbox::search::Query;
use crate::types::UidSet;

/// The response code where the limit forbids all of a command (RFC 9738 §3.1).
#[must_use]
pub fn code(limit: u32) -> String {
    format!("MESSAGELIMIT {limit}")
}

/// The messages that a command touches: those with the highest UIDs, and the response code where some are left out. The
/// answers ascend all the same, as in an example of RFC 9738 §3.1.
#[must_use]
pub fn cut(uids: UidSet, limit: u32) -> (UidSet, Option<String>) {
    if uids.len() <= limit {
        return (uids, None);
    }
    let kept = Partial { first: 1, last: limit, from_end: true }.of(&uids);
    let code = kept.first().map(|lowest| format!("MESSAGELIMIT {limit} {lowest}"));
    (kept, code)
}

/// Whether a client asks for more places of a list than the limit allows, whatever there is at them.
#[must_use]
pub fn is_exceeded_by(partial: Partial, limit: u32) -> bool {
    partial.first.abs_diff(partial.last) >= limit
}

/// The messages that a search has to look at, as far as its keys name them.
#[must_use]
pub fn searched(query: &Query, among: &UidSet) -> UidSet {
    match query {
        Query::Uids(uids) => among.intersection(uids),
        Query::And(keys) => keys.iter().fold(among.clone(), |among, key| match key {
            Query::Uids(uids) => among.intersection(uids),
            _ => among,
        }),
        _ => among.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_are_kept() {
        let uids: UidSet = [1, 2, 5, 6, 9].into_iter().collect();
        assert_eq!(cut(uids.clone(), 5), (uids.clone(), None));
        assert_eq!(cut(uids, 3), ([5, 6, 9].into_iter().collect(), Some("MESSAGELIMIT 3 5".to_owned())));
        let partial = |first, last| is_exceeded_by(Partial { first, last, from_end: true }, 1000);
        assert!(partial(1, 1001) && partial(1500, 1) && !partial(1, 1000) && !partial(1001, 2000));
    }

    #[test]
    fn only_named_messages_are_searched() {
        let among = UidSet::from_range(1, 100);
        let named = || Query::Uids(UidSet::from_range(90, 200));
        assert_eq!(searched(&named(), &among).len(), 11);
        assert_eq!(searched(&Query::And(vec![named(), Query::All]), &among).len(), 11);
        assert_eq!(searched(&Query::Not(Box::new(named())), &among).len(), 100);
    }
}
