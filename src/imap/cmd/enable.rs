//! ENABLE (RFC 5161). Names that are not known are ignored, and the answer lists what became active. The session
//! itself switches on what [`Enabled`](crate::imap::enabled::Enabled) says.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};

/// Extensions that a client can switch on.
const CAN_BE_ENABLED: &[&str] = &["CONDSTORE", "QRESYNC"];

/// Tells what was switched on. `metadata`: METADATA responses were (RFC 5464 §4.1).
///
/// # Errors
/// Where the connection is gone.
pub async fn run(names: &[String], metadata: bool, out: &mut Output<'_>) -> Result<Reply, Failure> {
    let mut answer = String::from("ENABLED");
    for name in CAN_BE_ENABLED.iter().filter(|known| names.iter().any(|name| name.eq_ignore_ascii_case(known))) {
        answer.push(' ');
        answer.push_str(name);
    }
    if metadata {
        answer.push_str(" METADATA");
    }
    out.untagged(&answer).await?;
    Ok(Reply::ok("ENABLE completed"))
}
