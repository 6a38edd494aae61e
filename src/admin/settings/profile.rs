//! Apple's configuration profile (.mobileconfig) for Mail on iPhone, iPad and Mac: one IMAP account and, where it is
//! self-signed, the certificate.

use super::super::certificate::Certificate;
use super::facts::Endpoint;
use super::run::Outgoing;
use super::xml::{element, escaped};
use base64::Engine;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Whose account it is.
pub(super) struct Account<'a> {
    pub user: &'a str,
    pub address: &'a str,
    /// Of a device that was made in the same command.
    pub password: Option<&'a str>,
}

/// The profile.
pub(super) fn file(
    account: &Account<'_>,
    imap: &Endpoint,
    outgoing: &Outgoing,
    certificate: Option<&Certificate>,
) -> String {
    let identity = Identity { host: &imap.host, user: account.user };
    let mut payloads = String::new();
    if let Some(certificate) = certificate.filter(|certificate| certificate.self_signed) {
        payloads.push_str(&trust(&identity, certificate));
    }
    payloads.push_str(&mail(&identity, account, imap, outgoing));
    let mut file = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
        <plist version=\"1.0\">\n<dict>\n  <key>PayloadContent</key>\n  <array>\n"
        .to_owned();
    file.push_str(&payloads);
    file.push_str("  </array>\n");
    let texts = [
        ("PayloadDescription", format!("The mail of {} on {}.", account.address, imap.host)),
        ("PayloadDisplayName", format!("Mail of {}", account.address)),
        ("PayloadOrganization", imap.host.clone()),
        ("PayloadType", "Configuration".to_owned()),
    ];
    for (key, value) in &texts {
        file.push_str(&text(2, key, value));
    }
    file.push_str(&identity.keys(2, ""));
    file + "</dict>\n</plist>\n"
}

/// The payload by which the device trusts the certificate.
fn trust(identity: &Identity<'_>, certificate: &Certificate) -> String {
    let data = base64::engine::general_purpose::STANDARD.encode(&certificate.der);
    let mut payload = "    <dict>\n".to_owned();
    payload.push_str(&text(6, "PayloadCertificateFileName", "mailnook.cer"));
    payload.push_str(&text(6, "PayloadDisplayName", &format!("Certificate of {}", identity.host)));
    payload.push_str(&text(6, "PayloadType", "com.apple.security.root"));
    payload.push_str(&key(6, "PayloadContent"));
    payload.push_str(&element(6, "data", &data));
    payload.push_str(&identity.keys(6, ".certificate"));
    payload + "    </dict>\n"
}

/// The payload that is the account.
fn mail(identity: &Identity<'_>, account: &Account<'_>, imap: &Endpoint, outgoing: &Outgoing) -> String {
    let (name, address) = (account.user, account.address);
    let mut payload = "    <dict>\n".to_owned();
    for (name, value) in [
        ("PayloadDisplayName", address),
        ("PayloadType", "com.apple.mail.managed"),
        ("EmailAccountDescription", address),
        ("EmailAccountName", name),
        ("EmailAccountType", "EmailTypeIMAP"),
        ("EmailAddress", address),
        ("IncomingMailServerAuthentication", "EmailAuthPassword"),
        ("IncomingMailServerHostName", &imap.host),
        ("IncomingMailServerUsername", name),
        ("OutgoingMailServerAuthentication", "EmailAuthPassword"),
        ("OutgoingMailServerHostName", &outgoing.server.host),
        ("OutgoingMailServerUsername", outgoing.user.as_deref().unwrap_or(address)),
    ] {
        payload.push_str(&text(6, name, value));
    }
    if let Some(password) = account.password {
        payload.push_str(&text(6, "IncomingPassword", password));
    }
    for (name, port) in
        [("IncomingMailServerPortNumber", imap.port), ("OutgoingMailServerPortNumber", outgoing.server.port)]
    {
        payload.push_str(&key(6, name));
        payload.push_str(&element(6, "integer", &port.to_string()));
    }
    // It stands for both ways of TLS; the port tells which.
    for (name, on) in [
        ("IncomingMailServerUseSSL", true),
        ("OutgoingMailServerUseSSL", true),
        // The password of a device is good for this server alone.
        ("OutgoingPasswordSameAsIncomingPassword", false),
    ] {
        payload.push_str(&key(6, name));
        payload.push_str(if on { "      <true/>\n" } else { "      <false/>\n" });
    }
    payload.push_str(&identity.keys(6, ".mail"));
    payload + "    </dict>\n"
}

/// What tells a profile from others. The same user on the same server always has the same: a newer profile takes the
/// place of the older one.
struct Identity<'a> {
    host: &'a str,
    user: &'a str,
}

impl Identity<'_> {
    /// The keys that identify a payload.
    fn keys(&self, indent: usize, part: &str) -> String {
        let identifier = format!("mailnook.{}.{}{part}", self.host, self.user);
        let uuid = uuid(&identifier);
        text(indent, "PayloadIdentifier", &identifier)
            + &text(indent, "PayloadUUID", &uuid)
            + &key(indent, "PayloadVersion")
            + &element(indent, "integer", "1")
    }
}

/// A UUID of version 8 (RFC 9562 §5.8), made of a text.
fn uuid(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut out = String::new();
    for (index, octet) in digest.iter().take(16).enumerate() {
        let octet = match index {
            6 => octet & 0x0f | 0x80,
            8 => octet & 0x3f | 0x80,
            _ => *octet,
        };
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        // Writing to a String does not fail.
        let _ = write!(out, "{octet:02X}");
    }
    out
}

fn key(indent: usize, name: &str) -> String {
    format!("{:indent$}<key>{}</key>\n", "", escaped(name))
}

fn text(indent: usize, name: &str, value: &str) -> String {
    key(indent, name) + &element(indent, "string", value)
}
