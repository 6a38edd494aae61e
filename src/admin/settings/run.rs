//! `client-settings`.

use super::super::call::{Call, Failure};
use super::super::user::{missing, usage};
use super::super::{Context, device, exit, name};
use super::facts::{Endpoint, Facts, Security};
use super::parts::{Form, join};
use super::profile::Account;
use super::text::{Device, Person};
use super::wish::SettingsWish;
use super::{autoconfig, profile, text, transfer};
use crate::config::is_host_name;
use crate::mailbox::Error;
use crate::types::{Rights, a_labels};

/// The port on which SMTP has TLS from the start (RFC 8314 §3.3).
const SUBMISSIONS: u16 = 465;

/// The server by which the person sends mail.
pub(super) struct Outgoing {
    pub server: Endpoint,
    /// None: the address.
    pub user: Option<String>,
}

impl Outgoing {
    fn of(wish: &SettingsWish) -> Result<Option<Self>, String> {
        let Some(place) = &wish.smtp else {
            let lonely = "--smtp-user needs --smtp beside it".to_owned();
            return if wish.smtp_user.is_some() { Err(lonely) } else { Ok(None) };
        };
        let parsed = place.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let Some((host, port)) = parsed.filter(|(host, port)| is_host_name(host) && *port != 0) else {
            return Err(format!("{place:?} is no server; write HOST:PORT such as smtp.example.org:465"));
        };
        let security = if port == SUBMISSIONS { Security::Tls } else { Security::StartTls };
        let server = Endpoint { host: host.to_ascii_lowercase(), port, security };
        Ok(Some(Self { server, user: wish.smtp_user.clone() }))
    }
}

pub(in crate::admin) async fn run(
    context: &Context,
    call: &mut Call<'_>,
    user: &str,
    wish: &SettingsWish,
) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    let outgoing = Outgoing::of(wish).map_err(usage)?;
    let login = context.core.store().login(&user).map_err(|_| Failure::core(&Error::Temporary))?;
    let login = login.filter(|login| login.name == user).ok_or_else(|| missing(&Error::NotFound, &user))?;
    let address = address(context, &user, wish)?;
    let facts = Facts::gather(context);
    let mut device = match &wish.device {
        Some(wanted) => Some(existing(&login, wanted)?),
        None => None,
    };
    let rights = device.as_ref().map_or(Rights::ALL, |device| device.rights);
    let files = Files { facts: &facts, outgoing: outgoing.as_ref(), address: address.as_deref() };
    // Before a device is made for nothing.
    files.check(wish, rights)?;
    let password;
    if let Some(new) = &wish.new_device {
        password = device::make(context, &user, new, Rights::ALL).await?;
        device = Some(Device { name: new, password: Some(&password), rights });
    }
    let person = Person { user: &user, scope: login.scope, address: address.as_deref(), device };
    let mut parts =
        vec![(Form::Text, text::head(&facts, &person) + &text::programs(&facts, &person, outgoing.as_ref()))];
    parts.extend(files.make(wish, &person));
    call.print(&join(&parts)).await?;
    Ok(exit::OK)
}

fn existing<'l>(login: &'l crate::auth::Login, wanted: &str) -> Result<Device<'l>, Failure> {
    let found = login.devices.iter().find(|(_, device)| device.name.eq_ignore_ascii_case(wanted));
    let Some((_, device)) = found else {
        let text = format!(
            "{} has no device {wanted:?}; `mailnook device list {0}` lists them, --new-device makes one",
            login.name
        );
        return Err(Failure::new(exit::FAILURE, text));
    };
    Ok(Device { name: &device.name, password: None, rights: device.rights })
}

/// The address that was asked for, else the one in the first domain, else a full address among the aliases.
fn address(context: &Context, user: &str, wish: &SettingsWish) -> Result<Option<String>, Failure> {
    let domains = &context.config.domains;
    let Some(wanted) = &wish.address else {
        let aliases = context.core.account_info(user).map_err(|error| missing(&error, user))?.aliases;
        let own = domains.iter().map(|domain| format!("{user}@{domain}"));
        let mut all = own.chain(aliases.into_iter().filter(|alias| alias.contains('@')));
        // What looks like the user's may be an alias of somebody else.
        return Ok(all.find(|address| context.core.resolve(address).is_ok_and(|found| found.name == user)));
    };
    let login = context.core.store().login(wanted).map_err(|_| Failure::core(&Error::Temporary))?;
    let is_ours = wanted.rsplit_once('@').is_some_and(|(_, domain)| {
        let domain = a_labels(domain);
        domains.is_empty() && is_host_name(&domain) || domains.contains(&domain)
    });
    if !is_ours || login.is_none_or(|login| login.name != user) {
        return Err(usage(format!(
            "{wanted:?} is no address of {user}; `mailnook user show {user}` tells the aliases"
        )));
    }
    Ok(Some(wanted.clone()))
}

/// What the files and codes are made of.
struct Files<'a> {
    facts: &'a Facts,
    outgoing: Option<&'a Outgoing>,
    address: Option<&'a str>,
}

impl Files<'_> {
    /// Whether they can be made.
    fn check(&self, wish: &SettingsWish, rights: Rights) -> Result<(), Failure> {
        let files = wish.autoconfig || wish.profile;
        if !files && !wish.code {
            return Ok(());
        }
        let fail = |text: &str| Err(Failure::new(exit::FAILURE, text));
        if !rights.imap {
            return fail("this device is for POP3 alone; files and codes are for IMAP");
        }
        let Some(imap) = &self.facts.imap else {
            return fail(
                "the port of IMAP is not known; start mailnook and ask again, it may get its ports from systemd",
            );
        };
        if self.facts.is_local_only && (wish.profile || wish.code) {
            return fail(self.facts.notes.first().map_or("mailnook listens on this machine only", String::as_str));
        }
        if wish.profile && self.facts.certificate.is_none() {
            return fail(
                "there is no certificate yet, which the profile is to bring along; start mailnook once, then ask again",
            );
        }
        if files && self.outgoing.is_none() {
            return Err(usage(
                "the file needs --smtp HOST:PORT: programs take no account without an outgoing server, and mailnook sends no mail"
                    .to_owned(),
            ));
        }
        if (files || self.outgoing.is_some()) && self.address.is_none() {
            return Err(usage("no domain is configured; say which address, --address NAME@DOMAIN".to_owned()));
        }
        // Limit: a QR code holds less than 3 KB; names and addresses are far shorter. Thunderbird reads ASCII only.
        if wish.code && !(imap.host.is_ascii() && self.address.is_none_or(str::is_ascii)) {
            return fail("an address that is not ASCII cannot stand in the code; choose another with --address");
        }
        Ok(())
    }

    /// Makes those that are wished for.
    fn make(&self, wish: &SettingsWish, person: &Person<'_>) -> Vec<(Form, String)> {
        let mut parts = Vec::new();
        let Some(imap) = &self.facts.imap else { return parts };
        let certificate = self.facts.certificate.as_ref();
        if let (Some(outgoing), Some(address)) = (self.outgoing, self.address) {
            if wish.autoconfig {
                let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
                parts.push((Form::Autoconfig, autoconfig::file(domain, imap, self.facts.pop3.as_ref(), outgoing)));
            }
            if wish.profile {
                let password = person.device.as_ref().and_then(|device| device.password);
                let account = Account { user: person.user, address, password };
                parts.push((Form::Profile, profile::file(&account, imap, outgoing, certificate)));
            }
            if wish.code {
                parts.push((Form::Code, transfer::account(person, address, imap, outgoing)));
                let about = "For Thunderbird on Android, version 8 or newer: Import settings, then Scan QR code. It asks for the \
                     passwords that\nthe code does not have, and whether to trust a self-signed certificate. K-9 Mail and other \
                     programs do not read it.\n";
                parts.push((Form::CodeUse, about.to_owned()));
            }
        } else if wish.code {
            let fingerprint = certificate.map(super::super::certificate::Certificate::fingerprint);
            parts.push((Form::Code, transfer::text(person, imap, fingerprint.as_deref())));
            let about = "Any scanner shows the settings in it, to be copied from there; no mail program imports them. With --smtp \
                 HOST:PORT\nit is one that Thunderbird on Android imports.\n";
            parts.push((Form::CodeUse, about.to_owned()));
        }
        parts
    }
}
