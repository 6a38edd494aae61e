//! Memory, swap, and whether the kernel can limit a service's memory.

use super::{Finding, Patient, Probe};
use crate::admin::octets;
use crate::auth::Chosen;

const CHECK: &str = "memory";

/// With less available the server may be killed when several clients come at once.
const AVAILABLE_MIN: u64 = 32 << 20;

/// What the server needs beside password hashes.
const SERVER: u64 = 6 << 20;

/// Boards with so little memory do better with compressed swap.
const SMALL: u64 = 600 << 20;

/// A field of /proc/meminfo in octets.
pub(super) fn field(probe: &Probe, name: &str) -> Option<u64> {
    let text = probe.read("/proc/meminfo")?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Octets of a page of the kernel.
pub(super) fn page_size(probe: &Probe) -> Option<u64> {
    let text = probe.read("/proc/self/smaps")?;
    let rest = text.lines().find_map(|line| line.strip_prefix("KernelPageSize:"))?;
    rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let probe = &patient.probe;
    let (Some(total), Some(available)) = (field(probe, "MemTotal"), field(probe, "MemAvailable")) else {
        return vec![Finding::note(CHECK, "/proc/meminfo cannot be read")];
    };
    let mut findings = vec![amount(total, available)];
    findings.extend(hashing(patient, available));
    findings.extend(swap(probe, total));
    let kills = probe
        .read("/proc/vmstat")
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok()));
    if let Some(kills @ 1..) = kills {
        let text = format!("the kernel ended programs for want of memory {kills} times since the start");
        findings.push(Finding::warning(CHECK, text).fix("journalctl -k -g 'Out of memory' (it names them)"));
    }
    findings.extend(control_group(patient));
    findings
}

fn amount(total: u64, available: u64) -> Finding {
    let text = format!("{} of {} are available", octets(available), octets(total));
    if available < AVAILABLE_MIN {
        let text = format!("only {text}: the server may be ended when many clients come at once");
        return Finding::warning(CHECK, text).fix("ps -eo rss,comm --sort=-rss | head (end what is not needed)");
    }
    Finding::ok(CHECK, text)
}

/// A password's hash takes memory for a moment. What the server measures and chooses itself fits the board.
fn hashing(patient: &Patient, available: u64) -> Option<Finding> {
    let auth = &patient.config.auth;
    let hashes = u64::try_from(auth.concurrent_hashes).unwrap_or(u64::MAX);
    let wanted = u64::from(auth.argon2_memory).saturating_mul(1024).saturating_mul(hashes);
    (!auth.argon2_auto && wanted > available / 4).then(|| {
        let text = format!(
            "checking passwords takes {} (argon2_memory, concurrent_hashes), more than a quarter of the {} available",
            octets(wanted),
            octets(available)
        );
        let fix = patient.edit("set argon2_memory = \"auto\" and concurrent_hashes = 1 in [auth]");
        Finding::warning(CHECK, text).fix(fix)
    })
}

/// What the unit allows the service must be enough for a login, or each ends the server.
fn limited(patient: &Patient) -> Option<Finding> {
    let units = super::server::unit_texts(&patient.probe);
    let mut limits =
        units.iter().flat_map(|text| text.lines()).filter_map(|line| line.trim().strip_prefix("MemoryMax="));
    let limit = limits.next_back().and_then(size)?;
    let auth = &patient.config.auth;
    // What was measured is in a file of the data directory.
    let measured = patient.data_dir.join("argon2");
    let measured = || Chosen::parse(&patient.probe.read(&measured.to_string_lossy())?).map(|chosen| chosen.memory);
    let kib = if auth.argon2_auto { measured()? } else { auth.argon2_memory };
    let hashes = u64::try_from(auth.concurrent_hashes).unwrap_or(u64::MAX);
    let wanted = u64::from(kib).saturating_mul(1024).saturating_mul(hashes).saturating_add(SERVER);
    (wanted > limit).then(|| {
        let text = format!(
            "MemoryMax in mailnook's unit is {}, but checking passwords takes up to {}: the kernel ends the server",
            octets(limit),
            octets(wanted)
        );
        let mib = wanted.div_ceil(1 << 20);
        let raise = format!("sudo systemctl set-property mailnook.service MemoryMax={mib}M");
        let fix = format!("{raise} (or, for new passwords: {})", patient.command("config measure"));
        Finding::fault(CHECK, text).fix(fix)
    })
}

/// A size as systemd writes it, in octets; None: there is no limit in octets.
fn size(text: &str) -> Option<u64> {
    let (number, shift) = match text.trim().char_indices().last()? {
        (end, unit) if unit.is_ascii_alphabetic() => (text.trim().get(..end)?, "KMGT".find(unit)? * 10 + 10),
        _ => (text.trim(), 0),
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn swap(probe: &Probe, total: u64) -> Option<Finding> {
    let swaps = probe.read("/proc/swaps")?;
    let mut places = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let on_card = |place: &str| !place.contains("zram");
    match places.next() {
        None if total < SMALL => Some(
            Finding::note(CHECK, "there is no swap; compressed swap helps a board with little memory")
                .fix("sudo apt install zram-tools"),
        ),
        Some(place) if on_card(place) && !probe.list("/sys/bus/mmc/devices").is_empty() => Some(
            Finding::note(CHECK, format!("swap is in {place}; where that is a card it wears the card"))
                .fix("sudo apt install zram-tools"),
        ),
        _ => None,
    }
}

/// The Raspberry Pi's firmware switches the memory controller off; then a unit's MemoryMax does nothing.
fn control_group(patient: &Patient) -> Option<Finding> {
    let probe = &patient.probe;
    let controllers = probe.read("/sys/fs/cgroup/cgroup.controllers");
    let known = controllers.map(|text| text.split_whitespace().any(|name| name == "memory"));
    let table = || {
        let text = probe.read("/proc/cgroups")?;
        let row = text.lines().find(|line| line.starts_with("memory"))?;
        Some(row.split_whitespace().nth(3)? == "1")
    };
    let switched_off = probe.read("/proc/cmdline").is_some_and(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&"cgroup_disable=memory") && !words.contains(&"cgroup_enable=memory")
    });
    let enabled = known.or_else(table).unwrap_or(!switched_off);
    if enabled {
        return limited(patient);
    }
    let limited = super::server::unit_texts(probe).iter().any(|text| {
        text.lines()
            .any(|line| line.trim_start().starts_with("MemoryMax=") || line.trim_start().starts_with("MemoryHigh="))
    });
    let file =
        if probe.exists("/boot/firmware/cmdline.txt") { "/boot/firmware/cmdline.txt" } else { "/boot/cmdline.txt" };
    let fix = format!("sudo sed -i '1 s/$/ cgroup_enable=memory/' {file} && sudo reboot");
    Some(if limited {
        let text = "the firmware switched memory limits off: MemoryMax in mailnook's unit does nothing";
        Finding::warning(CHECK, text).fix(fix)
    } else {
        let text = "the firmware switched memory limits off; a MemoryMax in mailnook's unit would do nothing";
        Finding::note(CHECK, text).fix(fix)
    })
}
