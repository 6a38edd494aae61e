//! The program as people and scripts use it: commands with and without a server, exit codes, start and end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailnook");

/// Generous: the machine may be busy. What has a limit of its own is measured.
const PATIENCE: Duration = Duration::from_mins(1);

const PASSWORD: &str = "correct horse";

/// A directory with a configuration on free ports, removed at the end.
struct Place {
    directory: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("mailnook-cli-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let place = Self { directory };
        std::fs::write(
            place.config(),
            "data_dir = 'data'\nhostname = 'mail.example.org'\n[limits]\nmessage_size = '64 KiB'\n\
             [auth]\nargon2_memory = '1 MiB'\nargon2_passes = 1\n\
             [listen]\nimap = '127.0.0.1:0'\nimaps = '127.0.0.1:0'\npop3 = '127.0.0.1:0'\npop3s = '127.0.0.1:0'\n\
             lmtp = '127.0.0.1:0'\n",
        )
        .expect("writes");
        place
    }

    fn config(&self) -> PathBuf {
        self.directory.join("mailnook.toml")
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("MAILNOOK_CONFIG", self.config())
            .env_remove("RUST_LOG");
        command
    }

    /// Runs a command with that input.
    fn run(&self, arguments: &[&str], input: &str) -> Outcome {
        feed(self.command(arguments), input)
    }

    fn add_user(&self, name: &str) {
        assert_eq!(self.run(&["user", "add", name, "--password-stdin"], PASSWORD).code, 0);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _absent = std::fs::remove_dir_all(&self.directory);
    }
}

/// How a command ended.
#[derive(Debug)]
struct Outcome {
    code: i32,
    out: String,
    errors: String,
}

fn feed(mut command: Command, input: &str) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A command that does not want all of its input closes it.
    let _closed = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the program ends");
    let text = |octets| String::from_utf8(octets).expect("UTF-8");
    Outcome { code: status.code().unwrap_or(-1), out: text(stdout), errors: text(stderr) }
}

/// A running server and the lines of its log.
struct Server {
    child: Child,
    log: mpsc::Receiver<String>,
}

impl Server {
    fn start(command: Command) -> Self {
        let mut command = command;
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let errors = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, log }
    }

    /// The next line of the log that contains `part`.
    fn logged(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("the log has no {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Connects to the listener of that protocol.
    fn connect(&self, protocol: &str) -> Client {
        let line = self.logged(&format!("listening: {protocol} 127.0.0.1"));
        let address = line.rsplit(' ').next().expect("an address").to_owned();
        Client::connect(&address)
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
    }

    /// Ends it by SIGTERM; how long that took.
    fn stop(mut self) -> Duration {
        let begin = Instant::now();
        self.signal("-TERM");
        assert!(self.child.wait().expect("ends").success());
        begin.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A client that speaks lines.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("sends");
    }

    /// The next line that contains `part`.
    fn hear(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.stream.read_line(&mut line).expect("reads");
            assert!(count > 0, "the connection ended before {part:?}");
            if line.contains(part) {
                return line;
            }
        }
    }
}

#[test]
fn the_default_configuration_is_right_and_mistakes_are_told_by_line() {
    let place = Place::new("config");
    let default = place.run(&["config", "default"], "");
    assert_eq!(default.code, 0);
    std::fs::write(place.directory.join("default.toml"), &default.out).expect("writes");
    assert_eq!(place.run(&["config", "check", "default.toml"], "").code, 0);

    std::fs::write(place.config(), "hostnam = 'x'\n[limits]\nwrite = 5\n").expect("writes");
    for arguments in [&["config", "check"][..], &["status"], &["serve"]] {
        let outcome = place.run(arguments, "");
        assert_eq!(outcome.code, 78, "{outcome:?}");
        assert!(
            outcome.errors.contains("mailnook.toml:1: unknown key \"hostnam\"; did you mean hostname?"),
            "{outcome:?}"
        );
        assert!(outcome.errors.contains("mailnook.toml:3: write has no unit"), "{outcome:?}");
    }
    // A broken configuration must not send mail back to its sender.
    assert_eq!(place.run(&["deliver", "-r", "anna"], "x").code, 75);
    assert_eq!(place.run(&["--config", "none.toml", "status"], "").code, 78);
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    let place = Place::new("usage");
    for arguments in
        [&[][..], &["frobnicate"], &["serve", "--prot"], &["user", "add"], &["deliver"], &["user", "add", "a+b"]]
    {
        let outcome = place.run(arguments, "");
        assert_eq!((outcome.code, outcome.out.as_str()), (64, ""), "{arguments:?}");
        assert!(outcome.errors.starts_with("mailnook: "), "{outcome:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["user", "alias", "add", "-h"]] {
        let outcome = place.run(arguments, "");
        assert_eq!((outcome.code, outcome.errors.as_str()), (0, ""), "{arguments:?}");
        assert!(outcome.out.contains("mailnook"));
    }
    assert!(!place.data().exists(), "nothing was made on the way");
}

#[test]
fn users_without_a_server() {
    let place = Place::new("users");
    let missing = place.run(&["user", "list"], "");
    assert!(missing.code == 75 && missing.errors.contains("there is no data directory"), "{missing:?}");

    for (password, part) in [("short\n", "too short"), ("annalena\n", "is the user name"), ("\n", "too short")] {
        let refused = place.run(&["user", "add", "annalena", "--password-stdin"], password);
        assert!(refused.code == 64 && refused.errors.contains(part), "{refused:?}");
    }
    let no_terminal = place.run(&["user", "add", "anna"], "");
    assert!(no_terminal.code == 64 && no_terminal.errors.contains("--password-stdin"), "{no_terminal:?}");

    let added = place.run(&["user", "add", "Anna", "--password-stdin"], PASSWORD);
    assert_eq!((added.code, added.out.as_str()), (0, "user: anna\n"));
    assert_eq!(place.run(&["user", "add", "anna", "--password-stdin"], PASSWORD).code, 1);
    let generated = place.run(&["user", "add", "bert", "--generate"], "");
    let password = generated.out.strip_prefix("user: bert\npassword: ").expect("both lines").trim_end();
    assert!(password.len() >= 20, "{password}");

    assert_eq!(place.run(&["user", "alias", "add", "anna", "info@example.org"], "").code, 0);
    assert_eq!(place.run(&["user", "alias", "add", "bert", "info@example.org"], "").code, 1);
    assert_eq!(place.run(&["user", "alias", "add", "nobody", "x"], "").code, 67);
    let taken = place.run(&["user", "alias", "add", "bert", "anna@example.org"], "");
    assert!(taken.code == 0 && taken.out.contains("note: until now anna@example.org led to anna"), "{taken:?}");
    assert_eq!(place.run(&["user", "alias", "remove", "bert", "anna@example.org"], "").code, 0);
    let list = place.run(&["user", "list", "--json"], "");
    let anna = r#"{"user":"anna","aliases":["info@example.org"],"messages":0,"bytes":0,"mailboxes":6}"#;
    assert!(list.out.contains(anna), "{list:?}");
    assert!(place.run(&["user", "show", "anna"], "").out.contains("\\Sent"));
    assert_eq!(place.run(&["user", "alias", "remove", "anna", "info@example.org"], "").code, 0);
    assert_eq!(place.run(&["user", "alias", "remove", "anna", "info@example.org"], "").code, 1);

    assert_eq!(place.run(&["user", "passwd", "anna", "--generate"], "").code, 0);
    assert_eq!(place.run(&["user", "passwd", "nobody", "--generate"], "").code, 67);
    assert_eq!(place.run(&["user", "remove", "anna"], "").code, 64);
    assert_eq!(place.run(&["user", "remove", "anna", "--yes"], "").code, 0);
    assert_eq!(place.run(&["user", "show", "anna"], "").code, 67);
    assert_eq!(place.run(&["verify"], "").code, 0);
}

const MESSAGE: &str = "From fetcher Thu Jan  1 00:00:00 1970\nSubject: hello\n\nFirst mail.\n";

/// Every outcome of `deliver`, whether a server runs or not.
#[test]
fn devices_and_rules_from_the_shell() {
    let place = Place::new("devices");
    place.add_user("anna");
    let outcome = place.run(&["device", "add", "anna", "Anna's phone", "--pop3", "--read-only"], "");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.starts_with("device: Anna's phone\nuser name: anna\npassword: "), "{outcome:?}");
    assert!(outcome.out.contains("POP3: ") && !outcome.out.contains("IMAP: "), "{outcome:?}");
    assert!(outcome.out.contains("can only read"), "{outcome:?}");
    let password = outcome.out.lines().find_map(|line| line.strip_prefix("password: ")).expect("a password");
    assert_eq!((password.len(), password.split('-').count()), (29, 6));
    assert_eq!(place.run(&["device", "add", "anna", "laptop"], "").code, 0);

    let long = "x".repeat(41);
    for (arguments, code, text) in [
        (["device", "add", "anna", "LAPTOP"], 1, "has a device \"LAPTOP\" already"),
        (["device", "add", "nobody", "phone"], 67, "there is no user nobody"),
        (["device", "add", "anna", " x "], 64, "without spaces at its ends"),
        (["device", "add", "anna", "a\nb"], 64, "control characters"),
        (["device", "add", "anna", &long], 64, "longer than 40"),
        (["device", "revoke", "anna", "toaster"], 1, "has no device \"toaster\""),
        (["device", "revoke", "nobody", "phone"], 67, "there is no user nobody"),
        (["device", "revoke", "anna", "(main password)"], 1, "POP3 is not used with the main password of anna"),
        (["device", "add", "anna", "(Main Password)"], 64, "no name for a device"),
        (["user", "main-password", "anna", "nowhere"], 64, "none of any, lan and off"),
        (["user", "pop3", "anna", "--dele=burn"], 64, "none of trash, hide and expunge"),
        (["user", "pop3", "anna", "--hide-days=-1"], 64, "no number of days"),
        (["user", "pop3", "anna", "--release-days=99999999999999999999"], 64, "write 0 to 3650"),
        (["user", "pop3", "anna", "--seen=perhaps"], 64, "neither yes nor no"),
        (["user", "pop3", "nobody", "--seen=no"], 67, "there is no user nobody"),
    ] {
        let outcome = place.run(&arguments, "");
        assert!(outcome.code == code && outcome.errors.contains(text), "{arguments:?} gave {outcome:?}");
    }

    let list = place.run(&["device", "list", "anna"], "");
    assert!(list.out.contains("Anna's phone") && list.out.contains("never"), "{list:?}");
    assert!(!list.out.contains(password), "the password is shown once");
    let json = place.run(&["device", "list", "anna", "--json"], "").out;
    assert!(json.contains("\"device\":\"Anna's phone\",\"imap\":false,\"pop3\":true,\"read_only\":true"), "{json}");
    assert_eq!(place.run(&["device", "revoke", "anna", "Anna's phone"], "").code, 0);
    assert!(!place.run(&["device", "list", "anna"], "").out.contains("phone"));

    let rules = place.run(&["user", "pop3", "anna"], "");
    assert!(rules.out.contains("hide: ") && rules.out.contains("14 days"), "{rules:?}");
    let rules = place.run(&["user", "pop3", "anna", "--dele", "trash", "--release-days", "30", "--seen", "yes"], "");
    assert!(rules.out.contains("trash: ") && rules.out.contains("30 days") && rules.out.contains(": yes"), "{rules:?}");
    let rules = place.run(&["user", "pop3", "anna", "--default", "--hide-days", "0"], "");
    assert!(rules.out.contains("keeps it for good") && rules.out.contains("never:"), "{rules:?}");
    assert_eq!(place.run(&["user", "main-password", "anna", "lan"], "").code, 0);
    assert_eq!(place.run(&["expire", "--dry-run"], "").out, "nothing is old enough to go\n");
    assert_eq!(place.run(&["verify"], "").code, 0);
}

#[test]
fn each_mailbox_has_its_rule_of_expiry() {
    let place = Place::new("expire");
    place.add_user("anna");
    let shown = "user: anna\nmail goes from Junk after 30 days (as configured)\nmail goes from Trash after 30 days (as \
                 configured)\nexpunged mail can be brought back for 7 days (as configured)\n";
    assert_eq!(place.run(&["user", "expire", "anna"], "").out, shown);
    for (arguments, part) in [
        (&["Sent", "365"][..], "mail goes from Sent after 365 days\n"),
        (&["Trash", "never"], "mail stays in Trash\n"),
        (&["inbox", "1"], "note: mail goes from INBOX whether somebody has read it or not\n"),
        (&["Sent", "default", "--deleted-days", "0"], "expunged mail cannot be brought back\n"),
        (&["Archive", "36500", "--deleted-days=default"], "brought back for 7 days (as configured)\n"),
    ] {
        let outcome = place.run(&[&["user", "expire", "anna"], arguments].concat(), "");
        assert!(outcome.code == 0 && outcome.out.contains(part), "{arguments:?} gave {outcome:?}");
    }
    let shown = place.run(&["user", "expire", "anna"], "").out;
    assert!(shown.contains("from INBOX after 1 day\n") && !shown.contains("Sent"), "{shown}");
    for (arguments, code, part) in [
        (&["anna", "Sent", "0"][..], 64, "write 1 to 36500, never, or default"),
        (&["anna", "Sent"], 64, "say for how many days: 1 to 36500"),
        (&["anna", "Sent", "-1"], 64, ""),
        (&["anna", "Sent", "99999999999999999999"], 64, "write 1 to 36500"),
        (&["anna", "--deleted-days", "never"], 64, "write 0 to 36500, or default"),
        (&["anna", "No\u{1b}such", "3"], 64, "control characters"),
        (&["anna", "Gone", "3"], 73, "anna has no mailbox Gone; `mailnook user show anna`"),
        (&["nobody", "Sent", "3"], 67, "there is no user nobody"),
    ] {
        let outcome = place.run(&[&["user", "expire"], arguments].concat(), "");
        assert!(outcome.code == code && outcome.errors.contains(part), "{arguments:?} gave {outcome:?}");
    }
    assert_eq!(place.run(&["verify"], "").code, 0);
}

fn delivers_with_exit_codes(place: &Place) {
    let big = "x".repeat(100_000);
    for (arguments, input, code, part) in [
        (&["-r", "anna"][..], MESSAGE, 0, ""),
        (&["-r", "anna@example.org", "-f", "bert@example.net", "-r", "ANNA"], MESSAGE, 0, ""),
        (&["-r", "anna+Archive", "-f", "<>"], MESSAGE, 0, ""),
        (&["-r", "anna", "-m", "Junk"], "no header at all", 0, ""),
        (&["-r", "nobody"], MESSAGE, 67, "nobody has the address nobody"),
        (&["-r", "anna", "-r", "nobody"], MESSAGE, 67, "nobody"),
        (&["-r", "anna"], "", 65, "empty"),
        (&["-r", "anna"], "From x\n", 65, "empty"),
        (&["-r", "anna"], &big, 65, "larger than 65536 octets"),
        (&["-r", "anna", "-m", "None"], MESSAGE, 73, "no such mailbox"),
        (&["-r", "anna", "-f", "a b"], MESSAGE, 64, "the sender"),
    ] {
        let arguments: Vec<&str> = std::iter::once("deliver").chain(arguments.iter().copied()).collect();
        let outcome = place.run(&arguments, input);
        assert_eq!((outcome.code, outcome.out.as_str()), (code, ""), "{arguments:?} gave {outcome:?}");
        assert!(outcome.errors.contains(part) && outcome.errors.is_empty() == (code == 0), "{outcome:?}");
    }
}

/// Messages of anna's mailboxes, as `user show` tells them.
fn messages(place: &Place, mailbox: &str) -> u32 {
    let json = place.run(&["user", "show", "anna", "--json"], "").out;
    let rest = json.split(&format!("{{\"name\":\"{mailbox}\",\"messages\":")).nth(1).expect("the mailbox is shown");
    rest.split(',').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn deliver_without_a_server() {
    let place = Place::new("deliver");
    place.add_user("anna");
    delivers_with_exit_codes(&place);
    assert_eq!((messages(&place, "INBOX"), messages(&place, "Archive"), messages(&place, "Junk")), (2, 1, 1));
    assert_eq!(place.run(&["verify"], "").out, "the store is sound\n");
    let status = place.run(&["status", "--json"], "");
    assert!(status.out.starts_with("{\"running\":false,") && status.out.contains("\"messages\":4,"), "{status:?}");
}

#[test]
fn quotas_are_set_shown_and_kept() {
    let place = Place::new("quota");
    place.add_user("anna");
    for (arguments, code, part) in [
        (&["quota", "show", "anna"][..], 0, "anna  0 B   1.0 GB  0         no limit  0 %   6          defer"),
        (&["quota", "set", "anna", "--bytes", "0"], 64, "would refuse all mail"),
        (&["quota", "set", "anna", "--bytes", "much"], 64, "takes a size such as"),
        (&["quota", "set", "anna", "--bytes", "9999999 TB"], 64, "is too much"),
        (&["quota", "set", "anna", "--bytes", "99999999999999999999999"], 64, "takes a size"),
        (&["quota", "set", "anna", "--bytes", "-5"], 64, "takes a size"),
        (&["quota", "set", "anna", "--messages", "2 GB"], 64, "takes a number"),
        (&["quota", "set", "anna", "--over", "maybe"], 64, "defer, bounce or default"),
        (&["quota", "set", "anna"], 64, "needs --bytes"),
        (&["quota", "set", "nobody", "--bytes", "1 GB"], 67, "there is no user nobody"),
        (&["quota", "set", "a/../b", "--bytes", "1 GB"], 64, "has '/' in it"),
        (&["quota", "show", "nobody"], 67, "there is no user nobody"),
        (&["quota", "recount", "nobody"], 67, "there is no user nobody"),
        (&["quota", "set", "anna", "--bytes", "500 B", "--messages", "3"], 0, "0 %"),
        (&["quota", "recount", "anna"], 0, "the stored figures were right"),
    ] {
        let outcome = place.run(arguments, "");
        assert_eq!(outcome.code, code, "{arguments:?} gave {outcome:?}");
        assert!(outcome.out.contains(part) || outcome.errors.contains(part), "{arguments:?} gave {outcome:?}");
    }
    let deliver = |body: usize| place.run(&["deliver", "-r", "anna"], &format!("Subject: x\n\n{}", "x".repeat(body)));
    assert_eq!(deliver(10).code, 0);
    // What never fits goes back at once; what may fit later waits.
    assert_eq!(deliver(1000).code, 69);
    assert_eq!(deliver(300).code, 75);
    assert_eq!(place.run(&["quota", "set", "anna", "--over", "bounce"], "").code, 0);
    let outcome = deliver(300);
    assert!(outcome.code == 69 && outcome.errors.contains("anna: the account is full"), "{outcome:?}");
    let lower = place.run(&["quota", "set", "anna", "--bytes", "1"], "");
    assert!(lower.code == 0 && lower.errors.contains("anna holds more than that"), "{lower:?}");
    assert_eq!(deliver(1).code, 69);
    // The second one is the warning, which does not count.
    assert_eq!(messages(&place, "INBOX"), 2);
    let shown = place.run(&["quota", "show", "anna"], "").out;
    assert!(shown.contains("The largest mailboxes:") && shown.contains("It is full now."), "{shown}");
    let json = place.run(&["quota", "show", "--json"], "").out;
    assert!(json.contains("\"bytes_limit\":1,\"messages\":1,\"messages_limit\":3,"), "{json}");
    // All or nobody, or a second try would double it for those who have it.
    place.add_user("bob");
    let before = messages(&place, "INBOX");
    let both = place.run(&["deliver", "-r", "bob", "-r", "anna"], "Subject: x\n\nx\n");
    assert!(both.code == 69 && both.errors.contains("anna: the account is full"), "{both:?}");
    assert_eq!((messages(&place, "INBOX"), place.run(&["user", "remove", "bob", "--yes"], "").code), (before, 0));
    let back = ["quota", "set", "anna", "--bytes", "default", "--messages", "none", "--over", "default"];
    assert_eq!(place.run(&back, "").code, 0);
    assert_eq!(deliver(1000).code, 0);
    assert_eq!(place.run(&["verify"], "").code, 0);
}

#[test]
fn expunged_mail_is_brought_back() {
    let place = Place::new("undelete");
    place.add_user("anna");
    assert_eq!(place.run(&["deliver", "-r", "anna"], MESSAGE).code, 0);
    let server = Server::start(place.command(&["serve"]));
    let mut imap = server.connect("imap");
    imap.hear("* OK");
    for (line, reply) in [
        (format!("a LOGIN anna \"{PASSWORD}\""), "a OK"),
        ("b SELECT INBOX".to_owned(), "b OK"),
        ("c STORE 1 +FLAGS.SILENT (\\Deleted \\Flagged)".to_owned(), "c OK"),
        ("d EXPUNGE".to_owned(), "d OK"),
    ] {
        imap.send(&line);
        imap.hear(reply);
    }
    assert_eq!(messages(&place, "INBOX"), 0);
    // POP3 announces what any rule for INBOX may take (RFC 2449 §6.7).
    let mut pop3 = server.connect("pop3");
    for (days, expire) in [("5", "EXPIRE 5 USER"), ("default", "EXPIRE NEVER")] {
        assert_eq!(place.run(&["user", "expire", "anna", "INBOX", days], "").code, 0);
        pop3.send("CAPA");
        pop3.hear(expire);
    }
    // A mailbox that was deleted this moment is known as well.
    imap.send("e CREATE gone");
    imap.hear("e OK");
    assert_eq!(place.run(&["deliver", "-r", "anna", "-m", "gone"], "Message-ID: <g@x>\n\nText.\n").code, 0);
    imap.send("f DELETE gone");
    imap.hear("f OK");
    let why = place.run(&["why", "anna", "<g@x>"], "").out;
    assert!(why.contains("mailnook undelete"), "{why}");
    imap.send("g CREATE gone");
    imap.hear("g OK");
    assert_eq!(place.run(&["deliver", "-r", "anna", "-m", "gone"], "Message-ID: <h@x>\n\nText.\n").code, 0);
    imap.send("h DELETE gone");
    imap.hear("h OK");
    let back = place.run(&["undelete", "--user", "anna", "--since", "2h", "--mailbox", "gone"], "").out;
    assert!(back.starts_with("2 messages, "), "{back}");
    for (arguments, code, part) in [
        (&["undelete", "--user", "anna"][..], 64, "undelete needs --user USER and --since TIME"),
        (&["undelete", "--user", "anna", "--since", "2"], 64, "--since takes a duration"),
        (&["undelete", "--user", "anna", "--since", "99999999999999999999h"], 64, "--since takes a duration"),
        (&["undelete", "--user", "nobody", "--since", "2h"], 67, "there is no user nobody"),
        (&["undelete", "--user", "../anna", "--since", "2h"], 64, "has '/' in it"),
        (&["undelete", "--user", "anna", "--since", "2h", "--mailbox", "a//b"], 64, "--mailbox: "),
        (&["undelete", "--user", "anna", "--since", "2h", "--mailbox", "None"], 0, "nothing to bring back"),
        (&["undelete", "--user", "anna", "--since", "2h", "--dry-run"], 0, "B, would come back to INBOX"),
        (&["undelete", "--user", "anna", "--since", "2h", "--mailbox", "inbox"], 0, "B, came back to INBOX"),
        (&["undelete", "--user", "anna", "--since", "3650000d"], 0, "nothing to bring back"),
        (&["expire", "--dry-run"], 0, "nothing is old enough to go"),
        (&["expire"], 0, "nothing is old enough to go"),
        (&["verify"], 0, "sound"),
    ] {
        let outcome = place.run(arguments, "");
        assert_eq!(outcome.code, code, "{arguments:?} gave {outcome:?}");
        assert!(outcome.out.contains(part) || outcome.errors.contains(part), "{arguments:?} gave {outcome:?}");
    }
    let why = place.run(&["why", "anna", "1"], "");
    assert_eq!(why.code, 0, "{why:?}");
    for part in [
        "message without a Message-ID of anna\n",
        "came, 181 B, by mailnook deliver\n",
        "marked \\Flagged \\Deleted by IMAP from 127.0.0.1\n",
        "expunged from INBOX by IMAP from 127.0.0.1\n",
        "brought back to INBOX by a mailnook command\n",
        "now: in INBOX, UID 2, \\Flagged\n",
    ] {
        assert!(why.out.contains(part), "{part} is not in {}", why.out);
    }
    for (arguments, code, part) in [
        (&["why", "anna", "7"][..], 1, "nothing is known of UID 7 in INBOX of anna"),
        (&["why", "anna", "<a@b>"], 1, "nothing is known of a message <a@b> of anna"),
        (&["why", "anna", "a\u{1b}b"], 64, "MESSAGE is a Message-ID"),
        (&["why", "anna", "1", "-m", "a//b"], 64, "--mailbox: "),
        (&["why", "nobody", "1"], 67, "there is no user nobody"),
    ] {
        let outcome = place.run(arguments, "");
        assert_eq!(outcome.code, code, "{arguments:?} gave {outcome:?}");
        assert!(outcome.out.contains(part) || outcome.errors.contains(part), "{arguments:?} gave {outcome:?}");
    }
    // The session hears of it as of new mail, with its flag.
    imap.send("e NOOP");
    imap.hear("* 1 EXISTS");
    imap.send("f FETCH 1 FLAGS");
    imap.hear("\\Flagged");
    server.stop();
}

#[test]
fn commands_take_effect_at_once_in_a_running_server() {
    let place = Place::new("serve");
    let server = Server::start(place.command(&["serve"]));
    let mut imap = server.connect("imap");
    imap.hear("* OK");
    server.logged("listening: control");
    place.add_user("anna");

    imap.send(&format!("a LOGIN anna \"{PASSWORD}\""));
    imap.hear("a OK");
    imap.send("b SELECT INBOX");
    imap.hear("b OK");
    imap.send("c IDLE");
    imap.hear("+");
    delivers_with_exit_codes(&place);
    imap.hear("* 1 EXISTS");
    imap.hear("EXISTS");
    imap.send("DONE");
    imap.hear("c OK");
    imap.send("d FETCH 1 BODY.PEEK[HEADER]");
    imap.hear("Return-Path: <>");
    imap.hear("Delivered-To: anna");
    imap.hear("Received: by mail.example.org (mailnook)");
    imap.hear("Subject: hello");
    imap.hear("d OK");

    let status = place.run(&["status", "--json"], "").out;
    for part in ["\"running\":true", "\"imap\":1", "\"resident_bytes\":", "\"messages\":4", "\"valid_until\":\"20"] {
        assert!(status.contains(part), "{part} is not in {status}");
    }
    assert_eq!(place.run(&["verify"], "").code, 0);
    let second = place.run(&["serve"], "");
    assert!(second.code == 75 && second.errors.contains("already serves"), "{second:?}");

    let taken = server.stop();
    imap.hear("* BYE");
    assert!(taken < Duration::from_secs(2), "{taken:?}");
    assert_eq!(messages(&place, "INBOX"), 2);
    assert_eq!(place.run(&["deliver", "-r", "anna"], MESSAGE).code, 0);
}

#[test]
fn no_store_is_made_by_accident_and_one_without_users_defers() {
    let place = Place::new("nobody");
    std::fs::create_dir(place.data()).expect("makes");
    for arguments in [&["verify"][..], &["status"], &["user", "list"], &["deliver", "-r", "anna"]] {
        let outcome = place.run(arguments, MESSAGE);
        assert!(outcome.code == 75 && outcome.errors.contains("has no mail store"), "{arguments:?} gave {outcome:?}");
    }
    assert!(place.data().read_dir().expect("reads").next().is_none());
    // The disk with the mail is missing, as a rule: nothing goes back to its sender for it.
    place.add_user("anna");
    assert_eq!(place.run(&["user", "remove", "anna", "--yes"], "").code, 0);
    assert_eq!(place.run(&["deliver", "-r", "anna"], MESSAGE).code, 75);
    place.add_user("anna");
    assert_eq!(place.run(&["deliver", "-r", "bob"], MESSAGE).code, 67);
}

#[test]
fn the_server_takes_no_huge_pages() {
    let place = Place::new("pages");
    let server = Server::start(place.command(&["serve"]));
    server.logged("listening: control");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("reads");
    // Kernels before 5.0 do not tell, and those without huge pages have nothing to tell.
    if let Some(line) = status.lines().find(|line| line.starts_with("THP_enabled:")) {
        assert_eq!(line, "THP_enabled:\t0");
    }
    server.stop();
}

#[test]
fn the_control_socket_survives_strangers() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    let place = Place::new("strangers");
    let server = Server::start(place.command(&["serve"]));
    server.logged("listening: control");
    let socket = place.data().join("control.sock");
    assert_eq!(socket.metadata().expect("exists").permissions().mode() & 0o777, 0o600);
    for (octets, answer) in [
        (&b"a LOGIN anna secret\r\n"[..], ""),
        (b"R\xff\xff\xff\xff", ""),
        (b"I\0\0\0\x01x", ""),
        (b"R\0\0\0\x01\x09", "of another version"),
        (b"R\0\0\0\x01\x01", "did not understand"),
        (b"R\0\0\0\x03\x01\xff\xff", "did not understand"),
    ] {
        let mut stream = UnixStream::connect(&socket).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        stream.write_all(octets).expect("writes");
        let mut heard = Vec::new();
        let _cut = stream.read_to_end(&mut heard);
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.contains(answer) && heard.is_empty() == answer.is_empty(), "{octets:?} gave {heard:?}");
    }
    assert_eq!(place.run(&["status"], "").code, 0);
    assert!(server.stop() < Duration::from_secs(2));
}

#[test]
fn a_delivery_that_is_cut_stores_nothing() {
    let place = Place::new("cut");
    let config = std::fs::read_to_string(place.config()).expect("reads");
    std::fs::write(place.config(), config.replace("64 KiB", "8 MiB")).expect("writes");
    place.add_user("anna");
    for with_server in [true, false] {
        let server = with_server.then(|| {
            let server = Server::start(place.command(&["serve"]));
            server.logged("listening: control");
            server
        });
        let mut cut = place.command(&["deliver", "-r", "anna"]).stdin(Stdio::piped()).spawn().expect("starts");
        let mut input = cut.stdin.take().expect("piped");
        input.write_all(MESSAGE.as_bytes()).expect("writes");
        // Without a server as much as is read before the store is taken.
        input.write_all("0123456789abcde\n".repeat(1 << 16).as_bytes()).expect("writes");
        std::thread::sleep(Duration::from_millis(300));
        // Without a server the command owns the store: the next one waits for it.
        let waiting = place.command(&["verify"]).stdout(Stdio::piped()).spawn().expect("starts");
        std::thread::sleep(Duration::from_millis(300));
        cut.kill().expect("kills");
        cut.wait().expect("ends");
        drop(input);
        assert!(waiting.wait_with_output().expect("ends").status.success());
        assert_eq!(messages(&place, "INBOX"), 0);
        if let Some(server) = server {
            server.stop();
        }
    }
}

/// As Postfix limits the commands that it runs.
#[test]
fn a_limit_of_the_file_size_defers() {
    let place = Place::new("file-size");
    place.add_user("anna");
    let store = std::fs::metadata(place.data().join("store/data.mdb")).expect("a store").len();
    let mut command = Command::new("bash");
    let program = env!("CARGO_BIN_EXE_mailnook");
    let text = format!("ulimit -f {}; exec {program} deliver -r anna", store / 1024 + 8);
    command.args(["-c", &text]).current_dir(&place.directory).env("MAILNOOK_CONFIG", place.config());
    let outcome = feed(command, &format!("Subject: x\n\n{}", "0123456789abcde\n".repeat(3000)));
    assert_eq!(outcome.code, 75, "{outcome:?}");
    assert_eq!(place.run(&["verify"], "").out, "the store is sound\n");
}

#[test]
fn a_slow_sender_keeps_no_server_from_starting() {
    let place = Place::new("slow");
    place.add_user("anna");
    let mut slow = place.command(&["deliver", "-r", "anna"]).stdin(Stdio::piped()).spawn().expect("starts");
    let mut input = slow.stdin.take().expect("piped");
    input.write_all(MESSAGE.as_bytes()).expect("writes");
    std::thread::sleep(Duration::from_millis(300));
    let server = Server::start(place.command(&["serve"]));
    server.logged("listening: control");
    drop(input);
    assert!(slow.wait().expect("ends").success());
    assert_eq!(messages(&place, "INBOX"), 1);
    server.stop();
}

#[test]
fn a_delivery_under_way_is_told_when_the_server_stops() {
    let place = Place::new("stopping");
    place.add_user("anna");
    let server = Server::start(place.command(&["serve"]));
    server.logged("listening: control");
    let mut command = place.command(&["deliver", "-r", "anna"]);
    let mut delivery = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut input = delivery.stdin.take().expect("piped");
    input.write_all(MESSAGE.as_bytes()).expect("writes");
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.stop() < Duration::from_secs(2));
    // The input stays open: the command ends all the same.
    let status = delivery.wait().expect("ends");
    let mut errors = String::new();
    delivery.stderr.take().expect("piped").read_to_string(&mut errors).expect("reads");
    assert_eq!(status.code(), Some(75), "{errors}");
    assert!(errors.contains("the server is stopping"), "{errors}");
    drop(input);
    assert_eq!(messages(&place, "INBOX"), 0);
}

#[test]
fn the_certificate_is_read_again_and_a_broken_one_is_not_taken() {
    let place = Place::new("certificate");
    let server = Server::start(place.command(&["serve"]));
    server.logged("listening: control");
    let (certificate, key) = (place.data().join("cert.pem"), place.data().join("key.pem"));
    server.signal("-HUP");
    server.logged("certificate read again on SIGHUP");
    let good = std::fs::read(&certificate).expect("reads");
    std::fs::write(&certificate, "broken").expect("writes");
    server.signal("-HUP");
    server.logged("the old one stays");
    std::fs::write(&certificate, good).expect("writes");
    // Without a signal the change is seen within seconds.
    server.logged("new certificate in use");
    assert!(key.exists());
    assert!(server.stop() < Duration::from_secs(2));
}

#[test]
fn every_listener_that_cannot_be_had_is_named() {
    let place = Place::new("ports");
    let taken: Vec<_> = (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("binds")).collect();
    let ports: Vec<u16> = taken.iter().map(|listener| listener.local_addr().expect("bound").port()).collect();
    let config = std::fs::read_to_string(place.config()).expect("reads");
    let config = config.replace("imap = '127.0.0.1:0'", &format!("imap = '127.0.0.1:{}'", ports[0]));
    let config = config.replace("lmtp = '127.0.0.1:0'", &format!("lmtp = '127.0.0.1:{}'", ports[1]));
    std::fs::write(place.config(), config).expect("writes");
    let refused = place.run(&["serve"], "");
    assert_eq!(refused.code, 75, "{refused:?}");
    for (protocol, port) in [("imap", ports[0]), ("lmtp", ports[1])] {
        let text =
            format!("mailnook: {protocol}: cannot listen on 127.0.0.1:{port}: another process uses this address");
        assert!(refused.errors.contains(&text), "{refused:?}");
    }
}

/// The README's first command. It uses the fixed ports, so it waits for its turn where something has them.
#[test]
fn the_first_start_needs_no_configuration() {
    let place = Place::new("first");
    let deadline = Instant::now() + PATIENCE;
    while [1143, 1993, 1110, 1995, 1024].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
        assert!(Instant::now() < deadline, "something else uses mailnook's default ports");
        std::thread::sleep(Duration::from_millis(200));
    }
    if Path::new("/etc/mailnook/mailnook.toml").exists() {
        eprintln!("mailnook is configured on this machine: its first start cannot be tried");
        return;
    }
    let serve = || {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").current_dir(&place.directory).env_remove("MAILNOOK_CONFIG").env_remove("RUST_LOG");
        let mut server = Server::start(command);
        let lines = BufReader::new(server.child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        (server, lines)
    };
    let (server, mut lines) = serve();
    assert_eq!(lines.next().as_deref(), Some("user: me"));
    let password = lines.next().expect("a line").strip_prefix("password: ").expect("the password").to_owned();
    let line = lines.find(|line| line.trim_start().starts_with("printf ")).expect("a line to paste");

    // As a person would paste it, from anywhere.
    let pasted = Command::new("sh").args(["-c", &line]).current_dir("/").env_remove("MAILNOOK_CONFIG").status();
    assert!(pasted.expect("sh runs").success());
    let mut pop3 = Client::connect("127.0.0.1:1110");
    pop3.hear("+OK");
    pop3.send("USER me");
    pop3.hear("+OK");
    pop3.send(&format!("PASS {password}"));
    pop3.hear("+OK");
    pop3.send("STAT");
    assert!(pop3.hear("+OK").starts_with("+OK 1 "));
    assert!(server.stop() < Duration::from_secs(2));
    pop3.hear("-ERR [SYS/TEMP]");

    let (server, lines) = serve();
    let words: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
    assert!(words.iter().any(|line| line.contains("IMAP   127.0.0.1 port 1143")), "{words:?}");
    assert!(!words.iter().any(|line| line.starts_with("password:")), "{words:?}");
    server.stop();
}
