//! Every IMAP response is parsed again by imap-codec, an independent reading of RFC 9051 §9.

use super::pattern::show;
use imap_codec::decode::Decoder as _;
use imap_codec::{GreetingCodec, ResponseCodec};

/// What imap-codec cannot read although it is right: the beginning of the response, and why.
const NOT_COVERED: &[(&[u8], &str)] = &[
    (b"* ESEARCH", "RFC 4731: imap-codec has no ESEARCH"),
    (b"* UIDBATCHES", "RFC 10022: imap-codec has no UIDBATCHES"),
];

/// Data items that imap-codec does not know: in which response, the item's name, and where it is defined.
const ITEMS: &[(&str, &str, &str)] = &[
    ("STATUS", "SIZE", "RFC 8438"),
    ("STATUS", "APPENDLIMIT", "RFC 7889"),
    ("STATUS", "MAILBOXID", "RFC 8474"),
    ("FETCH", "EMAILID", "RFC 8474"),
    ("FETCH", "THREADID", "RFC 8474"),
    ("FETCH", "SAVEDATE", "RFC 8514"),
    ("FETCH", "PREVIEW", "RFC 8970"),
];

/// The response without the parts that imap-codec cannot read. None: nothing else is left.
fn without_extensions(response: &[u8]) -> Option<Vec<u8>> {
    // RFC 9586 §4: imap-codec has no UIDFETCH, which is a FETCH response otherwise.
    let response = &as_fetch(response);
    let mut octets = response.clone();
    let words: Vec<&[u8]> = response.split(|octet| *octet == b' ').take(3).collect();
    let is = |word: &str| words.iter().skip(1).any(|known| *known == word.as_bytes());
    // RFC 5258, RFC 9051: imap-codec has no extended data items.
    for item in [&b" (\"CHILDINFO\" ("[..], b" (\"OLDNAME\" ("] {
        if let Some(at) = find(&octets, item).filter(|_| is("LIST")) {
            octets.truncate(at);
        }
    }
    // RFC 3516: imap-codec does not know where a part of BINARY begins.
    while let Some(at) = find(&octets, b" BINARY[").or_else(|| find(&octets, b"(BINARY[")).filter(|_| is("FETCH")) {
        let Some(end) = find(&octets[at..], b"]").map(|end| at + end + 1) else { break };
        let origin = if octets.get(end) == Some(&b'<') { value_length(&octets[end..]) } else { 0 };
        octets.drain(end..end + origin);
        // So that it is not found again.
        octets[at + 1..at + 7].copy_from_slice(b"binary");
    }
    for (_, name, _) in ITEMS.iter().filter(|(response, _, _)| is(response)) {
        let first = find(&octets, format!("({name} ").as_bytes());
        let Some(at) = first.or_else(|| find(&octets, format!(" {name} ").as_bytes())) else { continue };
        let value = at + name.len() + 2;
        let mut end = value + value_length(&octets[value..]);
        let start = if first.is_some() { at + 1 } else { at };
        if first.is_some() && octets.get(end) == Some(&b' ') {
            end += 1;
        }
        octets.drain(start..end);
        if octets.ends_with(b"()") {
            return None;
        }
    }
    Some(octets)
}

/// A UIDFETCH response as a FETCH response; any other as it is.
fn as_fetch(response: &[u8]) -> Vec<u8> {
    let mut octets = response.to_vec();
    let is_uidfetch = response.split(|octet| *octet == b' ').nth(2) == Some(b"UIDFETCH");
    if let Some(at) = find(&octets, b" UIDFETCH ").filter(|_| is_uidfetch) {
        octets.drain(at + 1..at + 4);
    }
    octets
}

fn find(octets: &[u8], text: &[u8]) -> Option<usize> {
    octets.windows(text.len()).position(|window| window == text)
}

/// How long an atom, a quoted string, a literal or a list of atoms is.
fn value_length(octets: &[u8]) -> usize {
    let position = |octet: u8| octets.iter().position(|other| *other == octet).map_or(octets.len(), |at| at + 1);
    match octets.first() {
        Some(b'(') => position(b')'),
        Some(b'{') => {
            let text = String::from_utf8_lossy(&octets[1..position(b'}') - 1]).into_owned();
            position(b'}') + 2 + text.parse::<usize>().unwrap_or(0)
        }
        Some(b'"') => {
            let mut escaped = false;
            let end = octets.iter().skip(1).position(|octet| {
                let ends = *octet == b'"' && !escaped;
                escaped = *octet == b'\\' && !escaped;
                ends
            });
            end.map_or(octets.len(), |at| at + 2)
        }
        _ => octets.iter().position(|octet| matches!(octet, b' ' | b')')).unwrap_or(octets.len()),
    }
}

/// How much imap-codec leaves of a response.
fn decode(octets: &[u8], greeting: bool) -> Result<usize, String> {
    if greeting {
        GreetingCodec::default().decode(octets).map(|(rest, _)| rest.len()).map_err(|error| format!("{error:?}"))
    } else {
        ResponseCodec::default().decode(octets).map(|(rest, _)| rest.len()).map_err(|error| format!("{error:?}"))
    }
}

/// RFC 9051 §7.5.2 gives message/global the form of message/rfc822, which imap-codec knows.
fn as_rfc822(octets: &mut [u8]) -> bool {
    let mut found = false;
    while let Some(at) = find(octets, b"\"message\" \"global\"") {
        octets[at + 11..at + 17].copy_from_slice(b"rfc822");
        found = true;
    }
    found
}

/// Fails where imap-codec reads the response otherwise than as one whole response.
pub fn check(response: &[u8], greeting: bool) -> Result<(), String> {
    if NOT_COVERED.iter().any(|(start, _)| response.starts_with(start)) {
        return Ok(());
    }
    let Some(mut octets) = without_extensions(response) else { return Ok(()) };
    octets.extend_from_slice(b"\r\n");
    let mut outcome = decode(&octets, greeting);
    if outcome.is_err() && as_rfc822(&mut octets) {
        outcome = decode(&octets, greeting);
    }
    match outcome {
        Ok(0) => Ok(()),
        Ok(rest) => Err(format!("imap-codec leaves the last {rest} octets of: {}", show(response))),
        Err(error) => Err(format!("imap-codec refuses ({error:.100}): {}", show(response))),
    }
}
