//! The only loop: read a command, check it against the table, run it, synchronise, reply.
//!
//! Commands that were sent without waiting for answers run one after the other; answers are flushed when no
//! further command has come yet, or when there are many.

use super::Context;
use super::capability::{self, Circumstances};
use super::cmd::login;
use super::command::Command;
use super::context;
use super::enabled::Enabled;
use super::listen;
use super::notify::Notifier;
use super::output::Output;
use super::reply::{Condition, Failure, Reply, refusal};
use super::sync::{Manner, Selected};
use super::table::{self, Row, States};
use super::wait;
use super::wire::{ErrorKind, ParseError, Received, Receiver, Tag};
use crate::auth::{AuthError, LoggedIn};
use crate::mailbox::{Account, Door, DoorKind, Guest, NotEntered};
use crate::net::{Admission, Connection, OUT_HIGH, ReadError, Shutdown};
use crate::types::UidSet;
use smol::future::{or, poll_once, yield_now};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Said when a client made too many errors.
const TOO_MANY_ERRORS: &str = "Too many errors";
/// Said to a session whose device was revoked (RFC 5530 §3, EXPIRED).
const REVOKED: &str = "[EXPIRED] This login holds no longer: its password was changed or revoked, or its user removed";
/// How long a command under way may go on when the session's device was revoked.
const REVOKED_GRACE: Duration = Duration::from_millis(500);

/// One client.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) context: Arc<Context>,
    pub(super) receiver: Receiver,
    /// Set from login on.
    pub(super) account: Option<Account>,
    /// Invariant: only with an account.
    pub(super) selected: Option<Box<Selected>>,
    /// What the client hears of unasked beside that; None in most sessions.
    pub(super) notify: Option<Box<Notifier>>,
    /// What the client has switched on.
    pub(super) enabled: Enabled,
    /// What ENABLED responses told.
    pub(super) told_enabled: Vec<&'static str>,
    pub(super) admission: Admission,
    /// Ends this session: with the server, or because its device was revoked.
    pub(super) ending: Shutdown,
    /// Set with the account: the session's place among those of its device.
    guest: Option<Guest>,
    /// Limit: errors in a row; the configuration's `protocol_errors` ends the session.
    errors: u32,
    /// By when the client must have logged in.
    login_deadline: Instant,
}

/// What the session does behind the tagged reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Reads the next command.
    Continue,
    /// Forgets who logged in.
    LogOut,
    /// Shakes hands.
    StartTls,
    /// Compresses both directions.
    Compress,
    /// Ends.
    End,
}

impl Session {
    pub(super) fn new(connection: Connection, context: Arc<Context>, admission: Admission) -> Self {
        let login_deadline = Instant::now() + context.config.limits.login;
        let ending = context.shutdown.child();
        Self {
            connection,
            context,
            receiver: Receiver::new(),
            account: None,
            selected: None,
            notify: None,
            enabled: Enabled::default(),
            told_enabled: Vec::new(),
            admission,
            ending,
            guest: None,
            errors: 0,
            login_deadline,
        }
    }

    /// Serves the client to the end.
    pub(super) async fn run(&mut self) {
        let peer = *self.connection.peer();
        let ending = self.ending.clone();
        // A command under way gets a moment for its end; a device that was stolen is not served any longer.
        let revoked = async {
            ending.wait_alone().await;
            async_io::Timer::after(REVOKED_GRACE).await;
            Err(Failure::Broken)
        };
        match or(self.converse(), revoked).await {
            Ok(()) => log::debug!("imap {peer}: logged out"),
            Err(failure) if ending.requested_alone() => {
                log::info!("imap {peer}: ended, its password was changed or revoked");
                // Else it is in the middle of an answer and cannot say a word.
                if matches!(failure, Failure::Bye(_)) {
                    self.connection.queue(format!("* BYE {REVOKED}\r\n").as_bytes());
                }
            }
            Err(Failure::Bye(text)) => {
                log::debug!("imap {peer}: ended, {text}");
                self.connection.queue(format!("* BYE {text}\r\n").as_bytes());
            }
            Err(Failure::Connection(error @ ReadError::Endless)) => {
                log::debug!("imap {peer}: ended, {error}");
                self.connection.queue(b"* BYE the line is endless\r\n");
            }
            Err(Failure::Connection(ReadError::Closed)) => log::debug!("imap {peer}: closed by the client"),
            Err(Failure::Connection(error)) => log::debug!("imap {peer}: {error}"),
            Err(Failure::Broken) => log::warn!("imap {peer}: ended in the middle of a message that cannot be read"),
            // A refusal is answered, it ends nothing.
            Err(Failure::Refused(_)) => {}
        }
        // The view can be large; closing waits for the client.
        self.selected = None;
        self.connection.close().await;
    }

    async fn converse(&mut self) -> Result<(), Failure> {
        let greeting = format!("* OK [{}] mailnook ready\r\n", self.capabilities());
        self.connection.queue(greeting.as_bytes());
        loop {
            let then = match self.read().await? {
                Received::Command(tag, command) => self.obey(tag, command).await?,
                Received::Refused(error) => self.refuse(&error)?,
                Received::Bye(text) => return Err(Failure::Bye(text)),
            };
            match then {
                Then::Continue => {}
                Then::LogOut => self.log_out(),
                Then::StartTls => Box::pin(self.start_tls()).await?,
                Then::Compress => self.connection.start_deflate().await?,
                Then::End => return Ok(()),
            }
            if self.connection.queued() >= OUT_HIGH {
                self.connection.flush().await?;
            }
            // A client that never lets us wait must not keep others from running.
            yield_now().await;
        }
    }

    /// The next command. What is queued is flushed if there is none yet.
    async fn read(&mut self) -> Result<Received, Failure> {
        let deadline = self.deadline();
        if self.ending.requested() {
            return Err(Failure::Bye(wait::STOPPING));
        }
        if Instant::now() >= deadline {
            return Err(Failure::Bye(wait::SILENT));
        }
        let limits = &self.context.config.limits;
        let max = if self.account.is_some() { limits.line_after_login } else { limits.line_before_login };
        if self.listens() {
            return Box::pin(self.read_listening(deadline, max)).await;
        }
        if let Some(received) = poll_once(pin!(self.receiver.command(&mut self.connection, max))).await {
            return Ok(received?);
        }
        self.connection.flush().await?;
        let command = pin!(self.receiver.command(&mut self.connection, max));
        wait::input(command, deadline, &self.ending).await
    }

    /// Until when the client may be silent.
    pub(super) fn deadline(&self) -> Instant {
        match self.account {
            Some(_) => Instant::now() + self.context.config.limits.imap_idle,
            None => self.login_deadline,
        }
    }

    /// Runs a command and replies.
    async fn obey(&mut self, tag: Tag, command: Command) -> Result<Then, Failure> {
        let row = table::of(&command);
        let own = self.notify.as_ref().and_then(|_| listen::own_change(&command));
        if let Some(selected) = self.selected.as_deref_mut() {
            selected.check_quota |=
                matches!(command, Command::Append { .. } | Command::Copy { .. } | Command::Replace { .. });
        }
        let allowed = self.check(row).and_then(|()| self.check_enable(&command));
        let outcome = match allowed.and_then(|()| self.check_numbers(&command)) {
            Ok(()) => {
                self.enable(&command);
                self.dispatch(&tag, command).await
            }
            Err(reply) => Box::pin(self.skip(command, reply)).await,
        };
        let (mut reply, then) = match outcome {
            Ok(outcome) => outcome,
            Err(Failure::Refused(reply)) => (reply, Then::Continue),
            Err(other) => return Err(other),
        };
        if let Some(selected) = self.selected.as_deref_mut().filter(|_| then == Then::Continue) {
            let manner = Manner { expunges: !row.uses_numbers, uids: row.uid };
            Box::pin(selected.sync(&mut Output::new(&mut self.connection, self.enabled), manner)).await?;
            if let Some(code) = selected.owed_modseq() {
                if reply.condition == Condition::Ok && reply.code.is_none() {
                    reply = reply.code(code);
                } else {
                    self.connection.queue(format!("* OK [{code}] Highest\r\n").as_bytes());
                }
            }
        }
        if self.notify.is_some() && then == Then::Continue {
            let own = own.filter(|_| reply.condition == Condition::Ok);
            Box::pin(self.tell_more(own.as_ref())).await?;
        }
        self.connection.queue(format!("{tag} {}\r\n", reply.line()).as_bytes());
        self.count(reply.condition)?;
        Ok(then)
    }

    /// Switches on what the command switches on. A client that does so with a mailbox selected has to know where it
    /// stands (RFC 7162 §3.1).
    fn enable(&mut self, command: &Command) {
        let before = self.enabled;
        self.enabled = before.with(Enabled::by(command));
        self.receiver.enabled = self.enabled;
        let Some(selected) = self.selected.as_deref_mut().filter(|_| self.enabled != before) else { return };
        selected.enabled = self.enabled;
        if self.enabled.uid_only {
            selected.view.forget_numbers();
            for tag in context::forget_numbers(selected) {
                self.connection.queue(format!("* {}\r\n", context::no_update(&tag)).as_bytes());
            }
        }
        if self.enabled.condstore && !before.condstore && !matches!(command, Command::Select { .. }) {
            let line = format!("* OK [{}] Highest\r\n", selected.highest_modseq());
            self.connection.queue(line.as_bytes());
        }
    }

    /// RFC 9051 §6.3.1, RFC 6855 §3: ENABLE comes before SELECT. Only what changes names and numbers that the client
    /// was told is refused later.
    fn check_enable(&self, command: &Command) -> Result<(), Reply> {
        let Enabled { rev2, utf8, .. } = Enabled::by(command);
        if self.selected.is_some() && (rev2 || utf8) {
            return Err(Reply::bad("Only while no mailbox is selected").code("CLIENTBUG"));
        }
        Ok(())
    }

    /// Whether the command is allowed in this state.
    fn check(&self, row: Row) -> Result<(), Reply> {
        let allowed = match row.states {
            States::Any => true,
            States::NotAuthenticated => self.account.is_none(),
            States::Authenticated => self.account.is_some(),
            States::Selected => self.selected.is_some(),
        };
        if allowed {
            return Ok(());
        }
        Err(match row.states {
            States::NotAuthenticated => Reply::bad("Already logged in"),
            _ if self.account.is_none() => Reply::bad("Log in first"),
            _ => Reply::bad("No mailbox is selected"),
        })
    }

    /// Refuses sequence numbers once the client said that it uses UIDs only (RFC 9586 §3).
    fn check_numbers(&self, command: &Command) -> Result<(), Reply> {
        if self.enabled.uid_only && table::speaks_of_numbers(command) {
            return Err(Reply::bad("Message numbers are not allowed once UIDONLY is enabled").code("UIDREQUIRED"));
        }
        Ok(())
    }

    fn refuse(&mut self, error: &ParseError) -> Result<Then, Failure> {
        let unsaved = matches!(error.kind, ErrorKind::BadCharsetUnsaved | ErrorKind::NotSaved);
        if let Some(selected) = self.selected.as_deref_mut().filter(|_| unsaved) {
            selected.view.save(&UidSet::new());
        }
        let mut line = Vec::new();
        error.write(&mut line);
        self.connection.queue(&line);
        self.count(Condition::Bad)?;
        Ok(Then::Continue)
    }

    /// Counts errors in a row: BAD, and before login whatever does not succeed.
    fn count(&mut self, condition: Condition) -> Result<(), Failure> {
        match condition {
            Condition::Ok => self.errors = 0,
            Condition::No if self.account.is_some() => {}
            Condition::No | Condition::Bad => self.errors += 1,
        }
        if self.errors >= self.context.config.limits.protocol_errors {
            return Err(Failure::Bye(TOO_MANY_ERRORS));
        }
        Ok(())
    }

    /// The session has logged in; the reply carries what it can do now (RFC 3501 §7.1, CAPABILITY).
    ///
    /// # Errors
    /// NO where the device was revoked or the account removed just now.
    pub(super) fn log_in(&mut self, logged_in: &LoggedIn, text: &'static str) -> Result<Reply, Failure> {
        let address = self.connection.peer().address;
        let door = Door { kind: DoorKind::Imap, device: logged_in.device.0, address };
        let ending = self.ending.clone();
        let core = &self.context.core;
        let entered = core.enter(logged_in.account, &door, logged_in.arrived, move || ending.request());
        let guest = entered.map_err(|error| match error {
            NotEntered::Revoked => login::refusal(AuthError::BadCredentials),
            NotEntered::InUse => login::refusal(AuthError::Busy),
            NotEntered::Failed(error) => refusal(&error),
        })?;
        self.account = Some(core.account(logged_in.account)?.through(door).restricted(logged_in.read_only));
        self.guest = Some(guest);
        self.admission.logged_in();
        Ok(Reply::ok(text).code(self.capabilities()))
    }

    /// The session is as it was before its login (RFC 8437 §3). It counts as one that logged in all the same: the
    /// places of those before login are for strangers.
    fn log_out(&mut self) {
        (self.account, self.guest) = (None, None);
        self.selected = None;
        self.notify = None;
        self.enabled = Enabled::default();
        self.receiver.enabled = self.enabled;
        self.told_enabled = Vec::new();
        self.login_deadline = Instant::now() + self.context.config.limits.login;
    }

    /// The list as CAPABILITY tells it now.
    pub(super) fn capabilities(&self) -> String {
        capability::without(&capability::list(self.circumstances()), &self.context.config.imap_hidden)
    }

    fn circumstances(&self) -> Circumstances {
        let tls = self.connection.is_tls();
        Circumstances {
            logged_in: self.account.is_some(),
            can_start_tls: !tls && self.context.tls.is_some(),
            passwords_allowed: tls || self.connection.peer().is_local(),
            append_limit: self.account.as_ref().map_or(self.context.config.limits.message_size, Account::append_limit),
            message_limit: self.context.config.limits.messages_per_command,
            quota_set: self.context.config.quota.users_may_set,
            channel_binding: self.account.is_none() && !self.connection.channel_bindings().is_empty(),
        }
    }

    /// The handshake. Nothing from before it is kept (RFC 3501 §6.2.1).
    async fn start_tls(&mut self) -> Result<(), Failure> {
        let Some(tls) = self.context.tls.clone() else { return Ok(()) };
        self.receiver = Receiver::new();
        let handshake = pin!(self.connection.start_tls(&tls));
        wait::input(handshake, self.login_deadline, &self.ending).await
    }
}
