//! Jobs that need not be durable at once. A commit of its own rewrites a dozen pages for a job that has a few octets to
//! write; so it waits for company.
//!
//! Invariant: whatever could notice that such a job is missing runs behind it: every other job but those that are
//! submitted as having nothing to do with it, and every reader that asks for it. Only the end of the process at its
//! worst (a power cut) or a disk that fails loses what waits, as a whole or from some job on.

use super::writer::Job;
use std::time::{Duration, Instant};

/// Limit: entries that wait together. What comes on top is an ordinary job.
const WAITING_MAX: usize = 256;
/// With so many entries they go with the next commit, whatever it is for.
const RIDE_AT: usize = 16;
/// After so many seconds, too.
const RIDE_AFTER: i64 = 600;
/// After this long they get a commit of their own.
const ALONE_AFTER: Duration = Duration::from_hours(1);

/// The jobs that wait, in their order.
#[derive(Default)]
pub(super) struct Later {
    jobs: Vec<Box<dyn Job>>,
    entries: usize,
    /// When the oldest came, and the latest moment that any of them ever had, by the store's clock.
    since: i64,
    newest: i64,
    /// When they get a commit of their own.
    until: Option<Instant>,
    /// The writer has some that are not durable yet.
    settling: bool,
}

impl Later {
    /// Whether so many more entries may wait.
    pub(super) const fn has_room(&self, entries: usize) -> bool {
        self.entries.saturating_add(entries) <= WAITING_MAX
    }

    /// Adds a job of so many entries that was acknowledged at that moment.
    pub(super) fn push(&mut self, job: Box<dyn Job>, entries: usize, time: i64) {
        if self.jobs.is_empty() {
            self.since = time;
            self.until = Instant::now().checked_add(ALONE_AFTER);
        }
        self.newest = self.newest.max(time);
        self.entries = self.entries.saturating_add(entries);
        self.jobs.push(job);
    }

    /// Hands out all that wait.
    pub(super) fn take(&mut self) -> Vec<Box<dyn Job>> {
        self.settling |= !self.jobs.is_empty();
        (self.entries, self.until) = (0, None);
        std::mem::take(&mut self.jobs)
    }

    /// What was handed out is durable, or has failed.
    pub(super) const fn settled(&mut self) {
        self.settling = false;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether a reader could miss something.
    pub(super) const fn is_unsettled(&self) -> bool {
        self.settling || !self.jobs.is_empty()
    }

    /// The latest moment that a job had.
    pub(super) const fn newest(&self) -> i64 {
        self.newest
    }

    /// Forgets the latest moment that a job had.
    pub(super) const fn forget_newest(&mut self) {
        self.newest = i64::MIN;
    }

    /// Whether they go with the next commit, whatever it is for. A clock that went back is a reason, too: what they
    /// tell of came before all that follows.
    pub(super) const fn ride(&self, now: i64) -> bool {
        !self.jobs.is_empty()
            && (self.entries >= RIDE_AT || now < self.newest || now.saturating_sub(self.since) >= RIDE_AFTER)
    }

    /// How long it is until they get a commit of their own; None: nothing waits.
    pub(super) fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }
}
