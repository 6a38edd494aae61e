//! What the server asks of the system for its own process, before it has threads.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::disable_transparent_huge_pages;

/// File descriptors besides those of connections: listeners, store, log, the handshakes of connections to be refused.
const SPARE_DESCRIPTORS: u64 = 200;

pub(super) fn prepare(config: &Config) {
    raise_descriptors(config);
    // The kernel would give a thread two megabytes for its first octet of stack (seen on a Raspberry Pi 3), of which a
    // few pages are ever used. A kernel that does not know huge pages has nothing to switch off.
    let _unknown = disable_transparent_huge_pages(true);
}

/// Asks the system for as many file descriptors as the configured connections may need.
fn raise_descriptors(config: &Config) {
    let connections = config.limits.connections.saturating_add(config.limits.lmtp_connections);
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(SPARE_DESCRIPTORS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum });
    if raised.is_err() || possible < wanted {
        let have = if raised.is_ok() { possible } else { current.unwrap_or(0) };
        log::warn!("the system allows {have} open files, fewer than the {wanted} that limits.connections may need");
    }
}
