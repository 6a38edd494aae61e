//! Object identifiers (RFC 8474 §3): our numbers with a letter for the kind, so that no two kinds look alike. Pure.

use crate::types::{ContentId, MailboxId};

/// MAILBOXID: as `F12`.
#[must_use]
pub fn mailbox(id: MailboxId) -> String {
    format!("F{}", id.0)
}

/// EMAILID: as `M345`. Copies of a message share it.
#[must_use]
pub fn email(id: ContentId) -> String {
    format!("M{}", id.0)
}

/// The message content that an EMAILID names; None where no message has it.
#[must_use]
pub fn parse_email(text: &str) -> Option<ContentId> {
    let id = text.strip_prefix('M').and_then(|number| number.parse().ok()).map(ContentId)?;
    // One way to write each: no sign, no leading zero.
    (email(id) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_is_read() {
        assert_eq!(mailbox(MailboxId(7)), "F7");
        for id in [0, 1, u64::MAX] {
            assert_eq!(parse_email(&email(ContentId(id))), Some(ContentId(id)));
        }
        for other in ["", "M", "m1", "M01", "M+1", "M-1", "F1", "T1", "M1 ", "M18446744073709551616"] {
            assert_eq!(parse_email(other), None, "{other}");
        }
    }
}
