//! Mailbox names: one spelling for each (RFC 9051 §5.1, RFC 5198 §2).
//!
//! Names are kept in Unicode's Normalization Form C, whatever a client writes: a Mac and a PC spell the same `ü` in
//! different octets, and nobody could tell two mailboxes of that name apart. Clients of RFC 9051 are told of a name that is
//! kept otherwise than they wrote it; it opens for all under both spellings.

use super::list::INBOX;
use crate::store::{KEY_TEXT_MAX, Refusal};
use crate::types::DELIMITER;
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Limit: levels of a mailbox name.
const LEVELS_MAX: usize = 32;

/// The name, or a pattern, in the form in which names are kept. It is borrowed if it is in that form already.
#[must_use]
pub fn normal_name(name: &str) -> Cow<'_, str> {
    if name.is_ascii() || is_nfc_quick(name.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(name);
    }
    let normal: String = name.nfc().collect();
    if normal == name { Cow::Borrowed(name) } else { Cow::Owned(normal) }
}

/// The name as it is stored: normal, INBOX in capitals, no delimiter at the end; refused where it cannot be a name.
pub(super) fn canonical(name: &str) -> Result<String, Refusal> {
    let name = name.strip_suffix(DELIMITER).unwrap_or(name);
    if name.is_empty() {
        return Err(Refusal::Invalid("a mailbox needs a name"));
    }
    if name.len() > KEY_TEXT_MAX {
        return Err(Refusal::Limit("the mailbox name is too long"));
    }
    let name = normal_name(name);
    if name.len() > KEY_TEXT_MAX {
        return Err(Refusal::Limit("the mailbox name is too long"));
    }
    // RFC 6855 §3, RFC 5198 §2: no line ends of any kind, and no byte order mark.
    if name.chars().any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')) {
        return Err(Refusal::Invalid("a mailbox name cannot have control characters"));
    }
    if name.starts_with('\u{feff}') {
        return Err(Refusal::Invalid("a mailbox name cannot begin with a byte order mark"));
    }
    if name.contains(['*', '%']) {
        return Err(Refusal::Invalid("a mailbox name cannot have the wildcards * and %"));
    }
    let levels = name.split(DELIMITER).count();
    if levels > LEVELS_MAX {
        return Err(Refusal::Limit("the mailbox name has too many levels"));
    }
    if name.split(DELIMITER).any(str::is_empty) {
        return Err(Refusal::Invalid("a level of the mailbox name is empty"));
    }
    match name.split_once(DELIMITER) {
        None if name.eq_ignore_ascii_case(INBOX) => Ok(INBOX.to_owned()),
        Some((first, rest)) if first.eq_ignore_ascii_case(INBOX) => Ok(format!("{INBOX}{DELIMITER}{rest}")),
        _ => Ok(name.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling() {
        for name in ["Übung", "U\u{308}bung"] {
            assert_eq!(canonical(name).as_deref(), Ok("Übung"));
        }
        assert!(matches!(normal_name("Übung"), Cow::Borrowed(_)));
        assert_eq!(canonical("inbox/a/").as_deref(), Ok("INBOX/a"));
        for bad in ["", "/", "a//b", "a\u{2028}b", "a\u{2029}", "\u{85}", "\u{7f}", "\u{feff}a", "a*", "a%b"] {
            assert!(canonical(bad).is_err(), "{bad:?}");
        }
        // U+0958 is longer in normal form: three octets become six.
        assert!(canonical(&"\u{958}".repeat(100)).is_err());
    }

    proptest! {
        #[test]
        fn a_canonical_name_stays_as_it_is(name in "\\PC{0,12}") {
            if let Ok(once) = canonical(&name) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
                prop_assert!(matches!(normal_name(&once), Cow::Borrowed(_)));
            }
        }
    }
}
