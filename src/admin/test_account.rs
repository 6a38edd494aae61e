//! An account that exists while `mailnook doctor` sends a test mail, and not longer: the server removes it with its mail
//! as soon as the command says that it is done, or is gone for whatever reason. What a killed server leaves is removed by
//! the next test. No user's mailbox, quota or telephone ever sees the test.

use super::call::{Call, Failure};
use super::frame::{self, Kind};
use super::request::Request;
use super::{Context, exit, worker};
use crate::auth::new_device;
use crate::mailbox::Error;
use crate::types::Rights;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How the names of such accounts begin; [`DIGITS`] hexadecimal digits follow.
const PREFIX: &str = "doctor-test-";
const DIGITS: usize = 16;

/// The accounts of tests that go on: another test must not take them for remains.
static LIVE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// How long the server may take for the account. A small board computes keys for a second.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(context: &Context, call: &mut Call<'_>) -> Result<u8, Failure> {
    sweep(context).await?;
    let name = new_name()?;
    live().insert(name.clone());
    let outcome = offer(context, call, &name).await;
    // Whatever happened: also where the client is gone or the server stops.
    let removed = context.core.remove_account(&name).await;
    live().remove(&name);
    outcome?;
    removed?;
    Ok(exit::OK)
}

async fn offer(context: &Context, call: &mut Call<'_>, name: &str) -> Result<(), Failure> {
    context.core.create_account(name, None).await?;
    let login = context.core.store().login(name).ok().flatten().ok_or_else(|| Failure::core(&Error::Temporary))?;
    let made = worker::run(move || new_device(&login, "doctor", Rights::ALL)).await?;
    let (password, device) = made.map_err(|error| Failure::new(exit::TEMPORARY, error.to_string()))?;
    context.core.add_device(name, device).await?;
    call.print(&format!("{name} {password}\n")).await?;
    call.flush().await?;
    while call.input().await?.is_some() {}
    Ok(())
}

/// Removes what tests left that were cut by the end of their server.
async fn sweep(context: &Context) -> Result<(), Failure> {
    for account in context.core.accounts()? {
        let is_live = live().contains(&account.name);
        if is_test(&account.name) && !is_live {
            log::info!("admin: removing the test account {}", account.name);
            context.core.remove_account(&account.name).await?;
        }
    }
    Ok(())
}

fn live() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_test(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|octet| octet.is_ascii_hexdigit()))
}

fn new_name() -> Result<String, Failure> {
    let mut octets = [0; DIGITS / 2];
    getrandom::fill(&mut octets).map_err(|error| Failure::new(exit::TEMPORARY, error.to_string()))?;
    Ok(octets.iter().fold(PREFIX.to_owned(), |name, octet| format!("{name}{octet:02x}")))
}

/// The client's side: the account exists while this lives.
#[derive(Debug)]
pub struct TestAccount {
    stream: UnixStream,
    /// Its name, which is also the local part of its address.
    pub name: String,
    /// Opens IMAP and POP3.
    pub password: String,
}

impl TestAccount {
    /// Asks the server at the other end for an account.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn open(stream: UnixStream) -> Result<Self, String> {
        let ask = || {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let request = Request::TestAccount.encode().ok_or_else(|| io::Error::other("too long"))?;
            frame::write_blocking(&mut &stream, Kind::Request, &request)?;
            frame::read_blocking(&mut &stream)
        };
        let answer = ask().map_err(|error| format!("the server does not answer ({error})"))?;
        let text = String::from_utf8_lossy(&answer.payload);
        match (answer.kind, text.trim().split_once(' ')) {
            (Kind::Output, Some((name, password))) => {
                let (name, password) = (name.to_owned(), password.to_owned());
                Ok(Self { stream, name, password })
            }
            (Kind::ErrorOutput, _) => Err(text.trim().trim_start_matches("mailnook: ").to_owned()),
            _ => Err("the server did not understand; restart it, it may be of another version".to_owned()),
        }
    }

    /// Lets the server remove it, and waits until it has.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn close(self) -> Result<(), String> {
        let close = || {
            frame::write_blocking(&mut &self.stream, Kind::InputEnd, &[])?;
            frame::read_blocking(&mut &self.stream)
        };
        match close() {
            Ok(answer) if answer.kind == Kind::Exit && answer.payload == [exit::OK] => Ok(()),
            Ok(answer) => Err(String::from_utf8_lossy(&answer.payload).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_tests_are_swept() {
        let Ok(name) = new_name() else { panic!("no name") };
        assert!(is_test(&name), "{name}");
        for name in [
            "anna",
            "doctor-test-",
            "doctor-test-anna",
            "doctor-test-0123456789abcdeg",
            "doctor-test-0123456789abcdef0",
        ] {
            assert!(!is_test(name), "{name}");
        }
    }
}
