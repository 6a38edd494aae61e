//! For fish.

use super::{COMMANDS, COMMON, Opt, choices, is_path, value_pattern};
use std::collections::BTreeSet;
use std::fmt::Write;

pub(super) fn script() -> String {
    let mut text = format!(
        "function __mailnook_path
    set -l path
    set -l last ''
    for word in (commandline -opc)[2..-1]
        if contains -- \"$last\" {}
            set last ''
            continue
        end
        set last $word
        string match -q -- '-*' $word
        or set -a path $word
    end
    string join ' ' -- mailnook $path
end
complete -c mailnook -f
",
        value_pattern().replace(" | ", " ")
    );
    let mut offered = BTreeSet::new();
    for command in COMMANDS {
        for length in 0..command.path.len() {
            let (before, word) = ([&["mailnook"], &command.path[..length]].concat().join(" "), command.path[length]);
            if offered.insert((before.clone(), word)) {
                let _ = writeln!(text, "complete -c mailnook -n 'test (__mailnook_path) = \"{before}\"' -a {word}");
            }
        }
        let here = format!("string match -qr -- \"^mailnook {}( |\\$)\" (__mailnook_path)", command.path.join(" "));
        let words = command.words.iter().flat_map(|word| choices(word)).collect::<Vec<_>>().join(" ");
        if !words.is_empty() {
            let _ = writeln!(text, "complete -c mailnook -n '{here}' -a '{words}'");
        }
        if command.words.iter().any(|word| is_path(word)) {
            let _ = writeln!(text, "complete -c mailnook -n '{here}' -F");
        }
        for option in command.options {
            let _ = writeln!(text, "complete -c mailnook -n '{here}'{}", switches(option));
        }
    }
    for option in COMMON {
        let _ = writeln!(text, "complete -c mailnook{}", switches(option));
    }
    text
}

fn switches(option: &Opt) -> String {
    let short = option.short.map_or_else(String::new, |short| format!(" -s {short}"));
    let value = option.value.map_or_else(String::new, |value| match choices(value).join(" ") {
        _ if is_path(value) => " -r -F".to_owned(),
        words if words.is_empty() => " -x".to_owned(),
        words => format!(" -x -a '{words}'"),
    });
    let help = option.help.replace('\\', "\\\\").replace('\'', "\\'");
    format!(" -l {}{short}{value} -d '{help}'", option.long)
}
