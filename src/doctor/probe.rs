//! The one way to facts about the system. A root other than `/` lets tests plant a `/proc`, `/sys`, `/etc` and `/run` of
//! their own; what the kernel answers to calls rather than in files is then read from files in `answers/` below it:
//!
//! - `space`: total octets, free octets, inodes, free inodes
//! - `now`: seconds since 1970
//! - `bits`: 32 or 64
//! - `names`: a name and its addresses on each line
//!
//! What is missing there is what the system does not tell.

use super::mdns;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Limit: octets of a file that are read; the longest of them lists the connections of a machine.
const FILE_MAX: u64 = 1 << 20;

/// Limit: entries of a directory.
const ENTRIES_MAX: usize = 10_000;

/// How long a name is looked for.
const NAME_TIMEOUT: Duration = Duration::from_secs(5);

/// A disk's room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Octets in all.
    pub total: u64,
    /// Octets that may be used.
    pub free: u64,
    /// Inodes in all; 0: the file system has no fixed number.
    pub inodes: u64,
    /// Inodes that may be used.
    pub inodes_free: u64,
}

/// What became of looking for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It has these addresses.
    Found(Vec<IpAddr>),
    /// Nobody knows it.
    Unknown,
    /// It cannot be said, because of this.
    Failed(String),
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Probe {
    root: PathBuf,
    planted: bool,
}

impl Probe {
    /// The real system, or a planted one.
    #[must_use]
    pub fn new(root: Option<PathBuf>) -> Self {
        let planted = root.is_some();
        Self { root: root.unwrap_or_else(|| PathBuf::from("/")), planted }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file, without what ends it; None where there is none to be read.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let mut octets = Vec::new();
        fs::File::open(self.at(path)).ok()?.take(FILE_MAX).read_to_end(&mut octets).ok()?;
        let text = String::from_utf8_lossy(&octets);
        Some(text.trim_end_matches(['\0', '\n']).to_owned())
    }

    /// A file that has a number.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }

    /// Whether there is something of that name.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// The names in a directory, in order; none where it cannot be read.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(path)) else { return Vec::new() };
        let names = entries.take(ENTRIES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    /// Where a symbolic link leads.
    #[must_use]
    pub fn link(&self, path: &str) -> Option<String> {
        fs::read_link(self.at(path)).ok()?.into_os_string().into_string().ok()
    }

    /// The names of the processes that this user can see; None where not even the first one is shown.
    #[must_use]
    pub fn processes(&self) -> Option<Vec<String>> {
        self.read("/proc/1/comm")?;
        let numbers = self.list("/proc").into_iter().filter(|name| name.bytes().all(|octet| octet.is_ascii_digit()));
        Some(numbers.filter_map(|number| self.read(&format!("/proc/{number}/comm"))).collect())
    }

    /// The room of the disk that a directory is on.
    #[must_use]
    pub fn space(&self, directory: &Path) -> Option<Space> {
        if self.planted {
            let text = self.read("/answers/space")?;
            let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
            let mut next = || numbers.next();
            return Some(Space { total: next()?, free: next()?, inodes: next()?, inodes_free: next()? });
        }
        let disk = rustix::fs::statvfs(directory).ok()?;
        Some(Space {
            total: disk.f_blocks.saturating_mul(disk.f_frsize),
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            inodes: disk.f_files,
            inodes_free: disk.f_favail,
        })
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        if self.planted
            && let Some(now) = self.number("/answers/now")
        {
            return i64::try_from(now).unwrap_or(i64::MAX);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        i64::try_from(since).unwrap_or(i64::MAX)
    }

    /// The width of this program's addresses: 32 or 64.
    #[must_use]
    pub fn bits(&self) -> u64 {
        let planted = if self.planted { self.number("/answers/bits") } else { None };
        planted.unwrap_or_else(|| u64::from(usize::BITS))
    }

    /// The addresses of a name: by multicast DNS for those in `.local`, else as the system looks for it.
    #[must_use]
    pub fn look_up(&self, name: &str) -> Looked {
        if self.planted {
            let text = self.read("/answers/names").unwrap_or_default();
            let known = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            return known.map_or(Looked::Unknown, |known| {
                Looked::Found(known.split_whitespace().filter_map(|address| address.parse().ok()).collect())
            });
        }
        if is_multicast(name) {
            return match mdns::look_up(name, mdns::GROUP) {
                Ok(addresses) if addresses.is_empty() => Looked::Unknown,
                Ok(addresses) => Looked::Found(addresses),
                Err(error) => Looked::Failed(error.to_string()),
            };
        }
        resolve(name)
    }
}

/// Whether a name is asked for in the home network (RFC 6762 §3).
pub(super) fn is_multicast(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case("local"))
}

/// Asks the system's resolver on a thread of its own, which may hang for long where there is no network.
fn resolve(name: &str) -> Looked {
    let (sender, receiver) = mpsc::channel();
    let wanted = (name.to_owned(), 0);
    let thread = std::thread::Builder::new().name("resolver".to_owned()).spawn(move || {
        let found = wanted.to_socket_addrs().map(|addresses| addresses.map(|address| address.ip()).collect::<Vec<_>>());
        // Nobody waits any more where it took too long.
        let _late = sender.send(found.map_err(|error| error.to_string()));
    });
    if let Err(error) = thread {
        return Looked::Failed(error.to_string());
    }
    match receiver.recv_timeout(NAME_TIMEOUT) {
        Ok(Ok(mut addresses)) if !addresses.is_empty() => {
            addresses.sort_unstable();
            addresses.dedup();
            Looked::Found(addresses)
        }
        // The standard library has no other sign of EAI_AGAIN than the texts of glibc and musl: no name server answers.
        Ok(Err(text)) if text.contains("Temporary failure") || text.contains("Try again") => {
            Looked::Failed("no name server answers".to_owned())
        }
        Ok(_) => Looked::Unknown,
        Err(_) => Looked::Failed(format!("no answer in {} s", NAME_TIMEOUT.as_secs())),
    }
}
