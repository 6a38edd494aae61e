//! AUTHENTICATE (RFC 3501 §6.2.2) with an initial response (RFC 4959), for every mechanism of [`crate::auth`].

use super::login;
use crate::auth::sasl::{Mechanism, RESPONSE_MAX, SaslError};
use crate::auth::{Client, ExchangeError, LoggedIn, Step};
use crate::imap::Context;
use crate::imap::command::Secret;
use crate::imap::reply::{Failure, Reply};
use crate::imap::wait;
use crate::net::{Connection, ReadError};
use std::pin::pin;
use std::time::Instant;

/// Runs the exchange.
///
/// # Errors
/// NO where the mechanism is unknown, not allowed now, or the password wrong; BAD where the client cancels or
/// does not follow the mechanism.
pub async fn run(
    connection: &mut Connection,
    context: &Context,
    deadline: Instant,
    mechanism: &str,
    initial: Option<Secret>,
) -> Result<LoggedIn, Failure> {
    let unsupported = || Reply::no("This mechanism is not supported").code("CANNOT");
    let mechanism = Mechanism::from_name(mechanism.as_bytes()).ok_or_else(unsupported)?;
    login::allowed(connection)?;
    let binding = !connection.channel_bindings().is_empty();
    if !Mechanism::offered(true, binding).any(|offered| offered == mechanism) {
        return Err(unsupported().into());
    }
    let mut exchange = context.auth.begin(mechanism, Client::new(connection, "imap"));
    let mut response = initial;
    loop {
        match exchange.step(response.as_ref().map(|Secret(response)| response.as_slice())).await {
            Ok(Step::Challenge(text)) => response = Some(ask(connection, context, deadline, &text).await?),
            Ok(Step::LoggedIn(logged_in)) => return Ok(logged_in),
            Err(ExchangeError::Auth(error)) => return Err(login::refusal(error).into()),
            Err(ExchangeError::Sasl(error)) => {
                return Err(Failure::from(match error {
                    SaslError::Base64 | SaslError::Syntax => Reply::bad("Malformed response"),
                    SaslError::Authorization => {
                        Reply::no("Acting for another user is not supported").code("AUTHORIZATIONFAILED")
                    }
                }));
            }
        }
    }
}

/// A challenge and the answer to it.
async fn ask(
    connection: &mut Connection,
    context: &Context,
    deadline: Instant,
    challenge: &str,
) -> Result<Secret, Failure> {
    connection.queue(format!("+ {challenge}\r\n").as_bytes());
    connection.flush().await?;
    let line = match wait::input(pin!(connection.line(RESPONSE_MAX)), deadline, &context.shutdown).await {
        Err(Failure::Connection(ReadError::TooLong)) => return Err(Reply::bad("The response is too long").into()),
        other => other?,
    };
    if line == b"*" {
        return Err(Reply::bad("Cancelled").into());
    }
    Ok(Secret(line))
}
