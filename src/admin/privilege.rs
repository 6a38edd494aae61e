//! Root gives its privilege up where the data directory belongs to somebody else: files that root makes there would keep
//! the server, which runs as that user, from starting.

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether this process is root and that directory is somebody else's.
#[must_use]
pub fn is_foreign_to_root(directory: &Path) -> bool {
    directory.metadata().is_ok_and(|metadata| is_foreign(&metadata))
}

fn is_foreign(metadata: &Metadata) -> bool {
    rustix::process::geteuid().is_root() && metadata.uid() != 0
}

/// Gives a file that root made for the owner of a directory to that owner.
///
/// # Errors
/// The system refuses.
pub fn give_to_owner(file: &Path, directory: &Path) -> io::Result<()> {
    let metadata = directory.metadata()?;
    std::os::unix::fs::lchown(file, Some(metadata.uid()), Some(metadata.gid()))
}

/// Becomes the owner of a directory where this process is root and the directory somebody else's.
///
/// # Errors
/// The system refuses, or the process has several threads, of which only one would change.
pub(super) fn become_owner(metadata: &Metadata) -> io::Result<()> {
    if !is_foreign(metadata) {
        return Ok(());
    }
    if std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1) {
        return Err(io::Error::other("there are threads already"));
    }
    let (user, group) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    // In this order: without root's user id the groups cannot be changed any more.
    set_thread_groups(&[group])?;
    set_thread_gid(group)?;
    set_thread_uid(user)?;
    log::info!("running as user {} instead of root", metadata.uid());
    Ok(())
}
