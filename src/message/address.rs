//! Address lists (RFC 5322 §3.4, obsolete forms §4.4) in the shape that ENVELOPE wants (RFC 9051 §7.5.2).
//!
//! Whatever stands in the field, the parser makes the best of it and never fails: unquoted names
//! with dots or at signs, old names in comments, source routes, missing commas, hosts or brackets.

use std::mem::take;

/// One member of an address list, as ENVELOPE shows it. None is NIL.
///
/// A group begins with an address that has a mailbox (its name) but no host, and ends with one that has neither.
/// An address in which mailbox or host is missing has an empty string there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// Display name, or else the comment beside the address; encoded words as they are.
    pub name: Option<&'a [u8]>,
    /// Source route (`@a,@b`).
    pub adl: Option<&'a [u8]>,
    /// Local part without its quotes, or the name of the group that begins here.
    pub mailbox: Option<&'a [u8]>,
    /// Domain.
    pub host: Option<&'a [u8]>,
}

/// An [`Address`] that owns its strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressBuf {
    /// See [`Address::name`].
    pub name: Option<Vec<u8>>,
    /// See [`Address::adl`].
    pub adl: Option<Vec<u8>>,
    /// See [`Address::mailbox`].
    pub mailbox: Option<Vec<u8>>,
    /// See [`Address::host`].
    pub host: Option<Vec<u8>>,
}

/// Limit: words kept of one element of a list; of more, the last ones count.
const WORDS_MAX: usize = 256;

/// Limit: octets of a domain literal.
const LITERAL_MAX: usize = 256;

/// Reads an unfolded address list; at most `max` members and the end of the last group.
#[must_use]
pub fn parse_addresses(value: &[u8], max: usize) -> Vec<AddressBuf> {
    let mut list = Vec::new();
    each_address(value, max, |address| list.push(address));
    list
}

/// Reads an unfolded address list and gives its members one by one; at most `max` and the end of the last group.
pub(super) fn each_address(value: &[u8], max: usize, emit: impl FnMut(AddressBuf)) {
    let mut parser = Parser { rest: value, emit, pending: None, count: 0, in_group: false, after_angle: false };
    while parser.count < max && parser.element() {}
    if parser.in_group {
        parser.push(AddressBuf::default());
    }
    parser.pending.into_iter().for_each(parser.emit);
}

/// A word of a phrase or of a local part.
struct Word {
    text: Vec<u8>,
    /// It stood in quotes: not a sign, whatever it holds.
    quoted: bool,
    /// White space or a comment stood before it.
    spaced: bool,
}

impl Word {
    fn is_at(&self) -> bool {
        !self.quoted && self.text == b"@"
    }

    fn ends_with_dot(&self) -> bool {
        !self.quoted && self.text.ends_with(b".")
    }

    fn starts_with_dot(&self) -> bool {
        !self.quoted && self.text.starts_with(b".")
    }
}

/// How a run of words ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Comma,
    Semicolon,
    Colon,
    Open,
    Close,
    Input,
}

struct Parser<'a, F> {
    rest: &'a [u8],
    emit: F,
    /// The last address, for which a comment may still come.
    pending: Option<AddressBuf>,
    count: usize,
    in_group: bool,
    /// The last element ended with `>`; words behind it that make no address are dropped.
    after_angle: bool,
}

impl<F: FnMut(AddressBuf)> Parser<'_, F> {
    fn push(&mut self, address: AddressBuf) {
        self.count += 1;
        if let Some(before) = self.pending.replace(address) {
            (self.emit)(before);
        }
    }

    /// Reads to the next comma, semicolon, group colon or end; false at the end of input.
    fn element(&mut self) -> bool {
        let (words, comment, end) = self.words(false);
        let after_angle = take(&mut self.after_angle);
        match end {
            End::Open => {
                let mut address = self.angle();
                address.name = phrase(&words).or(comment);
                self.push(address);
                self.after_angle = true;
                return true;
            }
            End::Colon => {
                self.in_group = true;
                let name = phrase(&words).unwrap_or_default();
                self.push(AddressBuf { mailbox: Some(name), ..AddressBuf::default() });
                return true;
            }
            End::Comma | End::Semicolon | End::Close | End::Input => {
                if after_angle && !words.iter().any(Word::is_at) {
                    self.late_comment(comment);
                } else if !words.is_empty() {
                    let address = bare(words, comment);
                    self.push(address);
                }
            }
        }
        if end == End::Semicolon && take(&mut self.in_group) {
            self.push(AddressBuf::default());
        }
        end != End::Input
    }

    /// A comment behind `<...>` names an address that has no other name.
    fn late_comment(&mut self, comment: Option<Vec<u8>>) {
        if let Some(last) = self.pending.as_mut().filter(|last| last.name.is_none()) {
            last.name = comment;
        }
    }

    /// What stands between `<` and `>`; the `<` has been read.
    fn angle(&mut self) -> AddressBuf {
        let mut address = AddressBuf::default();
        if let Some(at) = route_length(self.rest) {
            let (route, rest) = self.rest.split_at(at);
            address.adl = Some(route.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect());
            self.rest = rest.get(1..).unwrap_or_default();
        }
        let (words, _, _) = self.words(true);
        let (mailbox, host) = if let Some(at) = words.iter().rposition(Word::is_at) {
            (joined(words.get(..at).unwrap_or_default()), domain(words.get(at + 1..).unwrap_or_default()))
        } else {
            // Some put the whole address in quotes.
            let mut mailbox = joined(&words);
            let host = mailbox.iter().rposition(|octet| *octet == b'@').map(|at| mailbox.split_off(at));
            (mailbox, host.map(|host| host.get(1..).unwrap_or_default().to_vec()).unwrap_or_default())
        };
        address.mailbox = Some(mailbox);
        address.host = Some(host);
        address
    }

    /// Reads words up to a sign that ends them, which is read too. Gives the last comment beside them.
    fn words(&mut self, in_angle: bool) -> (Vec<Word>, Option<Vec<u8>>, End) {
        let (mut words, mut comment, mut spaced) = (Vec::<Word>::new(), None, false);
        let mut saw_at = false;
        while let Some((&octet, rest)) = self.rest.split_first() {
            let end = match octet {
                b',' => Some(End::Comma),
                b';' if !in_angle => Some(End::Semicolon),
                b'>' if in_angle => Some(End::Close),
                b'<' => Some(End::Open),
                b':' if !in_angle && !self.in_group && !saw_at => Some(End::Colon),
                _ => None,
            };
            if let Some(end) = end {
                // An angle address that is not closed ends where the next one begins.
                if !(in_angle && end == End::Open) {
                    self.rest = rest;
                }
                return (words, comment, end);
            }
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | 0 => {
                    self.rest = rest;
                    spaced = true;
                    continue;
                }
                b'(' => {
                    comment = Some(self.comment());
                    spaced = true;
                    continue;
                }
                b'"' => {
                    let text = self.quoted();
                    words.push(Word { text, quoted: true, spaced });
                }
                b'@' => {
                    self.rest = rest;
                    saw_at = true;
                    words.push(Word { text: b"@".to_vec(), quoted: false, spaced });
                }
                b'[' => {
                    let text = self.domain_literal();
                    words.push(Word { text, quoted: false, spaced });
                }
                _ => {
                    let text = self.atom(in_angle, saw_at);
                    words.push(Word { text, quoted: false, spaced });
                }
            }
            spaced = false;
            if words.len() >= WORDS_MAX {
                words.drain(..WORDS_MAX / 2);
            }
        }
        (words, comment, End::Input)
    }

    /// Everything up to a sign; at least one octet.
    fn atom(&mut self, in_angle: bool, saw_at: bool) -> Vec<u8> {
        let in_group = self.in_group;
        let ends = |octet: u8| match octet {
            b' ' | b'\t' | b'\r' | b'\n' | 0 | b',' | b'<' | b'(' | b'"' | b'@' => true,
            b';' => !in_angle,
            b'>' => in_angle,
            b':' => !in_angle && !in_group && !saw_at,
            _ => false,
        };
        let end = self.rest.iter().skip(1).position(|octet| ends(*octet)).map_or(self.rest.len(), |at| at + 1);
        let (atom, rest) = self.rest.split_at(end);
        self.rest = rest;
        atom.to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut octets = self.rest.iter().copied().skip(1);
        while let Some(octet) = octets.next() {
            match octet {
                b'"' => break,
                b'\\' => text.extend(octets.next()),
                b'\r' | b'\n' | 0 => {}
                _ => text.push(octet),
            }
        }
        let left = octets.len();
        self.rest = self.rest.get(self.rest.len() - left..).unwrap_or_default();
        text
    }

    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 1usize;
        let mut octets = self.rest.iter().copied().skip(1);
        while let Some(octet) = octets.next() {
            match octet {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                b'\\' => {
                    text.extend(octets.next());
                    continue;
                }
                b'\r' | b'\n' | 0 => continue,
                _ => {}
            }
            text.push(octet);
        }
        let left = octets.len();
        self.rest = self.rest.get(self.rest.len() - left..).unwrap_or_default();
        text.trim_ascii().to_vec()
    }

    /// `[...]` with its brackets; without its end it is an atom.
    fn domain_literal(&mut self) -> Vec<u8> {
        match self.rest.iter().take(LITERAL_MAX).position(|octet| matches!(octet, b']' | b',' | b'>' | b';')) {
            Some(at) if self.rest.get(at) == Some(&b']') => {
                let (literal, rest) = self.rest.split_at(at + 1);
                self.rest = rest;
                literal.iter().copied().filter(|octet| !octet.is_ascii_whitespace() && *octet != 0).collect()
            }
            _ => self.atom(false, false),
        }
    }
}

/// Length of the source route at the start of an angle address, up to its colon.
fn route_length(octets: &[u8]) -> Option<usize> {
    let start = octets.trim_ascii_start();
    if start.first() != Some(&b'@') {
        return None;
    }
    let end = octets.iter().position(|octet| matches!(octet, b':' | b'>' | b'<' | b'"' | b';'))?;
    (octets.get(end) == Some(&b':')).then_some(end)
}

/// An element without angle brackets.
fn bare(mut words: Vec<Word>, comment: Option<Vec<u8>>) -> AddressBuf {
    let Some(at) = words.iter().rposition(Word::is_at) else {
        // Nothing but words: a local part alone, such as `root` or a name somebody forgot the address of.
        return AddressBuf { name: comment, adl: None, mailbox: Some(spaced(&words)), host: Some(Vec::new()) };
    };
    let host = domain(words.get(at + 1..).unwrap_or_default());
    words.truncate(at);
    // Before it: the last word and those that dots tie to it (obs-local-part).
    let mut start = words.len().saturating_sub(1);
    while let [.., before, next] = words.get(..=start).unwrap_or_default() {
        if next.spaced && !before.ends_with_dot() && !next.starts_with_dot() {
            break;
        }
        start -= 1;
    }
    let mailbox = joined(words.get(start..).unwrap_or_default());
    let name = comment.or_else(|| phrase(words.get(..start).unwrap_or_default()));
    AddressBuf { name, adl: None, mailbox: Some(mailbox), host: Some(host) }
}

/// Behind an at sign: the first word and those that dots tie to it (obs-domain).
fn domain(words: &[Word]) -> Vec<u8> {
    let mut end = usize::from(!words.is_empty());
    while let [.., before, next] = words.get(..=end).unwrap_or_default() {
        if next.spaced && !before.ends_with_dot() && !next.starts_with_dot() {
            break;
        }
        end += 1;
    }
    joined(words.get(..end).unwrap_or_default())
}

/// Words with nothing between them.
fn joined(words: &[Word]) -> Vec<u8> {
    words.iter().flat_map(|word| word.text.iter().copied()).collect()
}

/// Words with a space where there was white space.
fn spaced(words: &[Word]) -> Vec<u8> {
    let mut text = Vec::new();
    for word in words {
        if word.spaced && !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&word.text);
    }
    text
}

/// A display name; None where there is no word.
fn phrase(words: &[Word]) -> Option<Vec<u8>> {
    (!words.is_empty()).then(|| spaced(words))
}

#[cfg(test)]
mod tests {
    use super::parse_addresses;
    use proptest::prelude::*;

    /// `name|adl|mailbox|host` for each address, `-` for NIL.
    fn shown(value: &str) -> Vec<String> {
        let show = |part: &Option<Vec<u8>>| {
            part.as_ref().map_or("-".to_owned(), |part| String::from_utf8_lossy(part).into_owned())
        };
        parse_addresses(value.as_bytes(), 100)
            .iter()
            .map(|address| [&address.name, &address.adl, &address.mailbox, &address.host].map(show).join("|"))
            .collect()
    }

    #[test]
    fn examples_of_rfc_5322() {
        for (value, expected) in [
            ("John Doe <jdoe@machine.example>", &["John Doe|-|jdoe|machine.example"][..]),
            (r#""Joe Q. Public" <john.q.public@example.com>"#, &["Joe Q. Public|-|john.q.public|example.com"]),
            (
                "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                &["Mary Smith|-|mary|x.test", "-|-|jdoe|example.org", "Who?|-|one|y.test"],
            ),
            (
                r#"<boss@nil.test>, "Giant; \"Big\" Box" <sysservices@example.net>"#,
                &["-|-|boss|nil.test", "Giant; \"Big\" Box|-|sysservices|example.net"],
            ),
            (
                "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
                &[
                    "-|-|A Group|-",
                    "Ed Jones|-|joe|where.test",
                    "-|-|joe|where.test",
                    "John|-|jdoe|one.test",
                    "-|-|-|-",
                ],
            ),
            ("Undisclosed recipients:;", &["-|-|Undisclosed recipients|-", "-|-|-|-"]),
            (r"Pete(A nice \) chap) <pete(his account)@silly.test(his host)>", &["Pete|-|pete|silly.test"]),
            (
                "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
                &[
                    "-|-|A Group|-",
                    "Chris Jones|-|c|public.example",
                    "-|-|joe|example.org",
                    "John|-|jdoe|one.test",
                    "-|-|-|-",
                ],
            ),
            (
                "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
                &["-|-|Hidden recipients|-", "-|-|-|-"],
            ),
            (
                "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                &["Mary Smith|@node.test|mary|example.net", "-|-|jdoe|test.example"],
            ),
            ("Joe Q. Public <john.q.public@example.com>", &["Joe Q. Public|-|john.q.public|example.com"]),
            ("pete . smith @ silly . test", &["-|-|pete.smith|silly.test"]),
            ("a@[192.0.2.1]", &["-|-|a|[192.0.2.1]"]),
            (r#""joe smith"@example.com"#, &["-|-|joe smith|example.com"]),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn what_people_really_send() {
        for (value, expected) in [
            ("", &[][..]),
            (" , ,, ", &[]),
            ("jdoe@example.org (John Doe)", &["John Doe|-|jdoe|example.org"]),
            ("<jdoe@example.org> (John Doe)", &["John Doe|-|jdoe|example.org"]),
            ("foo@bar.example <foo@bar.example>", &["foo@bar.example|-|foo|bar.example"]),
            ("root", &["-|-|root|"]),
            ("<>", &["-|-||"]),
            ("MAILER-DAEMON <>", &["MAILER-DAEMON|-||"]),
            ("<root>", &["-|-|root|"]),
            ("@example.org", &["-|-||example.org"]),
            ("a@", &["-|-|a|"]),
            ("a@b@c", &["-|-|a@b|c"]),
            ("A <\"a@x.test\">", &["A|-|a|x.test"]),
            ("<a@b@c>", &["-|-|a@b|c"]),
            ("John Smith jsmith@example.com", &["John Smith|-|jsmith|example.com"]),
            ("A <a@x.test> B <b@x.test>", &["A|-|a|x.test", "B|-|b|x.test"]),
            ("A <a@x.test> junk, b@x.test", &["A|-|a|x.test", "-|-|b|x.test"]),
            ("A <a@x.test, B <b@x.test>", &["A|-|a|x.test", "B|-|b|x.test"]),
            ("A <a@x.test B <b@x.test>", &["A|-|a|x.test", "-|-|b|x.test"]),
            ("a@x.test; b@x.test", &["-|-|a|x.test", "-|-|b|x.test"]),
            ("\"unclosed <a@x.test>", &["-|-|unclosed <a@x.test>|"]),
            ("(unclosed", &[]),
            ("a@x.test (unclosed", &["unclosed|-|a|x.test"]),
            ("=?utf-8?Q?M=C3=BCller?= <m@x.test>", &["=?utf-8?Q?M=C3=BCller?=|-|m|x.test"]),
            ("M\u{fc}ller <m\u{fc}@x.test>", &["M\u{fc}ller|-|m\u{fc}|x.test"]),
            ("group: a@x.test", &["-|-|group|-", "-|-|a|x.test", "-|-|-|-"]),
            (
                "g: a@x.test; b@x.test, h:;",
                &["-|-|g|-", "-|-|a|x.test", "-|-|-|-", "-|-|b|x.test", "-|-|h|-", "-|-|-|-"],
            ),
            ("\"A\" \"B\" <a@x.test>", &["A B|-|a|x.test"]),
            ("\"\" <a@x.test>", &["|-|a|x.test"]),
            ("a\0b@x.test", &["a|-|b|x.test"]),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn the_limit_holds() {
        assert_eq!(parse_addresses("a@b,".repeat(1000).as_bytes(), 10).len(), 10);
        assert_eq!(parse_addresses("g:;".repeat(1000).as_bytes(), 11).len(), 12);
        assert_eq!(parse_addresses("(".repeat(65536).as_bytes(), 11), Vec::new());
    }

    proptest! {
        #[test]
        fn never_fails(octets: Vec<u8>, text in "[a@,;:<>()\"\\\\. \\[\\]\r\n]{0,60}") {
            let _ = parse_addresses(&octets, 100);
            for address in parse_addresses(text.as_bytes(), 100) {
                // Only a group marker has no host.
                prop_assert!(address.host.is_some() || (address.name.is_none() && address.adl.is_none()));
                prop_assert!(address.mailbox.is_some() || address.host.is_none());
            }
        }
    }
}
