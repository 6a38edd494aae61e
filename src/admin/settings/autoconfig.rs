//! Thunderbird's autoconfig file, config-v1.1 (draft-bucksch-autoconfig). One file serves everybody at a domain: the
//! user name is the address that a person types.

use super::facts::{Endpoint, Security};
use super::run::Outgoing;
use super::xml::{element, escaped};

/// The address that is typed; every address of a user is a user name here.
const TYPED_ADDRESS: &str = "%EMAILADDRESS%";

/// The file for one domain.
pub(super) fn file(domain: &str, imap: &Endpoint, pop3: Option<&Endpoint>, outgoing: &Outgoing) -> String {
    let mut file = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n  <emailProvider id=\"{}\">\n",
        escaped(domain)
    );
    file.push_str(&element(4, "domain", domain));
    file.push_str(&element(4, "displayName", &format!("mailnook on {}", imap.host)));
    file.push_str(&element(4, "displayShortName", &imap.host));
    file.push_str(&server("incomingServer", "imap", imap, TYPED_ADDRESS));
    if let Some(pop3) = pop3 {
        file.push_str(&server("incomingServer", "pop3", pop3, TYPED_ADDRESS));
    }
    let user = outgoing.user.as_deref().unwrap_or(TYPED_ADDRESS);
    file.push_str(&server("outgoingServer", "smtp", &outgoing.server, user));
    file + "  </emailProvider>\n</clientConfig>\n"
}

fn server(tag: &str, kind: &str, endpoint: &Endpoint, user: &str) -> String {
    let socket = match endpoint.security {
        Security::Tls => "SSL",
        Security::StartTls => "STARTTLS",
    };
    format!("    <{tag} type=\"{kind}\">\n")
        + &element(6, "hostname", &endpoint.host)
        + &element(6, "port", &endpoint.port.to_string())
        + &element(6, "socketType", socket)
        + &element(6, "authentication", "password-cleartext")
        + &element(6, "username", user)
        + &format!("    </{tag}>\n")
}
