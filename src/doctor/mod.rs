//! `mailnook doctor`: looks for what goes wrong on boards and in homes, and tells it in plain words with the command that
//! mends it.
//!
//! Every fact about the system comes through [`Probe`], so that tests can plant a system of their own; each check is a
//! function from facts to findings. What only the owner of the store knows comes as an [`Inspection`].
//!
//! Absent on purpose: changes. Doctor mends nothing, and its test mail leaves nothing behind.

mod board;
mod card;
mod certificate;
mod clock;
mod dialogue;
mod disk;
mod files;
mod finding;
mod mail;
mod mdns;
mod memory;
mod mount;
mod names;
mod network;
mod ports;
mod power;
mod probe;
mod reach;
mod server;
mod store;
mod users;

pub use finding::{Finding, Level, Report};
pub use probe::Probe;

use crate::admin::{Inspection, shell_word};
use crate::config::{Config, Problem};
use server::Owner;
use std::io;
use std::path::{Path, PathBuf};

/// What doctor is called with.
pub struct Call {
    /// The configuration, or what is wrong with it.
    pub config: Result<Config, Vec<Problem>>,
    /// The file it is from.
    pub file: Option<PathBuf>,
    /// Where facts come from.
    pub probe: Probe,
    /// Whether to send a test mail.
    pub test_mail: bool,
}

/// What the checks look at.
struct Patient {
    probe: Probe,
    config: Config,
    /// Absolute, where it exists.
    data_dir: PathBuf,
    /// What the owner of the store said; None: it cannot be asked.
    inspection: Option<Inspection>,
    /// Whether systemd has a unit for the server.
    unit: bool,
}

impl Patient {
    /// The command that starts the server anew.
    fn restart(&self) -> String {
        let started =
            if self.unit { "sudo systemctl restart mailnook" } else { "end mailnook serve and start it again" };
        started.to_owned()
    }

    /// A mailnook command as it must be typed to reach the same mail.
    fn command(&self, words: &str) -> String {
        let file = self.config.file.as_deref().filter(|file| *file != Path::new(crate::config::SYSTEM_PATH));
        let option = file.map_or_else(String::new, |file| format!(" --config {}", shell_word(file)));
        format!("{}mailnook {words}{option}", if self.unit { "sudo " } else { "" })
    }

    /// How the data directory comes to another place of the file system.
    fn move_away(&self) -> String {
        let directory = shell_word(&self.data_dir);
        // The unit lets the server write in that directory only.
        let (stop, last) = if self.unit {
            let mount = format!("have that disk mounted at {directory}");
            ("sudo systemctl stop mailnook.socket mailnook", edit(Path::new("/etc/fstab"), &mount))
        } else {
            ("end mailnook serve", self.edit("set data_dir to the copy"))
        };
        format!("{stop}, then sudo cp -a {directory} /A-DISK-OF-THIS-MACHINE/, then {last}")
    }

    /// The command that opens the configuration, and what to change there.
    fn edit(&self, what: &str) -> String {
        let file = self.config.file.as_deref().unwrap_or(Path::new(crate::config::SYSTEM_PATH));
        edit(file, what)
    }
}

/// The command that opens a file of the system, and what to change there.
fn edit(file: &Path, what: &str) -> String {
    format!("sudo nano {} ({what})", shell_word(file))
}

/// Why something cannot be looked at.
fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied { "not as this user".to_owned() } else { error.to_string() }
}

/// Looks at everything. Blocks for some seconds.
#[must_use]
pub fn run(call: Call) -> Report {
    let Call { config, file, probe, test_mail } = call;
    let mut findings = Vec::new();
    let config = config.unwrap_or_else(|problems| {
        findings.extend(files::mistakes(file.as_deref(), &problems));
        // What follows holds for the built-in defaults at most; the parts that need the configuration are left out.
        Config::default()
    });
    let understood = findings.is_empty();
    if understood {
        findings.push(files::configuration(&config));
    }
    let absolute = || std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let data_dir = config.data_dir.canonicalize().unwrap_or_else(|_| absolute());
    let unit = server::has_unit(&probe);
    let mut patient = Patient { probe, config, data_dir, inspection: None, unit };

    // What root alone can read comes before anything that makes this process the owner of the mail.
    findings.extend(board::check(&patient.probe));
    findings.extend(clock::system(&patient.probe));
    findings.extend(power::check(&patient.probe));
    findings.extend(memory::check(&patient));
    findings.extend(card::check(&patient.probe));
    if !understood {
        return Report { findings };
    }
    findings.extend(disk::check(&patient));
    findings.extend(files::check(&patient));
    findings.extend(certificate::check(&patient));
    let listening = network::listening(&patient.probe);

    let (owner, told) = server::ask(&patient);
    findings.extend(told);
    if let Owner::Server(inspection) | Owner::Alone(inspection) = &owner {
        patient.inspection = Some(inspection.clone());
        findings.extend(clock::store(&patient, inspection));
        findings.extend(store::check(&patient, inspection));
        findings.extend(users::check(&patient, inspection));
    }
    findings.extend(ports::check(&patient, &owner, &listening));
    findings.extend(names::check(&patient));
    findings.extend(if test_mail { mail::check(&patient, &owner) } else { Vec::new() });
    Report { findings }
}
