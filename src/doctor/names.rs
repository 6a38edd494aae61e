//! The names by which mail programs find this machine: whether they lead here.

use super::network::{self, is_local};
use super::probe::{Looked, is_multicast};
use super::{Finding, Patient, certificate};
use crate::admin::{Certificate, Protocol};
use std::net::{IpAddr, SocketAddr};

const CHECK: &str = "names";

/// Limit: names that are looked for; each may take some seconds.
const NAMES_MAX: usize = 10;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    if listens_here_only(patient) {
        return vec![Finding::note(
            CHECK,
            "programs on this machine alone can connect, so that names do not matter yet",
        )];
    }
    let Some(own) = network::own_addresses(&patient.probe) else {
        return vec![Finding::note(CHECK, "the addresses of this machine cannot be seen")];
    };
    let mut findings: Vec<Finding> = names(patient).iter().map(|name| check_name(patient, name, &own)).collect();
    let domains = patient.config.domains.iter().filter(|domain| **domain != patient.config.hostname);
    findings.extend(domains.take(NAMES_MAX).filter_map(|domain| check_domain(patient, domain, &own)));
    findings
}

/// Whether no port for mail programs is open to other machines, as far as is known.
pub(super) fn listens_here_only(patient: &Patient) -> bool {
    let listen = &patient.config.listen;
    let configured =
        [&listen.imap, &listen.imaps, &listen.pop3, &listen.pop3s].into_iter().flatten().map(SocketAddr::ip);
    let bound = patient.inspection.iter().flat_map(|inspection| &inspection.places);
    let bound = bound.filter(|(protocol, _)| *protocol != Protocol::Lmtp).map(|(_, address)| address.ip());
    let mut all = configured.chain(bound).peekable();
    all.peek().is_some() && all.all(|address| address.is_loopback())
}

/// The names that programs may be told to use.
fn names(patient: &Patient) -> Vec<String> {
    let config = &patient.config;
    let certified =
        Certificate::read(&certificate::path(patient)).map_or_else(Vec::new, |certificate| certificate.names);
    let mut names: Vec<String> = Vec::new();
    for name in std::iter::once(&config.hostname).chain(&config.tls.names).chain(&certified) {
        let name = name.to_ascii_lowercase();
        let is_name = name != "localhost" && !name.starts_with("*.") && name.parse::<IpAddr>().is_err();
        if is_name && !names.contains(&name) {
            names.push(name);
        }
    }
    names.truncate(NAMES_MAX);
    names
}

fn check_name(patient: &Patient, name: &str, own: &[IpAddr]) -> Finding {
    if !name.contains('.') {
        return check_bare(patient, name, own);
    }
    let is_multicast = is_multicast(name);
    let found = match patient.probe.look_up(name) {
        Looked::Found(found) => found,
        Looked::Failed(why) => return Finding::note(CHECK, format!("{name} could not be looked for: {why}")),
        Looked::Unknown if is_multicast => {
            let text = format!("nobody in the home network answers for {name}: programs do not find this machine");
            return Finding::warning(CHECK, text).fix("sudo apt install avahi-daemon");
        }
        Looked::Unknown => {
            let text = format!("{name} has no address: programs do not find this machine by it");
            return Finding::warning(CHECK, text).fix(patient.edit(&format!(
                "set hostname to a name that has one, or add {name} with this machine's address to your router or DNS"
            )));
        }
    };
    let list = listed(&found);
    if found.iter().all(IpAddr::is_loopback) {
        let text = format!("{name} leads to {list}, which is this machine for itself only: others may not find it");
        return Finding::note(CHECK, text).fix(format!("add {name} with this machine's address to your router or DNS"));
    }
    if found.iter().any(|address| own.contains(address)) {
        return Finding::ok(CHECK, format!("{name} leads to this machine ({list})"));
    }
    if found.iter().all(is_local) {
        let text = format!("{name} leads to {list}, which is not this machine (it has {})", listed(&reachable(own)));
        return Finding::warning(CHECK, text)
            .fix("correct it in your router or DNS, and give this machine a fixed address there");
    }
    let text =
        format!("{name} leads to {list}, not to this machine itself: right if your router passes the ports on to it");
    Finding::note(CHECK, text)
}

/// A name without dots is known in the home network with `.local` behind it.
fn check_bare(patient: &Patient, name: &str, own: &[IpAddr]) -> Finding {
    let full = format!("{name}.local");
    match patient.probe.look_up(&full) {
        Looked::Found(found) if found.iter().any(|address| own.contains(address)) => {
            let text = format!("in the home network this machine is found as {full}");
            if patient.config.hostname == name {
                Finding::note(CHECK, text).fix(patient.edit(&format!("set hostname = \"{full}\"")))
            } else {
                Finding::ok(CHECK, text)
            }
        }
        Looked::Found(found) => {
            let text = format!("{full} is another machine ({}): two have the same name", listed(&found));
            Finding::warning(CHECK, text).fix("sudo hostnamectl set-hostname ANOTHER-NAME")
        }
        Looked::Unknown | Looked::Failed(_) => {
            let text = format!("{name} is no name by which other machines find this one");
            Finding::note(CHECK, text).fix(format!(
                "sudo apt install avahi-daemon, then {}",
                patient.edit(&format!("set hostname = \"{full}\""))
            ))
        }
    }
}

/// A domain of addresses need not lead here, but where it leads to an old address at home it was meant to.
fn check_domain(patient: &Patient, domain: &str, own: &[IpAddr]) -> Option<Finding> {
    let Looked::Found(found) = patient.probe.look_up(domain) else { return None };
    let stale = !found.is_empty() && found.iter().all(is_local) && !found.iter().any(|address| own.contains(address));
    stale.then(|| {
        let text = format!("the domain {domain} leads to {}, which is not this machine", listed(&found));
        Finding::warning(CHECK, text)
            .fix("correct it in your router or DNS, and give this machine a fixed address there")
    })
}

/// Those of a machine's addresses that others may use.
fn reachable(own: &[IpAddr]) -> Vec<IpAddr> {
    let link = |address: &IpAddr| matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    own.iter().filter(|address| !address.is_loopback() && !link(address)).copied().collect()
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}
