//! What `mailnook doctor` asks the owner of the store: a name and a value on each line, read back by [`Inspection`].
//! Names that a version does not know are skipped.

use super::call::{Call, Failure};
use super::session::{Context, open};
use super::{DataDir, Protocol, exit, worker};
use crate::config::Config;
use crate::mailbox::{Core, Error};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

/// Facts about the store and, where one runs, its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Of the program that has the store.
    pub version: String,
    /// The server's process; None: no server runs.
    pub server: Option<u32>,
    /// Where it listens by TCP.
    pub places: Vec<(Protocol, SocketAddr)>,
    /// The fingerprint of the certificate that it shows.
    pub fingerprint: Option<String>,
    /// How many users there are.
    pub users: u64,
    /// Octets of a page of the store.
    pub page_size: u64,
    /// Octets of the store's pages.
    pub map_used: u64,
    /// Octets by which it may grow.
    pub map_left: u64,
    /// Octets of free pages inside.
    pub free_inside: u64,
    /// Whether new mail is taken.
    pub takes_mail: bool,
    /// Seconds by which the clock is behind the newest mail.
    pub clock_lag: u64,
    /// What a quick look at the store found.
    pub damage: Vec<String>,
    /// Users whose quota is nearly used up or exceeded, with the percentage.
    pub full: Vec<(String, u64)>,
    /// The configured `catch_all` where there is no such user.
    pub idle_catch_all: Option<String>,
}

/// Percentage from which on an account is told of.
const FULL: u64 = 95;

pub(super) async fn run(context: &Context, call: &mut Call<'_>) -> Result<u8, Failure> {
    let core = Arc::clone(&context.core);
    let mut facts = worker::run(move || of_store(&core)).await??;
    if let Some(running) = &context.running {
        facts.server = Some(std::process::id());
        facts.places.clone_from(&running.places);
        facts.fingerprint = running.tls.as_ref().map(crate::net::TlsAcceptor::fingerprint);
    }
    call.print(&facts.text()).await?;
    Ok(exit::OK)
}

/// The facts about a store that no server has.
///
/// # Errors
/// A text for the operator.
pub fn inspect_alone(config: &Config, data_dir: &DataDir) -> Result<Inspection, String> {
    let core = open(config, data_dir)?;
    let facts = of_store(&core);
    core.close();
    facts.map_err(|_| "the store cannot be read".to_owned())
}

fn of_store(core: &Core) -> Result<Inspection, Failure> {
    let failed = |_| Failure::core(&Error::Temporary);
    let layout = core.store().layout().map_err(failed)?;
    let accounts = core.accounts()?;
    let mut full = Vec::new();
    for account in &accounts {
        let percent = core.quota(account.id)?.percent();
        if percent >= FULL {
            full.push((account.name.clone(), percent));
        }
    }
    Ok(Inspection {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        users: u64::try_from(accounts.len()).unwrap_or(u64::MAX),
        page_size: layout.page_size.into(),
        map_used: layout.map_used,
        map_left: layout.map_left,
        free_inside: layout.free_inside,
        takes_mail: core.check_room().is_ok(),
        clock_lag: u64::try_from(core.clock_lag()?).unwrap_or(0),
        damage: core.store().quick_check().map_err(failed)?,
        full,
        idle_catch_all: core.idle_catch_all()?,
        ..Inspection::default()
    })
}

impl Inspection {
    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name} {}", value.replace('\n', " "));
        };
        line("version", &self.version);
        for (name, number) in self.numbers() {
            line(name, &number.to_string());
        }
        if let Some(server) = self.server {
            line("server", &server.to_string());
        }
        if let Some(fingerprint) = &self.fingerprint {
            line("fingerprint", fingerprint);
        }
        for (protocol, address) in &self.places {
            line("listens", &format!("{} {address}", protocol.name()));
        }
        for damage in &self.damage {
            line("damage", damage);
        }
        for (name, percent) in &self.full {
            line("full", &format!("{percent} {name}"));
        }
        if let Some(name) = &self.idle_catch_all {
            line("idle-catch-all", name);
        }
        text
    }

    const fn numbers(&self) -> [(&'static str, u64); 7] {
        [
            ("users", self.users),
            ("page-size", self.page_size),
            ("map-used", self.map_used),
            ("map-left", self.map_left),
            ("free-inside", self.free_inside),
            ("takes-mail", self.takes_mail as u64),
            ("clock-lag", self.clock_lag),
        ]
    }

    /// Reads what [`Inspection::text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            let number = value.parse::<u64>().unwrap_or(0);
            match name {
                "version" => value.clone_into(&mut facts.version),
                "users" => facts.users = number,
                "page-size" => facts.page_size = number,
                "map-used" => facts.map_used = number,
                "map-left" => facts.map_left = number,
                "free-inside" => facts.free_inside = number,
                "takes-mail" => facts.takes_mail = number == 1,
                "clock-lag" => facts.clock_lag = number,
                "server" => facts.server = u32::try_from(number).ok(),
                "fingerprint" => facts.fingerprint = Some(value.to_owned()),
                "listens" => facts.places.extend(place(value)),
                "damage" => facts.damage.push(value.to_owned()),
                "full" => facts.full.extend(full(value)),
                "idle-catch-all" => facts.idle_catch_all = Some(value.to_owned()),
                _ => {}
            }
        }
        facts
    }
}

fn place(value: &str) -> Option<(Protocol, SocketAddr)> {
    let (name, address) = value.split_once(' ')?;
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)?;
    Some((protocol, address.parse().ok()?))
}

fn full(value: &str) -> Option<(String, u64)> {
    let (percent, name) = value.split_once(' ')?;
    Some((name.to_owned(), percent.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_out_as_they_went_in() {
        let facts = Inspection {
            version: "1.2".to_owned(),
            server: Some(7),
            places: vec![(Protocol::Imaps, "[::1]:993".parse().expect("an address"))],
            fingerprint: Some("AB:CD".to_owned()),
            users: 1,
            page_size: 4096,
            map_used: 2,
            map_left: 3,
            free_inside: 4,
            takes_mail: true,
            clock_lag: 5,
            damage: vec!["one".to_owned(), "two words".to_owned()],
            full: vec![("anna".to_owned(), 97), ("bert".to_owned(), 140)],
            idle_catch_all: Some("nobody".to_owned()),
        };
        assert_eq!(Inspection::parse(&facts.text()), facts);
        assert_eq!(Inspection::parse("future 1\nlistens smtp 1\nusers x\n"), Inspection::default());
    }
}
