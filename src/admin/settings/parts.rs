//! Several texts in one answer: each with a line before it that has its name and its length in octets.

/// What a text of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// Thunderbird's autoconfig file.
    Autoconfig,
    /// Apple's configuration profile.
    Profile,
    /// What a QR code is to say.
    Code,
    /// What that code is good for.
    CodeUse,
}

impl Form {
    const ALL: [Self; 5] = [Self::Text, Self::Autoconfig, Self::Profile, Self::Code, Self::CodeUse];

    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Autoconfig => "autoconfig",
            Self::Profile => "profile",
            Self::Code => "code",
            Self::CodeUse => "code-use",
        }
    }
}

/// The answer of these texts.
pub(super) fn join(parts: &[(Form, String)]) -> String {
    parts.iter().fold(String::new(), |answer, (form, text)| answer + &format!("{} {}\n{text}", form.name(), text.len()))
}

/// The texts of an answer; None: it is none.
#[must_use]
pub fn split(mut answer: &str) -> Option<Vec<(Form, String)>> {
    let mut parts = Vec::new();
    while !answer.is_empty() {
        let (line, rest) = answer.split_once('\n')?;
        let (name, length) = line.split_once(' ')?;
        let form = Form::ALL.into_iter().find(|form| form.name() == name)?;
        let (text, rest) = rest.split_at_checked(length.parse().ok()?)?;
        parts.push((form, text.to_owned()));
        answer = rest;
    }
    Some(parts)
}
