//! The patterns of LIST and LSUB (RFC 3501 §6.3.8). Pure.

use crate::mailbox::normal_name;
use crate::types::DELIMITER;

/// Limit: characters of a pattern; a longer one matches nothing.
pub const PATTERN_MAX: usize = 2048;

/// A name with wildcards: `*` is any text, `%` any text within one level.
pub struct Pattern {
    elements: Vec<char>,
}

impl Pattern {
    /// The reference and the pattern are one text (RFC 3501 §6.3.8 leaves it to us).
    #[must_use]
    pub fn new(reference: &str, pattern: &str) -> Self {
        let mut elements: Vec<char> = Vec::new();
        let whole: String = reference.chars().chain(pattern.chars()).take(PATTERN_MAX + 1).collect();
        // Names are kept in normal form, and so must be what they are compared with.
        for element in normal_name(&whole).chars() {
            // Neighbouring wildcards are one: the wider.
            match (elements.last_mut(), element) {
                (Some(last @ ('%' | '*')), '%' | '*') => {
                    if element == '*' {
                        *last = '*';
                    }
                }
                _ => elements.push(element),
            }
        }
        if elements.len() > PATTERN_MAX {
            // No name is that long; NUL is in none.
            elements = vec!['\0'];
        }
        // INBOX is the one name without case (RFC 3501 §5.1); it is the first level only.
        let first: String = elements.iter().take(5).collect();
        if first.eq_ignore_ascii_case("INBOX")
            && elements.get(5).is_none_or(|next| matches!(next, '%' | '*') || *next == DELIMITER)
        {
            elements.iter_mut().take(5).for_each(|element| *element = element.to_ascii_uppercase());
        }
        Self { elements }
    }

    /// Whether its last element matches a single level.
    #[must_use]
    pub fn ends_with_level(&self) -> bool {
        self.elements.last() == Some(&'%')
    }

    /// Follows all ways through the pattern at once: no pattern takes longer than its length times the name's.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let elements = &self.elements;
        let mut states = vec![false; elements.len() + 1];
        let mark = |states: &mut [bool], mut at: usize| {
            // A wildcard may also stand for nothing.
            loop {
                if let Some(state) = states.get_mut(at) {
                    *state = true;
                }
                match elements.get(at) {
                    Some('%' | '*') => at += 1,
                    _ => return,
                }
            }
        };
        mark(&mut states, 0);
        for letter in name.chars() {
            let mut next = vec![false; states.len()];
            for (at, element) in elements.iter().enumerate().filter(|(at, _)| states.get(*at) == Some(&true)) {
                match element {
                    '*' => mark(&mut next, at),
                    '%' if letter != DELIMITER => mark(&mut next, at),
                    '%' => {}
                    _ if *element == letter => mark(&mut next, at + 1),
                    _ => {}
                }
            }
            if !next.contains(&true) {
                return false;
            }
            states = next;
        }
        states.last() == Some(&true)
    }
}

/// Several patterns of which a name needs to match one (RFC 5258 §3).
pub struct Patterns {
    patterns: Vec<Pattern>,
}

impl Patterns {
    /// The patterns below one reference. Empty ones are ignored, and those beyond [`PATTERN_MAX`] characters of all
    /// together.
    pub fn new<'a>(reference: &str, patterns: impl Iterator<Item = &'a str>) -> Self {
        let mut room = PATTERN_MAX;
        let above = reference.chars().count();
        let fits = |pattern: &&str| {
            let length = above.saturating_add(pattern.chars().count());
            let fits = length <= room;
            room = room.saturating_sub(if fits { length } else { 0 });
            fits
        };
        let patterns = patterns.filter(|pattern| !pattern.is_empty()).filter(fits);
        Self { patterns: patterns.map(|pattern| Pattern::new(reference, pattern)).collect() }
    }

    /// Whether one of them matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(reference: &str, pattern: &str, name: &str) -> bool {
        Pattern::new(reference, pattern).matches(name)
    }

    #[test]
    fn one_pattern_of_several_is_enough() {
        let of = |patterns: &[&str]| Patterns::new("", patterns.iter().copied());
        let patterns = of(&["INBOX", "", "Sent/%"]);
        assert!(patterns.matches("INBOX") && patterns.matches("Sent/a") && !patterns.matches("Sent"));
        assert!(!of(&[""]).matches("") && !of(&[]).matches("a"));
        // Those beyond the limit are ignored, the others are not.
        let long = "a".repeat(PATTERN_MAX - 1);
        assert!(of(&[&long, "b", "c"]).matches("b") && !of(&[&long, "b", "c"]).matches("c"));
    }

    #[test]
    fn wildcards_match_as_specified() {
        assert!(matches("", "*", "a/b/c"));
        assert!(matches("", "%", "a") && !matches("", "%", "a/b"));
        assert!(matches("", "%/%", "a/b") && !matches("", "%/%", "a"));
        assert!(matches("a/", "%", "a/b") && !matches("a/", "%", "a"));
        assert!(matches("", "a*c", "a/b/c") && matches("", "a%c", "abc") && !matches("", "a%c", "a/c"));
        assert!(matches("", "%*", "a/b") && matches("", "*%", "a/b"));
        assert!(matches("", "ü%", "übung") && !matches("", "Ü%", "übung"));
        assert!(!matches("", "", "a") && !matches("", "a", "ab") && !matches("", "ab", "a"));
    }

    #[test]
    fn inbox_has_no_case_but_its_neighbours_do() {
        assert!(matches("", "inbox", "INBOX") && matches("", "InBox", "INBOX"));
        assert!(matches("", "inbox/%", "INBOX/a") && matches("in", "box", "INBOX"));
        assert!(!matches("", "inboxes", "INBOXES"));
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let name = "a".repeat(1000);
        assert!(!matches("", &"a*".repeat(1000), &format!("{}b", "a".repeat(900))));
        assert!(matches("", &"*".repeat(2000), &name));
        assert!(!matches("", &"a".repeat(PATTERN_MAX + 1), &name));
    }
}
