//! A server in a temporary directory, in-process, and a client that speaks in lines.

use crate::client::Stream;
use crate::tls;
use futures_rustls::client::TlsStream;
use mailnook::auth::{Authenticator, Password, hash_password, new_device};
use mailnook::config::Config;
use mailnook::mailbox::{Core, Options};
use mailnook::net::{Class, Limiter, Peer, Shutdown, TlsAcceptor, TlsFiles, pair};
use mailnook::types::Rights;
use mailnook::{imap, pop3};
use rustls::SupportedProtocolVersion;
use smol::Executor;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The server, with the user anna whose password is `secret`.
pub struct House {
    executor: Executor<'static>,
    directory: PathBuf,
    pub core: Arc<Core>,
    pub imap: Arc<imap::Context>,
    pop3: Arc<pop3::Context>,
    tls: TlsAcceptor,
    limiter: Limiter,
}

impl House {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("mailnook-sasl-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("temporary directory");
        let mut config = Config::default();
        config.auth.argon2_memory = 64;
        config.auth.argon2_passes = 1;
        config.set_data_dir(directory.clone());
        let core = Core::open(Options {
            map_size: Some(64 << 20),
            max_message_size: config.limits.message_size,
            ..Options::new(directory.join("store"))
        })
        .expect("a store");
        let files = TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        files.create_missing(&["localhost".to_owned()]).expect("a certificate");
        let acceptor = TlsAcceptor::open(files).expect("TLS");
        let auth = Authenticator::new(core.store().clone(), &config.auth).expect("an authenticator");
        let limiter = Limiter::new(&config.limits);
        let (config, shutdown, tls) = (Arc::new(config), Shutdown::new(), Some(acceptor.clone()));
        let imap = Arc::new(imap::Context {
            core: core.clone(),
            auth: auth.clone(),
            tls: tls.clone(),
            config: config.clone(),
            shutdown: shutdown.clone(),
        });
        let pop3 =
            Arc::new(pop3::Context { core: core.clone(), auth, tls, config, sizes: pop3::Sizes::default(), shutdown });
        let house = Self { executor: Executor::new(), directory, core, imap, pop3, tls: acceptor, limiter };
        house.add_user("anna", &hash_password("secret", &house.imap.config.auth).expect("a hash"));
        house
    }

    pub fn password(&self, password: &str) -> Password {
        hash_password(password, &self.imap.config.auth).expect("a hash")
    }

    pub fn add_user(&self, name: &str, password: &Password) {
        smol::block_on(self.core.create_account(name, Some(password))).expect("an account");
    }

    /// The password of a new device.
    pub async fn add_device(&self, user: &str, name: &str, rights: Rights) -> String {
        let login = self.core.store().login(user).expect("the store").expect("the user");
        let (password, device) = new_device(&login, name, rights).expect("a device");
        self.core.add_device(user, device).await.expect("a device");
        password
    }

    /// Runs a future together with the sessions, then checks the store.
    pub fn run(self, future: impl AsyncFnOnce(&Self)) {
        smol::block_on(self.executor.run(future(&self)));
        assert_eq!(self.core.verify().expect("verify"), Vec::<String>::new());
        self.core.close();
        let _ = std::fs::remove_dir_all(&self.directory);
    }

    /// Begins a session past its greeting; `tls` are the versions of TLS that the client can, or none.
    pub async fn connect(&self, protocol: &str, tls: &[&'static SupportedProtocolVersion]) -> Client {
        let (mut connection, stream) = pair();
        let admission = self.limiter.admit(&Peer::LOCAL, Class::Login).expect("few sessions");
        let (imap, pop3, acceptor) = (self.imap.clone(), self.pop3.clone(), self.tls.clone());
        let (is_imap, is_tls) = (protocol == "imap", !tls.is_empty());
        let session = async move {
            if is_tls && connection.start_tls(&acceptor).await.is_err() {
                return;
            }
            if is_imap {
                imap::serve(connection, imap, admission).await;
            } else {
                pop3::serve(connection, admission, pop3).await;
            }
        };
        self.executor.spawn(session).detach();
        let stream: Box<dyn Stream> = Box::new(stream);
        let stream = if is_tls {
            Transport::Tls(Box::new(tls::connect_with(stream, tls).await.expect("TLS")))
        } else {
            Transport::Plain(stream)
        };
        let mut client = Client { stream };
        client.line().await;
        client
    }
}

enum Transport {
    Plain(Box<dyn Stream>),
    Tls(Box<TlsStream<Box<dyn Stream>>>),
}

/// One session.
pub struct Client {
    stream: Transport,
}

impl Client {
    pub async fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut octet = [0];
        while !line.ends_with(b"\r\n") {
            let read = match &mut self.stream {
                Transport::Plain(stream) => stream.read_exact(&mut octet).await,
                Transport::Tls(stream) => stream.read_exact(&mut octet).await,
            };
            read.expect("a line");
            line.push(octet[0]);
        }
        String::from_utf8(line).expect("UTF-8").trim_end().to_owned()
    }

    /// Sends a line and reads the answer.
    pub async fn ask(&mut self, line: &str) -> String {
        let line = format!("{line}\r\n");
        match &mut self.stream {
            Transport::Plain(stream) => stream.write_all(line.as_bytes()).await.expect("a write"),
            Transport::Tls(stream) => {
                stream.write_all(line.as_bytes()).await.expect("a write");
                stream.flush().await.expect("a write");
            }
        }
        self.line().await
    }

    /// RFC 9266 §2
    pub fn exporter(&self) -> Vec<u8> {
        let Transport::Tls(stream) = &self.stream else { panic!("no TLS") };
        let session = stream.get_ref().1;
        session.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(&[])).expect("keying material")
    }

    /// RFC 5929 §4; the server's certificate is signed with SHA-256.
    pub fn end_point(&self) -> Vec<u8> {
        use sha2::Digest as _;
        let Transport::Tls(stream) = &self.stream else { panic!("no TLS") };
        let certificate = &stream.get_ref().1.peer_certificates().expect("a certificate")[0];
        sha2::Sha256::digest(certificate).to_vec()
    }
}
