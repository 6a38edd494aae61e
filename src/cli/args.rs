//! From arguments to a command with its words and options. Mistakes get a suggestion.

use super::commands::{COMMANDS, COMMON, Command, Opt};
use super::help;
use crate::config::nearest;
use lexopt::Arg;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Wish {
    Help(String),
    Version,
    Run(Parsed),
}

/// A command as it was called.
#[derive(Debug)]
pub(super) struct Parsed {
    pub command: &'static Command,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    words: Vec<String>,
    options: Vec<(&'static str, String)>,
}

impl Parsed {
    /// The positional argument at `index`; empty where an optional one was left out.
    pub(super) fn word(&self, index: usize) -> String {
        self.words.get(index).cloned().unwrap_or_default()
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == option)
    }

    /// Every value of an option.
    pub(super) fn values(&self, option: &str) -> Vec<String> {
        self.options.iter().filter(|(name, _)| *name == option).map(|(_, value)| value.clone()).collect()
    }

    /// The last value of an option.
    pub(super) fn value(&self, option: &str) -> Option<String> {
        self.values(option).pop()
    }
}

/// What was read so far.
struct Reader {
    path: Vec<String>,
    command: Option<&'static Command>,
    parsed: Parsed,
    help: bool,
}

/// Reads the arguments.
///
/// # Errors
/// A text for standard error; the exit code is that of wrong usage.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let blank = COMMANDS.first().ok_or("there are no commands")?;
    let parsed = Parsed { command: blank, config: None, data: None, words: Vec::new(), options: Vec::new() };
    let mut reader = Reader { path: Vec::new(), command: None, parsed, help: false };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Long("version") | Arg::Short('V') if reader.command.is_none() => return Ok(Wish::Version),
            Arg::Long(name) => {
                let name = name.to_owned();
                reader.option(&mut parser, &name, |option| option.long == name, &format!("--{name}"))?;
            }
            Arg::Short(name) => {
                reader.option(
                    &mut parser,
                    &name.to_string(),
                    |option| option.short == Some(name),
                    &format!("-{name}"),
                )?;
            }
            Arg::Value(word) => reader.word(word)?,
        }
    }
    reader.finish()
}

impl Reader {
    fn option(
        &mut self,
        parser: &mut lexopt::Parser,
        name: &str,
        is_it: impl Fn(&Opt) -> bool,
        shown: &str,
    ) -> Result<(), String> {
        let own = self.command.map_or(&[][..], |command| command.options);
        let Some(option) = own.iter().chain(COMMON).find(|option| is_it(option)) else {
            return Err(self.unknown_option(name, shown));
        };
        match (option.long, option.value) {
            ("help", _) => self.help = true,
            (long, None) => self.parsed.options.push((long, String::new())),
            ("config", _) => self.parsed.config = Some(parser.value().map_err(|error| error.to_string())?.into()),
            ("data", _) => self.parsed.data = Some(parser.value().map_err(|error| error.to_string())?.into()),
            (long, Some(_)) => {
                let value = parser.value().map_err(|error| error.to_string())?;
                self.parsed.options.push((long, utf8(value)?));
            }
        }
        Ok(())
    }

    fn unknown_option(&self, name: &str, shown: &str) -> String {
        let Some(command) = self.command else {
            let owner = COMMANDS.iter().find(|command| command.options.iter().any(|option| option.long == name));
            return match owner {
                Some(command) => {
                    format!("{shown} comes after its command: mailnook {} {shown}", command.path.join(" "))
                }
                None => format!("there is no option {shown}; `mailnook --help` lists what there is"),
            };
        };
        let known = command.options.iter().chain(COMMON).map(|option| option.long);
        let advice = nearest(name, known).map_or_else(
            || format!("`mailnook {} --help` lists what there is", command.path.join(" ")),
            |near| format!("did you mean --{near}?"),
        );
        format!("there is no option {shown}; {advice}")
    }

    fn word(&mut self, word: OsString) -> Result<(), String> {
        let word = utf8(word)?;
        let Some(command) = self.command else {
            if self.path.is_empty() && word == "help" {
                self.help = true;
                return Ok(());
            }
            return self.path_word(word);
        };
        if self.parsed.words.len() >= command.words.len() {
            return Err(format!("{word:?} is one argument too many\n{}", help::usage(command)));
        }
        self.parsed.words.push(word);
        Ok(())
    }

    fn path_word(&mut self, word: String) -> Result<(), String> {
        let depth = self.path.len();
        let next: Vec<&str> = COMMANDS
            .iter()
            .filter(|command| self.leads_to(command))
            .filter_map(|command| command.path.get(depth))
            .copied()
            .collect();
        if !next.contains(&word.as_str()) {
            let so_far = self.path.iter().fold(String::new(), |path, word| path + word + " ");
            let advice = nearest(&word, next).map_or_else(
                || format!("`mailnook {so_far}--help` lists what there is"),
                |near| format!("did you mean `mailnook {so_far}{near}`?"),
            );
            return Err(format!("there is no command {:?}; {advice}", format!("{so_far}{word}")));
        }
        self.path.push(word);
        self.command = COMMANDS.iter().find(|command| command.path == self.path);
        Ok(())
    }

    fn leads_to(&self, command: &Command) -> bool {
        command.path.len() > self.path.len() && command.path.iter().zip(&self.path).all(|(a, b)| a == b)
    }

    fn finish(self) -> Result<Wish, String> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let Some(command) = self.command else {
            let text = if path.is_empty() { help::program() } else { help::group(&path) };
            return if self.help { Ok(Wish::Help(text)) } else { Err(format!("which command?\n{text}")) };
        };
        if self.help {
            return Ok(Wish::Help(help::command(command)));
        }
        let missing = command.words.get(self.parsed.words.len()..).unwrap_or_default();
        if let Some(word) = missing.iter().find(|word| !word.starts_with('[')) {
            return Err(format!("{word} is missing\n{}", help::usage(command)));
        }
        Ok(Wish::Run(Parsed { command, ..self.parsed }))
    }
}

fn utf8(text: OsString) -> Result<String, String> {
    text.into_string().map_err(|text| format!("{} is not UTF-8", text.display()))
}
