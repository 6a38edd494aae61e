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

fn fold_into(text: &str, folded: &mut String) {
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

/// Looks for one text in pieces of another. Holds back less than one needle.
#[derive(Debug)]
pub struct Matcher {
    finder: memmem::Finder<'static>,
    window: String,
    found: bool,
}

impl Matcher {
    /// For a text that is not folded. The empty text is found at once.
    #[must_use]
    pub fn new(needle: &str) -> Self {
        let needle = fold(needle);
        Self {
            finder: memmem::Finder::new(needle.as_bytes()).into_owned(),
            window: String::new(),
            found: needle.is_empty(),
        }
    }

    /// Takes the next piece; true once the text was found.
    pub fn push(&mut self, piece: &str) -> bool {
        if self.found {
            return true;
        }
        fold_into(piece, &mut self.window);
        self.found = self.finder.find(self.window.as_bytes()).is_some();
        // Only an end that is shorter than the needle can be the start of it.
        let mut from = self.window.len().saturating_sub(self.finder.needle().len() - 1);
        while !self.window.is_char_boundary(from) {
            from += 1;
        }
        self.window.drain(..from);
        self.found
    }

    /// Begins anew with another text, to which the one before does not run on.
    pub fn restart(&mut self) {
        self.window.clear();
    }

    /// Whether the text was found.
    #[must_use]
    pub const fn is_found(&self) -> bool {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::{Matcher, fold};
    use proptest::prelude::*;

    fn found(needle: &str, pieces: &[&str]) -> bool {
        let mut matcher = Matcher::new(needle);
        pieces.iter().for_each(|piece| drop(matcher.push(piece)));
        matcher.is_found()
    }

    #[test]
    fn finds_without_regard_to_case() {
        assert!(found("", &[]));
        assert!(found("WORLD", &["hello wor", "", "ld"]));
        assert!(!found("world", &["hello wor", " ld"]));
        assert!(found("GR\u{dc}N", &["gr\u{fc}", "n"]));
        assert!(found(
            "\u{41e}\u{422}\u{41f}\u{423}\u{421}\u{41a}",
            &["\u{43e}\u{442}\u{43f}", "\u{443}\u{441}\u{43a}"]
        ));
        assert!(found("\u{3a3}\u{39f}\u{3a3}", &["\u{3c3}\u{3bf}\u{3c2}"]));
        assert!(found("\u{130}x", &["\u{130}", "X"]));
        let mut matcher = Matcher::new("ab");
        matcher.push("a");
        matcher.restart();
        assert!(!matcher.push("b"));
        assert!(matcher.push("ab"));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(needle in "[ab\u{fc}\u{dc}]{1,4}", pieces in prop::collection::vec("[ABab\u{fc}\u{dc}\u{1f600}]{0,5}", 0..8)) {
            let whole = fold(&pieces.concat()).contains(&fold(&needle));
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(found(&needle, &pieces), whole);
        }
    }
}
