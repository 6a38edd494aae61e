//! APPEND (RFC 3501 §6.3.11, RFC 9051 §6.3.12) of one or several messages (RFC 3502), binary ones (RFC 3516) and UTF8 data
//! (RFC 6855 §4) too, with APPENDUID (RFC 4315 §3) and `[TOOBIG]` (RFC 7889 §4).
//!
//! Quirk(mbsync, offlineimap, imapsync): RFC 6855 §4, and RFC 9755 §4 behind it, has headers with 8-bit octets refused
//! from clients that have not switched on UTF-8. Old mail is full of such headers, and whoever copies it here must not
//! lose it: they are taken as they are (RFC 9051 §6.3.12 permits them), as Dovecot, Stalwart and mox do.
//!
//! Each message streams from the connection into the mailbox core. Invariant: nothing is stored unless all
//! messages and the end of their command came.

use super::{list, uid_set};
use crate::imap::Context;
use crate::imap::command::{AppendMessage, Literal};
use crate::imap::enabled::{Enabled, Quoting};
use crate::imap::message_limit;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply, destination};
use crate::imap::sync::Selected;
use crate::imap::wait;
use crate::imap::wire::{AppendEnd, AppendNext, Receiver};
use crate::mailbox::{Account, Batch, Error, Incoming, Staged};
use crate::net::Connection;
use std::pin::pin;
use std::time::Instant;

/// Limit: octets of a refused message that are swallowed because the client sends them unasked (LITERAL+);
/// beyond, the session ends (RFC 7888 §4).
const DISCARD_MAX: u64 = 512 * 1024 * 1024;

/// Said instead of reading a message that is far too large.
const TOO_BIG: &str = "[TOOBIG] The message is larger than the limit";

/// Takes in one message, or several of which all are stored or none (RFC 3502).
///
/// # Errors
/// NO with `[TRYCREATE]`, `[TOOBIG]` or `[OVERQUOTA]`, before the client sends the message if it waits for us;
/// BAD where something else follows a message.
pub async fn run(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    (account, selected): (&Account, Option<&mut Selected>),
    (mailbox, first): (&str, AppendMessage),
) -> Result<Reply, Failure> {
    let mut batch = Batch::default();
    let mut message = first;
    let mut count = 0;
    loop {
        let acceptable = acceptable(context, account, mailbox, (&message, receiver.enabled)).and_then(|()| {
            let (messages, octets) = batch.size();
            let size = (messages.saturating_add(1), octets.saturating_add(message.literal.size));
            Ok(account.check_append(size)?)
        });
        let limit = context.config.limits.messages_per_command;
        let room = if batch.is_full() || count >= limit { Err(too_many(count)) } else { Ok(()) };
        unless_refused(connection, receiver, context, message.literal, acceptable.and(room)).await?;
        let staged = receive(connection, receiver, context, &message).await?;
        let utf8 = message.utf8;
        batch.push(staged, message.flags, message.date);
        count += 1;
        match next(connection, receiver, context, utf8).await? {
            None => break,
            Some(following) => {
                let room = batch.make_room().await.map_err(Failure::from);
                unless_refused(connection, receiver, context, following.literal, room).await?;
                message = following;
            }
        }
    }
    let appended = account.append_batch(batch, mailbox).await.map_err(destination)?;
    if let Some(selected) = selected {
        selected.note_made(appended.uid_validity, &appended.uids);
    }
    list::announce_spelling(account, &mut Output::new(connection, receiver.enabled), mailbox).await?;
    let code = format!("APPENDUID {} {}", appended.uid_validity.0, uid_set(&appended.uids));
    Ok(Reply::ok("APPEND completed").code(code))
}

fn too_many(limit: u32) -> Failure {
    Reply::no("There are too many messages in one command").code(message_limit::code(limit)).into()
}

/// Passes on why an announced message cannot be taken, after the message was swallowed.
///
/// # Errors
/// The same, or `Bye` where the message is too large even to be swallowed.
pub async fn unless_refused(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    literal: Literal,
    allowed: Result<(), Failure>,
) -> Result<(), Failure> {
    if let Err(failure) = allowed {
        let deadline = Instant::now() + context.config.limits.imap_idle;
        refuse(connection, receiver, context, literal, deadline).await?;
        return Err(failure);
    }
    Ok(())
}

/// Asks for an announced message and takes it in.
///
/// # Errors
/// Why it cannot be stored; the rest of the command is swallowed then.
pub async fn receive(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    message: &AppendMessage,
) -> Result<Staged, Failure> {
    connection.flush().await?;
    receiver.accept_message(connection, message.literal).await?;
    let received = receive_message(connection, context, message).await?;
    let staged = match received {
        Ok(incoming) => incoming.finish().await,
        Err(error) => Err(error),
    };
    match staged {
        Ok(staged) => Ok(staged),
        Err(error) => {
            rest_of_line(connection, receiver, context).await?;
            Err(match error {
                // RFC 3516 §4.4: binary content that cannot be stored.
                Error::Invalid(text) => Reply::no(text).code("UNKNOWN-CTE").into(),
                error => error.into(),
            })
        }
    }
}

/// What stands behind a message: another one, or None at the end of the command. `utf8`: it was UTF8 data.
///
/// # Errors
/// BAD where it is anything else.
pub async fn next(
    connection: &mut Connection,
    receiver: &mut Receiver,
    context: &Context,
    utf8: bool,
) -> Result<Option<AppendMessage>, Failure> {
    let deadline = Instant::now() + context.config.limits.imap_idle;
    let next = pin!(receiver.next_message(connection, utf8));
    match wait::input(next, deadline, &context.shutdown).await? {
        AppendNext::Complete => Ok(None),
        AppendNext::Message(message) => Ok(Some(message)),
        AppendNext::Refused(error) => Err(Reply::bad(error.text).into()),
        AppendNext::Bye(text) => Err(Failure::Bye(text)),
    }
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
///
/// # Errors
/// NO with `[TRYCREATE]` or `[TOOBIG]`; NO for an empty message, with which a client cancels (RFC 3502); NO for UTF8 data of
/// a client that has not switched it on (RFC 6855 §4).
pub fn acceptable(
    context: &Context,
    account: &Account,
    mailbox: &str,
    (message, enabled): (&AppendMessage, Enabled),
) -> Result<(), Failure> {
    let literal = message.literal;
    account.may_change()?;
    if message.utf8 && enabled.quoting() == Quoting::Ascii {
        return Err(Reply::no("UTF8 data needs ENABLE UTF8=ACCEPT").code("CLIENTBUG").into());
    }
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
    message: &AppendMessage,
) -> Result<Result<Incoming, Error>, Failure> {
    let core = &context.core;
    let mut incoming = Ok(if message.binary { core.incoming_binary() } else { core.incoming() });
    let mut left = message.literal.size;
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

/// Swallows what is left of the command behind a message that cannot be stored.
async fn rest_of_line(connection: &mut Connection, receiver: &mut Receiver, context: &Context) -> Result<(), Failure> {
    let deadline = Instant::now() + context.config.limits.imap_idle;
    let end = pin!(receiver.finish_append_line(connection));
    match wait::input(end, deadline, &context.shutdown).await? {
        AppendEnd::Complete | AppendEnd::More => Ok(()),
        AppendEnd::Bye(text) => Err(Failure::Bye(text)),
    }
}
