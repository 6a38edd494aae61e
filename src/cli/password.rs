//! Getting a new password: from standard input, from the terminal without echo, or made here.

use super::args::Parsed;
use crate::admin::name::{self, PASSWORD_MAX};
use crate::auth::generate_password;
use async_signal::{Signal, Signals};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};
use smol::stream::StreamExt;
use std::io::{self, BufRead, Read, Write};
use std::sync::Once;

/// A new password and whether it was made here and is to be shown.
pub(super) struct NewPassword {
    pub password: String,
    pub generated: bool,
}

/// The new password of `user`, as the options say.
///
/// # Errors
/// A text; the exit code is that of wrong usage.
pub(super) fn new(parsed: &Parsed, user: &str) -> Result<NewPassword, String> {
    let given = match (parsed.has("password-stdin"), parsed.has("generate")) {
        (true, true) => return Err("--password-stdin and --generate exclude each other".to_owned()),
        (false, true) => return Ok(NewPassword { password: generate_password(), generated: true }),
        (true, false) => line(&mut io::stdin().lock())?,
        (false, false) if isatty(io::stdin()) => asked_twice(user)?,
        (false, false) => {
            return Err("there is no terminal to ask for the password; give --password-stdin or --generate".to_owned());
        }
    };
    name::password(user, &given)?;
    Ok(NewPassword { password: given, generated: false })
}

fn asked_twice(user: &str) -> Result<String, String> {
    let first = asked(&format!("New password of {user}: "))?;
    name::password(user, &first)?;
    if asked("Once more: ")? == first { Ok(first) } else { Err("the two passwords differ".to_owned()) }
}

fn asked(prompt: &str) -> Result<String, String> {
    let mut terminal = io::stderr().lock();
    let _closed = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let quiet = Quiet::new().map_err(|error| format!("cannot turn the terminal's echo off: {error}"))?;
    let password = line(&mut io::stdin().lock());
    drop(quiet);
    let _closed = writeln!(terminal);
    password
}

/// One line without its end.
fn line(input: &mut dyn BufRead) -> Result<String, String> {
    let mut octets = Vec::new();
    // Limit: a line longer than any password is not read on.
    let max = u64::try_from(PASSWORD_MAX).unwrap_or(u64::MAX).saturating_add(2);
    input.take(max).read_until(b'\n', &mut octets).map_err(|error| format!("cannot read the password: {error}"))?;
    let line = octets.strip_suffix(b"\n").unwrap_or(&octets);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).map_err(|_| "the password is not UTF-8".to_owned())
}

/// The terminal without echo, until dropped or until a signal ends the process.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        end_loud(&before)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(before: &Termios) {
    let _closed = tcsetattr(io::stdin(), OptionalActions::Now, before);
}

/// Lets the signals that end this process bring the terminal back first, from now on.
fn end_loud(before: &Termios) -> io::Result<()> {
    static CAUGHT: Once = Once::new();
    if CAUGHT.is_completed() {
        return Ok(());
    }
    let mut signals = Signals::new([Signal::Int, Signal::Quit, Signal::Term, Signal::Hup])?;
    let before = before.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(Ok(signal)) = smol::block_on(signals.next()) {
            // From the background it would stop this process instead; whoever has the terminal set it as they like it.
            if tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp()) {
                restore(&before);
            }
            // As a shell tells the end by that signal.
            std::process::exit(128 + signal as i32);
        }
    })?;
    CAUGHT.call_once(|| ());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_read() {
        for (input, password) in [("secret\n", "secret"), ("secret\r\nmore\n", "secret"), (" a b ", " a b "), ("", "")]
        {
            assert_eq!(line(&mut input.as_bytes()).as_deref(), Ok(password));
        }
        assert!(line(&mut &b"\xff\n"[..]).is_err());
        let endless = line(&mut io::BufReader::new(io::repeat(b'x'))).expect("ends");
        assert!(endless.len() > PASSWORD_MAX && name::password("anna", &endless).is_err());
    }
}
