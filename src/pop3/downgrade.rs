//! The surrogate that a client gets for a message with UTF-8 in its header, unless it has said UTF8 (RFC 6856 §2.1): words
//! beyond ASCII become encoded words (RFC 2047), all else stays. Pure.
//!
//! It is longer than the message, by as much as `sizes` finds. An address that only UTF-8 can write is still readable, but
//! nobody can answer it. The body is not touched: its transfer encoding says what it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Limit: octets of a header line that are looked at together; RFC 5322 §2.1.1 allows 998.
const LINE_MAX: usize = 16 * 1024;
/// Limit: octets of a header. What comes behind them is body, so that a message without an empty line need not be read
/// to its end to know its size.
const HEADER_MAX: usize = 1024 * 1024;
/// Octets in one encoded word, which may have 75 characters (RFC 2047 §2).
const WORD_OCTETS: usize = 42;

/// Changes a message as it streams through.
#[derive(Debug)]
pub(super) struct Downgrade {
    in_header: bool,
    /// Octets of the header so far.
    header: usize,
    line: Vec<u8>,
}

impl Downgrade {
    pub(super) const fn new() -> Self {
        Self { in_header: true, header: 0, line: Vec::new() }
    }

    /// Whether there is more to change.
    pub(super) const fn is_in_header(&self) -> bool {
        self.in_header
    }

    /// Takes the next octets of the message and gives on what is complete.
    pub(super) fn feed(&mut self, octets: &[u8], mut give: impl FnMut(&[u8])) {
        let mut rest = octets;
        while self.in_header && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map(|at| at + 1);
            let room = LINE_MAX.saturating_sub(self.line.len()).max(1);
            let (piece, behind) = rest.split_at(end.unwrap_or(rest.len()).min(room).min(rest.len()));
            self.line.extend_from_slice(piece);
            self.header = self.header.saturating_add(piece.len());
            rest = behind;
            if piece.ends_with(b"\n") || self.line.len() >= LINE_MAX {
                self.in_header = self.header < HEADER_MAX && !matches!(self.line.as_slice(), b"\r\n" | b"\n");
                self.give_line(&mut give);
            }
        }
        if !rest.is_empty() {
            give(rest);
        }
    }

    /// The message is over, perhaps in the middle of a line.
    pub(super) fn end(&mut self, mut give: impl FnMut(&[u8])) {
        if !self.line.is_empty() {
            self.give_line(&mut give);
        }
    }

    fn give_line(&mut self, give: &mut impl FnMut(&[u8])) {
        match std::str::from_utf8(&self.line) {
            Ok(line) if !line.is_ascii() => give(&encode(line)),
            // What is no UTF-8 is no text that anybody could name: it goes out as it came in.
            _ => give(&self.line),
        }
        self.line.clear();
    }
}

/// A header line in ASCII.
fn encode(line: &str) -> Vec<u8> {
    let line = line.as_bytes();
    let text_end = line.iter().rposition(|octet| !b"\r\n".contains(octet)).map_or(0, |last| last + 1);
    let (text, end) = line.split_at(text_end);
    let mut out = Vec::with_capacity(2 * line.len());
    let mut words = text.split(|octet| *octet == b' ').peekable();
    let mut first = true;
    while let Some(word) = words.next() {
        if !first {
            out.push(b' ');
        }
        first = false;
        if word.is_ascii() {
            out.extend_from_slice(word);
            continue;
        }
        // Space between encoded words is not shown (RFC 2047 §6.2), so that words beside each other go together.
        let mut run = word.to_vec();
        while let Some(next) = words.next_if(|next| !next.is_ascii()) {
            run.push(b' ');
            run.extend_from_slice(next);
        }
        encode_words(&run, &mut out);
    }
    out.extend_from_slice(end);
    out
}

/// Octets as encoded words, each on a line of its own.
fn encode_words(run: &[u8], out: &mut Vec<u8>) {
    let mut rest = run;
    loop {
        let mut at = rest.len().min(WORD_OCTETS);
        // Each encoded word has whole characters (RFC 2047 §5).
        while at > 1 && rest.get(at).is_some_and(|octet| octet & 0xC0 == 0x80) {
            at -= 1;
        }
        let (word, behind) = rest.split_at(at);
        out.extend_from_slice(format!("=?UTF-8?B?{}?=", STANDARD.encode(word)).as_bytes());
        rest = behind;
        if rest.is_empty() {
            return;
        }
        out.extend_from_slice(b"\r\n ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn downgrade(message: &[u8], piece: usize) -> Vec<u8> {
        let (mut downgrade, mut out) = (Downgrade::new(), Vec::new());
        for piece in message.chunks(piece) {
            downgrade.feed(piece, |octets| out.extend_from_slice(octets));
        }
        downgrade.end(|octets| out.extend_from_slice(octets));
        out
    }

    #[test]
    fn words_beyond_ascii_are_encoded_and_all_else_stays() {
        let message = "Subject: Sch\u{f6}ne Gr\u{fc}\u{df}e an alle\r\nFrom: J\u{fc}rgen <j@example.org>\r\nX: y\r\n\r\nb\u{f6}dy\r\n";
        let expected = "Subject: =?UTF-8?B?U2Now7ZuZSBHcsO8w59l?= an alle\r\n\
                        From: =?UTF-8?B?SsO8cmdlbg==?= <j@example.org>\r\nX: y\r\n\r\nb\u{f6}dy\r\n";
        assert_eq!(String::from_utf8(downgrade(message.as_bytes(), 100)).unwrap(), expected);
        assert_eq!(downgrade(b"Subject: a\xe4b", 3), b"Subject: a\xe4b");
        assert_eq!(downgrade("Subject: a\u{e4}b".as_bytes(), 3), b"Subject: =?UTF-8?B?YcOkYg==?=");
        assert_eq!(downgrade(b"\r\n\xe4", 3), b"\r\n\xe4");
    }

    #[test]
    fn a_header_without_end_becomes_body() {
        let line = "X: gr\u{fc}n\r\n".repeat(HEADER_MAX / 10 + 10);
        let out = downgrade(line.as_bytes(), 4096);
        let behind = out.iter().position(|octet| !octet.is_ascii()).unwrap();
        assert!(out[behind..].starts_with("\u{fc}n\r\nX: gr\u{fc}n\r\n".as_bytes()));
        assert!(out.len() - behind < 100);
    }

    proptest! {
            #[test]
            fn the_header_becomes_ascii_whatever_it_is(
    header in "[^\r\n]{0,300}", body in prop::collection::vec(any::<u8>(), 0..50),
                piece in 1..60_usize,
            ) {
                let message = [&b"Subject: "[..], header.as_bytes(), b"\r\n\r\n", &body].concat();
                let out = downgrade(&message, piece);
                prop_assert_eq!(&out, &downgrade(&message, message.len()));
                let head = &out[..out.len() - body.len()];
                prop_assert!(head.is_ascii() && head.ends_with(b"\r\n\r\n") && out.ends_with(&body));
            }

            #[test]
            fn what_was_encoded_can_be_read(text in "[ a-z\u{e4}\u{20ac}\u{1f600}]{1,200}") {
                let message = format!("Subject: {text}\r\n\r\n");
                let out = String::from_utf8(downgrade(message.as_bytes(), 1000)).unwrap();
                let value = out.strip_prefix("Subject: ").unwrap().trim_end_matches("\r\n").replace("\r\n", "");
                prop_assert_eq!(crate::pop3::downgrade::tests::read(&value), text);
            }
        }

    /// Encoded words of UTF-8 in a text (RFC 2047 §6): an oracle of its own, for what the code above writes.
    fn read(value: &str) -> String {
        let mut out = String::new();
        let mut octets: Vec<u8> = Vec::new();
        for (index, word) in value.split(' ').enumerate() {
            let inner = word.strip_prefix("=?UTF-8?B?").and_then(|word| word.strip_suffix("?="));
            if let (Some(inner), false) = (inner, octets.is_empty()) {
                octets.extend(STANDARD.decode(inner).unwrap());
                continue;
            }
            out.push_str(&String::from_utf8(std::mem::take(&mut octets)).unwrap());
            if index > 0 {
                out.push(' ');
            }
            match inner {
                Some(inner) => octets = STANDARD.decode(inner).unwrap(),
                None => out.push_str(word),
            }
        }
        out + &String::from_utf8(octets).unwrap()
    }
}
