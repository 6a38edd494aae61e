//! The certificate: its time, and the names that it is for.

use super::{Finding, Patient, reason};
use crate::admin::{Certificate, day, shell_word};
use std::io;
use std::path::PathBuf;

const CHECK: &str = "certificate";

/// Days before the end at which it is time to renew; programs that renew do it 30 days before.
const SOON: i64 = 14;

const DAY: i64 = 86_400;

/// Where the certificate is.
pub(super) fn path(patient: &Patient) -> PathBuf {
    patient.config.tls.certificate.clone().unwrap_or_else(|| patient.data_dir.join("cert.pem"))
}

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let path = path(patient);
    let shown = path.display();
    match path.metadata() {
        Ok(_) => {}
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && patient.config.tls.certificate.is_none()
                && patient.data_dir.join("key.pem").exists()
                // With it a start completes the pair.
                && !patient.data_dir.join("cert.pem.new").exists() =>
        {
            let key = shell_word(&patient.data_dir.join("key.pem"));
            let text = format!("{shown} is missing, but key.pem is there: the server would not start again");
            let fix = format!("restore it, or sudo rm {key}, then {} (a new certificate is made)", patient.restart());
            return vec![Finding::fault(CHECK, text).fix(fix)];
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && patient.config.tls.certificate.is_none() => {
            return vec![Finding::note(CHECK, "there is none yet; the server makes one at its first start")];
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("{shown}, which the configuration names, does not exist");
            return vec![Finding::fault(CHECK, text).fix(patient.edit("correct [tls]"))];
        }
        Err(error) => return vec![Finding::note(CHECK, format!("{shown} cannot be looked at: {}", reason(&error)))],
    }
    let Some(certificate) = Certificate::read(&path) else {
        let text = format!("{shown} holds no certificate that can be read");
        return vec![Finding::fault(CHECK, text).fix(renew(patient))];
    };
    let mut findings = vec![time(patient, &certificate)];
    findings.extend(names(patient, &certificate));
    if certificate.self_signed {
        let text =
            format!("it is self-signed: each program asks once, compare the fingerprint {}", certificate.fingerprint());
        findings.push(Finding::note(CHECK, text));
    }
    findings
}

/// How a new one is had.
fn renew(patient: &Patient) -> String {
    if patient.config.tls.certificate.is_some() {
        return "sudo certbot renew (or whatever program it is from; mailnook takes the new files by itself)"
            .to_owned();
    }
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| shell_word(&patient.data_dir.join(name)));
    format!("sudo rm {certificate} {key}, then {} (a new one is made)", patient.restart())
}

fn time(patient: &Patient, certificate: &Certificate) -> Finding {
    let (begin, end) = (certificate.validity.begin, certificate.validity.end);
    let now = patient.probe.now();
    let days = end.saturating_sub(now) / DAY;
    if now < begin {
        let text = format!("it holds from {} on, and the clock shows {}: programs refuse it", day(begin), day(now));
        Finding::fault(CHECK, text)
            .fix("sudo timedatectl set-ntp true (or, if the clock is right, get a new certificate)")
    } else if now > end {
        Finding::fault(CHECK, format!("it ended on {}: programs refuse it", day(end))).fix(renew(patient))
    } else if days < SOON {
        Finding::warning(CHECK, format!("it ends on {}, in {days} days", day(end))).fix(renew(patient))
    } else {
        Finding::ok(CHECK, format!("it holds until {}", day(end)))
    }
}

fn names(patient: &Patient, certificate: &Certificate) -> Vec<Finding> {
    let hostname = &patient.config.hostname;
    let get = if patient.config.tls.certificate.is_some() {
        patient.edit(&format!("set hostname to the name that it is for, or get a certificate for {hostname}"))
    } else {
        // The new one is for hostname and names.
        renew(patient)
    };
    if certificate.names.is_empty() {
        let text = "it names no host (subjectAltName): programs of today refuse it";
        return vec![Finding::warning(CHECK, text).fix(get)];
    }
    let wanted = std::iter::once(hostname).chain(&patient.config.tls.names).filter(|name| *name != "localhost");
    let missing: Vec<&str> = wanted.filter(|name| !certificate.covers(name)).map(String::as_str).collect();
    if missing.is_empty() {
        return vec![Finding::ok(CHECK, format!("it is for {}", certificate.names.join(", ")))];
    }
    let text = format!("it is for {}, but not for {}", certificate.names.join(", "), missing.join(", "));
    vec![Finding::warning(CHECK, text).fix(get)]
}
