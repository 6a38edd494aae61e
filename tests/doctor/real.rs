//! Faults that are real: of files, certificates, the configuration, the store.

use super::scratch::{Place, certificate};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

#[test]
fn certificates_must_hold_and_be_for_the_name() {
    let place = Place::new("certificate");
    for (names, years, wanted) in [
        (&["mail.home.example"][..], (2020, 2040), ("ok", "certificate", "it holds until 2040-01-01", "")),
        (&["mail.home.example"], (2020, 2025), ("fault", "certificate", "it ended on 2025-01-01", "cert.pem")),
        (&["mail.home.example"], (2030, 2040), ("fault", "certificate", "it holds from 2030-01-01 on", "set-ntp true")),
        (&["other.example"], (2020, 2040), ("warning", "certificate", "but not for mail.home.example", "cert.pem")),
        (&[], (2020, 2040), ("warning", "certificate", "it names no host", "cert.pem")),
        (&["mail.home.example"], (2020, 2040), ("note", "certificate", "it is self-signed", "")),
    ] {
        certificate(&place.data(), names, years);
        let said = place.doctor();
        assert!(said.has(wanted), "{wanted:?} is not in {}", said.out);
    }
    // The planted clock is at the end of November.
    certificate(&place.data(), &["mail.home.example"], (2020, 2027));
    assert!(place.doctor().has(("ok", "certificate", "it holds until 2027-01-01", "")));
    place.put("answers/now", "1798200000");
    assert!(place.doctor().has(("warning", "certificate", "it ends on 2027-01-01, in 6 days", "cert.pem")));

    std::fs::write(place.data().join("cert.pem"), "no certificate").expect("writes");
    assert!(place.doctor().has(("fault", "certificate", "holds no certificate", "cert.pem")));
    place.configure_all("[tls]\ncertificate = 'absent.pem'\nkey = 'absent.key'\n");
    assert!(place.doctor().has(("fault", "certificate", "does not exist", "correct [tls]")));
}

#[test]
fn files_must_be_closed_to_others() {
    // With a space, for what is told is to be pasted into a shell.
    let place = Place::new("my files");
    certificate(&place.data(), &["mail.home.example"], (2020, 2040));
    assert!(place.doctor().has(("ok", "files", "is closed to others", "")));
    let set = |path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets");
    set(place.data().join("key.pem"), 0o644);
    assert!(place.doctor().has(("warning", "files", "every user of this machine can read the key", "chmod o= '/")));
    set(place.data().join("key.pem"), 0o600);
    set(place.data(), 0o755);
    assert!(place.doctor().has(("warning", "files", "other users of this machine can look into", "chmod 700 '/")));
    set(place.data(), 0o700);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(place.data().join("store/data.mdb"), Some(4711), None).expect("gives away");
        let said = place.doctor();
        assert!(said.has(("fault", "files", "store/data.mdb belongs to 4711", "sudo chown -R ")), "{}", said.out);
    }
}

#[test]
fn the_server_must_be_able_to_read_its_certificate() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new("reach");
    let closed = place.folder.join("letsencrypt");
    std::fs::create_dir(&closed).expect("makes");
    certificate(&closed, &["mail.home.example"], (2020, 2040));
    let set = |path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets");
    place.configure_all(&format!("[tls]\ncertificate = '{0}/cert.pem'\nkey = '{0}/key.pem'\n", closed.display()));
    assert!(!place.doctor().has(("fault", "files", "cannot read", "")), "root reads all");
    for name in ["data", "data/store", "data/store/data.mdb", "data/store/lock.mdb", "data/lock"] {
        std::os::unix::fs::chown(place.folder.join(name), Some(4711), None).expect("gives away");
    }
    for (path, mode, open) in [("", 0o700, 0o755), ("key.pem", 0o600, 0o644)] {
        let path = closed.join(path);
        set(path.clone(), mode);
        let said = place.doctor();
        let text = format!("for {} is closed to that user", path.to_str().expect("UTF-8").trim_end_matches('/'));
        assert!(said.has(("fault", "files", &text, "sudo install -o 4711")), "{}", said.out);
        set(path, open);
    }
    assert!(!place.doctor().has(("fault", "files", "cannot read", "")));
}

#[test]
fn a_wrong_configuration_is_told_by_line_and_the_rest_is_looked_at() {
    let place = Place::new("config");
    std::fs::write(place.config(), "hostnam = 'x'\n[limits]\nwrite = 5\n").expect("writes");
    let said = place.doctor();
    assert_eq!(said.code, 2);
    assert!(said.has(("fault", "config", "line 1: unknown key \"hostnam\"", "mailnook config check ")), "{}", said.out);
    assert!(said.has(("fault", "config", "line 3: write has no unit", "")), "{}", said.out);
    assert!(said.has(("ok", "card", "", "")), "{}", said.out);
    let absent = place.doctor_with(&["--config", "absent.toml", "--root", "root"]);
    assert!(absent.has(("fault", "config", "absent.toml: cannot read it", "")), "{}", absent.out);
}

#[test]
fn a_damaged_store_is_seen_by_a_quick_look() {
    let place = Place::new("damage");
    let mut deliver = place.command(&["deliver", "-r", "anna@home.example"]);
    let mut child = deliver.stdin(std::process::Stdio::piped()).spawn().expect("starts");
    let text = format!("Subject: x\n\n{}\n", "damage me ".repeat(20_000));
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), text.as_bytes()).expect("writes");
    assert!(child.wait().expect("ends").success());
    assert!(place.doctor().has(("ok", "store", "the newest message of each are sound", "")));

    let file = place.data().join("store/data.mdb");
    let sound = std::fs::read(&file).expect("reads");
    let mut damaged = sound.clone();
    let mark = b"damage me damage me";
    for at in 0..damaged.len() - mark.len() {
        if damaged[at..].starts_with(mark) {
            damaged[at] = b'D';
        }
    }
    assert_ne!(damaged, sound);
    std::fs::write(&file, &damaged).expect("writes");
    let said = place.doctor();
    assert!(
        said.has(("fault", "store", "user anna, INBOX: its newest message cannot be read", "mailnook verify")),
        "{}",
        said.out
    );

    std::fs::write(&file, &sound[..sound.len() / 2 / 4096 * 4096]).expect("writes");
    let said = place.doctor();
    assert!(said.code == 2 && said.has(("fault", "store", "", "Back up")), "{}", said.out);
    std::fs::write(&file, "no store at all").expect("writes");
    assert!(place.doctor().has(("fault", "store", "", "Back up")));
    std::fs::remove_dir_all(place.data()).expect("removes");
    assert!(place.doctor().has(("fault", "server", "has no mail store", "mailnook serve")));
}

#[test]
fn a_store_without_room_is_told() {
    let place = Place::new("room");
    place.configure_all("");
    let config = std::fs::read_to_string(place.config()).expect("reads");
    std::fs::write(place.config(), format!("map_size = '16 MiB'\n{config}")).expect("writes");
    let said = place.doctor();
    assert!(said.has(("ok", "store", "and may grow to 16.7 MB", "")), "{}", said.out);
    // Mail until it is refused.
    let message = format!("Subject: x\n\n{}\n", "0123456789abcdef".repeat(60_000));
    let mut refused = false;
    for _ in 0..20 {
        let mut child = place.command(&["deliver", "-r", "anna@home.example"]);
        let mut child =
            child.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().expect("starts");
        let _closed = std::io::Write::write_all(&mut child.stdin.take().expect("piped"), message.as_bytes());
        refused |= !child.wait().expect("ends").success();
    }
    assert!(refused);
    let said = place.doctor();
    let full = ["no new mail is taken", "are left to the store"];
    assert!(
        full.iter()
            .any(|text| said.wrong().iter().any(|finding| finding.check == "store" && finding.text.contains(text))),
        "{}",
        said.out
    );
    assert!(said.wrong().iter().any(|finding| finding.fix.as_deref().is_some_and(|fix| fix.contains("map_size"))));
}

#[test]
fn another_program_on_a_port_is_seen_without_a_planted_system() {
    let place = Place::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = taken.local_addr().expect("bound").port();
    place.configure(&format!("imap = '127.0.0.1:{port}'\nimaps = []\npop3 = []\npop3s = []\nlmtp = []\n"));
    let said = place.doctor_with(&[]);
    let text = format!("imap on 127.0.0.1:{port} cannot be opened");
    assert!(said.has(("fault", "ports", &text, "ss -ltnp")), "{}", said.out);
    assert!(said.has(("fault", "server", "mailnook is not running", "mailnook serve")), "{}", said.out);
    assert!(said.has(("note", "mail", "no test mail was sent", ", then mailnook doctor --config ")), "{}", said.out);
}

#[test]
fn full_users_and_an_idle_catch_all_are_told() {
    let place = Place::new("users");
    let config = std::fs::read_to_string(place.config()).expect("reads");
    std::fs::write(place.config(), format!("catch_all = 'nobody'\n{config}")).expect("writes");
    let mut child = place
        .command(&["deliver", "-r", "anna@home.example"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let text = format!("Subject: x\n\n{}\n", "x".repeat(5000));
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), text.as_bytes()).expect("writes");
    assert!(child.wait().expect("ends").success());
    let said = place.doctor();
    assert!(said.has(("warning", "users", "catch_all is \"nobody\"", "set catch_all to a user")), "{}", said.out);
    assert!(!said.has(("warning", "users", "% of the quota", "")), "{}", said.out);
    place.output(&["quota", "set", "anna", "--bytes", "5 KB"]);
    let said = place.doctor();
    assert!(said.has(("warning", "users", "anna's mail fills 10", "quota show anna")), "{}", said.out);
    std::fs::write(place.config(), format!("catch_all = 'anna'\n{config}")).expect("writes");
    assert!(!place.doctor().has(("warning", "users", "catch_all", "")));
}
