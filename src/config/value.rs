//! The forms that single values take: sizes, durations, addresses, names. Each failure says what to write instead.

use crate::types::a_labels;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::{DeInteger, DeValue};

const SIZE_UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

const DURATION_UNITS: [(&str, u64); 14] = [
    ("s", 1),
    ("sec", 1),
    ("second", 1),
    ("seconds", 1),
    ("m", 60),
    ("min", 60),
    ("minute", 60),
    ("minutes", 60),
    ("h", 3_600),
    ("hour", 3_600),
    ("hours", 3_600),
    ("d", 86_400),
    ("day", 86_400),
    ("days", 86_400),
];

/// A failure for a value of the wrong type.
fn wrong_type<T>(value: &DeValue<'_>, wanted: &str) -> Result<T, String> {
    let found = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    Err(format!("is {found}; write {wanted}"))
}

/// Quotes a value for a message, shortened.
fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    if text.chars().count() > SHOWN_MAX {
        format!("{:?}...", text.chars().take(SHOWN_MAX).collect::<String>())
    } else {
        format!("{text:?}")
    }
}

pub(super) fn text<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        other => wrong_type(other, &format!("text in quotes such as {example}")),
    }
}

/// A URI (RFC 3986): a scheme, a colon and visible ASCII.
pub(super) fn uri(value: &DeValue<'_>) -> Result<String, String> {
    const EXAMPLE: &str = "\"mailto:postmaster@example.org\"";
    const LENGTH_MAX: usize = 1000;
    let text = text(value, EXAMPLE)?;
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
    };
    let sound = text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    if !sound || text.len() > LENGTH_MAX || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(format!("{} is not a URI; write one such as {EXAMPLE} or \"tel:+441234567\"", quoted(text)));
    }
    Ok(text.to_owned())
}

fn integer(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A whole number from `min` to `max`.
pub(super) fn count(value: &DeValue<'_>, min: u64, max: u64) -> Result<u64, String> {
    let advice = format!("a whole number from {min} to {max}");
    let DeValue::Integer(number) = value else {
        return wrong_type(value, &advice);
    };
    integer(number)
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("{} is out of range; write {advice}", quoted(number.as_str()).trim_matches('"')))
}

/// As [`count`], for values that are a `usize`.
pub(super) fn count_usize(value: &DeValue<'_>, min: u64, max: u64) -> Result<usize, String> {
    narrow(count(value, min, max)?)
}

/// As [`count`], for values that are a `u32`.
pub(super) fn count_u32(value: &DeValue<'_>, min: u64, max: u64) -> Result<u32, String> {
    narrow(count(value, min, max)?)
}

/// As [`size`], for values that are a `usize`.
pub(super) fn size_usize(value: &DeValue<'_>, min: u64, max: u64) -> Result<usize, String> {
    narrow(size(value, min, max)?)
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T, String> {
    T::try_from(number).map_err(|_| format!("{number} is too large for this machine"))
}

/// Octets, as a number or with a unit.
pub(super) fn size(value: &DeValue<'_>, min: u64, max: u64) -> Result<u64, String> {
    let octets = match value {
        DeValue::Integer(number) => {
            integer(number).ok_or_else(|| format!("{} is not a size; write one such as \"50 MB\"", number.as_str()))?
        }
        DeValue::String(text) => with_unit(text, &SIZE_UNITS)
            .ok_or_else(|| format!("{} is not a size; write one such as \"50 MB\" or \"64 KiB\"", quoted(text)))?,
        other => return wrong_type(other, "a size such as \"50 MB\" or \"64 KiB\""),
    };
    if (min..=max).contains(&octets) {
        Ok(octets)
    } else {
        Err(format!(
            "{octets} octets is out of range; write a size from \"{}\" to \"{}\"",
            size_text(min),
            size_text(max)
        ))
    }
}

/// Octets as the command line gives them: a number, or one with a unit.
#[must_use]
pub fn size_from(text: &str) -> Option<u64> {
    text.trim().parse().ok().or_else(|| with_unit(text, &SIZE_UNITS))
}

/// Seconds of a duration as the command line gives it, with its unit.
#[must_use]
pub fn duration_from(text: &str) -> Option<u64> {
    with_unit(text, &DURATION_UNITS)
}

/// Whole days, up to a hundred years.
pub(super) fn days(value: &DeValue<'_>) -> Result<u32, String> {
    const DAY: u64 = 86_400;
    const ADVICE: &str = "is not in whole days; write one such as \"30 d\"";
    match value {
        DeValue::Integer(number) => {
            return Err(integer(number)
                .map_or_else(|| ADVICE.to_owned(), |number| format!("has no unit; write \"{number} d\"")));
        }
        DeValue::String(text) if with_unit(text, &DURATION_UNITS).is_none() => {
            return Err(format!("{} {ADVICE}", quoted(text)));
        }
        _ => {}
    }
    let seconds = duration(value, 0, 36_500 * DAY)?.as_secs();
    if !seconds.is_multiple_of(DAY) {
        return Err(ADVICE.to_owned());
    }
    narrow(seconds / DAY)
}

/// A value, or None for `"none"`.
pub(super) fn or_none<T>(
    value: &DeValue<'_>,
    read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match value {
        DeValue::String(text) if text.eq_ignore_ascii_case("none") => Ok(None),
        other => read(other).map(Some).map_err(|text| format!("{text}, or \"none\"")),
    }
}

/// What `read` reads, or "auto".
pub(super) fn or_auto<T>(
    value: &DeValue<'_>,
    read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match value {
        DeValue::String(text) if text.eq_ignore_ascii_case("auto") => Ok(None),
        other => read(other).map(Some).map_err(|text| format!("{text}, or \"auto\"")),
    }
}

/// One of these words.
pub(super) fn one_of<'v>(value: &'v DeValue<'_>, words: &[&str]) -> Result<&'v str, String> {
    let given = text(value, &format!("{:?}", words.first().copied().unwrap_or_default()))?;
    if words.contains(&given) {
        Ok(given)
    } else {
        Err(format!("{} is not one of {}", quoted(given), words.join(", ")))
    }
}

/// true or false
pub(super) fn yes_or_no(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(value) => Ok(*value),
        other => wrong_type(other, "true or false"),
    }
}

/// A duration with its unit.
pub(super) fn duration(value: &DeValue<'_>, min: u64, max: u64) -> Result<Duration, String> {
    let seconds = match value {
        DeValue::Integer(number) => {
            if integer(number).is_none() {
                return Err("is not a duration; write one such as \"30 s\", \"30 min\" or \"2 h\"".to_owned());
            }
            return Err(format!("has no unit; write \"{0} s\" or \"{0} min\"", number.as_str()));
        }
        DeValue::String(text) => with_unit(text, &DURATION_UNITS).ok_or_else(|| {
            format!("{} is not a duration; write one such as \"30 s\", \"30 min\" or \"2 h\"", quoted(text))
        })?,
        other => return wrong_type(other, "a duration such as \"30 min\""),
    };
    if (min..=max).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        let (min, max) = (duration_text(min), duration_text(max));
        Err(format!("{seconds} s is out of range; write a duration from \"{min}\" to \"{max}\""))
    }
}

/// A number with one of `units`, a space between them or not, in any case.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = text.get(digits..)?.trim_start();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

fn size_text(octets: u64) -> String {
    let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, factor)| octets >= *factor && octets.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{octets} B"), |(name, factor)| format!("{} {name}", octets / factor))
}

fn duration_text(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60)];
    let unit = units.into_iter().find(|(_, factor)| seconds >= *factor && seconds.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{seconds} s"), |(name, factor)| format!("{} {name}", seconds / factor))
}

/// One listener; `*` stands for every address of both families.
pub(super) fn addresses(value: &DeValue<'_>) -> Result<Vec<SocketAddr>, String> {
    const EXAMPLE: &str = "an address with its port such as \"127.0.0.1:143\", \"[::1]:143\" or \"*:143\"";
    let DeValue::String(text) = value else {
        return wrong_type(value, EXAMPLE);
    };
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    if let Some(port) = text.strip_prefix("*:").and_then(|port| port.parse::<u16>().ok()) {
        return Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]);
    }
    let advice = if text.parse::<IpAddr>().is_ok() {
        "has no port; write ".to_owned() + EXAMPLE
    } else if text.starts_with("localhost:") {
        "names a host; write \"127.0.0.1\" or \"[::1]\" instead of \"localhost\"".to_owned()
    } else {
        "is not an address; write ".to_owned() + EXAMPLE
    };
    Err(format!("{} {advice}", quoted(text)))
}

/// A path that is not empty.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    match text(value, "\"/var/lib/mailnook\"")? {
        "" => Err("is empty; write a path".to_owned()),
        text if text.contains('\0') => Err("has a NUL in it".to_owned()),
        text => Ok(PathBuf::from(text)),
    }
}

/// Permissions in octal.
pub(super) fn mode(value: &DeValue<'_>) -> Result<u32, String> {
    const ADVICE: &str = "write permissions in octal such as \"660\"";
    let bits = match value {
        DeValue::String(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        DeValue::Integer(number) if number.radix() == 8 => u32::from_str_radix(number.as_str(), 8).ok(),
        _ => return Err(format!("is not in octal; {ADVICE}")),
    };
    bits.filter(|bits| *bits <= 0o777 && bits & 0o200 != 0)
        .ok_or_else(|| format!("is not usable; {ADVICE}; the owner at least must be able to write"))
}

/// A host name as the DNS has it: lower case, letters beyond ASCII as A-labels.
pub(super) fn host_name(value: &DeValue<'_>) -> Result<String, String> {
    let given = text(value, "\"mail.example.org\"")?;
    let name = a_labels(given);
    if is_host_name(&name) {
        Ok(name)
    } else {
        Err(format!("{} is not a host name such as mail.example.org", quoted(given)))
    }
}

/// A host name or an IP address, for a certificate.
pub(super) fn certificate_name(value: &DeValue<'_>) -> Result<String, String> {
    match text(value, "\"mail.example.org\"")? {
        address if address.parse::<IpAddr>().is_ok() => Ok(address.to_owned()),
        _ => host_name(value),
    }
}

/// Whether `name` is a host name: dot-separated labels of letters, digits and hyphens (RFC 1123 §2.1).
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// The name of an IMAP capability that may be left out of the list: not the one that every server must tell (RFC 3501 §6.1.1).
pub(super) fn capability(value: &DeValue<'_>) -> Result<String, String> {
    let name = text(value, "\"UIDONLY\"")?;
    let valid =
        !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'\\'));
    if !valid {
        return Err(format!("{} is not the name of a capability such as UIDONLY", quoted(name)));
    }
    if name.eq_ignore_ascii_case("IMAP4rev1") {
        return Err("IMAP4rev1 cannot be hidden".to_owned());
    }
    Ok(name.to_owned())
}

/// An account name, lower-cased.
pub(super) fn account(value: &DeValue<'_>) -> Result<String, String> {
    let name = text(value, "\"anna\"")?.to_ascii_lowercase();
    let fits = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"._-".contains(&octet);
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        Ok(name)
    } else {
        Err(format!("{} is not an account name; write one such as \"anna\"", quoted(&name)))
    }
}

/// A log level.
pub(super) fn level(value: &DeValue<'_>) -> Result<log::LevelFilter, String> {
    let text = text(value, "\"info\"")?;
    text.parse().map_err(|_| {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        let meant =
            super::nearest(text, levels).map_or_else(String::new, |level| format!("; did you mean \"{level}\"?"));
        format!("{} is not one of {}{meant}", quoted(text), levels.join(", "))
    })
}
