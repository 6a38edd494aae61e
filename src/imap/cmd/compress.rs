//! COMPRESS (RFC 4978). Both directions are compressed from the end of the tagged OK on. What is sent is compressed first
//! and encrypted then; STARTTLS cannot come later, since it is not allowed after login.

use crate::imap::reply::{Failure, Reply};
use crate::net::{Admission, Connection};

/// Whether compression may begin; the session begins it behind the tagged reply.
///
/// # Errors
/// BAD for another algorithm and where it is active already, NO where too many sessions are compressed.
pub fn run(connection: &Connection, admission: &Admission, algorithm: &str) -> Result<Reply, Failure> {
    if algorithm != "DEFLATE" {
        return Err(Reply::bad("Only DEFLATE is known").into());
    }
    if connection.is_deflated() {
        return Err(Reply::bad("DEFLATE is active already").code("COMPRESSIONACTIVE").into());
    }
    if !admission.may_compress() {
        return Err(Reply::no("Too many sessions are compressed").code("LIMIT").into());
    }
    Ok(Reply::ok("DEFLATE active"))
}
