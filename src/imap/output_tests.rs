//! Commands that are one step for the store, while the writer is busy with something else.

use crate::auth::{Authenticator, hash_password};
use crate::config::Config;
use crate::imap::{self, Context};
use crate::mailbox::{Core, Options};
use crate::net::{Class, Limiter, Peer, Shutdown, pair};
use smol::Executor;
use smol::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::unix::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::Duration;

struct Client {
    core: Arc<Core>,
    stream: BufReader<UnixStream>,
}

impl Client {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.stream.read_line(&mut line).await.unwrap() > 0, "the server ended the session");
        line
    }

    async fn send(&mut self, command: &str) {
        self.stream.get_mut().write_all(format!("a {command}\r\n").as_bytes()).await.unwrap();
    }

    /// Untagged responses and the tagged one.
    async fn answer(&mut self) -> Vec<String> {
        let mut lines = vec![self.line().await];
        while !lines.last().is_some_and(|line| line.starts_with("a ")) {
            lines.push(self.line().await);
        }
        lines
    }

    async fn ok(&mut self, command: &str) {
        self.send(command).await;
        let answer = self.answer().await;
        assert!(answer.last().unwrap().starts_with("a OK "), "{command}: {answer:?}");
    }

    /// Runs a command while the writer waits for the client to hear twice that it goes on.
    async fn held(&mut self, command: &str) {
        let (release, held) = mpsc::channel::<()>();
        let job = self.core.store().write(move |_| {
            let _ = held.recv();
            Ok(())
        });
        self.send(command).await;
        for _ in 0..2 {
            assert_eq!(self.line().await, "* OK [INPROGRESS (\"a\" NIL NIL)] Still at work\r\n", "{command}");
        }
        drop(release);
        job.await.unwrap();
        let answer = self.answer().await;
        assert!(answer.last().unwrap().starts_with("a OK "), "{command}: {answer:?}");
    }
}

#[test]
fn copy_move_and_expunge_tell_that_they_go_on() {
    let path = std::env::temp_dir().join(format!("mailnook-imap-output-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    let mut config = Config::default();
    (config.auth.argon2_memory, config.auth.argon2_passes) = (64, 1);
    config.limits.imap_progress = Duration::from_millis(5);
    let core = Core::open(Options { map_size: Some(64 << 20), ..Options::new(path.clone()) }).unwrap();
    let auth = Authenticator::new(Arc::clone(core.store()), &config.auth).unwrap();
    let hash = hash_password("secret", &config.auth).unwrap();
    let limiter = Limiter::new(&config.limits);
    let executor = Executor::new();
    smol::block_on(executor.run(async {
        core.create_account("anna", Some(&hash)).await.unwrap();
        let (connection, stream) = pair();
        let context = Context { core: core.clone(), auth, tls: None, config: config.into(), shutdown: Shutdown::new() };
        let admission = limiter.admit(&Peer::LOCAL, Class::Login).unwrap();
        let session = executor.spawn(imap::serve(connection, Arc::new(context), admission));
        let mut client = Client { core: core.clone(), stream: BufReader::new(stream) };
        client.line().await;
        client.ok("LOGIN anna secret").await;
        for _ in 0..4 {
            client.ok("APPEND INBOX {7+}\r\nA: b\r\n\r\n").await;
        }
        client.ok("SELECT INBOX").await;
        client.held("COPY 1:4 Archive").await;
        client.held("MOVE 1 Archive").await;
        client.held("UID MOVE 2 Archive").await;
        client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)").await;
        client.held("UID EXPUNGE 3").await;
        client.held("EXPUNGE").await;
        client.ok("LOGOUT").await;
        session.await;
    }));
    assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    core.close();
    let _ = std::fs::remove_dir_all(&path);
}
