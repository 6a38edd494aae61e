//! One command's view of its connection: input to read, two texts to write, and how commands fail.

use super::exit;
use super::frame::{self, FRAME_MAX, Kind};
use crate::mailbox::{self, OverQuota};
use crate::net::{Connection, ReadError, Shutdown, timeout};
use std::time::Duration;

/// A client that sends no input for so long is gone. `deliver` may wait for a slow download upstream.
const INPUT_TIMEOUT: Duration = Duration::from_mins(10);

/// Why a command ends early.
pub(super) enum Failure {
    /// With this exit code and this line for standard error.
    Exit(u8, String),
    /// The client is gone or broke the protocol; nobody is left to tell.
    Gone,
}

impl From<ReadError> for Failure {
    fn from(_: ReadError) -> Self {
        Self::Gone
    }
}

impl Failure {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self::Exit(code, text.into())
    }

    /// The words for an error that means the same whatever was tried.
    pub(super) fn core(error: &mailbox::Error) -> Self {
        use mailbox::Error;
        let (code, text) = match error {
            Error::NotFound => (exit::NO_USER, "there is no such user or mailbox".to_owned()),
            Error::Exists => (exit::FAILURE, "that name is taken".to_owned()),
            Error::ReadOnly => (exit::FAILURE, "the mailbox is read-only".to_owned()),
            Error::Denied => (exit::FAILURE, "that is not allowed".to_owned()),
            Error::OverQuota(OverQuota::Defer) => (exit::TEMPORARY, "the account is full; try again later".to_owned()),
            Error::OverQuota(OverQuota::Bounce) => (exit::UNAVAILABLE, "the account is full".to_owned()),
            Error::TooBig(limit) => (exit::DATA, format!("the message is larger than {limit} octets")),
            Error::Expunged => (exit::FAILURE, "the message is gone".to_owned()),
            Error::HasChildren => (exit::FAILURE, "there are mailboxes below it".to_owned()),
            Error::Damaged => (exit::DATA, "stored data is damaged; 'mailnook verify' tells which".to_owned()),
            Error::Invalid(why) => (exit::FAILURE, (*why).to_owned()),
            Error::Limit(which) => (exit::TEMPORARY, format!("a limit is reached: {which}")),
            Error::NoRoom => (
                exit::TEMPORARY,
                "the disk is full, or the store as large as map_size allows; make room and try again".to_owned(),
            ),
            Error::Temporary => (exit::TEMPORARY, "the store failed; its log says why. Try again later".to_owned()),
        };
        Self::Exit(code, text)
    }
}

impl From<mailbox::Error> for Failure {
    fn from(error: mailbox::Error) -> Self {
        Self::core(&error)
    }
}

/// One command's connection.
pub(super) struct Call<'c> {
    connection: &'c mut Connection,
    shutdown: Option<&'c Shutdown>,
}

impl<'c> Call<'c> {
    pub(super) const fn new(connection: &'c mut Connection, shutdown: Option<&'c Shutdown>) -> Self {
        Self { connection, shutdown }
    }

    /// The next piece of standard input; None at its end.
    pub(super) async fn input(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let reading = async { timeout(INPUT_TIMEOUT, frame::read(self.connection)).await.ok_or(Failure::Gone) };
        let stopping = async {
            match self.shutdown {
                Some(shutdown) => shutdown.wait().await,
                None => std::future::pending().await,
            }
            Err(Failure::new(exit::TEMPORARY, "the server is stopping; try again later"))
        };
        let frame = smol::future::or(reading, stopping).await??;
        match frame.kind {
            Kind::Input => Ok(Some(frame.payload)),
            Kind::InputEnd => Ok(None),
            Kind::Request | Kind::Output | Kind::ErrorOutput | Kind::Exit => Err(Failure::Gone),
        }
    }

    /// Writes to standard output.
    pub(super) async fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.send(Kind::Output, text).await
    }

    /// Writes to standard error.
    pub(super) async fn complain(&mut self, text: &str) -> Result<(), Failure> {
        self.send(Kind::ErrorOutput, text).await
    }

    async fn send(&mut self, kind: Kind, text: &str) -> Result<(), Failure> {
        for piece in text.as_bytes().chunks(FRAME_MAX) {
            frame::send(self.connection, kind, piece).await?;
        }
        Ok(())
    }

    /// Sends what was printed so far: the client waits for it before it goes on.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.connection.flush().await?)
    }

    /// The last word.
    pub(super) async fn exit(&mut self, code: u8) -> Result<(), Failure> {
        frame::send(self.connection, Kind::Exit, &[code]).await?;
        Ok(self.connection.flush().await?)
    }
}
