//! Whether there is room for more mail.
//!
//! LMDB changes nothing in place: even to delete a message it needs free pages. The last ones are therefore not given to
//! new mail, so that on a full disk people can still change flags, move and delete, and make room by that. Where other
//! programs fill the disk to its last octet, a file that was allocated before gives its place to the store.

use super::Error;
use super::env::Environment;
use super::map::Growth;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

/// Limit: octets of the memory map that new mail leaves free, and of the disk at least.
pub(crate) const RESERVE: u64 = 4 << 20;

/// New mail leaves this part of the map free, so that it is refused well before nothing can be changed any more,
const MAP_RESERVE_PART: u64 = 32;
/// but not more than so many octets.
const MAP_RESERVE_MAX: u64 = 64 << 20;

/// Octets of the file that is given up where the disk is full: some hundred changes, each of which may make room.
const RESERVE_FILE: u64 = 2 << 20;

/// Below so many free octets of the disk a write that failed did so for want of room.
const NOTHING_LEFT: u64 = 1 << 20;

/// Tells the free octets of the disk that a directory is on; None: the system does not tell.
pub type FreeSpace = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// How much room there is, and how much new mail leaves.
#[derive(Clone, Default)]
pub struct Room {
    /// Octets of the disk that new mail leaves free; [`RESERVE`] at least.
    pub disk_reserve: u64,
    /// None: the system is asked.
    pub free_space: Option<FreeSpace>,
    /// How the memory map grows; None: as this machine needs it.
    pub growth: Option<Growth>,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({})", self.disk_reserve)
    }
}

impl Environment {
    /// Octets that new mail may take; 0: none may be stored.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn room(&self) -> Result<u64, Error> {
        // Plenty: what is free inside the file is of no interest.
        const PLENTY: u64 = 4 << 30;
        let (disk, map) = (self.disk_free(), self.map_free());
        let over = |inside: u64| {
            let disk = disk.saturating_add(inside).saturating_sub(self.disk_reserve());
            disk.min(map.saturating_add(inside).saturating_sub(self.map_reserve()))
        };
        if over(0) >= PLENTY {
            return Ok(over(0));
        }
        // Pages that deleted messages left inside the file serve as well.
        let (file, used) = self.size()?;
        Ok(over(file.saturating_sub(used)))
    }

    /// Whether new mail may be stored.
    ///
    /// # Errors
    /// `DiskFull` or `Full` where there is no room; otherwise the store cannot be read.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        let (disk, map) = (self.disk_free(), self.map_free());
        if (disk > self.disk_reserve() && map > self.map_reserve()) || self.room()? > 0 {
            return Ok(());
        }
        Err(if map < disk { Error::Full } else { Error::DiskFull })
    }

    fn disk_reserve(&self) -> u64 {
        self.room.disk_reserve.max(RESERVE)
    }

    fn map_reserve(&self) -> u64 {
        (self.map.limit() / MAP_RESERVE_PART).clamp(RESERVE, MAP_RESERVE_MAX)
    }

    /// A failure of a write by its real name: LMDB calls a short write an input/output error.
    pub(crate) fn explained(&self, error: Error) -> Error {
        match error {
            Error::Io(_) if self.disk_free() < NOTHING_LEFT => Error::DiskFull,
            other => other,
        }
    }

    /// Allocates the file that is given up where the disk is full, while there is plenty of room for it.
    pub(crate) fn keep_reserve(&self) {
        let path = self.path().join("reserve");
        let length = std::fs::metadata(&path).map_or(0, |file| file.len());
        if length >= RESERVE_FILE || self.disk_free() < self.disk_reserve() + RESERVE_FILE {
            return;
        }
        let allocate = || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&path)?;
            if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_FILE).is_err() {
                // A file system that cannot promise room is given octets instead.
                let zeros = vec![0; usize::try_from(RESERVE_FILE).unwrap_or(0)];
                file.write_all(&zeros)?;
            }
            file.sync_all()
        };
        if let Err(error) = allocate() {
            log::warn!("{}: {error}", path.display());
        }
    }

    /// Gives up that file; whether there was one.
    pub(crate) fn give_up_reserve(&self) -> bool {
        let path = self.path().join("reserve");
        let had = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        if had {
            log::warn!("the disk is full: giving up the store's reserve of {RESERVE_FILE} octets");
        }
        had && std::fs::remove_file(&path).is_ok()
    }

    /// Free octets of the disk. Where the system does not tell, as many as one likes: the write itself will fail then.
    fn disk_free(&self) -> u64 {
        if let Some(free) = &self.room.free_space {
            return free().unwrap_or(u64::MAX);
        }
        rustix::fs::statvfs(self.path()).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
