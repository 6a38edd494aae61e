//! Whether there is room for more mail.
//!
//! LMDB changes nothing in place: even to delete a message it needs free pages. The last ones are therefore not given to
//! new mail, so that on a full disk people can still change flags, move and delete, and make room by that.

use super::Error;
use super::env::Environment;

/// Limit: octets of the disk, and of the memory map, that new mail leaves free.
pub(crate) const RESERVE: u64 = 4 << 20;

/// Below so many free octets of the disk a write that failed did so for want of room.
const NOTHING_LEFT: u64 = 1 << 20;

impl Environment {
    /// Whether new mail may be stored.
    ///
    /// # Errors
    /// `DiskFull` or `Full` where there is no room; otherwise the store cannot be read.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        let (disk, map) = (self.disk_free(), self.map_free());
        let growth = disk.min(map);
        if growth >= RESERVE {
            return Ok(());
        }
        // Pages that deleted messages left inside the file serve as well.
        let (file, used) = self.size()?;
        if growth + file.saturating_sub(used) >= RESERVE {
            return Ok(());
        }
        Err(if map < disk { Error::Full } else { Error::DiskFull })
    }

    /// A failure of a write by its real name: LMDB calls a short write an input/output error.
    pub(crate) fn explained(&self, error: Error) -> Error {
        match error {
            Error::Io(_) if self.disk_free() < NOTHING_LEFT => Error::DiskFull,
            other => other,
        }
    }

    /// Free octets of the disk. Where the system does not tell, as many as one likes: the write itself will fail then.
    fn disk_free(&self) -> u64 {
        rustix::fs::statvfs(self.path()).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Octets of the memory map behind the last page of the file.
    fn map_free(&self) -> u64 {
        let page = u64::from(self.env.unnamed_database_stat().page_size);
        let info = self.env.info();
        (info.map_size as u64).saturating_sub((info.last_page_number as u64 + 1) * page)
    }
}
