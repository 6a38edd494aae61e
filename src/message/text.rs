//! The collation i;unicode-casemap (RFC 5051), and substring search in text that comes in pieces.
//!
//! Each character is replaced by its titlecase form and that by its full decomposition, canonical or for
//! compatibility; then octets are compared. So an accent that is a character of its own matches the letter that
//! has it, and wide or ligated letters match plain ones. Marks are not reordered: RFC 5051 asks for none.

use memchr::memmem;
use unicode_normalization::char::decompose_compatible;

/// Text as it is compared.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends text as it is compared. Pieces may be folded one by one.
pub fn fold_into(text: &str, folded: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|octet| !octet.is_ascii()) {
        let (ascii, others) = rest.split_at(at);
        fold_ascii(ascii, folded);
        let end = others.bytes().position(|octet| octet.is_ascii()).unwrap_or(others.len());
        let (others, behind) = others.split_at(end);
        for letter in others.chars() {
            decompose_compatible(titlecase(letter), |letter| folded.push(letter));
        }
        rest = behind;
    }
    fold_ascii(rest, folded);
}

fn fold_ascii(text: &str, folded: &mut String) {
    let start = folded.len();
    folded.push_str(text);
    if let Some(added) = folded.get_mut(start..) {
        added.make_ascii_uppercase();
    }
}

/// The simple titlecase mapping of UnicodeData.txt. It is the one of upper case but for the digraphs that have a form
/// of their own and for Georgian; where upper case is several letters, simple titlecase is one or none.
fn titlecase(letter: char) -> char {
    match letter {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian letters that are no capitals at the start of words either.
        '\u{10d0}'..='\u{10ff}' => letter,
        // Greek with iota subscript, each capital eight or nine behind its small letter.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(u32::from(letter) + 8).unwrap_or(letter)
        }
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(u32::from(letter) + 9).unwrap_or(letter),
        _ => {
            let mut upper = letter.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => letter,
            }
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
        // i;ascii-casemap would find none of these.
        for (needle, text) in [
            ("gru\u{308}n", "GR\u{dc}N"),
            ("123", "\u{ff11}\u{ff12}\u{ff13}"),
            ("\u{1c6}", "\u{1c4}"),
            ("\u{1fb3}", "\u{1fbc}"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
        ] {
            assert!(found(needle, &[text]), "{needle} in {text}");
        }
        assert!(!found("grun", &["gr\u{fc}n"]));
        let (needle, mut tail) = (Needle::new("ab"), Tail::new());
        assert!(!tail.push(&needle, "A"));
        tail.clear();
        assert!(!tail.push(&needle, "B"));
        assert!(tail.push(&needle, "AB"));
    }

    #[test]
    fn titlecase_is_that_of_rfc_5051() {
        // The RFC's own example: DZ with caron, its titlecase, decomposed twice.
        assert_eq!(fold("\u{1c4}"), "Dz\u{30c}");
        for (text, folded) in [
            ("Az_{~", "AZ_{~"),
            ("\u{df}", "\u{df}"),
            ("\u{fb01}", "fi"),
            ("\u{149}", "\u{2bc}n"),
            ("\u{10d0}\u{2d00}", "\u{10d0}\u{10a0}"),
            ("\u{1f80}\u{1fb3}", "\u{391}\u{313}\u{345}\u{391}\u{345}"),
            ("\u{3c2}\u{3c3}", "\u{3a3}\u{3a3}"),
            ("\u{e9}a\u{e9}", "E\u{301}AE\u{301}"),
            ("\u{131}\u{130}", "II\u{307}"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn folding_goes_letter_by_letter(text: String) {
            let letters: String = text.chars().map(|letter| fold(&letter.to_string())).collect();
            prop_assert_eq!(fold(&text), letters);
        }

        #[test]
        fn pieces_do_not_matter(needle in "[ab\u{fc}\u{dc}]{1,5}", pieces in prop::collection::vec("[ABab\u{fc}\u{dc}\u{1f600}]{0,5}", 0..8)) {
            let whole = fold(&pieces.concat()).contains(&fold(&needle));
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(found(&needle, &pieces), whole);
        }
    }
}
