//! The one writer: takes all queued jobs into one transaction and answers after its commit.
//!
//! Invariant: a job's outcome is given only when it is durable, or when nothing of it was kept.

use super::env::Environment;
use super::later::Later;
use super::txn::Tx;
use super::{Clock, Error, Pins, Topic};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Limit: jobs in one transaction.
const JOBS_PER_COMMIT_MAX: usize = 64;
/// Limit: octets that jobs announce to write in one transaction; what is more waits for the next one.
const BYTES_PER_COMMIT_MAX: usize = 1 << 20;
/// Limit: chunks removed for deleted messages in one transaction, so that waiting jobs wait only shortly.
const PURGE_CHUNKS: u32 = 512;
/// Limit: rows of deleted mailboxes removed in one transaction.
const PURGE_ROWS: usize = 500;
/// Limit: garbage entries looked at in one round.
const PURGE_ENTRIES: usize = 64;

/// Locks a mutex whose data stay whole even if a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A queued change of the store.
pub(crate) trait Job: Send {
    /// Runs in the writer's transaction; may run again if another job of the same transaction failed.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error>;
    /// Gets the outcome, once.
    fn done(self: Box<Self>, outcome: Result<(), Error>);
    /// About how many octets it writes.
    fn weight(&self) -> usize;
    /// Whether it has nothing to do with the jobs that wait for company, so that these may wait on.
    fn is_aside(&self) -> bool;
}

/// What the writer needs to know of a job.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kind {
    /// About how many octets it writes.
    pub(crate) weight: usize,
    /// Whether it has nothing to do with the jobs that wait for company.
    pub(crate) aside: bool,
}

/// The outcome once it is there, and who waits for it.
type Outcome<T> = (Option<Result<T, Error>>, Option<Waker>);

/// Hears of all that a commit changed.
type Committed = Box<dyn Fn(&[Topic]) + Send>;

struct Slot<T> {
    state: Mutex<Outcome<T>>,
    ready: Condvar,
}

impl<T> Slot<T> {
    fn set(&self, outcome: Result<T, Error>) {
        let waker = {
            let mut state = lock(&self.state);
            state.0 = Some(outcome);
            state.1.take()
        };
        self.ready.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Completes when the job is durable. Dropping it does not stop the job.
pub struct Commit<T>(Arc<Slot<T>>);

impl<T> Commit<T> {
    /// A job that was not queued.
    pub(crate) fn refused(error: Error) -> Self {
        Self(Arc::new(Slot { state: Mutex::new((Some(Err(error)), None)), ready: Condvar::new() }))
    }

    /// Blocks until the job is durable.
    ///
    /// # Errors
    /// What the job or the commit failed with.
    pub fn wait(self) -> Result<T, Error> {
        let mut state = lock(&self.0.state);
        loop {
            match state.0.take() {
                Some(outcome) => return outcome,
                None => state = self.0.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl<T> Future for Commit<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.0.state);
        if let Some(outcome) = state.0.take() {
            Poll::Ready(outcome)
        } else {
            state.1 = Some(context.waker().clone());
            Poll::Pending
        }
    }
}

struct Typed<T, F> {
    run: F,
    value: Option<T>,
    kind: Kind,
    slot: Arc<Slot<T>>,
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send> Job for Typed<T, F> {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.value = None;
        self.value = Some((self.run)(tx)?);
        Ok(())
    }

    fn done(mut self: Box<Self>, outcome: Result<(), Error>) {
        let value = self.value.take();
        self.slot.set(outcome.and_then(|()| value.ok_or(Error::Closed)));
    }

    fn weight(&self) -> usize {
        self.kind.weight
    }

    fn is_aside(&self) -> bool {
        self.kind.aside
    }
}

/// Removing waits for so long without a job: many deletions then share one transaction.
const PURGE_DELAY: Duration = Duration::from_millis(500);
/// A busy writer removes a piece after so many transactions all the same.
const PURGE_AFTER_COMMITS: u32 = 200;

struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    later: Later,
    purge: bool,
    commits_since_purge: u32,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    clock: Clock,
}

/// The way to the writer thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. `committed` hears of all that a durable commit changed.
    pub(crate) fn start(
        environment: Environment,
        pins: Arc<Pins>,
        clock: Clock,
        committed: impl Fn(&[Topic]) + Send + 'static,
    ) -> Result<Self, Error> {
        let queue = Queue {
            jobs: VecDeque::new(),
            later: Later::default(),
            purge: true,
            commits_since_purge: 0,
            closed: false,
        };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), wake: Condvar::new(), clock: clock.clone() });
        let worker = Worker { environment, pins, clock, committed: Box::new(committed), shared: shared.clone() };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .stack_size(512 << 10)
            .spawn(move || worker.run())
            .map_err(|error| Error::Io(error.to_string()))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a job. Sessions wait for its outcome, so that connections limit the queue.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        kind: Kind,
        run: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T> {
        let slot = Arc::new(Slot { state: Mutex::new((None, None)), ready: Condvar::new() });
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            drop(queue);
            slot.set(Err(Error::Closed));
        } else {
            queue.jobs.push_back(Box::new(Typed { run, value: None, kind, slot: slot.clone() }));
            drop(queue);
            self.shared.wake.notify_one();
        }
        Commit(slot)
    }

    /// Queues a job of so many entries that need not be durable at once. `time` is the moment that it tells of. Where
    /// too many wait already, it is to be waited for.
    pub(crate) fn submit_later(
        &self,
        (entries, time): (usize, i64),
        run: impl FnMut(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Option<Commit<()>> {
        let mut queue = lock(&self.shared.queue);
        if queue.closed || !queue.later.has_room(entries) {
            drop(queue);
            return Some(self.submit(Kind::default(), run));
        }
        let slot = Arc::new(Slot { state: Mutex::new((None, None)), ready: Condvar::new() });
        queue.later.push(Box::new(Typed { run, value: None, kind: Kind::default(), slot }), entries, time);
        drop(queue);
        // It has to look how long it may sleep.
        self.shared.wake.notify_one();
        None
    }

    /// Whether a job was acknowledged that a reader would not see yet.
    pub(crate) fn is_unsettled(&self) -> bool {
        lock(&self.shared.queue).later.is_unsettled()
    }

    /// The latest moment of which a job that waited tells.
    pub(crate) fn latest(&self) -> i64 {
        lock(&self.shared.queue).later.newest()
    }

    /// Forgets that moment.
    pub(crate) fn forget_latest(&self) {
        lock(&self.shared.queue).later.forget_newest();
    }

    /// Lets the writer look for garbage when it has nothing else to do.
    pub(crate) fn purge(&self) {
        lock(&self.shared.queue).purge = true;
        self.shared.wake.notify_one();
    }

    /// Ends the thread after all queued jobs are durable.
    pub(crate) fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic there has been logged already.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

struct Worker {
    environment: Environment,
    pins: Arc<Pins>,
    clock: Clock,
    committed: Committed,
    shared: Arc<Shared>,
}

enum Next {
    Jobs(Vec<Box<dyn Job>>),
    Purge,
    End,
}

impl Shared {
    /// Waits for something to do.
    fn next(&self) -> Next {
        let mut queue = lock(&self.queue);
        loop {
            if queue.purge && queue.commits_since_purge >= PURGE_AFTER_COMMITS {
                // What waits may leave garbage as well, and has asked for its removal already.
                queue.purge = !queue.jobs.is_empty();
                return Next::Purge;
            }
            let left = queue.later.left();
            let is_over = !queue.later.is_empty() && (queue.closed || left.is_some_and(|left| left.is_zero()));
            if !queue.jobs.is_empty() || is_over {
                queue.commits_since_purge += 1;
                return Next::Jobs(queue.batch(self.clock.now(), is_over));
            }
            if queue.closed {
                return Next::End;
            }
            if queue.purge {
                let waited = self.wake.wait_timeout(queue, PURGE_DELAY).unwrap_or_else(PoisonError::into_inner);
                queue = waited.0;
                if waited.1.timed_out() && queue.jobs.is_empty() && !queue.closed {
                    queue.purge = false;
                    return Next::Purge;
                }
            } else if let Some(left) = left {
                queue = self.wake.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Queue {
    /// The jobs of the next commit: before them those that waited for company, unless these may wait on.
    fn batch(&mut self, now: i64, is_over: bool) -> Vec<Box<dyn Job>> {
        let (mut jobs, mut weight) = (Vec::new(), 0);
        while let Some(job) = self.jobs.front() {
            weight += job.weight();
            if !jobs.is_empty() && (jobs.len() == JOBS_PER_COMMIT_MAX || weight > BYTES_PER_COMMIT_MAX) {
                break;
            }
            jobs.extend(self.jobs.pop_front());
        }
        if is_over || self.later.ride(now) || jobs.iter().any(|job| !job.is_aside()) {
            let mut first = self.later.take();
            first.append(&mut jobs);
            return first;
        }
        jobs
    }
}

impl Worker {
    fn run(self) {
        loop {
            match self.shared.next() {
                Next::Jobs(jobs) => {
                    self.commit(jobs);
                    lock(&self.shared.queue).later.settled();
                }
                Next::Purge => self.purge(),
                Next::End => return,
            }
        }
    }

    /// Runs all jobs in one transaction; those that fail are answered, the others are tried again without them.
    fn commit(&self, mut jobs: Vec<Box<dyn Job>>) {
        self.environment.grow_in_time();
        while !jobs.is_empty() {
            match self.attempt(&mut jobs) {
                Attempt::Committed(touched) => {
                    // Watchers first: whoever hears that it is done may ask another session at once.
                    (self.committed)(&touched);
                    for job in jobs.drain(..) {
                        job.done(Ok(()));
                    }
                }
                // Those that bring mail were refused before: what is tried again is small, and may make room.
                Attempt::JobFailed(_, Error::DiskFull) | Attempt::CommitFailed(Error::DiskFull)
                    if self.environment.give_up_reserve() => {}
                Attempt::JobFailed(_, Error::Full) | Attempt::CommitFailed(Error::Full) if self.environment.grow() => {}
                Attempt::JobFailed(at, error) => jobs.remove(at).done(Err(error)),
                Attempt::CommitFailed(error) => {
                    log::error!("store: a commit failed: {error}");
                    if jobs.len() == 1 {
                        jobs.remove(0).done(Err(error));
                    } else {
                        // One job may be what does not fit: give each its own transaction.
                        for job in std::mem::take(&mut jobs) {
                            self.commit(vec![job]);
                        }
                    }
                }
            }
        }
    }

    fn attempt(&self, jobs: &mut Vec<Box<dyn Job>>) -> Attempt {
        let environment = &self.environment;
        let txn = match environment.env.write_txn() {
            Ok(txn) => txn,
            Err(error) => return Attempt::CommitFailed(error.into()),
        };
        let mut tx = Tx::new(txn, &environment.tables, environment.chunk_size, &self.pins, &self.clock);
        let mut at = 0;
        while at < jobs.len() {
            let before = tx.writes;
            let outcome = catch_unwind(AssertUnwindSafe(|| jobs[at].run(&mut tx)))
                .unwrap_or_else(|_| Err(Error::Io("a job panicked".to_owned())));
            match outcome {
                Ok(()) => at += 1,
                // A transaction that found the map full cannot go on.
                Err(error) if tx.writes == before && !matches!(error, Error::Full) => jobs.remove(at).done(Err(error)),
                Err(error) => return Attempt::JobFailed(at, environment.explained(error)),
            }
        }
        if jobs.is_empty() {
            return Attempt::Committed(Vec::new());
        }
        let finished = tx.finish();
        let Tx { txn, touched, writes, .. } = tx;
        if let Err(error) = finished {
            return Attempt::CommitFailed(environment.explained(error));
        }
        if writes == 0 {
            return Attempt::Committed(touched);
        }
        match txn.commit() {
            Ok(()) => Attempt::Committed(touched),
            Err(error) => Attempt::CommitFailed(environment.explained(error.into())),
        }
    }

    /// Removes what deleted messages and mailboxes left, a bounded piece at a time, while no job waits.
    fn purge(&self) {
        lock(&self.shared.queue).commits_since_purge = 0;
        loop {
            match self.purge_piece() {
                Ok(true) => {
                    let mut queue = lock(&self.shared.queue);
                    if !queue.jobs.is_empty() || queue.closed {
                        queue.purge = true;
                        return;
                    }
                }
                Ok(false) => return,
                Err(Error::Full) if self.environment.grow() => {}
                Err(error) => {
                    let error = self.environment.explained(error);
                    if matches!(error, Error::DiskFull) && self.environment.give_up_reserve() {
                        continue;
                    }
                    log::error!("store: removing deleted messages failed: {error}");
                    return;
                }
            }
        }
    }

    /// Whether anything was removed.
    fn purge_piece(&self) -> Result<bool, Error> {
        let environment = &self.environment;
        if environment.read(|view| view.garbage(1))?.is_empty() {
            return Ok(false);
        }
        let mut tx =
            Tx::new(environment.env.write_txn()?, &environment.tables, environment.chunk_size, &self.pins, &self.clock);
        if !super::purge::piece(&mut tx, PURGE_ENTRIES, PURGE_CHUNKS, PURGE_ROWS)? {
            return Ok(false);
        }
        tx.finish()?;
        tx.txn.commit()?;
        Ok(true)
    }
}

enum Attempt {
    Committed(Vec<Topic>),
    /// The job at this place failed after it wrote.
    JobFailed(usize, Error),
    CommitFailed(Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_writer_looks_for_garbage_again_after_the_jobs_that_wait() {
        // An abandoned delivery queues the job that makes its octets garbage and asks for the removal at once.
        let slot = Arc::new(Slot { state: Mutex::new((None, None)), ready: Condvar::new() });
        let abandon: Box<dyn Job> =
            Box::new(Typed { run: |_: &mut Tx<'_>| Ok(()), value: None, kind: Kind::default(), slot });
        let queue = Queue {
            jobs: VecDeque::from([abandon]),
            later: Later::default(),
            purge: true,
            commits_since_purge: PURGE_AFTER_COMMITS,
            closed: false,
        };
        let shared = Shared { queue: Mutex::new(queue), wake: Condvar::new(), clock: Clock::system() };
        assert!(matches!(shared.next(), Next::Purge));
        lock(&shared.queue).commits_since_purge = 0;
        assert!(matches!(shared.next(), Next::Jobs(jobs) if jobs.len() == 1));
        assert!(matches!(shared.next(), Next::Purge));
        lock(&shared.queue).closed = true;
        assert!(matches!(shared.next(), Next::End));
    }
}
