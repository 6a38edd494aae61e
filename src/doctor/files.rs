//! The configuration, and who may do what with the files of the data directory.

use super::reach::Reader;
use super::{Finding, Patient, Probe, reason};
use crate::admin::shell_word;
use crate::config::{Config, Problem, SYSTEM_PATH};
use std::fs::{Metadata, symlink_metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const CONFIGURATION: &str = "config";
const CHECK: &str = "files";

/// What the server must be able to change.
const OWN: [&str; 6] = ["lock", "cert.pem", "key.pem", "store", "store/data.mdb", "store/lock.mdb"];

/// What is wrong in the configuration.
pub(super) fn mistakes(file: Option<&Path>, problems: &[Problem]) -> Vec<Finding> {
    let file = file.unwrap_or(Path::new(SYSTEM_PATH));
    let (change, word, file) = (super::edit(file, "change it there"), shell_word(file), file.display());
    let finding = |problem: &Problem| {
        let text = match problem.line {
            Some(line) => format!("{file}, line {line}: {}", problem.text),
            None => format!("{file}: {}", problem.text),
        };
        Finding::fault(CONFIGURATION, text).fix(format!("{change}, then: mailnook config check {word}"))
    };
    problems.iter().map(finding).collect()
}

/// Which configuration holds.
pub(super) fn configuration(config: &Config) -> Finding {
    match &config.file {
        Some(file) => Finding::ok(CONFIGURATION, format!("{} has no mistakes", file.display())),
        None => Finding::ok(CONFIGURATION, "there is no configuration file; the built-in defaults hold"),
    }
}

/// Owners and permissions.
pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let (directory, word) = (patient.data_dir.display(), shell_word(&patient.data_dir));
    let metadata = match patient.data_dir.metadata() {
        Ok(metadata) => metadata,
        // That it is missing is told where the server is looked for.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            return vec![Finding::note(CHECK, format!("{directory} cannot be looked at: {}", reason(&error)))];
        }
    };
    let mut findings = Vec::new();
    findings.extend(service_user(patient, &metadata));
    let owner = metadata.uid();
    if metadata.mode() & 0o077 != 0 {
        let text = format!("other users of this machine can look into {directory}, where the mail is");
        findings.push(Finding::warning(CHECK, text).fix(format!("sudo chmod 700 {word}")));
    }
    for name in OWN {
        let Ok(file) = symlink_metadata(patient.data_dir.join(name)) else { continue };
        if file.uid() != owner {
            let (wrong, right) = (person(&patient.probe, file.uid()), person(&patient.probe, owner));
            let text = format!(
                "{directory}/{name} belongs to {wrong}, but the directory to {right}: the server cannot use it"
            );
            findings.push(Finding::fault(CHECK, text).fix(format!("sudo chown -R {right}: {word}")));
            break;
        }
    }
    let key = patient.config.tls.key.clone().unwrap_or_else(|| patient.data_dir.join("key.pem"));
    if let Ok(file) = key.metadata()
        && file.mode() & 0o007 != 0
    {
        let text = format!("every user of this machine can read the key of the certificate, {}", key.display());
        findings.push(Finding::warning(CHECK, text).fix(format!("sudo chmod o= {}", shell_word(&key))));
    }
    let named = [&patient.config.tls.certificate, &patient.config.tls.key];
    let reader = Reader::new(&patient.probe, owner);
    if let Some((path, barrier)) = named.into_iter().flatten().find_map(|path| Some((path, reader.barrier(path)?))) {
        let (user, source) = (person(&patient.probe, owner), shell_word(path));
        let (path, barrier) = (path.display(), barrier.display());
        let text = format!("the server runs as {user}, who cannot read {path}, for {barrier} is closed to that user");
        let fix = format!(
            "sudo install -o {user} -m 400 {source} {word}/ (and name the copies in [tls]; README tells how certbot does that by itself)"
        );
        findings.push(Finding::fault(CHECK, text).fix(fix));
    }
    if findings.is_empty() {
        let right = person(&patient.probe, owner);
        findings.push(Finding::ok(CHECK, format!("{directory} belongs to {right} and is closed to others")));
    }
    findings
}

/// The service runs as the user of its unit, who must own the directory.
fn service_user(patient: &Patient, directory: &Metadata) -> Option<Finding> {
    if !patient.unit || patient.config.file.as_deref() != Some(Path::new(SYSTEM_PATH)) {
        return None;
    }
    let units = super::server::unit_texts(&patient.probe);
    let user =
        units.iter().flat_map(|text| text.lines()).filter_map(|line| line.trim().strip_prefix("User=")).next_back()?;
    let owner = uid(&patient.probe, user)?;
    (owner != directory.uid()).then(|| {
        let (place, wrong) = (patient.data_dir.display(), person(&patient.probe, directory.uid()));
        let text = format!("{place} belongs to {wrong}, but the service runs as {user} and cannot use it");
        Finding::fault(CHECK, text).fix(format!("sudo chown -R {user}: {}", shell_word(&patient.data_dir)))
    })
}

fn uid(probe: &Probe, user: &str) -> Option<u32> {
    user_with(probe, 0, user)?.get(2)?.parse().ok()
}

/// A user's name, or the number where it has none.
pub(super) fn person(probe: &Probe, uid: u32) -> String {
    let number = uid.to_string();
    let name = user_with(probe, 2, &number).and_then(|fields| fields.into_iter().next());
    name.unwrap_or(number)
}

/// The fields of the user in /etc/passwd of whom this field has that value: 0 is the name, 2 the number, 3 the group.
pub(super) fn user_with(probe: &Probe, field: usize, value: &str) -> Option<Vec<String>> {
    let text = probe.read("/etc/passwd")?;
    let line = text.lines().find(|line| line.split(':').nth(field) == Some(value))?;
    Some(line.split(':').map(str::to_owned).collect())
}
