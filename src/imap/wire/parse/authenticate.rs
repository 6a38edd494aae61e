//! LOGIN (RFC 9051 §6.2.3) and AUTHENTICATE (§6.2.2, initial response RFC 4959).

use super::Form;
use super::cursor::Cursor;
use crate::imap::command::{Command, Secret};
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::imap::wire::quirks;

pub(super) fn login(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space("the user name is missing")?;
    let user = cursor.astring(quirks::is_login_char, "the user name is missing")?.into_owned();
    cursor.space("the password is missing")?;
    let password = cursor.astring(quirks::is_login_char, "the password is missing")?.into_owned();
    Ok(Command::Login { user, password: Secret(password) })
}

pub(super) fn authenticate(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space("the mechanism is missing")?;
    let mechanism = cursor.atom("the mechanism is missing")?.to_ascii_uppercase();
    cursor.padding();
    // A response that is no base64 fails where the mechanism decodes it.
    let response = cursor.take_while(|octet| octet.is_ascii_graphic());
    let initial = (!response.is_empty()).then(|| Secret(response.to_vec()));
    Ok(Command::Authenticate { mechanism, initial })
}

pub(super) fn unauthenticate(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.end()?;
    Ok(Command::Unauthenticate)
}
