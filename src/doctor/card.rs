//! How worn the cards are: what an eMMC tells of itself, and the kernel's counters of errors.

use super::{Finding, Probe};

const CHECK: &str = "card";

const REPLACE: &str = "stop mailnook, copy the data directory, and replace the card (README, Back up)";

pub(super) fn check(probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in probe.list("/sys/bus/mmc/devices") {
        let path = format!("/sys/bus/mmc/devices/{name}");
        // SDIO is a radio, not a card.
        let kind = probe.read(&format!("{path}/type")).unwrap_or_default();
        if kind == "SD" || kind == "MMC" {
            findings.push(life(probe, &name, &path, &kind));
            findings.extend(errors(probe, &name));
        }
    }
    findings
}

fn life(probe: &Probe, name: &str, path: &str, kind: &str) -> Finding {
    let label = probe.read(&format!("{path}/name")).unwrap_or_default();
    let card = format!("{kind} {label} ({name})");
    let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    // Steps of 10 % for each of two kinds of cells; 0: not told (JEDEC JESD84-B51 §7.4.33).
    let ages = probe.read(&format!("{path}/life_time")).unwrap_or_default();
    let age = ages.split_whitespace().filter_map(number).max().unwrap_or(0);
    let reserve = probe.read(&format!("{path}/pre_eol_info")).and_then(|text| number(text.trim())).unwrap_or(0);
    match (age, reserve) {
        (11.., _) | (_, 3) => Finding::fault(CHECK, format!("{card} has used up its life")).fix(REPLACE),
        (9..=10, _) | (_, 2) => {
            let text = format!("{card} has used {} % of its life", (age * 10).clamp(80, 100));
            Finding::warning(CHECK, text).fix(REPLACE)
        }
        (1..=8, _) => Finding::ok(CHECK, format!("{card} has used at most {} % of its life", age * 10)),
        _ => Finding::note(CHECK, format!("{card} does not tell how worn it is; keep a copy of the mail elsewhere")),
    }
}

/// The kernel counts errors where debugfs is mounted, for root alone.
fn errors(probe: &Probe, name: &str) -> Option<Finding> {
    let host = name.split(':').next().unwrap_or(name);
    let text = probe.read(&format!("/sys/kernel/debug/{host}/err_stats"))?;
    let counts = text.lines().filter_map(|line| line.rsplit_once(':')?.1.trim().parse::<u64>().ok());
    let sum = counts.fold(0, u64::saturating_add);
    (sum > 0).then(|| {
        Finding::warning(
            CHECK,
            format!("{host} had {sum} errors since the start: the card or its contacts are failing"),
        )
        .fix(format!("sudo cat /sys/kernel/debug/{host}/err_stats (and: {REPLACE})"))
    })
}
