//! What clients are told: fixed texts, with the response codes of RFC 2449 §8 and RFC 3206.

use crate::auth::AuthError;
use crate::auth::sasl::SaslError;
use crate::mailbox::{self, NotEntered};

/// RFC 2449 §8.1.1
pub(super) const LOGIN_DELAY: &[u8] = b"-ERR [LOGIN-DELAY] This device logged in a moment ago, try again later\r\n";

/// The answer to a login that did not succeed.
pub(super) fn login(error: AuthError) -> &'static str {
    match error {
        AuthError::BadCredentials => "-ERR [AUTH] Unknown user or wrong password\r\n",
        AuthError::Busy => "-ERR [SYS/TEMP] Too many logins at the moment, try again later\r\n",
        AuthError::Temporary => "-ERR [SYS/TEMP] Logins fail at the moment, try again later\r\n",
    }
}

/// The answer to a response that does not follow its SASL mechanism.
pub(super) fn sasl(error: SaslError) -> &'static str {
    match error {
        SaslError::Base64 => "-ERR The response is not base64\r\n",
        SaslError::Syntax => "-ERR The response is not what the mechanism expects\r\n",
        SaslError::Authorization => "-ERR [AUTH] You can only log in as yourself\r\n",
    }
}

/// The answer where a login does not become a session.
pub(super) fn enter(error: &NotEntered) -> &'static str {
    match error {
        // RFC 2449 §8.1.2
        NotEntered::InUse => "-ERR [IN-USE] This device has a session already\r\n",
        NotEntered::Revoked => login(AuthError::BadCredentials),
        NotEntered::Failed(error) => open(error),
    }
}

/// The answer where a maildrop cannot be opened.
pub(super) fn open(error: &mailbox::Error) -> &'static str {
    match error {
        mailbox::Error::Damaged => "-ERR [SYS/PERM] The maildrop is damaged; the server's log says more\r\n",
        mailbox::Error::NotFound | mailbox::Error::Denied => "-ERR [SYS/PERM] There is no such maildrop\r\n",
        mailbox::Error::Exists
        | mailbox::Error::ReadOnly
        | mailbox::Error::OverQuota(_)
        | mailbox::Error::TooBig(_)
        | mailbox::Error::Expunged
        | mailbox::Error::HasChildren
        | mailbox::Error::Invalid(_)
        | mailbox::Error::Limit(_)
        | mailbox::Error::NoRoom
        | mailbox::Error::Temporary => "-ERR [SYS/TEMP] The maildrop cannot be opened at the moment\r\n",
    }
}

/// The answer where one message cannot be read.
pub(super) fn read(error: &mailbox::Error) -> &'static str {
    match error {
        mailbox::Error::Damaged => "-ERR [SYS/PERM] This message is damaged; the server's log says more\r\n",
        mailbox::Error::NotFound | mailbox::Error::Expunged => "-ERR Another session has removed this message\r\n",
        mailbox::Error::Denied
        | mailbox::Error::Exists
        | mailbox::Error::ReadOnly
        | mailbox::Error::OverQuota(_)
        | mailbox::Error::TooBig(_)
        | mailbox::Error::HasChildren
        | mailbox::Error::Invalid(_)
        | mailbox::Error::Limit(_)
        | mailbox::Error::NoRoom
        | mailbox::Error::Temporary => "-ERR [SYS/TEMP] This message cannot be read at the moment\r\n",
    }
}
