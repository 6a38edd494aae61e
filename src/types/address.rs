//! The one spelling of a mail address in which it is stored and compared.

use unicode_normalization::UnicodeNormalization;

/// Limit: octets of a domain that is looked at. A longer one is none (RFC 5321 §4.5.3.1.2).
const DOMAIN_MAX: usize = 1024;

/// Lower case, and the domain as the DNS has it ([`a_labels`]). Some senders write an internationalised domain with its
/// own letters (RFC 6531 §3.3) and some as `xn--`: both mean the same mailbox.
#[must_use]
pub fn canonical_address(address: &str) -> String {
    let address = address.to_lowercase();
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", a_labels(domain)),
        None => address,
    }
}

/// A domain in lower case with its labels as A-labels (RFC 5890 §2.3.2.1). Of the mapping of RFC 5895 §2: lower case, NFC
/// and the ideographic full stop. What was ASCII stays what it was.
#[must_use]
pub fn a_labels(domain: &str) -> String {
    if domain.is_ascii() || domain.len() > DOMAIN_MAX {
        return domain.to_ascii_lowercase();
    }
    let domain: String = domain.to_lowercase().nfc().collect();
    let label = |label: &str| match punycode(label) {
        Some(encoded) if !label.is_ascii() => format!("xn--{encoded}"),
        _ => label.to_owned(),
    };
    domain.split(['.', '\u{3002}']).map(label).collect::<Vec<_>>().join(".")
}

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;

/// RFC 3492 §6.3. None: a number is too large, which no label that the DNS can hold has.
fn punycode(label: &str) -> Option<String> {
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut code, mut delta, mut bias, mut done) = (128_u32, 0_u32, 72, basic);
    let all = u32::try_from(label.chars().count()).ok()?;
    while done < all {
        let next = label.chars().map(u32::from).filter(|point| *point >= code).min()?;
        delta = delta.checked_add((next - code).checked_mul(done + 1)?)?;
        code = next;
        for point in label.chars().map(u32::from) {
            if point < code {
                delta = delta.checked_add(1)?;
            }
            if point == code {
                put_integer(&mut out, delta, bias);
                bias = adapted(delta, done + 1, done == basic);
                delta = 0;
                done += 1;
            }
        }
        delta = delta.checked_add(1)?;
        code += 1;
    }
    Some(out)
}

/// A generalized variable-length integer (RFC 3492 §3.3).
fn put_integer(out: &mut String, mut number: u32, bias: u32) {
    let mut position = BASE;
    loop {
        let threshold = position.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if number < threshold {
            out.push(digit(number));
            return;
        }
        out.push(digit(threshold + (number - threshold) % (BASE - threshold)));
        number = (number - threshold) / (BASE - threshold);
        position += BASE;
    }
}

/// `a` to `z`, then `0` to `9` (RFC 3492 §5).
fn digit(number: u32) -> char {
    char::from_u32(if number < 26 { 'a' as u32 + number } else { '0' as u32 + number - 26 }).unwrap_or_default()
}

/// Bias adaptation (RFC 3492 §6.1).
fn adapted(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / points;
    let mut steps = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        steps += BASE;
    }
    steps + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings_of_a_domain_are_one() {
        for (given, stored) in [
            ("Anna@Example.ORG", "anna@example.org"),
            ("anna@MÜLLER.example", "anna@xn--mller-kva.example"),
            ("anna@mu\u{308}ller.example", "anna@xn--mller-kva.example"),
            ("anna@XN--MLLER-KVA.example", "anna@xn--mller-kva.example"),
            ("JÜRG@bücher。example", "jürg@xn--bcher-kva.example"),
            ("info", "info"),
            ("a@b@ü", "a@b@xn--tda"),
            ("anna@", "anna@"),
        ] {
            assert_eq!(canonical_address(given), stored);
        }
        let long = format!("a@{}", "ü".repeat(600));
        assert_eq!(canonical_address(&long), long);
    }

    /// RFC 3492 §7.1, but for those whose case matters.
    #[test]
    fn the_examples_of_punycode() {
        for (label, encoded) in [
            ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb"),
            ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
            ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("Porquénopuedensimplementehablarenespañol", "Porqunopuedensimplementehablarenespaol-fmd56a"),
            ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"),
            ("そのスピードで", "d9juau41awczczp"),
            ("-> $1.00 <-", "-> $1.00 <--"),
            ("münchen", "mnchen-3ya"),
            ("💌", "rr8h"),
        ] {
            assert_eq!(punycode(label).as_deref(), Some(encoded));
        }
    }

    proptest! {
        #[test]
        fn a_canonical_address_is_its_own_and_the_domain_is_ascii(address in "\\PC{0,60}@\\PC{0,60}") {
            let once = canonical_address(&address);
            prop_assert!(once.rsplit_once('@').is_some_and(|(_, domain)| domain.is_ascii()));
            prop_assert_eq!(canonical_address(&once), once);
        }
    }
}
