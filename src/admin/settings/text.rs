//! The settings in words: a head that every program needs, and then program by program.

use super::super::certificate;
use super::super::user::printable;
use super::facts::{Endpoint, Facts};
use super::run::Outgoing;
use crate::mailbox::MainPassword;
use crate::types::Rights;
use std::fmt::Write;

/// Whose settings they are.
pub(in crate::admin) struct Person<'a> {
    pub user: &'a str,
    /// From where the main password is accepted.
    pub scope: MainPassword,
    pub address: Option<&'a str>,
    pub device: Option<Device<'a>>,
}

/// A device of that person.
pub(in crate::admin) struct Device<'a> {
    pub name: &'a str,
    /// Known only when the device is made.
    pub password: Option<&'a str>,
    pub rights: Rights,
}

/// What every program asks for.
pub(in crate::admin) fn head(facts: &Facts, person: &Person<'_>) -> String {
    let Person { user, address, .. } = person;
    let mut text = String::new();
    if let Some(device) = &person.device {
        line(&mut text, format_args!("device: {}", printable(device.name)));
    }
    line(&mut text, format_args!("user name: {user}"));
    // These lines are for scripts as well: they keep their form.
    match &person.device {
        Some(Device { password: Some(password), .. }) => line(&mut text, format_args!("password: {password}")),
        Some(Device { .. }) => text.push_str(
            "password: it was shown once, when the device was added; if it is lost, revoke the device and add it again\n",
        ),
        None => line(&mut text, format_args!("password: {}", main_password(user, person.scope))),
    }
    if let Some(address) = address {
        line(&mut text, format_args!("address: {address}"));
    }
    text.push('\n');
    let rights = person.device.as_ref().map_or(Rights::ALL, |device| device.rights);
    for (protocol, wanted, endpoint) in [("IMAP", rights.imap, &facts.imap), ("POP3", rights.pop3, &facts.pop3)] {
        if wanted {
            line(&mut text, format_args!("{protocol}: {}", place(facts, endpoint.as_ref())));
        }
    }
    text.push_str(&certificate(facts));
    if rights.read_only {
        text.push_str("This device can only read: it changes and deletes nothing.\n");
    }
    if person.device.as_ref().is_some_and(|device| device.password.is_some()) {
        text.push_str("The password is shown this once. Type it exactly as it is.\n");
    }
    for note in &facts.notes {
        line(&mut text, format_args!("\n{note}"));
    }
    text
}

fn main_password(user: &str, scope: MainPassword) -> String {
    let better = format!("`mailnook device add {user} NAME` makes one for a single device");
    match scope {
        MainPassword::Everywhere => format!("the main one, as set by `mailnook user passwd {user}`; {better}"),
        MainPassword::Lan => format!("the main one, which works in the local network only; {better}"),
        MainPassword::Off => format!("the main one is switched off for mail; {better}"),
    }
}

fn place(facts: &Facts, endpoint: Option<&Endpoint>) -> String {
    match endpoint {
        Some(Endpoint { host, port, security }) => {
            format!("server {host}, port {port}, {}, normal password", security.name())
        }
        None if facts.is_running => "switched off ([listen] in the configuration)".to_owned(),
        None => {
            "no fixed port is configured; start mailnook and ask again, it may get its ports from systemd".to_owned()
        }
    }
}

fn certificate(facts: &Facts) -> String {
    let Some(certificate) = &facts.certificate else {
        let text =
            if facts.is_running { "its file cannot be read" } else { "none yet; mailnook makes one when it starts" };
        return format!("certificate: {text}\n");
    };
    let (kind, advice) = if certificate.self_signed {
        ("self-signed", "\n  Programs ask once whether to trust it: compare the fingerprint.")
    } else {
        ("issued by an authority", "")
    };
    let (end, fingerprint) = (certificate::day(certificate.validity.end), certificate.fingerprint());
    format!("certificate: {kind}, valid until {end}, SHA-256 fingerprint\n  {fingerprint}{advice}\n")
}

/// What to choose and type in the programs that people use.
pub(super) fn programs(facts: &Facts, person: &Person<'_>, outgoing: Option<&Outgoing>) -> String {
    let rights = person.device.as_ref().map_or(Rights::ALL, |device| device.rights);
    let (protocol, endpoint) = if rights.imap { ("IMAP", &facts.imap) } else { ("POP3", &facts.pop3) };
    let Some(Endpoint { host, port, security }) = endpoint else { return String::new() };
    let (security, user) = (security.name(), person.user);
    let text = format!(
        "\nThunderbird: enter name, address and password, then choose to configure manually.\n  \
         Incoming server: {protocol}, hostname {host}, port {port}, connection security {security},\n  \
         authentication method \"Normal password\", user name {user}.\n\
         \nOutlook (classic): in File, Account Settings choose the advanced or manual setup, {protocol}.\n  \
         Incoming mail: server {host}, port {port}, encryption method {security}, user name {user};\n  \
         \"Secure Password Authentication\" off.\n  \
         The new Outlook and Outlook on phones fetch mail through Microsoft's servers, which must reach this\n  \
         server from the internet and trust its certificate; and Microsoft then has the password.\n\
         \nApple Mail: on a Mac add an \"Other Mail Account\"; on iPhone and iPad in Settings, Mail, Accounts: Add\n  \
         Account, Other. Account type {protocol}, incoming mail server {host}, user name {user}; where it asks:\n  \
         port {port}, TLS/SSL on, authentication by password.\n\
         \nK-9 Mail, Thunderbird for Android: choose the manual setup. {protocol}, server {host}, security {security},\n  \
         port {port}, authentication \"Normal password\", user name {user}.\n"
    );
    text + &sending(person, outgoing)
}

fn sending(person: &Person<'_>, outgoing: Option<&Outgoing>) -> String {
    let Some(Outgoing { server, user }) = outgoing else {
        return "\nOutgoing server (SMTP) in all of them: that by which you send mail. mailnook itself sends none.\n"
            .to_owned();
    };
    let Endpoint { host, port, security } = server;
    let user = user.as_deref().or(person.address).unwrap_or("your address there");
    let security = security.name();
    format!(
        "\nOutgoing server (SMTP) in all of them: {host}, port {port}, {security}, user name {}, with the\n  \
         password that you have there.\n",
        printable(user)
    )
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{arguments}");
}
