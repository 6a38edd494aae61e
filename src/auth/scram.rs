//! SCRAM-SHA-256 (RFC 5802, RFC 7677): keys, messages and proofs. Pure; the exchange is led by [`super::exchange`].

use super::USER_MAX;
use super::sasl::SaslError;
use crate::store::{Login, ScramKeys};
use crate::types::DeviceId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How often passwords are hashed. Each client does it at each login, the server once for a password. RFC 7677 §4 asks
/// for 4,096 at least and takes 15,000 for good measure.
pub(super) const ITERATIONS: u32 = 16_384;
/// Octets of randomness in our part of a nonce.
const NONCE_LENGTH: usize = 18;

/// The outcome of HMAC-SHA256 and SHA-256.
type Key = [u8; 32];

/// Keys for a password with that salt, or with a new one. None where SASLprep refuses it (RFC 4013), as it does with octets that are no
/// UTF-8, or where there is no randomness.
pub(super) fn keys(password: &[u8], salt: Option<[u8; 16]>) -> Option<ScramKeys> {
    let mut new = [0; 16];
    getrandom::fill(&mut new).ok()?;
    derive(password, salt.unwrap_or(new), ITERATIONS)
}

/// The salt that all passwords of a user have in common, those of devices too: the server tells the salt before the
/// client has shown which of the passwords it has. Salts are no secret, and each user has another one.
pub(super) fn salt(login: &Login) -> Option<[u8; 16]> {
    let mut keys = login.scram.iter().chain(login.devices.iter().filter_map(|(_, device)| device.scram.as_ref()));
    keys.next().map(|keys| keys.salt)
}

fn derive(password: &[u8], salt: [u8; 16], iterations: u32) -> Option<ScramKeys> {
    let prepared = stringprep::saslprep(std::str::from_utf8(password).ok()?).ok()?;
    if prepared.is_empty() {
        return None;
    }
    let salted = salted_password(prepared.as_bytes(), &salt, iterations);
    let client_key = hmac(&salted, b"Client Key");
    let stored_key = Sha256::digest(client_key).into();
    Some(ScramKeys { iterations, salt, stored_key, server_key: hmac(&salted, b"Server Key") })
}

/// `Hi` of RFC 5802 §2.2: PBKDF2 with one block of output.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let keyed = keyed(password);
    let mut first = keyed.clone();
    first.update(salt);
    first.update(&1_u32.to_be_bytes());
    let mut last: Key = first.finalize().into_bytes().into();
    let mut sum = last;
    for _ in 1..iterations {
        let mut next = keyed.clone();
        next.update(&last);
        last = next.finalize().into_bytes().into();
        sum = xor(&sum, &last);
    }
    sum
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn hmac(key: &[u8], text: &[u8]) -> Key {
    let mut mac = keyed(key);
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn xor(a: &Key, b: &Key) -> Key {
    std::array::from_fn(|at| a[at] ^ b[at])
}

/// What users get who have no keys, so that nobody can tell them apart: always the same salt for the same name, and
/// keys that no password fits. `secret` is the store's own.
pub(super) fn decoy(secret: &[u8], user: &str) -> ScramKeys {
    let user = user.to_ascii_lowercase();
    // As with real users, whatever the domain.
    let local = user.rsplit_once('@').map_or(user.as_str(), |(local, _)| local);
    let octets = |purpose: &str| hmac(secret, format!("{purpose}\0{local}").as_bytes());
    let mut salt = [0; 16];
    salt.copy_from_slice(&octets("SCRAM salt")[..16]);
    // SHA-256 of nothing that anybody knows.
    ScramKeys { iterations: ITERATIONS, salt, stored_key: octets("SCRAM stored"), server_key: octets("SCRAM server") }
}

/// What a client says about channel binding (RFC 5802 §6, gs2-cbind-flag).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BindingFlag {
    /// `n`: it cannot do that.
    Unsupported,
    /// `y`: it could, but believes that we cannot.
    NotOffered,
    /// `p=`: it does, by this type.
    Type(String),
}

/// The client-first-message (RFC 5802 §7).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst {
    pub(super) flag: BindingFlag,
    /// Who logs in, after SASLprep.
    pub(super) user: String,
    /// The gs2-header with its last comma.
    header: String,
    bare: String,
    nonce: String,
}

impl ClientFirst {
    /// Reads the message.
    ///
    /// # Errors
    /// `Syntax`, also for a mandatory extension, and `Authorization` for somebody who wants to act as another.
    pub(super) fn parse(message: &[u8]) -> Result<Self, SaslError> {
        let text = std::str::from_utf8(message).map_err(|_| SaslError::Syntax)?;
        let (flag_text, rest) = text.split_once(',').ok_or(SaslError::Syntax)?;
        let (authzid, bare) = rest.split_once(',').ok_or(SaslError::Syntax)?;
        let flag = match flag_text {
            "n" => BindingFlag::Unsupported,
            "y" => BindingFlag::NotOffered,
            other => {
                let name = other.strip_prefix("p=").filter(|name| !name.is_empty()).ok_or(SaslError::Syntax)?;
                BindingFlag::Type(name.to_owned())
            }
        };
        let mut attributes = bare.split(',');
        let (name, nonce) = (attribute(attributes.next(), "n=")?, attribute(attributes.next(), "r=")?);
        let user = prepared(&unescape(name)?)?;
        if !authzid.is_empty() && prepared(&unescape(attribute(Some(authzid), "a=")?)?)? != user {
            return Err(SaslError::Authorization);
        }
        if nonce.is_empty() || !nonce.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(SaslError::Syntax);
        }
        let header = text.get(..text.len() - bare.len()).unwrap_or_default().to_owned();
        Ok(Self { flag, user, header, bare: bare.to_owned(), nonce: nonce.to_owned() })
    }

    /// The server-first-message, and what has to be remembered until the client answers it.
    ///
    /// # Errors
    /// No randomness.
    pub(super) fn challenge(
        self,
        keys: ScramKeys,
        devices: Vec<(DeviceId, ScramKeys)>,
    ) -> Result<(String, Challenged), getrandom::Error> {
        let mut random = [0; NONCE_LENGTH];
        getrandom::fill(&mut random)?;
        let (message, challenged) = self.challenge_with(keys, &STANDARD.encode(random));
        Ok((message, Challenged { devices, ..challenged }))
    }

    fn challenge_with(self, keys: ScramKeys, own_nonce: &str) -> (String, Challenged) {
        let nonce = self.nonce + own_nonce;
        let message = format!("r={nonce},s={},i={}", STANDARD.encode(keys.salt), keys.iterations);
        let transcript = format!("{},{message},", self.bare);
        (message, Challenged { keys, devices: Vec::new(), header: self.header, nonce, transcript })
    }
}

/// An exchange in which the client's proof is still to come.
pub(super) struct Challenged {
    keys: ScramKeys,
    /// Those of devices, which may be meant as well. Only what has the salt and the iterations of `keys` can be.
    devices: Vec<(DeviceId, ScramKeys)>,
    header: String,
    nonce: String,
    /// AuthMessage (RFC 5802 §3) but for the client's last message.
    transcript: String,
}

/// What a client's last message amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client knows the password, that of this device; the server-final-message proves that we do.
    Fits(DeviceId, String),
    /// It does not.
    WrongProof,
    /// The connection that the client sees is not the one that we see.
    WrongBinding,
}

impl Challenged {
    /// Checks the client-final-message. `binding` is the data of the channel binding, empty without one.
    ///
    /// # Errors
    /// `Syntax`, also for a nonce that is not ours.
    pub(super) fn verify(&self, message: &[u8], binding: &[u8]) -> Result<Verdict, SaslError> {
        let text = std::str::from_utf8(message).map_err(|_| SaslError::Syntax)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(SaslError::Syntax)?;
        let mut attributes = without_proof.split(',');
        let (bound, nonce) = (attribute(attributes.next(), "c=")?, attribute(attributes.next(), "r=")?);
        let proof = STANDARD.decode(proof).map_err(|_| SaslError::Syntax)?;
        let proof: Key = proof.try_into().map_err(|_| SaslError::Syntax)?;
        let bound = STANDARD.decode(bound).map_err(|_| SaslError::Syntax)?;
        if nonce != self.nonce {
            return Err(SaslError::Syntax);
        }
        let expected = [self.header.as_bytes(), binding].concat();
        if !bool::from(bound.ct_eq(&expected)) {
            return Ok(Verdict::WrongBinding);
        }
        let auth_message = format!("{}{without_proof}", self.transcript);
        let fits = |keys: &ScramKeys| {
            let client_key = xor(&proof, &hmac(&keys.stored_key, auth_message.as_bytes()));
            let stored_key: Key = Sha256::digest(client_key).into();
            bool::from(stored_key.ct_eq(&keys.stored_key))
        };
        let main = std::iter::once((DeviceId::MAIN, &self.keys));
        let mut all = main.chain(self.devices.iter().map(|(id, keys)| (*id, keys)));
        let Some((device, keys)) = all.find(|(_, keys)| fits(keys)) else { return Ok(Verdict::WrongProof) };
        let signature = hmac(&keys.server_key, auth_message.as_bytes());
        Ok(Verdict::Fits(device, format!("v={}", STANDARD.encode(signature))))
    }
}

/// The value of an attribute that must stand here.
fn attribute<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, SaslError> {
    text.and_then(|text| text.strip_prefix(name)).ok_or(SaslError::Syntax)
}

/// A saslname (RFC 5802 §5.1): `=2C` is a comma and `=3D` an equals sign; no other is allowed.
fn unescape(name: &str) -> Result<String, SaslError> {
    let mut pieces = name.split('=');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return Err(SaslError::Syntax),
        };
        text.push(character);
        text.push_str(rest);
    }
    Ok(text)
}

/// A user name after SASLprep (RFC 5802 §5.1, attribute n).
fn prepared(name: &str) -> Result<String, SaslError> {
    let name = stringprep::saslprep(name).map_err(|_| SaslError::Syntax)?;
    if name.is_empty() || name.len() > USER_MAX || name.contains('\0') {
        return Err(SaslError::Syntax);
    }
    Ok(name.into_owned())
}

#[cfg(test)]
#[path = "scram_tests.rs"]
mod tests;
