//! Passwords that mailnook makes for people: easy to read aloud and to type on a phone.

/// No `i`, `l`, `o`, `0` and `1`, which look alike in many fonts.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Groups in a password.
const GROUPS: usize = 5;
/// Characters of a group: 5 groups of 4 out of 31 characters are 99 bits.
const GROUP_LENGTH: usize = 4;

/// A new random password of 99 bits, such as `k7mq-xw3d-9hrt-2vfe-bn8c`.
///
/// # Panics
/// Where the kernel gives no random octets, which Linux does not do once it has started.
#[must_use]
pub fn generate_password() -> String {
    let mut password = String::with_capacity(GROUPS * (GROUP_LENGTH + 1));
    for group in 0..GROUPS {
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
    fn every_character_of_the_alphabet_occurs() {
        let many: String = (0..200).map(|_| generate_password()).collect();
        assert!(ALPHABET.iter().all(|&octet| many.contains(char::from(octet))));
    }
}
