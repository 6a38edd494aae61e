//! What a QR code says: an account in the form that Thunderbird for Android imports (Thunderbird's "Export for Mobile"
//! format, version 1), or, without an outgoing server, which that form needs, a text for people.

use super::super::json::Json;
use super::facts::{Endpoint, Security};
use super::run::Outgoing;
use super::text::Person;

/// The numbers of that format.
const FORMAT_VERSION: u64 = 1;
const IMAP: u64 = 0;
const SMTP: u64 = 0;
const PASSWORD_CLEARTEXT: u64 = 1;

/// The account for Thunderbird.
pub(super) fn account(person: &Person<'_>, address: &str, imap: &Endpoint, outgoing: &Outgoing) -> String {
    let mut incoming = server(IMAP, imap, person.user);
    if let Some(password) = person.device.as_ref().and_then(|device| device.password) {
        // The account's name comes first; it is the address.
        incoming.extend([Json::text(address), Json::text(password)]);
    }
    let outgoing = server(SMTP, &outgoing.server, outgoing.user.as_deref().unwrap_or(address));
    let identity = Json::List(vec![Json::text(address), Json::text(person.user)]);
    let first_of_one = Json::List(vec![Json::Number(1), Json::Number(1)]);
    let groups = Json::List(vec![Json::List(vec![Json::List(outgoing), identity])]);
    let all = Json::List(vec![Json::Number(FORMAT_VERSION), first_of_one, Json::List(incoming), groups]);
    all.line().trim_end().to_owned()
}

fn server(protocol: u64, endpoint: &Endpoint, user: &str) -> Vec<Json> {
    let security = match endpoint.security {
        Security::StartTls => 2,
        Security::Tls => 3,
    };
    vec![
        Json::Number(protocol),
        Json::text(&endpoint.host),
        Json::Number(endpoint.port.into()),
        Json::Number(security),
        Json::Number(PASSWORD_CLEARTEXT),
        Json::text(user),
    ]
}

/// The settings as a text to copy.
pub(super) fn text(person: &Person<'_>, imap: &Endpoint, fingerprint: Option<&str>) -> String {
    let Endpoint { host, port, security } = imap;
    let mut lines =
        vec![format!("IMAP: {host}, port {port}, {}", security.name()), format!("user name: {}", person.user)];
    lines.extend(
        person.device.as_ref().and_then(|device| device.password).map(|password| format!("password: {password}")),
    );
    lines.extend(fingerprint.map(|fingerprint| format!("certificate SHA-256: {fingerprint}")));
    lines.join("\n") + "\n"
}
