//! Which password a login may be about: that of a device, or the main one where it is accepted.

use super::password::{device_hash, generate_device_password};
use super::{Attempt, HashError, scram};
use crate::net::Peer;
use crate::store::{Device, Login, MainPassword};
use crate::types::{DeviceId, Rights};
use subtle::ConstantTimeEq;

/// On what the decision about a login stands.
pub(super) enum Basis<'a> {
    /// It is the password of this device.
    Device(DeviceId),
    /// No password opens this; the word for the log.
    Refused(&'static str),
    /// It must fit this hash; None: there is none, or no such user.
    Password(Option<&'a str>),
}

impl<'a> Basis<'a> {
    /// Looks at the password of an attempt. It costs one fast hash, and only for what looks like a device's password.
    pub(super) fn of(login: Option<&'a Login>, attempt: &Attempt<'_>) -> Self {
        let Some(login) = login else { return Self::Password(None) };
        if let Some(hash) = device_hash(attempt.password) {
            let same = |device: &Device| bool::from(device.hash.ct_eq(&hash));
            if let Some((id, device)) = login.devices.iter().find(|(_, device)| same(device)) {
                return refused(device, attempt.protocol).map_or(Self::Device(*id), Self::Refused);
            }
        }
        match main_refused(login, attempt.peer) {
            Some(reason) => Self::Refused(reason),
            None => Self::Password(login.password_hash.as_deref()),
        }
    }

    /// What stands for the stored hash where the login is remembered. A login that is refused here and now must not
    /// be taken for a wrong password elsewhere.
    pub(super) fn remembered_by(&self, attempt: &Attempt<'_>) -> String {
        match self {
            Self::Device(id) => format!("device {}", id.0),
            Self::Refused(reason) => format!("{reason} {}", attempt.protocol),
            Self::Password(stored) => stored.unwrap_or_default().to_owned(),
        }
    }
}

/// Why a device's password is not accepted for a protocol.
pub(super) fn refused(device: &Device, protocol: &str) -> Option<&'static str> {
    match protocol {
        _ if device.rights.allow(protocol) => None,
        "imap" => Some("device-not-for-imap"),
        _ => Some("device-not-for-pop3"),
    }
}

/// Why the main password is not accepted from a peer.
pub(super) fn main_refused(login: &Login, peer: &Peer) -> Option<&'static str> {
    match login.scope {
        MainPassword::Everywhere => None,
        MainPassword::Lan if peer.is_lan() => None,
        MainPassword::Lan => Some("main-password-for-lan-only"),
        MainPassword::Off => Some("main-password-off"),
    }
}

/// A new device for a user with its password, which is not kept anywhere. It takes as long as a SCRAM login does.
///
/// # Errors
/// No randomness.
pub fn new_device(login: &Login, name: &str, rights: Rights) -> Result<(String, Device), HashError> {
    let password = generate_device_password();
    let hash = device_hash(password.as_bytes()).ok_or(HashError::Random)?;
    let scram = scram::keys(password.as_bytes(), scram::salt(login));
    let device =
        Device { name: name.to_owned(), hash, rights, created: 0, revoked: None, last: None, polls: false, scram };
    Ok((password, device))
}
