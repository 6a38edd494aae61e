//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9), with the attributes of CHILDREN (RFC 3348) and SPECIAL-USE
//! (RFC 6154).
//!
//! Quirk(iOS, Outlook): special-use attributes are in plain LIST and LSUB answers, where those look for them.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::wire::write;
use crate::mailbox::{Account, ListEntry};
use crate::types::DELIMITER;
use std::collections::BTreeSet;

/// Limit: characters of a pattern; a longer one matches nothing.
const PATTERN_MAX: usize = 2048;

/// LIST
///
/// # Errors
/// NO where the store fails.
pub async fn list(account: &Account, out: &mut Output<'_>, reference: &str, pattern: &str) -> Result<Reply, Failure> {
    if pattern.is_empty() {
        // RFC 3501 §6.3.8: asks for the delimiter and the root of the reference.
        out.untagged(&format!("LIST (\\Noselect) \"{DELIMITER}\" \"\"")).await?;
        return Ok(Reply::ok("LIST completed"));
    }
    let pattern = Pattern::new(reference, pattern);
    for entry in account.list()?.iter().filter(|entry| entry.exists && pattern.matches(&entry.name)) {
        tell(out, "LIST", &attributes(entry), &entry.name).await?;
    }
    Ok(Reply::ok("LIST completed"))
}

/// LSUB
///
/// # Errors
/// NO where the store fails.
pub async fn lsub(account: &Account, out: &mut Output<'_>, reference: &str, pattern: &str) -> Result<Reply, Failure> {
    let pattern = Pattern::new(reference, pattern);
    let entries = account.list()?;
    // RFC 3501 §6.3.9: with `%` a level that is not subscribed is shown with \Noselect where something
    // subscribed is hidden below it.
    let mut levels = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.subscribed) {
        if pattern.matches(&entry.name) {
            tell(out, "LSUB", &attributes(entry), &entry.name).await?;
        } else if pattern.ends_with_level() {
            levels.extend(superiors(&entry.name).filter(|superior| pattern.matches(superior)));
        }
    }
    for entry in entries.iter().filter(|entry| entry.subscribed) {
        levels.remove(entry.name.as_str());
    }
    for level in levels {
        tell(out, "LSUB", "\\Noselect \\HasChildren", level).await?;
    }
    Ok(Reply::ok("LSUB completed"))
}

async fn tell(out: &mut Output<'_>, response: &str, attributes: &str, name: &str) -> Result<(), Failure> {
    let mut line = format!("* {response} ({attributes}) \"{DELIMITER}\" ").into_bytes();
    write::mailbox(&mut line, name);
    line.extend_from_slice(b"\r\n");
    out.put(&line).await
}

fn attributes(entry: &ListEntry) -> String {
    let mut text = String::from(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    // A name that is only subscribed may come again: in LSUB \Noselect means something else.
    if entry.exists && entry.mailbox.is_none() {
        text.insert_str(0, "\\Noselect ");
    }
    if let Some(special_use) = entry.special_use {
        text.push(' ');
        text.push_str(special_use.attribute());
    }
    text
}

/// The names above a name, the nearest last.
fn superiors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at))
}

/// A name with wildcards: `*` is any text, `%` any text within one level.
struct Pattern {
    elements: Vec<char>,
}

impl Pattern {
    /// The reference and the pattern are one text (RFC 3501 §6.3.8 leaves it to us).
    fn new(reference: &str, pattern: &str) -> Self {
        let mut elements: Vec<char> = Vec::new();
        for element in reference.chars().chain(pattern.chars()).take(PATTERN_MAX + 1) {
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

    fn ends_with_level(&self) -> bool {
        self.elements.last() == Some(&'%')
    }

    /// Follows all ways through the pattern at once: no pattern takes longer than its length times the name's.
    fn matches(&self, name: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(reference: &str, pattern: &str, name: &str) -> bool {
        Pattern::new(reference, pattern).matches(name)
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

    #[test]
    fn superiors_of_a_name() {
        assert_eq!(superiors("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
