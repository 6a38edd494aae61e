//! The base subject (RFC 5256 §2.1), by which SORT compares and THREAD gathers.

use super::words::decode_words;

/// A subject without the signs of replies, forwards and lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    /// What is left; in upper and lower case as it came.
    pub text: String,
    /// A sign of a reply or a forward was taken off.
    pub is_reply: bool,
}

/// Takes the artifacts off an unfolded Subject field, encoded words decoded.
///
/// Every step goes over a part of the subject once, however its writer nested it.
#[must_use]
pub fn base_subject(value: &[u8]) -> BaseSubject {
    let text = with_single_spaces(&decode_words(value));
    let mut is_reply = false;
    let mut rest = text.as_str();
    loop {
        rest = without_leaders(without_trailers(rest, &mut is_reply), &mut is_reply);
        match forwarded(rest) {
            Some(inner) => {
                is_reply = true;
                rest = inner;
            }
            None => return BaseSubject { text: rest.to_owned(), is_reply },
        }
    }
}

/// Step 1: tabs and continuations are spaces, and several spaces are one.
fn with_single_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Step 2: every subj-trailer.
fn without_trailers<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    const FORWARD: &str = "(fwd)";
    loop {
        text = text.trim_end_matches(' ');
        let split = text.len().checked_sub(FORWARD.len()).and_then(|at| text.split_at_checked(at));
        match split {
            Some((before, end)) if end.eq_ignore_ascii_case(FORWARD) => {
                *is_reply = true;
                text = before;
            }
            _ => return text,
        }
    }
}

/// Steps 3 to 5: every subj-leader, and subj-blobs as long as something is left behind them.
fn without_leaders<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_start_matches(' ');
        let mut behind_blobs = text;
        while let Some(behind) = blob(behind_blobs) {
            behind_blobs = behind;
        }
        if let Some(behind) = reply_sign(behind_blobs) {
            *is_reply = true;
            text = behind;
            continue;
        }
        // What is behind these blobs is no leader, so that taking one of them off makes none of the others one.
        while text.len() > behind_blobs.len() {
            match blob(text) {
                Some(behind) if !behind.is_empty() => text = behind,
                _ => break,
            }
        }
        return text;
    }
}

/// What is behind the subj-blob at the beginning.
fn blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let (_, behind) = inside.split_at_checked(inside.find(['[', ']'])?)?;
    Some(behind.strip_prefix(']')?.trim_start_matches(' '))
}

/// What is behind the subj-refwd at the beginning.
fn reply_sign(text: &str) -> Option<&str> {
    let behind = ["re", "fwd", "fw"].iter().find_map(|word| without_prefix(text, word))?;
    let behind = behind.trim_start_matches(' ');
    blob(behind).unwrap_or(behind).strip_prefix(':')
}

/// Step 6: what is between subj-fwd-hdr and subj-fwd-trl.
fn forwarded(text: &str) -> Option<&str> {
    without_prefix(text, "[fwd:")?.strip_suffix(']')
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, behind) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::{BaseSubject, base_subject};
    use proptest::prelude::*;

    fn base(subject: &str) -> (String, bool) {
        let BaseSubject { text, is_reply } = base_subject(subject.as_bytes());
        (text, is_reply)
    }

    #[test]
    fn artifacts_are_taken_off() {
        for (subject, expected, is_reply) in [
            ("", "", false),
            ("  plain\t subject  ", "plain subject", false),
            ("Re: one", "one", true),
            ("RE : fw: FWD: one", "one", true),
            ("Re[2]: one", "one", true),
            ("re [a b] : one", "one", true),
            ("[list] Re: [list] one", "one", true),
            ("[a] [b] one", "one", false),
            ("[a][b]", "[b]", false),
            ("[a]", "[a]", false),
            ("[a] re:", "", true),
            ("[a [b] one", "[a [b] one", false),
            ("one (fwd) (FWD) ", "one", true),
            ("(fwd)", "", true),
            ("[Fwd: one]", "one", true),
            ("[fwd: Re: [x] one (fwd)]", "one", true),
            ("[fwd: [fwd: [fwd: one]]]", "one", true),
            ("[fwd: one] two", "two", false),
            ("[fwd:]", "", true),
            ("Reply: one", "Reply: one", false),
            ("re one", "re one", false),
            ("fwdd: one", "fwdd: one", false),
            ("AW: one", "AW: one", false),
            ("=?utf-8?Q?Re:_gr=C3=BCn?=", "gr\u{fc}n", true),
            ("=?utf-8?Q?[L]?= =?utf-8?Q?_x?=", "x", false),
            ("\u{130}e: \u{e9}", "\u{130}e: \u{e9}", false),
        ] {
            assert_eq!(base(subject), (expected.to_owned(), is_reply), "{subject}");
        }
    }

    /// The steps of RFC 5256 §2.1, one at a time and each as it is written there.
    fn by_the_letter(subject: &str) -> (String, bool) {
        let mut text = subject.replace('\t', " ");
        while text.contains("  ") {
            text = text.replace("  ", " ");
        }
        let mut is_reply = false;
        let starts = |text: &str, word: &str| text.to_ascii_lowercase().starts_with(word);
        let blob = |text: &str| -> Option<usize> {
            let end = text.strip_prefix('[')?.find(']')? + 1;
            let spaces = text[end + 1..].len() - text[end + 1..].trim_start().len();
            (!text[1..end].contains('[')).then_some(end + 1 + spaces)
        };
        let leader = |text: &str| -> Option<(usize, bool)> {
            if text.starts_with(' ') {
                return Some((1, false));
            }
            let mut at = 0;
            while let Some(length) = blob(&text[at..]) {
                at += length;
            }
            at += ["re", "fwd", "fw"].iter().find(|word| starts(&text[at..], word))?.len();
            at += text[at..].len() - text[at..].trim_start().len();
            at += blob(&text[at..]).unwrap_or(0);
            text[at..].starts_with(':').then_some((at + 1, true))
        };
        loop {
            loop {
                if text.ends_with(' ') {
                    text.pop();
                } else if text.to_ascii_lowercase().ends_with("(fwd)") {
                    text.truncate(text.len() - 5);
                    is_reply = true;
                } else {
                    break;
                }
            }
            loop {
                if let Some((length, reply)) = leader(&text) {
                    text = text[length..].to_owned();
                    is_reply |= reply;
                } else if let Some(length) = blob(&text).filter(|length| *length < text.len()) {
                    text = text[length..].to_owned();
                } else {
                    break;
                }
            }
            if !(starts(&text, "[fwd:") && text.ends_with(']')) {
                return (text, is_reply);
            }
            text = text[5..text.len() - 1].to_owned();
            is_reply = true;
        }
    }

    proptest! {
        #[test]
        fn follows_the_rfc_step_by_step(parts in prop::collection::vec(
            prop::sample::select(vec!["re", "Fwd", "FW", ":", " ", "[", "]", "[fwd:", "(fwd)", "a", "[x]", "\t"]), 0..14)
        ) {
            let subject = parts.concat();
            prop_assert_eq!(base(&subject), by_the_letter(&subject), "{:?}", subject);
        }

        #[test]
        fn nothing_panics(octets: Vec<u8>, text: String) {
            let _ = base_subject(&octets);
            let _ = base_subject(text.as_bytes());
        }
    }

    #[test]
    fn hostile_nesting_is_linear() {
        // A quadratic way would take minutes.
        for text in ["[a]".repeat(100_000), "[fwd:".repeat(100_000) + &"]".repeat(100_000), "re:[a]".repeat(100_000)] {
            let _ = base_subject(text.as_bytes());
        }
    }
}
