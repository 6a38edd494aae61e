//! The users: whose quota is used up, and whether mail for unknown addresses goes where it is to go.

use super::{Finding, Patient};
use crate::admin::Inspection;

const CHECK: &str = "users";

pub(super) fn check(patient: &Patient, inspection: &Inspection) -> Vec<Finding> {
    let mut findings: Vec<Finding> = inspection
        .full
        .iter()
        .map(|(name, percent)| {
            let text = format!("{name}'s mail fills {percent} % of the quota; new mail is refused when it is full");
            let command = patient.command(&format!("quota show {name}"));
            Finding::warning(CHECK, text).fix(format!("{command} (it tells what to delete; quota set gives more)"))
        })
        .collect();
    if let Some(name) = &inspection.idle_catch_all {
        let text = format!("catch_all is {name:?}, but there is no such user: mail for unknown addresses is refused");
        findings.push(Finding::warning(CHECK, text).fix(patient.edit("set catch_all to a user, or take it out")));
    }
    findings
}
