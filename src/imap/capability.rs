//! The one list of capabilities, an RFC per line, and which of them a session shows when.

/// When a capability is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// In every state.
    Always,
    /// Before login, while the connection is not encrypted and there is a certificate.
    StartTls,
    /// Before login, where passwords may be sent.
    PasswordsAllowed,
    /// Before login, under TLS that a login can be bound to.
    ChannelBinding,
    /// Before login, where passwords are refused.
    PasswordsRefused,
    /// After login.
    LoggedIn,
    /// After login, where users may set their own limits.
    QuotaSet,
}

/// Every capability: its name, when it is shown, and where it is defined.
const CAPABILITIES: &[(&str, When, &str)] = &[
    ("IMAP4rev1", When::Always, "RFC 3501"),
    ("IMAP4rev2", When::Always, "RFC 9051"),
    ("LITERAL+", When::Always, "RFC 7888"),
    ("SASL-IR", When::Always, "RFC 4959"),
    ("ID", When::Always, "RFC 2971"),
    ("ENABLE", When::Always, "RFC 5161"),
    ("STARTTLS", When::StartTls, "RFC 3501 §6.2.1"),
    ("LOGINDISABLED", When::PasswordsRefused, "RFC 3501 §6.2.3"),
    ("AUTH=SCRAM-SHA-256-PLUS", When::ChannelBinding, "RFC 7677"),
    ("AUTH=SCRAM-SHA-256", When::PasswordsAllowed, "RFC 7677"),
    ("AUTH=PLAIN", When::PasswordsAllowed, "RFC 4616"),
    ("AUTH=LOGIN", When::PasswordsAllowed, "draft-murchison-sasl-login"),
    ("NAMESPACE", When::LoggedIn, "RFC 2342"),
    ("CHILDREN", When::LoggedIn, "RFC 3348"),
    ("UNSELECT", When::LoggedIn, "RFC 3691"),
    ("UIDPLUS", When::LoggedIn, "RFC 4315"),
    ("MOVE", When::LoggedIn, "RFC 6851"),
    ("IDLE", When::LoggedIn, "RFC 2177"),
    ("CONDSTORE", When::LoggedIn, "RFC 7162"),
    ("QRESYNC", When::LoggedIn, "RFC 7162"),
    ("ESEARCH", When::LoggedIn, "RFC 4731"),
    ("SEARCHRES", When::LoggedIn, "RFC 5182"),
    ("WITHIN", When::LoggedIn, "RFC 5032"),
    ("PARTIAL", When::LoggedIn, "RFC 9394"),
    ("SORT", When::LoggedIn, "RFC 5256"),
    ("SORT=DISPLAY", When::LoggedIn, "RFC 5957"),
    ("ESORT", When::LoggedIn, "RFC 5267 §3"),
    ("THREAD=ORDEREDSUBJECT", When::LoggedIn, "RFC 5256"),
    ("THREAD=REFERENCES", When::LoggedIn, "RFC 5256"),
    ("THREAD=REFS", When::LoggedIn, "draft-ietf-morg-inthread"),
    ("I18NLEVEL=1", When::LoggedIn, "RFC 5255 §4.3"),
    ("INPROGRESS", When::LoggedIn, "RFC 9585"),
    ("SPECIAL-USE", When::LoggedIn, "RFC 6154"),
    ("CONTEXT=SEARCH", When::LoggedIn, "RFC 5267"),
    ("MULTISEARCH", When::LoggedIn, "RFC 7377"),
    ("UIDONLY", When::LoggedIn, "RFC 9586"),
    ("UIDBATCHES", When::LoggedIn, "RFC 10022"),
    ("COMPRESS=DEFLATE", When::LoggedIn, "RFC 4978"),
    ("CREATE-SPECIAL-USE", When::LoggedIn, "RFC 6154 §3"),
    ("LIST-EXTENDED", When::LoggedIn, "RFC 5258"),
    ("LIST-STATUS", When::LoggedIn, "RFC 5819"),
    ("STATUS=SIZE", When::LoggedIn, "RFC 8438"),
    ("METADATA", When::LoggedIn, "RFC 5464"),
    ("LIST-METADATA", When::LoggedIn, "RFC 9590"),
    ("NOTIFY", When::LoggedIn, "RFC 5465"),
    ("OBJECTID", When::LoggedIn, "RFC 8474"),
    ("SAVEDATE", When::LoggedIn, "RFC 8514"),
    ("UNAUTHENTICATE", When::LoggedIn, "RFC 8437"),
    ("MULTIAPPEND", When::LoggedIn, "RFC 3502"),
    ("REPLACE", When::LoggedIn, "RFC 8508"),
    ("BINARY", When::LoggedIn, "RFC 3516"),
    ("PREVIEW", When::LoggedIn, "RFC 8970"),
    ("QUOTA", When::LoggedIn, "RFC 9208"),
    ("QUOTA=RES-STORAGE", When::LoggedIn, "RFC 9208 §5.1"),
    ("QUOTA=RES-MESSAGE", When::LoggedIn, "RFC 9208 §5.2"),
    ("QUOTA=RES-MAILBOX", When::LoggedIn, "RFC 9208 §5.3"),
    ("QUOTASET", When::QuotaSet, "RFC 9208 §4.1.3"),
    ("UTF8=ACCEPT", When::LoggedIn, "RFC 6855"),
    (MESSAGE_LIMIT, When::LoggedIn, "RFC 9738"),
    (APPEND_LIMIT, When::LoggedIn, "RFC 7889"),
];

/// The capability that tells a number: octets of the largest message that APPEND takes.
const APPEND_LIMIT: &str = "APPENDLIMIT";

/// The capability that tells how many messages one command may touch.
const MESSAGE_LIMIT: &str = "MESSAGELIMIT";

/// What decides the list.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none follows from another")]
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The session has logged in.
    pub logged_in: bool,
    /// STARTTLS would work: no TLS yet, and there is a certificate.
    pub can_start_tls: bool,
    /// Passwords may be sent: TLS, or a local peer.
    pub passwords_allowed: bool,
    /// Octets of the largest message that APPEND takes.
    pub append_limit: u64,
    /// How many messages one command may touch.
    pub message_limit: u32,
    /// Logins can be bound to the connection.
    pub channel_binding: bool,
    /// Users may set their own limits.
    pub quota_set: bool,
}

/// The list as CAPABILITY tells it: `CAPABILITY IMAP4rev1 ...`.
#[must_use]
pub fn list(circumstances: Circumstances) -> String {
    let Circumstances { logged_in, can_start_tls, passwords_allowed, channel_binding, quota_set, .. } = circumstances;
    let mut line = String::from("CAPABILITY");
    for (name, when, _) in CAPABILITIES {
        let shown = match when {
            When::Always => true,
            When::StartTls => !logged_in && can_start_tls,
            When::PasswordsAllowed => !logged_in && passwords_allowed,
            When::ChannelBinding => !logged_in && passwords_allowed && channel_binding,
            When::PasswordsRefused => !logged_in && !passwords_allowed,
            When::LoggedIn => logged_in,
            When::QuotaSet => logged_in && quota_set,
        };
        if shown {
            line.push(' ');
            line.push_str(name);
            let number = match *name {
                APPEND_LIMIT => Some(circumstances.append_limit),
                MESSAGE_LIMIT => Some(u64::from(circumstances.message_limit)),
                _ => None,
            };
            if let Some(number) = number {
                line.push('=');
                line.push_str(&number.to_string());
            }
        }
    }
    line
}

/// The list without the capabilities that the operator hides, whatever their case and the number behind them.
///
/// Quirk(Outlook through Microsoft's servers): it enables UIDONLY (RFC 9586) where that is offered, then sends FETCH with message
/// numbers, and shows nothing. A server must not decide by what a client tells in ID (RFC 2971 §1), so the operator does.
#[must_use]
pub fn without(list: &str, hidden: &[String]) -> String {
    let is_hidden = |word: &str| {
        let plain = word.split_once('=').map_or(word, |(plain, _)| plain);
        hidden.iter().any(|name| name.eq_ignore_ascii_case(word) || name.eq_ignore_ascii_case(plain))
    };
    list.split(' ').filter(|word| !is_hidden(word)).collect::<Vec<_>>().join(" ")
}

/// Every capability with the document that defines it, for the README's table.
pub fn documents() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAPABILITIES.iter().map(|(name, _, document)| (*name, *document))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_offered_only_where_they_are_safe() {
        let open = Circumstances {
            logged_in: false,
            can_start_tls: true,
            passwords_allowed: false,
            append_limit: 7,
            message_limit: 1000,
            channel_binding: false,
            quota_set: true,
        };
        assert_eq!(list(open), "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS LOGINDISABLED");
        let local = Circumstances { passwords_allowed: true, ..open };
        assert_eq!(
            list(local),
            "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN"
        );
        let safe = Circumstances { can_start_tls: false, channel_binding: true, ..local };
        assert!(list(safe).contains(" AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 "), "{}", list(safe));
        let inside = list(Circumstances {
            logged_in: true,
            can_start_tls: true,
            passwords_allowed: true,
            channel_binding: true,
            quota_set: false,
            append_limit: 7,
            message_limit: 1000,
        });
        assert!(!inside.contains("STARTTLS") && !inside.contains("AUTH="), "{inside}");
        assert!(
            inside.contains(
                " UIDPLUS MOVE IDLE CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN PARTIAL SORT SORT=DISPLAY ESORT "
            ),
            "{inside}"
        );
        assert!(inside.contains(" MESSAGELIMIT=1000 APPENDLIMIT=7") && !inside.contains("QUOTASET"), "{inside}");
    }
}
