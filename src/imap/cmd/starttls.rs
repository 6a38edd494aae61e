//! STARTTLS (RFC 3501 §6.2.1). Nothing that came before the handshake survives it: the connection drops
//! what was pipelined behind the command, and the session drops what it knew of the client.

use crate::imap::reply::{Failure, Reply};
use crate::net::{Connection, TlsAcceptor};

/// Whether the handshake may begin; the session begins it after the tagged reply.
///
/// # Errors
/// BAD under TLS, NO without a certificate.
pub fn run(connection: &Connection, tls: Option<&TlsAcceptor>) -> Result<Reply, Failure> {
    if connection.is_tls() {
        return Err(Reply::bad("TLS is active already").into());
    }
    if tls.is_none() {
        return Err(Reply::no("TLS is not available").code("UNAVAILABLE").into());
    }
    Ok(Reply::ok("Begin the TLS negotiation now"))
}
