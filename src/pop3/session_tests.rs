use super::*;
use crate::auth::hash_password;
use crate::mailbox::{Delivery, DeliveryTarget, Options};
use crate::net::{Class, Limiter, Peer, pair};
use crate::types::{AccountId, Flags, PopDelete, PopPolicy};
use proptest::prelude::*;
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::net::unix::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// What QUIT removes is gone: the transcripts policy-*.txt are about other rules.
const EXPUNGE: PopPolicy = PopPolicy {
    delete: PopDelete::Expunge,
    hide_days: 14,
    release_days: 0,
    retr_seen: false,
    login_delay: Duration::ZERO,
};

/// A server with one account, `anna` with the password `secret`, in a directory of its own.
struct World {
    path: PathBuf,
    account: AccountId,
    limiter: Limiter,
    context: Arc<Context>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("mailnook-pop3-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let mut config = Config::default();
        (config.auth.argon2_memory, config.auth.argon2_passes) = (64, 1);
        change(&mut config);
        let options = Options {
            map_size: Some(64 << 20),
            max_message_size: 8 << 20,
            pop3: EXPUNGE,
            ..Options::new(path.clone())
        };
        let core = Core::open(options).unwrap();
        let hash = hash_password("secret", &config.auth).unwrap();
        let account = smol::block_on(core.create_account("anna", Some(&hash))).unwrap();
        let context = Context {
            auth: Authenticator::new(Arc::clone(core.store()), &config.auth).unwrap(),
            core,
            tls: None,
            config: Arc::new(config),
            sizes: Sizes::default(),
            shutdown: Shutdown::new(),
        };
        Self { path, account, limiter: Limiter::new(&context.config.limits), context: Arc::new(context) }
    }

    fn deliver(&self, message: &[u8], prefix: &[u8]) {
        smol::block_on(async {
            let mut incoming = self.context.core.incoming();
            incoming.push(message).await.unwrap();
            let delivery = Delivery {
                account: self.account,
                target: DeliveryTarget::Inbox,
                prefix: prefix.to_vec(),
                flags: Flags::default(),
                date: None,
                door: Door::UNKNOWN,
            };
            let staged = incoming.finish().await.unwrap();
            self.context.core.deliver(staged, vec![delivery]).await.unwrap().remove(0).unwrap();
        });
    }

    fn inbox(&self) -> Mailbox {
        self.context.core.account(self.account).unwrap().open("INBOX").unwrap()
    }

    fn messages(&self) -> u32 {
        self.inbox().status().unwrap().messages
    }

    /// A client in AUTHORIZATION state, past the greeting.
    fn connect(&self, peer: Peer) -> Client {
        let (mut conn, stream) = pair();
        conn.set_peer(peer);
        let admission = self.limiter.admit(&peer, Class::Login).unwrap();
        let context = Arc::clone(&self.context);
        let session = std::thread::spawn(move || smol::block_on(serve(conn, admission, context)));
        let mut client = Client { stream: BufReader::new(stream), session };
        assert!(client.line().starts_with("+OK "));
        client
    }

    /// A client in TRANSACTION state.
    fn log_in(&self) -> Client {
        let mut client = self.connect(Peer::LOCAL);
        assert!(client.ask("UTF8").starts_with("+OK"));
        assert!(client.ask("USER anna").starts_with("+OK"));
        assert!(client.ask("PASS secret").starts_with("+OK"));
        client
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.context.core.verify().unwrap(), Vec::<String>::new());
            assert_eq!(self.limiter.counts(), crate::net::Counts::default());
        }
        self.context.core.close();
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

struct Client {
    stream: BufReader<UnixStream>,
    session: JoinHandle<()>,
}

impl Client {
    fn send(&mut self, text: &str) {
        smol::block_on(self.stream.get_mut().write_all(text.as_bytes())).unwrap();
    }

    /// The next line with its CRLF; empty at the end of the session.
    fn octets(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        smol::block_on(self.stream.read_until(b'\n', &mut line)).unwrap();
        line
    }

    fn line(&mut self) -> String {
        let line = String::from_utf8(self.octets()).unwrap();
        line.strip_suffix("\r\n").unwrap_or(&line).to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n"));
        self.line()
    }

    /// The lines of a multi-line answer after its first, the stuffing taken out.
    fn rest(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        loop {
            let line = self.octets();
            match line.strip_prefix(b".") {
                Some(b"\r\n") => return text,
                Some(stuffed) => text.extend_from_slice(stuffed),
                None if line.is_empty() => panic!("the session ended inside an answer"),
                None => text.extend_from_slice(&line),
            }
        }
    }

    fn list(&mut self, command: &str) -> Vec<String> {
        assert!(self.ask(command).starts_with("+OK"));
        String::from_utf8(self.rest()).unwrap().lines().map(str::to_owned).collect()
    }

    /// What is still sent until the server closes.
    fn end(mut self) -> String {
        let mut text = String::new();
        smol::block_on(self.stream.read_to_string(&mut text)).unwrap();
        drop(self.stream);
        self.session.join().unwrap();
        text
    }

    /// Cuts the connection.
    fn cut(self) {
        drop(self.stream);
        self.session.join().unwrap();
    }
}

#[test]
fn quit_removes_and_nothing_else_does() {
    let world = World::new();
    for number in 0..4 {
        world.deliver(format!("Subject: {number}\r\n\r\nText\r\n").as_bytes(), b"");
    }
    let mut client = world.log_in();
    assert!(client.ask("DELE 1").starts_with("+OK"));
    client.cut();
    assert_eq!(world.messages(), 4);

    let mut client = world.log_in();
    client.send("DELE 2\r\nQUIT");
    client.cut();
    assert_eq!(world.messages(), 4);

    let mut client = world.log_in();
    assert!(client.ask("DELE 2").starts_with("+OK"));
    assert!(client.ask("RSET").starts_with("+OK"));
    assert!(client.ask("DELE 3").starts_with("+OK"));
    assert!(client.ask("DELE 4").starts_with("+OK"));
    assert_eq!(client.list("LIST").len(), 2);
    assert!(client.ask("QUIT").starts_with("+OK"));
    // The answer means that the messages are gone.
    assert_eq!(world.messages(), 2);
    assert_eq!(client.end(), "");
}

#[test]
fn a_message_that_another_session_removes_is_missing_alone() {
    let world = World::new();
    for number in 0..3 {
        world.deliver(format!("Subject: {number}\r\n\r\n").as_bytes(), b"");
    }
    let mut first = world.log_in();
    let mut second = world.log_in();
    assert!(second.ask("DELE 2").starts_with("+OK"));
    assert!(second.ask("QUIT").starts_with("+OK"));
    assert_eq!(first.ask("STAT"), "+OK 3 42");
    assert_eq!(first.ask("RETR 2"), "-ERR Another session has removed this message");
    assert_eq!(first.ask("TOP 2 0"), "-ERR Another session has removed this message");
    assert_eq!(first.ask("RETR 3"), "+OK 14 octets");
    assert_eq!(first.rest(), b"Subject: 2\r\n\r\n");
    // To delete what is gone already is no failure.
    assert!(first.ask("DELE 2").starts_with("+OK"));
    assert!(first.ask("DELE 3").starts_with("+OK"));
    assert!(first.ask("QUIT").starts_with("+OK"));
    assert_eq!(world.messages(), 1);
    second.end();
    first.end();
}

#[test]
fn messages_that_arrive_later_are_not_shown_and_unique_ids_stay() {
    let world = World::new();
    world.deliver(b"Subject: 1\r\n\r\n", b"");
    world.deliver(b"Subject: 2\r\n\r\n", b"");
    let mut first = world.log_in();
    let ids = first.list("UIDL");
    world.deliver(b"Subject: 3\r\n\r\n", b"");
    assert_eq!(first.list("UIDL"), ids);
    assert!(first.ask("DELE 1").starts_with("+OK"));
    assert!(first.ask("QUIT").starts_with("+OK"));
    let mut second = world.log_in();
    let later = second.list("UIDL");
    assert_eq!(later.len(), 2);
    assert_eq!(later[0].strip_prefix("1 "), ids[1].strip_prefix("2 "));
    assert_eq!(second.ask("UIDL 1"), format!("+OK {}", later[0]));
    first.end();
    second.cut();
}

#[test]
fn a_large_message_is_streamed_to_a_client_that_takes_its_time() {
    let world = World::new();
    let line = "..dots and text of a line that is neither long nor short\r\n";
    let body = line.repeat(60_000);
    world.deliver(format!("Subject: large\r\n\r\n{body}").as_bytes(), b"Return-Path: <a@example.org>\r\n");
    let mut client = world.log_in();
    let whole = format!("Return-Path: <a@example.org>\r\nSubject: large\r\n\r\n{body}");
    assert_eq!(client.ask("LIST 1"), format!("+OK 1 {}", whole.len()));
    assert_eq!(client.ask("RETR 1"), format!("+OK {} octets", whole.len()));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.rest(), whole.as_bytes());
    assert!(client.ask("TOP 1 2").starts_with("+OK"));
    assert_eq!(client.rest(), whole.as_bytes()[..whole.find("\r\n\r\n").unwrap() + 4 + 2 * line.len()]);
    assert!(client.ask("QUIT").starts_with("+OK"));
    client.end();
}

#[test]
fn commands_sent_at_once_are_answered_in_order() {
    let world = World::new();
    for number in 0..3 {
        world.deliver(format!("Subject: {number}\r\n\r\n").as_bytes(), b"");
    }
    let mut client = world.connect(Peer::LOCAL);
    client.send("USER anna\r\nPASS secret\r\nSTAT\r\nRETR 2\r\nDELE 1\r\nLIST\r\nXYZZY\r\nQUIT\r\nNOOP\r\n");
    let answers = client.end();
    let expected = "+OK Send the password\r\n+OK 3 messages (42 octets)\r\n+OK 3 42\r\n+OK 14 octets\r\nSubject: 1\r\n\r\n.\r\n\
        +OK Marked\r\n+OK 2 messages (28 octets)\r\n2 14\r\n3 14\r\n.\r\n-ERR Unknown command\r\n\
        +OK Messages removed, goodbye\r\n";
    assert_eq!(answers, expected);
    assert_eq!(world.messages(), 2);
}

#[test]
fn many_messages_are_listed() {
    let world = World::new();
    for _ in 0..300 {
        world.deliver(b"A: b\r\n\r\n", b"");
    }
    let mut client = world.log_in();
    assert_eq!(client.ask("STAT"), "+OK 300 2400");
    let listing = client.list("LIST");
    assert_eq!((listing.len(), listing[299].as_str()), (300, "300 8"));
    let mut ids = client.list("UIDL");
    ids.dedup_by_key(|line| line.split_once(' ').unwrap().1.to_owned());
    assert_eq!(ids.len(), 300);
    client.cut();
}

#[test]
fn too_many_errors_end_the_session_and_remove_nothing() {
    let world = World::with(|config| config.limits.protocol_errors = 3);
    world.deliver(b"A: b\r\n\r\n", b"");
    let mut client = world.log_in();
    assert!(client.ask("DELE 1").starts_with("+OK"));
    client.send("XYZZY\r\nLIST a\r\n");
    client.send(&"x".repeat(600));
    client.send("\r\nQUIT\r\n");
    let answers = client.end();
    assert!(answers.ends_with("-ERR The line is too long\r\n-ERR Too many errors, goodbye\r\n"), "{answers}");
    assert_eq!(world.messages(), 1);
}

#[test]
fn a_wrong_password_again_and_again_ends_the_session() {
    let world = World::new();
    let mut client = world.connect(Peer::LOCAL);
    for _ in 0..FAILED_LOGINS_MAX {
        assert!(client.ask("USER anna").starts_with("+OK"));
        assert_eq!(client.ask("PASS Secret"), "-ERR [AUTH] Unknown user or wrong password");
    }
    assert_eq!(client.end(), "-ERR Too many failed logins, goodbye\r\n");
}

#[test]
fn silence_ends_the_session_without_a_word_and_removes_nothing() {
    let world = World::with(|config| {
        config.limits.login = Duration::from_millis(300);
        config.limits.pop3_idle = Duration::from_millis(300);
    });
    world.deliver(b"A: b\r\n\r\n", b"");
    let waiting = world.connect(Peer::LOCAL);
    let mut client = world.log_in();
    assert!(client.ask("DELE 1").starts_with("+OK"));
    assert_eq!(waiting.end(), "");
    assert_eq!(client.end(), "");
    assert_eq!(world.messages(), 1);
}

#[test]
fn input_without_end_does_not_stretch_the_time_for_the_login() {
    let world = World::with(|config| config.limits.login = Duration::from_millis(200));
    let client = world.connect(Peer::LOCAL);
    let mut writer = client.stream.get_ref().clone();
    let flood = std::thread::spawn(move || {
        smol::block_on(async { while writer.write_all(b"CAPA\r\nCAPA\r\nCAPA\r\nCAPA\r\n").await.is_ok() {} });
    });
    client.end();
    flood.join().unwrap();
}

#[test]
fn a_shutdown_is_told_and_removes_nothing() {
    let world = World::new();
    world.deliver(b"A: b\r\n\r\n", b"");
    let waiting = world.connect(Peer::LOCAL);
    let mut client = world.log_in();
    assert!(client.ask("DELE 1").starts_with("+OK"));
    let start = Instant::now();
    world.context.shutdown.request();
    assert_eq!(waiting.end(), "-ERR [SYS/TEMP] The server is stopping\r\n");
    assert_eq!(client.end(), "-ERR [SYS/TEMP] The server is stopping\r\n");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(world.messages(), 1);
}

#[test]
fn a_shutdown_ends_even_a_message_that_nobody_reads() {
    let world = World::new();
    world.deliver("text of a line\r\n".repeat(100_000).as_bytes(), b"");
    let mut client = world.log_in();
    assert!(client.ask("RETR 1").starts_with("+OK"));
    std::thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    world.context.shutdown.request();
    let Client { stream, session } = client;
    session.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    drop(stream);
}

#[test]
fn no_password_in_clear_text_from_afar() {
    let world = World::new();
    let far = Peer::from(std::net::SocketAddr::from(([192, 0, 2, 7], 4000)));
    let mut client = world.connect(far);
    let capabilities = client.list("CAPA");
    assert!(!capabilities.iter().any(|line| line == "USER" || line.starts_with("SASL")), "{capabilities:?}");
    for command in ["USER anna", "PASS secret", "AUTH PLAIN", "AUTH PLAIN AGFubmEAc2VjcmV0"] {
        assert!(client.ask(command).starts_with("-ERR PRIVACYREQUIRED"), "{command}");
    }
    assert_eq!(client.list("AUTH"), Vec::<String>::new());
    client.cut();
}

#[test]
fn an_idle_session_is_small() {
    let world = World::new();
    let (conn, _stream) = pair();
    let admission = world.limiter.admit(&Peer::LOCAL, Class::Login).unwrap();
    let session = serve(conn, admission, Arc::clone(&world.context));
    let size = size_of_val(&session);
    assert!(size < 1600, "{size}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// What the core holds comes out, octet for octet, and LIST, STAT and RETR count what comes out: to a client that has
    /// said UTF8 and to one that has not, at the first login and when the sizes are known, with new messages and gone ones.
    #[test]
    fn messages_come_out_as_they_went_in(
        messages in prop::collection::vec("(\\.|\\.\\.|a|A: b|\r\n|\r\n\\.|\u{0}|\u{e4}| ){0,40}", 2..5),
        prefix in prop_oneof![Just(""), Just("Return-Path: <>\r\n"), Just("Delivered-To: j\u{fc}@x\r\n")],
    ) {
        let world = World::new();
        let (first, rest) = messages.split_at(messages.len() - 1);
        deliver_all(&world, first, prefix);
        for utf8 in [true, false, false, true] {
            counts_are_exact(&world, utf8);
        }
        deliver_all(&world, rest, prefix);
        counts_are_exact(&world, false);
        smol::block_on(world.inbox().remove(&UidSet::from_range(1, 1))).unwrap();
        counts_are_exact(&world, false);
        counts_are_exact(&world, true);
    }
}

fn deliver_all(world: &World, messages: &[String], prefix: &str) {
    for message in messages {
        let uid = world.inbox().status().unwrap().uid_next;
        world.deliver(message.as_bytes(), prefix.as_bytes());
        let held = world.inbox().message(uid).unwrap().read(0, 65536).unwrap();
        assert!(held.starts_with(prefix.as_bytes()) && held.ends_with(message.as_bytes()));
    }
}

/// Logs in and compares every message and every count.
fn counts_are_exact(world: &World, utf8: bool) {
    let mut client = world.connect(Peer::LOCAL);
    if utf8 {
        assert!(client.ask("UTF8").starts_with("+OK"));
    }
    assert!(client.ask("USER anna").starts_with("+OK"));
    let opened = client.ask("PASS secret");
    let (inbox, mut total) = (world.inbox(), 0);
    let uids = inbox.snapshot().unwrap().uids;
    for (number, uid) in (1..).zip(uids.iter()) {
        let mut expected = inbox.message(Uid(uid)).unwrap().read(0, 65536).unwrap();
        if !expected.ends_with(b"\n") && !expected.is_empty() {
            expected.extend_from_slice(b"\r\n");
        }
        let listed = client.ask(&format!("LIST {number}"));
        let told = client.ask(&format!("RETR {number}"));
        let shown = client.rest();
        assert_eq!(listed, format!("+OK {number} {}", shown.len()));
        assert_eq!(told, format!("+OK {} octets", shown.len()));
        if utf8 || header(&expected).is_ascii() {
            assert_eq!(shown, expected);
        } else {
            assert!(header(&shown).is_ascii());
            assert_eq!(shown[header(&shown).len()..], expected[header(&expected).len()..]);
            assert!(shown.len() > expected.len());
        }
        total += shown.len();
    }
    assert_eq!(opened, format!("+OK {} messages ({total} octets)", uids.len()));
    assert_eq!(client.ask("STAT"), format!("+OK {} {total}", uids.len()));
    client.cut();
}

/// Everything up to the first empty line.
fn header(message: &[u8]) -> &[u8] {
    let blank = memchr::memmem::find(message, b"\r\n\r\n").map(|at| at + 2);
    let blank = if message.starts_with(b"\r\n") { Some(0) } else { blank };
    &message[..blank.unwrap_or(message.len())]
}
