use super::super::hash::hash_password;
use super::*;
use crate::store::MainPassword;
use crate::types::Rights;

const CONFIG: config::Auth = config::Auth {
    argon2_auto: false,
    argon2_memory: 64,
    argon2_passes: 1,
    concurrent_hashes: 1,
    queue: 8,
    cache: Duration::from_mins(10),
};

fn peer(address: &str) -> net::Peer {
    let address: std::net::IpAddr = address.parse().unwrap();
    net::Peer::from(std::net::SocketAddr::from((address, 40000)))
}

fn anna(config: &config::Auth) -> store::Login {
    let store::Password { hash, scram } = hash_password("secret", config).unwrap();
    store::Login {
        account: AccountId(1),
        name: "anna".to_owned(),
        password_hash: Some(hash),
        scram,
        scope: MainPassword::Everywhere,
        devices: Vec::new(),
    }
}

fn attempt<'a>(user: &'a str, password: &'a [u8], peer: &'a net::Peer) -> Attempt<'a> {
    Attempt { user, password, peer, protocol: "imap", tls: true }
}

async fn check(
    checker: &Checker,
    attempt: Attempt<'_>,
    login: Option<&store::Login>,
) -> Result<Option<String>, AuthError> {
    let result = checker.check(Instant::now(), &attempt, login.cloned()).await?;
    Ok(result.renewed.and_then(|(renewal, _)| renewal.hash))
}

#[test]
fn right_and_wrong_passwords_and_unknown_users() {
    smol::block_on(async {
        let (checker, peer, anna) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"), anna(&CONFIG));
        assert_eq!(check(&checker, attempt("Anna", b"secret", &peer), Some(&anna)).await, Ok(None));
        let wrong = check(&checker, attempt("anna", b"Secret", &peer), Some(&anna)).await;
        assert_eq!(wrong, Err(AuthError::BadCredentials));
        let other = super::tests::peer("192.0.2.2");
        let unknown = check(&checker, attempt("nobody", b"secret", &other), None).await;
        assert_eq!(unknown, Err(AuthError::BadCredentials));
        let no_password = store::Login { password_hash: None, name: "bert".to_owned(), ..anna.clone() };
        let third = super::tests::peer("192.0.2.3");
        let refused = check(&checker, attempt("bert", b"secret", &third), Some(&no_password)).await;
        assert_eq!(refused, Err(AuthError::BadCredentials));
    });
}

#[test]
fn verified_logins_need_no_second_hash_until_the_password_changes() {
    smol::block_on(async {
        let (checker, peer) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"));
        // A hash that takes long enough to be told from a look into the cache.
        let slow = config::Auth { argon2_memory: 16384, argon2_passes: 4, ..CONFIG };
        let anna = anna(&slow);
        let first = Instant::now();
        check(&checker, attempt("anna", b"secret", &peer), Some(&anna)).await.unwrap();
        let hashed = first.elapsed();
        let second = Instant::now();
        check(&checker, attempt("anna", b"secret", &peer), Some(&anna)).await.unwrap();
        assert!(second.elapsed() < hashed / 2, "{:?} {hashed:?}", second.elapsed());
        let changed = store::Login { password_hash: Some(hash_password("new", &CONFIG).unwrap().hash), ..anna };
        let refused = check(&checker, attempt("anna", b"secret", &peer), Some(&changed)).await;
        assert_eq!(refused, Err(AuthError::BadCredentials));
    });
}

#[test]
fn hashes_with_old_parameters_are_renewed_and_remembered() {
    smol::block_on(async {
        let (checker, peer) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"));
        let anna = anna(&config::Auth { argon2_memory: 32, ..CONFIG });
        let result = checker.check(Instant::now(), &attempt("anna", b"secret", &peer), Some(anna.clone())).await;
        let (renewal, credential) = result.ok().unwrap().renewed.unwrap();
        assert_eq!(renewal.scram, None);
        checker.renewed(credential);
        assert!(lock(&checker.verified).contains(Instant::now(), &credential));
        let anna = store::Login { password_hash: renewal.hash, ..anna };
        assert_eq!(check(&checker, attempt("anna", b"secret", &peer), Some(&anna)).await, Ok(None));
    });
}

#[test]
fn missing_scram_keys_are_made_at_a_login_with_the_password() {
    smol::block_on(async {
        let (checker, peer) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"));
        let anna = store::Login { scram: None, ..anna(&CONFIG) };
        let result = checker.check(Instant::now(), &attempt("anna", b"secret", &peer), Some(anna)).await;
        let (renewal, _) = result.ok().unwrap().renewed.unwrap();
        assert!(renewal.hash.is_none() && renewal.scram.is_some());
    });
}

#[test]
fn proofs_are_throttled_like_passwords() {
    smol::block_on(async {
        let (checker, peer, anna) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"), anna(&CONFIG));
        let check = |login: Option<store::Login>, proof| {
            let attempt = attempt("anna", b"", &peer);
            let checker = &checker;
            async move {
                let start = Instant::now();
                (checker.check_proof(start, &attempt, login, proof).await.map(|login| login.name), start.elapsed())
            }
        };
        let (outcome, elapsed) = check(Some(anna.clone()), Proof::Fits(DeviceId::MAIN)).await;
        assert!(outcome == Ok("anna".to_owned()) && elapsed < Duration::from_millis(400));
        for (login, proof) in [(Some(anna.clone()), Proof::Wrong), (Some(anna.clone()), Proof::WrongBinding)] {
            let (outcome, elapsed) = check(login, proof).await;
            assert!(outcome == Err(AuthError::BadCredentials) && elapsed >= Duration::from_millis(500));
        }
        // Nobody gets in without keys, whatever was proved against a decoy.
        let (outcome, _) = check(None, Proof::Fits(DeviceId::MAIN)).await;
        assert_eq!(outcome, Err(AuthError::BadCredentials));
        let (outcome, elapsed) = check(Some(anna), Proof::Fits(DeviceId::MAIN)).await;
        assert!(outcome.is_ok() && elapsed >= Duration::from_millis(500));
    });
}

#[test]
fn a_failure_is_answered_late_and_the_next_success_a_little_late() {
    smol::block_on(async {
        let (checker, peer, anna) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"), anna(&CONFIG));
        let start = Instant::now();
        check(&checker, attempt("anna", b"typo", &peer), Some(&anna)).await.unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(500));
        let again = Instant::now();
        check(&checker, attempt("anna", b"secret", &peer), Some(&anna)).await.unwrap();
        assert!(again.elapsed() >= Duration::from_millis(500));
        let forgiven = Instant::now();
        check(&checker, attempt("anna", b"secret", &peer), Some(&anna)).await.unwrap();
        assert!(forgiven.elapsed() < Duration::from_millis(400));
    });
}

#[test]
fn five_first_logins_at_once_are_all_let_in_without_delay() {
    let (checker, peer, anna) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"), anna(&CONFIG));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| smol::block_on(check(&checker, attempt("anna", b"secret", &peer), Some(&anna))).unwrap());
        }
    });
    assert!(start.elapsed() < Duration::from_millis(450), "{:?}", start.elapsed());
}

#[test]
fn impossible_names_and_passwords_are_refused_like_wrong_ones() {
    smol::block_on(async {
        let checker = Checker::new(&CONFIG).unwrap();
        let long_name = "a".repeat(USER_MAX + 1);
        let long_password = vec![b'a'; PASSWORD_MAX + 1];
        for (number, (user, password)) in
            [("", &b"secret"[..]), ("anna", b""), (&long_name, b"secret"), ("anna", &long_password)]
                .into_iter()
                .enumerate()
        {
            let peer = peer(&format!("192.0.2.{number}"));
            let start = Instant::now();
            let refused = check(&checker, attempt(user, password, &peer), None).await;
            assert_eq!(refused, Err(AuthError::BadCredentials));
            assert!(start.elapsed() >= Duration::from_millis(500));
        }
    });
}

#[test]
fn an_unusable_stored_hash_lets_nobody_in() {
    smol::block_on(async {
        let (checker, peer) = (Checker::new(&CONFIG).unwrap(), peer("192.0.2.1"));
        let broken = store::Login {
            password_hash: Some("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
            ..anna(&CONFIG)
        };
        let refused = check(&checker, attempt("anna", b"secret", &peer), Some(&broken)).await;
        assert_eq!(refused, Err(AuthError::BadCredentials));
    });
}

#[test]
fn the_log_cannot_be_forged_by_user_names() {
    let peer = peer("::ffff:192.0.2.1");
    let attempt = attempt("an\r\nna\" \u{202e}x\u{0}", b"secret", &peer);
    let text = Described(&attempt).to_string();
    assert_eq!(text, r#"user="an\r\nna\" \u{202e}x\0" address=192.0.2.1 protocol=imap"#);
    let long = "\u{e4}".repeat(100);
    let attempt = Attempt { user: &long, ..attempt };
    let shown = Described(&attempt).to_string();
    assert!(shown.starts_with(&format!("user=\"{}\" ", "\u{e4}".repeat(80))), "{shown}");
}

#[test]
fn passwords_of_devices_need_no_slow_hash_and_are_known_for_what_they_are() {
    smol::block_on(async {
        // A password hash on this scale would take seconds.
        let slow = config::Auth { argon2_memory: 65536, argon2_passes: 8, ..CONFIG };
        let (checker, peer) = (Checker::new(&slow).unwrap(), peer("192.0.2.1"));
        let mut anna = anna(&CONFIG);
        anna.password_hash = None;
        let rights = Rights { pop3: false, ..Rights::ALL };
        let (password, device) = super::device::new_device(&anna, "phone", rights).unwrap();
        anna.devices.push((DeviceId(7), device));
        let imap = attempt("anna", password.as_bytes(), &peer);
        let pop3 = Attempt { protocol: "pop3", ..imap };
        let start = Instant::now();
        let refused = checker.check(start, &pop3, Some(anna.clone())).await.err();
        assert_eq!(refused, Some(AuthError::BadCredentials));
        // Refused for POP3 it still opens IMAP; typed in capitals, too.
        let upper = password.to_uppercase();
        for password in [&password, &upper] {
            let attempt = Attempt { password: password.as_bytes(), ..imap };
            let checked = checker.check(Instant::now(), &attempt, Some(anna.clone())).await.unwrap();
            assert_eq!((checked.device, checked.renewed.is_some()), (DeviceId(7), false));
            let logged_in = LoggedIn::new(&checked.login, checked.device, Instant::now());
            assert_eq!((logged_in.device_name.as_deref(), logged_in.read_only), (Some("phone"), false));
        }
    });
}

#[test]
fn the_main_password_is_refused_where_it_must_not_be_used() {
    smol::block_on(async {
        let (checker, near, far) = (Checker::new(&CONFIG).unwrap(), peer("192.168.1.7"), peer("192.0.2.1"));
        let anna = |scope| store::Login { scope, ..anna(&CONFIG) };
        let scoped = |scope, peer| {
            let (checker, anna) = (&checker, anna(scope));
            async move { check(checker, attempt("anna", b"secret", peer), Some(&anna)).await.is_ok() }
        };
        assert!(!scoped(MainPassword::Lan, &far).await);
        assert!(scoped(MainPassword::Lan, &near).await);
        assert!(!scoped(MainPassword::Off, &near).await);
        // What was refused there is no wrong password here.
        assert!(scoped(MainPassword::Everywhere, &far).await);
        let proved = |scope, proof| {
            let (checker, anna, far) = (&checker, anna(scope), &far);
            async move { checker.check_proof(Instant::now(), &attempt("anna", b"", far), Some(anna), proof).await.is_ok() }
        };
        assert!(!proved(MainPassword::Lan, Proof::Fits(DeviceId::MAIN)).await);
        assert!(proved(MainPassword::Everywhere, Proof::Fits(DeviceId::MAIN)).await);
    });
}
