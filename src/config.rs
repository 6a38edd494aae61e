//! The configuration file: one TOML file, every key checked, all errors told at once.
//!
//! [`Config::default`] is what `mailnook config default` prints ([`DEFAULT_TEXT`]); a test holds the two together.
//! Relative paths of a file count from the directory of that file, relative socket paths from `data_dir`.
//! Nothing here touches the network or the store.

mod board;
mod parse;
mod suggest;
mod value;

pub use board::{BOARDS, Board};
pub use suggest::nearest;
pub use value::{duration_from, is_host_name, size_from};

use crate::types::PopPolicy;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The default configuration with a comment for every key.
pub const DEFAULT_TEXT: &str = include_str!("config/default.toml");

/// Where a configuration is looked for when nobody names one.
pub const SYSTEM_PATH: &str = "/etc/mailnook/mailnook.toml";

/// The environment variable that may name the configuration file.
pub const ENVIRONMENT: &str = "MAILNOOK_CONFIG";

/// Limit: octets of a configuration file.
const FILE_MAX: u64 = 1 << 20;

/// Something in the configuration that has to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; None: the file as a whole.
    pub line: Option<usize>,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from; None: the built-in defaults.
    pub file: Option<PathBuf>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Our name in greetings and Received lines.
    pub hostname: String,
    /// Domains whose addresses are ours; empty: any.
    pub domains: Vec<String>,
    /// Account for unknown local parts.
    pub catch_all: Option<String>,
    /// Capabilities that IMAP sessions do not tell of, for clients that ask for what they cannot do: UIDONLY by default.
    pub imap_hidden: Vec<String>,
    /// How to reach who runs the server, as a URI (RFC 5464 §6.2.2).
    pub admin: Option<String>,
    /// Where to listen.
    pub listen: Listen,
    /// Certificate and key.
    pub tls: Tls,
    /// Named limits.
    pub limits: Limits,
    /// Password hashing and guessing.
    pub auth: Auth,
    /// How POP3 and IMAP share a mailbox.
    pub pop3: PopPolicy,
    /// What accounts may hold.
    pub quota: Quota,
    /// How long mail is kept.
    pub retention: Retention,
    /// Upper bound of the store's memory map in octets; None: the platform's default.
    pub map_size: Option<usize>,
    /// Whether the server takes from itself what it has no use for.
    pub sandbox: bool,
    /// Executor threads.
    pub threads: usize,
    /// Log level.
    pub log_level: log::LevelFilter,
}

/// Listeners; each may have several addresses or none.
#[derive(Clone, Debug)]
pub struct Listen {
    /// IMAP with STARTTLS.
    pub imap: Vec<SocketAddr>,
    /// IMAP with implicit TLS.
    pub imaps: Vec<SocketAddr>,
    /// POP3 with STLS.
    pub pop3: Vec<SocketAddr>,
    /// POP3 with implicit TLS.
    pub pop3s: Vec<SocketAddr>,
    /// LMTP on TCP.
    pub lmtp: Vec<SocketAddr>,
    /// LMTP on a unix socket.
    pub lmtp_socket: Option<PathBuf>,
    /// Mode of that socket.
    pub lmtp_socket_mode: u32,
}

/// TLS files; None: `cert.pem` and `key.pem` in the data directory, made at first start.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM chain.
    pub certificate: Option<PathBuf>,
    /// PEM key.
    pub key: Option<PathBuf>,
    /// Names for the certificate that is made.
    pub names: Vec<String>,
}

/// Every limit an operator may change.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address (IPv6: one /64); loopback and unix sockets are exempt.
    pub connections_per_address: usize,
    /// Connections that have not logged in.
    pub connections_before_login: usize,
    /// LMTP connections.
    pub lmtp_connections: usize,
    /// Largest message in octets.
    pub message_size: u64,
    /// Longest command line before login in octets.
    pub line_before_login: usize,
    /// Longest command line (with its in-memory literals) after login.
    pub line_after_login: usize,
    /// Errors after which a session is ended.
    pub protocol_errors: u32,
    /// Messages that one IMAP command may touch (RFC 9738).
    pub messages_per_command: u32,
    /// Recipients of one LMTP transaction.
    pub recipients: usize,
    /// An authenticated IMAP session may be silent for so long (RFC 9051 §5.4: 30 minutes at least).
    pub imap_idle: Duration,
    /// POP3: 10 minutes at least (RFC 1939 §3).
    pub pop3_idle: Duration,
    /// LMTP: 5 minutes (RFC 5321 §4.5.3.2.7).
    pub lmtp_idle: Duration,
    /// IMAP: how often the client of a long command hears how far it has come (RFC 9585).
    pub imap_progress: Duration,
    /// From connect to login, TLS handshake included.
    pub login: Duration,
    /// A peer that takes no data for so long is gone.
    pub write: Duration,
    /// Octets of the disk that new mail leaves free.
    pub disk_reserve: u64,
}

/// Password checking.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Memory and passes are measured and chosen for this machine; the two numbers are not used.
    pub argon2_auto: bool,
    /// Argon2id memory in KiB.
    pub argon2_memory: u32,
    /// Argon2id passes.
    pub argon2_passes: u32,
    /// Hashes computed at the same time.
    pub concurrent_hashes: usize,
    /// Logins that may wait for a hash.
    pub queue: usize,
    /// How long a verified login is remembered.
    pub cache: Duration,
}

/// What an account may hold where `mailnook quota set` did not say otherwise.
#[derive(Clone, Debug)]
pub struct Quota {
    /// Octets; None: no limit.
    pub bytes: Option<u64>,
    /// Messages; None: no limit.
    pub messages: Option<u64>,
    /// Mail for a full account goes back to its sender instead of waiting.
    pub bounce: bool,
    /// Octets by which the last delivered message may cross the limit.
    pub grace: u64,
    /// Users may set their own limits by IMAP's SETQUOTA.
    pub users_may_set: bool,
}

/// How long mail is kept where it does not stay for ever.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Days after which mail in \Trash goes; 0: never.
    pub trash_days: u32,
    /// Days after which mail in \Junk goes; 0: never.
    pub junk_days: u32,
    /// Days for which expunged mail can be brought back; 0: not at all.
    pub undelete_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { trash_days: 30, junk_days: 30, undelete_days: 7 }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { bytes: Some(1_000_000_000), messages: None, bounce: false, grace: 5_000_000, users_may_set: false }
    }
}

impl Default for Config {
    fn default() -> Self {
        let data_dir = PathBuf::from("mailnook-data");
        Self {
            file: None,
            hostname: system_hostname(),
            domains: Vec::new(),
            catch_all: None,
            imap_hidden: vec!["UIDONLY".to_owned()],
            admin: None,
            listen: Listen {
                imap: loopback(1143),
                imaps: loopback(1993),
                pop3: loopback(1110),
                pop3s: loopback(1995),
                lmtp: loopback(1024),
                lmtp_socket: Some(data_dir.join("lmtp.sock")),
                lmtp_socket_mode: 0o660,
            },
            tls: Tls { certificate: None, key: None, names: Vec::new() },
            limits: Limits::default(),
            auth: Auth::default(),
            pop3: PopPolicy::default(),
            quota: Quota::default(),
            retention: Retention::default(),
            map_size: None,
            sandbox: true,
            threads: default_threads(),
            log_level: log::LevelFilter::Info,
            data_dir,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            connections_per_address: 100,
            connections_before_login: 200,
            lmtp_connections: 50,
            message_size: 200_000_000,
            line_before_login: 8 << 10,
            line_after_login: 64 << 10,
            protocol_errors: 20,
            messages_per_command: 10_000_000,
            recipients: 100,
            imap_idle: Duration::from_mins(30),
            pop3_idle: Duration::from_mins(10),
            lmtp_idle: Duration::from_mins(5),
            imap_progress: Duration::from_secs(10),
            login: Duration::from_mins(1),
            write: Duration::from_mins(1),
            disk_reserve: 50_000_000,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            argon2_auto: true,
            argon2_memory: 19 << 10,
            argon2_passes: 2,
            concurrent_hashes: 1,
            queue: 32,
            cache: Duration::from_mins(10),
        }
    }
}

impl Config {
    /// The file to read: `explicit`, else the one that `MAILNOOK_CONFIG` names, else the system's if it exists.
    /// None: the built-in defaults.
    #[must_use]
    pub fn locate(explicit: Option<PathBuf>) -> Option<PathBuf> {
        explicit
            .or_else(|| std::env::var_os(ENVIRONMENT).filter(|value| !value.is_empty()).map(PathBuf::from))
            .or_else(|| Path::new(SYSTEM_PATH).try_exists().unwrap_or(true).then(|| PathBuf::from(SYSTEM_PATH)))
    }

    /// Reads the file, or gives the built-in defaults where there is none.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let whole = |text| vec![Problem { line: None, text }];
        let text = read(path).map_err(whole)?;
        let mut config = Self::parse(&text)?;
        let absolute = std::path::absolute(path).map_err(|error| whole(error.to_string()))?;
        config.resolve(absolute.parent().unwrap_or(Path::new("/")));
        config.file = Some(absolute);
        Ok(config)
    }

    /// Checks the text of a configuration file. Paths stay as they are written.
    ///
    /// # Errors
    /// Everything that is wrong with the text, by line.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        parse::config(text)
    }

    /// Puts the store elsewhere; a relative LMTP socket of the old directory moves along.
    pub fn set_data_dir(&mut self, data_dir: PathBuf) {
        if let Some(socket) = &mut self.listen.lmtp_socket
            && let Ok(rest) = socket.strip_prefix(&self.data_dir)
        {
            *socket = data_dir.join(rest);
        }
        self.data_dir = data_dir;
    }

    fn resolve(&mut self, base: &Path) {
        self.set_data_dir(base.join(&self.data_dir));
        for path in [&mut self.tls.certificate, &mut self.tls.key].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let cannot = |error: std::io::Error| format!("cannot read it: {error}");
    let file = std::fs::File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_dir() {
        return Err("is a directory, not a file".to_owned());
    }
    let mut octets = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut octets).map_err(cannot)?;
    if u64::try_from(octets.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err(format!("is larger than {FILE_MAX} octets; is it the right file?"));
    }
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|octet| **octet == b'\n').count() + 1;
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })
}

fn loopback(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]
}

/// The machine's name where it can stand in a greeting, else `localhost`.
fn system_hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    if value::is_host_name(&name) { name } else { "localhost".to_owned() }
}

/// One thread for a single core, else two: IMAP waits for the disk and the network, not for the processor.
fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2))
}
