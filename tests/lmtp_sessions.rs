//! LMTP sessions over a socket pair against a real store: what the transcripts in tests/lmtp cannot say.

use mailnook::config::Config;
use mailnook::lmtp::{self, Context};
use mailnook::mailbox::{Core, Options};
use mailnook::net::{self, Shutdown};
use mailnook::types::Uid;
use proptest::prelude::*;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A store with the accounts anna and bob in a directory of its own; dropped: checked and removed.
struct Server {
    path: PathBuf,
    context: Arc<Context>,
}

impl Server {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("mailnook-lmtp-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let mut config = Config { hostname: "mail.example.org".to_owned(), ..Config::default() };
        change(&mut config);
        let options = Options {
            map_size: Some(256 << 20),
            max_message_size: config.limits.message_size,
            ..Options::new(path.clone())
        };
        let core = Core::open(options).unwrap();
        smol::block_on(async {
            core.create_account("anna", None).await.unwrap();
            core.create_account("bob", None).await.unwrap();
        });
        Self { path, context: Arc::new(Context { core, config: Arc::new(config), shutdown: Shutdown::new() }) }
    }

    /// Sends the pieces, cuts the line if `cut`, and answers all that the server said.
    fn talk(&self, pieces: &[&[u8]], cut: bool) -> String {
        let (connection, mut peer) = net::pair();
        let client = async {
            let mut reading = peer.clone();
            let send = async {
                for piece in pieces {
                    if peer.write_all(piece).await.is_err() {
                        break;
                    }
                }
                let _ = if cut { peer.shutdown(std::net::Shutdown::Both) } else { Ok(()) };
            };
            let receive = async {
                let mut text = Vec::new();
                let _ = reading.read_to_end(&mut text).await;
                String::from_utf8(text).unwrap()
            };
            smol::future::zip(send, receive).await.1
        };
        smol::block_on(async {
            let both = smol::future::zip(lmtp::serve(connection, Arc::clone(&self.context)), client);
            net::timeout(Duration::from_mins(1), both).await.expect("the session hangs").1
        })
    }

    /// The messages of an account's INBOX, whole.
    fn inbox(&self, name: &str) -> Vec<Vec<u8>> {
        let core = &self.context.core;
        let account = core.account(core.resolve(name).unwrap().account).unwrap();
        let mailbox = account.open("INBOX").unwrap();
        let next = mailbox.snapshot().unwrap().status.uid_next.0;
        let messages = (1..next).map(|uid| mailbox.message(Uid(uid)).unwrap());
        messages
            .map(|message| {
                let mut octets = Vec::new();
                loop {
                    let piece = message.read(octets.len() as u64, 16384).unwrap();
                    if piece.is_empty() {
                        assert_eq!(octets.len() as u64, message.size());
                        return octets;
                    }
                    octets.extend_from_slice(&piece);
                }
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.context.core.verify().unwrap(), Vec::<String>::new());
        }
        self.context.core.close();
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

const ENVELOPE: &str = "LHLO mx\r\nMAIL FROM:<carol@example.net>\r\nRCPT TO:<anna>\r\nRCPT TO:<bob>\r\n";

/// What follows the lines that the delivery added.
fn original(message: &[u8]) -> &[u8] {
    let lines = message.split_inclusive(|octet| *octet == b'\n').take(5);
    let prefix: usize = lines.map(<[u8]>::len).sum();
    &message[prefix..]
}

#[test]
fn a_message_is_stored_as_it_came_for_everybody() {
    let server = Server::new(|_| {});
    let body = b"Subject: x\r\n\r\n\0\xff..\r\n.dot\r\n\r\n".as_slice();
    let mut input = format!("{ENVELOPE}DATA\r\n").into_bytes();
    input.extend_from_slice(b"Subject: x\r\n\r\n\0\xff..\r\n..dot\r\n\r\n.\r\nQUIT\r\n");
    // In one piece, then octet by octet.
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    for pieces in [vec![input.as_slice()], octets] {
        let text = server.talk(&pieces, false);
        assert_eq!(text.matches("250 2.1.5 Delivered").count(), 2, "{text}");
        assert!(text.ends_with("221 2.0.0 Bye\r\n"), "{text}");
    }
    for (name, messages) in [("anna", server.inbox("anna")), ("bob", server.inbox("bob"))] {
        assert_eq!(messages.len(), 2);
        for message in messages {
            assert_eq!(original(&message), body);
            let text = String::from_utf8_lossy(&message).into_owned();
            let start = format!(
                "Return-Path: <carol@example.net>\r\nDelivered-To: {name}\r\nReceived: from mx (local socket)\r\n\
                 \tby mail.example.org (mailnook) with LMTP id "
            );
            assert!(text.starts_with(&start), "{text}");
        }
    }
}

#[test]
fn a_large_message_streams() {
    let server = Server::new(|_| {});
    let line = [[b'x'; 70].as_slice(), b"\r\n"].concat();
    let body = [b"Subject: large\r\n\r\n".as_slice(), &line.repeat(150_000)].concat();
    let head = format!("{ENVELOPE}DATA\r\n");
    let text = server.talk(&[head.as_bytes(), &body, b".\r\nQUIT\r\n"], false);
    assert_eq!(text.matches("250 2.1.5 Delivered").count(), 2, "{text}");
    assert_eq!(original(&server.inbox("bob")[0]), body);
}

#[test]
fn a_cut_at_any_place_stores_nothing() {
    let server = Server::new(|_| {});
    let data = format!("{ENVELOPE}DATA\r\nSubject: x\r\n\r\n.\r\n");
    let chunks = format!("{ENVELOPE}BDAT 9\r\n012345678BDAT 4 LAST\r\n0123");
    for whole in [data, chunks] {
        for cut in 0..whole.len() {
            server.talk(&[&whole.as_bytes()[..cut]], true);
            assert!(server.inbox("anna").is_empty(), "cut at {cut} of {whole:?}");
        }
    }
}

#[test]
fn a_cut_inside_a_large_message_stores_nothing() {
    let server = Server::new(|_| {});
    let head = format!("{ENVELOPE}BDAT 3000000 LAST\r\n");
    server.talk(&[head.as_bytes(), &vec![b'x'; 2_000_000]], true);
    assert_eq!(server.inbox("anna").len(), 0);
}

#[test]
fn mail_in_circles_is_refused() {
    let server = Server::new(|_| {});
    let hops = "Received: x\r\n".repeat(101);
    let text = server.talk(&[format!("{ENVELOPE}DATA\r\n{hops}\r\n.\r\nQUIT\r\n").as_bytes()], false);
    assert_eq!(text.matches("554 5.4.6 Too many hops").count(), 2, "{text}");
    assert_eq!(server.inbox("anna").len(), 0);
}

#[test]
fn a_silent_client_is_sent_away() {
    let server = Server::new(|config| config.limits.lmtp_idle = Duration::from_millis(50));
    for input in ["", "LHLO mx\r\nNOO", &format!("{ENVELOPE}DATA\r\nhalf"), &format!("{ENVELOPE}BDAT 10\r\nhalf")] {
        let text = server.talk(&[input.as_bytes()], false);
        assert!(text.ends_with("421 4.4.2 Nothing heard for too long, closing\r\n"), "{text}");
    }
    assert_eq!(server.inbox("anna").len(), 0);
}

#[test]
fn shutdown_ends_sessions_with_421() {
    let server = Server::new(|_| {});
    server.context.shutdown.request();
    let text = server.talk(&[b"NOOP\r\n"], false);
    assert!(text.ends_with("421 4.3.2 Shutting down\r\n"), "{text}");
}

#[test]
fn an_account_removed_meanwhile_has_its_own_reply() {
    let server = Server::new(|_| {});
    let (connection, mut peer) = net::pair();
    let client = async {
        peer.write_all(format!("{ENVELOPE}DATA\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        while !text.contains("354 ") {
            let mut piece = [0; 1000];
            let count = peer.read(&mut piece).await.unwrap();
            text.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        server.context.core.remove_account("anna").await.unwrap();
        peer.write_all(b"x\r\n.\r\nQUIT\r\n").await.unwrap();
        let mut rest = String::new();
        peer.read_to_string(&mut rest).await.unwrap();
        rest
    };
    let serve = lmtp::serve(connection, Arc::clone(&server.context));
    let text = smol::block_on(smol::future::zip(serve, client)).1;
    let codes: Vec<&str> = text.lines().map(|line| &line[..9]).collect();
    assert_eq!(codes, ["550 5.1.1", "250 2.1.5", "221 2.0.0"]);
    assert_eq!(server.inbox("bob").len(), 1);
}

#[test]
fn hostile_input_never_panics_and_replies_stay_well_formed() {
    let server = Server::new(|config| config.limits.message_size = 10_000);
    let word = prop_oneof![
        Just(b"LHLO mx\r\n".to_vec()),
        Just(b"MAIL FROM:<>\r\n".to_vec()),
        Just(b"RCPT TO:<anna>\r\n".to_vec()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"\r\n.\r\n".to_vec()),
        Just(b"BDAT 20\r\n".to_vec()),
        Just(b"BDAT 3 LAST\r\n".to_vec()),
        Just(b"RSET\r\n".to_vec()),
        Just(vec![b'a'; 9000]),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let mut config = proptest::test_runner::Config::with_cases(60);
    config.failure_persistence = None;
    proptest!(config, |(words in proptest::collection::vec(word, 0..25))| {
        let pieces: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let text = server.talk(&pieces, true);
        for line in text.split_terminator("\r\n") {
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            prop_assert!(code.is_some_and(|code| (200..600).contains(&code)), "{line:?}");
        }
    });
}
