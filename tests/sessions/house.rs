//! A server in a temporary directory, in-process.

use mailnook::auth::{Authenticator, hash_password};
use mailnook::config::{Config, Limits};
use mailnook::imap;
use mailnook::mailbox::{Account, Annotated, Core, Mailbox, Options};
use mailnook::net::{Class, Limiter, Peer, Shutdown, pair};
use mailnook::types::{Flags, SystemFlags, Uid};
use smol::Executor;
use smol::net::unix::UnixStream;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The server.
pub struct House {
    executor: Executor<'static>,
    directory: PathBuf,
    core: Arc<Core>,
    account: Account,
    imap: Arc<imap::Context>,
    limiter: Limiter,
}

impl House {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// A server with other limits than the defaults.
    pub fn with(change: impl FnOnce(&mut Limits)) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("mailnook-view-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("temporary directory");
        let mut config = Config::default();
        // Everything that there is.
        config.imap_hidden.clear();
        config.auth.argon2_memory = 64;
        config.auth.argon2_passes = 1;
        change(&mut config.limits);
        config.set_data_dir(directory.clone());
        let core = Core::open(Options {
            map_size: Some(64 << 20),
            max_message_size: config.limits.message_size,
            ..Options::new(directory.join("store"))
        })
        .expect("a store");
        let hash = hash_password("secret", &config.auth).expect("a hash");
        let id = smol::block_on(core.create_account("anna", Some(&hash))).expect("an account");
        let account = core.account(id).expect("the account");
        let auth = Authenticator::new(core.store().clone(), &config.auth).expect("an authenticator");
        let limiter = Limiter::new(&config.limits);
        let imap =
            imap::Context { core: core.clone(), auth, tls: None, config: Arc::new(config), shutdown: Shutdown::new() };
        Self { executor: Executor::new(), directory, core, account, imap: Arc::new(imap), limiter }
    }

    /// Runs a future together with the sessions.
    pub fn run(&self, future: impl Future<Output = ()>) {
        smol::block_on(self.executor.run(future));
    }

    /// Begins a session.
    pub fn connect(&self) -> UnixStream {
        let (connection, client) = pair();
        let admission = self.limiter.admit(&Peer::LOCAL, Class::Login).expect("few sessions");
        let session = imap::serve(connection, self.imap.clone(), admission);
        // A thousand clients wait in IDLE.
        assert!(size_of_val(&session) < 3 * 1024, "a session's future has {} octets", size_of_val(&session));
        self.executor.spawn(session).detach();
        client
    }

    /// A message from outside.
    pub async fn deliver(&self, flags: &str) {
        self.deliver_octets(flags, b"Subject: x\r\n\r\nHello\r\n").await;
    }

    /// A certain message from outside.
    pub async fn deliver_octets(&self, flags: &str, octets: &[u8]) {
        let mut set = Flags::default();
        for flag in flags.split_whitespace() {
            match SystemFlags::from_name(flag) {
                Some(system) => set.system = set.system.with(system),
                None => set.keywords.push(flag.to_owned()),
            }
        }
        let mut incoming = self.core.incoming();
        incoming.push(octets).await.expect("a message");
        let staged = incoming.finish().await.expect("a message");
        self.account.append(staged, "INBOX", set, None).await.expect("a delivery");
    }

    /// A message from outside to a mailbox, if there is one of that name.
    pub async fn deliver_to(&self, mailbox: &str) {
        let mut incoming = self.core.incoming();
        incoming.push(b"Subject: x\r\n\r\nHello\r\n").await.expect("a message");
        let staged = incoming.finish().await.expect("a message");
        let _ = self.account.append(staged, mailbox, Flags::default(), None).await;
    }

    /// anna's account, for changes that no session of the test makes.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Whether a mailbox (empty: the server) has that annotation.
    pub fn annotated(&self, mailbox: &str, entry: &str) -> bool {
        let of = if mailbox.is_empty() { Annotated::Server } else { Annotated::Mailbox(mailbox) };
        self.account.annotation(of, entry).is_ok_and(|value| value.is_some())
    }

    /// INBOX, for changes that no session of the test makes.
    pub fn mailbox(&self) -> Mailbox {
        self.account.open("INBOX").expect("INBOX")
    }

    /// INBOX's HIGHESTMODSEQ.
    pub fn highest_modseq(&self) -> u64 {
        self.mailbox().status().expect("a status").highest_modseq.0
    }

    /// What INBOX holds: UIDs with flags.
    pub fn messages(&self) -> Vec<(u32, BTreeSet<String>)> {
        let mailbox = self.account.open("INBOX").expect("INBOX");
        let snapshot = mailbox.snapshot().expect("a snapshot");
        let mut messages = Vec::new();
        let mut from = Uid(1);
        loop {
            let rows = mailbox.rows(&snapshot.uids, from).expect("rows");
            let Some(last) = rows.last() else { return messages };
            from = Uid(last.uid.0 + 1);
            for row in &rows {
                let keywords = snapshot.keywords.iter().enumerate();
                let keywords = keywords.filter(|(bit, _)| row.keywords.0 >> bit & 1 == 1).map(|(_, name)| name.clone());
                messages.push((row.uid.0, row.flags.names().map(str::to_owned).chain(keywords).collect()));
            }
        }
    }

    /// Checks the whole store.
    pub fn finish(self) {
        let findings = self.core.verify().expect("verify");
        assert!(findings.is_empty(), "{findings:?}");
        self.core.close();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
