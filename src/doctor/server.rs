//! Whether the server runs, and what it or its store says.

use super::{Finding, Patient, Probe};
use crate::admin::{self, Access, Inspection, Request, exit, inspect_alone};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

const CHECK: &str = "server";

/// How long the server may take for its answer; it reads some messages for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// File descriptors besides those of connections, as the server counts them.
const SPARE_DESCRIPTORS: u64 = 200;

const UNIT_FOLDERS: [&str; 3] = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];

/// Limit: drop-ins of the unit that are read.
const DROP_INS_MAX: usize = 20;

/// Who has the store.
pub(super) enum Owner {
    /// A server.
    Server(Inspection),
    /// Nobody: it was looked at here.
    Alone(Inspection),
    /// This user may not ask.
    Closed,
    /// It cannot be said; a finding tells why.
    Unknown,
}

/// Whether systemd has a unit for the server.
pub(super) fn has_unit(probe: &Probe) -> bool {
    UNIT_FOLDERS.iter().any(|folder| probe.exists(&format!("{folder}/mailnook.service")))
}

/// The unit's texts: the unit itself and its drop-ins, which come later.
pub(super) fn unit_texts(probe: &Probe) -> Vec<String> {
    let unit = UNIT_FOLDERS.iter().find_map(|folder| probe.read(&format!("{folder}/mailnook.service")));
    let folders = ["/etc/systemd/system/mailnook.service.d", "/etc/systemd/system.control/mailnook.service.d"];
    let drop_ins = folders.into_iter().flat_map(|folder| {
        let names =
            probe.list(folder).into_iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "conf"));
        names.take(DROP_INS_MAX).filter_map(move |name| probe.read(&format!("{folder}/{name}")))
    });
    unit.into_iter().chain(drop_ins).collect()
}

/// Asks the server or, where none runs, the store.
pub(super) fn ask(patient: &Patient) -> (Owner, Vec<Finding>) {
    let start = if patient.unit { "sudo systemctl start mailnook".to_owned() } else { patient.command("serve") };
    let data_dir = patient.data_dir.display();
    match patient.data_dir.join("store").join("data.mdb").metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("{data_dir} has no mail store: mailnook never ran here, or data_dir is wrong");
            return (Owner::Unknown, vec![Finding::fault(CHECK, text).fix(start)]);
        }
        Err(_) => return (Owner::Closed, vec![cannot(patient)]),
    }
    match Access::reach(&patient.data_dir, false) {
        Ok(Access::Server(stream)) => served(patient, &stream),
        Ok(Access::Owner(directory)) => {
            let mut findings = vec![Finding::fault(CHECK, "mailnook is not running").fix(start)];
            match inspect_alone(&patient.config, &directory) {
                Ok(inspection) => (Owner::Alone(inspection), findings),
                Err(text) => {
                    findings.push(
                        Finding::fault("store", text)
                            .fix(patient.command("verify") + " (before anything else; README, Back up)"),
                    );
                    (Owner::Unknown, findings)
                }
            }
        }
        Err(refused) if refused.code == exit::PERMISSION => (Owner::Closed, vec![cannot(patient)]),
        Err(refused) => (Owner::Unknown, vec![Finding::fault(CHECK, refused.text).fix(patient.restart())]),
    }
}

fn cannot(patient: &Patient) -> Finding {
    let place = patient.data_dir.display();
    let text = format!("this user may not look into {place}; server, store, ports and certificate stay unchecked");
    Finding::note(CHECK, text).fix(format!("sudo {}", patient.command("doctor").trim_start_matches("sudo ")))
}

fn served(patient: &Patient, stream: &UnixStream) -> (Owner, Vec<Finding>) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    let limited = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    let code = match limited {
        Ok(()) => admin::call(stream, &Request::Inspect, Box::new(io::empty()), &mut out, &mut errors),
        Err(_) => exit::TEMPORARY,
    };
    if code != exit::OK {
        let why = String::from_utf8_lossy(&errors).trim().trim_start_matches("mailnook: ").to_owned();
        let text = if begin.elapsed() >= PATIENCE {
            format!("the server hangs: it does not answer within {} s", PATIENCE.as_secs())
        } else {
            format!("the server does not answer doctor as it should: {why}")
        };
        return (Owner::Unknown, vec![Finding::fault(CHECK, text).fix(patient.restart())]);
    }
    let inspection = Inspection::parse(&String::from_utf8_lossy(&out));
    let mut findings = Vec::new();
    let (theirs, ours) = (&inspection.version, env!("CARGO_PKG_VERSION"));
    if theirs == ours {
        findings.push(Finding::ok(CHECK, format!("mailnook {ours} is running")));
    } else {
        let text = format!("mailnook {theirs} is running, but {ours} is installed");
        findings.push(Finding::warning(CHECK, text).fix(patient.restart()));
    }
    findings.extend(descriptors(patient, &inspection));
    if inspection.users == 0 {
        let text = "there are no users yet, so nobody can log in and no mail is taken";
        findings.push(Finding::warning(CHECK, text).fix(patient.command("user add NAME")));
    }
    (Owner::Server(inspection), findings)
}

/// Whether the server may open as many files as its connections need.
fn descriptors(patient: &Patient, inspection: &Inspection) -> Option<Finding> {
    let limits = patient.probe.read(&format!("/proc/{}/limits", inspection.server?))?;
    let row = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let allowed = row.split_whitespace().next()?.parse::<u64>().ok()?;
    let limits = &patient.config.limits;
    let connections = limits.connections.saturating_add(limits.lmtp_connections);
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(SPARE_DESCRIPTORS);
    (allowed < wanted).then(|| {
        let text = format!("the server may open {allowed} files, but limits.connections may need {wanted}");
        let fix = if patient.unit {
            format!(
                "sudo systemctl edit mailnook (write: [Service] and LimitNOFILE={wanted}), then {}",
                patient.restart()
            )
        } else {
            let most = allowed.saturating_sub(SPARE_DESCRIPTORS);
            format!(
                "{}, then {}",
                patient.edit(&format!("set connections = {most} or less in [limits]")),
                patient.restart()
            )
        };
        Finding::warning(CHECK, text).fix(fix)
    })
}
