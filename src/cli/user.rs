//! The commands of `user` that ask for something first.

use super::args::Parsed;
use super::{complain, owner, password, print};
use crate::admin::{Request, exit, name};
use crate::config::Config;
use rustix::termios::isatty;
use std::io::{self, BufRead, Read, Write};

/// `user add`
pub(super) fn add(parsed: &Parsed, config: Config) -> u8 {
    with_password(parsed, config, true, |name, password| Request::UserAdd { name, password })
}

/// `user passwd`
pub(super) fn passwd(parsed: &Parsed, config: Config) -> u8 {
    with_password(parsed, config, false, |name, password| Request::UserPassword { name, password })
}

fn with_password(parsed: &Parsed, config: Config, create: bool, request: fn(String, String) -> Request) -> u8 {
    let checked = name::account(&parsed.word(0)).and_then(|name| Ok((password::new(parsed, &name)?, name)));
    let (new, name) = match checked {
        Ok(checked) => checked,
        Err(text) => {
            complain(&text);
            return exit::USAGE;
        }
    };
    let code = owner::ask(config, &request(name, new.password.clone()), create);
    if code == exit::OK && new.generated {
        print(&format!("password: {}\n", new.password));
    }
    code
}

/// `user remove`
pub(super) fn remove(parsed: &Parsed, config: Config) -> u8 {
    let name = match name::account(&parsed.word(0)) {
        Ok(name) => name,
        Err(text) => {
            complain(&text);
            return exit::USAGE;
        }
    };
    if !parsed.has("yes") {
        if !isatty(io::stdin()) {
            complain("this removes all mail of the user; confirm with --yes");
            return exit::USAGE;
        }
        if !confirmed(&name) {
            complain("nothing was removed");
            return exit::FAILURE;
        }
    }
    owner::ask(config, &Request::UserRemove { name }, false)
}

fn confirmed(name: &str) -> bool {
    let mut terminal = io::stderr().lock();
    let _closed = write!(terminal, "Remove user {name} and all mail of that user? Type the name to confirm: ")
        .and_then(|()| terminal.flush());
    let mut answer = String::new();
    // Limit: an answer is as short as a name.
    io::stdin().lock().take(100).read_line(&mut answer).is_ok() && answer.trim() == name
}
