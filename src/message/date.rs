//! The Date field (RFC 5322 §3.3 and its obsolete forms in §4.3).

use crate::types::DateTime;

/// Limit: octets of a Date field that are read.
const DATE_MAX: usize = 256;

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Reads a date. Names of days are passed over, comments too, also wrong ones; seconds and zone may
/// be missing, the year may have two or three digits, the month may stand before the day and the year
/// behind the time (as `asctime` writes). A zone that is unknown or alphabetic and military is UTC.
#[must_use]
pub fn parse_date(value: &[u8]) -> Option<DateTime> {
    let mut tokens = Tokens { rest: value.get(..DATE_MAX).unwrap_or(value) };
    let mut token = tokens.next()?;
    while let Token::Word(word) = token {
        if month(word).is_some() {
            break;
        }
        token = tokens.next()?;
    }
    let (day, month) = match (token, tokens.next()?) {
        (Token::Number(day, 1..=2), Token::Word(word)) | (Token::Word(word), Token::Number(day, 1..=2)) => {
            (day, month(word)?)
        }
        _ => return None,
    };
    let (first, digits) = tokens.next_number()?;
    let (year, time) = if tokens.at_colon() {
        let time = tokens.time(first)?;
        let (year, digits) = tokens.next_number()?;
        (full_year(year, digits)?, time)
    } else {
        let year = full_year(first, digits)?;
        let time = match tokens.next() {
            Some(Token::Number(hour, _)) if tokens.at_colon() => tokens.time(hour)?,
            _ => 0,
        };
        (year, time)
    };
    let zone = tokens.zone();
    let days = days_from_civil(year, month, i64::from(day))?;
    Some(DateTime { seconds: days * 86_400 + time - i64::from(zone) * 60, zone })
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Word(&'a [u8]),
    /// Value and count of digits.
    Number(u32, usize),
    Sign(bool),
}

/// Words, numbers and signs; comments, white space and other characters only part them.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn skip(&mut self) {
        let mut depth = 0usize;
        while let Some((&octet, rest)) = self.rest.split_first() {
            match octet {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                b'\\' if depth > 0 => {
                    self.rest = rest.split_first().map_or(rest, |(_, rest)| rest);
                    continue;
                }
                b':' | b'+' if depth == 0 => return,
                // A hyphen is a sign before a digit and only parts words elsewhere (`1-Jan-2000`).
                b'-' if depth == 0 && rest.iter().take(4).filter(|octet| octet.is_ascii_digit()).count() == 4 => {
                    return;
                }
                _ if depth == 0 && octet.is_ascii_alphanumeric() => return,
                _ => {}
            }
            self.rest = rest;
        }
    }

    fn run(&mut self, wanted: fn(&u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|octet| !wanted(octet)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip();
            let first = *self.rest.first()?;
            if first.is_ascii_digit() {
                return number(self.run(u8::is_ascii_digit));
            }
            if first.is_ascii_alphabetic() {
                return Some(Token::Word(self.run(u8::is_ascii_alphabetic)));
            }
            self.rest = self.rest.get(1..)?;
            match first {
                b'+' => return Some(Token::Sign(true)),
                b'-' => return Some(Token::Sign(false)),
                _ => {}
            }
        }
    }

    /// Passes over words and signs (the hyphens of `1-Jan-2000`, a zone before the year).
    fn next_number(&mut self) -> Option<(u32, usize)> {
        loop {
            if let Token::Number(number, digits) = self.next()? {
                return Some((number, digits));
            }
        }
    }

    fn at_colon(&mut self) -> bool {
        self.skip();
        self.rest.first() == Some(&b':')
    }

    /// Seconds of the day; the hour has been read.
    fn time(&mut self, hour: u32) -> Option<i64> {
        let Some(Token::Number(minute, _)) = self.next() else {
            return None;
        };
        let mut second = 0;
        if self.at_colon() {
            let Some(Token::Number(number, _)) = self.next() else {
                return None;
            };
            second = number;
        }
        // Second 60 is a leap second. A time that cannot be is the beginning of its day (RFC 5256 §2.2).
        let is_time = hour < 24 && minute < 60 && second <= 60;
        Some(if is_time { i64::from(hour * 3600 + minute * 60 + second.min(59)) } else { 0 })
    }

    /// Minutes east of UTC.
    fn zone(&mut self) -> i16 {
        let mut named = 0;
        loop {
            match self.next() {
                Some(Token::Sign(east)) => {
                    let Some(Token::Number(number, digits)) = self.next() else {
                        return named;
                    };
                    let (hours, minutes) = if digits > 2 {
                        (number / 100, number % 100)
                    } else if self.at_colon() {
                        match self.next() {
                            Some(Token::Number(minutes, _)) => (number, minutes),
                            _ => return named,
                        }
                    } else {
                        (number, 0)
                    };
                    if hours >= 24 || minutes >= 60 {
                        return named;
                    }
                    let zone = i16::try_from(hours * 60 + minutes).unwrap_or(0);
                    return if east { zone } else { -zone };
                }
                Some(Token::Word(word)) => named = named_zone(word),
                Some(Token::Number(..)) => {}
                None => return named,
            }
        }
    }
}

fn number(digits: &[u8]) -> Option<Token<'_>> {
    let value = digits
        .iter()
        .try_fold(0u32, |value, digit| value.checked_mul(10)?.checked_add(u32::from(digit.saturating_sub(b'0'))))?;
    Some(Token::Number(value, digits.len()))
}

fn month(word: &[u8]) -> Option<i64> {
    let start = word.get(..3)?;
    let at = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(start))?;
    i64::try_from(at + 1).ok()
}

/// RFC 5322 §4.3: two digits are 1950 to 2049, three count from 1900.
fn full_year(year: u32, digits: usize) -> Option<i64> {
    let year = match digits {
        1 | 2 if year < 50 => year + 2000,
        1..=3 => year + 1900,
        _ => year,
    };
    (1..=9999).contains(&year).then_some(i64::from(year))
}

fn named_zone(word: &[u8]) -> i16 {
    const ZONES: [(&[u8], i16); 8] = [
        (b"EDT", -4),
        (b"EST", -5),
        (b"CDT", -5),
        (b"CST", -6),
        (b"MDT", -6),
        (b"MST", -7),
        (b"PDT", -7),
        (b"PST", -8),
    ];
    ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(0, |(_, hours)| hours * 60)
}

/// Days since 1970-01-01 of a day in the Gregorian calendar; None where there is no such day.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::parse_date;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<(i64, i16)> {
        parse_date(text.as_bytes()).map(|date| (date.seconds, date.zone))
    }

    #[test]
    fn examples_of_rfc_5322() {
        assert_eq!(parsed("Fri, 21 Nov 1997 09:55:06 -0600"), Some((880_127_706, -360)));
        assert_eq!(
            parsed(
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)"
            ),
            Some((-27_723_480, -210))
        );
        assert_eq!(parsed("21 Nov 97 09:55:06 GMT"), Some((880_106_106, 0)));
        assert_eq!(parsed("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"), Some((880_127_706, -360)));
    }

    #[test]
    fn obsolete_and_odd_forms() {
        for (text, expected) in [
            ("Fri, 21 Nov 1997 09:55 EST", Some((880_124_100, -300))),
            ("21 Nov 1997 09:55:06", Some((880_106_106, 0))),
            ("21 Nov 1997 09:55:06 Z", Some((880_106_106, 0))),
            ("21-Nov-1997 09:55:06 +0000", Some((880_106_106, 0))),
            ("Fri Nov 21 09:55:06 1997", Some((880_106_106, 0))),
            ("Fri Nov 21 09:55:06 EST 1997", Some((880_106_106, 0))),
            ("Fri, 21 November 1997 09:55:06 +01:00", Some((880_102_506, 60))),
            ("Fri, 21 Nov 1997 09:55:06 GMT+0100", Some((880_102_506, 60))),
            ("Fri, 21 Nov 1997 09:55:06 +0100 (CET (really))", Some((880_102_506, 60))),
            ("Fri, 21 Nov 1997 09:55:60 +0000", Some((880_106_159, 0))),
            ("Fri, 21 Nov 1997 09:55:06 -9999", Some((880_106_106, 0))),
            ("21 Nov 1997", Some((880_070_400, 0))),
            ("1 Jan 00 00:00:00 +0000", Some((946_684_800, 0))),
            ("29 Feb 2000 00:00:00 +0000", Some((951_782_400, 0))),
            ("1 Jan 100 00:00:00 +0000", Some((946_684_800, 0))),
            ("30 Feb 2000 00:00:00 +0000", None),
            ("0 Jan 2000 00:00:00 +0000", None),
            ("1 Jan 2000 24:00:00 +0000", Some((946_684_800, 0))),
            ("1 Jan 2000 25:61 -0100", Some((946_688_400, -60))),
            ("1 Foo 2000 00:00:00 +0000", None),
            ("1 Jan 99999 00:00:00 +0000", None),
            ("1 Jan 99999999999999 00:00:00 +0000", None),
            ("", None),
            ("yesterday", None),
            ("(((", None),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(seconds in -60_000_000_000i64..250_000_000_000, zone in -1439i32..1440) {
            let offset = chrono::FixedOffset::east_opt(zone * 60).unwrap();
            let date = chrono::DateTime::from_timestamp(seconds, 0).unwrap().with_timezone(&offset);
            if date.format("%Y").to_string().len() == 4 {
                let text = date.format("%a, %d %b %Y %H:%M:%S %z").to_string();
                prop_assert_eq!(parsed(&text), Some((seconds, i16::try_from(zone).unwrap())), "{}", text);
            }
        }

        #[test]
        fn nothing_panics(octets: Vec<u8>, text in "[-+:() 0-9A-Za-z\\\\]{0,40}") {
            let _ = parse_date(&octets);
            let _ = parse_date(text.as_bytes());
        }
    }
}
