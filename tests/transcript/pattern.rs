//! Templates of transcript lines: what is sent, and what must come back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Values captured or defined so far.
pub type Variables = BTreeMap<String, Vec<u8>>;

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// These octets.
    Octets(Vec<u8>),
    /// `%*%`: anything, also nothing.
    Anything,
    /// `%#%`: one or more digits.
    Digits,
    /// `%name%` where the name is not known yet: one or more octets of a word, which are kept.
    Capture(String),
    /// `%{a b}%`: these words in any order, a space between them.
    Words(Vec<Vec<u8>>),
}

/// A line of a transcript with its placeholders resolved as far as the variables allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads `text`; known variables are put in, unknown ones become captures.
    pub fn new(text: &str, variables: &Variables) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            push_octets(&mut pieces, &rest.as_bytes()[..at]);
            let inside = &rest[at + 1..];
            let close = inside.find('%');
            match close.map(|close| placeholder(&inside[..close], variables)).transpose()?.flatten() {
                Some(Piece::Octets(octets)) => push_octets(&mut pieces, &octets),
                Some(piece) => pieces.push(piece),
                None => {
                    push_octets(&mut pieces, b"%");
                    rest = inside;
                    continue;
                }
            }
            rest = &inside[close.map_or(0, |close| close + 1)..];
        }
        push_octets(&mut pieces, rest.as_bytes());
        Ok(Self { pieces })
    }

    /// The octets to send.
    pub fn octets(&self) -> Result<Vec<u8>, String> {
        let mut octets = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Octets(more) => octets.extend_from_slice(more),
                Piece::Capture(name) => return Err(format!("%{name}% has no value yet")),
                other => return Err(format!("{other:?} cannot be sent")),
            }
        }
        Ok(octets)
    }

    /// How many lines the octets fill (line ends inside plus one).
    pub fn lines(&self) -> usize {
        let ends = |piece: &Piece| match piece {
            Piece::Octets(octets) => octets.windows(2).filter(|pair| *pair == b"\r\n").count(),
            _ => 0,
        };
        1 + self.pieces.iter().map(ends).sum::<usize>()
    }

    /// The captures if `octets` match from beginning to end.
    pub fn matches(&self, octets: &[u8]) -> Option<Variables> {
        let mut captured = Variables::new();
        matches_from(&self.pieces, octets, &mut captured).then_some(captured)
    }
}

fn push_octets(pieces: &mut Vec<Piece>, octets: &[u8]) {
    if octets.is_empty() {
        return;
    }
    if let Some(Piece::Octets(last)) = pieces.last_mut() {
        last.extend_from_slice(octets);
    } else {
        pieces.push(Piece::Octets(octets.to_vec()));
    }
}

/// What stands between two percent signs; None: it is no placeholder but text.
fn placeholder(inside: &str, variables: &Variables) -> Result<Option<Piece>, String> {
    let octets = |octets: Vec<u8>| Ok(Some(Piece::Octets(octets)));
    if inside == "*" {
        return Ok(Some(Piece::Anything));
    }
    if inside == "#" {
        return Ok(Some(Piece::Digits));
    }
    if let Some(words) = inside.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return Ok(Some(Piece::Words(words.split(' ').map(|word| word.as_bytes().to_vec()).collect())));
    }
    if let Some(hex) = inside.strip_prefix('x').and_then(unhex) {
        return octets(hex);
    }
    if let Some((count, text)) = inside.split_once('*')
        && let Ok(count) = count.parse::<usize>()
    {
        return octets(text.as_bytes().repeat(count));
    }
    if let Some(name) = inside.strip_prefix("size:") {
        let value = variables.get(name).ok_or_else(|| format!("there is no message or value {name:?}"))?;
        return octets(value.len().to_string().into_bytes());
    }
    if let Some((user, password)) = inside.strip_prefix("sasl:").and_then(|rest| rest.split_once(':')) {
        return octets(base64(format!("\0{user}\0{password}").as_bytes()).into_bytes());
    }
    if let Some(text) = inside.strip_prefix("base64:") {
        return octets(base64(text.as_bytes()).into_bytes());
    }
    if !is_name(inside) {
        return Ok(None);
    }
    Ok(Some(match variables.get(inside) {
        Some(value) => Piece::Octets(value.clone()),
        None => Piece::Capture(inside.to_owned()),
    }))
}

/// Names are lower case letters, digits and underscores, the first a letter.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

fn is_word(octet: u8) -> bool {
    !matches!(octet, b' ' | b'(' | b')' | b'[' | b']' | b'"' | b'\r' | b'\n')
}

fn matches_from(pieces: &[Piece], octets: &[u8], captured: &mut Variables) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return octets.is_empty() };
    match first {
        Piece::Octets(want) => {
            octets.strip_prefix(want.as_slice()).is_some_and(|left| matches_from(rest, left, captured))
        }
        Piece::Anything if rest.is_empty() => true,
        Piece::Anything => (0..=octets.len()).any(|at| matches_from(rest, &octets[at..], captured)),
        Piece::Digits => {
            let most = octets.iter().take_while(|octet| octet.is_ascii_digit()).count();
            (1..=most).rev().any(|at| matches_from(rest, &octets[at..], captured))
        }
        Piece::Capture(name) => {
            if let Some(known) = captured.get(name).cloned() {
                return octets.strip_prefix(known.as_slice()).is_some_and(|left| matches_from(rest, left, captured));
            }
            let most = octets.iter().take_while(|octet| is_word(**octet)).count();
            for at in (1..=most).rev() {
                captured.insert(name.clone(), octets[..at].to_vec());
                if matches_from(rest, &octets[at..], captured) {
                    return true;
                }
                captured.remove(name);
            }
            false
        }
        Piece::Words(words) => {
            let length = words.iter().map(Vec::len).sum::<usize>() + words.len().saturating_sub(1);
            let Some((these, left)) = octets.split_at_checked(length) else { return false };
            let mut got: Vec<&[u8]> = these.split(|octet| *octet == b' ').collect();
            let mut want: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            got.sort_unstable();
            want.sort_unstable();
            got == want && matches_from(rest, left, captured)
        }
    }
}

/// Octets as a person reads them in a failure.
pub fn show(octets: &[u8]) -> String {
    const SHOWN_MAX: usize = 2000;
    let mut text = String::new();
    for octet in octets.iter().take(SHOWN_MAX) {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b' '..=b'~' => text.push(char::from(*octet)),
            other => {
                let _ = write!(text, "\\x{other:02X}");
            }
        }
    }
    if octets.len() > SHOWN_MAX {
        let _ = write!(text, " ... ({} octets)", octets.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::new(text, &Variables::new()).expect("template")
    }

    #[test]
    fn placeholders_match_and_capture() {
        let got = template("* OK [UIDVALIDITY %v%] %*%").matches(b"* OK [UIDVALIDITY 77] fine").expect("match");
        assert_eq!(got["v"], b"77");
        assert!(template("* %#% EXISTS").matches(b"* 12 EXISTS").is_some());
        assert!(template("* %#% EXISTS").matches(b"* x EXISTS").is_none());
        assert!(template("FLAGS (%{\\Seen \\Deleted}%)").matches(b"FLAGS (\\Deleted \\Seen)").is_some());
        assert!(template("FLAGS (%{\\Seen \\Deleted}%)").matches(b"FLAGS (\\Deleted \\Draft)").is_none());
        assert!(template("%a% %a%").matches(b"x x").is_some());
        assert!(template("%a% %a%").matches(b"x y").is_none());
    }

    #[test]
    fn octets_are_made_from_placeholders() {
        assert_eq!(template("a%x00FF%b%3*xy%").octets().expect("octets"), b"a\x00\xffbxyxyxy");
        assert_eq!(template("LIST \"\" %").octets().expect("octets"), b"LIST \"\" %");
        assert_eq!(template("LIST \"\" %/%").octets().expect("octets"), b"LIST \"\" %/%");
        assert_eq!(template("%sasl:u:p%").octets().expect("octets"), b"AHUAcA==");
    }
}
