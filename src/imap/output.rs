//! Where commands write untagged data: into the connection's buffer, flushed before it grows
//! beyond [`OUT_HIGH`], so that a slow client slows its own command down and costs no memory.

use super::enabled::Enabled;
use super::progress::Ticker;
use super::reply::Failure;
use crate::mailbox::search::Progress;
use crate::net::{Connection, OUT_HIGH};
use async_io::Timer;
use smol::future::or;
use std::pin::pin;

/// Untagged data on its way to the client.
pub struct Output<'a> {
    connection: &'a mut Connection,
    enabled: Enabled,
    ticker: Option<Ticker>,
}

impl<'a> Output<'a> {
    /// Writes to this connection, whose client has switched on `enabled`.
    #[must_use]
    pub fn new(connection: &'a mut Connection, enabled: Enabled) -> Self {
        Self { connection, enabled, ticker: None }
    }

    /// What the client has switched on, and so in which form it is to be told.
    #[must_use]
    pub const fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// The same, for a command that may take long.
    #[must_use]
    pub fn reporting(self, ticker: Ticker) -> Self {
        Self { ticker: Some(ticker), ..self }
    }

    /// Tells how far the command has come, where it is time to.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn progress(&mut self, progress: Progress) -> Result<(), Failure> {
        match self.ticker.as_mut().and_then(|ticker| ticker.tell(Some(progress))) {
            Some(line) => {
                self.untagged(&line).await?;
                self.flush().await
            }
            None => Ok(()),
        }
    }

    /// Waits for work that cannot tell how far it has come, and tells that it goes on.
    ///
    /// # Errors
    /// Where the connection is gone; the work may be done all the same.
    pub async fn while_waiting<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            let Some(due) = self.ticker.as_ref().map(Ticker::due) else { return Ok(work.await) };
            let late = async {
                Timer::at(due).await;
                None
            };
            if let Some(done) = or(async { Some(work.as_mut().await) }, late).await {
                return Ok(done);
            }
            if let Some(line) = self.ticker.as_mut().and_then(|ticker| ticker.tell(None)) {
                self.untagged(&line).await?;
                self.flush().await?;
            }
        }
    }

    /// Sends octets as they are; waits for the client where the buffer is full.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn put(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.connection.queue(octets);
        if self.connection.queued() >= OUT_HIGH {
            self.connection.flush().await?;
        }
        Ok(())
    }

    /// Sends one untagged response: `* `, the text, CRLF.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn untagged(&mut self, text: &str) -> Result<(), Failure> {
        self.connection.queue(b"* ");
        self.connection.queue(text.as_bytes());
        self.put(b"\r\n").await
    }

    /// Sends all that is buffered.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.connection.flush().await?)
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
