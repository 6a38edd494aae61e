//! A small server for whole sessions: the input is what a client sends, cut into writes of equal size, and then it
//! closes its side. Every session starts from the same store, which is made anew only where the last one changed it.

pub mod imap_client;

use mailnook::auth::{Authenticator, Password, hash_password};
use mailnook::config::Config;
use mailnook::mailbox::{Account, Core, Options};
use mailnook::net::{Class, Connection, Limiter, Peer, Shutdown, TlsAcceptor, TlsFiles, pair};
use mailnook::types::{Flags, PopDelete, SystemFlags};
use mailnook::{imap, lmtp, pop3};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::unix::UnixStream;
use std::cell::RefCell;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Which session the client has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Imap,
    Pop3,
    Lmtp,
}

/// What came of a session.
pub struct Played {
    /// All that the server sent.
    pub output: Vec<u8>,
    /// Whether the session ended by itself; otherwise it was cut, as one that waits after a failed login.
    pub ended: bool,
    /// Whether it left another store behind than it found.
    pub changed: bool,
    /// How many messages there are more than before.
    pub arrived: i64,
}

/// A session that takes longer waits: for the delay of a failed login, or for octets of a TLS handshake.
const PATIENCE: Duration = Duration::from_millis(100);

/// An LMTP session waits for nothing: one that takes longer hangs, however busy the machine is.
const LMTP_PATIENCE: Duration = Duration::from_secs(20);

/// Stores that are dropped without a look at each of their octets; the next one is verified.
const VERIFY_EVERY: u32 = 64;

/// Stores that are made in one environment, before a fresh one.
const ENVIRONMENT_FOR: u32 = 4096;

const MESSAGES: [(&str, &[u8]); 4] = [
    (
        "INBOX",
        b"From: A <a@example.org>\r\nTo: anna@example.org\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\nHi\r\n.\r\n",
    ),
    ("INBOX", b"no header at all"),
    ("INBOX", include_bytes!("nested.eml")),
    ("Trash", b"Subject: =?utf-8?q?=C3=A4?=\r\nReferences: <1@x>\r\n\r\n\0\xff\r\r\n"),
];

struct House {
    directory: PathBuf,
    config: Arc<Config>,
    core: Arc<Core>,
    tls: TlsAcceptor,
    limiter: Limiter,
    password: Password,
    auth: Arc<Authenticator>,
    accounts: Vec<Account>,
    /// The store as sessions find it.
    fresh: String,
    made: u32,
}

thread_local! {
    static HOUSE: RefCell<Option<House>> = const { RefCell::new(None) };
}

/// Plays one session and checks the store where it changed.
pub fn play(door: Door, before: &[u8], data: &[u8]) -> Played {
    HOUSE.with_borrow_mut(|place| {
        let mut house = place.take().unwrap_or_else(House::new);
        let played = house.play(door, before, data);
        if played.changed {
            house.made += 1;
            if house.made % VERIFY_EVERY == 0 {
                let findings = house.core.verify().expect("verify");
                assert!(findings.is_empty(), "{findings:?}");
            }
            house.furnish();
        }
        *place = if house.made < ENVIRONMENT_FOR { Some(house) } else { house.leave() };
        played
    })
}

impl House {
    fn new() -> Self {
        // In memory where that can be had: each commit waits for its file.
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let directory = parent.join(format!("mailnook-fuzz-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(directory.join("store")).expect("a directory");
        let mut config = Config { hostname: "mail.example.org".to_owned(), ..Config::default() };
        config.set_data_dir(directory.clone());
        config.auth.argon2_memory = 64;
        config.auth.argon2_passes = 1;
        config.domains = vec!["example.org".to_owned()];
        // Limits that short inputs reach.
        config.limits.message_size = 2048;
        config.limits.line_before_login = 512;
        config.limits.line_after_login = 1024;
        config.limits.recipients = 8;
        // What QUIT removes is gone, so that a store which a session changed is seen to be another one.
        config.pop3.delete = PopDelete::Expunge;
        let core = Core::open(Options {
            pop3: config.pop3,
            map_size: Some(256 << 20),
            domains: config.domains.clone(),
            max_message_size: config.limits.message_size,
            ..Options::new(directory.join("store"))
        })
        .expect("a store");
        let password = hash_password("secret", &config.auth).expect("a hash");
        let files = TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        files.create_missing(&["localhost".to_owned()]).expect("a certificate");
        let tls = TlsAcceptor::open(files).expect("TLS");
        let limiter = Limiter::new(&config.limits);
        let auth = Authenticator::new(Arc::clone(core.store()), &config.auth).expect("an authenticator");
        let (config, accounts, fresh) = (Arc::new(config), Vec::new(), String::new());
        let mut house = Self { directory, config, core, tls, limiter, password, auth, accounts, fresh, made: 0 };
        house.furnish();
        house
    }

    /// Accounts and messages as at the beginning.
    fn furnish(&mut self) {
        smol::block_on(async {
            for name in ["anna", "bert"] {
                if self.core.account_info(name).is_ok() {
                    self.core.remove_account(name).await.expect("no account");
                }
                self.core.create_account(name, Some(&self.password)).await.expect("an account");
            }
            self.core.add_alias("anna", "a.smith").await.expect("an alias");
            self.accounts.clear();
            for name in ["anna", "bert"] {
                let id = self.core.account_info(name).expect("an account").id;
                self.accounts.push(self.core.account(id).expect("an account"));
            }
            let anna = self.accounts.first().expect("anna");
            for name in ["lists", "Work/Old"] {
                anna.create(name, None).await.expect("a mailbox");
            }
            for (mailbox, octets) in MESSAGES {
                let mut incoming = self.core.incoming();
                incoming.push(octets).await.expect("a message");
                let staged = incoming.finish().await.expect("a message");
                let system = SystemFlags::from_name("\\Seen").expect("a flag");
                let flags = Flags { system: SystemFlags::default().with(system), keywords: vec!["Todo".to_owned()] };
                anna.append(staged, mailbox, flags, None).await.expect("room");
            }
        });
        self.fresh = self.picture().0;
    }

    /// Everything that a session may change, and how many messages there are.
    fn picture(&self) -> (String, i64) {
        let (mut text, mut messages) = (String::new(), 0);
        for account in &self.accounts {
            let list = account.list().expect("a list");
            for entry in list.iter().filter(|entry| entry.mailbox.is_some()) {
                let status = account.status(&entry.name).expect("a status");
                messages += i64::from(status.messages);
                // A look takes the mark of new messages; that alone is no other store.
                text.push_str(&format!("{:?}", mailnook::mailbox::Status { recent: 0, ..status }));
            }
            text.push_str(&format!("{list:?}"));
        }
        (text, messages)
    }

    fn play(&mut self, door: Door, before: &[u8], data: &[u8]) -> Played {
        let (&split, octets) = data.split_first().unwrap_or((&0, b""));
        let octets = [before, octets].concat();
        let size = if split == 0 { octets.len().max(1) } else { usize::from(split) };
        let (connection, client) = pair();
        let session = self.session(door, connection);
        let mut output = Vec::new();
        let talk = async {
            let (reading, writing) = (client.clone(), client);
            smol::future::zip(write(writing, &octets, size), read(reading, &mut output)).await;
        };
        let all = async {
            smol::future::zip(session, talk).await;
            true
        };
        let given_up = async {
            smol::Timer::after(if door == Door::Lmtp { LMTP_PATIENCE } else { PATIENCE }).await;
            false
        };
        let ended = smol::block_on(smol::future::or(all, given_up));
        if !ended || contains(&output, b"AUTHENTICATIONFAILED") || contains(&output, b"[AUTH]") {
            // Without the failures of this session.
            let store = Arc::clone(self.core.store());
            self.auth = Authenticator::new(store, &self.config.auth).expect("an authenticator");
        }
        let (text, messages) = self.picture();
        let here = i64::try_from(MESSAGES.len()).unwrap_or(0);
        Played { output, ended, changed: text != self.fresh, arrived: messages - here }
    }

    fn session(&self, door: Door, connection: Connection) -> impl Future<Output = ()> + use<> {
        let (core, config, shutdown) = (Arc::clone(&self.core), Arc::clone(&self.config), Shutdown::new());
        let (auth, tls) = (Arc::clone(&self.auth), Some(self.tls.clone()));
        let class = if door == Door::Lmtp { Class::Lmtp } else { Class::Login };
        let admission = self.limiter.admit(&Peer::LOCAL, class).expect("one session");
        async move {
            match door {
                Door::Imap => {
                    let context = imap::Context { core, auth, tls, config, shutdown };
                    imap::serve(connection, Arc::new(context), admission).await;
                }
                Door::Pop3 => {
                    let context = pop3::Context { core, auth, tls, config, sizes: pop3::Sizes::default(), shutdown };
                    pop3::serve(connection, admission, Arc::new(context)).await;
                }
                Door::Lmtp => lmtp::serve(connection, Arc::new(lmtp::Context { core, config, shutdown })).await,
            }
        }
    }

    fn leave(self) -> Option<Self> {
        self.core.close();
        let _ = std::fs::remove_dir_all(&self.directory);
        None
    }
}

async fn write(mut client: UnixStream, octets: &[u8], size: usize) {
    for piece in octets.chunks(size) {
        if client.write_all(piece).await.is_err() {
            return;
        }
        smol::future::yield_now().await;
    }
    let _ = client.shutdown(std::net::Shutdown::Write);
}

async fn read(mut client: UnixStream, output: &mut Vec<u8>) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = client.read(&mut piece).await {
        output.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

pub fn contains(octets: &[u8], wanted: &[u8]) -> bool {
    octets.windows(wanted.len()).any(|window| window == wanted)
}
