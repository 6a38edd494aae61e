//! Writing XML 1.0: just what the files here need.

/// A text between tags, or in an attribute. Characters that XML cannot have are left out (§2.2).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => {}
        }
    }
    out
}

/// `<name>text</name>` on a line of its own, behind `indent` spaces.
pub(super) fn element(indent: usize, name: &str, text: &str) -> String {
    format!("{:indent$}<{name}>{}</{name}>\n", "", escaped(text))
}
