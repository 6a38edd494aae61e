//! The signal that ends every session, and those that end a single one.

use event_listener::Event;
use smol::future::or;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One per process: sessions wait for it beside their input and end with their protocol's farewell.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    state: Arc<State>,
    /// Where this one is given, so is ours.
    parent: Option<Arc<State>>,
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

    /// A signal of its own, which is given with this one, too: for a single session.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { state: Arc::default(), parent: Some(self.state.clone()) }
    }

    /// Gives the signal; it stays given.
    pub fn request(&self) {
        self.state.requested.store(true, Ordering::SeqCst);
        self.state.event.notify(usize::MAX);
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested_alone() || self.parent.as_ref().is_some_and(|parent| parent.requested.load(Ordering::SeqCst))
    }

    /// Whether this very signal was given, and not only the one that it is a child of.
    #[must_use]
    pub fn requested_alone(&self) -> bool {
        self.state.requested.load(Ordering::SeqCst)
    }

    /// Completes when the signal is given, at once if it was. Cancel-safe.
    pub async fn wait(&self) {
        while !self.requested() {
            let own = self.state.event.listen();
            let parent = self.parent.as_ref().map(|parent| parent.event.listen());
            // The signal may have come between the test and the listening.
            if self.requested() {
                return;
            }
            match parent {
                Some(parent) => or(own, parent).await,
                None => own.await,
            }
        }
    }

    /// Completes when this very signal is given. Cancel-safe.
    pub async fn wait_alone(&self) {
        Self { state: self.state.clone(), parent: None }.wait().await;
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

    #[test]
    fn a_child_ends_alone_or_with_all() {
        let (parent, other) = (Shutdown::new(), Shutdown::new());
        let child = parent.child();
        child.request();
        smol::block_on(child.wait());
        assert!(child.requested_alone() && !parent.requested());
        let child = other.child();
        let waiting = child.clone();
        let thread = std::thread::spawn(move || smol::block_on(waiting.wait()));
        other.request();
        thread.join().unwrap();
        assert!(child.requested() && !child.requested_alone());
    }
}
