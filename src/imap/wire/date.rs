//! date and date-time (RFC 9051 §9): text to numbers and back.

use crate::types::DateTime;
use chrono::{Datelike as _, NaiveDate, Timelike as _};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days from 0000-12-31, where chrono counts from, to 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

/// The largest zone that the grammar can say sensibly, in minutes.
const ZONE_MAX: i16 = 23 * 60 + 59;
/// 0000-01-01T00:00:00
const FIRST_SECOND: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59
const LAST_SECOND: i64 = 253_402_300_799;

/// `1-Feb-1994 21:52:25 -0800`, perhaps with spaces around.
pub(super) fn parse_date_time(text: &str) -> Option<DateTime> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let days = parse_date(words.next()?)?;
    let seconds = seconds_of_day(words.next()?)?;
    let zone = zone(words.next()?)?;
    if words.next().is_some() {
        return None;
    }
    let local = i64::from(days).checked_mul(86_400)?.checked_add(i64::from(seconds))?;
    Some(DateTime { seconds: local.checked_sub(i64::from(zone) * 60)?, zone })
}

/// `1-Feb-1994`, with one or two digits for the day and four for the year, as days since 1970-01-01.
pub(super) fn parse_date(text: &str) -> Option<i32> {
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

/// Appends `" 1-Feb-1994 21:52:25 -0800"` with its quotes. Years that have no four digits are cut to those that have.
pub fn write_date_time(out: &mut Vec<u8>, date: DateTime) {
    let zone = date.zone.clamp(-ZONE_MAX, ZONE_MAX);
    let local = date.seconds.saturating_add(i64::from(zone) * 60).clamp(FIRST_SECOND, LAST_SECOND);
    let local = chrono::DateTime::from_timestamp(local, 0).unwrap_or_default().naive_utc();
    let month = usize::try_from(local.month0()).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    let sign = if zone < 0 { '-' } else { '+' };
    let zone = zone.abs();
    let text = format!(
        "\"{:2}-{month}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}\"",
        local.day(),
        local.year(),
        local.hour(),
        local.minute(),
        local.second(),
        zone / 60,
        zone % 60
    );
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        assert_eq!(parse_date("1-Jan-1970"), Some(0));
        assert_eq!(parse_date("01-feb-1970"), Some(31));
        assert_eq!(parse_date("31-DEC-1969"), Some(-1));
        assert_eq!(parse_date("29-Feb-2024"), Some(19782));
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
            assert_eq!(parse_date(bad), None, "{bad}");
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

    #[test]
    fn writes_dates() {
        let written = |seconds, zone| {
            let mut out = Vec::new();
            write_date_time(&mut out, DateTime { seconds, zone });
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(760_168_345, -480), "\" 1-Feb-1994 21:52:25 -0800\"");
        assert_eq!(written(0, 345), "\" 1-Jan-1970 05:45:00 +0545\"");
        assert_eq!(written(i64::MAX, 0), "\"31-Dec-9999 23:59:59 +0000\"");
        assert_eq!(written(i64::MIN, i16::MIN), "\" 1-Jan-0000 00:00:00 -2359\"");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(seconds in -62_000_000_000..253_000_000_000_i64, zone in -ZONE_MAX..=ZONE_MAX) {
            let mut out = Vec::new();
            let date = DateTime { seconds, zone };
            write_date_time(&mut out, date);
            let text = std::str::from_utf8(&out).unwrap().trim_matches('"');
            prop_assert_eq!(parse_date_time(text), Some(date));
        }
    }
}
