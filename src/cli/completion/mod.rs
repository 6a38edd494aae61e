//! Completions for shells, made from the list of commands.

mod bash;
mod fish;
mod zsh;

use super::commands::{COMMANDS, COMMON, Command, Opt};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The shells that there is a script for.
pub(super) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// The script for a shell; None: it is not one of [`SHELLS`].
pub(super) fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash::script()),
        "zsh" => Some(zsh::script()),
        "fish" => Some(fish::script()),
        _ => None,
    }
}

/// Everything that may come behind each beginning of a command, the longest beginnings first.
fn steps() -> Vec<(Vec<&'static str>, Vec<String>)> {
    let mut beginnings: BTreeSet<Vec<&str>> = BTreeSet::new();
    for command in COMMANDS {
        for length in 0..=command.path.len() {
            beginnings.insert(command.path.iter().take(length).copied().collect());
        }
    }
    let next = |beginning: &Vec<&'static str>| {
        let longer = |command: &&Command| command.path.len() > beginning.len() && command.path.starts_with(beginning);
        let mut words: BTreeSet<String> = COMMANDS
            .iter()
            .filter(longer)
            .filter_map(|command| command.path.get(beginning.len()))
            .map(|word| (*word).to_owned())
            .collect();
        let own = COMMANDS.iter().find(|command| command.path == beginning.as_slice());
        words.extend(own.into_iter().flat_map(|command| command.options).chain(COMMON).map(long));
        words.extend(own.into_iter().flat_map(|command| command.words).flat_map(|word| choices(word)));
        words.into_iter().collect()
    };
    let mut steps: Vec<_> = beginnings.into_iter().map(|beginning| (beginning.clone(), next(&beginning))).collect();
    steps.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
    steps
}

fn long(option: &Opt) -> String {
    format!("--{}", option.long)
}

/// The words that a placeholder such as `[any|lan|off]` stands for.
fn choices(placeholder: &str) -> Vec<String> {
    let bare = placeholder.trim_matches(['[', ']']);
    if bare.contains('|') { bare.split('|').map(str::to_owned).collect() } else { Vec::new() }
}

/// Whether a placeholder stands for a file or a directory.
fn is_path(placeholder: &str) -> bool {
    matches!(placeholder.trim_matches(['[', ']']), "FILE" | "DIR")
}

/// How the options that take a value are written, each with what may stand there.
fn values() -> Vec<(String, Vec<String>)> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for option in COMMANDS.iter().flat_map(|command| command.options).chain(COMMON) {
        let Some(value) = option.value else { continue };
        let short = option.short.map(|short| format!("-{short}"));
        for name in short.into_iter().chain([long(option)]) {
            found.entry(name).or_default().extend(choices(value));
        }
    }
    found.into_iter().map(|(name, words)| (name, words.into_iter().collect())).collect()
}

/// `name | name | ...` of all options that take a value, as a pattern of `case`.
fn value_pattern() -> String {
    values().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" | ")
}

/// The branches of a `case` over the last word where it is an option that takes a value; `offer` says what is done then.
fn value_branches(offer: impl Fn(&str) -> String) -> String {
    let branch = |(name, words): (String, Vec<String>)| format!("    {name}) {}; return ;;\n", offer(&words.join(" ")));
    values().into_iter().map(branch).collect()
}

/// The branches of a `case` over the words so far, each of which sets `next`.
fn branches() -> String {
    let mut text = String::new();
    for (beginning, words) in steps() {
        let pattern = beginning.iter().fold(String::new(), |pattern, word| format!("{pattern} {word}"));
        let pattern = if pattern.is_empty() { "*".to_owned() } else { format!("\"{pattern}\" | \"{pattern} \"*") };
        let _ = writeln!(text, "        {pattern}) next=\"{}\" ;;", words.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_offered_in_every_shell() {
        for shell in SHELLS {
            let script = script(shell).unwrap();
            for word in COMMANDS.iter().flat_map(|command| command.path) {
                assert!(script.contains(word), "{shell} does not know {word}");
            }
        }
        assert!(script("tcsh").is_none());
    }

    #[test]
    fn behind_user_come_its_commands() {
        let steps = steps();
        let user = steps.iter().find(|(beginning, _)| *beginning == ["user"]).unwrap();
        assert!(user.1.contains(&"passwd".to_owned()) && user.1.contains(&"alias".to_owned()), "{:?}", user.1);
    }

    #[test]
    fn every_board_is_offered() {
        let command = COMMANDS.iter().find(|command| command.path == ["config", "board"]).unwrap();
        let names: Vec<_> = crate::config::BOARDS.iter().map(|board| board.name).collect();
        assert_eq!(choices(command.words[0]), names);
    }

    /// What bash offers behind these words.
    fn offered(words: &[&str]) -> Vec<String> {
        let line = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let call = format!(
            "{}\nCOMP_WORDS=({line}); COMP_CWORD={}; _mailnook; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            bash::script(),
            words.len() - 1
        );
        let output = std::process::Command::new("bash").args(["-c", &call]).output().expect("bash");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_commands_options_and_values() {
        for (words, wanted) in [
            (&["mailnook", "us"][..], &["user"][..]),
            (&["mailnook", "-c", "x", "user", "p"], &["passwd", "pop3"]),
            (&["mailnook", "completion", ""], &["bash", "fish", "zsh"]),
            (&["mailnook", "user", "main-password", "anna", "l"], &["lan"]),
            (&["mailnook", "user", "pop3", "anna", "--dele", ""], &["expunge", "hide", "trash"]),
            (&["mailnook", "user", "pop3", "anna", "--dele", "=", "h"], &["hide"]),
            (&["mailnook", "user", "pop3", "anna", "--dele", "hide", "--se"], &["--seen"]),
            (&["mailnook", "--data", "user", "quota", "s"], &["set", "show"]),
        ] {
            let found = offered(words);
            assert!(wanted.iter().all(|word| found.iter().any(|other| other == word)), "{words:?}: {found:?}");
        }
        assert!(offered(&["mailnook", "-c", ""]).iter().all(String::is_empty), "a file");
    }
}
