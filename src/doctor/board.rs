//! Which board this is, and which preset suits it.

use super::{Finding, Probe};
use crate::admin::octets;
use crate::config::Board;

const CHECK: &str = "board";

/// The board's name; None: it is no board that has one.
pub(super) fn model(probe: &Probe) -> Option<String> {
    probe.read("/proc/device-tree/model").filter(|model| !model.is_empty())
}

pub(super) fn check(probe: &Probe) -> Vec<Finding> {
    let bits = probe.bits();
    let memory =
        super::memory::field(probe, "MemTotal").map_or_else(String::new, |memory| octets(memory) + " of memory, ");
    let name = model(probe).unwrap_or_else(|| "a computer that does not tell its model".to_owned());
    let fitting = Board::of_model(&name, bits == 32).map_or_else(String::new, |board| {
        let preset = board.name;
        format!("; the preset {preset} suits it (`mailnook config board {preset}` puts it into a configuration)")
    });
    let mut findings = vec![Finding::ok(CHECK, format!("{name}, {memory}{bits}-bit program{fitting}"))];
    let kernel = probe.read("/proc/sys/kernel/arch").unwrap_or_default();
    if bits == 32 && matches!(kernel.as_str(), "aarch64" | "x86_64") {
        findings.push(
            Finding::note(CHECK, "the kernel has 64 bits, the program 32: mail may take 1.9 GB in all and no more")
                .fix("install the 64-bit system and the arm64 package, and copy the mail by IMAP (README, Back up)"),
        );
    }
    findings
}
