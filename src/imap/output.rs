//! Where commands write untagged data: into the connection's buffer, flushed before it grows
//! beyond [`OUT_HIGH`], so that a slow client slows its own command down and costs no memory.

use super::enabled::Enabled;
use super::reply::Failure;
use crate::net::{Connection, OUT_HIGH};

/// Untagged data on its way to the client.
pub struct Output<'a> {
    connection: &'a mut Connection,
    enabled: Enabled,
}

impl<'a> Output<'a> {
    /// Writes to this connection, whose client has switched on `enabled`.
    #[must_use]
    pub fn new(connection: &'a mut Connection, enabled: Enabled) -> Self {
        Self { connection, enabled }
    }

    /// What the client has switched on, and so in which form it is to be told.
    #[must_use]
    pub const fn enabled(&self) -> Enabled {
        self.enabled
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
