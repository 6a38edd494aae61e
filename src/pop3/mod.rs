//! POP3 sessions (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595 §4), AUTH (RFC 5034) and the response codes of
//! RFC 2449 §8 and RFC 3206.
//!
//! A maildrop is a view of INBOX at the moment of the login; there is no mailbox logic here. Nobody is locked out:
//! other sessions, also of IMAP, go on, and a message that they expunge is gone for this session too.
//!
//! Absent on purpose: APOP, which needs passwords in clear text on the server; LAST, which RFC 1725 took out.

mod capability;
mod command;
mod downgrade;
mod maildrop;
mod reply;
mod retrieve;
mod session;
mod sizes;

pub use session::{Context, serve};
pub use sizes::Sizes;

/// The command parser for the fuzz target `line_commands`.
#[cfg(fuzzing)]
pub fn fuzz_command(line: &[u8]) {
    let _ = command::Command::parse(line);
}
