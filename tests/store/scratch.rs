//! A directory of its own for each test, removed at its end.

use mailnook::mailbox::{Core, Mailbox, Options};
use mailnook::types::{InstanceId, Uid, UidSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mailnook-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn options(path: &Path) -> Options {
    Options { map_size: Some(256 << 20), max_message_size: 64 << 20, ..Options::new(path.to_owned()) }
}

pub fn open(path: &Path) -> Arc<Core> {
    Core::open(options(path)).unwrap()
}

/// The messages with these UIDs that are there, as a POP3 session names them.
pub fn entries(mailbox: &Mailbox, uids: &UidSet) -> Vec<(Uid, InstanceId)> {
    let (mut found, mut from) = (Vec::new(), Uid(1));
    loop {
        let rows = mailbox.rows(uids, from).unwrap();
        let Some(last) = rows.last() else { return found };
        from = Uid(last.uid.0 + 1);
        found.extend(rows.iter().map(|row| (row.uid, row.instance)));
    }
}
