//! `status`: how the server is doing and how much mail there is.

use super::call::{Call, Failure};
use super::certificate::{self, Validity};
use super::json::Json;
use super::registry::{Protocol, Registry};
use super::session::Running;
use super::{Context, exit, text};
use crate::auth::Cost;
use crate::config::Config;
use std::path::PathBuf;

/// A certificate that ends so soon is worth a warning.
const SOON: i64 = 14 * 86_400;

pub(super) async fn run(context: &Context, call: &mut Call<'_>, json: bool) -> Result<u8, Failure> {
    let facts = Facts::gather(context)?;
    call.print(&if json { facts.json().line() } else { facts.text() }).await?;
    Ok(exit::OK)
}

struct Facts<'c> {
    running: Option<&'c Running>,
    config: &'c Config,
    cost: &'c Cost,
    memory: Memory,
    file_octets: u64,
    used_octets: u64,
    room_octets: u64,
    accounts: u64,
    mailboxes: u64,
    messages: u64,
    message_octets: u64,
    certificate: PathBuf,
    validity: Option<Validity>,
}

/// What the kernel says of this process, in octets.
#[derive(Default)]
struct Memory {
    resident: Option<u64>,
    anonymous: Option<u64>,
}

impl Memory {
    fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        };
        Self { resident: field("VmRSS:"), anonymous: field("RssAnon:") }
    }
}

impl<'c> Facts<'c> {
    fn gather(context: &'c Context) -> Result<Self, Failure> {
        let accounts = context.core.accounts()?;
        let (file_octets, used_octets) = context.core.store_size()?;
        let certificate = certificate::path(context);
        Ok(Self {
            running: context.running.as_ref(),
            config: &context.config,
            cost: &context.cost,
            memory: Memory::read(),
            file_octets,
            used_octets,
            room_octets: context.core.room()?,
            accounts: u64::try_from(accounts.len()).unwrap_or(u64::MAX),
            mailboxes: accounts.iter().map(|account| u64::from(account.mailboxes)).sum(),
            messages: accounts.iter().map(|account| account.messages).sum(),
            message_octets: accounts.iter().map(|account| account.bytes).sum(),
            validity: certificate::validity(&certificate),
            certificate,
        })
    }

    fn text(&self) -> String {
        let mut rows = vec![("server", self.server())];
        if let Some(running) = self.running {
            rows.push(("sessions", sessions(&running.registry)));
            let (resident, anonymous) = (self.memory.resident.unwrap_or(0), self.memory.anonymous.unwrap_or(0));
            rows.push(("memory", format!("{}, {} of it anonymous", text::octets(resident), text::octets(anonymous))));
            rows.push(("sandbox", running.sandbox.clone()));
        }
        let (file, used) = (text::octets(self.file_octets), text::octets(self.used_octets));
        rows.push(("store", format!("{file}, {used} of it in use, in {}", self.config.data_dir.display())));
        rows.push(("room", self.room()));
        rows.push((
            "mail",
            format!(
                "{} with {} and {}, {}",
                text::count(self.accounts, "user"),
                text::count(self.mailboxes, "mailbox"),
                text::count(self.messages, "message"),
                text::octets(self.message_octets)
            ),
        ));
        rows.push(("certificate", self.certificate_text()));
        rows.push(("passwords", self.cost_text()));
        rows.iter().fold(String::new(), |text, (name, value)| text + &format!("{:<13}{value}\n", format!("{name}:")))
    }

    fn server(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        self.running.map_or_else(
            || "not running".to_owned(),
            |running| {
                let uptime = text::seconds(running.registry.uptime().as_secs());
                format!("running for {uptime}, mailnook {version}, process {}", std::process::id())
            },
        )
    }

    /// For how much more mail there is room; every client's mail and the deleted mail that is still kept are in it.
    fn room(&self) -> String {
        match self.room_octets {
            0 => "NONE for new mail: delete mail, or make room on the disk".to_owned(),
            octets => format!("{} of mail more", text::octets(octets)),
        }
    }

    fn cost_text(&self) -> String {
        let how = if self.cost.is_auto() { "chosen for this machine" } else { "as configured" };
        self.cost.known().map_or_else(|| "not measured yet".to_owned(), |chosen| format!("{chosen} ({how})"))
    }

    /// Memory, passes and time of a hash; null where nothing was measured yet.
    fn cost_json(&self) -> Json {
        let Some(chosen) = self.cost.known() else { return Json::Null };
        let milliseconds = chosen.time.and_then(|time| u64::try_from(time.as_millis()).ok());
        Json::Object(vec![
            ("memory_kib", Json::Number(chosen.memory.into())),
            ("passes", Json::Number(chosen.passes.into())),
            ("milliseconds", milliseconds.map_or(Json::Null, Json::Number)),
            ("measured", Json::Bool(self.cost.is_auto())),
            ("below_floor", Json::Bool(chosen.is_below_floor())),
        ])
    }

    fn certificate_text(&self) -> String {
        let path = self.certificate.display();
        let Some(validity) = self.validity else {
            return format!("none that can be read at {path}");
        };
        let now = chrono::Utc::now().timestamp();
        let hint = match validity.end.saturating_sub(now) {
            ..0 => " (EXPIRED)",
            0..SOON => " (ends soon)",
            _ => "",
        };
        format!("valid {} to {}{hint}, {path}", certificate::day(validity.begin), certificate::day(validity.end))
    }

    fn json(&self) -> Json {
        let optional = |number: Option<u64>| number.map_or(Json::Null, Json::Number);
        let day =
            |pick: fn(Validity) -> i64| self.validity.map_or(Json::Null, |v| Json::text(certificate::day(pick(v))));
        let sessions = |registry: &Registry, count: fn(&Registry, Protocol) -> u64| {
            let number = |protocol: Protocol| (protocol.name(), Json::Number(count(registry, protocol)));
            Json::Object(Protocol::ALL.map(number).into())
        };
        let mut members = vec![("running", Json::Bool(self.running.is_some()))];
        if let Some(running) = self.running {
            let registry = &running.registry;
            members.extend([
                ("version", Json::text(env!("CARGO_PKG_VERSION"))),
                ("pid", Json::Number(std::process::id().into())),
                ("uptime_seconds", Json::Number(registry.uptime().as_secs())),
                ("sessions", sessions(registry, Registry::now)),
                ("sessions_total", sessions(registry, Registry::total)),
                ("connections_refused", Json::Number(registry.refusals())),
                ("sessions_failed", Json::Number(registry.panics())),
                ("sandbox", Json::text(running.sandbox.as_str())),
                (
                    "memory",
                    Json::Object(vec![
                        ("resident_bytes", optional(self.memory.resident)),
                        ("anonymous_bytes", optional(self.memory.anonymous)),
                    ]),
                ),
            ]);
        }
        members.extend([
            ("data_dir", Json::text(self.config.data_dir.to_string_lossy())),
            (
                "store",
                Json::Object(vec![
                    ("file_bytes", Json::Number(self.file_octets)),
                    ("used_bytes", Json::Number(self.used_octets)),
                    ("room_bytes", Json::Number(self.room_octets)),
                ]),
            ),
            ("accounts", Json::Number(self.accounts)),
            ("mailboxes", Json::Number(self.mailboxes)),
            ("messages", Json::Number(self.messages)),
            ("message_bytes", Json::Number(self.message_octets)),
            (
                "certificate",
                Json::Object(vec![
                    ("path", Json::text(self.certificate.to_string_lossy())),
                    ("valid_from", day(|validity| validity.begin)),
                    ("valid_until", day(|validity| validity.end)),
                ]),
            ),
            ("argon2", self.cost_json()),
        ]);
        Json::Object(members)
    }
}

/// `imap 3, imaps 1, pop3 0, pop3s 0, lmtp 0`; administration itself is left out.
fn sessions(registry: &Registry) -> String {
    let shown = Protocol::ALL.into_iter().filter(|protocol| *protocol != Protocol::Control);
    shown.map(|protocol| format!("{} {}", protocol.name(), registry.now(protocol))).collect::<Vec<_>>().join(", ")
}
