//! Reads commands, continuation lines and the borders of streamed messages from a connection.

use super::error::{ParseError, Tag};
use super::frame::{DISCARD_MAX, Event, Framer};
use super::parse::{RESUMED, next_message, parse_for};
use crate::imap::command::{AppendMessage, Command, Literal, Secret};
use crate::imap::enabled::Enabled;
use crate::net::{Connection, ReadError};

/// Asks the client for a literal (RFC 9051 §7.6).
const CONTINUE: &[u8] = b"+ OK\r\n";

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A command. Behind [`Command::Append`] the message follows on the connection: go on with
    /// [`Receiver::accept_message`] or [`Receiver::discard_message`].
    Command(Tag, Command),
    /// Not a command: answer with [`ParseError::write`]; the session goes on.
    Refused(ParseError),
    /// The client cannot be followed any more: say `* BYE` with this text and close.
    Bye(&'static str),
}

/// What stood behind the message of an APPEND.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendEnd {
    /// The end of the line: the command is complete.
    Complete,
    /// Something else, which was swallowed up to the end of the command.
    More,
    /// The client cannot be followed any more: say `* BYE` with this text and close.
    Bye(&'static str),
}

/// What stands behind the message of an APPEND whose end is read with [`Receiver::next_message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendNext {
    /// The end of the line: the command is complete.
    Complete,
    /// Another message (RFC 3502): go on with [`Receiver::accept_message`] or [`Receiver::discard_message`].
    Message(AppendMessage),
    /// Nothing that may stand there; the command is over and is to be refused with this text.
    Refused(ParseError),
    /// The client cannot be followed any more: say `* BYE` with this text and close.
    Bye(&'static str),
}

/// Limit: octets between two messages of one APPEND: flags and a date.
const BETWEEN_MAX: usize = 32 * 1024;

/// The receiving side of one session. Between commands it holds no memory.
#[derive(Default)]
pub struct Receiver {
    framer: Framer,
    /// A continuation request is queued but perhaps not yet sent.
    flush_due: bool,
    /// What the client has switched on: the next command is read as one of such a client.
    pub enabled: Enabled,
}

impl Receiver {
    /// For a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no octet of a command has come yet, as far as it was looked at.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.framer.is_idle() && !self.flush_due
    }

    /// The next command, of at most `max` octets with its literals: [`super::frame::COMMAND_MAX_BEFORE_LOGIN`] or
    /// [`super::frame::COMMAND_MAX`]. Literals are asked for as they are announced.
    ///
    /// Cancel-safe at any point: what was read is kept here. The caller flushes its own answers before it waits.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn command(&mut self, connection: &mut Connection, max: usize) -> Result<Received, ReadError> {
        loop {
            match self.event(connection, max).await? {
                Event::Continue => {
                    connection.queue(CONTINUE);
                    self.flush_due = true;
                }
                Event::Command(frame) => match (parse_for(&frame, self.enabled), frame.message()) {
                    (Ok((tag, command)), _) => return Ok(Received::Command(tag, command)),
                    // The message comes although nobody wants it.
                    (Err(refusal), Some(message)) if message.non_synchronizing => {
                        self.framer.discard(message, Some(refusal), DISCARD_MAX);
                    }
                    (Err(refusal), _) => return Ok(Received::Refused(refusal)),
                },
                Event::Discarded { refusal: Some(refusal), .. } => return Ok(Received::Refused(refusal)),
                // The end of something that an earlier call was to discard.
                Event::Discarded { refusal: None, .. } => {}
                Event::Bye(text) => return Ok(Received::Bye(text)),
            }
        }
    }

    /// Asks for the message of an APPEND where the client waits for that. Its octets are next on the connection.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn accept_message(&mut self, connection: &mut Connection, literal: Literal) -> Result<(), ReadError> {
        if literal.non_synchronizing {
            return Ok(());
        }
        connection.queue(CONTINUE);
        connection.flush().await
    }

    /// Ends an APPEND whose message is not wanted, before any octet of it was read. A client that waits for a
    /// continuation never sends it. Otherwise it and the rest of the command are swallowed, `max` octets at most.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn discard_message(
        &mut self,
        connection: &mut Connection,
        literal: Literal,
        max: u64,
    ) -> Result<AppendEnd, ReadError> {
        if !literal.non_synchronizing {
            return Ok(AppendEnd::Complete);
        }
        self.framer.discard(literal, None, max);
        self.end_of_append(connection).await
    }

    /// Ends an APPEND of which `left` octets of the message are still to come, because storing it failed midway.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn discard_rest_of_message(
        &mut self,
        connection: &mut Connection,
        left: u64,
    ) -> Result<AppendEnd, ReadError> {
        let rest = Literal { size: left, non_synchronizing: true };
        self.framer.discard(rest, None, left.saturating_add(DISCARD_MAX));
        self.end_of_append(connection).await
    }

    /// Reads the end of the line behind the message of an APPEND.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn finish_append_line(&mut self, connection: &mut Connection) -> Result<AppendEnd, ReadError> {
        self.framer.discard_rest_of_line();
        self.end_of_append(connection).await
    }

    /// Reads what stands behind the message of an APPEND. `utf8`: it was UTF8 data (RFC 6855 §4).
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn next_message(&mut self, connection: &mut Connection, utf8: bool) -> Result<AppendNext, ReadError> {
        self.framer.resume(RESUMED);
        loop {
            match self.event(connection, BETWEEN_MAX).await? {
                Event::Command(frame) => match (next_message(&frame, utf8), frame.message()) {
                    (Ok(None), _) => return Ok(AppendNext::Complete),
                    (Ok(Some(message)), _) => return Ok(AppendNext::Message(message)),
                    // The message comes although nobody wants it.
                    (Err(fault), Some(message)) if message.non_synchronizing => {
                        self.framer.discard(message, Some(fault.tagged(None)), DISCARD_MAX);
                    }
                    (Err(fault), _) => return Ok(AppendNext::Refused(fault.tagged(None))),
                },
                Event::Discarded { refusal: Some(refusal), .. } => return Ok(AppendNext::Refused(refusal)),
                // Every literal there is a message.
                Event::Discarded { refusal: None, .. } | Event::Continue => {}
                Event::Bye(text) => return Ok(AppendNext::Bye(text)),
            }
        }
    }

    /// A line that is no command: a SASL response, or DONE. At most `max` octets; None: it was longer and is gone.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn continuation(&mut self, connection: &mut Connection, max: usize) -> Result<Option<Secret>, ReadError> {
        match connection.line(max).await {
            Ok(line) => Ok(Some(Secret(line))),
            Err(ReadError::TooLong) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn end_of_append(&mut self, connection: &mut Connection) -> Result<AppendEnd, ReadError> {
        loop {
            match self.event(connection, 0).await? {
                Event::Discarded { text: false, .. } => return Ok(AppendEnd::Complete),
                Event::Discarded { text: true, .. } => return Ok(AppendEnd::More),
                Event::Bye(text) => return Ok(AppendEnd::Bye(text)),
                Event::Continue | Event::Command(_) => {}
            }
        }
    }

    async fn event(&mut self, connection: &mut Connection, max: usize) -> Result<Event, ReadError> {
        loop {
            if self.flush_due {
                connection.flush().await?;
                self.flush_due = false;
            }
            let input = connection.fill().await?;
            let (used, event) = self.framer.feed(input, max);
            connection.consume(used);
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }
}

/// Whether this continuation line ends an IDLE (RFC 9051 §6.3.13).
#[must_use]
pub fn is_done(line: &[u8]) -> bool {
    line.trim_ascii().eq_ignore_ascii_case(b"DONE")
}

#[cfg(test)]
mod tests;
