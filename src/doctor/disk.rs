//! The file system under the data directory: whether it keeps what is written, and whether there is room.

use super::mount::{self, Mount};
use super::{Finding, Patient, Probe};
use crate::admin::{octets, shell_word};
use std::path::Path;

const CHECK: &str = "disk";

/// So much more than the reserve is free before it is worth telling.
const ROOM_TOLD: u64 = 500_000_000;

/// Fewer free inodes than this are worth telling.
const INODES_TOLD: u64 = 1_000;

/// File systems in memory.
const VOLATILE: [&str; 3] = ["tmpfs", "ramfs", "rootfs"];

/// File systems of another machine. A memory map of a file there may differ from what the other machine has, and its locks do
/// not hold.
const REMOTE: [&str; 12] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.davfs",
];

/// File systems that have neither owners nor sockets.
const FOREIGN: [&str; 6] = ["vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk"];

pub(super) const FREE: &str =
    "sudo apt clean && sudo journalctl --vacuum-size=50M (and look for large files: sudo du -xh / | sort -h | tail)";

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let probe = &patient.probe;
    // A directory that is not there yet will be made in the nearest one that is.
    let data_dir = patient.data_dir.ancestors().find(|path| path.exists()).unwrap_or(&patient.data_dir);
    let mut findings = Vec::new();
    match mount::of(probe, data_dir) {
        Some(mount) => {
            findings.extend(kind(patient, &mount, data_dir));
            findings.extend(options(probe, &mount));
        }
        None => findings.push(Finding::note(CHECK, "the table of mounts cannot be read")),
    }
    findings.extend(room(patient, data_dir));
    findings
}

fn kind(patient: &Patient, mount: &Mount, data_dir: &Path) -> Option<Finding> {
    let (kind, place) = (mount.kind.as_str(), data_dir.display());
    let move_it = patient.move_away();
    if VOLATILE.contains(&kind) {
        let text = format!("{place} is in memory ({kind}): all mail is lost at the next start of the machine");
        return Some(Finding::fault(CHECK, text).fix(move_it));
    }
    if REMOTE.contains(&kind) {
        let text = format!("{place} is on another machine ({kind} {}): the store can be damaged there", mount.source);
        return Some(Finding::fault(CHECK, text).fix(move_it));
    }
    if FOREIGN.contains(&kind) {
        let text = format!("{place} is on {kind}, which protects no files and can lose the store in a power cut");
        return Some(Finding::fault(CHECK, text).fix(move_it));
    }
    if kind == "overlay" {
        return Some(overlay(patient, mount, data_dir));
    }
    None
}

/// The upper layer of an overlay keeps what is written: in memory where the firmware's tool made it.
fn overlay(patient: &Patient, mount: &Mount, data_dir: &Path) -> Finding {
    let probe = &patient.probe;
    let place = data_dir.display();
    let line = probe.read("/proc/cmdline").unwrap_or_default();
    let by_firmware =
        line.split_whitespace().any(|word| word == "boot=overlay" || word.starts_with("overlayroot=tmpfs"));
    let upper = mount.value("upperdir").and_then(|upper| mount::of(probe, Path::new(upper)));
    if by_firmware || upper.is_some_and(|upper| VOLATILE.contains(&upper.kind.as_str())) {
        let text = format!("{place} is on an overlay in memory: all mail is lost at the next start of the machine");
        return Finding::fault(CHECK, text).fix(
            "sudo raspi-config nonint disable_overlayfs && sudo reboot (or set data_dir to a disk that is written to)",
        );
    }
    let text = format!("{place} is on an overlay, as in a container: mail is lost with the container");
    Finding::note(CHECK, text).fix(patient.edit("set data_dir to a volume of its own"))
}

fn options(probe: &Probe, mount: &Mount) -> Vec<Finding> {
    let (place, word) = (mount.point.display(), shell_word(&mount.point));
    let mut findings = Vec::new();
    if mount.has("ro") {
        let text = format!("{place}, where the mail is, is read-only; the system does that when a card or disk fails");
        let fix = format!(
            "sudo dmesg | grep -iE 'mmc|ext4|I/O error' (make a copy of the mail first; if nothing is there: sudo mount -o remount,rw {word})"
        );
        findings.push(Finding::fault(CHECK, text).fix(fix));
    }
    if mount.value("data") == Some("writeback") {
        let text = format!("{place} is mounted with data=writeback: after a power cut files may have old contents");
        findings.push(
            Finding::warning(CHECK, text)
                .fix("sudo nano /etc/fstab /boot/firmware/cmdline.txt (take data=writeback out), then sudo reboot"),
        );
    }
    if mount.has("nobarrier") || mount.value("barrier") == Some("0") {
        let text = format!("{place} is mounted without barriers: a power cut can destroy the store");
        findings.push(Finding::fault(CHECK, text).fix(format!(
            "sudo mount -o remount,barrier=1 {word} (and take nobarrier or barrier=0 out of /etc/fstab)"
        )));
    }
    if mount.has("sync") || mount.has("dirsync") {
        let text =
            format!("{place} is mounted with sync: slow, wears a card, and mailnook makes mail durable without it");
        findings.push(
            Finding::warning(CHECK, text)
                .fix(format!("sudo mount -o remount,async {word} (and take sync out of /etc/fstab)")),
        );
    }
    let device = mount.device(probe);
    // The table has a word for every way but this one.
    let every_read = !mount.has("noatime") && !mount.has("relatime");
    if device.starts_with("mmcblk") && every_read {
        let text = format!("{place} is a card and writes the time of every read to it");
        findings.push(
            Finding::warning(CHECK, text)
                .fix(format!("sudo mount -o remount,noatime {word} (and noatime in /etc/fstab)")),
        );
    }
    if let Some(errors @ 1..) = probe.number(&format!("/sys/fs/ext4/{device}/errors_count")) {
        let text = format!("the file system on {device}, where the mail is, had {errors} errors");
        let fix = "sudo sed -i '1 s/$/ fsck.mode=force/' /boot/firmware/cmdline.txt && sudo reboot (copy the mail elsewhere first, and take it out again afterwards)";
        findings.push(Finding::warning(CHECK, text).fix(fix));
    }
    findings
}

fn room(patient: &Patient, data_dir: &Path) -> Vec<Finding> {
    let Some(space) = patient.probe.space(data_dir) else {
        return vec![Finding::note(CHECK, format!("the room of {} cannot be seen", data_dir.display()))];
    };
    let reserve = patient.config.limits.disk_reserve;
    let (free, total) = (octets(space.free), octets(space.total));
    let mut findings = Vec::new();
    if space.free <= reserve {
        let text = format!("only {free} of {total} are free: new mail is refused below {}", octets(reserve));
        findings.push(Finding::fault(CHECK, text).fix(FREE));
    } else if space.free < reserve.saturating_add(ROOM_TOLD) {
        let text = format!("only {free} of {total} are free; new mail is refused below {}", octets(reserve));
        findings.push(Finding::warning(CHECK, text).fix(FREE));
    } else {
        findings.push(Finding::ok(CHECK, format!("{free} of {total} are free where the mail is")));
    }
    if space.inodes > 0 && space.inodes_free < INODES_TOLD {
        let text = format!("only {} of {} files more can be made (inodes)", space.inodes_free, space.inodes);
        let level = if space.inodes_free == 0 { Finding::fault(CHECK, text) } else { Finding::warning(CHECK, text) };
        let count = "sudo du --inodes -x / | sort -n | tail (remove what has made so many small files)";
        findings.push(level.fix(count));
    }
    findings
}
