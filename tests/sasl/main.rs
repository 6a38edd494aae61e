//! SCRAM-SHA-256 against an independent client, with and without TLS, for IMAP and POP3.

mod house;
mod scram;
#[expect(dead_code, reason = "the transcripts use more of it")]
#[path = "../transcript/tls.rs"]
mod tls;

/// What `tls` needs of a client.
mod client {
    use smol::io::{AsyncRead, AsyncWrite};

    pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
    impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
}

use house::{Client, House};
use mailnook::auth::hash_password_of;
use mailnook::types::Rights;
use rustls::version::{TLS12, TLS13};
use scram::Scram;

/// Goes through the exchange in IMAP and returns the last answer.
async fn imap(client: &mut Client, mechanism: &str, mut scram: Scram) -> String {
    let challenge = client.ask(&format!("a AUTHENTICATE {mechanism} {}", scram.first())).await;
    let Some(challenge) = challenge.strip_prefix("+ ") else { return challenge };
    let last = client.ask(&scram.last(challenge)).await;
    let Some(last) = last.strip_prefix("+ ") else { return last };
    assert!(scram.trusts(last), "{last}");
    client.ask("").await
}

/// The same in POP3, where the server asks first.
async fn pop3(client: &mut Client, mechanism: &str, mut scram: Scram) -> String {
    assert_eq!(client.ask(&format!("AUTH {mechanism}")).await, "+");
    let challenge = client.ask(&scram.first()).await;
    let Some(challenge) = challenge.strip_prefix("+ ") else { return challenge };
    let last = client.ask(&scram.last(challenge)).await;
    let Some(last) = last.strip_prefix("+ ") else { return last };
    assert!(scram.trusts(last), "{last}");
    client.ask("").await
}

const REFUSED: &str = "a NO [AUTHENTICATIONFAILED] Wrong user name or password";

#[test]
fn without_tls() {
    House::new().run(async |house| {
        let mut client = house.connect("imap", &[]).await;
        let answer = imap(&mut client, "SCRAM-SHA-256", Scram::new("anna", "secret", "n", b"")).await;
        assert!(answer.starts_with("a OK ["), "{answer}");
        // A client that can bind its login and rightly believes that we cannot here.
        let mut client = house.connect("imap", &[]).await;
        let answer = imap(&mut client, "SCRAM-SHA-256", Scram::new("Anna", "secret", "y", b"")).await;
        assert!(answer.starts_with("a OK ["), "{answer}");
        let mut client = house.connect("pop3", &[]).await;
        let answer = pop3(&mut client, "SCRAM-SHA-256", Scram::new("anna@example.org", "secret", "n", b"")).await;
        assert_eq!(answer, "+OK 0 messages (0 octets)");
    });
}

/// The password of a device is proved as the main one is, without naming the device: they share a salt.
#[test]
fn passwords_of_devices() {
    House::new().run(async |house| {
        let phone = house.add_device("anna", "phone", Rights::ALL).await;
        let frame = house.add_device("anna", "frame", Rights { pop3: false, read_only: true, ..Rights::ALL }).await;
        house.core.create_account("bert", None).await.expect("an account");
        let tablet = house.add_device("bert", "tablet", Rights::ALL).await;
        for (user, password, ends) in
            [("anna", &phone, true), ("anna", &frame, true), ("bert", &tablet, true), ("bert", &phone, false)]
        {
            let mut client = house.connect("imap", &[]).await;
            let answer = imap(&mut client, "SCRAM-SHA-256", Scram::new(user, password, "n", b"")).await;
            assert_eq!(answer.starts_with("a OK ["), ends, "{user}: {answer}");
        }
        // Not for POP3.
        let mut client = house.connect("pop3", &[]).await;
        let answer = pop3(&mut client, "SCRAM-SHA-256", Scram::new("anna", &frame, "n", b"")).await;
        assert!(answer.starts_with("-ERR [AUTH]"), "{answer}");
        // A new main password keeps the salt: the devices do not notice.
        let login = house.core.store().login("anna").expect("the store").expect("anna");
        let new = hash_password_of(Some(&login), "another", &house.imap.config.auth).expect("a hash");
        house.core.store().set_password(login.account, new).await.expect("set");
        for password in [&phone, "another"] {
            let mut client = house.connect("imap", &[&TLS13]).await;
            let data = client.exporter();
            let scram = Scram::new("anna", password, "p=tls-exporter", &data);
            let answer = imap(&mut client, "SCRAM-SHA-256-PLUS", scram).await;
            assert!(answer.starts_with("a OK ["), "{answer}");
        }
        house.core.revoke_device("anna", "phone").await.expect("revoked");
        let mut client = house.connect("imap", &[]).await;
        let answer = imap(&mut client, "SCRAM-SHA-256", Scram::new("anna", &phone, "n", b"")).await;
        assert_eq!(answer, REFUSED);
    });
}

#[test]
fn bound_to_the_connection() {
    House::new().run(async |house| {
        for (protocol, versions, binding) in [
            ("imap", &TLS13, "tls-exporter"),
            ("imap", &TLS13, "tls-server-end-point"),
            ("imap", &TLS12, "tls-server-end-point"),
            ("pop3", &TLS13, "tls-exporter"),
            ("pop3", &TLS12, "tls-server-end-point"),
        ] {
            let mut client = house.connect(protocol, &[versions]).await;
            let data = if binding == "tls-exporter" { client.exporter() } else { client.end_point() };
            let scram = Scram::new("anna", "secret", &format!("p={binding}"), &data);
            let answer = match protocol {
                "imap" => imap(&mut client, "SCRAM-SHA-256-PLUS", scram).await,
                _ => pop3(&mut client, "SCRAM-SHA-256-PLUS", scram).await,
            };
            assert!(answer.starts_with("a OK [") || answer.starts_with("+OK 0"), "{protocol} {binding}: {answer}");
        }
        // A client that cannot bind is served all the same.
        let mut client = house.connect("imap", &[&TLS13]).await;
        let answer = imap(&mut client, "SCRAM-SHA-256", Scram::new("anna", "secret", "n", b"")).await;
        assert!(answer.starts_with("a OK ["), "{answer}");
    });
}

#[test]
fn a_login_for_another_connection_is_refused() {
    House::new().run(async |house| {
        let other = house.connect("imap", &[&TLS13]).await;
        let mut client = house.connect("imap", &[&TLS13]).await;
        let scram = Scram::new("anna", "secret", "p=tls-exporter", &other.exporter());
        assert_eq!(imap(&mut client, "SCRAM-SHA-256-PLUS", scram).await, REFUSED);
        // Somebody took PLUS out of the list.
        let scram = Scram::new("anna", "secret", "y", b"");
        assert_eq!(imap(&mut client, "SCRAM-SHA-256", scram).await, REFUSED);
    });
}

#[test]
fn tls_1_2_has_no_exporter() {
    House::new().run(async |house| {
        let mut client = house.connect("imap", &[&TLS12]).await;
        let scram = Scram::new("anna", "secret", "p=tls-exporter", &client.exporter());
        assert_eq!(imap(&mut client, "SCRAM-SHA-256-PLUS", scram).await, "a BAD Malformed response");
    });
}

#[test]
fn wrong_passwords_and_unknown_users_look_alike() {
    House::new().run(async |house| {
        let mut client = house.connect("imap", &[]).await;
        assert_eq!(imap(&mut client, "SCRAM-SHA-256", Scram::new("anna", "Secret", "n", b"")).await, REFUSED);
        assert_eq!(imap(&mut client, "SCRAM-SHA-256", Scram::new("nobody", "secret", "n", b"")).await, REFUSED);
        let mut salts = Vec::new();
        for user in ["anna", "anna", "nobody", "nobody", "nemo"] {
            let mut client = house.connect("imap", &[]).await;
            let first = Scram::new(user, "secret", "n", b"").first();
            let challenge = client.ask(&format!("a AUTHENTICATE SCRAM-SHA-256 {first}")).await;
            let challenge = base64(challenge.strip_prefix("+ ").expect("a challenge"));
            salts.push(challenge.split_once(",s=").expect("a salt").1.to_owned());
        }
        assert_eq!(salts[0], salts[1]);
        assert_eq!(salts[2], salts[3]);
        assert!(salts[2] != salts[4] && salts[0] != salts[2]);
        assert!(salts.iter().all(|salt| salt.len() == salts[0].len()), "{salts:?}");
    });
}

#[test]
fn keys_are_made_at_a_login_with_the_password() {
    let house = House::new();
    let mut password = house.password("secret");
    password.scram = None;
    house.add_user("bert", &password);
    house.run(async |house| {
        let mut client = house.connect("imap", &[]).await;
        assert!(client.ask("a LOGIN bert secret").await.starts_with("a OK ["));
        let mut client = house.connect("imap", &[]).await;
        let answer = imap(&mut client, "SCRAM-SHA-256", Scram::new("bert", "secret", "n", b"")).await;
        assert!(answer.starts_with("a OK ["), "{answer}");
    });
}

/// What was taken away between the challenge and its answer opens nothing any more.
#[test]
fn passwords_that_change_meanwhile() {
    House::new().run(async |house| {
        let phone = house.add_device("anna", "phone", Rights::ALL).await;
        for (password, number) in [("secret", 1), (phone.as_str(), 2)] {
            let mut client = house.connect("imap", &[]).await;
            let mut scram = Scram::new("anna", password, "n", b"");
            let challenge = client.ask(&format!("a AUTHENTICATE SCRAM-SHA-256 {}", scram.first())).await;
            if number == 1 {
                let login = house.core.store().login("anna").expect("the store").expect("anna");
                let new = hash_password_of(Some(&login), "another", &house.imap.config.auth).expect("a hash");
                house.core.store().set_password(login.account, new).await.expect("set");
            } else {
                house.core.revoke_device("anna", "phone").await.expect("revoked");
            }
            let last = client.ask(&scram.last(challenge.strip_prefix("+ ").expect("a challenge"))).await;
            assert_eq!(last, REFUSED);
        }
    });
}

#[test]
fn a_client_that_does_not_trust_the_server_is_not_logged_in() {
    House::new().run(async |house| {
        let mut client = house.connect("imap", &[]).await;
        for answer in ["*", "AAAA"] {
            let mut scram = Scram::new("anna", "secret", "n", b"");
            let challenge = client.ask(&format!("a AUTHENTICATE SCRAM-SHA-256 {}", scram.first())).await;
            let last = client.ask(&scram.last(challenge.strip_prefix("+ ").expect("a challenge"))).await;
            assert!(last.starts_with("+ "), "{last}");
            assert!(client.ask(answer).await.starts_with("a BAD "));
            assert_eq!(client.ask("b NAMESPACE").await, "b BAD Log in first");
        }
    });
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).expect("base64")).expect("UTF-8")
}
