//! Help texts, made from the list of commands.

use super::commands::{COMMANDS, COMMON, Command, Opt};
use std::fmt::Write;

/// The help of the program.
pub(super) fn program() -> String {
    let mut text = concat!(
        "mailnook ",
        env!("CARGO_PKG_VERSION"),
        ": a small mail server for one household: IMAP, POP3 and LMTP over one store.\n\n",
        "usage: mailnook COMMAND [OPTIONS]\n\n"
    )
    .to_owned();
    text.push_str(&list(&[]));
    text.push_str("\noptions of every command:\n");
    text.push_str(&options(COMMON));
    text.push_str("      --version            the version of mailnook\n\n");
    text.push_str("`mailnook COMMAND --help` tells more.\n");
    text
}

/// The help of a group such as `user`.
pub(super) fn group(path: &[&str]) -> String {
    format!("usage: mailnook {} COMMAND\n\n{}", path.join(" "), list(path))
}

/// The help of one command.
pub(super) fn command(command: &Command) -> String {
    let mut text = format!("{}\n\n{}.\n", usage(command), capitalised(command.summary));
    if !command.details.is_empty() {
        let _ = write!(text, "\n{}", command.details);
    }
    text.push_str("\noptions:\n");
    text.push_str(&options(command.options));
    text.push_str(&options(COMMON));
    text
}

/// The line that shows how a command is called.
pub(super) fn usage(command: &Command) -> String {
    let words = command.path.iter().chain(command.words).copied().collect::<Vec<_>>().join(" ");
    let required = match command.path {
        ["deliver"] => " -r ADDRESS",
        ["undelete"] => " --user USER --since TIME",
        _ => "",
    };
    format!("usage: mailnook {words}{required} [OPTIONS]")
}

fn list(path: &[&str]) -> String {
    let rows: Vec<_> = COMMANDS
        .iter()
        .filter(|command| command.path.starts_with(path))
        .map(|command| {
            let words = command.path.iter().chain(command.words).copied().collect::<Vec<_>>().join(" ");
            (words, command.summary)
        })
        .collect();
    let width = rows.iter().map(|(words, _)| words.len()).max().unwrap_or(0);
    let mut text = "commands:\n".to_owned();
    for (words, summary) in rows {
        let _ = writeln!(text, "  {words:<width$}  {summary}");
    }
    text
}

fn options(options: &[Opt]) -> String {
    let mut text = String::new();
    for option in options {
        let short = option.short.map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
        let value = option.value.map_or_else(String::new, |value| format!(" {value}"));
        let names = format!("{short}--{}{value}", option.long);
        let _ = writeln!(text, "  {names:<25}{}", option.help);
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
