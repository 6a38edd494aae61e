//! Where clients reach this server, and by what name.

use super::super::certificate::{self, Certificate};
use super::super::{Context, Protocol};
use crate::config::Config;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// With the connection.
    Tls,
    /// With a command.
    StartTls,
}

impl Security {
    /// As mail programs call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tls => "SSL/TLS",
            Self::StartTls => "STARTTLS",
        }
    }
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub host: String,
    pub port: u16,
    pub security: Security,
}

/// All that is the same for every user and device.
#[derive(Debug)]
pub(in crate::admin) struct Facts {
    pub(super) imap: Option<Endpoint>,
    pub(super) pop3: Option<Endpoint>,
    /// Nobody but this machine reaches it.
    pub(super) is_local_only: bool,
    pub(super) is_running: bool,
    pub(super) certificate: Option<Certificate>,
    /// What the operator should know, each a sentence or two.
    pub(super) notes: Vec<String>,
}

impl Facts {
    /// Looks at the listeners of the running server, else at those that are configured.
    pub(in crate::admin) fn gather(context: &Context) -> Self {
        let running = context.running.as_ref();
        let places = running.map_or_else(|| configured(&context.config), |running| running.places.clone());
        let certificate = Certificate::read(&certificate::path(context));
        Self::new(&context.config, &places, running.is_some(), certificate)
    }

    pub(super) fn new(
        config: &Config,
        places: &[(Protocol, SocketAddr)],
        is_running: bool,
        certificate: Option<Certificate>,
    ) -> Self {
        let mail = [Protocol::Imap, Protocol::Imaps, Protocol::Pop3, Protocol::Pop3s];
        let mut for_clients = places.iter().filter(|(protocol, _)| mail.contains(protocol)).peekable();
        let is_local_only = for_clients.peek().is_some() && for_clients.all(|(_, address)| is_local(address));
        let (host, mut notes) = name(config, certificate.as_ref(), is_local_only);
        if is_local_only {
            notes.insert(0, local_only(config));
        }
        let endpoint = |tls, plain| endpoint(places, &host, tls, plain);
        Self {
            imap: endpoint(Protocol::Imaps, Protocol::Imap),
            pop3: endpoint(Protocol::Pop3s, Protocol::Pop3),
            is_local_only,
            is_running,
            certificate,
            notes,
        }
    }
}

/// The fixed ports of the configuration.
fn configured(config: &Config) -> Vec<(Protocol, SocketAddr)> {
    let listen = &config.listen;
    let all = [
        (Protocol::Imap, &listen.imap),
        (Protocol::Imaps, &listen.imaps),
        (Protocol::Pop3, &listen.pop3),
        (Protocol::Pop3s, &listen.pop3s),
    ];
    let places = all.into_iter().flat_map(|(protocol, list)| list.iter().map(move |address| (protocol, *address)));
    places.filter(|(_, address)| address.port() != 0).collect()
}

fn is_local(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// The best way in: from elsewhere before from here, TLS from the start before STARTTLS.
fn endpoint(places: &[(Protocol, SocketAddr)], host: &str, tls: Protocol, plain: Protocol) -> Option<Endpoint> {
    let find = |wanted: Protocol, local: bool| {
        places.iter().find(|(protocol, address)| *protocol == wanted && is_local(address) == local)
    };
    let (protocol, address) = [(tls, false), (plain, false), (tls, true), (plain, true)]
        .into_iter()
        .find_map(|(protocol, local)| find(protocol, local))?;
    let host = if is_local(address) { address.ip().to_canonical().to_string() } else { host.to_owned() };
    let security = if protocol.is_implicit_tls() { Security::Tls } else { Security::StartTls };
    Some(Endpoint { host, port: address.port(), security })
}

/// The name that clients are to use, which the certificate should be for, and what there is to be said about it.
fn name(config: &Config, certificate: Option<&Certificate>, is_local_only: bool) -> (String, Vec<String>) {
    let hostname = &config.hostname;
    if is_local_only {
        return (hostname.clone(), Vec::new());
    }
    let (mut host, mut notes) = (hostname.clone(), Vec::new());
    if let Some(certificate) = certificate.filter(|certificate| !certificate.covers(hostname)) {
        let names = certificate.names.join(", ");
        let is_useful = |name: &&String| {
            let address = name.parse::<IpAddr>().ok();
            !name.starts_with('*') && *name != "localhost" && address.is_none_or(|address| !address.is_loopback())
        };
        if let Some(name) = certificate.names.iter().find(is_useful) {
            host.clone_from(name);
            notes.push(format!("The certificate is for {names}, and not for the configured hostname {hostname}."));
        } else {
            let mend = if certificate.self_signed {
                "; to have one made anew, remove cert.pem and key.pem from the data directory and restart mailnook"
            } else {
                ""
            };
            notes.push(format!(
                "The certificate is not for {hostname} (it is for: {names}), so that programs will complain{mend}."
            ));
        }
    }
    if host == "localhost" {
        let file = file(config);
        notes.push(format!(
            "No other device finds this machine by the name localhost: set hostname in {file}, remove cert.pem and \
             key.pem from the data directory and restart mailnook."
        ));
    } else if !host.contains(['.', ':']) {
        notes.push(format!(
            "The device has to find this machine by the name {host}; where it does not, set hostname in {} to a name \
             or an address by which it does, remove cert.pem and key.pem from the data directory and restart mailnook.",
            file(config)
        ));
    }
    (host, notes)
}

fn local_only(config: &Config) -> String {
    format!(
        "mailnook listens on this machine only: no other device can connect. To let them in, write imaps = \"*:993\" \
         under [listen] in {}, and restart mailnook.",
        file(config)
    )
}

fn file(config: &Config) -> String {
    let shown = |path: &Path| path.display().to_string();
    config.file.as_deref().map_or_else(
        || "a configuration (`mailnook config default` prints one, `mailnook serve --config FILE` takes it)".to_owned(),
        shown,
    )
}
