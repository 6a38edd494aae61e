//! LOGIN (RFC 3501 §6.2.3), and what it has in common with AUTHENTICATE.

use crate::auth::{Attempt, AuthError, LoggedIn};
use crate::imap::Context;
use crate::imap::reply::{Failure, Reply};
use crate::net::Connection;

/// Refuses passwords that anybody on the way could read.
///
/// # Errors
/// `[PRIVACYREQUIRED]` off loopback without TLS.
pub fn allowed(connection: &Connection) -> Result<(), Failure> {
    if connection.is_tls() || connection.peer().is_local() {
        return Ok(());
    }
    Err(Reply::no("Passwords are only accepted under TLS").code("PRIVACYREQUIRED").into())
}

/// Checks a user name and password.
///
/// # Errors
/// `[AUTHENTICATIONFAILED]`, or `[UNAVAILABLE]` where the server cannot tell at the moment.
pub async fn run(
    connection: &Connection,
    context: &Context,
    user: &[u8],
    password: &[u8],
) -> Result<LoggedIn, Failure> {
    allowed(connection)?;
    let user = std::str::from_utf8(user).map_err(|_| refusal(AuthError::BadCredentials))?;
    let attempt = Attempt { user, password, peer: connection.peer(), protocol: "imap", tls: connection.is_tls() };
    Ok(context.auth.login(attempt).await.map_err(refusal)?)
}

/// The answer to a login that did not succeed.
pub(in crate::imap) fn refusal(error: AuthError) -> Reply {
    match error {
        AuthError::BadCredentials => Reply::no("Wrong user name or password").code("AUTHENTICATIONFAILED"),
        AuthError::Busy => Reply::no("Too busy, try again later").code("UNAVAILABLE"),
        AuthError::Temporary => Reply::no("Not possible at the moment, try again later").code("UNAVAILABLE"),
    }
}
