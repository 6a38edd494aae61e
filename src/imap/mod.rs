//! IMAP sessions (RFC 3501, and what RFC 9051 keeps of it).

pub mod command;
pub mod selected;
pub mod wire;
