//! THREAD (RFC 5256): ORDEREDSUBJECT, REFERENCES, and REFS (draft-ietf-morg-inthread-01 §4).

use super::search::{self, find};
use crate::imap::command::SearchKey;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::{Selected, write_number};
use crate::mailbox::thread::{Algorithm, Step, Threads};
use crate::types::Uid;

/// Octets of the answer that are collected before they are sent.
const PIECE: usize = 4096;

/// What to look for, and how to bring it together.
pub struct Request {
    /// The answer holds UIDs.
    pub uid: bool,
    /// How messages come together.
    pub algorithm: Algorithm,
    /// The keys; all of them must match.
    pub keys: Vec<SearchKey>,
}

/// Tells which messages match, in their threads.
///
/// # Errors
/// NO where the store fails, with `[LIMIT]` where there are too many messages.
pub async fn run(selected: &Selected, out: &mut Output<'_>, request: Request) -> Result<Reply, Failure> {
    let Request { uid, algorithm, keys } = request;
    let query = search::translate(&selected.view, keys)?;
    let found = find(selected, out, &query).await?;
    let mut threading = selected.mailbox.threading(algorithm, found)?;
    while let Some(progress) = threading.step().await? {
        out.progress(progress).await?;
    }
    let threads = out.while_waiting(threading.into_threads()).await?;
    tell(selected, out, uid, &threads).await?;
    Ok(Reply::ok("THREAD completed"))
}

async fn tell(selected: &Selected, out: &mut Output<'_>, uid: bool, threads: &Threads) -> Result<(), Failure> {
    let mut line = b"* THREAD".to_vec();
    let (mut is_first, mut spaced) = (true, false);
    for step in threads.steps() {
        match step {
            Step::Open => {
                if is_first || spaced {
                    line.push(b' ');
                }
                line.push(b'(');
                (is_first, spaced) = (false, false);
            }
            Step::Message(found) => {
                // What is in the view has a number until its end is told, which no THREAD by numbers does.
                let number = if uid { found } else { selected.view.number(Uid(found)).unwrap_or(0) };
                write_number(&mut line, if spaced { " " } else { "" }, u64::from(number), "");
                spaced = true;
            }
            Step::Close => {
                line.push(b')');
                spaced = false;
            }
        }
        if line.len() >= PIECE {
            out.put(&line).await?;
            line.clear();
        }
    }
    line.extend_from_slice(b"\r\n");
    out.put(&line).await
}
