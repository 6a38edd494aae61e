//! Manual pages, made from the list of commands and from the commented default configuration (man(7)).

use super::commands::{COMMANDS, COMMON, Opt};
use crate::config::DEFAULT_TEXT;
use std::fmt::Write;

/// mailnook(1)
pub(super) fn program() -> String {
    let mut page =
        head("MAILNOOK", '1', "mailnook", "mail server for one household: IMAP, POP3 and LMTP over one store");
    page.push_str(".SH SYNOPSIS\n.B mailnook\n.I COMMAND\n.RI [ OPTIONS ]\n.SH DESCRIPTION\n");
    page.push_str(
        "Keeps the mail of a household in one crash-safe store and serves it by IMAP and POP3. Mail comes in by LMTP from a mail \
         transfer agent, or by\n.BR \"mailnook deliver\" .\nCommands work while the server runs, and take effect at once.\n",
    );
    page.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        let words = command.path.iter().chain(command.words).copied().collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, ".SS {}\n{}.", escaped(&words), escaped(command.summary));
        for paragraph in command.details.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            let _ = writeln!(page, ".PP\n{}", escaped(paragraph.trim_end()));
        }
        page.push_str(&options(command.options));
    }
    page.push_str(".SH OPTIONS OF EVERY COMMAND\n");
    page.push_str(&options(COMMON));
    page.push_str(".SH FILES\n.TP\n.I /etc/mailnook/mailnook.toml\nThe configuration, see\n.BR mailnook.toml (5).\n");
    page.push_str(".SH EXIT STATUS\n0 where all went well, else a code of\n.BR sysexits (3head).\n");
    page.push_str(".SH SEE ALSO\n.BR mailnook.toml (5)\n");
    page
}

/// mailnook.toml(5): the default configuration with its comments.
pub(super) fn configuration() -> String {
    let mut page = head("MAILNOOK.TOML", '5', "mailnook.toml", "configuration of the mailnook mail server");
    page.push_str(".SH DESCRIPTION\nThe file\n.I /etc/mailnook/mailnook.toml\nwith its defaults:\n.PP\n.nf\n");
    for line in DEFAULT_TEXT.lines() {
        page.push_str(&escaped(line));
        page.push('\n');
    }
    page.push_str(".fi\n.SH SEE ALSO\n.BR mailnook (1)\n");
    page
}

fn head(title: &str, section: char, name: &str, summary: &str) -> String {
    format!(".TH {title} {section} \"\" \"mailnook {}\"\n.SH NAME\n{name} \\- {summary}\n", env!("CARGO_PKG_VERSION"))
}

fn options(options: &[Opt]) -> String {
    let mut text = String::new();
    for option in options {
        let short = option.short.map_or_else(String::new, |short| format!("\\-{short}, "));
        let value = option.value.map_or_else(String::new, |value| format!(" {value}"));
        let _ = writeln!(
            text,
            ".TP\n.B {short}\\-\\-{}{}\n{}.",
            escaped(option.long),
            escaped(&value),
            escaped(option.help)
        );
    }
    text
}

/// Text whose every character stands for itself, also at the beginning of a line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if line.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        for character in line.chars() {
            match character {
                '\\' => out.push_str("\\e"),
                '-' => out.push_str("\\-"),
                '\'' => out.push_str("\\(aq"),
                '`' => out.push_str("\\(ga"),
                other => out.push(other),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_every_key_has_its_place() {
        let page = program();
        for command in COMMANDS {
            assert!(page.contains(&format!(".SS {}", escaped(&command.path.join(" ")))), "{:?}", command.path);
        }
        assert!(configuration().contains("argon2_memory"));
    }

    #[test]
    fn nothing_of_a_text_is_a_request() {
        assert_eq!(escaped(".TH x\n'y \\ -"), "\\&.TH x\n\\&\\(aqy \\e \\-");
    }
}
