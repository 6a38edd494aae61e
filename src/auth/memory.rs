//! How much memory password hashes may count on: what is free on the board, or what the service's control group has
//! left, whichever is less.

use rustix::system::sysinfo;
use std::path::Path;

/// Where control groups are (cgroups(7), version 2).
const GROUPS: &str = "/sys/fs/cgroup";
/// Limit: groups within groups that are looked at.
const DEPTH_MAX: usize = 32;

/// Octets of memory that can be had without taking them from anybody.
pub(super) fn free() -> u64 {
    let board = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let board = board.unwrap_or_else(of_system);
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    left_in_groups(Path::new(GROUPS), &own).map_or(board, |left| left.min(board))
}

/// What /proc/meminfo says is available.
fn available(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// The same for a service that may not see /proc/meminfo. What only caches use is not told there: a quarter of all
/// memory is taken to be free at least.
fn of_system() -> u64 {
    let info = sysinfo();
    #[allow(clippy::useless_conversion)] // Its fields have another width on 32-bit systems.
    let [total, free, buffers] = [info.totalram, info.freeram, info.bufferram].map(u64::from);
    free.saturating_add(buffers).max(total / 4).saturating_mul(u64::from(info.mem_unit))
}

/// What the tightest of the process's groups has left (systemd's MemoryMax= and MemoryHigh=); None: there is no limit.
/// `own` is the text of /proc/self/cgroup.
fn left_in_groups(root: &Path, own: &str) -> Option<u64> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = root.join(path);
    // The root has no limits of its own.
    let groups = group.ancestors().take_while(|group| *group != root).take(DEPTH_MAX);
    groups.filter_map(left).min()
}

/// What one group has left.
fn left(group: &Path) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(group.join(name)).ok();
    // A limit that is not set is the word "max".
    let limit = |name| read(name)?.trim().parse::<u64>().ok();
    let limit = [limit("memory.max"), limit("memory.high")].into_iter().flatten().min()?;
    let current: u64 = read("memory.current")?.trim().parse().ok()?;
    // Pages of files are given back when memory is short.
    let stat = read("memory.stat").unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("file ")?.trim().parse::<u64>().ok()).unwrap_or(0);
    Some(limit.saturating_sub(current.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A tree of groups in a folder of its own.
    fn groups(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("mailnook-groups-{name}-{}", std::process::id()));
        for (path, text) in files {
            let file = root.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        root
    }

    #[test]
    fn the_tightest_group_counts_and_pages_of_files_do_not() {
        let stat = format!("anon {}\nfile {}\nfile_mapped 77\n", 3 * MIB, 10 * MIB);
        let root = groups(
            "tight",
            &[
                ("memory.max", "1\n"),
                ("system.slice/memory.max", "max\n"),
                ("system.slice/memory.high", "max\n"),
                ("system.slice/mail/memory.max", &format!("{}\n", 40 * MIB)),
                ("system.slice/mail/memory.high", &format!("{}\n", 24 * MIB)),
                ("system.slice/mail/memory.current", &format!("{}\n", 14 * MIB)),
                ("system.slice/mail/memory.stat", &stat),
                ("system.slice/mail/inner/memory.max", "max\n"),
            ],
        );
        assert_eq!(left_in_groups(&root, "0::/system.slice/mail\n"), Some(20 * MIB));
        // What is set further out holds within.
        assert_eq!(left_in_groups(&root, "1:cpu:/x\n0::/system.slice/mail/inner\n"), Some(20 * MIB));
        for free in ["0::/system.slice\n", "0::/\n", "0::/nothing\n", "5:memory:/system.slice/mail\n", ""] {
            assert_eq!(left_in_groups(&root, free), None, "{free:?}");
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_group_that_has_nothing_left_says_so() {
        let root = groups("full", &[("mail/memory.max", "4096\n"), ("mail/memory.current", "9000\n")]);
        assert_eq!(left_in_groups(&root, "0::/mail\n"), Some(0));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn available_memory_is_read() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert!(free() > MIB && of_system() > MIB);
    }
}
