//! From the text of the file to a [`Config`]: every key is read by one line below, every mistake is collected.

use super::{Config, Problem, nearest, value};
use crate::types::{PopDelete, PopPolicy};
use std::net::SocketAddr;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key by section; the first section has no name and stands at the top of the file.
const KEYS: [(&str, &[&str]); 8] = [
    (
        "",
        &[
            "data_dir",
            "hostname",
            "domains",
            "catch_all",
            "imap_hidden",
            "admin",
            "sandbox",
            "threads",
            "map_size",
            "log_level",
        ],
    ),
    ("listen", &["imap", "imaps", "pop3", "pop3s", "lmtp", "lmtp_socket", "lmtp_socket_mode"]),
    ("tls", &["certificate", "key", "names"]),
    (
        "limits",
        &[
            "connections",
            "connections_per_address",
            "connections_before_login",
            "lmtp_connections",
            "message_size",
            "line_before_login",
            "line_after_login",
            "protocol_errors",
            "messages_per_command",
            "recipients",
            "imap_idle",
            "pop3_idle",
            "lmtp_idle",
            "imap_progress",
            "login",
            "write",
            "disk_reserve",
        ],
    ),
    ("auth", &["argon2_memory", "argon2_passes", "concurrent_hashes", "queue", "cache"]),
    ("pop3", &["delete", "hide_days", "release_days", "retr_seen", "login_delay"]),
    ("quota", &["bytes", "messages", "over", "grace", "users_may_set"]),
    ("retention", &["trash", "junk", "undelete"]),
];

/// Limit: problems that are told; a file of another kind would give one for each line.
const PROBLEMS_MAX: usize = 100;

/// The largest memory map: 32-bit boards cannot map more than this in one piece.
const MAP_MAX: u64 = if cfg!(target_pointer_width = "32") { 1_900 << 20 } else { 64 << 40 };

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub(super) fn config(text: &str) -> Result<Config, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, problems: Vec::new() };
    for error in errors.iter().take(PROBLEMS_MAX) {
        reader.report(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message().replace('\n', ", ")));
    }
    let root = document.get_ref();
    // A broken line would make the keys after it look misplaced or unknown, so those are told only when the syntax is right.
    if reader.problems.is_empty() {
        reader.unknown_keys(root);
    }
    let mut config = Config::default();
    reader.top(root, &mut config);
    if let Some(table) = reader.section(root, "listen") {
        reader.listen(table, &mut config);
    }
    if let Some(table) = reader.section(root, "tls") {
        reader.tls(table, &mut config);
    }
    if let Some(table) = reader.section(root, "limits") {
        reader.limits(table, &mut config);
    }
    if let Some(table) = reader.section(root, "auth") {
        reader.auth(table, &mut config);
    }
    if let Some(table) = reader.section(root, "pop3") {
        reader.pop3(table, &mut config.pop3);
    }
    if let Some(table) = reader.section(root, "quota") {
        reader.quota(table, &mut config);
    }
    if let Some(table) = reader.section(root, "retention") {
        reader.retention(table, &mut config);
    }
    let mut problems = reader.problems;
    problems.sort_by_key(|problem| problem.line);
    problems.truncate(PROBLEMS_MAX);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

/// A listener that the file sets.
struct Bound {
    address: SocketAddr,
    key: &'static str,
    span: std::ops::Range<usize>,
}

type Entry<'t> = Spanned<DeValue<'t>>;

impl Reader<'_> {
    fn report(&mut self, span: std::ops::Range<usize>, text: String) {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = before.filter(|octet| **octet == b'\n').count() + 1;
        self.problems.push(Problem { line: Some(line), text });
    }

    /// Reads one key into its place; it keeps its default where the key is missing or wrong.
    fn key<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        place: &mut T,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) {
        if let Some(entry) = table.get(key) {
            match read(entry.get_ref()) {
                Ok(value) => *place = value,
                Err(text) => self.report(entry.span(), format!("{key} {text}")),
            }
        }
    }

    /// A list or a single value, each element read on its own.
    fn list<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        place: &mut Vec<T>,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) {
        let Some(entry) = table.get(key) else { return };
        place.clear();
        for element in elements(entry) {
            match read(element.get_ref()) {
                Ok(value) => place.push(value),
                Err(text) => self.report(element.span(), format!("{key}: {text}")),
            }
        }
    }

    fn section<'d, 't>(&mut self, root: &'d DeTable<'t>, name: &str) -> Option<&'d DeTable<'t>> {
        let entry = root.get(name)?;
        let table = entry.get_ref().as_table();
        if table.is_none() {
            self.report(
                entry.span(),
                format!("{name} is a section; write [{name}] on a line of its own and its keys below"),
            );
        }
        table
    }

    fn unknown_keys(&mut self, root: &DeTable<'_>) {
        for (section, known) in KEYS {
            let table = if section.is_empty() {
                Some(root)
            } else {
                root.get(section).and_then(|entry| entry.get_ref().as_table())
            };
            for (key, entry) in table.into_iter().flat_map(|table| table.iter()) {
                let name: &str = key.get_ref();
                let is_section = section.is_empty() && KEYS.iter().any(|(section, _)| *section == name);
                if !known.contains(&name) && !is_section {
                    self.report(key.span(), unknown_key(section, known, name, entry.get_ref().is_table()));
                }
            }
        }
    }

    fn top(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let mut data_dir = config.data_dir.clone();
        self.key(table, "data_dir", &mut data_dir, value::path);
        config.set_data_dir(data_dir);
        self.key(table, "hostname", &mut config.hostname, value::host_name);
        self.list(table, "domains", &mut config.domains, value::host_name);
        self.key(table, "catch_all", &mut config.catch_all, |v| value::account(v).map(Some));
        self.list(table, "imap_hidden", &mut config.imap_hidden, value::capability);
        self.key(table, "admin", &mut config.admin, |v| value::uri(v).map(Some));
        self.key(table, "sandbox", &mut config.sandbox, value::yes_or_no);
        self.key(table, "threads", &mut config.threads, |v| value::count_usize(v, 1, 64));
        self.key(table, "map_size", &mut config.map_size, |v| value::size_usize(v, 16 << 20, MAP_MAX).map(Some));
        self.key(table, "log_level", &mut config.log_level, value::level);
    }

    fn listen(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let listen = &mut config.listen;
        let mut seen: Vec<Bound> = Vec::new();
        let mut places = [
            ("imap", &mut listen.imap),
            ("imaps", &mut listen.imaps),
            ("pop3", &mut listen.pop3),
            ("pop3s", &mut listen.pop3s),
            ("lmtp", &mut listen.lmtp),
        ];
        // Those that the file sets come first, so that a default is compared with all of them.
        places.sort_by_key(|(key, _)| !table.contains_key(*key));
        for (key, place) in places {
            self.listeners(table, key, place, &mut seen);
        }
        let data_dir = config.data_dir.clone();
        self.key(table, "lmtp_socket", &mut listen.lmtp_socket, |v| match value::text(v, "\"lmtp.sock\"")? {
            "" => Ok(None),
            text if text.contains('\0') => Err("has a NUL in it".to_owned()),
            text => Ok(Some(data_dir.join(Path::new(text)))),
        });
        self.key(table, "lmtp_socket_mode", &mut listen.lmtp_socket_mode, value::mode);
    }

    fn listeners(
        &mut self,
        table: &DeTable<'_>,
        key: &'static str,
        place: &mut Vec<SocketAddr>,
        seen: &mut Vec<Bound>,
    ) {
        let Some(entry) = table.get(key) else {
            let taken = seen.iter().find(|bound| place.iter().any(|default| collide(bound.address, *default)));
            if let Some(bound) = taken {
                let text =
                    format!("{}: {} is what {key} listens on by default; set {key} too", bound.key, bound.address);
                self.report(bound.span.clone(), text);
            }
            return;
        };
        place.clear();
        for element in elements(entry) {
            match value::addresses(element.get_ref()) {
                Ok(addresses) => {
                    for address in addresses {
                        if let Some(bound) = seen.iter().find(|bound| collide(bound.address, address)) {
                            let text = format!(
                                "{key}: {address} is already taken by {}; each listener needs its own",
                                bound.key
                            );
                            self.report(element.span(), text);
                        }
                        seen.push(Bound { address, key, span: element.span() });
                        place.push(address);
                    }
                }
                Err(text) => self.report(element.span(), format!("{key}: {text}")),
            }
        }
    }

    fn tls(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let tls = &mut config.tls;
        self.key(table, "certificate", &mut tls.certificate, |v| value::path(v).map(Some));
        self.key(table, "key", &mut tls.key, |v| value::path(v).map(Some));
        self.list(table, "names", &mut tls.names, value::certificate_name);
        for (present, missing) in [("certificate", "key"), ("key", "certificate")] {
            if let (Some(entry), None) = (table.get(present), table.get(missing)) {
                self.report(entry.span(), format!("{present} needs {missing} beside it; give both or none"));
            }
        }
    }

    fn limits(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let limits = &mut config.limits;
        self.key(table, "connections", &mut limits.connections, |v| value::count_usize(v, 1, 100_000));
        self.key(table, "connections_per_address", &mut limits.connections_per_address, |v| {
            value::count_usize(v, 1, 100_000)
        });
        self.key(table, "connections_before_login", &mut limits.connections_before_login, |v| {
            value::count_usize(v, 1, 100_000)
        });
        self.key(table, "lmtp_connections", &mut limits.lmtp_connections, |v| value::count_usize(v, 1, 10_000));
        self.key(table, "message_size", &mut limits.message_size, |v| value::size(v, 64 << 10, 2 << 30));
        self.key(table, "line_before_login", &mut limits.line_before_login, |v| value::size_usize(v, 1 << 10, 1 << 20));
        self.key(table, "line_after_login", &mut limits.line_after_login, |v| value::size_usize(v, 8 << 10, 16 << 20));
        self.key(table, "protocol_errors", &mut limits.protocol_errors, |v| value::count_u32(v, 1, 10_000));
        self.key(table, "messages_per_command", &mut limits.messages_per_command, |v| {
            value::count_u32(v, 1000, u64::from(u32::MAX))
        });
        self.key(table, "recipients", &mut limits.recipients, |v| value::count_usize(v, 100, 10_000));
        self.key(table, "imap_idle", &mut limits.imap_idle, |v| value::duration(v, 30 * MINUTE, 7 * DAY));
        self.key(table, "pop3_idle", &mut limits.pop3_idle, |v| value::duration(v, 10 * MINUTE, DAY));
        self.key(table, "lmtp_idle", &mut limits.lmtp_idle, |v| value::duration(v, MINUTE, HOUR));
        self.key(table, "imap_progress", &mut limits.imap_progress, |v| value::duration(v, 1, 10 * MINUTE));
        self.key(table, "login", &mut limits.login, |v| value::duration(v, 5, 10 * MINUTE));
        self.key(table, "write", &mut limits.write, |v| value::duration(v, 5, 30 * MINUTE));
        self.key(table, "disk_reserve", &mut limits.disk_reserve, |v| value::size(v, 4 << 20, 1 << 50));
    }

    fn auth(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let auth = &mut config.auth;
        let (mut memory, mut passes, problems) = (None, None, self.problems.len());
        self.key(table, "argon2_memory", &mut memory, |v| {
            let octets = value::or_auto(v, |v| value::size(v, 1 << 20, 256 << 20))?;
            Ok(octets.map(|octets| u32::try_from(octets >> 10).unwrap_or(u32::MAX)))
        });
        self.key(table, "argon2_passes", &mut passes, |v| value::or_auto(v, |v| value::count_u32(v, 1, 100)));
        if let (Some(entry), None, Some(_)) = (table.get("argon2_passes"), memory, passes)
            && self.problems.len() == problems
        {
            let text = "argon2_passes needs argon2_memory beside it; with \"auto\" both are chosen".to_owned();
            self.report(entry.span(), text);
        }
        auth.argon2_auto = memory.is_none();
        auth.argon2_memory = memory.unwrap_or(auth.argon2_memory);
        auth.argon2_passes = passes.unwrap_or(auth.argon2_passes);
        self.key(table, "concurrent_hashes", &mut auth.concurrent_hashes, |v| value::count_usize(v, 1, 16));
        self.key(table, "queue", &mut auth.queue, |v| value::count_usize(v, 1, 10_000));
        self.key(table, "cache", &mut auth.cache, |v| value::duration(v, 0, DAY));
    }

    fn pop3(&mut self, table: &DeTable<'_>, policy: &mut PopPolicy) {
        let days = |v: &DeValue<'_>| value::count_u32(v, 0, u64::from(PopPolicy::DAYS_MAX));
        self.key(table, "delete", &mut policy.delete, |v| {
            let name = value::text(v, "\"hide\"")?;
            PopDelete::from_name(name).ok_or_else(|| format!("{name:?} is none of \"trash\", \"hide\" and \"expunge\""))
        });
        self.key(table, "hide_days", &mut policy.hide_days, days);
        self.key(table, "release_days", &mut policy.release_days, days);
        self.key(table, "retr_seen", &mut policy.retr_seen, value::yes_or_no);
        self.key(table, "login_delay", &mut policy.login_delay, |v| value::duration(v, 0, HOUR));
    }

    fn retention(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let retention = &mut config.retention;
        for (key, place) in [
            ("trash", &mut retention.trash_days),
            ("junk", &mut retention.junk_days),
            ("undelete", &mut retention.undelete_days),
        ] {
            self.key(table, key, place, value::days);
        }
    }

    fn quota(&mut self, table: &DeTable<'_>, config: &mut Config) {
        let quota = &mut config.quota;
        self.key(table, "bytes", &mut quota.bytes, |v| value::or_none(v, |v| value::size(v, 1 << 20, 1 << 60)));
        self.key(table, "messages", &mut quota.messages, |v| value::or_none(v, |v| value::count(v, 100, 1 << 32)));
        self.key(table, "over", &mut quota.bounce, |v| Ok(value::one_of(v, &["defer", "bounce"])? == "bounce"));
        self.key(table, "grace", &mut quota.grace, |v| value::size(v, 0, 1 << 30));
        self.key(table, "users_may_set", &mut quota.users_may_set, value::yes_or_no);
    }
}

fn unknown_key(section: &str, known: &[&str], name: &str, is_table: bool) -> String {
    if is_table {
        let sections = KEYS.iter().map(|(section, _)| *section).filter(|section| !section.is_empty());
        let advice = nearest(name, sections.clone()).map_or_else(
            || format!("there are {}", sections.collect::<Vec<_>>().join(", ")),
            |section| format!("did you mean [{section}]?"),
        );
        return format!("unknown section {name:?}; {advice}");
    }
    let home = KEYS.iter().find(|(_, keys)| keys.contains(&name));
    let advice = match (home, nearest(name, known.iter().copied())) {
        (Some(("", _)), _) => "; it belongs at the top of the file, before the first section".to_owned(),
        (Some((home, _)), _) => format!("; it belongs under [{home}]"),
        (None, Some(key)) => format!("; did you mean {key}?"),
        (None, None) => {
            KEYS.iter().find_map(|(home, keys)| nearest(name, keys.iter().copied()).map(|key| (home, key))).map_or_else(
                || "; `mailnook config default` lists all keys".to_owned(),
                |(home, key)| {
                    if home.is_empty() {
                        format!("; did you mean {key} at the top of the file?")
                    } else {
                        format!("; did you mean {key} under [{home}]?")
                    }
                },
            )
        }
    };
    let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
    let shown: String = name.chars().take(60).collect();
    format!("unknown key {shown:?}{place}{advice}")
}

fn elements<'d, 't>(entry: &'d Entry<'t>) -> Vec<&'d Entry<'t>> {
    entry.get_ref().as_array().map_or_else(|| vec![entry], |array| array.iter().collect())
}

/// Whether two listeners cannot both be bound.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() != 0
        && a.port() == b.port()
        && a.is_ipv4() == b.is_ipv4()
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
