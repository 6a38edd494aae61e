//! Sessions of IMAP and what all of their output must be.

use super::{Door, Played, contains, play};

/// Plays a session whose first commands are `before`, which must succeed, and looks at its output.
pub fn session(before: &[u8], data: &[u8]) {
    let played = play(Door::Imap, before, data);
    // What is compressed or encrypted is not looked at.
    let hidden = [&b" OK [COMPRESSIONACTIVE]"[..], b"COMPRESS", b" OK Begin the TLS negotiation"];
    if !hidden.iter().any(|wanted| contains(&played.output, wanted)) {
        check(&played);
    }
    for line in before.split_inclusive(|&octet| octet == b'\n') {
        let tag = line.split(|&octet| octet == b' ').next().unwrap_or_default();
        let done = [b"\r\n", tag, b" OK "].concat();
        assert!(!played.ended || contains(&played.output, &done), "{}", String::from_utf8_lossy(&played.output));
    }
}

/// Every response is whole and has no octet outside its literals that a client could stumble over.
fn check(played: &Played) {
    let mut rest = played.output.as_slice();
    let mut begins = true;
    while !rest.is_empty() {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            assert!(!played.ended, "a response without an end: {}", String::from_utf8_lossy(rest));
            return;
        };
        let (line, behind) = rest.split_at(end);
        rest = behind.get(2..).unwrap_or_default();
        let shown = || String::from_utf8_lossy(line).into_owned();
        assert!(!line.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n')), "{}", shown());
        if begins {
            let (first, words) = line.split_at(line.iter().position(|&octet| octet == b' ').unwrap_or(line.len()));
            let known = matches!(first, b"*" | b"+")
                || [&b" OK "[..], b" NO ", b" BAD "].iter().any(|status| words.starts_with(status));
            assert!(known, "{}", shown());
        }
        begins = true;
        if let Some(size) = literal(line) {
            let Some((_, behind)) = rest.split_at_checked(size) else {
                assert!(!played.ended, "a literal is cut: {}", shown());
                return;
            };
            rest = behind;
            begins = false;
        }
    }
}

/// The octets of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|&octet| octet == b'{')?;
    std::str::from_utf8(inner.get(start + 1..)?).ok()?.parse().ok()
}
