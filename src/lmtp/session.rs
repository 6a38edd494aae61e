//! One LMTP session: reads commands in order, holds the one transaction, answers.

use super::command::{Bdat, Command, Mail};
use super::data::{Arriving, DISCARD_MAX};
use super::recipient::{Place, Recipients, failed_delivery, refused_recipient};
use crate::config::Config;
use crate::mailbox::{Appended, Core, Delivery, Door, DoorKind, Error, trace};
use crate::net::{Connection, DotReader, OUT_HIGH, ReadError, Shutdown, timeout};
use crate::types::Flags;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

/// What all LMTP sessions share.
pub struct Context {
    /// Where mail goes.
    pub core: Arc<Core>,
    /// Our name and the limits.
    pub config: Arc<Config>,
    /// Ends the sessions.
    pub shutdown: Shutdown,
}

/// Serves one connection until it ends. Never panics on input.
pub async fn serve(connection: Connection, context: Arc<Context>) {
    let mut session = Session::new(connection, context);
    let end = match session.run().await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    if let Some(farewell) = end.farewell() {
        session.reply(farewell);
    }
    log::debug!("lmtp: session with {} ended: {end}", session.connection.peer());
    session.connection.close().await;
}

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    Quit,
    /// The connection is gone or broken.
    Lost(ReadError),
    Idle,
    Shutdown,
    TooManyErrors,
    /// A command has no end in sight.
    EndlessLine,
    /// A refused message or chunk has no end in sight.
    TooMuchData,
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Endless => Self::EndlessLine,
            error => Self::Lost(error),
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self, self.farewell()) {
            (Self::Lost(error), _) => error.fmt(f),
            (_, farewell) => f.write_str(farewell.unwrap_or_default()),
        }
    }
}

impl End {
    /// The last reply (RFC 5321 §3.8).
    const fn farewell(&self) -> Option<&'static str> {
        match self {
            Self::Quit => Some("221 2.0.0 Bye"),
            Self::Lost(_) => None,
            Self::Idle => Some("421 4.4.2 Nothing heard for too long, closing"),
            Self::Shutdown => Some("421 4.3.2 Shutting down"),
            Self::TooManyErrors => Some("421 4.7.0 Too many errors, closing"),
            Self::EndlessLine => Some("421 5.5.2 A line without an end, closing"),
            Self::TooMuchData => Some("421 4.3.4 Far too much data, closing"),
        }
    }
}

/// Between MAIL and the end of its message (RFC 5321 §3.3).
struct Transaction {
    mail: Mail,
    recipients: Recipients,
    id: String,
    /// The message after its first BDAT; DATA holds its own.
    arriving: Option<Arriving>,
}

struct Session {
    connection: Connection,
    context: Arc<Context>,
    /// The name in LHLO; None before it.
    name: Option<String>,
    transaction: Option<Box<Transaction>>,
    errors: u32,
}

impl Session {
    fn new(mut connection: Connection, context: Arc<Context>) -> Self {
        connection.set_write_timeout(context.config.limits.write);
        Self { connection, context, name: None, transaction: None, errors: 0 }
    }

    async fn run(&mut self) -> Result<Infallible, End> {
        let greeting = format!("220 {} LMTP mailnook", self.context.config.hostname);
        self.reply(&greeting);
        loop {
            if self.context.shutdown.requested() {
                return Err(End::Shutdown);
            }
            // Replies to pipelined commands go out together (RFC 2920 §3.2).
            if !self.connection.line_crlf_is_buffered() || self.connection.queued() >= OUT_HIGH {
                self.connection.flush().await?;
            }
            let max = self.context.config.limits.line_before_login;
            match wait(&self.context, self.connection.line_crlf(max)).await? {
                Ok(line) => self.run_line(&line).await?,
                Err(ReadError::TooLong) => self.error("500 5.5.2 Line too long")?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn run_line(&mut self, line: &[u8]) -> Result<(), End> {
        match Command::parse(line) {
            Ok(Command::Lhlo(name)) => self.lhlo(name),
            Ok(Command::Mail(mail)) => self.mail(mail)?,
            Ok(Command::Rcpt(forward_path)) => self.rcpt(forward_path)?,
            // In boxes, so that an idle session's future stays small.
            Ok(Command::Data) => Box::pin(self.data()).await?,
            Ok(Command::Bdat(bdat)) => Box::pin(self.bdat(bdat)).await?,
            Ok(Command::Rset) => {
                self.transaction = None;
                self.reply("250 2.0.0 OK");
            }
            Ok(Command::Noop) => self.reply("250 2.0.0 OK"),
            Ok(Command::Vrfy) => self.reply("252 2.0.0 Not verified; RCPT tells"),
            Ok(Command::Help) => self.reply("214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT: RFC 2033"),
            Ok(Command::Quit) => return Err(End::Quit),
            Err(refused) => self.error(refused.reply())?,
        }
        Ok(())
    }

    /// RFC 2033 §4.1. Has no enhanced codes (RFC 2034 §4).
    fn lhlo(&mut self, name: String) {
        let Config { hostname, limits, .. } = &*self.context.config;
        let reply = format!(
            "250-{hostname}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n\
             250 ENHANCEDSTATUSCODES",
            limits.message_size
        );
        self.name = Some(name);
        self.transaction = None;
        self.reply(&reply);
    }

    fn mail(&mut self, mail: Mail) -> Result<(), End> {
        if self.name.is_none() {
            return self.error("503 5.5.1 Send LHLO first");
        }
        if self.transaction.is_some() {
            return self.error("503 5.5.1 MAIL was given already");
        }
        if mail.size.is_some_and(|size| size > self.context.config.limits.message_size) {
            self.reply("552 5.3.4 Message too big");
            return Ok(());
        }
        if let Err(error) = self.context.core.check_room() {
            self.reply(failed_delivery(&error));
            return Ok(());
        }
        let recipients = Recipients::default();
        self.transaction = Some(Box::new(Transaction { mail, recipients, id: trace::new_id(), arriving: None }));
        self.reply("250 2.1.0 OK");
        Ok(())
    }

    fn rcpt(&mut self, forward_path: String) -> Result<(), End> {
        let Some(transaction) = &mut self.transaction else {
            return self.error("503 5.5.1 Send MAIL first");
        };
        if transaction.arriving.is_some() {
            return self.error("503 5.5.1 The message has begun");
        }
        if !transaction.mail.utf8 && !forward_path.is_ascii() {
            return self.error("553 5.6.7 Address beyond ASCII without SMTPUTF8");
        }
        if transaction.recipients.accepted() >= self.context.config.limits.recipients {
            self.reply("452 4.5.3 Too many recipients");
            return Ok(());
        }
        let core = &self.context.core;
        let found = core.resolve(&forward_path).and_then(|recipient| {
            // Told before the message comes, as far as it can be (RFC 1870 §6.1).
            core.check_delivery(recipient.account, transaction.mail.size.unwrap_or(0))?;
            Ok(recipient)
        });
        let reply = match found {
            Ok(recipient) => {
                transaction.recipients.add(forward_path, recipient);
                "250 2.1.5 OK"
            }
            Err(error) => {
                let reply = refused_recipient(&error);
                let peer = self.connection.peer();
                log::info!("lmtp: refused to=<{forward_path}> peer={peer} id={} reply={reply:?}", transaction.id);
                reply
            }
        };
        self.reply(reply);
        Ok(())
    }

    /// Why no message may begin now.
    fn refuses_message(&self) -> Option<&'static str> {
        match &self.transaction {
            None => Some("503 5.5.1 Send MAIL first"),
            // RFC 2033 §4.2: without a recipient DATA fails with 503.
            Some(transaction) if transaction.recipients.accepted() == 0 => Some("503 5.5.1 No valid recipients"),
            Some(_) => None,
        }
    }

    /// RFC 2033 §4.2.
    async fn data(&mut self) -> Result<(), End> {
        if let Some(reply) = self.refuses_message() {
            return self.error(reply);
        }
        if self.transaction.as_ref().is_some_and(|transaction| transaction.arriving.is_some()) {
            return self.error("503 5.5.1 DATA after BDAT");
        }
        self.reply("354 End with CRLF . CRLF");
        self.connection.flush().await?;
        let mut arriving = Arriving::new(&self.context.core);
        let mut reader = DotReader::new();
        let mut text = Vec::new();
        loop {
            text.clear();
            let input = wait(&self.context, self.connection.fill()).await??;
            let found = reader.feed(input, |octets| text.extend_from_slice(octets));
            self.connection.consume(found.consumed);
            arriving.push(&text).await?;
            if found.finished {
                break;
            }
        }
        // Held no longer than needed: the commit may wait for others.
        drop(text);
        self.deliver(arriving).await;
        Ok(())
    }

    /// RFC 3030 §2 and RFC 2033 §4.3. The chunk's octets come whatever we answer, so they are always read.
    async fn bdat(&mut self, bdat: Bdat) -> Result<(), End> {
        if let Some(reply) = self.refuses_message() {
            if bdat.size > DISCARD_MAX {
                return Err(End::TooMuchData);
            }
            self.chunk(bdat.size, None).await?;
            return self.error(reply);
        }
        let continued = self.transaction.as_mut().and_then(|transaction| transaction.arriving.take());
        let mut arriving = continued.unwrap_or_else(|| Arriving::new(&self.context.core));
        if bdat.size > self.context.config.limits.message_size {
            arriving.fail(failed_delivery(&Error::TooBig(self.context.config.limits.message_size)));
        }
        self.chunk(bdat.size, Some(&mut arriving)).await?;
        if bdat.last {
            self.deliver(arriving).await;
            return Ok(());
        }
        match arriving.failure() {
            Some(reply) => self.reply(reply),
            None => self.reply(&format!("250 2.0.0 {} octets", bdat.size)),
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.arriving = Some(arriving);
        }
        Ok(())
    }

    /// Reads the octets of a chunk into the message, or to nowhere.
    async fn chunk(&mut self, size: u64, mut arriving: Option<&mut Arriving>) -> Result<(), End> {
        // A client that asked for nothing yet may wait for earlier replies before it sends on.
        self.connection.flush().await?;
        let mut missing = size;
        while missing > 0 {
            let input = wait(&self.context, self.connection.fill()).await??;
            let count = usize::try_from(missing).unwrap_or(usize::MAX).min(input.len());
            if let (Some(arriving), Some(octets)) = (arriving.as_deref_mut(), input.get(..count)) {
                arriving.push(octets).await?;
            }
            self.connection.consume(count);
            missing = missing.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Ends the transaction: one durable commit for all recipients, then one reply for each accepted RCPT.
    async fn deliver(&mut self, arriving: Arriving) {
        let Some(transaction) = self.transaction.take() else { return };
        let outcome = match arriving.finish().await {
            Ok(staged) => {
                let deliveries = transaction.recipients.places().iter();
                let deliveries = deliveries.map(|place| self.delivery(&transaction, place)).collect();
                let outcome = self.context.core.deliver(staged, deliveries).await;
                outcome.map_err(|error| failed_delivery(&error))
            }
            Err(reply) => Err(reply),
        };
        self.log_outcome(&transaction, &outcome);
        let delivered = format!("250 2.1.5 Delivered, id {}", transaction.id);
        match outcome {
            Ok(outcomes) => {
                for outcome in transaction.recipients.outcomes(&outcomes) {
                    self.reply(match outcome {
                        Some(Ok(_)) => &delivered,
                        Some(Err(error)) => failed_delivery(error),
                        None => failed_delivery(&Error::Temporary),
                    });
                }
            }
            Err(reply) => {
                for _ in 0..transaction.recipients.accepted() {
                    self.reply(reply);
                }
            }
        }
    }

    fn delivery(&self, transaction: &Transaction, place: &Place) -> Delivery {
        let tls = self.connection.tls_description();
        let protocol = match (transaction.mail.utf8, tls.is_some()) {
            (false, false) => "LMTP",
            (false, true) => "LMTPS",
            (true, false) => "UTF8LMTP",
            (true, true) => "UTF8LMTPS",
        };
        let prefix = trace::prefix(&trace::Trace {
            reverse_path: &transaction.mail.reverse_path,
            recipient: &place.forward_path,
            only_recipient: transaction.recipients.accepted() == 1,
            origin: Some(trace::Origin {
                name: self.name.as_deref().unwrap_or_default(),
                address: self.connection.peer().address,
                protocol,
                tls: tls.as_deref(),
            }),
            hostname: &self.context.config.hostname,
            id: &transaction.id,
            date: trace::now(),
        });
        Delivery {
            account: place.recipient.account,
            target: place.target(),
            prefix,
            flags: Flags::default(),
            date: None,
            door: Door::session(DoorKind::Lmtp, self.connection.peer().address),
        }
    }

    fn log_outcome(&self, transaction: &Transaction, outcome: &Result<Vec<Result<Appended, Error>>, &str>) {
        let peer = self.connection.peer();
        let Transaction { mail, id, .. } = transaction;
        for (index, place) in transaction.recipients.places().iter().enumerate() {
            let reply = match outcome {
                Ok(outcomes) => match outcomes.get(index) {
                    Some(Ok(appended)) => {
                        log::info!(
                            "lmtp: delivered id={id} from=<{}> to=<{}> account={} uid={} peer={peer}",
                            mail.reverse_path,
                            place.forward_path,
                            place.recipient.name,
                            appended.uid.0
                        );
                        continue;
                    }
                    Some(Err(error)) => failed_delivery(error),
                    None => failed_delivery(&Error::Temporary),
                },
                Err(reply) => reply,
            };
            log::warn!(
                "lmtp: not delivered id={id} from=<{}> to=<{}> account={} peer={peer} reply={reply:?}",
                mail.reverse_path,
                place.forward_path,
                place.recipient.name
            );
        }
    }

    fn reply(&mut self, text: &str) {
        self.connection.queue(text.as_bytes());
        self.connection.queue(b"\r\n");
    }

    /// Answers something that a correct client does not do; too much of it ends the session.
    fn error(&mut self, reply: &str) -> Result<(), End> {
        self.reply(reply);
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.context.config.limits.protocol_errors { Err(End::TooManyErrors) } else { Ok(()) }
    }
}

/// Waits for input, but not for longer than a silent peer may take, nor when the server ends.
async fn wait<T>(context: &Context, input: impl Future<Output = T>) -> Result<T, End> {
    let input = async { timeout(context.config.limits.lmtp_idle, input).await.ok_or(End::Idle) };
    let shutdown = async {
        context.shutdown.wait().await;
        Err(End::Shutdown)
    };
    smol::future::or(input, shutdown).await
}
