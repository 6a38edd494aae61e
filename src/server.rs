//! The composition root: opens what everything stands on, wires it, supervises the sessions, stops.
//!
//! The executor has a fixed number of threads, the main thread among them. Each connection is one task; a panic in it
//! is logged and ends that session alone. On SIGTERM or SIGINT the sessions are asked to say goodbye; when they have,
//! or after [`GRACE`], the store is closed, which makes everything that was accepted durable.

mod accept;
mod activation;
mod bind;
mod keeping;
mod leap;
mod process;
mod sandbox;
mod session;
mod signals;
pub mod systemd;

use crate::admin::{self, DataDir, Protocol, Refused, Registry, Running, exit};
use crate::auth::{Authenticator, Cost, generate_password};
use crate::config::Config;
use crate::mailbox::Core;
use crate::net::{Limiter, Shutdown, Socket, TlsAcceptor, TlsFiles};
use bind::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use systemd::Manager;

/// So many seconds back a clock is told of.
const CLOCK_LAG_TOLD: i64 = 60;

/// How long sessions may take for their farewell; closing the store has the rest of the two seconds.
const GRACE: Duration = Duration::from_millis(1_500);
const GRACE_STEP: Duration = Duration::from_millis(10);

/// What the service manager is told of a server that serves.
const SERVING: &str = "Serving";

/// Why the server does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// For the operator; every listener that cannot be had has its own.
    pub texts: Vec<String>,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, texts: vec![text.into()] }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::new(refused.code, refused.text)
    }
}

/// A server that is ready to run: it has the store, the certificate and all its listeners.
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<Bound>,
    signals: async_signal::Signals,
    // Last: the directory is given up after everything in it.
    data_dir: DataDir,
}

/// What all tasks of the server share.
struct Shared {
    executor: smol::Executor<'static>,
    config: Arc<Config>,
    core: Arc<Core>,
    cost: Arc<Cost>,
    tls: TlsAcceptor,
    limiter: Limiter,
    registry: Arc<Registry>,
    shutdown: Shutdown,
    protocols: session::Contexts,
}

impl Server {
    /// Takes the data directory, opens the store, reads or makes the certificate, and listens. Blocks.
    ///
    /// # Errors
    /// Everything that is in the way.
    pub fn start(mut config: Config) -> Result<Self, Failure> {
        process::prepare(&config);
        let bind = |config: &Config| bind::public(config).map_err(|texts| Failure { code: exit::TEMPORARY, texts });
        // Root binds the low ports before it becomes the owner of the mail. Everybody else first finds out whether
        // another server has the directory, which says more than that it has the ports.
        let early = if admin::is_foreign_to_root(&config.data_dir) {
            let sockets = bind(&config)?;
            if let Some(socket) = &config.listen.lmtp_socket
                && let Err(error) = admin::give_to_owner(socket, &config.data_dir)
            {
                log::warn!("{} stays root's: {error}", socket.display());
            }
            Some(sockets)
        } else {
            None
        };
        let data_dir = DataDir::claim(&config.data_dir)?;
        config.set_data_dir(data_dir.path().to_owned());
        let sandbox = sandbox::enter(&config);
        log::info!("sandbox: {sandbox}");
        let core = admin::open(&config, &data_dir).map_err(|text| Failure::new(exit::TEMPORARY, text))?;
        if let Ok(Some(name)) = core.idle_catch_all() {
            log::warn!("catch_all = {name:?}: there is no such user, so that it catches nothing");
        }
        let sockets = early.map_or_else(|| bind(&config), Ok);
        let wired = sockets.and_then(|sockets| Self::wire(config, Arc::clone(&core), (data_dir, sandbox), sockets));
        if wired.is_err() {
            core.close();
        }
        wired
    }

    fn wire(
        config: Config,
        core: Arc<Core>,
        (data_dir, sandbox): (DataDir, String),
        sockets: Vec<(Protocol, Socket)>,
    ) -> Result<Self, Failure> {
        let tls = certificate(&config)?;
        let cost = Cost::open(&config.auth, data_dir.path());
        cost.tell();
        let auth = Authenticator::with_cost(Arc::clone(core.store()), &config.auth, Arc::clone(&cost))
            .map_err(|error| Failure::new(exit::CONFIG, error.to_string()))?;
        let failed = |text: String| Failure::new(exit::TEMPORARY, text);
        let listeners = sockets.into_iter().map(|(protocol, socket)| Bound::new(protocol, socket));
        let listeners =
            listeners.chain(std::iter::once_with(|| bind::control(&data_dir))).collect::<Result<Vec<_>, _>>();
        let listeners = listeners.map_err(failed)?;
        let config = Arc::new(config);
        let registry = Registry::new();
        let shutdown = Shutdown::new();
        let signals = signals::catch()
            .map_err(|error| Failure::new(exit::TEMPORARY, format!("signals cannot be caught: {error}")))?;
        let running = Running {
            registry: Arc::clone(&registry),
            places: listeners.iter().filter_map(|bound| Some((bound.protocol, bound.listener.address()?))).collect(),
            tls: Some(tls.clone()),
            shutdown: shutdown.clone(),
            sandbox,
        };
        let admin = admin::Context {
            core: Arc::clone(&core),
            config: Arc::clone(&config),
            cost: Arc::clone(&cost),
            running: Some(running),
        };
        let protocols = session::Contexts::new(&core, &auth, &tls, &config, &shutdown, admin);
        let limiter = Limiter::new(&config.limits);
        let executor = smol::Executor::new();
        let shared = Shared { executor, config, core, cost, tls, limiter, registry, shutdown, protocols };
        Ok(Self { shared: Arc::new(shared), listeners, signals, data_dir })
    }

    /// The names of all users.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn users(&self) -> Result<Vec<String>, Failure> {
        let accounts = self.shared.core.accounts();
        let accounts =
            accounts.map_err(|_| Failure::new(exit::TEMPORARY, "the store cannot be read; the log says more"))?;
        Ok(accounts.into_iter().map(|account| account.name).collect())
    }

    /// Makes an account with a new password, which is the answer. Blocks.
    ///
    /// # Errors
    /// The store refuses.
    pub fn create_user(&self, name: &str) -> Result<String, Failure> {
        let password = generate_password();
        let created = admin::create_user(&self.shared.core, name, password.clone(), &self.shared.cost);
        smol::block_on(created).map_err(|text| Failure::new(exit::TEMPORARY, text))?;
        Ok(password)
    }

    /// The data directory, absolute.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// The fingerprint of the certificate in use.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.shared.tls.fingerprint()
    }

    /// Every listener for people: its protocol, its place, and how TLS comes in.
    #[must_use]
    pub fn places(&self) -> Vec<(&'static str, String, &'static str)> {
        self.listeners.iter().filter_map(Bound::place).collect()
    }

    /// Serves until SIGTERM or SIGINT, then ends every session and closes the store. `manager` hears of it.
    pub fn run(self, manager: &Manager) {
        let Self { shared, listeners, signals, data_dir } = self;
        log::info!("mailnook {} started, data in {}", env!("CARGO_PKG_VERSION"), data_dir.path().display());
        if let Ok(lag @ CLOCK_LAG_TOLD..) = shared.core.clock_lag() {
            log::warn!(
                "the clock is {lag} s behind the latest mail in the store; mail gets that later date until the clock is past it, or until `mailnook trust-clock` says that it is right"
            );
        }
        if listeners.iter().all(|bound| matches!(bound.protocol, Protocol::Lmtp | Protocol::Control)) {
            log::warn!("no port for mail programs is open: set imaps in [listen], or enable mailnook.socket");
        }
        let latest = shared.core.latest().unwrap_or_default();
        for bound in listeners {
            log::info!("listening: {bound}");
            shared.executor.spawn(accept::run(Arc::clone(&shared), bound)).detach();
        }
        shared.executor.spawn(keeping::run(Arc::clone(&shared), latest)).detach();
        for number in 1..shared.config.threads {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("executor-{number}"));
            let forever = move || smol::block_on(shared.executor.run(std::future::pending::<()>()));
            if let Err(error) = thread.spawn(forever) {
                log::warn!("no thread for the executor, going on with fewer: {error}");
            }
        }
        shared.measure();
        manager.ready(SERVING);
        smol::block_on(shared.executor.run(shared.supervise(signals, manager)));
        shared.core.close();
        log::info!("mailnook ended");
    }
}

impl Shared {
    /// At the first start what a password hash may cost is measured, beside everything else; logins wait for it.
    fn measure(&self) {
        if self.cost.known().is_some() {
            return;
        }
        let cost = Arc::clone(&self.cost);
        let thread = std::thread::Builder::new().name("measure".to_owned()).spawn(move || cost.get());
        if let Err(error) = thread {
            log::warn!("no thread to measure password hashes, the first login does it: {error}");
        }
    }

    /// Waits for the end, keeps the certificate fresh meanwhile, and lets the sessions end.
    async fn supervise(&self, signals: async_signal::Signals, manager: &Manager) {
        let stopped = signals::until_stopped(signals, &self.tls, manager);
        smol::future::or(stopped, self.prove_life(manager)).await;
        manager.stopping();
        self.shutdown.request();
        let deadline = Instant::now() + GRACE;
        while !self.registry.is_idle() && Instant::now() < deadline {
            async_io::Timer::after(GRACE_STEP).await;
        }
        if !self.registry.is_idle() {
            log::warn!("some sessions did not end in time and are cut");
        }
    }
}

impl Shared {
    /// Tells the service manager again and again that sessions get their turn, that the store can be read and that its
    /// writer works. It hears nothing while one of them hangs, and then starts the service anew.
    async fn prove_life(&self, manager: &Manager) {
        let Some(interval) = manager.watchdog() else { return std::future::pending().await };
        loop {
            let core = Arc::clone(&self.core);
            // As a task of its own: it must come to its turn like a session.
            match self.executor.spawn(async move { core.pulse().await }).await {
                Ok(()) => manager.alive(),
                Err(error) => log::error!("the store does not answer: {error:?}"),
            }
            async_io::Timer::after(interval / 2).await;
        }
    }
}

/// The configured certificate, or the one in the data directory, made now where it is missing.
fn certificate(config: &Config) -> Result<TlsAcceptor, Failure> {
    let failed = |error: crate::net::TlsError| Failure::new(exit::CONFIG, error.to_string());
    let files = if let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) {
        TlsFiles { certificate: certificate.clone(), key: key.clone() }
    } else {
        let files = TlsFiles { certificate: config.data_dir.join("cert.pem"), key: config.data_dir.join("key.pem") };
        let mut names = vec![config.hostname.clone()];
        names.extend(config.tls.names.iter().cloned());
        if files.create_missing(&names).map_err(failed)? {
            log::info!("tls: made a certificate for {}", names.join(", "));
        }
        files
    };
    TlsAcceptor::open(files).map_err(failed)
}
