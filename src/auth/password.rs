//! Passwords that mailnook makes for people: easy to read aloud and to type on a phone.
//!
//! Those of devices have a form of their own, so that a login with any other password need not be compared with them.

use sha2::{Digest, Sha256};

/// No `i`, `l`, `o`, `0` and `1`, which look alike in many fonts.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Groups in a password.
const GROUPS: usize = 5;
/// Groups in the password of a device: 119 bits, out of reach of any guessing even against a fast hash.
const DEVICE_GROUPS: usize = 6;
/// Characters of a group: 5 groups of 4 out of 31 characters are 99 bits.
const GROUP_LENGTH: usize = 4;

/// A new random password of 99 bits, such as `k7mq-xw3d-9hrt-2vfe-bn8c`.
///
/// # Panics
/// Where the kernel gives no random octets, which Linux does not do once it has started.
#[must_use]
pub fn generate_password() -> String {
    generate(GROUPS)
}

/// A new random password of 119 bits for a device, such as `k7mq-xw3d-9hrt-2vfe-bn8c-hk4u`.
///
/// # Panics
/// Where the kernel gives no random octets, which Linux does not do once it has started.
#[must_use]
pub(super) fn generate_device_password() -> String {
    generate(DEVICE_GROUPS)
}

/// SHA-256 of the password of a device, however it was typed: capitals, spaces and hyphens make no difference. None:
/// it is no such password. A fast hash is right here: the password is random and long, so that nobody can try even a
/// small part of all that it could be, while a slow hash would cost a phone's every login for nothing.
pub(super) fn device_hash(password: &[u8]) -> Option<[u8; 32]> {
    let mut normal = [0; DEVICE_GROUPS * GROUP_LENGTH];
    let mut length = 0;
    for octet in password.iter().filter(|octet| !b"- ".contains(octet)).map(u8::to_ascii_lowercase) {
        *normal.get_mut(length).filter(|_| ALPHABET.contains(&octet))? = octet;
        length += 1;
    }
    (length == normal.len()).then(|| Sha256::digest(normal).into())
}

fn generate(groups: usize) -> String {
    let mut password = String::with_capacity(groups * (GROUP_LENGTH + 1));
    for group in 0..groups {
        if group > 0 {
            password.push('-');
        }
        for _ in 0..GROUP_LENGTH {
            password.push(random_character());
        }
    }
    password
}

/// One character, each equally likely: numbers beyond the alphabet are thrown away.
fn random_character() -> char {
    loop {
        let mut octet = [0];
        getrandom::fill(&mut octet).expect("the kernel gives random octets");
        if let Some(&character) = ALPHABET.get(usize::from(octet[0] & 31)) {
            return char::from(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_readable_and_differ() {
        let first = generate_password();
        let groups: Vec<&str> = first.split('-').collect();
        assert_eq!(groups.len(), GROUPS);
        for group in groups {
            assert_eq!(group.len(), GROUP_LENGTH);
            assert!(group.bytes().all(|octet| ALPHABET.contains(&octet)));
        }
        assert_ne!(first, generate_password());
    }

    #[test]
    fn a_device_password_is_known_however_it_is_typed() {
        let password = generate_device_password();
        let hash = device_hash(password.as_bytes()).unwrap();
        for typed in [password.to_uppercase(), password.replace('-', ""), format!(" {} ", password.replace('-', " "))] {
            assert_eq!(device_hash(typed.as_bytes()), Some(hash), "{typed}");
        }
        assert_ne!(device_hash(generate_device_password().as_bytes()), Some(hash));
        for other in
            ["", "secret", &generate_password(), &password[1..], &format!("{password}a"), &password.replace('-', "_")]
        {
            assert_eq!(device_hash(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn every_character_of_the_alphabet_occurs() {
        let many: String = (0..200).map(|_| generate_password()).collect();
        assert!(ALPHABET.iter().all(|&octet| many.contains(char::from(octet))));
    }
}
