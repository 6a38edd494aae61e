//! The lines that a delivery puts before a message: Return-Path, Delivered-To and Received (RFC 5321 §4.4).
//!
//! Pure. What a peer said goes into header lines here, so whatever it contains stays inside its line: control
//! characters become question marks and each text is cut to a length that keeps every line under 998 octets.

use crate::types::DateTime;
use chrono::{Datelike, FixedOffset, Offset, TimeZone};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Limit: octets of an address in a header line. A line may have 998 (RFC 5322 §2.1.1).
const ADDRESS_MAX: usize = 900;

/// Limit: octets of a host name in a header line.
const NAME_MAX: usize = 255;

/// How one message came in for one recipient.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The reverse-path without its angle brackets; empty: the null reverse-path.
    pub reverse_path: &'a str,
    /// The forward-path as the sender gave it, without angle brackets.
    pub recipient: &'a str,
    /// Whether it is the only recipient: only then Received may name it, or blind copies would show.
    pub only_recipient: bool,
    /// Who handed the message over; None: a command on this machine.
    pub origin: Option<Origin<'a>>,
    /// Our name.
    pub hostname: &'a str,
    /// This transaction's identifier, as in the log.
    pub id: &'a str,
    /// When it came.
    pub date: DateTime,
}

/// The peer that handed a message over.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What it calls itself (LHLO).
    pub name: &'a str,
    /// Its address; None: a unix socket.
    pub address: Option<IpAddr>,
    /// The registered name of the protocol (RFC 3848, RFC 6531 §4.3): `LMTP`, `LMTPS`, `UTF8LMTP`, `UTF8LMTPS`.
    pub protocol: &'a str,
    /// The TLS version.
    pub tls: Option<&'a str>,
}

/// The header lines with their CRLF, to put before the message as it came. A Return-Path that the message brings
/// stays below ours.
#[must_use]
pub fn prefix(trace: &Trace<'_>) -> Vec<u8> {
    let mut lines = String::with_capacity(512);
    let recipient = line_text(trace.recipient, ADDRESS_MAX);
    write_line(&mut lines, format_args!("Return-Path: <{}>", line_text(trace.reverse_path, ADDRESS_MAX)));
    write_line(&mut lines, format_args!("Delivered-To: {recipient}"));
    let hostname = host_name(trace.hostname);
    let id = host_name(trace.id);
    match &trace.origin {
        Some(origin) => {
            let name = host_name(origin.name);
            match origin.address {
                Some(IpAddr::V4(address)) => {
                    write_line(&mut lines, format_args!("Received: from {name} ([{address}])"));
                }
                Some(IpAddr::V6(address)) => {
                    write_line(&mut lines, format_args!("Received: from {name} ([IPv6:{address}])"));
                }
                None => write_line(&mut lines, format_args!("Received: from {name} (local socket)")),
            }
            if let Some(tls) = origin.tls {
                write_line(&mut lines, format_args!("\t(using {})", host_name(tls)));
            }
            let protocol = host_name(origin.protocol);
            write_line(&mut lines, format_args!("\tby {hostname} (mailnook) with {protocol} id {id}"));
        }
        None => write_line(&mut lines, format_args!("Received: by {hostname} (mailnook) id {id}")),
    }
    if trace.only_recipient {
        write_line(&mut lines, format_args!("\tfor <{recipient}>"));
    }
    // The semicolon belongs to the clauses before it.
    lines.truncate(lines.trim_end().len());
    write_line(&mut lines, format_args!(";\r\n\t{}", date_time(trace.date)));
    lines.into_bytes()
}

/// This moment in the machine's time zone.
#[must_use]
pub fn now() -> DateTime {
    let now = chrono::Local::now();
    let zone = i16::try_from(now.offset().fix().local_minus_utc() / 60).unwrap_or(0);
    DateTime { seconds: now.timestamp(), zone }
}

/// RFC 5322 §3.3, as in `Sat, 23 Nov 2024 13:39:00 +0100`.
pub(super) fn date_of(date: DateTime) -> String {
    date_time(date)
}

/// A moment for people, as `2026-11-25 14:05` in the machine's zone; None where no calendar has it.
#[must_use]
pub fn local(date: DateTime) -> Option<String> {
    let utc = chrono::DateTime::from_timestamp(date.seconds, 0)?;
    let local = utc.with_timezone(&chrono::Local);
    (0..=9999).contains(&local.year()).then(|| local.format("%Y-%m-%d %H:%M").to_string())
}

/// A new identifier of a transaction: unique while the process lives, and hardly ever used by another one.
#[must_use]
pub fn new_id() -> String {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = *PROCESS.get_or_init(|| getrandom::u32().unwrap_or_else(|_| std::process::id()));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{process:08x}-{number:x}", now().seconds)
}

/// RFC 5322 §3.3, as in `Sat, 23 Nov 2024 13:39:00 +0100`.
fn date_time(date: DateTime) -> String {
    FixedOffset::east_opt(i32::from(date.zone).saturating_mul(60))
        .or(FixedOffset::east_opt(0))
        .and_then(|zone| zone.timestamp_opt(date.seconds, 0).single())
        // The form has room for four digits.
        .filter(|date| (0..=9999).contains(&date.year()))
        .map_or_else(|| "Thu, 1 Jan 1970 00:00:00 +0000".to_owned(), |date| date.to_rfc2822())
}

fn write_line(lines: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _written = lines.write_fmt(text);
    lines.push_str("\r\n");
}

/// A text that stays inside its header line.
fn line_text(text: &str, max: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(max));
    for character in text.chars() {
        let character = if is_line_breaking(character) { '?' } else { character };
        if safe.len() + character.len_utf8() > max {
            break;
        }
        safe.push(character);
    }
    safe
}

/// Controls (C0, DEL, C1) and the two separators that some software takes for line ends.
fn is_line_breaking(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// A text that stays one word of a Received line.
fn host_name(text: &str) -> String {
    let mut word = line_text(text, NAME_MAX);
    word = word.replace(|character: char| character.is_whitespace() || "()<>;,\"\\".contains(character), "?");
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trace(origin: Option<Origin<'_>>) -> Trace<'_> {
        Trace {
            reverse_path: "bob@example.net",
            recipient: "anna+lists@example.org",
            only_recipient: true,
            origin,
            hostname: "mail.example.org",
            id: "1a-2b",
            date: DateTime { seconds: 1_732_365_540, zone: 60 },
        }
    }

    fn text(trace: &Trace<'_>) -> String {
        String::from_utf8(prefix(trace)).unwrap()
    }

    #[test]
    fn all_lines_of_an_lmtp_delivery() {
        let origin = Origin {
            name: "mx.example.org",
            address: Some("192.0.2.1".parse().unwrap()),
            protocol: "LMTPS",
            tls: Some("TLSv1.3"),
        };
        assert_eq!(
            text(&trace(Some(origin))),
            "Return-Path: <bob@example.net>\r\n\
             Delivered-To: anna+lists@example.org\r\n\
             Received: from mx.example.org ([192.0.2.1])\r\n\
             \t(using TLSv1.3)\r\n\
             \tby mail.example.org (mailnook) with LMTPS id 1a-2b\r\n\
             \tfor <anna+lists@example.org>;\r\n\
             \tSat, 23 Nov 2024 13:39:00 +0100\r\n"
        );
    }

    #[test]
    fn a_unix_socket_several_recipients_and_the_null_reverse_path() {
        let origin = Origin { name: "mx", address: None, protocol: "LMTP", tls: None };
        let trace = Trace { reverse_path: "", only_recipient: false, ..trace(Some(origin)) };
        assert_eq!(
            text(&trace),
            "Return-Path: <>\r\n\
             Delivered-To: anna+lists@example.org\r\n\
             Received: from mx (local socket)\r\n\
             \tby mail.example.org (mailnook) with LMTP id 1a-2b;\r\n\
             \tSat, 23 Nov 2024 13:39:00 +0100\r\n"
        );
    }

    #[test]
    fn a_command_on_this_machine_and_ipv6() {
        let without = trace(None);
        assert!(text(&without).contains("Received: by mail.example.org (mailnook) id 1a-2b\r\n\tfor <anna"));
        let address = Some("2001:db8::1".parse().unwrap());
        let origin = Origin { name: "[IPv6:2001:db8::1]", address, protocol: "UTF8LMTP", tls: None };
        let text = text(&trace(Some(origin)));
        assert!(text.contains("from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"), "{text}");
    }

    #[test]
    fn injected_lines_stay_inside_theirs() {
        let origin = Origin { name: "mx\r\nX-Evil: 1", address: None, protocol: "LMTP", tls: None };
        let trace = Trace { reverse_path: "a\r\nSubject: evil@x", recipient: "b\n\nbody", ..trace(Some(origin)) };
        let text = text(&trace);
        assert!(text.starts_with("Return-Path: <a??Subject: evil@x>\r\nDelivered-To: b??body\r\n"), "{text}");
        assert!(text.contains("from mx??X-Evil:?1 ("), "{text}");
    }

    #[test]
    fn identifiers_differ() {
        assert_ne!(new_id(), new_id());
    }

    proptest! {
        #[test]
        fn every_line_is_a_header_or_its_continuation(
            reverse_path in any::<String>(), recipient in "\\PC{0,2000}", name in any::<String>(), seconds in prop_oneof![any::<i64>(), -1_000_000_000_000_i64..1_000_000_000_000],
            zone in any::<i16>(), only_recipient in any::<bool>(),
        ) {
            let origin = Origin { name: &name, address: None, protocol: "LMTP", tls: None };
            let date = DateTime { seconds, zone };
            let trace = Trace { reverse_path: &reverse_path, recipient: &recipient, only_recipient, date, ..trace(Some(origin)) };
            let text = text(&trace);
            prop_assert!(text.ends_with("\r\n"));
            let lines: Vec<&str> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
            for (line, start) in lines.iter().zip(["Return-Path: <", "Delivered-To: ", "Received: from "]) {
                prop_assert!(line.starts_with(start));
            }
            for line in &lines {
                prop_assert!(line.len() <= 998 && !line.trim_end_matches('\t').is_empty());
                prop_assert!(!line.contains(['\r', '\n', '\0']));
            }
            prop_assert!(lines.iter().skip(3).all(|line| line.starts_with('\t')));
        }
    }
}
