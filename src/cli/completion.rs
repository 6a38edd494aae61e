//! Completions for shells, made from the list of commands.

use super::commands::{COMMANDS, COMMON, Command, Opt};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The shells that there is a script for.
pub(super) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// The script for a shell; None: it is not one of [`SHELLS`].
pub(super) fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        // zsh runs bash's completions.
        "zsh" => Some(format!("#compdef mailnook\nautoload -U +X bashcompinit && bashcompinit\n{}", bash())),
        "fish" => Some(fish()),
        _ => None,
    }
}

/// Everything that may come behind each beginning of a command.
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
    beginnings.into_iter().map(|beginning| (beginning.clone(), next(&beginning))).collect()
}

fn long(option: &Opt) -> String {
    format!("--{}", option.long)
}

/// The words that a placeholder such as `[any|lan|off]` stands for.
fn choices(placeholder: &str) -> Vec<String> {
    let bare = placeholder.trim_matches(['[', ']']);
    if bare.contains('|') { bare.split('|').map(str::to_owned).collect() } else { Vec::new() }
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

fn bash() -> String {
    let values = values();
    let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    let mut text = format!(
        "_mailnook() {{\n    local word last=\"\" path=\"\" next=\"\" current=\"${{COMP_WORDS[COMP_CWORD]}}\"\n    \
         for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        [[ $word == = ]] && continue\n        \
         case \"$last\" in {}) last=\"\"; continue ;; esac\n        last=\"$word\"\n        \
         [[ $word == -* ]] || path=\"$path $word\"\n    done\n    [[ $current == = ]] && current=\"\"\n    \
         case \"$last\" in\n",
        names.join(" | ")
    );
    for (name, words) in &values {
        let _ = writeln!(
            text,
            "        {name}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;",
            words.join(" ")
        );
    }
    text.push_str("    esac\n    case \"$path\" in\n");
    // The longest first: a pattern also fits a command with its arguments.
    let mut steps = steps();
    steps.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
    for (beginning, words) in steps {
        let pattern = beginning.iter().fold(String::new(), |pattern, word| format!("{pattern} {word}"));
        let pattern = if pattern.is_empty() { "*".to_owned() } else { format!("\"{pattern}\" | \"{pattern} \"*") };
        let _ = writeln!(text, "        {pattern}) next=\"{}\" ;;", words.join(" "));
    }
    text.push_str("    esac\n    COMPREPLY=($(compgen -W \"$next\" -- \"$current\"))\n}\n");
    text.push_str("complete -o default -F _mailnook mailnook\n");
    text
}

fn fish() -> String {
    let mut text = String::from("complete -c mailnook -f\n");
    for command in COMMANDS {
        let mut seen = String::from("__fish_use_subcommand");
        for word in command.path {
            let _ = writeln!(text, "complete -c mailnook -n '{seen}' -a {word}");
            seen = format!("__fish_seen_subcommand_from {word}");
        }
        let words = command.words.iter().flat_map(|word| choices(word)).collect::<Vec<_>>().join(" ");
        if !words.is_empty() {
            let _ = writeln!(text, "complete -c mailnook -n '{seen}' -a '{words}'");
        }
        for option in command.options {
            let short = option.short.map_or_else(String::new, |short| format!(" -s {short}"));
            let value = option.value.map_or_else(String::new, |value| match choices(value).join(" ") {
                words if words.is_empty() => " -r".to_owned(),
                words => format!(" -x -a '{words}'"),
            });
            let help = option.help.replace('\\', "\\\\").replace('\'', "\\'");
            let _ = writeln!(text, "complete -c mailnook -n '{seen}' -l {}{short}{value} -d '{help}'", option.long);
        }
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
            bash(),
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
