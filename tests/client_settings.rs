//! `client-settings` as people use it: the whole text, and the files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A directory with a configuration and a user, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, listen: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("mailnook-settings-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let config = format!(
            "data_dir = 'data'\nhostname = 'mail.example.org'\ndomains = ['example.org']\n\
             [auth]\nargon2_memory = '1 MiB'\nargon2_passes = 1\n[listen]\nlmtp = []\n{listen}"
        );
        std::fs::write(directory.join("mailnook.toml"), config).expect("writes");
        let place = Self(directory);
        let (code, out, errors) = place.run(&["user", "add", "anna", "--generate"]);
        assert_eq!(code, 0, "{out}{errors}");
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailnook"));
        command.args(arguments).current_dir(&self.0).env("MAILNOOK_CONFIG", self.path("mailnook.toml"));
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().expect("runs");
        let text = |octets| String::from_utf8(octets).expect("UTF-8");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _absent = std::fs::remove_dir_all(&self.0);
    }
}

fn is_there(path: &Path) -> bool {
    path.try_exists().expect("can be looked for")
}

const PUBLIC: &str = "imap = []\nimaps = '*:41993'\npop3 = '127.0.0.1:41110'\npop3s = '*:0'\n";

#[test]
fn the_whole_text_without_a_server() {
    let place = Place::new("text", PUBLIC);
    let (code, out, errors) = place.run(&["client-settings", "anna", "--smtp", "smtp.example.org:465"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let expected = "\
user name: anna
password: the main one, as set by `mailnook user passwd anna`; `mailnook device add anna NAME` makes one for a single device
address: anna@example.org

IMAP: server mail.example.org, port 41993, SSL/TLS, normal password
POP3: server 127.0.0.1, port 41110, STARTTLS, normal password
certificate: none yet; mailnook makes one when it starts

Thunderbird: enter name, address and password, then choose to configure manually.
  Incoming server: IMAP, hostname mail.example.org, port 41993, connection security SSL/TLS,
  authentication method \"Normal password\", user name anna.

Outlook (classic): in File, Account Settings choose the advanced or manual setup, IMAP.
  Incoming mail: server mail.example.org, port 41993, encryption method SSL/TLS, user name anna;
  \"Secure Password Authentication\" off.
  The new Outlook and Outlook on phones fetch mail through Microsoft's servers, which must reach this
  server from the internet and trust its certificate; and Microsoft then has the password.

Apple Mail: on a Mac add an \"Other Mail Account\"; on iPhone and iPad in Settings, Mail, Accounts: Add
  Account, Other. Account type IMAP, incoming mail server mail.example.org, user name anna; where it asks:
  port 41993, TLS/SSL on, authentication by password.

K-9 Mail, Thunderbird for Android: choose the manual setup. IMAP, server mail.example.org, security SSL/TLS,
  port 41993, authentication \"Normal password\", user name anna.

Outgoing server (SMTP) in all of them: smtp.example.org, port 465, SSL/TLS, user name anna@example.org, with the
  password that you have there.
";
    assert_eq!(out, expected);
}

#[test]
fn a_running_server_tells_its_ports_and_its_certificate() {
    let place = Place::new("server", "imap = []\nimaps = '127.0.0.1:0'\npop3 = []\npop3s = []\n");
    let mut server =
        place.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_there(&place.path("data/control.sock")) {
        assert!(Instant::now() < deadline, "the server does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (code, out, errors) = place.run(&["device", "add", "anna", "tablet", "--imap"]);
    assert_eq!(code, 0, "{errors}");
    let (settings_code, settings, errors) = place.run(&["client-settings", "anna", "--device", "TABLET"]);
    let refused = place.run(&["client-settings", "anna", "--qr"]);
    server.kill().expect("ends");
    server.wait().expect("ended");

    assert_eq!(settings_code, 0, "{errors}");
    let port = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("IMAP: ")).expect("a line").to_owned();
        let number = line.strip_prefix("IMAP: server 127.0.0.1, port ").and_then(|rest| rest.split_once(','));
        number.expect("a port").0.parse::<u16>().expect("a number")
    };
    assert!(port(&out) != 0 && port(&out) == port(&settings), "{out}\n{settings}");
    assert!(out.contains("\npassword: ") && settings.contains("password: it was shown once"), "{settings}");
    assert!(!settings.contains("POP3"), "the device is for IMAP alone: {settings}");
    assert!(settings.contains("certificate: self-signed, valid until ") && settings.contains("this machine only"));
    assert!(refused.0 == 1 && refused.2.contains("no other device can connect"), "{refused:?}");
    let fingerprint = |text: &str| text.lines().find(|line| line.matches(':').count() == 31).map(str::to_owned);
    assert!(fingerprint(&out).is_some() && fingerprint(&out) == fingerprint(&settings));
}

#[test]
fn files_are_made_once_and_only_whole() {
    let place = Place::new("files", PUBLIC);
    std::fs::write(place.path("old.xml"), "mine").expect("writes");
    let smtp = ["--smtp", "smtp.example.org:587"];
    for (arguments, code, part) in [
        (&["--autoconfig", "old.xml"][..], 1, "old.xml is there already"),
        (&["--autoconfig", "a/b.xml"], 1, "cannot make a/b.xml"),
        (&["--mobileconfig", "new"], 1, "no certificate yet"),
        (&["--new-device", "phone", "--mobileconfig", "new"], 1, "no certificate yet"),
        (&["--autoconfig", "new", "--address", "anna@example.com"], 64, "is no address of anna"),
        (&["--autoconfig", "new", "--device", "phone"], 1, "has no device \"phone\""),
        (&["--device", "a", "--new-device", "b"], 64, "give one of the two"),
    ] {
        let all = [&["client-settings", "anna"], arguments, &smtp].concat();
        let (found, out, errors) = place.run(&all);
        assert!(found == code && errors.contains(part) && errors.lines().count() == 1, "{all:?}: {out}{errors}");
        assert!(!is_there(&place.path("new")), "{all:?}");
    }
    for (arguments, code, part) in [
        (&["anna", "--autoconfig", "new"][..], 64, "needs --smtp HOST:PORT"),
        (&["anna", "--smtp", "smtp.example.org"], 64, "write HOST:PORT"),
        (&["anna", "--smtp", "a b:25"], 64, "write HOST:PORT"),
        (&["anna", "--smtp-user", "a"], 64, "--smtp-user needs --smtp"),
        (&["nobody"], 67, "there is no user nobody"),
    ] {
        let (found, out, errors) = place.run(&[&["client-settings"], arguments].concat());
        assert!(
            found == code && errors.contains(part) && !is_there(&place.path("new")),
            "{arguments:?}: {out}{errors}"
        );
    }
    // The device that could not have its file was not made either.
    let (_, devices, _) = place.run(&["device", "list", "anna"]);
    assert!(!devices.contains("phone"), "{devices}");

    let all = [&["client-settings", "anna", "--autoconfig", "new"], &smtp[..]].concat();
    assert_eq!(place.run(&all).0, 0);
    assert!(std::fs::read_to_string(place.path("new")).expect("reads").ends_with("</clientConfig>\n"));
    assert_eq!(std::fs::read_to_string(place.path("old.xml")).expect("reads"), "mine");
}
