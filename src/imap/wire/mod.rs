//! The IMAP wire: octets to [`Command`](super::command::Command) and answers to octets.
//!
//! * [`frame`] cuts the input into whole commands: lines, in-memory literals, limits, and what to do with
//!   input over a limit. Pure.
//! * [`receive`] drives it over a connection.
//! * [`parse`] reads one whole command, by verb.
//! * [`mod@write`] makes responses. Message octets never pass through it: the commands stream those.
//! * [`utf7`] is the encoding of mailbox names; [`quirks`] holds every concession to a client.
//!
//! Nothing here knows mailboxes or sessions.

mod date;
pub mod error;
pub mod frame;
pub mod parse;
pub mod quirks;
pub mod receive;
pub mod utf7;
pub mod write;

pub use error::{ErrorKind, ParseError, Tag};
pub use receive::{AppendEnd, AppendNext, Received, Receiver, is_done};
