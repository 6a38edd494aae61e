//! Whether the server's user can read a file: doctor itself may run as root, who reads everything.

use super::Probe;
use super::files::user_with;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const READ: u32 = 4;
const SEARCH: u32 = 1;

/// A user with the groups that he is in.
pub(super) struct Reader {
    uid: u32,
    groups: Vec<u32>,
}

impl Reader {
    /// The user of that number, as /etc/passwd and /etc/group have him.
    pub fn new(probe: &Probe, uid: u32) -> Self {
        let own = user_with(probe, 2, &uid.to_string()).unwrap_or_default();
        let primary = own.get(3).and_then(|gid| gid.parse().ok());
        let lists = probe.read("/etc/group").unwrap_or_default();
        let others = lists.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [_, _, gid, members, ..] = fields.as_slice() else { return None };
            let name = own.first().filter(|name| !name.is_empty())?;
            members.split(',').any(|member| member == *name).then(|| gid.parse().ok())?
        });
        Self { uid, groups: primary.into_iter().chain(others).collect() }
    }

    /// What keeps the user from reading that file: the file, or a directory on the way. None: nothing that can be seen.
    pub fn barrier(&self, path: &Path) -> Option<PathBuf> {
        // A link needs the directories on both ways.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        for path in [path, &real] {
            let mut above: Vec<&Path> =
                path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).collect();
            above.reverse();
            let closed = above.into_iter().find(|above| above.metadata().is_ok_and(|it| !self.may(&it, SEARCH)));
            if let Some(closed) = closed {
                return Some(closed.to_owned());
            }
        }
        path.metadata().is_ok_and(|it| !self.may(&it, READ)).then(|| path.to_owned())
    }

    fn may(&self, it: &Metadata, wanted: u32) -> bool {
        let bits = if it.uid() == self.uid {
            it.mode() >> 6
        } else if self.groups.contains(&it.gid()) {
            it.mode() >> 3
        } else {
            it.mode()
        };
        self.uid == 0 || bits & wanted != 0
    }
}
