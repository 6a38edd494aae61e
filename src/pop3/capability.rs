//! The one list of capabilities (RFC 2449 §5).

use crate::auth::sasl::Mechanism;

/// What the list depends on.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none follows from another")]
pub(super) struct Conditions {
    /// In TRANSACTION state.
    pub(super) logged_in: bool,
    /// A login in clear text is allowed: under TLS, or from this machine.
    pub(super) plaintext: bool,
    /// A login can be bound to the connection.
    pub(super) channel_binding: bool,
    /// STLS would be accepted.
    pub(super) stls: bool,
    /// After how many days messages may be removed, None: never; and whether that differs by user.
    pub(super) expire: (Option<u32>, bool),
    /// Seconds from one login to the next; 0: as one likes.
    pub(super) login_delay: u64,
}

/// The lines of the answer to CAPA, each with CRLF, without the dot that ends them.
pub(super) fn lines(conditions: Conditions) -> String {
    let mut lines = String::from(
        // RFC 2449 §6.1, §6.8, §6.4, §6.6; RFC 3206 §6; RFC 6856 §2, §3
        "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8\r\nLANG\r\n",
    );
    // RFC 2449 §6.7
    lines.push_str("EXPIRE ");
    match conditions.expire.0 {
        None => lines.push_str("NEVER"),
        Some(days) => lines.push_str(&days.to_string()),
    }
    lines.push_str(if conditions.expire.1 { " USER\r\n" } else { "\r\n" });
    // RFC 2449 §6.5
    if conditions.login_delay > 0 {
        lines.push_str("LOGIN-DELAY ");
        lines.push_str(&conditions.login_delay.to_string());
        lines.push_str("\r\n");
    }
    if conditions.plaintext {
        // RFC 2449 §6.2
        lines.push_str("USER\r\n");
    }
    // RFC 2449 §6.3, RFC 5034 §3
    let usable = Mechanism::offered(conditions.plaintext, conditions.channel_binding);
    let names: Vec<&str> = usable.map(Mechanism::name).collect();
    if !names.is_empty() {
        lines.push_str("SASL ");
        lines.push_str(&names.join(" "));
        lines.push_str("\r\n");
    }
    // RFC 2595 §4: "present and permitted in the current state".
    if conditions.stls {
        lines.push_str("STLS\r\n");
    }
    // RFC 2449 §6.9 lets a server tell it to its users alone.
    if conditions.logged_in {
        lines.push_str(concat!("IMPLEMENTATION mailnook-", env!("CARGO_PKG_VERSION"), "\r\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_announced_where_they_are_allowed() {
        let remote = lines(Conditions {
            logged_in: false,
            plaintext: false,
            channel_binding: false,
            stls: true,
            expire: (None, false),
            login_delay: 0,
        });
        assert!(remote.contains("STLS\r\n") && !remote.contains("USER") && !remote.contains("SASL"), "{remote}");
        let secure = lines(Conditions {
            logged_in: false,
            plaintext: true,
            channel_binding: true,
            stls: false,
            expire: (Some(30), true),
            login_delay: 60,
        });
        assert!(!secure.contains("STLS") && secure.contains("USER\r\n"));
        assert!(secure.contains("SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n"), "{secure}");
        assert!(!secure.contains("IMPLEMENTATION"));
        assert!(remote.contains("EXPIRE NEVER\r\n") && !remote.contains("LOGIN-DELAY"));
        assert!(secure.contains("EXPIRE 30 USER\r\nLOGIN-DELAY 60\r\n"));
        let after = lines(Conditions {
            logged_in: true,
            plaintext: true,
            channel_binding: true,
            stls: false,
            expire: (Some(30), true),
            login_delay: 60,
        });
        assert!(after.contains("IMPLEMENTATION mailnook-"));
    }
}
