//! What is kept of a user's password.

use super::Error;
use super::codec::Fields;
use std::fmt;

/// By what a server checks SCRAM-SHA-256 proofs (RFC 5802 §3). Who has them can guess the password, and can pretend to
/// be this server, but cannot log in with them.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// How often the password was hashed.
    pub iterations: u32,
    /// Random, of this password alone.
    pub salt: [u8; 16],
    /// SHA-256 of the client's key.
    pub stored_key: [u8; 32],
    /// By what the server proves that it knows these keys.
    pub server_key: [u8; 32],
}

impl ScramKeys {
    /// Writes keys behind the other fields of a row; none where there are none.
    pub(super) fn put(keys: Option<&Self>, out: &mut Vec<u8>) {
        if let Some(keys) = keys {
            out.extend_from_slice(&keys.iterations.to_be_bytes());
            out.extend_from_slice(&keys.salt);
            out.extend_from_slice(&keys.stored_key);
            out.extend_from_slice(&keys.server_key);
        }
    }

    /// Reads the keys at the end of a row, if it has any.
    pub(super) fn take(fields: &mut Fields<'_>) -> Result<Option<Self>, Error> {
        if fields.rest().is_empty() {
            return Ok(None);
        }
        let (iterations, salt) = (fields.u32()?, fields.array()?);
        Ok(Some(Self { iterations, salt, stored_key: fields.array()?, server_key: fields.array()? }))
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(SCRAM keys)")
    }
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// The PHC string.
    pub hash: String,
    /// None where SASLprep refuses the password (RFC 4013): then it can be given in clear text only.
    pub scram: Option<ScramKeys>,
}

/// What a login found to be missing or out of date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// The PHC string instead of the old one.
    pub hash: Option<String>,
    /// The SCRAM keys instead of the old ones or none.
    pub scram: Option<ScramKeys>,
}

impl Renewal {
    /// Whether all is as it should be.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hash.is_none() && self.scram.is_none()
    }
}
