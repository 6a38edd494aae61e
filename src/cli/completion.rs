//! Completions for shells, made from the list of commands.

use super::commands::{COMMANDS, COMMON, Command, Opt};
use std::collections::BTreeSet;
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
        words.into_iter().collect()
    };
    beginnings.into_iter().map(|beginning| (beginning.clone(), next(&beginning))).collect()
}

fn long(option: &Opt) -> String {
    format!("--{}", option.long)
}

fn bash() -> String {
    let mut text = String::from(
        "_mailnook() {\n    local word path=\"\" next\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        \
         [[ $word == -* ]] || path=\"$path $word\"\n    done\n    case \"$path\" in\n",
    );
    // The longest first: a pattern also fits a command with its arguments.
    let mut steps = steps();
    steps.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
    for (beginning, words) in steps {
        let pattern = beginning.iter().fold(String::new(), |pattern, word| format!("{pattern} {word}"));
        let pattern = if pattern.is_empty() { "*".to_owned() } else { format!("\"{pattern}\" | \"{pattern} \"*") };
        let _ = writeln!(text, "        {pattern}) next=\"{}\" ;;", words.join(" "));
    }
    text.push_str("    esac\n    COMPREPLY=($(compgen -W \"$next\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n");
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
        for option in command.options {
            let short = option.short.map_or_else(String::new, |short| format!(" -s {short}"));
            let value = if option.value.is_some() { " -r" } else { "" };
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
}
