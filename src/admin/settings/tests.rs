use super::super::Protocol;
use super::super::certificate::Certificate;
use super::autoconfig;
use super::facts::{Endpoint, Facts, Security};
use super::parts::{Form, join, split};
use super::profile::{self, Account};
use super::run::Outgoing;
use crate::config::Config;
use std::net::SocketAddr;
use std::path::PathBuf;

fn config(hostname: &str) -> Config {
    Config { hostname: hostname.to_owned(), file: Some(PathBuf::from("/etc/m.toml")), ..Config::default() }
}

fn certificate(names: &[&str]) -> Certificate {
    let path = std::env::temp_dir().join(format!("mailnook-settings-{}-{}.pem", names.join("-"), std::process::id()));
    let key = rcgen::KeyPair::generate().expect("key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::CertificateParams::new(names).expect("params").self_signed(&key).expect("certificate");
    std::fs::write(&path, made.pem()).expect("writes");
    let read = Certificate::read(&path).expect("reads");
    std::fs::remove_file(&path).expect("removes");
    read
}

fn places(list: &[(Protocol, &str)]) -> Vec<(Protocol, SocketAddr)> {
    list.iter().map(|(protocol, address)| (*protocol, address.parse().expect("an address"))).collect()
}

fn endpoint(host: &str, port: u16, security: Security) -> Endpoint {
    Endpoint { host: host.to_owned(), port, security }
}

#[test]
fn what_others_reach_comes_before_what_this_machine_reaches() {
    let all = places(&[
        (Protocol::Imap, "0.0.0.0:143"),
        (Protocol::Imaps, "127.0.0.1:993"),
        (Protocol::Pop3, "[::1]:110"),
        (Protocol::Lmtp, "0.0.0.0:24"),
    ]);
    let facts = Facts::new(&config("mail.example.org"), &all, true, Some(certificate(&["mail.example.org"])));
    assert_eq!(facts.imap, Some(endpoint("mail.example.org", 143, Security::StartTls)));
    assert_eq!(facts.pop3, Some(endpoint("::1", 110, Security::StartTls)));
    assert!(!facts.is_local_only && facts.notes.is_empty(), "{:?}", facts.notes);

    // LMTP for everybody is a mistake of another kind: no client can use it.
    let local = places(&[(Protocol::Imaps, "[::ffff:127.0.0.1]:993"), (Protocol::Lmtp, "0.0.0.0:24")]);
    let facts = Facts::new(&config("mail.example.org"), &local, true, None);
    assert_eq!(facts.imap, Some(endpoint("127.0.0.1", 993, Security::Tls)));
    assert!(facts.is_local_only);
    assert_eq!(
        facts.notes,
        [
            "mailnook listens on this machine only: no other device can connect. To let them in, write imaps = \"*:993\" \
          under [listen] in /etc/m.toml, and restart mailnook."
        ]
    );

    let facts = Facts::new(&config("mail.example.org"), &[], false, None);
    assert!(facts.imap.is_none() && !facts.is_local_only);
}

#[test]
fn the_name_is_one_that_the_certificate_is_for() {
    let public = places(&[(Protocol::Imaps, "0.0.0.0:993")]);
    for (hostname, names, host, note) in [
        ("mail.example.org", &["*.example.org"][..], "mail.example.org", None),
        (
            "box",
            &["localhost", "mail.example.org"],
            "mail.example.org",
            Some("and not for the configured hostname box."),
        ),
        ("box", &["box", "localhost"], "box", Some("find this machine by the name box")),
        ("box", &["localhost", "127.0.0.1"], "box", Some("programs will complain; to have one made anew")),
        ("localhost", &["localhost"], "localhost", Some("by the name localhost: set hostname in /etc/m.toml")),
    ] {
        let facts = Facts::new(&config(hostname), &public, true, Some(certificate(names)));
        assert_eq!(facts.imap.as_ref().map(|imap| imap.host.as_str()), Some(host), "{hostname} {names:?}");
        let first = facts.notes.first();
        assert_eq!(first.is_some(), note.is_some(), "{hostname} {names:?}: {:?}", facts.notes);
        assert!(note.is_none_or(|note| first.is_some_and(|first| first.contains(note))), "{:?}", facts.notes);
    }
}

#[test]
fn names_are_escaped_and_identifiers_stay() {
    let imap = endpoint("mail.example.org", 993, Security::Tls);
    let outgoing = Outgoing {
        server: endpoint("smtp.example.org", 587, Security::StartTls),
        user: Some("a&b<\u{1}>\"'".to_owned()),
    };
    let account = |password| Account { user: "anna", address: "an'na&co@example.org", password };
    let certificate = certificate(&["mail.example.org"]);
    let profile = profile::file(&account(None), &imap, &outgoing, Some(&certificate));
    assert!(profile.contains("<string>an&apos;na&amp;co@example.org</string>"), "{profile}");
    assert!(profile.contains("<string>a&amp;b&lt;&gt;&quot;&apos;</string>"), "{profile}");
    assert!(!profile.contains("<key>IncomingPassword<") && profile.contains("com.apple.security.root"), "{profile}");
    let uuids = |profile: &str| {
        let ids =
            profile.split("<key>PayloadUUID</key>").skip(1).map(|rest| rest.trim_start().chars().take(44).collect());
        ids.collect::<Vec<String>>()
    };
    let again = profile::file(&account(Some("secret")), &imap, &outgoing, Some(&certificate));
    assert_eq!(uuids(&profile), uuids(&again));
    assert!(uuids(&profile).len() == 3 && uuids(&profile)[0] != uuids(&profile)[1]);
    assert!(again.contains("<key>IncomingPassword</key>\n      <string>secret</string>"), "{again}");

    let file = autoconfig::file("exa<mple.org", &imap, None, &outgoing);
    assert!(file.contains("<emailProvider id=\"exa&lt;mple.org\">"), "{file}");
    assert!(file.contains("<socketType>STARTTLS</socketType>") && !file.contains("pop3"), "{file}");
}

#[test]
fn texts_come_through_whole() {
    let parts = vec![
        (Form::Text, "a\n\ncode 5\n\u{e4}".to_owned()),
        (Form::Autoconfig, String::new()),
        (Form::Code, "[1]".to_owned()),
    ];
    let answer = join(&parts);
    assert_eq!(split(&answer), Some(parts));
    for broken in ["text", "text 5\nabc", "song 1\na", "text 1\n\u{e4}", "text -1\na", &format!("{answer}x")] {
        assert_eq!(split(broken), None, "{broken:?}");
    }
}
