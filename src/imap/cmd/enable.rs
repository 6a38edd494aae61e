//! ENABLE (RFC 5161, RFC 9051 §6.3.1). Names that are not known are ignored, and the answer lists what became active. The
//! session itself switches on what [`Enabled`](crate::imap::enabled::Enabled) says.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};

/// Extensions that a client can switch on.
const CAN_BE_ENABLED: &[&str] = &["CONDSTORE", "QRESYNC", "UIDONLY", "IMAP4rev2", "UTF8=ACCEPT"];

/// Tells what was switched on. `told` is what the client was told of before, which is not repeated. `metadata`: METADATA
/// responses were switched on (RFC 5464 §4.1).
///
/// # Errors
/// Where the connection is gone.
pub async fn run(
    names: &[String],
    metadata: bool,
    told: &mut Vec<&'static str>,
    out: &mut Output<'_>,
) -> Result<Reply, Failure> {
    let mut answer = String::from("ENABLED");
    for known in CAN_BE_ENABLED.iter().filter(|known| names.iter().any(|name| name.eq_ignore_ascii_case(known))) {
        if !told.contains(known) {
            told.push(known);
            answer.push(' ');
            answer.push_str(known);
        }
    }
    if metadata && !told.contains(&"METADATA") {
        told.push("METADATA");
        answer.push_str(" METADATA");
    }
    out.untagged(&answer).await?;
    Ok(Reply::ok("ENABLE completed"))
}
