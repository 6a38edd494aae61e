use super::super::DEFAULT_TEXT;
use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn problems(text: &str) -> Vec<String> {
    config(text).map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

/// The default text with the optional keys switched on.
fn uncommented() -> String {
    let switch_on = |line: &str| {
        let rest = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        rest.unwrap_or(line).to_owned() + "\n"
    };
    DEFAULT_TEXT.lines().map(switch_on).collect()
}

#[test]
fn the_default_text_is_the_default() {
    let parsed = config(DEFAULT_TEXT).expect("the default parses");
    assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    assert_eq!(format!("{:?}", config("").expect("nothing parses")), format!("{:?}", Config::default()));
}

#[test]
fn names_beyond_ascii_become_what_the_dns_has() {
    let parsed =
        config("hostname = 'Mail.MÜLLER.example'\ndomains = ['bücher.example', 'xn--mller-kva.example']").unwrap();
    assert_eq!(parsed.hostname, "mail.xn--mller-kva.example");
    assert_eq!(parsed.domains, ["xn--bcher-kva.example", "xn--mller-kva.example"]);
}

#[test]
fn every_key_is_documented_and_its_example_is_right() {
    let text = uncommented();
    let shown = if cfg!(target_pointer_width = "32") { text.replace("1 TiB", "1 GiB") } else { text };
    config(&shown).expect("every example parses");
    let document = DeTable::parse(&shown).expect("TOML");
    for (section, keys) in KEYS {
        let table = if section.is_empty() {
            Some(document.get_ref())
        } else {
            document.get_ref()[section].get_ref().as_table()
        };
        for key in keys {
            assert!(table.expect("section").contains_key(*key), "{section}.{key} is not in the default text");
        }
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let text = "hostnmae = 'x'\nthreads = 0\n\n[limits]\nconnections = 'many'\nlogin = 60\nimap_idle = '5 min'\n\
                [listen]\nimap = ['localhost:143', '127.0.0.1']\nimaps = '127.0.0.1:1110'\n[sasl]\n";
    assert_eq!(
        problems(text),
        [
            "line 1: unknown key \"hostnmae\"; did you mean hostname?",
            "line 2: threads 0 is out of range; write a whole number from 1 to 64",
            "line 5: connections is text; write a whole number from 1 to 100000",
            "line 6: login has no unit; write \"60 s\" or \"60 min\"",
            "line 7: imap_idle 300 s is out of range; write a duration from \"30 min\" to \"7 d\"",
            "line 9: imap: \"localhost:143\" names a host; write \"127.0.0.1\" or \"[::1]\" instead of \"localhost\"",
            "line 9: imap: \"127.0.0.1\" has no port; write an address with its port such as \"127.0.0.1:143\", \"[::1]:143\" or \"*:143\"",
            "line 10: imaps: 127.0.0.1:1110 is what pop3 listens on by default; set pop3 too",
            "line 11: unknown section \"sasl\"; there are listen, tls, limits, auth, pop3, quota, retention",
        ]
    );
}

#[test]
fn misplaced_keys_are_sent_home() {
    for (text, expected) in [
        (
            "[listen]\nhostname = 'a.b'",
            "unknown key \"hostname\" in [listen]; it belongs at the top of the file, before the first section",
        ),
        ("message_size = 5", "unknown key \"message_size\"; it belongs under [limits]"),
        ("connection = 5", "unknown key \"connection\"; did you mean connections under [limits]?"),
        ("zzzzzz = 1", "unknown key \"zzzzzz\"; `mailnook config default` lists all keys"),
        ("[limit]\nx = 1", "unknown section \"limit\"; did you mean [limits]?"),
        ("tls = 'yes'", "tls is a section; write [tls] on a line of its own and its keys below"),
    ] {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].ends_with(expected), "{text:?} gave {found:?}");
    }
}

#[test]
fn each_kind_of_value_is_checked() {
    for (text, part) in [
        ("data_dir = ''", "is empty"),
        ("data_dir = 5", "is a number; write text"),
        ("hostname = 'a b'", "not a host name"),
        ("domains = ['example.org', 'not ok']", "domains: \"not ok\" is not a host name"),
        ("catch_all = 'anna+x'", "is not an account name"),
        ("imap_hidden = ['UID ONLY']", "is not the name of a capability"),
        ("imap_hidden = 'imap4rev1'", "cannot be hidden"),
        ("threads = -1", "-1 is out of range"),
        ("threads = 99999999999999999999999", "out of range"),
        ("threads = 1.5", "is a number; write a whole number"),
        ("map_size = '1 KB'", "1000 octets is out of range; write a size from \"16 MiB\""),
        ("log_level = 'loud'", "is not one of off, error"),
        ("log_level = 'inof'", "did you mean \"info\"?"),
        ("limits.message_size = '50 MegaByte'", "is not a size"),
        ("limits.message_size = '99999999999999999999 TB'", "is not a size"),
        ("limits.message_size = '18446744073709551615 TB'", "is not a size"),
        ("limits.message_size = -5", "-5 is not a size"),
        ("limits.message_size = 0", "0 octets is out of range"),
        ("limits.recipients = 5", "from 100 to 10000"),
        ("limits.write = 'soon'", "is not a duration"),
        ("limits.write = -1", "write is not a duration; write one such as \"30 s\""),
        ("retention.trash = 5", "trash has no unit; write \"5 d\""),
        ("retention.trash = -5", "trash is not in whole days; write one such as \"30 d\""),
        ("retention.junk = 'never'", "\"never\" is not in whole days"),
        ("retention.junk = '36 h'", "junk is not in whole days"),
        ("limits.write = '0 s'", "0 s is out of range"),
        ("limits.write = ['1 s']", "is a list; write a duration"),
        ("auth.argon2_memory = '1 KiB'", "write a size from \"1 MiB\" to \"256 MiB\", or \"auto\""),
        ("auth.argon2_passes = 3", "argon2_passes needs argon2_memory beside it"),
        ("auth.argon2_memory = 'auto'\nauth.argon2_passes = 3", "argon2_passes needs argon2_memory beside it"),
        ("listen.lmtp_socket_mode = 660", "is not in octal"),
        ("listen.lmtp_socket_mode = '999'", "is not usable"),
        ("listen.lmtp_socket_mode = '060'", "is not usable"),
        ("listen.imap = ['127.0.0.1:1', '127.0.0.1:1']", "already taken by imap"),
        ("listen.imap = '0.0.0.0:7'\nlisten.pop3 = '127.0.0.1:7'", "already taken by imap"),
        ("listen.imap = '127.0.0.1:99999'", "is not an address"),
        ("listen.imap = true", "is true or false"),
        ("tls.certificate = 'c.pem'", "needs key beside it"),
        ("tls.key = 'c.pem'", "needs certificate beside it"),
        ("tls.names = [1979-05-27]", "is a date"),
        ("threads = 1\nthreads = 1", "not TOML: duplicate key"),
        ("threads 1", "not TOML:"),
    ] {
        let found = problems(text);
        assert!(found.iter().any(|problem| problem.contains(part)), "{text:?} gave {found:?}, not {part:?}");
    }
}

#[test]
fn forms_of_values() {
    let config = config(
        "data_dir = '/srv/mail'\nlimits.message_size = '50mb'\nlimits.line_after_login = '64 kib'\nlimits.line_before_login = 9000\n\
         limits.imap_idle = '2 hours'\nlimits.write = '90s'\nauth.argon2_memory = '8 MiB'\nauth.cache = '0 s'\n\
         listen.imap = '*:143'\nlisten.pop3 = []\nlisten.lmtp_socket = '/run/m/l.sock'\nlisten.lmtp_socket_mode = 0o666\n\
         listen.imaps = ['[::1]:993', '192.0.2.1:0']\nlisten.pop3s='192.0.2.1:0'\ntls.names = ['192.0.2.1', 'Mail.Example.ORG']",
    )
    .expect("parses");
    assert_eq!(config.limits.message_size, 50_000_000);
    assert_eq!((config.limits.line_after_login, config.limits.line_before_login), (65_536, 9_000));
    assert_eq!((config.limits.imap_idle, config.limits.write), (Duration::from_hours(2), Duration::from_secs(90)));
    assert_eq!(
        (config.auth.argon2_memory, config.auth.argon2_auto, config.auth.cache),
        (8 << 10, false, Duration::ZERO)
    );
    assert_eq!(config.listen.imap, ["0.0.0.0:143".parse().unwrap(), "[::]:143".parse().unwrap()]);
    assert_eq!(config.listen.pop3, Vec::new());
    assert_eq!(config.listen.lmtp_socket.as_deref(), Some(Path::new("/run/m/l.sock")));
    assert_eq!(config.listen.lmtp_socket_mode, 0o666);
    assert_eq!(config.tls.names, ["192.0.2.1", "mail.example.org"]);
}

#[test]
fn paths_of_a_file_count_from_its_directory() {
    let directory = std::env::temp_dir().join(format!("mailnook-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("temporary directory");
    let file = directory.join("m.toml");
    std::fs::write(&file, "data_dir = 'd'\ntls.certificate = 'c.pem'\ntls.key = '/k.pem'\n").expect("writes");
    let config = Config::load(Some(&file)).expect("loads");
    assert_eq!(config.data_dir, directory.join("d"));
    assert_eq!(config.listen.lmtp_socket, Some(directory.join("d/lmtp.sock")));
    assert_eq!(config.tls.certificate, Some(directory.join("c.pem")));
    assert_eq!(config.tls.key, Some(Path::new("/k.pem").to_owned()));

    std::fs::write(&file, b"# gr\xfcn\n").expect("writes");
    let text = |path: &Path| Config::load(Some(path)).expect_err("is refused")[0].to_string();
    assert_eq!(text(&file), "line 1 is not UTF-8; save the file as UTF-8");
    assert_eq!(text(&directory), "is a directory, not a file");
    assert!(text(&directory.join("none")).starts_with("cannot read it: No such file"));
    std::fs::remove_dir_all(&directory).expect("clean");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = config(&text);
    }

    #[test]
    fn no_document_panics(keys in proptest::collection::vec(("[a-z_.]{1,12}", "[\\[\\]{}='\"a-z0-9 :.,\n-]{0,24}"), 0..8)) {
        let lines: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let text = lines.join("\n");
        for problem in problems(&text) {
            prop_assert!(problem.len() < 2_000);
        }
    }

    #[test]
    fn no_value_panics(key in proptest::sample::select(KEYS.iter().flat_map(|(s, k)| k.iter().map(move |k| if s.is_empty() { (*k).to_owned() } else { format!("{s}.{k}") })).collect::<Vec<_>>()),
                       value in "'[^'\n\r]{0,30}'|-?[0-9]{1,25}|\\[('[0-9:.*]{0,10}',?){0,3}\\]") {
        let _ = config(&format!("{key} = {value}\n"));
    }
}
