//! HMACs under a random key of this process, by which users and passwords are remembered.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 of a user, a password and the stored hash that it was checked against. As the
/// stored hash takes part, a changed password makes everything remembered about it unreachable.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Credential([u8; 32]);

/// Half an HMAC-SHA256 of a user name: enough to tell users apart in the throttle.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct UserKey([u8; 16]);

/// The random key of this process.
pub(super) struct ProcessKey(Hmac<Sha256>);

impl ProcessKey {
    /// A new key.
    pub(super) fn generate() -> std::io::Result<Self> {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets).map_err(|error| std::io::Error::other(error.to_string()))?;
        Self::from_octets(&octets)
    }

    fn from_octets(octets: &[u8; 32]) -> std::io::Result<Self> {
        Hmac::new_from_slice(octets).map(Self).map_err(std::io::Error::other)
    }

    /// The key by which this login is remembered; `stored_hash` is empty for an unknown user.
    pub(super) fn credential(&self, user: &str, password: &[u8], stored_hash: &str) -> Credential {
        Credential(self.digest(b'c', &[user.as_bytes(), password, stored_hash.as_bytes()]))
    }

    /// The key by which failures of this user are counted.
    pub(super) fn user(&self, name: &str) -> UserKey {
        let digest = self.digest(b'u', &[name.as_bytes()]);
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        UserKey(half)
    }

    /// Each part is preceded by its length, so that no two lists of parts give the same octets.
    fn digest(&self, purpose: u8, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(&[purpose]);
        for part in parts {
            mac.update(&part.len().to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Credential {
    /// For a login of which nothing can be remembered: no other has this key.
    ///
    /// # Errors
    /// No randomness.
    pub(super) fn once() -> Result<Self, getrandom::Error> {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets)?;
        Ok(Self(octets))
    }
}

#[cfg(test)]
impl UserKey {
    pub(super) const fn test(number: u8) -> Self {
        Self([number; 16])
    }
}

#[cfg(test)]
impl Credential {
    pub(super) const fn test(number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        let mut octets = [high; 32];
        octets[31] = low;
        Self(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = ProcessKey::generate().unwrap();
        let credential = key.credential("anna", b"secret", "$argon2id$1");
        assert!(credential == key.credential("anna", b"secret", "$argon2id$1"));
        assert!(credential != key.credential("annas", b"ecret", "$argon2id$1"));
        assert!(credential != key.credential("anna", b"secret$", "argon2id$1"));
        assert!(credential != key.credential("anna", b"secret", "$argon2id$2"));
        let other = ProcessKey::generate().unwrap();
        assert!(credential != other.credential("anna", b"secret", "$argon2id$1"));
        assert!(key.user("anna") != key.user("bert"));
    }
}
