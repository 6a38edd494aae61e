//! Substring search in text that comes in pieces.
//!
//! Letters are compared in lower case, as Unicode maps each of them alone, and with one sigma. That is
//! i;unicode-casemap (RFC 5051) without the decomposition: an accent that is a character of its own
//! does not match the letter that has it.

use memchr::memmem;

/// Text as it is compared.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends text as it is compared. Pieces may be folded one by one.
pub fn fold_into(text: &str, folded: &mut String) {
    let start = folded.len();
    if text.is_ascii() {
        folded.push_str(text);
        if let Some(added) = folded.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        return;
    }
    for letter in text.chars() {
        match letter {
            '\u{3c2}' => folded.push('\u{3c3}'),
            _ => folded.extend(letter.to_lowercase()),
        }
    }
}

/// A text to look for.
#[derive(Clone, Debug)]
pub struct Needle {
    finder: memmem::Finder<'static>,
}

impl Needle {
    /// Folds the text to look for.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { finder: memmem::Finder::new(fold(text).as_bytes()).into_owned() }
    }

    /// Whether it is the empty text, which is part of every other.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.finder.needle().is_empty()
    }

    /// The folded text.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.finder.needle()
    }

    /// Whether it is part of a text that is folded already.
    #[must_use]
    pub fn is_in(&self, folded: &str) -> bool {
        self.finder.find(folded.as_bytes()).is_some()
    }
}

/// The end of the pieces so far, in which a needle may have begun. Always shorter than the needle.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    octets: Vec<u8>,
}

impl Tail {
    /// At the start of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self { octets: Vec::new() }
    }

    /// Takes the next piece, folded; true where the needle is in it, or began before and ends in it.
    pub fn push(&mut self, needle: &Needle, folded: &str) -> bool {
        let overlap = needle.octets().len().saturating_sub(1);
        let piece = folded.as_bytes();
        let seam = self.octets.len();
        self.octets.extend_from_slice(piece.get(..overlap).unwrap_or(piece));
        let found = (seam > 0 && needle.finder.find(&self.octets).is_some()) || needle.is_in(folded);
        if let Some(end) = piece.len().checked_sub(overlap).and_then(|from| piece.get(from..)) {
            self.octets.clear();
            self.octets.extend_from_slice(end);
        } else {
            self.octets.drain(..self.octets.len().saturating_sub(overlap));
        }
        found
    }

    /// Begins anew with another text, to which the one before does not run on.
    pub fn clear(&mut self) {
        self.octets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Needle, Tail, fold};
    use proptest::prelude::*;

    fn found(needle: &str, pieces: &[&str]) -> bool {
        let (needle, mut tail) = (Needle::new(needle), Tail::new());
        pieces.iter().any(|piece| tail.push(&needle, &fold(piece)))
    }

    #[test]
    fn finds_without_regard_to_case() {
        assert!(Needle::new("").is_empty() && Needle::new("").is_in(""));
        assert!(found("WORLD", &["hello wor", "", "ld"]));
        assert!(!found("world", &["hello wor", " ld"]));
        assert!(found("GR\u{dc}N", &["gr\u{fc}", "n"]));
        assert!(found(
            "\u{41e}\u{422}\u{41f}\u{423}\u{421}\u{41a}",
            &["\u{43e}\u{442}\u{43f}", "\u{443}\u{441}\u{43a}"]
        ));
        assert!(found("\u{3a3}\u{39f}\u{3a3}", &["\u{3c3}\u{3bf}\u{3c2}"]));
        assert!(found("\u{130}x", &["\u{130}", "X"]));
        let (needle, mut tail) = (Needle::new("ab"), Tail::new());
        assert!(!tail.push(&needle, "a"));
        tail.clear();
        assert!(!tail.push(&needle, "b"));
        assert!(tail.push(&needle, "ab"));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(needle in "[ab\u{fc}\u{dc}]{1,5}", pieces in prop::collection::vec("[ABab\u{fc}\u{dc}\u{1f600}]{0,5}", 0..8)) {
            let whole = fold(&pieces.concat()).contains(&fold(&needle));
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(found(&needle, &pieces), whole);
        }
    }
}
