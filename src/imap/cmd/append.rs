//! APPEND (RFC 3501 §6.3.11) with APPENDUID (RFC 4315 §3) and `[TOOBIG]` (RFC 7889 §4).
//!
//! The message streams from the connection into the mailbox core. Invariant: nothing is stored unless the whole
//! message and the end of its command came.

use crate::imap::Context;
use crate::imap::command::Literal;
use crate::imap::reply::{Failure, Reply, destination};
use crate::imap::wait;
use crate::imap::wire::{AppendEnd, Receiver};
use crate::mailbox::{Account, Error, Incoming};
use crate::net::Connection;
use crate::types::{DateTime, Flags};
use std::pin::pin;
use std::time::Instant;

/// Limit: octets of a refused message that are swallowed because the client sends them unasked (LITERAL+);
/// beyond, the session ends (RFC 7888 §4).
const DISCARD_MAX: u64 = 512 * 1024 * 1024;

/// Said instead of reading a message that is far too large.
const TOO_BIG: &str = "[TOOBIG] The message is larger than the limit";

/// What to append.
pub struct Request<'a> {
    /// Where.
    pub mailbox: &'a str,
    /// The message's flags.
    pub flags: Flags,
    /// Its internal date; None: now.
    pub date: Option<DateTime>,
    /// The announced message.
    pub literal: Literal,
}

/// Takes in one message.
///
/// # Errors
/// NO with `[TRYCREATE]`, `[TOOBIG]` or `[OVERQUOTA]`, before the client sends the message if it waits for us;
/// BAD where more than a message follows.
pub async fn run(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    account: &Account,
    request: Request<'_>,
) -> Result<Reply, Failure> {
    let Request { mailbox, flags, date, literal } = request;
    if let Err(failure) = acceptable(context, account, mailbox, literal) {
        let deadline = Instant::now() + context.config.limits.imap_idle;
        refuse(connection, receiver, context, literal, deadline).await?;
        return Err(failure);
    }
    connection.flush().await?;
    receiver.accept_message(connection, literal).await?;
    let received = receive_message(connection, context, literal.size).await?;
    if rest_of_line(connection, receiver, context).await? {
        return Err(Reply::bad("Only one message may be appended at a time").into());
    }
    let staged = received?.finish().await?;
    let appended = account.append(staged, mailbox, flags, date).await.map_err(destination)?;
    let code = format!("APPENDUID {} {}", appended.uid_validity.0, appended.uid.0);
    Ok(Reply::ok("APPEND completed").code(code))
}

/// Swallows a message that nobody wants, where the client sends it without waiting.
///
/// # Errors
/// `Bye` where it is too large even for that.
pub async fn refuse(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    literal: Literal,
    deadline: Instant,
) -> Result<(), Failure> {
    if !literal.non_synchronizing {
        return Ok(());
    }
    if literal.size > DISCARD_MAX {
        return Err(Failure::Bye(TOO_BIG));
    }
    connection.flush().await?;
    let end = pin!(receiver.discard_message(connection, literal, DISCARD_MAX));
    match wait::input(end, deadline, &context.shutdown).await? {
        AppendEnd::Bye(text) => Err(Failure::Bye(text)),
        AppendEnd::Complete | AppendEnd::More => Ok(()),
    }
}

/// What can be known before the message comes.
fn acceptable(context: &Context, account: &Account, mailbox: &str, literal: Literal) -> Result<(), Failure> {
    account.open(mailbox).map_err(destination)?;
    let max = context.config.limits.message_size;
    if literal.size > max {
        return Err(Error::TooBig(max).into());
    }
    if literal.size == 0 {
        return Err(Reply::no("An empty message cannot be stored").code("CANNOT").into());
    }
    Ok(())
}

/// Reads all of the message. The inner error is why it cannot be stored.
async fn receive_message(
    connection: &mut Connection,
    context: &Context,
    size: u64,
) -> Result<Result<Incoming, Error>, Failure> {
    let mut incoming = Ok(context.core.incoming());
    let mut left = size;
    while left > 0 {
        let deadline = Instant::now() + context.config.limits.imap_idle;
        wait::input(pin!(async { connection.fill().await.map(|_| ()) }), deadline, &context.shutdown).await?;
        let octets = connection.fill().await?;
        let take = usize::try_from(left).map_or(octets.len(), |left| left.min(octets.len()));
        let piece = octets.get(..take).unwrap_or(octets);
        if let Ok(message) = &mut incoming
            && let Err(error) = message.push(piece).await
        {
            incoming = Err(error);
        }
        left = left.saturating_sub(take as u64);
        connection.consume(take);
    }
    Ok(incoming)
}

/// Reads to the end of the command; whether anything stood there.
async fn rest_of_line(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
) -> Result<bool, Failure> {
    let deadline = Instant::now() + context.config.limits.imap_idle;
    let end = pin!(receiver.finish_append_line(connection));
    match wait::input(end, deadline, &context.shutdown).await? {
        AppendEnd::Complete => Ok(false),
        AppendEnd::More => Ok(true),
        AppendEnd::Bye(text) => Err(Failure::Bye(text)),
    }
}
