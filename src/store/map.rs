//! The memory map: how large it may become, and how it grows where address space is short.
//!
//! On 64-bit systems address space costs nothing: the map has its full size from the beginning. A 32-bit process has 2 to
//! 4 GiB for everything, so its map begins small and grows in steps, up to what `map_size` allows or the kernel gives.
//!
//! LMDB unmaps the old map before it makes the larger one, and is left without any if that fails. So the address space is
//! asked for before, and nothing is touched where the kernel refuses; the store is then as large as it can be.
//!
//! Invariant: no transaction is open while the map changes. Readers pass a gate, and the one writer changes it itself.

use super::Error;
use super::env::Environment;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Tells whether the kernel gives so many octets of address space in one piece, besides what is in use.
pub type Probe = Arc<dyn Fn(usize) -> bool + Send + Sync>;

/// How the map grows.
#[derive(Clone)]
pub struct Growth {
    /// Octets at first; what is stored already and one step more, if that is larger.
    pub start: u64,
    /// Octets of a step; where that is too much, halves of it are tried.
    pub step: u64,
    /// None: the kernel is asked.
    pub probe: Option<Probe>,
}

impl std::fmt::Debug for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Growth({} + {})", self.start, self.step)
    }
}

impl Growth {
    /// What this machine needs: None where the map can have its full size at once.
    pub(crate) fn of_this_machine() -> Option<Self> {
        let small = cfg!(target_pointer_width = "32");
        small.then_some(Self { start: 256 << 20, step: 128 << 20, probe: None })
    }
}

/// The map grows before a transaction that would find less free; no transaction of ordinary size needs more.
const GROW_BELOW: u64 = 16 << 20;

/// Limit: a smaller step is not worth the wait of all sessions.
const STEP_MIN: u64 = 4 << 20;

/// Limit: how long a step waits for readers to end. Reads are short; a step that finds no moment is tried again.
const WAIT_FOR_READERS: Duration = Duration::from_secs(2);

/// The size of the map and who uses it.
pub(super) struct Map {
    /// None: the map does not change.
    growth: Option<Growth>,
    /// Octets that the map can have at most, as far as is known.
    limit: AtomicU64,
    gate: Mutex<Gate>,
    free: Condvar,
}

#[derive(Default)]
struct Gate {
    readers: usize,
    changing: bool,
}

/// A reader inside the gate.
pub(super) struct Pass<'m>(Option<&'m Map>);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(map) = self.0 {
            let mut gate = map.lock();
            gate.readers -= 1;
            if gate.readers == 0 {
                map.free.notify_all();
            }
        }
    }
}

impl Map {
    pub(super) fn new(growth: Option<Growth>, limit: u64) -> Self {
        Self { growth, limit: AtomicU64::new(limit), gate: Mutex::default(), free: Condvar::new() }
    }

    /// Octets that the map can have at most, as far as is known.
    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Lets a reader in. One that is inside may enter again: a change waits until all have left.
    pub(super) fn enter(&self) -> Pass<'_> {
        if self.growth.is_none() {
            return Pass(None);
        }
        let mut gate = self.lock();
        while gate.changing {
            gate = self.free.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        gate.readers += 1;
        Pass(Some(self))
    }

    /// Runs `change` while no reader is inside; None: they did not leave in time.
    fn alone<T>(&self, change: impl FnOnce() -> T) -> Option<T> {
        let gate = self.lock();
        let waited = self.free.wait_timeout_while(gate, WAIT_FOR_READERS, |gate| gate.readers > 0);
        let (mut gate, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if gate.readers > 0 {
            return None;
        }
        gate.changing = true;
        drop(gate);
        let done = change();
        self.lock().changing = false;
        self.free.notify_all();
        Some(done)
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Environment {
    /// Octets of the map behind the last page of the file, with what it can still grow by.
    pub(super) fn map_free(&self) -> u64 {
        let (size, used) = self.map_use();
        size.max(self.map.limit()).saturating_sub(used)
    }

    /// Octets of the map as it is, and those up to the last page of the file.
    fn map_use(&self) -> (u64, u64) {
        let page = u64::from(self.env.unnamed_database_stat().page_size);
        let info = self.env.info();
        (info.map_size as u64, (info.last_page_number as u64 + 1) * page)
    }

    /// Makes the map larger if the next transactions may need it. The writer calls this between its transactions.
    pub(super) fn grow_in_time(&self) {
        if self.map.growth.is_some() {
            let (size, used) = self.map_use();
            if size.saturating_sub(used) < GROW_BELOW && size < self.map.limit() {
                self.grow();
            }
        }
    }

    /// Makes the map a step larger; whether it is. No transaction of the caller may be open.
    pub(super) fn grow(&self) -> bool {
        let Some(growth) = &self.map.growth else { return false };
        let (size, _) = self.map_use();
        let mut step = growth.step.min(self.map.limit().saturating_sub(size));
        while step >= STEP_MIN.min(growth.step) && step > 0 {
            let wanted = usize::try_from(size + step).unwrap_or(usize::MAX) / PAGE_MULTIPLE * PAGE_MULTIPLE;
            if growth.probe.as_ref().map_or_else(|| super::env::address_space(wanted), |probe| probe(wanted)) {
                return match self.map.alone(|| self.resize(wanted)) {
                    Some(Ok(())) => {
                        log::info!("store: the map is {} MiB now", wanted >> 20);
                        true
                    }
                    Some(Err(error)) => gone(&error),
                    None => false,
                };
            }
            step /= 2;
        }
        log::warn!("store: this system gives no address space for more than {} MiB; delete mail", size >> 20);
        self.map.limit.store(size, Ordering::Relaxed);
        false
    }
}

/// A map has whole pages of any system.
const PAGE_MULTIPLE: usize = 64 << 10;

/// Ends the process: LMDB has lost its map although the address space was there a moment ago. All that was answered is
/// durable, and whoever supervises the server starts it again with a map that fits.
fn gone(error: &Error) -> ! {
    log::error!(
        "store: the map is lost ({error}); ending, nothing that was acknowledged is lost: start mailnook again"
    );
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_waits_for_readers_and_holds_off_new_ones() {
        let growth = Growth { start: 1, step: 1, probe: None };
        let map = Map::new(Some(growth), 10);
        let (first, again) = (map.enter(), map.enter());
        std::thread::scope(|scope| {
            let change = scope.spawn(|| map.alone(|| map.lock().readers));
            drop(first);
            drop(again);
            assert_eq!(change.join().unwrap(), Some(0));
        });
        drop(map.enter());
        assert_eq!(map.lock().readers, 0);
    }
}
