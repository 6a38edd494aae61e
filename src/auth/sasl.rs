//! SASL messages (RFC 4422) that IMAP and POP3 share: base64 and the mechanisms.

use super::{PASSWORD_MAX, USER_MAX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Limit: octets of a client's response in base64; no valid one is longer.
pub const RESPONSE_MAX: usize = (2 * USER_MAX + PASSWORD_MAX + 2).div_ceil(3) * 4;

/// A SASL mechanism that clients may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection
    ScramSha256Plus,
    /// RFC 7677
    ScramSha256,
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login: obsolete, but Outlook knows no other beside its own.
    Login,
}

impl Mechanism {
    /// Every mechanism, the preferred one first.
    const ALL: [Self; 4] = [Self::ScramSha256Plus, Self::ScramSha256, Self::Plain, Self::Login];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanisms of a connection, the preferred one first. None where a password may not be sent, since a login is
    /// worth little if anybody can go on with the connection, or read the mail; `channel_binding`: whether there is
    /// something to bind a login to.
    pub fn offered(allowed: bool, channel_binding: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |&one| allowed && (channel_binding || one != Self::ScramSha256Plus))
    }

    /// The mechanism of that name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Why a response was not understood; the exchange fails (RFC 4422 §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslError {
    /// Not base64 as RFC 4648 §4 has it.
    Base64,
    /// Not what the mechanism expects, or longer than the limits.
    Syntax,
    /// The client wants to act as somebody else.
    Authorization,
}

/// What a client claims: a user and a password.
#[derive(PartialEq, Eq)]
pub struct Credentials {
    /// Whom the client wants to act as; empty or equal to `user`.
    pub(super) authzid: String,
    /// Who logs in.
    pub(super) user: String,
    /// The password as octets.
    pub(super) password: Vec<u8>,
}

/// Decodes a response line. Strict: no white space, no missing padding, no stray bits. A single
/// `=` is an empty response (RFC 4954 §4, RFC 5034 §4, RFC 4959 §3).
///
/// # Errors
/// [`SaslError::Base64`]
pub fn decode(line: &[u8]) -> Result<Vec<u8>, SaslError> {
    if line == b"=" {
        return Ok(Vec::new());
    }
    if line.len() > RESPONSE_MAX {
        return Err(SaslError::Base64);
    }
    STANDARD.decode(line).map_err(|_| SaslError::Base64)
}

/// Reads a decoded PLAIN message (RFC 4616 §2): `authzid NUL authcid NUL passwd`.
///
/// # Errors
/// [`SaslError::Syntax`], or [`SaslError::Authorization`] where the authorization identity is
/// neither empty nor the user.
pub fn plain(message: &[u8]) -> Result<Credentials, SaslError> {
    let mut parts = message.split(|&octet| octet == 0);
    let (Some(authzid), Some(user), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SaslError::Syntax);
    };
    let authzid = std::str::from_utf8(authzid).map_err(|_| SaslError::Syntax)?;
    let user = std::str::from_utf8(user).map_err(|_| SaslError::Syntax)?;
    if user.is_empty() || user.len() > USER_MAX || password.is_empty() || password.len() > PASSWORD_MAX {
        return Err(SaslError::Syntax);
    }
    if !authzid.is_empty() && authzid != user {
        return Err(SaslError::Authorization);
    }
    Ok(Credentials { authzid: authzid.to_owned(), user: user.to_owned(), password: password.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(message: &[u8]) -> SaslError {
        plain(message).err().expect("an error")
    }

    #[test]
    fn plain_with_and_without_authorization_identity() {
        let credentials = plain(b"\0tim\0tanstaaftanstaaf").ok().unwrap();
        assert_eq!((credentials.authzid.as_str(), credentials.user.as_str()), ("", "tim"));
        assert_eq!(credentials.password, b"tanstaaftanstaaf");
        assert_eq!(plain(b"tim\0tim\0x").ok().unwrap().authzid, "tim");
        assert_eq!(error(b"kurt\0tim\0x"), SaslError::Authorization);
    }

    #[test]
    fn plain_refuses_what_is_not_in_the_grammar() {
        for message in [&b""[..], b"\0", b"\0tim", b"tim\0x", b"\0\0x", b"\0tim\0", b"\0tim\0x\0", b"\0t\xffm\0x"] {
            assert_eq!(error(message), SaslError::Syntax, "{message:?}");
        }
        let long = [b"\0".to_vec(), vec![b'a'; USER_MAX + 1], b"\0x".to_vec()].concat();
        assert_eq!(error(&long), SaslError::Syntax);
        let long = [b"\0tim\0".to_vec(), vec![b'a'; PASSWORD_MAX + 1]].concat();
        assert_eq!(error(&long), SaslError::Syntax);
    }

    #[test]
    fn base64_is_strict() {
        assert_eq!(decode(b"AHRpbQB0"), Ok(b"\0tim\0t".to_vec()));
        assert_eq!(decode(b"="), Ok(Vec::new()));
        assert_eq!(decode(b""), Ok(Vec::new()));
        for line in [&b"AHRpbQB0 "[..], b"AHRpb", b"AHRpbQ", b"AHRpbR==", b"*", b"A===", b"\xff"] {
            assert_eq!(decode(line), Err(SaslError::Base64), "{line:?}");
        }
        assert_eq!(decode(&vec![b'A'; RESPONSE_MAX + 4]), Err(SaslError::Base64));
    }

    #[test]
    fn mechanisms_are_found_in_any_case() {
        assert_eq!(Mechanism::from_name(b"plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::from_name(b"scram-sha-256-plus"), Some(Mechanism::ScramSha256Plus));
        assert_eq!(Mechanism::from_name(b"CRAM-MD5"), None);
        assert_eq!(Mechanism::from_name(b""), None);
    }

    #[test]
    fn mechanisms_are_offered_where_they_can_be_used() {
        let names = |allowed, binding| Mechanism::offered(allowed, binding).map(Mechanism::name).collect::<Vec<_>>();
        assert_eq!(names(true, true), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]);
        assert_eq!(names(true, false), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
        assert_eq!(names(false, true), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn the_longest_valid_message_fits_the_limit(user in "[a-z]{255}", password in prop::collection::vec(1u8.., PASSWORD_MAX)) {
            let message = [user.as_bytes(), b"\0", user.as_bytes(), b"\0", &password].concat();
            let decoded = decode(STANDARD.encode(&message).as_bytes()).unwrap();
            prop_assert!(plain(&decoded).is_ok());
        }

        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = plain(&octets);
            let _ = decode(&octets);
        }
    }
}
