//! LMTP sessions (RFC 2033): mail from an MTA into the mailbox core.
//!
//! Offers PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), CHUNKING (RFC 3030) and
//! ENHANCEDSTATUSCODES (RFC 2034). A message streams from the socket into the core and is never whole in memory; the
//! replies after it are sent once it is durable. A connection that is cut inside a message has stored nothing.
//!
//! There is no queue, no relaying, no authentication and no STARTTLS: the peer is the household's own MTA.

mod command;
mod data;
mod hops;
mod recipient;
mod session;

pub use session::{Context, serve};

/// The command parser for the fuzz target `line_commands`.
#[cfg(fuzzing)]
pub fn fuzz_command(line: &[u8]) {
    let _ = command::Command::parse(line);
}
