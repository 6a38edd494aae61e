//! What the running server is doing: sessions by protocol, now and since its start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a session speaks, and whether TLS comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP with STARTTLS.
    Imap,
    /// IMAP with implicit TLS.
    Imaps,
    /// POP3 with STLS.
    Pop3,
    /// POP3 with implicit TLS.
    Pop3s,
    /// LMTP.
    Lmtp,
    /// Administration by the control socket.
    Control,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 6] = [Self::Imap, Self::Imaps, Self::Pop3, Self::Pop3s, Self::Lmtp, Self::Control];

    /// Its name in logs, `status` and the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Lmtp => "lmtp",
            Self::Control => "control",
        }
    }

    /// Whether the TLS handshake comes before anything else.
    #[must_use]
    pub const fn is_implicit_tls(self) -> bool {
        matches!(self, Self::Imaps | Self::Pop3s)
    }
}

/// Counters of one server process.
#[derive(Debug)]
pub struct Registry {
    started: Instant,
    counters: [Counter; Protocol::ALL.len()],
    refused: AtomicU64,
    panics: AtomicU64,
}

#[derive(Debug, Default)]
struct Counter {
    now: AtomicU64,
    total: AtomicU64,
}

impl Registry {
    /// Counters at zero; the uptime begins.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            counters: std::array::from_fn(|_| Counter::default()),
            refused: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        })
    }

    /// Counts a session until the answer is dropped.
    #[must_use]
    pub fn enter(self: &Arc<Self>, protocol: Protocol) -> Session {
        let counter = self.counter(protocol);
        counter.now.fetch_add(1, Ordering::SeqCst);
        counter.total.fetch_add(1, Ordering::Relaxed);
        Session { registry: Arc::clone(self), protocol }
    }

    /// Counts a connection that a limit turned away.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a session that a fault of mailnook ended.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Sessions of that protocol now.
    #[must_use]
    pub fn now(&self, protocol: Protocol) -> u64 {
        self.counter(protocol).now.load(Ordering::SeqCst)
    }

    /// Sessions of that protocol since the start.
    #[must_use]
    pub fn total(&self, protocol: Protocol) -> u64 {
        self.counter(protocol).total.load(Ordering::Relaxed)
    }

    /// Connections that a limit turned away.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Sessions that a fault of mailnook ended.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Whether no session is left.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        Protocol::ALL.into_iter().all(|protocol| self.now(protocol) == 0)
    }

    /// Time since the start.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn counter(&self, protocol: Protocol) -> &Counter {
        &self.counters[protocol as usize]
    }
}

/// One counted session.
#[derive(Debug)]
pub struct Session {
    registry: Arc<Registry>,
    protocol: Protocol,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.registry.counter(self.protocol).now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_while_they_last() {
        let registry = Registry::new();
        let first = registry.enter(Protocol::Imap);
        let second = registry.enter(Protocol::Imap);
        drop(first);
        assert_eq!((registry.now(Protocol::Imap), registry.total(Protocol::Imap)), (1, 2));
        assert!(!registry.is_idle());
        drop(second);
        assert!(registry.is_idle());
        for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, index);
        }
    }
}
