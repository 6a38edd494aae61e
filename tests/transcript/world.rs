//! The server's side: a fresh store, its accounts, and a session task for each client.

use super::client::Stream;
use super::pattern::Variables;
use super::script::{Open, Protocol};
use mailnook::auth::{Authenticator, hash_password, new_device};
use mailnook::config::Config;
use mailnook::mailbox::{self, Account, Clock, Core, MainPassword};
use mailnook::net::{Class, Limiter, Peer, Shutdown, TlsAcceptor, TlsFiles, pair_from, timeout};
use mailnook::types::{Flags, PopDelete, Rights, SystemFlags};
use mailnook::{imap, lmtp, pop3};
use smol::{Executor, Task};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

/// How long sessions may take to end once their clients are gone.
const ENDING: Duration = Duration::from_secs(10);
/// The peer of a `remote` session (RFC 5737).
const REMOTE: Peer = Peer { address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))), port: 40_000 };
/// The store of a transcript is small.
const MAP_SIZE: usize = 256 << 20;

/// A server in a temporary directory.
pub struct World {
    executor: Arc<Executor<'static>>,
    directory: Directory,
    config: Config,
    server: Option<Server>,
    sessions: Vec<Task<()>>,
}

/// What starts with the first step that needs it, when the configuration is complete.
struct Server {
    core: Arc<Core>,
    auth: Arc<Authenticator>,
    tls: TlsAcceptor,
    limiter: Limiter,
    config: Arc<Config>,
    shutdown: Shutdown,
    /// By how many seconds the store's clock is ahead.
    ahead: Arc<AtomicI64>,
}

impl World {
    pub fn new() -> Result<Self, String> {
        let directory = Directory::new()?;
        let mut config = Config { hostname: "mail.example.org".to_owned(), ..Config::default() };
        config.set_data_dir(directory.path().to_owned());
        // Passwords of transcripts are no secrets.
        config.auth.argon2_memory = 64;
        config.auth.argon2_passes = 1;
        config.map_size = Some(MAP_SIZE);
        let executor = Arc::new(Executor::new());
        Ok(Self { executor, directory, config, server: None, sessions: Vec::new() })
    }

    /// Runs the sessions; the client's side must run on it too.
    pub fn executor(&self) -> Arc<Executor<'static>> {
        Arc::clone(&self.executor)
    }

    /// Reads `@set`, `@domains` and `@catch-all`; passes over all other words.
    pub fn configure(&mut self, words: &[String]) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["set", key, value] => self.set(key, value)?,
            ["domains", domains @ ..] => self.config.domains = domains.iter().map(|&name| name.to_owned()).collect(),
            ["hide", names @ ..] => self.config.imap_hidden = names.iter().map(|&name| name.to_owned()).collect(),
            ["catch-all", name] => self.config.catch_all = Some((*name).to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Does what any other `@` line says.
    pub async fn setup(&mut self, words: &[String], variables: &mut Variables) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            // These were read by `configure`.
            ["set" | "domains" | "catch-all" | "hide", ..] => {}
            ["user", name, password] => {
                let server = self.server()?;
                let hash = hash_password(password, &server.config.auth).map_err(|error| format!("{error:?}"))?;
                server.core.create_account(name, Some(&hash)).await.map_err(|error| format!("{error:?}"))?;
            }
            ["alias", name, address] => {
                self.server()?.core.add_alias(name, address).await.map_err(|error| format!("{error:?}"))?;
            }
            ["device", name, device, rights @ ..] => {
                let core = Arc::clone(&self.server()?.core);
                let login = core.store().login(name).map_err(|error| format!("{error:?}"))?.ok_or("no such user")?;
                let has = |word: &str| rights.contains(&word);
                let rights = Rights { imap: has("imap"), pop3: has("pop3"), read_only: has("read-only") };
                let (password, made) = new_device(&login, device, rights).map_err(|error| format!("{error:?}"))?;
                core.add_device(name, made).await.map_err(|error| format!("{error:?}"))?;
                variables.insert((*device).to_owned(), password.into_bytes());
            }
            ["revoke", name, device] => {
                self.server()?.core.revoke_device(name, device).await.map_err(|error| format!("{error:?}"))?;
            }
            ["main-password", name, scope] => {
                let scope = match *scope {
                    "lan" => MainPassword::Lan,
                    "off" => MainPassword::Off,
                    _ => MainPassword::Everywhere,
                };
                let (core, id) = (Arc::clone(&self.server()?.core), self.account(name)?.id());
                core.set_main_password_scope(id, scope).await.map_err(|error| format!("{error:?}"))?;
            }
            ["password", name, password] => {
                let id = self.account(name)?.id();
                let server = self.server()?;
                let hash = hash_password(password, &server.config.auth).map_err(|error| format!("{error:?}"))?;
                server.core.set_password(id, hash).await.map_err(|error| format!("{error:?}"))?;
            }
            ["pop3", name, key, value] => {
                let (core, id) = (Arc::clone(&self.server()?.core), self.account(name)?.id());
                let (key, value) = ((*key).to_owned(), (*value).to_owned());
                let change = core.change_settings(id, move |settings| match key.as_str() {
                    "delete" => settings.pop_delete = PopDelete::from_name(&value),
                    "hide_days" => settings.pop_hide_days = value.parse().ok(),
                    "release_days" => settings.pop_release_days = value.parse().ok(),
                    _ => settings.pop_retr_seen = Some(value == "yes"),
                });
                change.await.map_err(|error| format!("{error:?}"))?;
            }
            ["later", days] => {
                let days: i64 = days.parse().map_err(|error| format!("{days}: {error}"))?;
                self.server()?.ahead.fetch_add(days * 86_400, Ordering::Relaxed);
            }
            ["rules", name] => {
                let (core, id) = (Arc::clone(&self.server()?.core), self.account(name)?.id());
                core.apply_pop_rules(id).await.map_err(|error| format!("{error:?}"))?;
            }
            ["mailbox", name, mailbox] => {
                self.account(name)?.create(mailbox, None).await.map_err(|error| format!("{error:?}"))?;
            }
            ["append", name, mailbox, message, rest @ ..] => {
                let octets = variables.get(*message).ok_or_else(|| format!("there is no message {message}"))?;
                self.append(name, mailbox, octets, rest).await?;
            }
            ["quota", name, bytes] => {
                let bytes: u64 = bytes.parse().map_err(|error| format!("{bytes}: {error}"))?;
                let account = self.account(name)?;
                account.set_limits(Some(bytes), None).await.map_err(|error| format!("{error:?}"))?;
            }
            // What the running server does by itself.
            ["warn"] => self.server()?.core.warn().await,
            ["shutdown"] => self.server()?.shutdown.request(),
            ["verify"] => return self.verify(),
            _ => return Err(format!("not understood: @{}", words.join(" "))),
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let value: u64 = value.parse().map_err(|error| format!("{value}: {error}"))?;
        let size = usize::try_from(value).map_err(|error| error.to_string())?;
        let limits = &mut self.config.limits;
        match key {
            "connections" => limits.connections = size,
            "message_size" => limits.message_size = value,
            "line_before_login" => limits.line_before_login = size,
            "line_after_login" => limits.line_after_login = size,
            "protocol_errors" => limits.protocol_errors = u32::try_from(value).map_err(|error| error.to_string())?,
            "messages_per_command" => {
                limits.messages_per_command = u32::try_from(value).map_err(|error| error.to_string())?;
            }
            "recipients" => limits.recipients = size,
            "imap_idle_ms" => limits.imap_idle = Duration::from_millis(value),
            "pop3_idle_ms" => limits.pop3_idle = Duration::from_millis(value),
            "lmtp_idle_ms" => limits.lmtp_idle = Duration::from_millis(value),
            "login_delay" => self.config.pop3.login_delay = Duration::from_secs(value),
            "imap_progress_ms" => limits.imap_progress = Duration::from_millis(value),
            "write_ms" => limits.write = Duration::from_millis(value),
            "login_ms" => limits.login = Duration::from_millis(value),
            "quota_bytes" => self.config.quota.bytes = Some(value),
            "quota_messages" => self.config.quota.messages = Some(value),
            "quota_bounce" => self.config.quota.bounce = value != 0,
            "quota_grace" => self.config.quota.grace = value,
            "quota_users_may_set" => self.config.quota.users_may_set = value != 0,
            _ => return Err(format!("there is no setting {key}")),
        }
        Ok(())
    }

    async fn append(&mut self, name: &str, mailbox: &str, octets: &[u8], rest: &[&str]) -> Result<(), String> {
        let account = self.account(name)?;
        let (mut flags, mut times) = (Flags::default(), 1);
        for word in rest {
            if let Some(count) = word.strip_prefix('x').and_then(|count| count.parse().ok()) {
                times = count;
            } else if let Some(flag) = SystemFlags::from_name(word) {
                flags.system = flags.system.with(flag);
            } else {
                flags.keywords.push((*word).to_owned());
            }
        }
        for _ in 0..times {
            self.append_one(&account, mailbox, octets, flags.clone()).await.map_err(|error| format!("{error:?}"))?;
        }
        Ok(())
    }

    async fn append_one(
        &mut self,
        account: &Account,
        mailbox: &str,
        octets: &[u8],
        flags: Flags,
    ) -> Result<(), mailbox::Error> {
        let mut incoming = self.server().map_err(|_| mailbox::Error::Temporary)?.core.incoming();
        incoming.push(octets).await?;
        let staged = incoming.finish().await?;
        account.append(staged, mailbox, flags, None).await?;
        Ok(())
    }

    fn account(&mut self, name: &str) -> Result<Account, String> {
        let core = &self.server()?.core;
        let info = core.account_info(name).map_err(|error| format!("{name}: {error:?}"))?;
        core.account(info.id).map_err(|error| format!("{name}: {error:?}"))
    }

    fn server(&mut self) -> Result<&Server, String> {
        if self.server.is_none() {
            self.server = Some(Server::start(&self.config, self.directory.path())?);
        }
        self.server.as_ref().ok_or_else(|| "no server".to_owned())
    }

    /// Begins a session and returns the client's end.
    pub fn open(&mut self, open: Open) -> Result<Box<dyn Stream>, String> {
        let peer = if open.remote { REMOTE } else { Peer::LOCAL };
        let server = self.server()?;
        let (core, config, shutdown) = (Arc::clone(&server.core), Arc::clone(&server.config), server.shutdown.clone());
        let (auth, acceptor) = (Arc::clone(&server.auth), server.tls.clone());
        let class = if open.protocol == Protocol::Lmtp { Class::Lmtp } else { Class::Login };
        let admission = server.limiter.admit(&peer, class).map_err(|refusal| refusal.to_string())?;
        let (mut connection, stream) = pair_from(peer);
        let session = async move {
            if open.tls && connection.start_tls(&acceptor).await.is_err() {
                return;
            }
            let tls = Some(acceptor);
            match open.protocol {
                Protocol::Imap => {
                    let context = Arc::new(imap::Context { core, auth, tls, config, shutdown });
                    imap::serve(connection, context, admission).await;
                }
                Protocol::Pop3 => {
                    let context =
                        Arc::new(pop3::Context { core, auth, tls, config, sizes: pop3::Sizes::default(), shutdown });
                    pop3::serve(connection, admission, context).await;
                }
                Protocol::Lmtp => lmtp::serve(connection, Arc::new(lmtp::Context { core, config, shutdown })).await,
            }
        };
        self.sessions.push(self.executor.spawn(session));
        Ok(Box::new(stream))
    }

    /// Waits for the sessions to end and checks the whole store. The clients are gone by now.
    pub async fn finish(&mut self) -> Result<(), String> {
        for session in std::mem::take(&mut self.sessions) {
            timeout(ENDING, session)
                .await
                .ok_or_else(|| format!("a session has not ended {ENDING:?} after its client"))?;
        }
        self.verify()
    }

    fn verify(&self) -> Result<(), String> {
        let Some(server) = &self.server else { return Ok(()) };
        let findings = server.core.verify().map_err(|error| format!("verify: {error:?}"))?;
        if findings.is_empty() { Ok(()) } else { Err(format!("verify finds: {}", findings.join("; "))) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.sessions.clear();
        if let Some(server) = self.server.take() {
            server.core.close();
        }
    }
}

impl Server {
    fn start(config: &Config, directory: &Path) -> Result<Self, String> {
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = {
            let (system, ahead) = (Clock::system(), ahead.clone());
            Clock::new(move || system.now() + ahead.load(Ordering::Relaxed))
        };
        let core = Core::open(mailbox::Options {
            clock,
            pop3: config.pop3,
            map_size: config.map_size,
            domains: config.domains.clone(),
            catch_all: config.catch_all.clone(),
            max_message_size: config.limits.message_size,
            quota: mailnook::admin::quota_rules(&config.quota),
            retention: mailnook::admin::retention_rules(&config.retention),
            hostname: config.hostname.clone(),
            ..mailbox::Options::new(directory.join("store"))
        })?;
        let auth = Authenticator::new(Arc::clone(core.store()), &config.auth).map_err(|error| format!("{error:?}"))?;
        let files = TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        files.create_missing(&["localhost".to_owned()]).map_err(|error| error.to_string())?;
        let tls = TlsAcceptor::open(files).map_err(|error| error.to_string())?;
        let limiter = Limiter::new(&config.limits);
        Ok(Self { core, auth, tls, limiter, config: Arc::new(config.clone()), shutdown: Shutdown::new(), ahead })
    }
}

/// A directory that goes with its value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mailnook-transcript-{}-{number}", std::process::id()));
        std::fs::create_dir_all(path.join("store")).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What stays behind is in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
