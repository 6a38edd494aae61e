//! The verbs that imap-codec reads: those without arguments, and ENABLE (RFC 5161).

use super::Form;
use super::cursor::Cursor;
use crate::imap::command::Command;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types::command::CommandBody;

/// Limit: names of an ENABLE.
const ENABLE_MAX: usize = 64;

/// A command that imap-codec reads whole.
pub(super) fn whole(cursor: &mut Cursor<'_>, frame: &Frame, form: Form) -> Result<Command, Fault> {
    let bare = cursor.text().trim_ascii().is_empty() && frame.literals.is_empty();
    let failed = Fault::syntax(if bare { "the arguments are missing" } else { "the arguments are not valid" });
    // imap-codec allows no padding.
    let mut line = format!("x {}", form.verb).into_bytes();
    cursor.padding();
    if !cursor.at_end() {
        line.push(b' ');
        line.extend_from_slice(cursor.rest());
        let literals_end = frame.literals.last().map_or(0, |literal| literal.end);
        let behind = frame.bytes.get(literals_end..).unwrap_or_default();
        let padding = behind.iter().rev().take_while(|&&octet| octet == b' ').count();
        line.truncate(line.len().saturating_sub(padding));
    }
    line.extend_from_slice(b"\r\n");
    let (rest, command) = CommandCodec::default().decode(&line).map_err(|_| failed)?;
    if !rest.is_empty() {
        return Err(failed);
    }
    cursor.skip_to_end();
    convert(command.body)
}

/// Our command for imap-codec's.
fn convert(body: CommandBody<'_>) -> Result<Command, Fault> {
    Ok(match body {
        CommandBody::Capability => Command::Capability,
        CommandBody::Noop => Command::Noop,
        CommandBody::Logout => Command::Logout,
        CommandBody::StartTLS => Command::StartTls,
        CommandBody::Namespace => Command::Namespace,
        CommandBody::Idle => Command::Idle,
        CommandBody::Check => Command::Check,
        CommandBody::Close => Command::Close,
        CommandBody::Unselect => Command::Unselect,
        CommandBody::Expunge => Command::Expunge { uids: None },
        CommandBody::Enable { capabilities } => {
            let names: Vec<String> =
                capabilities.into_iter().map(|name| name.to_string().to_ascii_uppercase()).collect();
            if names.len() > ENABLE_MAX {
                return Err(Fault::limit("there are too many names"));
            }
            Command::Enable(names)
        }
        _ => return Err(Fault::syntax("the arguments are not valid")),
    })
}
