//! The server's side: a fresh store, its accounts, and a session task for each client.

use super::client::Stream;
use super::pattern::Variables;
use super::script::{Open, Protocol};
use mailnook::auth::{Authenticator, hash_password};
use mailnook::config::Config;
use mailnook::mailbox::{Core, Options};
use mailnook::net::{Class, Limiter, Peer, Shutdown, TlsAcceptor, TlsFiles, pair};
use mailnook::types::{Flags, SystemFlags};
use mailnook::{imap, lmtp, pop3};
use smol::{Executor, Task};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long the sessions may take to end after their clients.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plenty for a test's store.
const MAP_SIZE: usize = 512 << 20;

/// A server in a temporary directory.
pub struct World {
    executor: Arc<Executor<'static>>,
    directory: PathBuf,
    config: Config,
    server: Option<Server>,
    sessions: Vec<Task<()>>,
}

struct Server {
    core: Arc<Core>,
    imap: Arc<imap::Context>,
    pop3: Arc<pop3::Context>,
    lmtp: Arc<lmtp::Context>,
    limiter: Limiter,
    shutdown: Shutdown,
}

impl World {
    pub fn new() -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("mailnook-transcript-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut config = Config { hostname: "mail.example.org".to_owned(), ..Config::default() };
        config.auth.argon2_memory = 64;
        config.auth.argon2_passes = 1;
        config.set_data_dir(directory.clone());
        Ok(Self { executor: Arc::new(Executor::new()), directory, config, server: None, sessions: Vec::new() })
    }

    /// Runs the sessions; the client's side must run on it too.
    pub fn executor(&self) -> Arc<Executor<'static>> {
        Arc::clone(&self.executor)
    }

    /// Does what an `@` line says.
    pub async fn setup(&mut self, words: &[String], variables: &Variables) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["set", key, value] => self.set(key, value),
            ["domains", ref domains @ ..] => {
                self.config.domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
                self.before_start()
            }
            ["catch-all", name] => {
                self.config.catch_all = Some(name.to_owned());
                self.before_start()
            }
            ["user", name, password] => {
                let hash = hash_password(password, &self.config.auth).map_err(|error| format!("{error:?}"))?;
                let made = self.server()?.core.create_account(name, Some(&hash)).await;
                made.map(|_| ()).map_err(|error| format!("{error:?}"))
            }
            ["alias", name, alias] => {
                self.server()?.core.add_alias(name, alias).await.map_err(|error| format!("{error:?}"))
            }
            ["mailbox", name, mailbox] => {
                let account = self.account(name)?;
                account.create(mailbox, None).await.map(|_| ()).map_err(|error| format!("{error:?}"))
            }
            ["append", name, mailbox, message, ref flags @ ..] => {
                let octets = variables.get(message).ok_or_else(|| format!("there is no message {message:?}"))?;
                self.append(name, mailbox, octets, flags).await
            }
            ["shutdown"] => {
                self.server()?.shutdown.request();
                Ok(())
            }
            _ => Err(format!("not understood: @{}", words.join(" "))),
        }
    }

    /// Begins a session and returns the client's end.
    pub fn open(&mut self, open: Open) -> Result<Box<dyn Stream>, String> {
        let server = self.server()?;
        let (mut connection, client) = pair();
        let peer = Peer { address: Some([192, 0, 2, 7].into()), port: 40_000 };
        if open.remote {
            connection.set_peer(peer);
        }
        let class = if open.protocol == Protocol::Lmtp { Class::Lmtp } else { Class::Login };
        let admission = server.limiter.admit(connection.peer(), class).map_err(|refusal| refusal.to_string())?;
        let tls = server.imap.tls.clone().filter(|_| open.tls);
        let (imap, pop3, lmtp) = (server.imap.clone(), server.pop3.clone(), server.lmtp.clone());
        let session = async move {
            if let Some(tls) = tls
                && connection.start_tls(&tls).await.is_err()
            {
                return;
            }
            match open.protocol {
                Protocol::Imap => imap::serve(connection, imap, admission).await,
                Protocol::Pop3 => pop3::serve(connection, admission, pop3).await,
                Protocol::Lmtp => {
                    lmtp::serve(connection, lmtp).await;
                    drop(admission);
                }
            }
        };
        self.sessions.push(self.executor.spawn(session));
        Ok(Box::new(client))
    }

    /// Waits for the sessions to end and checks the whole store.
    pub async fn finish(&mut self) -> Result<(), String> {
        let sessions = std::mem::take(&mut self.sessions);
        let ended = async {
            for session in sessions {
                session.await;
            }
            true
        };
        let late = async {
            smol::Timer::after(PATIENCE).await;
            false
        };
        if !smol::future::or(ended, late).await {
            return Err("a session does not end when its client is gone".to_owned());
        }
        let Some(server) = &self.server else { return Ok(()) };
        let findings = server.core.verify().map_err(|error| format!("{error:?}"))?;
        if findings.is_empty() { Ok(()) } else { Err(format!("verify: {}", findings.join("; "))) }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number: u64 = value.parse().map_err(|_| format!("not a number: {value}"))?;
        let count = usize::try_from(number).map_err(|error| error.to_string())?;
        let limits = &mut self.config.limits;
        match key {
            "message_size" => limits.message_size = number,
            "line_before_login" => limits.line_before_login = count,
            "line_after_login" => limits.line_after_login = count,
            "protocol_errors" => limits.protocol_errors = u32::try_from(number).map_err(|error| error.to_string())?,
            "recipients" => limits.recipients = count,
            "imap_idle" => limits.imap_idle = Duration::from_secs(number),
            "pop3_idle" => limits.pop3_idle = Duration::from_secs(number),
            "lmtp_idle" => limits.lmtp_idle = Duration::from_secs(number),
            "login" => limits.login = Duration::from_secs(number),
            "write" => limits.write = Duration::from_secs(number),
            _ => return Err(format!("no limit of that name: {key}")),
        }
        self.before_start()
    }

    fn before_start(&self) -> Result<(), String> {
        if self.server.is_some() {
            return Err("the configuration comes before the first account or session".to_owned());
        }
        Ok(())
    }

    fn account(&mut self, name: &str) -> Result<mailnook::mailbox::Account, String> {
        let core = &self.server()?.core;
        let id = core.account_info(name).map_err(|error| format!("{name}: {error:?}"))?.id;
        core.account(id).map_err(|error| format!("{name}: {error:?}"))
    }

    async fn append(&mut self, name: &str, mailbox: &str, octets: &[u8], flags: &[&str]) -> Result<(), String> {
        let account = self.account(name)?;
        let mut times = 1;
        let mut set = Flags::default();
        for flag in flags {
            if let Some(count) = flag.strip_prefix('x').and_then(|count| count.parse::<u32>().ok()) {
                times = count;
            } else if let Some(system) = SystemFlags::from_name(flag) {
                set.system = set.system.with(system);
            } else {
                set.keywords.push((*flag).to_owned());
            }
        }
        for _ in 0..times {
            let mut incoming = self.server()?.core.incoming();
            incoming.push(octets).await.map_err(|error| format!("{error:?}"))?;
            let staged = incoming.finish().await.map_err(|error| format!("{error:?}"))?;
            account.append(staged, mailbox, set.clone(), None).await.map_err(|error| format!("{error:?}"))?;
        }
        Ok(())
    }

    fn server(&mut self) -> Result<&Server, String> {
        if self.server.is_none() {
            self.server = Some(self.start()?);
        }
        self.server.as_ref().ok_or_else(|| "no server".to_owned())
    }

    fn start(&self) -> Result<Server, String> {
        let config = Arc::new(self.config.clone());
        let core = Core::open(Options {
            path: self.directory.join("store"),
            map_size: Some(MAP_SIZE),
            domains: config.domains.clone(),
            catch_all: config.catch_all.clone(),
            max_message_size: config.limits.message_size,
        })?;
        let auth = Authenticator::new(core.store().clone(), &config.auth).map_err(|error| format!("{error:?}"))?;
        let files = TlsFiles { certificate: self.directory.join("cert.pem"), key: self.directory.join("key.pem") };
        files.create_missing(&[]).map_err(|error| error.to_string())?;
        let tls = Some(TlsAcceptor::open(files).map_err(|error| error.to_string())?);
        let shutdown = Shutdown::new();
        Ok(Server {
            imap: Arc::new(imap::Context {
                core: core.clone(),
                auth: auth.clone(),
                tls: tls.clone(),
                config: config.clone(),
                shutdown: shutdown.clone(),
            }),
            pop3: Arc::new(pop3::Context {
                core: core.clone(),
                auth,
                tls,
                config: config.clone(),
                shutdown: shutdown.clone(),
            }),
            limiter: Limiter::new(&config.limits),
            lmtp: Arc::new(lmtp::Context { core: core.clone(), config, shutdown: shutdown.clone() }),
            core,
            shutdown,
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.sessions.clear();
        if let Some(server) = self.server.take() {
            server.core.close();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
