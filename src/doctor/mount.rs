//! The table of mounts (proc_pid_mountinfo(5)).

use super::Probe;
use std::path::{Path, PathBuf};

/// A mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mount {
    pub point: PathBuf,
    pub kind: String,
    pub source: String,
    /// Major and minor number of the device.
    pub number: String,
    /// Of this mount and of the file system under it.
    pub options: Vec<String>,
}

impl Mount {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|own| own == option)
    }

    /// The kernel's name of the device, such as mmcblk0p2; the source may be called /dev/root.
    pub(super) fn device(&self, probe: &Probe) -> String {
        let event = probe.read(&format!("/sys/dev/block/{}/uevent", self.number)).unwrap_or_default();
        let name = event.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        name.or_else(|| self.source.rsplit('/').next()).unwrap_or_default().to_owned()
    }

    /// The value of an option such as `upperdir=/upper`.
    pub(super) fn value(&self, option: &str) -> Option<&str> {
        self.options.iter().find_map(|own| own.strip_prefix(option)?.strip_prefix('='))
    }
}

/// The mount that a path is on; None: the table cannot be read.
pub(super) fn of(probe: &Probe, path: &Path) -> Option<Mount> {
    let table = probe.read("/proc/self/mountinfo")?;
    let mounts = table.lines().filter_map(parse).filter(|mount| path.starts_with(&mount.point));
    // Of two mounts at one place the later one lies above.
    mounts.max_by_key(|mount| mount.point.components().count())
}

fn parse(line: &str) -> Option<Mount> {
    let (before, behind) = line.split_once(" - ")?;
    let number = before.split(' ').nth(2)?.to_owned();
    let mut before = before.split(' ').skip(4);
    let (point, own) = (before.next()?, before.next()?);
    let mut behind = behind.split(' ');
    let (kind, source, super_options) = (behind.next()?, behind.next()?, behind.next().unwrap_or_default());
    let options = own.split(',').chain(super_options.split(',')).map(str::to_owned).collect();
    Some(Mount { point: unescaped(point).into(), kind: kind.to_owned(), source: unescaped(source), number, options })
}

/// Spaces and the like are written in octal.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = "36 35 98:0 /m /my\\040mail rw,noatime shared:1 master:2 - ext4 /dev/mmcblk0p2 rw,data=writeback";
        let mount = parse(line).expect("parses");
        assert_eq!((mount.point, mount.kind.as_str()), (PathBuf::from("/my mail"), "ext4"));
        assert_eq!(mount.source, "/dev/mmcblk0p2");
        let mount = parse(line).expect("parses");
        assert!(mount.has("noatime") && mount.value("data") == Some("writeback") && mount.value("dat").is_none());
        assert_eq!(parse("36 35 98:0 / - ext4"), None);
    }
}
