//! AUTHENTICATE (RFC 3501 §6.2.2) with an initial response (RFC 4959). The mechanism is PLAIN (RFC 4616).

use super::login;
use crate::auth::sasl::{self, Mechanism, RESPONSE_MAX, SaslError};
use crate::imap::Context;
use crate::imap::command::Secret;
use crate::imap::reply::{Failure, Reply};
use crate::imap::wait;
use crate::mailbox::Account;
use crate::net::{Connection, ReadError};
use std::pin::pin;
use std::time::Instant;

/// Runs the exchange.
///
/// # Errors
/// NO where the mechanism is unknown, not allowed now, or the password wrong; BAD where the client cancels or
/// sends no base64.
pub async fn run(
    connection: &mut Connection,
    context: &Context,
    deadline: Instant,
    mechanism: &str,
    initial: Option<Secret>,
) -> Result<Account, Failure> {
    let Some(Mechanism::Plain) = Mechanism::from_name(mechanism.as_bytes()) else {
        return Err(Reply::no("This mechanism is not supported").code("CANNOT").into());
    };
    login::allowed(connection)?;
    let response = match initial {
        Some(Secret(response)) => response,
        None => ask(connection, context, deadline).await?,
    };
    let credentials = sasl::decode(&response).and_then(|message| sasl::plain(&message)).map_err(|error| {
        Failure::from(match error {
            SaslError::Base64 | SaslError::Syntax => Reply::bad("Malformed response"),
            SaslError::Authorization => {
                Reply::no("Acting for another user is not supported").code("AUTHORIZATIONFAILED")
            }
        })
    })?;
    login::run(connection, context, credentials.user.as_bytes(), &credentials.password).await
}

/// An empty challenge and the answer to it.
async fn ask(connection: &mut Connection, context: &Context, deadline: Instant) -> Result<Vec<u8>, Failure> {
    connection.queue(b"+ \r\n");
    connection.flush().await?;
    let line = match wait::input(pin!(connection.line(RESPONSE_MAX)), deadline, &context.shutdown).await {
        Err(Failure::Connection(ReadError::TooLong)) => return Err(Reply::bad("The response is too long").into()),
        other => other?,
    };
    if line == b"*" {
        return Err(Reply::bad("Cancelled").into());
    }
    Ok(line)
}
