//! The one signal that ends every session.

use event_listener::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One per process: sessions wait for it beside their input and end with their protocol's farewell.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    requested: AtomicBool,
    event: Event,
}

impl Shutdown {
    /// A signal that nobody has given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal; it stays given.
    pub fn request(&self) {
        self.state.requested.store(true, Ordering::SeqCst);
        self.state.event.notify(usize::MAX);
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.state.requested.load(Ordering::SeqCst)
    }

    /// Completes when the signal is given, at once if it was. Cancel-safe.
    pub async fn wait(&self) {
        while !self.requested() {
            let listener = self.state.event.listen();
            // The signal may have come between the test and the listening.
            if self.requested() {
                return;
            }
            listener.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_those_who_wait_and_those_who_come_later() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.requested());
        let waiting = shutdown.clone();
        let thread = std::thread::spawn(move || smol::block_on(waiting.wait()));
        shutdown.request();
        thread.join().unwrap();
        smol::block_on(shutdown.wait());
        assert!(shutdown.requested());
    }
}
