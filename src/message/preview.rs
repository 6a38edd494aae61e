//! The first words of a message, for lists of messages (RFC 8970). Pure; text comes in pieces.

use super::structure::{Kind, Part};

/// Limit: characters of a preview (RFC 8970 §3.3).
const CHARACTERS_MAX: usize = 200;
/// Limit: characters of a tag's name or of an entity that are looked at.
const NAME_MAX: usize = 12;
/// Limit: forms of one text that are read until there is something in one.
const FORMS_MAX: usize = 4;
/// Limit: how deep the part that is read may lie.
const DEPTH_MAX: usize = 50;

/// The parts of text that a reader sees first, and those that say the same in another form, to be read where there is
/// nothing in the first one. None where there is no text.
#[must_use]
pub fn text_parts<'a>(root: &Part<'a>) -> Vec<Part<'a>> {
    find(root, DEPTH_MAX)
}

fn find<'a>(part: &Part<'a>, depth: usize) -> Vec<Part<'a>> {
    let is_attachment =
        part.disposition.is_some_and(|disposition| disposition.name.eq_ignore_ascii_case(b"attachment"));
    let Some(deeper) = depth.checked_sub(1).filter(|_| !is_attachment) else { return Vec::new() };
    match part.kind {
        Kind::Leaf if part.is_type("text") && !part.subtype.eq_ignore_ascii_case(b"calendar") => vec![part.clone()],
        // A message inside is not what this one says.
        Kind::Leaf | Kind::Message => Vec::new(),
        Kind::Multipart if part.subtype.eq_ignore_ascii_case(b"alternative") => {
            let mut forms: Vec<_> = part.children().flat_map(|child| find(&child, deeper)).take(FORMS_MAX).collect();
            forms.sort_by_key(is_html);
            forms
        }
        Kind::Multipart => {
            part.children().map(|child| find(&child, deeper)).find(|found| !found.is_empty()).unwrap_or_default()
        }
    }
}

/// Whether a part of text is HTML.
#[must_use]
pub fn is_html(part: &Part<'_>) -> bool {
    // application/xhtml is none of ours, but mails for telephones have text/x-amp-html.
    part.subtype.to_ascii_lowercase().ends_with(b"html")
}

/// Collects the first words of a text.
pub struct Preview {
    words: Words,
    form: Form,
}

enum Form {
    Plain(Line),
    Html(Html),
}

/// What has come of a line of plain text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    /// A quoted line: what somebody else said.
    Quoted,
    Text,
    /// So many characters of the line that comes before a signature (RFC 3676 §4.3).
    Signature(u8),
    /// Behind that line.
    Over,
}

impl Preview {
    /// Of text/plain and its kin.
    #[must_use]
    pub fn of_plain() -> Self {
        Self { words: Words::default(), form: Form::Plain(Line::Start) }
    }

    /// Of text/html.
    #[must_use]
    pub fn of_html() -> Self {
        Self { words: Words::default(), form: Form::Html(Html::default()) }
    }

    /// Whether no further text can change it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.words.is_full() || matches!(self.form, Form::Plain(Line::Over))
    }

    /// Takes the next piece of the text.
    pub fn push(&mut self, text: &str) {
        for letter in text.chars() {
            if self.is_full() {
                return;
            }
            match &mut self.form {
                Form::Plain(line) => *line = line.after(letter, &mut self.words),
                Form::Html(html) => html.push(letter, &mut self.words),
            }
        }
    }

    /// The preview: one line without space at its ends.
    #[must_use]
    pub fn finish(self) -> String {
        self.words.text
    }
}

impl Line {
    fn after(self, letter: char, words: &mut Words) -> Self {
        if letter == '\r' {
            return self;
        }
        if letter == '\n' {
            words.push(' ');
            return if matches!(self, Self::Signature(2..)) { Self::Over } else { Self::Start };
        }
        match (self, letter) {
            (Self::Start, '>') | (Self::Quoted, _) => Self::Quoted,
            (Self::Start, '-') => Self::Signature(1),
            (Self::Signature(1), '-') => Self::Signature(2),
            (Self::Signature(2), ' ') => Self::Signature(3),
            (Self::Signature(held), _) => {
                "-- ".chars().take(usize::from(held)).for_each(|held| words.push(held));
                words.push(letter);
                Self::Text
            }
            (Self::Start | Self::Text, _) => {
                words.push(letter);
                Self::Text
            }
            (Self::Over, _) => Self::Over,
        }
    }
}

/// The words so far.
#[derive(Default)]
struct Words {
    text: String,
    characters: usize,
    /// White space came since the last word.
    space: bool,
    /// What joins the last letter to the next one, if one comes.
    joiner: Option<char>,
}

impl Words {
    fn is_full(&self) -> bool {
        self.characters >= CHARACTERS_MAX
    }

    fn push(&mut self, letter: char) {
        if letter.is_whitespace() {
            self.space = true;
            return;
        }
        // What joins letters and emoji, or keeps them apart, means something between them only.
        if matches!(letter, '\u{200c}' | '\u{200d}') {
            if !self.space && !self.text.is_empty() {
                self.joiner = Some(letter);
            }
            return;
        }
        // Fillers that are put behind the first words of newsletters, and what is not to be seen.
        let is_filler =
            matches!(letter, '\u{ad}' | '\u{34f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}');
        if is_filler || letter.is_control() || self.is_full() {
            return;
        }
        if let Some(joiner) = self.joiner.take().filter(|_| !self.space) {
            if self.characters + 2 > CHARACTERS_MAX {
                // Without what it joins it would say something else.
                self.characters = CHARACTERS_MAX;
                return;
            }
            self.text.push(joiner);
            self.characters += 1;
        }
        if self.space && !self.text.is_empty() {
            if self.characters + 2 > CHARACTERS_MAX {
                // A space alone would stand at the end.
                self.characters = CHARACTERS_MAX;
                return;
            }
            self.text.push(' ');
            self.characters += 1;
        }
        self.space = false;
        self.text.push(letter);
        self.characters += 1;
    }
}

/// Reads HTML as far as its words are concerned.
#[derive(Default)]
struct Html {
    state: Markup,
    /// The name of a tag or entity so far.
    name: String,
    /// The element whose content is not text.
    skipped: Option<&'static str>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Markup {
    #[default]
    Text,
    Entity,
    /// In a tag's name.
    TagName,
    /// In a tag, or in a quoted value in it.
    Tag(Option<char>),
    /// In a comment, behind so many hyphens.
    Comment(u8),
}

/// Elements whose content no reader sees.
const SKIPPED: [&str; 5] = ["head", "style", "script", "title", "template"];
/// Elements that do not part words.
const INLINE: [&str; 16] =
    ["a", "abbr", "b", "big", "code", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "tt", "u"];
/// Entities of text in the languages of many mails.
const ENTITIES: [(&str, char); 34] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("bull", '•'),
    ("copy", '©'),
    ("euro", '€'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("shy", '\u{ad}'),
];

impl Html {
    fn push(&mut self, letter: char, words: &mut Words) {
        match self.state {
            Markup::Text => self.text(letter, words),
            Markup::Entity => self.entity(letter, words),
            Markup::TagName => self.tag_name(letter, words),
            Markup::Tag(None) => match letter {
                '>' => self.tag_ends(words),
                '"' | '\'' => self.state = Markup::Tag(Some(letter)),
                _ => {}
            },
            Markup::Tag(quote) => {
                if quote == Some(letter) {
                    self.state = Markup::Tag(None);
                }
            }
            Markup::Comment(hyphens) => {
                self.state = match letter {
                    '-' => Markup::Comment(hyphens.saturating_add(1)),
                    '>' if hyphens >= 2 => Markup::Text,
                    _ => Markup::Comment(0),
                };
            }
        }
    }

    fn text(&mut self, letter: char, words: &mut Words) {
        match letter {
            '<' => {
                self.name.clear();
                self.state = Markup::TagName;
            }
            _ if self.skipped.is_some() => {}
            '&' => {
                self.name.clear();
                self.state = Markup::Entity;
            }
            _ => words.push(letter),
        }
    }

    fn entity(&mut self, letter: char, words: &mut Words) {
        if (letter.is_ascii_alphanumeric() || letter == '#') && self.name.len() < NAME_MAX {
            self.name.push(letter);
            return;
        }
        self.state = Markup::Text;
        if let Some(character) = character(&self.name).filter(|_| letter == ';') {
            return words.push(character);
        }
        words.push('&');
        self.name.chars().for_each(|letter| words.push(letter));
        self.text(letter, words);
    }

    fn tag_name(&mut self, letter: char, words: &mut Words) {
        let starts = self.name.is_empty() && matches!(letter, '/' | '!' | '?');
        // A name begins with a letter: "I <3 you".
        let begins_with = self.name.trim_start_matches('/').is_empty();
        let goes_on = letter.is_ascii_alphabetic()
            || (!begins_with && letter.is_ascii_digit())
            || (letter == '-' && !self.name.is_empty());
        if starts || goes_on {
            if self.name.len() < NAME_MAX {
                self.name.push(letter.to_ascii_lowercase());
            }
            if self.name == "!--" {
                self.state = Markup::Comment(0);
            }
            return;
        }
        // In a script only its end is a tag, and a lone sign is text everywhere.
        let is_code = matches!(self.skipped, Some("script" | "style")) && !self.name.starts_with('/');
        if self.name.is_empty() || is_code {
            self.state = Markup::Text;
            if self.skipped.is_none() {
                words.push('<');
            }
            return self.text(letter, words);
        }
        self.state = Markup::Tag(None);
        self.push(letter, words);
    }

    fn tag_ends(&mut self, words: &mut Words) {
        self.state = Markup::Text;
        let (name, closes) = match self.name.strip_prefix('/') {
            Some(name) => (name, true),
            None => (self.name.as_str(), false),
        };
        match self.skipped {
            // A head may be left open.
            Some(skipped) if (closes && name == skipped) || name == "body" => self.skipped = None,
            None if !closes => self.skipped = SKIPPED.into_iter().find(|skipped| *skipped == name),
            Some(_) | None => {}
        }
        if !INLINE.contains(&name) {
            words.push(' ');
        }
    }
}

/// The character that an entity names.
fn character(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    number.ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn preview(html: bool, pieces: &[&str]) -> String {
        let mut preview = if html { Preview::of_html() } else { Preview::of_plain() };
        for piece in pieces {
            preview.push(piece);
        }
        preview.finish()
    }

    fn plain(text: &str) -> String {
        preview(false, &[text])
    }

    fn html(text: &str) -> String {
        preview(true, &[text])
    }

    #[test]
    fn plain_text_is_one_line_without_quotes_and_signature() {
        assert_eq!(plain("  Hello\r\n\r\n\tworld \r\n"), "Hello world");
        assert_eq!(plain("> quoted\r\nanswer\r\n>> more\r\n-- \r\nAnna"), "answer");
        assert_eq!(plain("-- x\n--- y\n-\nz"), "-- x --- y z");
        assert_eq!(plain("a\u{200b}\u{feff}b\u{7}c"), "abc");
        // Joiners stay between letters, and are fillers elsewhere.
        assert_eq!(
            plain("\u{1f468}\u{200d}\u{1f469} \u{645}\u{6cc}\u{200c}\u{62e}"),
            "\u{1f468}\u{200d}\u{1f469} \u{645}\u{6cc}\u{200c}\u{62e}"
        );
        assert_eq!(plain("\u{200c}a\u{200c} \u{200c}\u{a0}\u{200d}b\u{200c}"), "a b");
        assert_eq!(plain(&"a\u{200d}".repeat(300)).chars().count(), 199);
        assert_eq!(plain(&"ä".repeat(300)).chars().count(), 200);
        assert_eq!(plain(&"abcd ".repeat(300)).len(), 199);
    }

    #[test]
    fn html_is_its_words() {
        assert_eq!(html("<p>One</p><p>t<b>w</b>o</p>"), "One two");
        assert_eq!(
            html("<!DOCTYPE html><html><head><title>T</title><style>p > a {x:y}</style></head><body>Text</body>"),
            "Text"
        );
        assert_eq!(html("<head><meta><body title='a > b'>x"), "x");
        assert_eq!(html("<script>if (a<b) { c('</p>') }</script>x<!-- <b>no</b> -- > -->y"), "xy");
        assert_eq!(html("a &amp; b &lt;c&gt; &#228;&#xF6; &uuml;&nbsp;&bogus; &"), "a & b <c> äö ü &bogus;");
        assert_eq!(html("1 < 2 and <br/>3"), "1 < 2 and 3");
        assert_eq!(html("I <3 you</3 and></p>a&zwj;b&zwj; c<h1>d"), "I <3 you a\u{200d}b c d");
    }

    proptest! {
        #[test]
        fn any_text_gives_a_short_line_however_it_comes(
            text in prop_oneof![any::<String>(), "[a-c<>/!&;#\"' -]{0,80}", "(<p>|</p>|<!--|-->|<script>|</script>|&amp|;|x| |\n|> |-- ){0,60}"],
            is_html in any::<bool>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = preview(is_html, &[&text]);
            prop_assert!(whole.chars().count() <= CHARACTERS_MAX);
            prop_assert!(!whole.chars().any(char::is_control));
            prop_assert_eq!(whole.trim(), whole.as_str());
            let cut = text.char_indices().map(|(at, _)| at).nth(cut.index(text.chars().count() + 1)).unwrap_or(text.len());
            let (left, right) = text.split_at(cut);
            prop_assert_eq!(preview(is_html, &[left, right]), whole);
        }
    }
}
