//! The threads that compute password hashes, behind a bounded queue. They start when needed and end
//! when idle, which gives their memory back.

use super::credential::Credential;
use super::hash::{HashError, Scheme, Scratch, verify};
use super::scram;
use crate::store::Renewal;
use smol::channel::{Sender, bounded};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A thread with nothing to do for so long ends.
const IDLE_MAX: Duration = Duration::from_secs(3);
/// Limit: a login waits at most so long for its hash, computing included.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The stack of a hashing thread in octets: Argon2 needs a few blocks of 1 KiB.
const STACK: usize = 256 * 1024;

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The password fits. What to store, where the old hash was not made as configured or keys are missing.
    Fits(Renewal),
    /// It does not.
    DoesNotFit,
    /// The hash could not be computed.
    Failed(HashError),
}

/// What may be made anew of a password that fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Renew {
    /// The hash, where it was not made as configured: it is a real user's.
    pub(super) hash: bool,
    /// The SCRAM keys: there are none, or weak ones.
    pub(super) keys: bool,
    /// The salt for them; None: a new one.
    pub(super) salt: Option<[u8; 16]>,
}

/// Why there is no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoOutcome {
    /// The queue is full.
    Full,
    /// It took longer than [`WAIT_MAX`].
    TooSlow,
    /// No thread could be started, or it failed.
    NoThread,
}

/// The hashing threads and their queue.
pub(super) struct Hashing {
    shared: Arc<Shared>,
}

struct Shared {
    scheme: Scheme,
    threads_max: usize,
    queue_max: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    running: Vec<(Credential, Vec<Sender<Outcome>>)>,
    threads: usize,
    idle: usize,
    closed: bool,
}

struct Job {
    credential: Credential,
    stored: String,
    password: Vec<u8>,
    renew: Renew,
    waiting: Vec<Sender<Outcome>>,
}

impl Hashing {
    /// At most `threads` hashes at a time, and `queue` different ones waiting.
    pub(super) fn new(scheme: Scheme, threads: usize, queue: usize) -> Self {
        let shared = Shared {
            scheme,
            threads_max: threads.max(1),
            queue_max: queue.max(1),
            state: Mutex::default(),
            wake: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Checks `password` against `stored`; an empty one is that of nobody, which no password fits and which costs what a
    /// new hash costs. Equal checks under way are computed once. Dropping the
    /// future gives up the place in the queue.
    pub(super) async fn check(
        &self,
        credential: Credential,
        stored: &str,
        password: &[u8],
        renew: Renew,
    ) -> Result<Outcome, NoOutcome> {
        let (sender, receiver) = bounded(1);
        self.enqueue(credential, stored, password, renew, sender)?;
        let outcome = async { receiver.recv().await.map_err(|_| NoOutcome::NoThread) };
        let too_slow = async {
            smol::Timer::after(WAIT_MAX).await;
            Err(NoOutcome::TooSlow)
        };
        smol::future::or(outcome, too_slow).await
    }

    fn enqueue(
        &self,
        credential: Credential,
        stored: &str,
        password: &[u8],
        renew: Renew,
        sender: Sender<Outcome>,
    ) -> Result<(), NoOutcome> {
        let mut state = self.shared.lock();
        if let Some((_, waiting)) = state.running.iter_mut().find(|(running, _)| *running == credential) {
            waiting.push(sender);
            return Ok(());
        }
        if let Some(job) = state.queue.iter_mut().find(|job| job.credential == credential) {
            job.waiting.push(sender);
            return Ok(());
        }
        // Logins whose clients hung up make room.
        state.queue.retain(|job| !job.is_abandoned());
        if state.queue.len() >= self.shared.queue_max {
            return Err(NoOutcome::Full);
        }
        if state.idle <= state.queue.len() && state.threads < self.shared.threads_max {
            let started = self.start_thread();
            if started.is_ok() {
                state.threads += 1;
            } else if state.threads == 0 {
                return Err(NoOutcome::NoThread);
            }
        }
        let (stored, password) = (stored.to_owned(), password.to_vec());
        state.queue.push_back(Job { credential, stored, password, renew, waiting: vec![sender] });
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }

    fn start_thread(&self) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let builder = std::thread::Builder::new().name("password".to_owned()).stack_size(STACK);
        builder.spawn(move || shared.work()).map(drop).inspect_err(|error| {
            log::error!("no thread for password hashes: {error}");
        })
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Job {
    fn is_abandoned(&self) -> bool {
        self.waiting.iter().all(Sender::is_closed)
    }
}

impl Shared {
    /// No code that may panic runs under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a hashing thread.
    fn work(&self) {
        let _ended = Ended(self);
        let mut scratch = Scratch::default();
        while let Some(job) = self.next() {
            let _running = Running { shared: self, credential: job.credential };
            let outcome = self.compute(&job, &mut scratch);
            // Taken from the list first, so that nobody joins after the answers are out.
            for waiting in self.stop_running(&job.credential) {
                let _ = waiting.try_send(outcome.clone());
            }
        }
    }

    /// The next job that somebody waits for; None: it is time to end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            while let Some(mut job) = state.queue.pop_front() {
                if !job.is_abandoned() {
                    let waiting = std::mem::take(&mut job.waiting);
                    state.running.push((job.credential, waiting));
                    return Some(job);
                }
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            let (back, waited) = self.wake.wait_timeout(state, IDLE_MAX).unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                return None;
            }
        }
    }

    fn compute(&self, job: &Job, scratch: &mut Scratch) -> Outcome {
        let dummy;
        let stored = if job.stored.is_empty() {
            match self.scheme.dummy() {
                Ok(made) => dummy = made,
                Err(error) => return Outcome::Failed(error),
            }
            &dummy
        } else {
            &job.stored
        };
        match verify(stored, &job.password, scratch) {
            Ok(false) => Outcome::DoesNotFit,
            Err(error) => Outcome::Failed(error),
            Ok(true) => {
                // What cannot be made now is made at a later login.
                let outdated = job.renew.hash && !self.scheme.is_current(stored);
                let hash = outdated.then(|| self.scheme.hash(&job.password, scratch).ok()).flatten();
                let scram = job.renew.keys.then(|| scram::keys(&job.password, job.renew.salt)).flatten();
                Outcome::Fits(Renewal { hash, scram })
            }
        }
    }

    fn stop_running(&self, credential: &Credential) -> Vec<Sender<Outcome>> {
        let mut state = self.lock();
        let position = state.running.iter().position(|(running, _)| running == credential);
        position.map_or_else(Vec::new, |position| state.running.swap_remove(position).1)
    }
}

/// Keeps the number of threads right even when one panics.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}

/// Drops those who wait for a hash that panicked, which tells them so.
struct Running<'a> {
    shared: &'a Shared,
    credential: Credential,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        drop(self.shared.stop_running(&self.credential));
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::hash_password;
    use super::*;
    use crate::config;

    fn config(memory: u32, passes: u32) -> config::Auth {
        config::Auth {
            argon2_auto: false,
            argon2_memory: memory,
            argon2_passes: passes,
            concurrent_hashes: 1,
            queue: 2,
            cache: Duration::ZERO,
        }
    }

    const NOTHING: Renew = Renew { hash: false, keys: false, salt: None };
    const HASH: Renew = Renew { hash: true, keys: false, salt: None };

    fn fits() -> Outcome {
        Outcome::Fits(Renewal::default())
    }

    fn hashing(queue: usize) -> Hashing {
        Hashing::new(Scheme::new(&config(64, 1)).unwrap(), 1, queue)
    }

    #[test]
    fn checks_and_renews() {
        smol::block_on(async {
            let hashing = hashing(4);
            let current = hash_password("secret", &config(64, 1)).unwrap().hash;
            let check = |number, stored: &str, password: &'static [u8], renew| {
                let stored = stored.to_owned();
                let hashing = &hashing;
                async move { hashing.check(Credential::test(number), &stored, password, renew).await }
            };
            assert_eq!(check(1, &current, b"secret", HASH).await, Ok(fits()));
            assert_eq!(check(2, &current, b"other", HASH).await, Ok(Outcome::DoesNotFit));
            assert_eq!(check(7, "", b"secret", HASH).await, Ok(Outcome::DoesNotFit));
            assert_eq!(check(3, "broken", b"x", HASH).await, Ok(Outcome::Failed(HashError::Unusable)));
            let old = hash_password("secret", &config(32, 1)).unwrap().hash;
            assert_eq!(check(4, &old, b"secret", NOTHING).await, Ok(fits()));
            let Ok(Outcome::Fits(Renewal { hash: Some(renewed), scram: None })) = check(4, &old, b"secret", HASH).await
            else {
                panic!()
            };
            assert!(hashing.shared.scheme.is_current(&renewed));
            assert_eq!(check(5, &renewed, b"secret", HASH).await, Ok(fits()));
            let keys = Renew { hash: false, keys: true, salt: None };
            let Ok(Outcome::Fits(Renewal { hash: None, scram: Some(_) })) = check(6, &current, b"secret", keys).await
            else {
                panic!()
            };
        });
    }

    #[test]
    fn a_full_queue_refuses_and_equal_checks_share_a_place() {
        smol::block_on(async {
            let hashing = hashing(1);
            let slow = hash_password("secret", &config(8192, 8)).unwrap().hash;
            let (sender, first) = bounded(1);
            hashing.enqueue(Credential::test(1), &slow, b"secret", NOTHING, sender).unwrap();
            while hashing.shared.lock().running.is_empty() {
                std::thread::yield_now();
            }
            let (sender, second) = bounded(1);
            hashing.enqueue(Credential::test(2), &slow, b"wrong", NOTHING, sender).unwrap();
            let (sender, joined) = bounded(1);
            hashing.enqueue(Credential::test(2), &slow, b"wrong", NOTHING, sender).unwrap();
            let (sender, _full) = bounded(1);
            let refused = hashing.enqueue(Credential::test(3), &slow, b"wrong", NOTHING, sender);
            assert_eq!(refused, Err(NoOutcome::Full));
            assert_eq!(first.recv().await, Ok(fits()));
            assert_eq!(second.recv().await, Ok(Outcome::DoesNotFit));
            assert_eq!(joined.recv().await, Ok(Outcome::DoesNotFit));
        });
    }

    #[test]
    fn a_client_that_hangs_up_gives_its_place_back() {
        smol::block_on(async {
            let hashing = hashing(1);
            let slow = hash_password("secret", &config(8192, 8)).unwrap().hash;
            let (sender, _first) = bounded(1);
            hashing.enqueue(Credential::test(1), &slow, b"secret", NOTHING, sender).unwrap();
            while hashing.shared.lock().running.is_empty() {
                std::thread::yield_now();
            }
            let (sender, gone) = bounded(1);
            hashing.enqueue(Credential::test(2), &slow, b"wrong", NOTHING, sender).unwrap();
            drop(gone);
            let (sender, third) = bounded(1);
            hashing.enqueue(Credential::test(3), &slow, b"secret", NOTHING, sender).unwrap();
            assert_eq!(third.recv().await, Ok(fits()));
        });
    }

    #[test]
    fn the_threads_end_with_the_authenticator() {
        let shared = {
            let hashing = hashing(1);
            smol::block_on(hashing.check(Credential::test(1), "broken", b"x", NOTHING)).unwrap();
            Arc::clone(&hashing.shared)
        };
        while shared.lock().threads > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
