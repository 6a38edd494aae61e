//! The rules for account names, aliases, sender addresses and passwords. Each refusal says what would be right.

use crate::types::canonical_address;

/// Limit: characters of an account name or a local part (RFC 5321 §4.5.3.1.1).
const NAME_MAX: usize = 64;
/// Limit: octets of an address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const ADDRESS_MAX: usize = 254;
/// Characters of a password at least.
const PASSWORD_MIN: usize = 8;
/// Limit: octets of a password.
pub const PASSWORD_MAX: usize = 1_000;

/// An account name in its stored form: lower case, letters, digits, `.`, `_` and `-`.
///
/// # Errors
/// A text for the operator.
pub fn account(name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    let shown: String = name.chars().take(NAME_MAX).collect();
    let wrong = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(*c)));
    match wrong {
        _ if name.is_empty() => Err("the user name is empty".to_owned()),
        Some('@') => {
            Err(format!("{shown:?} is an address; a user name is the part before the @, addresses are aliases"))
        }
        Some('+') => Err(format!("{shown:?} has a plus sign, which in an address leads to a mailbox: leave it out")),
        Some(wrong) => Err(format!("{shown:?} has {wrong:?} in it; a user name has letters a-z, digits and . _ -")),
        None if name.len() > NAME_MAX => Err(format!("the user name is longer than {NAME_MAX} characters")),
        None if name.starts_with(['.', '-']) || name.ends_with('.') || name.contains("..") => Err(format!(
            "{shown:?} begins with . or -, ends with . or has .. in it; that is no local part of an address"
        )),
        None => Ok(name),
    }
}

/// An alias in its stored form: a local part, or a full address; lower case.
///
/// # Errors
/// A text for the operator.
pub fn alias(alias: &str) -> Result<String, String> {
    let alias = canonical_address(alias);
    let (local, domain) =
        alias.rsplit_once('@').map_or((alias.as_str(), None), |(local, domain)| (local, Some(domain)));
    let shown: String = alias.chars().take(NAME_MAX).collect();
    if alias.len() > ADDRESS_MAX || local.len() > NAME_MAX {
        return Err("the alias is longer than an address can be".to_owned());
    }
    if local.contains('+') {
        return Err(format!("{shown:?} has a plus sign, which in an address leads to a mailbox: leave it out"));
    }
    let label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c == '-' || (is_atext(c) && c.is_alphanumeric()));
    let fits = local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
        && domain.is_none_or(|domain| domain.split('.').all(label));
    if fits {
        Ok(alias)
    } else {
        Err(format!("{shown:?} is neither a local part such as info nor an address such as info@example.org"))
    }
}

/// RFC 5322 §3.2.3, and beyond ASCII what RFC 6532 §3.2 adds but for controls and white space.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || !(c.is_ascii() || c.is_control() || c.is_whitespace())
}

/// The reverse-path of a delivery, without angle brackets; `<>` and nothing are the null reverse-path.
///
/// # Errors
/// A text for the operator.
pub fn sender(sender: &str) -> Result<String, String> {
    let bare = sender.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(sender);
    if bare.len() > ADDRESS_MAX || bare.chars().any(|c| c.is_control() || c.is_whitespace() || "<>".contains(c)) {
        return Err("the sender is not an address such as anna@example.org".to_owned());
    }
    Ok(bare.to_owned())
}

/// Checks a new password of that account.
///
/// # Errors
/// A text for the operator.
pub fn password(name: &str, password: &str) -> Result<(), String> {
    if password.chars().count() < PASSWORD_MIN {
        Err(format!("the password is too short: {PASSWORD_MIN} characters at least"))
    } else if password.len() > PASSWORD_MAX {
        Err(format!("the password is longer than {PASSWORD_MAX} octets"))
    } else if password.contains(['\0', '\r', '\n']) {
        Err("the password has a line end or NUL in it, which clients cannot send".to_owned())
    } else if password.eq_ignore_ascii_case(name) {
        Err("the password is the user name; choose another".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names() {
        for (given, stored) in [("anna", "anna"), ("Anna.B-1_x", "anna.b-1_x"), ("7", "7")] {
            assert_eq!(account(given).as_deref(), Ok(stored));
        }
        assert!(account(&"x".repeat(64)).is_ok());
        let long = "x".repeat(65);
        for wrong in
            ["", "a b", "a+b", "anna@example.org", "\u{e4}nna", ".a", "a.", "a..b", "-rf", "a/b", "../x", &long, "a\n"]
        {
            assert!(account(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn aliases() {
        for (given, stored) in [
            ("Info", "info"),
            ("o'brien@Example.org", "o'brien@example.org"),
            ("a.b@c", "a.b@c"),
            ("J\u{dc}@\u{e4}.org", "j\u{fc}@xn--4ca.org"),
        ] {
            assert_eq!(alias(given).as_deref(), Ok(stored));
        }
        let long = format!("{}@example.org", "x".repeat(65));
        for wrong in ["", "@", "a@", "@b", "a+b", "a b@c", "a@b..c", "a@b c", "a..b", "a@b@c", "a\r\nb", &long] {
            assert!(alias(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn senders() {
        for (given, stored) in [("", ""), ("<>", ""), ("<a@b>", "a@b"), ("MAILER-DAEMON", "MAILER-DAEMON")] {
            assert_eq!(sender(given).as_deref(), Ok(stored));
        }
        for wrong in ["a b", "a@b>\r\nX: y", "<a", "a\0", &"x".repeat(300)] {
            assert!(sender(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn passwords() {
        assert_eq!(password("anna", "korrekt!"), Ok(()));
        assert_eq!(password("anna", "\u{e4}\u{f6}\u{fc}\u{df}\u{e4}\u{f6}\u{fc}\u{df}"), Ok(()));
        for wrong in ["", "1234567", "anna\nanna", "annalena", &"x".repeat(1_001)] {
            assert!(password("annalena", wrong).is_err(), "{wrong:?}");
        }
    }
}
