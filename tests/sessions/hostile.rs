//! Clients that send too much, too deep, nonsense, or read nothing: the session answers or ends, others go on.

use crate::house::House;
use proptest::prelude::*;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::unix::UnixStream;
use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

async fn within<T>(future: impl Future<Output = T>) -> T {
    let late = async {
        smol::Timer::after(PATIENCE).await;
        panic!("no answer within {PATIENCE:?}");
    };
    smol::future::or(future, late).await
}

/// A client without manners.
struct Rude {
    stream: UnixStream,
    input: Vec<u8>,
}

impl Rude {
    async fn connect(house: &House) -> Self {
        let mut client = Self { stream: house.connect(), input: Vec::new() };
        client.until("mailnook ready\r\n").await;
        client
    }

    async fn log_in(house: &House) -> Self {
        let mut client = Self::connect(house).await;
        client.send(b"l LOGIN anna secret\r\n").await;
        client.until("l OK ").await;
        client.send(b"s SELECT INBOX\r\n").await;
        client.until("s OK ").await;
        client
    }

    async fn send(&mut self, octets: &[u8]) {
        within(self.stream.write_all(octets)).await.expect("the server reads");
    }

    /// Reads until a text comes; all that came up to it.
    async fn until(&mut self, text: &str) -> String {
        within(async {
            loop {
                if let Some(at) = self.input.windows(text.len()).position(|window| window == text.as_bytes()) {
                    let read: Vec<u8> = self.input.drain(..at + text.len()).collect();
                    return String::from_utf8_lossy(&read).into_owned();
                }
                assert!(self.more().await, "ended before {text:?}: {}", String::from_utf8_lossy(&self.input));
            }
        })
        .await
    }

    async fn more(&mut self) -> bool {
        let mut piece = vec![0; 16 * 1024];
        let count = self.stream.read(&mut piece).await.unwrap_or(0);
        self.input.extend_from_slice(&piece[..count]);
        count > 0
    }

    /// Reads to the end of the session.
    async fn until_the_end(&mut self) -> String {
        within(async { while self.more().await {} }).await;
        String::from_utf8_lossy(&self.input).into_owned()
    }

    /// Whether the session still works.
    async fn is_in_step(&mut self) {
        self.send(b"z9 NOOP\r\n").await;
        self.until("z9 OK NOOP completed\r\n").await;
    }
}

#[test]
fn parentheses_without_end() {
    let house = House::new();
    house.run(async {
        let mut client = Rude::log_in(&house).await;
        for (count, answer) in [(100_000, "a BAD "), (20_000, "a NO [LIMIT]"), (129, "a NO [LIMIT]")] {
            client.send(format!("a SEARCH {}ALL{}\r\n", "(".repeat(count), ")".repeat(count)).as_bytes()).await;
            client.until(answer).await;
            client.is_in_step().await;
        }
        client.send(format!("a SEARCH {}ALL\r\n", "NOT ".repeat(100)).as_bytes()).await;
        client.until("a OK ").await;
    });
    house.finish();
}

#[test]
fn a_set_of_a_million_elements() {
    let house = House::new();
    house.run(async {
        house.deliver("").await;
        let mut client = Rude::log_in(&house).await;
        client.send(format!("a FETCH {}1 FLAGS\r\n", "1,".repeat(1_000_000)).as_bytes()).await;
        client.until("a BAD ").await;
        client.is_in_step().await;
        // As many as a line holds.
        client.send(format!("a FETCH {}1 FLAGS\r\n", "1,".repeat(32_000)).as_bytes()).await;
        let answer = client.until("a OK FETCH completed\r\n").await;
        assert_eq!(answer.matches("FETCH (").count(), 1, "{answer:.300}");
        client.send(format!("a UID FETCH {}4294967295 FLAGS\r\n", "4294967295:1,".repeat(4_000)).as_bytes()).await;
        let answer = client.until("a OK FETCH completed\r\n").await;
        assert_eq!(answer.matches("FETCH (").count(), 1, "{answer:.300}");
    });
    house.finish();
}

#[test]
fn a_line_without_end() {
    let house = House::new();
    house.run(async {
        let mut client = Rude::connect(&house).await;
        let (mut sender, piece) = (client.stream.clone(), vec![b'x'; 64 * 1024]);
        // The server stops reading at some point; then the rest cannot be sent.
        let sent = async {
            for _ in 0..1024 {
                if sender.write_all(&piece).await.is_err() {
                    break;
                }
            }
        };
        let ((), said) = within(smol::future::zip(sent, client.until_the_end())).await;
        assert!(said.starts_with("* BYE "), "{said:.200}");
    });
    house.finish();
}

#[test]
fn literals_in_literals() {
    let house = House::new();
    house.run(async {
        let mut client = Rude::log_in(&house).await;
        // Literals of a command, as many as it may have and more.
        for (count, answer) in [(1_000, "a OK "), (5_000, "a BAD ")] {
            let mut command = b"a SEARCH".to_vec();
            for _ in 0..count {
                command.extend_from_slice(b" TO {1+}\r\nx");
            }
            command.extend_from_slice(b"\r\n");
            client.send(&command).await;
            client.until(answer).await;
            client.is_in_step().await;
        }
        // A literal that looks like commands is one literal.
        client.send(b"a SEARCH SUBJECT {20+}\r\nx\r\nb LOGOUT\r\nc {9}\r\n\r\n").await;
        client.until("a ").await;
        client.is_in_step().await;
        // One that is announced too large before login never comes.
        let mut client = Rude::connect(&house).await;
        client.send(b"a LOGIN {99999999}\r\n").await;
        client.until("a BAD [TOOBIG]").await;
        client.is_in_step().await;
    });
    house.finish();
}

#[test]
fn bare_carriage_returns_and_nul_begin_no_command() {
    let house = House::new();
    house.run(async {
        let mut client = Rude::log_in(&house).await;
        client.send(b"a NOOP\rb LOGOUT\r\n").await;
        client.until("a BAD ").await;
        client.send(b"a NOOP\0\r\n").await;
        client.until("a BAD ").await;
        client.send(b"a CREATE \"x\0y\"\r\n").await;
        client.until("a BAD ").await;
        client.send(b"a CREATE \"x\ry\"\r\n").await;
        client.until("a ").await;
        // Lines that end in LF alone are lines.
        client.send(b"a NOOP\nb NOOP\n").await;
        client.until("b OK ").await;
        client.is_in_step().await;
    });
    house.finish();
}

#[test]
fn thousands_of_commands_at_once_are_answered_in_order_and_others_go_on() {
    const COUNT: usize = 20_000;
    let house = House::new();
    house.run(async {
        house.deliver("").await;
        let mut client = Rude::log_in(&house).await;
        let mut other = Rude::log_in(&house).await;
        let mut sender = client.stream.clone();
        let flood: Vec<String> = (0..COUNT).map(|number| format!("n{number} NOOP\r\n")).collect();
        let flood = flood.concat();
        let send = async { sender.write_all(flood.as_bytes()).await.expect("the server reads") };
        let read = async {
            let said = client.until(&format!("n{} OK NOOP completed\r\n", COUNT - 1)).await;
            let tags: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
            let wanted: Vec<String> = (0..COUNT).map(|number| format!("n{number}")).collect();
            assert!(tags.ends_with(&wanted.iter().map(String::as_str).collect::<Vec<_>>()), "in order");
        };
        let polite = async { other.is_in_step().await };
        within(smol::future::zip(smol::future::zip(send, read), polite)).await;
    });
    house.finish();
}

#[test]
fn a_client_that_reads_nothing_is_given_up() {
    let house = House::with(|limits| limits.write = Duration::from_millis(300));
    house.run(async {
        let mut message = b"Subject: large\r\n\r\n".to_vec();
        message.resize(8 * 1024 * 1024, b'x');
        house.deliver_octets("", &message).await;
        let mut client = Rude::log_in(&house).await;
        client.send(b"a FETCH 1 BODY[]\r\n").await;
        smol::Timer::after(Duration::from_millis(1500)).await;
        // What was on its way comes, and then the end.
        let said = client.until_the_end().await;
        assert!(said.len() < message.len(), "{} octets", said.len());
    });
    house.finish();
}

#[test]
fn errors_without_end_end_the_session() {
    let house = House::with(|limits| limits.protocol_errors = 5);
    house.run(async {
        let mut client = Rude::connect(&house).await;
        client.send(&b"x y z\r\n".repeat(20)).await;
        let said = client.until_the_end().await;
        assert_eq!(said.matches("x BAD ").count(), 5, "{said}");
        assert!(said.ends_with("* BYE Too many errors\r\n"), "{said}");
    });
    house.finish();
}

/// Pieces that commands are made of, and what breaks them.
const WORDS: &[&str] = &[
    "a",
    "LOGIN",
    "anna",
    "secret",
    "SELECT",
    "INBOX",
    "FETCH",
    "1:*",
    "*",
    "(FLAGS",
    ")",
    "BODY[",
    "]",
    "<0.5>",
    "{3}",
    "{3+}",
    "{0}",
    "{18446744073709551615+}",
    "\"",
    "\\",
    "\\Seen",
    "UID",
    "SEARCH",
    "OR",
    "NOT",
    "APPEND",
    "STORE",
    "+FLAGS",
    "()",
    "IDLE",
    "DONE",
    "STARTTLS",
    "AUTHENTICATE",
    "PLAIN",
    "=",
    "LIST",
    "%",
    "STATUS",
    "(MESSAGES)",
    "CLOSE",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\u{e4}",
    " ",
    "  ",
    "4294967296",
    "0",
    "-1",
    "&-",
    "&AAA-",
    "LOGOUT",
    "EXPUNGE",
    "COPY",
    "RENAME",
    "CREATE",
    "a/b",
    "ID",
    "NIL",
    "ENABLE",
    "HEADER.FIELDS",
    "1.2.3",
    "CHARSET",
    "UTF-8",
    "\"17-Jul-1996 02:44:25 -0700\"",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nonsense_never_breaks_a_session(
        logged_in: bool,
        lines in prop::collection::vec((prop::collection::vec(prop::sample::select(WORDS), 0..12), any::<bool>()), 1..60)
    ) {
        let house = House::new();
        house.run(async {
            house.deliver("").await;
            let mut client = if logged_in { Rude::log_in(&house).await } else { Rude::connect(&house).await };
            for (words, spaced) in &lines {
                let mut line = words.join(if *spaced { " " } else { "" });
                line.push_str("\r\n");
                if client.stream.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
            // Whatever state it is in: it ends when the client goes, and others are served.
            let _ = client.stream.shutdown(std::net::Shutdown::Write);
            client.until_the_end().await;
            Rude::log_in(&house).await.is_in_step().await;
        });
        house.finish();
    }
}
