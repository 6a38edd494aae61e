//! SEARCH (RFC 3501 §6.4.4).
use crate::imap::command::SearchKey;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::Selected;
/// S
pub async fn run(
    _s: &mut Selected,
    _out: &mut Output<'_>,
    _uid: bool,
    _keys: Vec<SearchKey>,
) -> Result<Reply, Failure> {
    Ok(Reply::ok(""))
}
