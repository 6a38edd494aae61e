//! One session: AUTHORIZATION, TRANSACTION and UPDATE (RFC 1939 §3-§6).
//!
//! Invariant: messages are removed by QUIT in TRANSACTION state and by nothing else. A cut line, a timeout, too many
//! errors and a shutdown remove nothing. What a device has fetched is noted at the end, however the session ends.

use super::capability::{self, Conditions};
use super::command::{Command, CommandError};
use super::maildrop::{Entry, MESSAGES_MAX, Maildrop, NoMessage};
use super::reply;
use super::retrieve::{Cut, retrieve};
use super::sizes::Sizes;
use crate::auth::sasl::{self, Mechanism};
use crate::auth::{Attempt, AuthError, Authenticator, Client, ExchangeError, LoggedIn, Step};
use crate::config::Config;
use crate::mailbox::{self, Core, Door, DoorKind, Guest, Mailbox, PopSession};
use crate::net::{Admission, Connection, OUT_HIGH, ReadError, Shutdown, TlsAcceptor, timeout};
use crate::types::{Uid, UidSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Limit: octets of a command line after login; RFC 2449 §4 asks for 255.
const LINE_MAX: usize = 512;
/// Limit: failed logins of one session; then it is ended.
const FAILED_LOGINS_MAX: u32 = 5;
/// How long a command under way may go on when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

const PRIVACY_REQUIRED: &[u8] = b"-ERR PRIVACYREQUIRED: no login in clear text, use STLS or the TLS port\r\n";

/// What sessions need of the server.
pub struct Context {
    /// The mail.
    pub core: Arc<Core>,
    /// The logins.
    pub auth: Arc<Authenticator>,
    /// For STLS; None: it is not offered.
    pub tls: Option<TlsAcceptor>,
    /// Limits and timeouts.
    pub config: Arc<Config>,
    /// What is known of the sizes of messages.
    pub sizes: Sizes,
    /// Ends the session.
    pub shutdown: Shutdown,
}

/// Runs a session until its end and closes the connection. `admission` is told of the login and kept until then.
pub async fn serve(conn: Connection, admission: Admission, context: Arc<Context>) {
    let login_by = Instant::now() + context.config.limits.login;
    let state = State::Authorization { user: None };
    let ending = context.shutdown.child();
    let mut session =
        Session { conn, admission, context, ending, state, login_by, utf8: false, errors: 0, failed_logins: 0 };
    session.conn.set_write_timeout(session.context.config.limits.write);
    let end = match session.run().await {
        Ok(end) => end,
        Err(error) => {
            log::debug!("pop3: address={}: {error}", session.conn.peer());
            End::Cut
        }
    };
    session.conn.close().await;
    if let State::Transaction(transaction) = &mut session.state {
        // Only after QUIT is it written already.
        if !transaction.fetched.is_empty() {
            // What cannot be noted makes a message stay longer: the cause is in the log.
            let _noted = transaction.inbox.pop_update(transaction.took(false)).await;
        }
        let (user, peer, end) = (&transaction.user, session.conn.peer(), end.word());
        match &transaction.device {
            Some(device) => {
                log::info!("logout: user={user:?} address={peer} protocol=pop3 device={device:?} end={end}");
            }
            None => log::info!("logout: user={user:?} address={peer} protocol=pop3 end={end}"),
        }
    }
}

struct Session {
    conn: Connection,
    admission: Admission,
    context: Arc<Context>,
    /// Ends this session: with the server, or because its device was revoked.
    ending: Shutdown,
    state: State,
    login_by: Instant,
    /// The client takes UTF-8 (RFC 6856 §2.1).
    utf8: bool,
    errors: u32,
    failed_logins: u32,
}

enum State {
    /// The name of a USER command waits for its PASS.
    Authorization {
        user: Option<String>,
    },
    Transaction(Box<Transaction>),
}

/// A maildrop that is open.
struct Transaction {
    user: String,
    device: Option<String>,
    /// The device may not change anything.
    read_only: bool,
    inbox: Mailbox,
    maildrop: Maildrop,
    /// When INBOX was looked at.
    since: i64,
    /// Messages that went out whole. A line may be cut while they are on their way: the client has them once it says
    /// something that it had not said before.
    sent: UidSet,
    /// Messages that the client has.
    fetched: UidSet,
    /// Its place among the sessions of its device.
    guest: Option<Guest>,
}

/// What comes after a command.
enum Next {
    Command,
    End(End),
}

/// How a session ended, for the log.
#[derive(Clone, Copy)]
enum End {
    Quit,
    /// The messages to be removed were not.
    QuitFailed,
    Cut,
    Timeout,
    Errors,
    Shutdown,
    /// The device has no password any more.
    Revoked,
    StoreFailed,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::QuitFailed => "quit-failed",
            Self::Cut => "cut",
            Self::Timeout => "timeout",
            Self::Errors => "errors",
            Self::Shutdown => "shutdown",
            Self::Revoked => "revoked",
            Self::StoreFailed => "store-failed",
        }
    }
}

/// What the client sent.
enum Input {
    Line(Vec<u8>),
    TooLong,
    Endless,
    Timeout,
    Shutdown,
}

impl Session {
    async fn run(&mut self) -> Result<End, ReadError> {
        // No angle brackets: they would offer APOP (RFC 1939 §7).
        self.conn.queue(b"+OK mailnook POP3 server ready\r\n");
        loop {
            let line = match self.input(self.line_max()).await? {
                Input::Line(line) => line,
                Input::TooLong => {
                    if let Next::End(end) = self.error(b"-ERR The line is too long\r\n") {
                        return Ok(end);
                    }
                    continue;
                }
                Input::Endless => return Ok(self.endless()),
                // RFC 1939 §3: without any response.
                Input::Timeout => return Ok(End::Timeout),
                Input::Shutdown => return Ok(self.farewell()),
            };
            let ending = self.ending.clone();
            let stopped = async {
                ending.wait().await;
                async_io::Timer::after(SHUTDOWN_GRACE).await;
                Ok(Next::End(if ending.requested_alone() { End::Revoked } else { End::Shutdown }))
            };
            // In a box, so that a session that waits for a command is small.
            match Box::pin(smol::future::or(self.command(&line), stopped)).await? {
                Next::Command => {}
                Next::End(end) => return Ok(end),
            }
            // A client that sends commands without end must not keep the others waiting.
            smol::future::yield_now().await;
        }
    }

    /// Says why the session ends between two commands.
    fn farewell(&mut self) -> End {
        if self.ending.requested_alone() {
            self.conn.queue(
                b"-ERR [AUTH] This login holds no longer: its password was changed or revoked, or its user removed\r\n",
            );
            return End::Revoked;
        }
        self.conn.queue(b"-ERR [SYS/TEMP] The server is stopping\r\n");
        End::Shutdown
    }

    /// The next line. What was answered so far goes out first, unless more commands are here already.
    async fn input(&mut self, max: usize) -> Result<Input, ReadError> {
        let pipelined = self.conn.line_is_buffered();
        if !pipelined || self.conn.queued() >= OUT_HIGH {
            self.conn.flush().await?;
        }
        let limit = match self.state {
            State::Authorization { .. } => self.login_by.saturating_duration_since(Instant::now()),
            State::Transaction(_) => self.context.config.limits.pop3_idle,
        };
        if limit.is_zero() {
            // Input that is here already must not keep a session alive.
            return Ok(Input::Timeout);
        }
        let conn = &mut self.conn;
        let line = async {
            match conn.line(max).await {
                Ok(line) => Ok(Input::Line(line)),
                Err(ReadError::TooLong) => Ok(Input::TooLong),
                Err(ReadError::Endless) => Ok(Input::Endless),
                Err(error) => Err(error),
            }
        };
        let shutdown = async {
            self.ending.wait().await;
            Ok(Input::Shutdown)
        };
        let input = timeout(limit, smol::future::or(shutdown, line)).await.unwrap_or(Ok(Input::Timeout))?;
        if let (State::Transaction(transaction), Input::Line(_), false) = (&mut self.state, &input, pipelined) {
            transaction.confirm();
        }
        Ok(input)
    }

    /// Says why the session ends at a line that has no end in sight.
    fn endless(&mut self) -> End {
        self.conn.queue(b"-ERR The line has no end, goodbye\r\n");
        End::Errors
    }

    fn line_max(&self) -> usize {
        match self.state {
            State::Authorization { .. } => self.context.config.limits.line_before_login,
            State::Transaction(_) => LINE_MAX,
        }
    }

    /// Whether a password may cross this connection as it is.
    fn plaintext_is_allowed(&self) -> bool {
        self.conn.is_tls() || self.conn.peer().is_local()
    }

    /// Whether a login can be bound to this connection.
    fn channel_binding(&self) -> bool {
        !self.conn.channel_bindings().is_empty()
    }

    /// Answers a mistake of the client's; too many end the session.
    fn error(&mut self, answer: &[u8]) -> Next {
        self.conn.queue(answer);
        self.errors = self.errors.saturating_add(1);
        if self.errors < self.context.config.limits.protocol_errors {
            return Next::Command;
        }
        self.conn.queue(b"-ERR Too many errors, goodbye\r\n");
        Next::End(End::Errors)
    }

    fn answer(&mut self, answer: &[u8]) -> Next {
        self.conn.queue(answer);
        Next::Command
    }

    async fn command(&mut self, line: &[u8]) -> Result<Next, ReadError> {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(CommandError::Unknown) => return Ok(self.error(b"-ERR Unknown command\r\n")),
            Err(CommandError::Arguments) => return Ok(self.error(b"-ERR Wrong arguments\r\n")),
        };
        match (&mut self.state, command) {
            (_, Command::Capa) => Ok(self.capa()),
            (_, Command::Lang(range)) => Ok(self.lang(range)),
            (State::Authorization { .. }, Command::Utf8) => {
                self.utf8 = true;
                Ok(self.answer(b"+OK UTF-8 from here on\r\n"))
            }
            (State::Authorization { .. }, command) => self.authorization(command).await,
            (State::Transaction(transaction), Command::Quit) => {
                let (answer, end) = transaction.update().await;
                self.conn.queue(answer);
                Ok(Next::End(end))
            }
            (State::Transaction(_), command) => self.transaction(command).await,
        }
    }

    fn capa(&mut self) -> Next {
        let logged_in = matches!(self.state, State::Transaction(_));
        let lines = capability::lines(Conditions {
            logged_in,
            plaintext: self.plaintext_is_allowed(),
            channel_binding: self.channel_binding(),
            stls: !logged_in && self.context.tls.is_some() && !self.conn.is_tls(),
            expire: self.expire(),
            login_delay: self.context.config.pop3.login_delay.as_secs(),
        });
        self.answer(format!("+OK Capabilities follow\r\n{lines}.\r\n").as_bytes())
    }

    /// RFC 6856 §3. All texts are in English.
    fn lang(&mut self, range: Option<&[u8]>) -> Next {
        let Some(range) = range else {
            return self.answer(b"+OK Language listing follows\r\nen English\r\n.\r\n");
        };
        let primary = range.split(|octet| *octet == b'-').next().unwrap_or_default();
        if range == b"*" || primary.eq_ignore_ascii_case(b"en") {
            return self.answer(b"+OK en English it is\r\n");
        }
        self.answer(b"-ERR There is only English\r\n")
    }

    /// After how many days the server may remove messages (None: never), and whether users differ.
    fn expire(&self) -> (Option<u32>, bool) {
        let core = &self.context.core;
        let expire = match &self.state {
            State::Authorization { .. } => core.pop_expire_days(),
            State::Transaction(transaction) => {
                core.pop_expire_days_of(transaction.inbox.account().id()).map(|days| (days, false))
            }
        };
        // Where the store cannot tell, the least is promised.
        expire.unwrap_or((Some(1), true))
    }

    async fn authorization(&mut self, command: Command<'_>) -> Result<Next, ReadError> {
        // A name waits for the very next command only (RFC 1939 §7).
        let waiting = match &mut self.state {
            State::Authorization { user } => user.take(),
            State::Transaction(_) => None,
        };
        match command {
            Command::Quit => {
                self.conn.queue(b"+OK Goodbye\r\n");
                Ok(Next::End(End::Quit))
            }
            Command::User(_) | Command::Pass(_) if !self.plaintext_is_allowed() => Ok(self.answer(PRIVACY_REQUIRED)),
            Command::User(name) => {
                let Ok(name) = std::str::from_utf8(name) else {
                    return Ok(self.error(b"-ERR The name is not in UTF-8\r\n"));
                };
                self.state = State::Authorization { user: Some(name.to_owned()) };
                Ok(self.answer(b"+OK Send the password\r\n"))
            }
            Command::Pass(password) => match waiting {
                Some(user) => self.login(&user, password).await,
                None => Ok(self.error(b"-ERR Send USER first\r\n")),
            },
            Command::Apop => Ok(self.error(b"-ERR APOP is not offered, use AUTH or USER and PASS\r\n")),
            Command::Auth { mechanism, initial_response } => self.auth(mechanism, initial_response).await,
            Command::Stls => self.stls().await,
            _ => Ok(self.error(b"-ERR Log in first\r\n")),
        }
    }

    /// RFC 2595 §4. Everything known about the client so far is forgotten.
    async fn stls(&mut self) -> Result<Next, ReadError> {
        if self.conn.is_tls() {
            return Ok(self.error(b"-ERR TLS is active already\r\n"));
        }
        let Some(tls) = self.context.tls.clone() else {
            return Ok(self.error(b"-ERR TLS is not available\r\n"));
        };
        self.conn.queue(b"+OK Begin TLS negotiation\r\n");
        let left = self.login_by.saturating_duration_since(Instant::now());
        match timeout(left, self.conn.start_tls(&tls)).await {
            Some(outcome) => outcome.map(|()| Next::Command),
            None => Ok(Next::End(End::Timeout)),
        }
    }

    /// RFC 5034 §4
    async fn auth(&mut self, mechanism: Option<&[u8]>, initial: Option<&[u8]>) -> Result<Next, ReadError> {
        let (plaintext, binding) = (self.plaintext_is_allowed(), self.channel_binding());
        let Some(name) = mechanism else {
            // Quirk(Outlook Express): asks for the list with a bare AUTH.
            self.conn.queue(b"+OK Mechanisms follow\r\n");
            for mechanism in Mechanism::offered(plaintext, binding) {
                self.conn.queue(format!("{}\r\n", mechanism.name()).as_bytes());
            }
            return Ok(self.answer(b".\r\n"));
        };
        let Some(mechanism) = Mechanism::from_name(name) else {
            return Ok(self.error(b"-ERR Unknown mechanism\r\n"));
        };
        if !plaintext {
            return Ok(self.answer(PRIVACY_REQUIRED));
        }
        if !Mechanism::offered(plaintext, binding).any(|offered| offered == mechanism) {
            return Ok(self.error(b"-ERR Unknown mechanism\r\n"));
        }
        let context = Arc::clone(&self.context);
        let mut exchange = context.auth.begin(mechanism, Client::new(&self.conn, "pop3"));
        let mut response = initial.map(<[u8]>::to_vec);
        loop {
            match exchange.step(response.as_deref()).await {
                Ok(Step::LoggedIn(logged_in)) => return self.open_maildrop(logged_in).await,
                Ok(Step::Challenge(challenge)) => match self.ask(&challenge).await? {
                    Ok(line) => response = Some(line),
                    Err(next) => return Ok(next),
                },
                Err(ExchangeError::Auth(error)) => return Ok(self.refuse_login(error)),
                Err(ExchangeError::Sasl(error)) => return Ok(self.error(reply::sasl(error).as_bytes())),
            }
        }
    }

    /// A challenge and the response to it, or what comes next where there is none.
    async fn ask(&mut self, challenge: &str) -> Result<Result<Vec<u8>, Next>, ReadError> {
        self.conn.queue(format!("+ {challenge}\r\n").as_bytes());
        Ok(Err(match self.input(sasl::RESPONSE_MAX).await? {
            Input::Line(line) if line == b"*" => self.answer(b"-ERR Authentication cancelled\r\n"),
            Input::Line(line) => return Ok(Ok(line)),
            Input::TooLong => self.error(b"-ERR The response is too long\r\n"),
            Input::Endless => Next::End(self.endless()),
            Input::Timeout => Next::End(End::Timeout),
            Input::Shutdown => Next::End(self.farewell()),
        }))
    }

    async fn login(&mut self, user: &str, password: &[u8]) -> Result<Next, ReadError> {
        let attempt = Attempt { user, password, peer: self.conn.peer(), protocol: "pop3", tls: self.conn.is_tls() };
        match self.context.auth.login(attempt).await {
            Ok(logged_in) => self.open_maildrop(logged_in).await,
            Err(error) => Ok(self.refuse_login(error)),
        }
    }

    fn refuse_login(&mut self, error: AuthError) -> Next {
        self.conn.queue(reply::login(error).as_bytes());
        if error == AuthError::BadCredentials {
            self.failed_logins += 1;
        }
        if self.failed_logins < FAILED_LOGINS_MAX {
            return Next::Command;
        }
        self.conn.queue(b"-ERR Too many failed logins, goodbye\r\n");
        Next::End(End::Errors)
    }

    async fn open_maildrop(&mut self, logged_in: LoggedIn) -> Result<Next, ReadError> {
        let door = Door { kind: DoorKind::Pop3, device: logged_in.device.0, address: self.conn.peer().address };
        let ending = self.ending.clone();
        let core = &self.context.core;
        let guest = match core.enter(logged_in.account, &door, logged_in.arrived, move || ending.request()) {
            Ok(guest) => guest,
            Err(error) => return Ok(self.answer(reply::enter(&error).as_bytes())),
        };
        if self.context.core.is_too_soon(logged_in.account, &door) {
            return Ok(self.answer(reply::LOGIN_DELAY));
        }
        match Transaction::open(&self.context, logged_in, (door, guest), self.utf8).await {
            Ok(transaction) => {
                let (messages, octets) = (transaction.maildrop.messages(), transaction.maildrop.octets());
                self.state = State::Transaction(Box::new(transaction));
                self.admission.logged_in();
                Ok(self.answer(format!("+OK {messages} messages ({octets} octets)\r\n").as_bytes()))
            }
            Err(error) => Ok(self.answer(reply::open(&error).as_bytes())),
        }
    }

    /// Every command of the TRANSACTION state but CAPA and QUIT.
    async fn transaction(&mut self, command: Command<'_>) -> Result<Next, ReadError> {
        let State::Transaction(transaction) = &mut self.state else {
            return Ok(self.error(b"-ERR Log in first\r\n"));
        };
        let maildrop = &mut transaction.maildrop;
        match command {
            Command::Noop => self.conn.queue(b"+OK\r\n"),
            Command::Rset => {
                maildrop.reset();
                self.conn.queue(format!("+OK {} messages\r\n", maildrop.messages()).as_bytes());
            }
            Command::Stat => {
                self.conn.queue(format!("+OK {} {}\r\n", maildrop.messages(), maildrop.octets()).as_bytes());
            }
            Command::List(Some(number)) => one(&mut self.conn, maildrop, number, listing),
            Command::Uidl(Some(number)) => one(&mut self.conn, maildrop, number, unique_id),
            Command::List(None) => {
                let head = format!("+OK {} messages ({} octets)\r\n", maildrop.messages(), maildrop.octets());
                all(&mut self.conn, maildrop, &head, listing).await?;
            }
            Command::Uidl(None) => all(&mut self.conn, maildrop, "+OK Unique-ids follow\r\n", unique_id).await?,
            Command::Dele(_) if transaction.read_only => {
                self.conn.queue(b"-ERR [SYS/PERM] This device may only read\r\n");
            }
            Command::Dele(number) => match maildrop.mark(number) {
                Ok(()) => self.conn.queue(b"+OK Marked\r\n"),
                Err(error) => self.conn.queue(no_message(error)),
            },
            Command::Retr(number) => return self.retr(number, None).await,
            Command::Top { message, lines } => return self.retr(message, Some(lines)).await,
            _ => return Ok(self.error(b"-ERR You are logged in already\r\n")),
        }
        Ok(Next::Command)
    }

    async fn retr(&mut self, number: u32, lines: Option<u64>) -> Result<Next, ReadError> {
        let State::Transaction(transaction) = &self.state else { return Ok(Next::Command) };
        let entry = match transaction.maildrop.get(number) {
            Ok(entry) => entry,
            Err(error) => return Ok(self.answer(no_message(error))),
        };
        match retrieve(&mut self.conn, &transaction.inbox, entry, lines, self.utf8).await {
            Ok(is_whole) => {
                if let (State::Transaction(transaction), true) = (&mut self.state, is_whole && lines.is_none()) {
                    transaction.sent.insert(entry.uid.0);
                }
                Ok(Next::Command)
            }
            Err(Cut::Client(error)) => Err(error),
            Err(Cut::Store) => Ok(Next::End(End::StoreFailed)),
        }
    }
}

impl Transaction {
    /// Takes down what INBOX holds now.
    async fn open(
        context: &Context,
        logged_in: LoggedIn,
        (door, guest): (Door, Guest),
        utf8: bool,
    ) -> Result<Self, mailbox::Error> {
        let account = context.core.account(logged_in.account)?.through(door).restricted(logged_in.read_only);
        let inbox = account.open("INBOX")?;
        let (hidden, since) = inbox.pop_hidden().await?;
        let uids = inbox.snapshot()?.uids;
        let mut maildrop = Maildrop::default();
        let mut from = first_uid(&uids, &logged_in.name);
        let mut pass = context.sizes.pass(&inbox, from);
        loop {
            let rows = inbox.rows(&uids, from)?;
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            for row in &rows {
                let longer = pass.longer(&inbox, row.uid).await;
                if hidden.binary_search(&row.instance).is_ok() {
                    continue;
                }
                match u32::try_from(row.size.saturating_add(longer.octets(utf8))) {
                    Ok(size) => maildrop.push(Entry { instance: row.instance, uid: row.uid, size }),
                    Err(_) => {
                        log::warn!("pop3: user={:?}: a message of {} octets is left out", logged_in.name, row.size);
                    }
                }
            }
            let Some(next) = last.0.checked_add(1) else { break };
            from = Uid(next);
            smol::future::yield_now().await;
        }
        maildrop.seal();
        context.sizes.keep(pass, &uids);
        Ok(Self {
            user: logged_in.name,
            device: logged_in.device_name,
            read_only: logged_in.read_only,
            inbox,
            maildrop,
            since,
            sent: UidSet::new(),
            fetched: UidSet::new(),
            guest: Some(guest),
        })
    }

    /// The UPDATE state (RFC 1939 §6): all marked messages go in one commit.
    async fn update(&mut self) -> (&'static [u8], End) {
        self.confirm();
        let session = self.took(true);
        self.fetched = UidSet::new();
        let (idle, removes) = (session.fetched.is_empty() && session.deleted.is_empty(), !session.deleted.is_empty());
        let outcome = if idle { Ok(()) } else { self.inbox.pop_update(session).await };
        // Before the client hears of the end: it may be back at once.
        self.guest = None;
        match outcome {
            // A note of what was fetched that is lost makes a message stay longer, and is nothing to the client.
            _ if !removes => (b"+OK Goodbye\r\n", End::Quit),
            Ok(()) => (b"+OK Messages removed, goodbye\r\n", End::Quit),
            Err(_) => (b"-ERR [SYS/TEMP] The marked messages are not removed\r\n", End::QuitFailed),
        }
    }

    /// What the session did, as the mailbox wants to know it.
    fn took(&self, delete: bool) -> PopSession {
        let fetched = self.maildrop.entries().filter(|entry| self.fetched.contains(entry.uid.0));
        let deleted = self.maildrop.marked_entries().filter(|_| delete);
        let named = |entry: Entry| (entry.uid, entry.instance);
        PopSession { since: self.since, fetched: fetched.map(named).collect(), deleted: deleted.map(named).collect() }
    }

    /// The client has what was sent.
    fn confirm(&mut self) {
        if !self.sent.is_empty() {
            self.fetched = self.fetched.union(&std::mem::take(&mut self.sent));
        }
    }
}

/// Where a maildrop begins: at the first message, or at the first of the newest ones that it can hold.
fn first_uid(uids: &UidSet, user: &str) -> Uid {
    let total = usize::try_from(uids.len()).unwrap_or(usize::MAX);
    let Some(left_out) = total.checked_sub(MESSAGES_MAX).filter(|number| *number > 0) else {
        return Uid(1);
    };
    log::warn!("pop3: user={user:?}: the oldest {left_out} messages are left out");
    uids.iter().nth(left_out).map_or(Uid(1), Uid)
}

/// A line of LIST (RFC 1939 §5: scan listing).
fn listing(number: u32, entry: Entry) -> String {
    format!("{number} {}\r\n", entry.size)
}

/// A line of UIDL (RFC 1939 §7: unique-id listing).
fn unique_id(number: u32, entry: Entry) -> String {
    format!("{number} {:x}\r\n", entry.instance.0)
}

/// Answers LIST or UIDL of one message.
fn one(conn: &mut Connection, maildrop: &Maildrop, number: u32, line: fn(u32, Entry) -> String) {
    match maildrop.get(number) {
        Ok(entry) => conn.queue(format!("+OK {}", line(number, entry)).as_bytes()),
        Err(error) => conn.queue(no_message(error)),
    }
}

/// Answers LIST or UIDL of all messages, as fast as the client takes it.
async fn all(
    conn: &mut Connection,
    maildrop: &Maildrop,
    head: &str,
    line: fn(u32, Entry) -> String,
) -> Result<(), ReadError> {
    conn.queue(head.as_bytes());
    for number in 1..=maildrop.last() {
        if let Ok(entry) = maildrop.get(number) {
            conn.send(line(number, entry).as_bytes()).await?;
        }
    }
    conn.send(b".\r\n").await
}

fn no_message(error: NoMessage) -> &'static [u8] {
    match error {
        NoMessage::Never => b"-ERR No such message\r\n",
        NoMessage::Deleted => b"-ERR This message is marked as deleted\r\n",
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
