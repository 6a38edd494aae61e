//! Parsers against examples, hostile input, and imap-codec as a second opinion.

mod differential;
mod examples;
mod hostile;
mod oracle;
mod seeds;
mod utf8;

use super::parse;
use crate::imap::command::Command;
use crate::imap::wire::error::ParseError;
use crate::imap::wire::frame::Frame;

/// The command in this line.
fn command(line: &str) -> Result<Command, ParseError> {
    octets(line.as_bytes())
}

/// The command in these octets, with a tag put in front and the line end behind.
fn octets(line: &[u8]) -> Result<Command, ParseError> {
    let text = [b"t ", line, b"\r\n"].concat();
    let frame = Frame::from_text(&text).expect("one whole command");
    parse(&frame).map(|(tag, command)| {
        assert_eq!(tag.as_str(), "t");
        command
    })
}

/// Why this line is refused.
fn error(line: &str) -> ParseError {
    match command(line) {
        Ok(command) => panic!("{line}: {command:?}"),
        Err(error) => error,
    }
}
