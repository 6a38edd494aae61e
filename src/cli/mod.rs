//! The command line: finds the command, its options and the configuration, then serves or asks the owner of the store.
//!
//! [`commands::COMMANDS`] is the one list of commands; help texts, parsing and suggestions come from it.
//! Nothing here knows what a command does to the store: that is `admin`.

mod args;
mod board;
mod client_settings;
mod commands;
mod completion;
mod configuration;
mod doctor;
mod help;
mod manual;
mod owner;
mod password;
mod qr;
mod serve;
mod user;

#[cfg(test)]
mod tests;

use crate::admin::exit;
use crate::config::Config;
use args::{Parsed, Wish};
use std::ffi::OsString;
use std::io::Write;

/// Starts the log with a level; given by `main`.
pub type StartLog = fn(log::LevelFilter);

/// Runs the command that `arguments` (without the program's name) ask for and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, start_log: StartLog) -> u8 {
    match args::parse(arguments) {
        Ok(Wish::Help(text)) => {
            print(&text);
            exit::OK
        }
        Ok(Wish::Version) => {
            print(concat!("mailnook ", env!("CARGO_PKG_VERSION"), "\n"));
            exit::OK
        }
        Ok(Wish::Run(parsed)) => command(&parsed, start_log),
        Err(text) => {
            complain(&text);
            exit::USAGE
        }
    }
}

fn command(parsed: &Parsed, start_log: StartLog) -> u8 {
    match parsed.command.path {
        ["config", "default"] => {
            print(crate::config::DEFAULT_TEXT);
            return exit::OK;
        }
        ["config", "check"] => return configuration::check(parsed),
        ["config", "board"] => return board::run(parsed),
        ["manual"] => {
            print(&if parsed.has("config-file") { manual::configuration() } else { manual::program() });
            return exit::OK;
        }
        ["completion"] => {
            let Some(script) = completion::script(&parsed.word(0)) else {
                complain(&format!("there are completions for {}", completion::SHELLS.join(", ")));
                return exit::USAGE;
            };
            print(&script);
            return exit::OK;
        }
        ["doctor"] => {
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
            return doctor::run(parsed);
        }
        _ => {}
    }
    let config = match configuration::load(parsed) {
        Ok(config) => config,
        // An MTA returns a message to its sender for every other code, and the message is not to blame.
        Err(()) if parsed.command.path == ["deliver"] => return exit::TEMPORARY,
        Err(()) => return exit::CONFIG,
    };
    // Nothing that mailnook makes is for others, but for sockets whose mode is set.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if parsed.command.path == ["serve"] {
        start_log(config.log_level);
        return serve::run(config);
    }
    start_log(log::LevelFilter::Warn.min(config.log_level));
    asked(parsed, config)
}

fn asked(parsed: &Parsed, config: Config) -> u8 {
    use crate::admin::{PopChange, Request};
    use crate::types::Rights;
    let json = parsed.has("json");
    let request = match parsed.command.path {
        ["user", "add"] => return user::add(parsed, config),
        ["user", "passwd"] => return user::passwd(parsed, config),
        ["user", "remove"] => return user::remove(parsed, config),
        ["client-settings"] => return client_settings::run(parsed, config),
        ["user", "list"] => Request::UserList { json },
        ["user", "show"] => Request::UserShow { name: parsed.word(0), json },
        ["user", "alias", "add"] => Request::AliasAdd { name: parsed.word(0), alias: parsed.word(1) },
        ["user", "alias", "remove"] => Request::AliasRemove { name: parsed.word(0), alias: parsed.word(1) },
        ["user", "pop3"] => Request::UserPop3 {
            name: parsed.word(0),
            change: PopChange {
                reset: parsed.has("default"),
                delete: parsed.value("dele"),
                hide_days: parsed.value("hide-days"),
                release_days: parsed.value("release-days"),
                retr_seen: parsed.value("seen"),
            },
        },
        ["user", "main-password"] => Request::UserMainPassword { name: parsed.word(0), scope: parsed.word(1) },
        ["device", "add"] => {
            let (imap, pop3) = (parsed.has("imap"), parsed.has("pop3"));
            let both = imap == pop3;
            let rights = Rights { imap: imap || both, pop3: pop3 || both, read_only: parsed.has("read-only") };
            Request::DeviceAdd { name: parsed.word(0), device: parsed.word(1), rights }
        }
        ["device", "list"] => Request::DeviceList { name: parsed.word(0), json },
        ["device", "revoke"] => Request::DeviceRevoke { name: parsed.word(0), device: parsed.word(1) },
        ["deliver"] => Request::Deliver {
            recipients: parsed.values("recipient"),
            sender: parsed.value("sender").unwrap_or_default(),
            mailbox: parsed.value("mailbox"),
        },
        ["quota", "show"] => {
            let name = Some(parsed.word(0)).filter(|name| !name.is_empty());
            Request::QuotaShow { name, json }
        }
        ["quota", "set"] => Request::QuotaSet {
            name: parsed.word(0),
            bytes: parsed.value("bytes"),
            messages: parsed.value("messages"),
            over: parsed.value("over"),
        },
        ["quota", "recount"] => Request::QuotaRecount { name: parsed.word(0) },
        ["expire"] => Request::Expire { dry_run: parsed.has("dry-run") },
        ["user", "expire"] => Request::UserExpire {
            name: parsed.word(0),
            mailbox: Some(parsed.word(1)).filter(|mailbox| !mailbox.is_empty()),
            days: parsed.word(2),
            deleted_days: parsed.value("deleted-days"),
        },
        ["undelete"] => Request::Undelete {
            name: parsed.value("user").unwrap_or_default(),
            since: parsed.value("since").unwrap_or_default(),
            mailbox: parsed.value("mailbox"),
            dry_run: parsed.has("dry-run"),
        },
        ["why"] => Request::Why { name: parsed.word(0), message: parsed.word(1), mailbox: parsed.value("mailbox") },
        ["trust-clock"] => Request::TrustClock { day: parsed.word(0) },
        ["config", "measure"] => return owner::ask(config, &Request::Measure, true),
        ["verify"] => Request::Verify,
        ["status"] => Request::Status { json },
        _ => {
            complain("this command is not there yet");
            return exit::SOFTWARE;
        }
    };
    if let Request::Deliver { recipients, .. } = &request
        && recipients.is_empty()
    {
        complain("deliver needs a recipient: -r ADDRESS");
        return exit::USAGE;
    }
    owner::ask(config, &request, false)
}

/// Writes to standard output. Whoever closed it does not want the rest.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes one message to standard error.
fn complain(text: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "mailnook: {text}");
}
