//! Sessions that listen: those that used NOTIFY (RFC 5465) or ENABLE METADATA (RFC 5464). They hear of changes behind
//! each command and in IDLE, and with NOTIFY also while they wait for a command.
//!
//! Everything here is boxed where it is called: other sessions do not pay for it.

use super::command::Command;
use super::context;
use super::notify::{Notifier, Own};
use super::output::Output;
use super::reply::{Failure, Reply};
use super::session::Session;
use super::sync::Manner;
use super::wait;
use super::wire::{Received, is_done};
use crate::mailbox::normal_name;
use crate::net::ReadError;
use crate::types::DELIMITER;
use smol::future::{or, poll_once, yield_now};
use std::pin::pin;
use std::time::Instant;

/// Limit: octets of the line that ends IDLE.
const DONE_MAX: usize = 256;

enum Woken<T> {
    Input(T),
    Change,
}

/// What a command that succeeds does to names of mailboxes.
pub(super) fn own_change(command: &Command) -> Option<Own> {
    let name = |name: &String| normal_name(name.strip_suffix(DELIMITER).unwrap_or(name)).into_owned();
    match command {
        Command::Create { mailbox, .. } => Some(Own::Create(name(mailbox))),
        Command::Delete(mailbox) => Some(Own::Delete(name(mailbox))),
        Command::Rename { from, to } => Some(Own::Rename(name(from), name(to))),
        Command::Subscribe(mailbox) => Some(Own::Subscribe(name(mailbox), true)),
        Command::Unsubscribe(mailbox) => Some(Own::Subscribe(name(mailbox), false)),
        _ => None,
    }
}

impl Session {
    /// Whether the client hears of changes while no command runs.
    pub(super) fn listens(&self) -> bool {
        self.notify.as_ref().is_some_and(|notifier| notifier.spec().is_some())
    }

    /// ENABLE METADATA; false: there is more than can be followed.
    pub(super) fn follow_metadata(&mut self) -> bool {
        let Some(account) = &self.account else { return false };
        self.notify.get_or_insert_with(|| Box::new(Notifier::new(account))).follow_metadata(account)
    }

    /// Tells what happened, behind a synchronisation of the selected mailbox: what its new messages hold, and what
    /// changed elsewhere. `own` is what the command before did.
    pub(super) async fn tell_more(&mut self, own: Option<&Own>) -> Result<(), Failure> {
        let (Some(notifier), Some(account)) = (self.notify.as_deref_mut(), &self.account) else { return Ok(()) };
        let out = &mut Output::new(&mut self.connection, self.enabled);
        if let Some(selected) = self.selected.as_deref_mut() {
            let arrived = selected.take_arrived();
            let items = notifier.spec().map_or(&[][..], super::notify::Spec::fetch);
            Box::pin(context::tell_fetched(selected, out, arrived, items)).await?;
        }
        if let Some(own) = own {
            notifier.apply(own);
        }
        let overflow = notifier.look(account, out, self.selected.as_deref(), self.enabled.condstore).await?;
        if let Some(selected) = self.selected.as_deref_mut().filter(|_| overflow) {
            selected.listening = notifier.listening(selected.view.modseq());
        }
        Ok(())
    }

    async fn tell_all(&mut self, manner: Manner) -> Result<(), Failure> {
        if let Some(selected) = self.selected.as_deref_mut() {
            selected.sync(&mut Output::new(&mut self.connection, self.enabled), manner).await?;
        }
        self.tell_more(None).await
    }

    /// The next command, of at most `max` octets; until it begins, what happens is told (RFC 5465 §3.1).
    pub(super) async fn read_listening(&mut self, deadline: Instant, max: usize) -> Result<Received, Failure> {
        loop {
            if self.ending.requested() {
                return Err(Failure::Bye(wait::STOPPING));
            }
            // Commands that came already go first: a client that sends many hears of changes behind each of them.
            if let Some(received) = poll_once(pin!(self.receiver.command(&mut self.connection, max))).await {
                return Ok(received?);
            }
            let between = self.receiver.is_idle();
            if between {
                let delays = self.arm();
                Box::pin(self.tell_all(Manner { expunges: !delays, uids: true })).await?;
            }
            self.connection.flush().await?;
            let Some(notifier) = self.notify.as_deref_mut() else { continue };
            let (receiver, connection) = (&mut self.receiver, &mut self.connection);
            let command = pin!(async { Woken::Input(receiver.command(connection, max).await) });
            let change = pin!(async {
                if between {
                    notifier.watch().changed().await;
                } else {
                    std::future::pending::<()>().await;
                }
                Woken::Change
            });
            let woken = pin!(async { Ok(or(command, change).await) });
            match wait::input(woken, deadline, &self.ending).await? {
                Woken::Input(received) => return Ok(received?),
                Woken::Change => yield_now().await,
            }
        }
    }

    /// Arms the watch; whether expunges wait for a command.
    fn arm(&mut self) -> bool {
        self.notify.as_deref_mut().is_none_or(|notifier| {
            notifier.watch().arm();
            notifier.spec().is_none_or(super::notify::Spec::delays_expunges)
        })
    }

    /// IDLE (RFC 2177) tells the same as between commands, and expunges too (RFC 5465 §4).
    pub(super) async fn idle_listening(&mut self) -> Result<Reply, Failure> {
        let deadline = Instant::now() + self.context.config.limits.imap_idle;
        let uids = self.listens();
        self.connection.queue(b"+ idling\r\n");
        loop {
            self.arm();
            Box::pin(self.tell_all(Manner { expunges: true, uids })).await?;
            self.connection.flush().await?;
            let Some(notifier) = self.notify.as_deref_mut() else { return Err(Reply::bad("Expected DONE").into()) };
            let connection = &mut self.connection;
            let line = pin!(async { Woken::Input(connection.line(DONE_MAX).await) });
            let change = pin!(async {
                notifier.watch().changed().await;
                Woken::Change
            });
            let woken = pin!(async { Ok(or(line, change).await) });
            match wait::input(woken, deadline, &self.ending).await? {
                Woken::Input(Ok(line)) if is_done(&line) => return Ok(Reply::ok("IDLE completed")),
                Woken::Input(Ok(_) | Err(ReadError::TooLong)) => return Err(Reply::bad("Expected DONE").into()),
                Woken::Input(Err(error)) => return Err(error.into()),
                Woken::Change => yield_now().await,
            }
        }
    }
}
