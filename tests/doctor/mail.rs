//! The test mail: what it notices, and that it leaves nothing however it ends.

use super::scratch::Place;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn every_way_in_and_out_is_tried() {
    let place = Place::new("ways");
    let socket = "lmtp = []\nlmtp_socket = 'lmtp.sock'\nlmtp_socket_mode = '600'\n";
    for (listen, text) in [
        (
            "imap = '127.0.0.1:0'\nimaps = []\npop3 = '127.0.0.1:0'\npop3s = []\n",
            "LMTP and out by IMAP (STARTTLS) and POP3 (STARTTLS)",
        ),
        ("imap = []\nimaps = '127.0.0.1:0'\npop3 = []\npop3s = []\n", "LMTP and out by IMAP (TLS) in"),
        ("imap = []\nimaps = []\npop3 = []\npop3s = '127.0.0.1:0'\n", "LMTP and out by POP3 (TLS) in"),
    ] {
        place.configure(&format!("{listen}{socket}"));
        let server = place.serve();
        let said = place.doctor();
        assert!(said.has(("ok", "mail", text, "")), "{text} is not in {}", said.out);
        assert!(said.wrong().is_empty(), "{}", said.out);
        server.stop();
    }
    place.configure("imap = []\nimaps = []\npop3 = []\npop3s = []\nlmtp = '127.0.0.1:0'\n");
    let server = place.serve();
    let said = place.doctor();
    assert!(said.has(("fault", "ports", "no port for mail programs", "set imaps")), "{}", said.out);
    server.stop();
}

#[test]
fn a_server_that_was_not_restarted_is_noticed() {
    let place = Place::new("stale");
    let server = place.serve();
    let config = std::fs::read_to_string(place.config()).expect("reads");
    let changed =
        config.replace("'home.example'", "'new.example'").replace("imap = '127.0.0.1:0'", "imap = '127.0.0.1:7'");
    std::fs::write(place.config(), changed).expect("writes");
    let said = place.doctor();
    assert!(said.has(("warning", "ports", "imap on 127.0.0.1:7 is configured, but", "start it again")), "{}", said.out);
    assert!(said.has(("fault", "mail", "a test mail does not come in by LMTP: it said \"550", "log")), "{}", said.out);
    assert_eq!(said.code, 2);
    assert_eq!(place.output(&["user", "list"]).lines().count(), 2);
    server.stop();
}

#[test]
fn the_account_goes_with_its_command_or_with_the_next_test() {
    let place = Place::new("cut");
    let users = || place.output(&["user", "list"]);
    let ask = || {
        let mut stream = UnixStream::connect(place.data().join("control.sock")).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        // A request frame: version 1, one field.
        let mut request = b"\x01\0\x01\0\0\0\x0ctest-account".to_vec();
        let length = u8::try_from(request.len()).expect("is short");
        let mut frame = vec![b'R', 0, 0, 0, length];
        frame.append(&mut request);
        stream.write_all(&frame).expect("writes");
        let mut head = [0; 5];
        stream.read_exact(&mut head).expect("reads");
        assert_eq!(head[0], b'O');
        let mut answer = vec![0; usize::from(head[4])];
        stream.read_exact(&mut answer).expect("reads");
        (stream, String::from_utf8(answer).expect("UTF-8"))
    };
    let mut server = place.serve();
    let (stream, answer) = ask();
    let (name, _password) = answer.trim().split_once(' ').expect("name and password");
    assert!(users().contains(name));
    // Another test goes on beside it and does not take it for a remainder.
    assert!(place.doctor().has(("ok", "mail", "left nothing behind", "")));
    assert!(users().contains(name));
    drop(stream);
    let deadline = Instant::now() + PATIENCE;
    while users().contains(name) {
        assert!(Instant::now() < deadline, "the account stays");
        std::thread::sleep(Duration::from_millis(50));
    }

    let (stream, answer) = ask();
    let (name, _password) = answer.trim().split_once(' ').expect("name and password");
    server.child.kill().expect("kills");
    server.child.wait().expect("ends");
    drop(stream);
    let server = place.serve();
    assert!(users().contains(name), "the kill left it");
    assert!(place.doctor().has(("ok", "mail", "left nothing behind", "")));
    assert_eq!(users().lines().count(), 2, "{}", users());
    assert!(place.output(&["verify"]).contains("the store is sound"));
    server.stop();
}

#[test]
fn too_few_files_and_no_users_are_told() {
    let place = Place::new("few");
    let server = place.serve();
    let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                  Max open files            1024                 4096                 files\n";
    place.put(&format!("proc/{}/limits", server.child.id()), limits);
    let said = place.doctor();
    let few =
        ("warning", "server", "may open 1024 files, but limits.connections may need 2250", "set connections = 824");
    assert!(said.has(few), "{}", said.out);
    assert_eq!(said.code, 1);
    place.put("lib/systemd/system/mailnook.service", "[Service]\nUser=mailnook\n");
    assert!(place.doctor().has((few.0, few.1, few.2, "LimitNOFILE=2250")));
    assert!(!place.doctor().has(("warning", "server", "there are no users yet", "")));
    place.output(&["user", "remove", "anna", "--yes"]);
    assert!(place.doctor().has(("warning", "server", "there are no users yet", "user add NAME")));
    server.stop();
}
