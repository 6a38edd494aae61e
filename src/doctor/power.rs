//! Under-voltage and heat, as the Raspberry Pi's firmware notes them.

use super::{Finding, Probe, board};

const CHECK: &str = "power";

/// Bits of `get_throttled`: what is now; 16 bits higher, what was since the start.
const UNDER_VOLTAGE: u32 = 1;
const HEAT: u32 = 2 | 4 | 8;
const BEFORE: u32 = 16;

const SUPPLY: &str =
    "use the power supply that belongs to the board, a short cable, and a hub with its own supply for disks";

pub(super) fn check(probe: &Probe) -> Vec<Finding> {
    let throttled = probe.read("/sys/devices/platform/soc/soc:firmware/get_throttled");
    let flags = throttled.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    match flags.or_else(|| alarm(probe)) {
        Some(flags) => findings(flags),
        None if board::model(probe).is_some_and(|model| model.contains("Raspberry Pi")) => {
            vec![Finding::note(CHECK, "the firmware does not tell whether the supply is strong enough")]
        }
        None => Vec::new(),
    }
}

/// The voltage alarm of boards that have it as a sensor.
fn alarm(probe: &Probe) -> Option<u32> {
    let sensors = probe.list("/sys/class/hwmon").into_iter().map(|name| format!("/sys/class/hwmon/{name}"));
    let sensor =
        sensors.into_iter().find(|path| probe.read(&format!("{path}/name")).is_some_and(|name| name == "rpi_volt"))?;
    let alarms = ["in0_lcrit_alarm", "in1_lcrit_alarm"].into_iter();
    let alarms: Vec<u64> = alarms.filter_map(|alarm| probe.number(&format!("{sensor}/{alarm}"))).collect();
    (!alarms.is_empty()).then(|| if alarms.iter().any(|alarm| *alarm > 0) { UNDER_VOLTAGE } else { 0 })
}

fn findings(flags: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    if flags & UNDER_VOLTAGE != 0 {
        findings.push(
            Finding::fault(CHECK, "the voltage is too low now: disk and card may lose what is written").fix(SUPPLY),
        );
    } else if flags >> BEFORE & UNDER_VOLTAGE != 0 {
        findings.push(Finding::warning(CHECK, "the voltage was too low since the board was started").fix(SUPPLY));
    }
    if flags & HEAT != 0 || flags >> BEFORE & HEAT != 0 {
        let when = if flags & HEAT != 0 { "is slowed down now" } else { "was slowed down since its start" };
        findings.push(
            Finding::note(CHECK, format!("the processor {when}, by heat or low voltage")).fix("vcgencmd measure_temp"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "the voltage was never too low since the start"));
    }
    findings
}
