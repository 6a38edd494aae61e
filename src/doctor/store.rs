//! The store: damage as far as a quick look shows it, how far it may grow, and the size of its pages.

use super::{Finding, Patient, memory};
use crate::admin::{Inspection, octets};

const CHECK: &str = "store";

/// Room that is worth telling of when less is left.
const LEFT_TOLD: u64 = 200 << 20;

pub(super) fn check(patient: &Patient, inspection: &Inspection) -> Vec<Finding> {
    let mut findings: Vec<Finding> = inspection
        .damage
        .iter()
        .map(|damage| Finding::fault(CHECK, damage.as_str()).fix(patient.command("verify") + " (it reads everything)"))
        .collect();
    if findings.is_empty() {
        let text = "users, mailboxes and the newest message of each are sound (`mailnook verify` reads everything)";
        findings.push(Finding::ok(CHECK, text));
    }
    findings.push(growth(patient, inspection));
    findings.extend(pages(patient, inspection));
    findings
}

fn growth(patient: &Patient, inspection: &Inspection) -> Finding {
    let left = inspection.map_left.saturating_add(inspection.free_inside);
    let most = inspection.map_used.saturating_add(inspection.map_left);
    let room = format!("{} of {}", octets(left), octets(most));
    let raise = if patient.probe.bits() == 32 {
        "delete mail (mailnook quota show tells whose is large), or move to a 64-bit system (README, Back up)"
            .to_owned()
    } else {
        format!("{}, then {}", patient.edit("set a larger map_size"), patient.restart())
    };
    let space = patient.probe.space(&patient.data_dir);
    let disk_is_short = space.is_some_and(|space| space.free <= patient.config.limits.disk_reserve);
    if !inspection.takes_mail && disk_is_short {
        Finding::fault(CHECK, "no new mail is taken until the disk has room").fix(super::disk::FREE)
    } else if !inspection.takes_mail {
        let text = format!("no new mail is taken: {room} are left to the store");
        Finding::fault(CHECK, text).fix(raise)
    } else if left < LEFT_TOLD.min(most / 5) {
        let text = format!("only {room} are left to the store; then new mail is refused");
        Finding::warning(CHECK, text).fix(raise)
    } else {
        let file = octets(inspection.map_used);
        Finding::ok(CHECK, format!("it has {file} and may grow to {}", octets(most)))
    }
}

/// A store keeps the pages of the kernel it was made on, and works on every other.
fn pages(patient: &Patient, inspection: &Inspection) -> Option<Finding> {
    let kernel = memory::page_size(&patient.probe)?;
    if kernel == inspection.page_size {
        return None;
    }
    let (store, kernel) = (inspection.page_size >> 10, kernel >> 10);
    let cost = if store > kernel { "each change writes more than it must" } else { "nothing is wrong with that" };
    let text = format!("it was made with pages of {store} KiB, and this kernel has {kernel} KiB: it works, {cost}");
    Some(Finding::note(CHECK, text))
}
