//! Which board this is, and which of the prepared configurations fits it.

use super::{Finding, Probe};
use crate::admin::octets;

const CHECK: &str = "board";

/// What a model's name has in it, and the configuration for it with a 32-bit and with a 64-bit system. The first that
/// fits holds.
const PROFILES: [(&str, &str, &str); 11] = [
    ("Raspberry Pi Zero 2", "pi-3.toml", "pi-3.toml"),
    ("Raspberry Pi Zero", "pi-zero.toml", "pi-zero.toml"),
    ("Raspberry Pi 500", "pi-5.toml", "pi-5.toml"),
    ("Raspberry Pi 5", "pi-5.toml", "pi-5.toml"),
    ("Raspberry Pi Compute Module 5", "pi-5.toml", "pi-5.toml"),
    ("Raspberry Pi 4", "pi-4.toml", "pi-4.toml"),
    ("Raspberry Pi Compute Module 4", "pi-4.toml", "pi-4.toml"),
    ("Raspberry Pi 3", "pi-2.toml", "pi-3.toml"),
    ("Raspberry Pi Compute Module 3", "pi-2.toml", "pi-3.toml"),
    ("Raspberry Pi 2", "pi-2.toml", "pi-2.toml"),
    ("Raspberry Pi", "pi-zero.toml", "pi-zero.toml"),
];

/// The board's name; None: it is no board that has one.
pub(super) fn model(probe: &Probe) -> Option<String> {
    probe.read("/proc/device-tree/model").filter(|model| !model.is_empty())
}

fn profile(model: &str, bits: u64) -> Option<&'static str> {
    let row = PROFILES.iter().find(|(name, ..)| model.contains(name))?;
    Some(if bits == 32 { row.1 } else { row.2 })
}

pub(super) fn check(probe: &Probe) -> Vec<Finding> {
    let bits = probe.bits();
    let memory =
        super::memory::field(probe, "MemTotal").map_or_else(String::new, |memory| octets(memory) + " of memory, ");
    let name = model(probe).unwrap_or_else(|| "a computer that does not tell its model".to_owned());
    let fitting = profile(&name, bits).map_or_else(String::new, |file| format!("; board/{file} has settings for it"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_board_has_its_profile() {
        for (model, bits, file) in [
            ("Raspberry Pi Zero W Rev 1.1", 32, Some("pi-zero.toml")),
            ("Raspberry Pi Zero 2 W Rev 1.0", 64, Some("pi-3.toml")),
            ("Raspberry Pi Model B Plus Rev 1.2", 32, Some("pi-zero.toml")),
            ("Raspberry Pi Compute Module Rev 1.0", 32, Some("pi-zero.toml")),
            ("Raspberry Pi 2 Model B Rev 1.1", 32, Some("pi-2.toml")),
            ("Raspberry Pi 3 Model B Plus Rev 1.3", 32, Some("pi-2.toml")),
            ("Raspberry Pi 3 Model B Plus Rev 1.3", 64, Some("pi-3.toml")),
            ("Raspberry Pi 400 Rev 1.0", 64, Some("pi-4.toml")),
            ("Raspberry Pi Compute Module 4 Rev 1.1", 64, Some("pi-4.toml")),
            ("Raspberry Pi 5 Model B Rev 1.0", 64, Some("pi-5.toml")),
            ("Raspberry Pi 500 Rev 1.0", 64, Some("pi-5.toml")),
            ("ROCK Pi 4", 64, None),
        ] {
            assert_eq!(profile(model, bits), file, "{model}");
        }
    }
}
