//! Modified UTF-7, the encoding of mailbox names (RFC 3501 §5.1.3).
//!
//! Strict: every name has exactly one encoding, and only that is decoded, so that two different octet
//! strings never name the same mailbox.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::IMAP_MUTF7, NO_PAD);

/// The name in modified UTF-7: ASCII without control characters.
#[must_use]
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if is_direct(first) {
            out.push(first);
            if first == '&' {
                out.push('-');
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(is_direct).unwrap_or(rest.len());
        let (shifted, behind) = rest.split_at(end);
        let octets: Vec<u8> = shifted.encode_utf16().flat_map(u16::to_be_bytes).collect();
        out.push('&');
        BASE64.encode_string(octets, &mut out);
        out.push('-');
        rest = behind;
    }
    out
}

/// The name that this modified UTF-7 stands for; None where it is none.
#[must_use]
pub fn decode(encoded: &str) -> Option<String> {
    if !encoded.contains('&') {
        return encoded.chars().all(is_direct).then(|| encoded.to_owned());
    }
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(at) = rest.find('&') {
        let (direct, shift) = rest.split_at(at);
        name.push_str(direct);
        let (shifted, behind) = shift.get(1..)?.split_once('-')?;
        if shifted.is_empty() {
            name.push('&');
        } else {
            let octets = BASE64.decode(shifted).ok()?;
            let (units, odd) = octets.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            for decoded in char::decode_utf16(units) {
                name.push(decoded.ok()?);
            }
        }
        rest = behind;
    }
    name.push_str(rest);
    // Superfluous shifts and ASCII in a shift are caught by the one encoding that is right.
    (encode(&name) == encoded).then_some(name)
}

/// Represents itself (RFC 3501 §5.1.3).
fn is_direct(c: char) -> bool {
    matches!(c, ' '..='~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        for (name, encoded) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Gesendete & Co", "Gesendete &- Co"),
            ("\u{1f4e7}", "&2D3c5w-"),
            ("", ""),
        ] {
            assert_eq!(encode(name), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(name));
        }
    }

    #[test]
    fn only_the_right_encoding_is_decoded() {
        for bad in [
            "&",
            "a&b",
            "&Jjo!",
            "&Jjo",
            "&U,BTFw-&ZeVnLIqe-",
            "&AGE-",
            "&ACY-",
            "&2D0-",
            "&3Oc-",
            "&AP-",
            "&APx-",
            "&APw=-",
            "ü",
            "a\0",
            "a\r\n",
        ] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes(name in any::<String>()) {
            let encoded = encode(&name);
            prop_assert!(encoded.chars().all(is_direct));
            prop_assert_eq!(decode(&encoded), Some(name));
        }

        #[test]
        fn encodes_what_it_decodes(encoded in "[ -~&,+-]{0,20}") {
            if let Some(name) = decode(&encoded) {
                prop_assert_eq!(encode(&name), encoded);
            }
        }
    }
}
