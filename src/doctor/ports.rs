//! The ports: whether those of a running server answer, and whether those of a stopped one are free.

use super::dialogue::Dialogue;
use super::network::{self, Listening};
use super::server::Owner;
use super::{Finding, Patient, certificate, names};
use crate::admin::{Certificate, Inspection, Protocol};
use crate::config::{Config, Listen};
use std::net::SocketAddr;

const CHECK: &str = "ports";

/// Ports below this need a privilege, unless the kernel was told otherwise.
const PRIVILEGED: u64 = 1024;

pub(super) fn check(patient: &Patient, owner: &Owner, listening: &[Listening]) -> Vec<Finding> {
    match owner {
        Owner::Server(inspection) => answering(patient, inspection),
        Owner::Alone(_) => stopped(patient, listening),
        Owner::Closed | Owner::Unknown => Vec::new(),
    }
}

/// Every listener of the configuration.
fn configured(patient: &Patient) -> Vec<(Protocol, SocketAddr)> {
    listeners(&patient.config.listen)
}

fn listeners(listen: &Listen) -> Vec<(Protocol, SocketAddr)> {
    let lists = [
        (Protocol::Imap, &listen.imap),
        (Protocol::Imaps, &listen.imaps),
        (Protocol::Pop3, &listen.pop3),
        (Protocol::Pop3s, &listen.pop3s),
        (Protocol::Lmtp, &listen.lmtp),
    ];
    lists
        .into_iter()
        .flat_map(|(protocol, addresses)| addresses.iter().map(move |address| (protocol, *address)))
        .collect()
}

fn answering(patient: &Patient, inspection: &Inspection) -> Vec<Finding> {
    let certificate = Certificate::read(&certificate::path(patient));
    let mut findings = Vec::new();
    if let (Some(shown), Some(file)) = (&inspection.fingerprint, &certificate)
        && *shown != file.fingerprint()
    {
        let text = "the server still shows another certificate than the one in the file; its log tells why";
        let reload = if patient.unit { "sudo systemctl reload mailnook" } else { "pkill -HUP -x mailnook" };
        findings.push(Finding::warning("certificate", text).fix(reload));
    }
    // With no certificate the server would not start again.
    let changed = !findings.is_empty() || certificate.is_none();
    let mut good = Vec::new();
    for (protocol, address) in &inspection.places {
        match Dialogue::open(*protocol, *address, certificate.as_ref().map(|certificate| certificate.der.as_slice())) {
            Ok(_) => {
                let place = format!("{} {}", protocol.name(), address.port());
                // Both halves of `*:PORT` are one place to people.
                if !good.contains(&place) {
                    good.push(place);
                }
            }
            Err(error) => {
                let text = format!("{} on {address} does not answer as it should: {error}", protocol.name());
                // A server that cannot take the new certificate would not start with it either.
                let log = "journalctl -u mailnook -n 50 (or wherever the server's log is: it says why)".to_owned();
                findings.push(Finding::fault(CHECK, text).fix(if changed { log } else { patient.restart() }));
            }
        }
    }
    findings.extend(unused(patient, inspection));
    findings.extend(ignored(patient, inspection));
    let well = findings.is_empty();
    findings.extend(open_lmtp(patient, inspection));
    if !inspection.places.iter().any(|(protocol, _)| *protocol != Protocol::Lmtp) {
        let text = "the server has no port for mail programs";
        let fix = if patient.unit {
            "sudo systemctl enable --now mailnook.socket && sudo systemctl restart mailnook".to_owned()
        } else {
            format!("{}, then {}", patient.edit("set imaps in [listen]"), patient.restart())
        };
        findings.push(Finding::fault(CHECK, text).fix(fix));
    } else if well {
        let reach = if names::listens_here_only(patient) { "; from this machine only" } else { "" };
        findings.push(Finding::ok(CHECK, format!("all answer: {}{reach}", good.join(", "))));
        if !reach.is_empty() {
            let text = "telephones and other computers cannot connect: the server listens on this machine only";
            let fix = patient.edit("set imaps = \"*:993\" in [listen]; the package does that by itself");
            findings.push(Finding::note(CHECK, text).fix(fix));
        }
    }
    findings
}

/// Listeners of the configuration that the server does not have: it was changed after the start.
fn unused(patient: &Patient, inspection: &Inspection) -> Vec<Finding> {
    let places = &inspection.places;
    let is_wanted = |(protocol, address): &(Protocol, SocketAddr)| {
        let mut own = places.iter().filter(|(other, _)| other == protocol).map(|(_, place)| place).peekable();
        let by_systemd = patient.unit && comes_from_systemd(*protocol) && own.peek().is_some();
        let v6_half = address.is_ipv6() && address.ip().is_unspecified();
        address.port() != 0 && !by_systemd && !v6_half && !own.any(|place| place == address)
    };
    let finding = |(protocol, address): (Protocol, SocketAddr)| {
        let text = format!("{} on {address} is configured, but the running server does not have it", protocol.name());
        Finding::warning(CHECK, text).fix(patient.restart())
    };
    configured(patient).into_iter().filter(is_wanted).map(finding).collect()
}

/// A protocol whose ports systemd opened does not open those of the configuration; mailnook.socket has none for LMTP.
fn comes_from_systemd(protocol: Protocol) -> bool {
    protocol != Protocol::Lmtp
}

/// Listeners of the configuration that the server does not open, because systemd opened others for the protocol.
fn ignored(patient: &Patient, inspection: &Inspection) -> Option<Finding> {
    let opened = |protocol: Protocol| inspection.places.iter().filter(move |(other, _)| *other == protocol);
    let is_ignored = |(protocol, address): &(Protocol, SocketAddr)| {
        let port = |(_, place): &(Protocol, SocketAddr)| place.port() == address.port();
        let by_systemd = patient.unit && comes_from_systemd(*protocol) && opened(*protocol).next().is_some();
        by_systemd && address.port() != 0 && !opened(*protocol).any(port)
    };
    // Nobody misses those that come by default.
    let by_default = listeners(&Config::default().listen);
    let list: Vec<String> = configured(patient)
        .into_iter()
        .filter(|listener| is_ignored(listener) && !by_default.contains(listener))
        .map(|(protocol, address)| format!("{} on {address}", protocol.name()))
        .collect();
    let text = format!(
        "{}: in the configuration, but not opened: the ports of mailnook.socket take the place of all others",
        list.join(", ")
    );
    let fix =
        patient.edit("take these keys out of [listen]; /lib/systemd/system/mailnook.socket tells how to add ports");
    (!list.is_empty()).then(|| Finding::warning(CHECK, text).fix(fix))
}

/// LMTP asks nobody for a password.
fn open_lmtp(patient: &Patient, inspection: &Inspection) -> Option<Finding> {
    let is_open =
        |(protocol, address): &&(Protocol, SocketAddr)| *protocol == Protocol::Lmtp && !address.ip().is_loopback();
    let (_, address) = inspection.places.iter().find(is_open)?;
    let text =
        format!("lmtp on {address}: whoever reaches this machine can put mail into every mailbox, without a password");
    let fix = patient.edit("set lmtp = \"127.0.0.1:1024\" in [listen], unless your mail server is on another machine and a firewall keeps the others out");
    Some(Finding::note(CHECK, text).fix(fix))
}

fn stopped(patient: &Patient, listening: &[Listening]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (protocol, address) in configured(patient) {
        let taken = |other: &&Listening| {
            let overlap = other.address.ip().is_unspecified()
                || address.ip().is_unspecified()
                || other.address.ip() == address.ip();
            other.address.port() == address.port() && overlap && other.address.is_ipv4() == address.is_ipv4()
        };
        if let Some(other) = listening.iter().find(taken) {
            let name = network::process(&patient.probe, &other.inode).unwrap_or_else(|| "another program".to_owned());
            let text = format!("{} on {address} cannot be opened: {name} has that port", protocol.name());
            let fix = format!(
                "sudo ss -ltnp 'sport = :{0}' (end that program), or {1}",
                address.port(),
                patient.edit("choose another port in [listen]")
            );
            findings.push(Finding::fault(CHECK, text).fix(fix));
        }
    }
    findings.extend(privileged(patient));
    findings.extend(socket_unit(patient));
    findings
}

/// Ports that the service may not open by itself.
fn privileged(patient: &Patient) -> Option<Finding> {
    let first = patient.probe.number("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or(PRIVILEGED);
    let low: Vec<String> = configured(patient)
        .into_iter()
        .filter(|(_, address)| address.port() != 0 && u64::from(address.port()) < first)
        .map(|(protocol, address)| format!("{} on {address}", protocol.name()))
        .collect();
    if low.is_empty() {
        return None;
    }
    let list = low.join(", ");
    Some(if patient.unit {
        let text = format!("{list}: the service may not open ports below {first} by itself");
        let fix = format!(
            "{}, then sudo systemctl enable --now mailnook.socket",
            patient.edit("set these keys to [] in [listen]")
        );
        Finding::fault(CHECK, text).fix(fix)
    } else {
        let text = format!("{list}: ports below {first} need a privilege");
        Finding::note(CHECK, text)
            .fix(format!("sudo {} (it becomes the owner of the mail once it has them)", patient.command("serve")))
    })
}

/// A service whose configuration has no ports gets them from its socket unit.
fn socket_unit(patient: &Patient) -> Option<Finding> {
    let clients = configured(patient).iter().any(|(protocol, _)| *protocol != Protocol::Lmtp);
    let enabled = patient.probe.link("/etc/systemd/system/sockets.target.wants/mailnook.socket").is_some();
    if clients || enabled {
        return None;
    }
    let text = "no port for mail programs is configured, and mailnook.socket, which opens them, is not enabled";
    Some(Finding::fault(CHECK, text).fix("sudo systemctl enable --now mailnook.socket"))
}
