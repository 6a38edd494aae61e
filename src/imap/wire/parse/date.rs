//! date and date-time (RFC 9051 §9).

use super::cursor::Cursor;
use crate::imap::wire::error::Fault;
use crate::types::DateTime;
use chrono::{Datelike as _, NaiveDate};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days from 0000-12-31, where chrono counts from, to 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

/// A date of SEARCH, quoted or not, as days since 1970-01-01.
pub(super) fn date(cursor: &mut Cursor<'_>) -> Result<i32, Fault> {
    let octets = cursor.astring(|octet| octet == b'-' || octet.is_ascii_alphanumeric(), "the date is missing")?;
    let text = std::str::from_utf8(&octets).ok();
    text.and_then(days).ok_or(Fault::syntax("the date is not valid"))
}

/// The date-time of APPEND, quoted: `" 1-Feb-1994 21:52:25 -0800"`.
pub(super) fn date_time(cursor: &mut Cursor<'_>) -> Result<DateTime, Fault> {
    let invalid = Fault::syntax("the date and time are not valid");
    let octets = cursor.string()?.ok_or(invalid)?;
    std::str::from_utf8(&octets).ok().and_then(parse_date_time).ok_or(invalid)
}

fn parse_date_time(text: &str) -> Option<DateTime> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let days = days(words.next()?)?;
    let seconds = seconds_of_day(words.next()?)?;
    let zone = zone(words.next()?)?;
    if words.next().is_some() {
        return None;
    }
    let local = i64::from(days).checked_mul(86_400)?.checked_add(i64::from(seconds))?;
    Some(DateTime { seconds: local.checked_sub(i64::from(zone) * 60)?, zone })
}

/// `1-Feb-1994` with one or two digits for the day and four for the year.
fn days(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let day = digits(parts.next()?, 1, 2)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let year = digits(parts.next()?, 4, 4)?;
    if parts.next().is_some() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month + 1).ok()?, day)?;
    Some(date.num_days_from_ce() - EPOCH_FROM_CE)
}

/// `21:52:25`; a leap second counts as the next one.
fn seconds_of_day(text: &str) -> Option<u32> {
    let mut parts = text.split(':');
    let hours = digits(parts.next()?, 2, 2).filter(|&hours| hours < 24)?;
    let minutes = digits(parts.next()?, 2, 2).filter(|&minutes| minutes < 60)?;
    let seconds = digits(parts.next()?, 2, 2).filter(|&seconds| seconds <= 60)?;
    parts.next().is_none().then_some(hours * 3600 + minutes * 60 + seconds)
}

/// `-0800` in minutes east of UTC.
fn zone(text: &str) -> Option<i16> {
    let (sign, number) = match text.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let number = i16::try_from(digits(number, 4, 4)?).ok()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn digits(text: &str, min: usize, max: usize) -> Option<u32> {
    let fits = (min..=max).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(days("1-Jan-1970"), Some(0));
        assert_eq!(days("01-feb-1970"), Some(31));
        assert_eq!(days("31-DEC-1969"), Some(-1));
        assert_eq!(days("29-Feb-2024"), Some(19782));
        for bad in [
            "",
            "1-Jan",
            "30-Feb-2000",
            "0-Jan-2000",
            "1-Foo-2000",
            "1-Jan-20000",
            "1-Jan-2000-1",
            "001-Jan-2000",
            "+1-Jan-2000",
        ] {
            assert_eq!(days(bad), None, "{bad}");
        }
    }

    #[test]
    fn date_times() {
        let given = parse_date_time(" 1-Feb-1994 21:52:25 -0800");
        assert_eq!(given, Some(DateTime { seconds: 760_168_345, zone: -480 }));
        assert_eq!(parse_date_time("17-Jul-1996 02:44:25 +0545").map(|date| date.zone), Some(345));
        for bad in [
            "17-Jul-1996 02:44:25",
            "17-Jul-1996 24:44:25 +0000",
            "17-Jul-1996 02:44:25 +9999",
            "17-Jul-1996 02:44:25 0000",
            "17-Jul-1996 02:44:25 +0000 x",
        ] {
            assert_eq!(parse_date_time(bad), None, "{bad}");
        }
    }
}
