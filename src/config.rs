//! The configuration file: one TOML file, every key checked, all errors told at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Our name in greetings and Received lines.
    pub hostname: String,
    /// Domains whose addresses are ours; empty: any.
    pub domains: Vec<String>,
    /// Account for unknown local parts.
    pub catch_all: Option<String>,
    /// Where to listen.
    pub listen: Listen,
    /// Certificate and key.
    pub tls: Tls,
    /// Named limits.
    pub limits: Limits,
    /// Password hashing and guessing.
    pub auth: Auth,
    /// Upper bound of the store's memory map in octets; None: the platform's default.
    pub map_size: Option<usize>,
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
    /// Recipients of one LMTP transaction.
    pub recipients: usize,
    /// An authenticated IMAP session may be silent for so long (RFC 9051 §5.4: 30 minutes at least).
    pub imap_idle: Duration,
    /// POP3: 10 minutes at least (RFC 1939 §3).
    pub pop3_idle: Duration,
    /// LMTP: 5 minutes (RFC 5321 §4.5.3.2.7).
    pub lmtp_idle: Duration,
    /// From connect to login, TLS handshake included.
    pub login: Duration,
    /// A peer that takes no data for so long is gone.
    pub write: Duration,
}

/// Password checking.
#[derive(Clone, Debug)]
pub struct Auth {
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
