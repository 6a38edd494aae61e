use super::args::{Parsed, Wish, parse};
use super::commands::{COMMANDS, COMMON};
use super::help;
use std::ffi::OsString;

fn wish(line: &str) -> Result<Wish, String> {
    parse(line.split_whitespace().map(OsString::from))
}

fn run(line: &str) -> Parsed {
    match wish(line) {
        Ok(Wish::Run(parsed)) => parsed,
        other => panic!("{line:?} gave {other:?}"),
    }
}

fn mistake(line: &str) -> String {
    wish(line).expect_err("is a mistake")
}

#[test]
fn commands_and_their_arguments() {
    let parsed = run("--config a.toml user alias add anna info --data=/d");
    assert_eq!(parsed.command.path, ["user", "alias", "add"]);
    assert_eq!((parsed.word(0).as_str(), parsed.word(1).as_str()), ("anna", "info"));
    assert_eq!(parsed.config.as_deref(), Some("a.toml".as_ref()));
    assert_eq!(parsed.data.as_deref(), Some("/d".as_ref()));

    let parsed = run("deliver -ra@b --recipient c@d -f x@y -m Lists/Rust");
    assert_eq!(parsed.values("recipient"), ["a@b", "c@d"]);
    assert_eq!(parsed.value("sender").as_deref(), Some("x@y"));
    assert_eq!(parsed.value("mailbox").as_deref(), Some("Lists/Rust"));

    assert!(run("status --json").has("json"));
    assert_eq!(run("config check").word(0), "");
    assert_eq!(run("user remove -- --yes").word(0), "--yes");
}

#[test]
fn mistakes_get_a_suggestion() {
    for (line, part) in [
        ("", "which command?"),
        ("user", "which command?"),
        ("serv", "did you mean `mailnook serve`?"),
        ("user lst", "did you mean `mailnook user list`?"),
        ("user alias ad", "did you mean `mailnook user alias add`?"),
        ("frobnicate", "`mailnook --help` lists what there is"),
        ("status --jsno", "did you mean --json?"),
        ("status --frobnicate", "`mailnook status --help` lists"),
        ("serve -x", "there is no option -x"),
        ("--json status", "--json comes after its command: mailnook user list --json"),
        ("user add", "NAME is missing\nusage: mailnook user add NAME [OPTIONS]"),
        ("user add anna secret", "\"secret\" is one argument too many"),
        ("user alias add anna", "ALIAS is missing"),
        ("deliver -r", "missing argument for option '-r'"),
        ("status --json=x", "unexpected argument for option '--json'"),
        ("serve --config", "missing argument"),
    ] {
        let text = mistake(line);
        assert!(text.contains(part), "{line:?} gave {text:?}");
    }
}

#[test]
fn arguments_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let arguments = ["user".into(), "show".into(), OsString::from_vec(vec![0xff])];
    assert!(parse(arguments).expect_err("is refused").contains("not UTF-8"));
}

#[test]
fn every_command_has_help_that_names_its_options() {
    let program = help::program();
    for command in COMMANDS {
        let path = command.path.join(" ");
        assert!(program.contains(&format!("  {path}")), "{path} is not in the list");
        assert!(program.contains(&format!("  {}\n", command.summary)), "{path} runs into its summary");
        for line in [format!("{path} --help"), format!("{path} -h"), format!("help {path}")] {
            let Ok(Wish::Help(text)) = wish(&line) else { panic!("{line} gave no help") };
            for option in command.options.iter().chain(COMMON) {
                assert!(text.contains(&format!("--{}", option.long)), "{line} does not tell of --{}", option.long);
            }
            assert!(text.lines().all(|line| line.len() <= 120), "{line} has a long line");
        }
    }
    assert!(matches!(wish("--help"), Ok(Wish::Help(_))));
    assert!(matches!(wish("user --help"), Ok(Wish::Help(_))));
    assert!(matches!(wish("--version"), Ok(Wish::Version)));
}
