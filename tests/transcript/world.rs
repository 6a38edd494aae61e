//! The server's side: a fresh store, its accounts, and a session task for each client.

use super::client::Stream;
use super::pattern::Variables;
use super::script::Open;
use smol::Executor;
use std::sync::Arc;

/// A server in a temporary directory.
pub struct World {
    executor: Arc<Executor<'static>>,
}

impl World {
    pub fn new() -> Result<Self, String> {
        Ok(Self { executor: Arc::new(Executor::new()) })
    }

    /// Runs the sessions; the client's side must run on it too.
    pub fn executor(&self) -> Arc<Executor<'static>> {
        Arc::clone(&self.executor)
    }

    /// Does what an `@` line says.
    pub async fn setup(&mut self, words: &[String], _variables: &Variables) -> Result<(), String> {
        Err(format!("not understood: @{}", words.join(" ")))
    }

    /// Begins a session and returns the client's end.
    pub fn open(&mut self, open: Open) -> Result<Box<dyn Stream>, String> {
        Err(format!("no server for {open:?}"))
    }

    /// Waits for the sessions to end and checks the whole store.
    pub async fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }
}
