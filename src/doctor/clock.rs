//! The clock: boards have no battery for it, so that it is wrong until the network has set it.

use super::{Finding, Patient, Probe};
use crate::admin::{EARLIEST, Inspection, day};

const CHECK: &str = "clock";

/// So many seconds behind the newest mail are worth telling.
const LAG_TOLD: u64 = 60;

/// Programs that keep the clock right, as /proc/PID/comm has them (15 octets).
const KEEPERS: [&str; 6] = ["chronyd", "ntpd", "ntpsec", "openntpd", "connmand", "ptp4l"];
const TIMESYNCD: &str = "systemd-timesyn";

/// Time and how it is kept.
pub(super) fn system(probe: &Probe) -> Vec<Finding> {
    let now = probe.now();
    if now < EARLIEST {
        let text =
            format!("it shows {}, which is wrong: mail gets wrong dates and certificates seem invalid", day(now));
        return vec![Finding::fault(CHECK, text).fix("sudo timedatectl set-ntp true")];
    }
    let processes = probe.processes();
    let runs = |name: &str| processes.as_ref().is_some_and(|processes| processes.iter().any(|process| process == name));
    let battery = probe.exists("/sys/class/rtc/rtc0");
    let keeper = KEEPERS.into_iter().find(|name| runs(name));
    let date = day(now);
    vec![if probe.exists("/run/systemd/timesync/synchronized") {
        Finding::ok(CHECK, format!("it shows {date} and is kept right by systemd-timesyncd"))
    } else if let Some(keeper) = keeper {
        Finding::ok(CHECK, format!("it shows {date}, and {keeper} keeps it right"))
    } else if runs(TIMESYNCD) {
        Finding::warning(CHECK, format!("it shows {date}, but has not been compared with the network since the start"))
            .fix("timedatectl timesync-status (it tells why; as a rule the network is missing or blocks port 123/udp)")
    } else if processes.is_none() {
        Finding::note(CHECK, format!("it shows {date}; what keeps it right cannot be seen as this user"))
    } else if battery {
        Finding::note(CHECK, format!("it shows {date}; nothing compares it with the network, so it drifts slowly"))
            .fix("sudo timedatectl set-ntp true")
    } else {
        Finding::warning(CHECK, format!("it shows {date}; nothing sets it, and this machine has no battery for it"))
            .fix("sudo apt install systemd-timesyncd && sudo timedatectl set-ntp true")
    }]
}

/// The clock beside the newest mail.
pub(super) fn store(patient: &Patient, inspection: &Inspection) -> Vec<Finding> {
    if inspection.clock_lag < LAG_TOLD {
        return Vec::new();
    }
    let now = patient.probe.now();
    let lag = i64::try_from(inspection.clock_lag).unwrap_or(i64::MAX);
    let text = format!(
        "it is behind the newest mail, which is of {}: new mail gets that date and nothing expires until the clock is past it",
        day(now.saturating_add(lag))
    );
    let trust = patient.command(&format!("trust-clock {}", day(now)));
    let fix = format!("sudo timedatectl set-ntp true; where it is right already: {trust}");
    vec![Finding::warning(CHECK, text).fix(fix)]
}
