//! What doctor found, as lines for people, as JSON, and as an exit code for monitoring.

use crate::admin::{Json, exit};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It was looked at and is right.
    Ok,
    /// Good to know, or it could not be looked at.
    Note,
    /// It will go wrong sooner or later.
    Warning,
    /// Mail is lost, refused or out of reach.
    Fault,
}

impl Level {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, one word.
    pub check: &'static str,
    /// What was found.
    pub text: String,
    /// What to do; a command where there is one.
    pub fix: Option<String>,
}

impl Finding {
    /// Something that is right.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, text: text.into(), fix: None }
    }

    /// Something good to know.
    pub fn note(check: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, check, text: text.into(), fix: None }
    }

    /// Something that will go wrong.
    pub fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Warning, check, text: text.into(), fix: None }
    }

    /// Something that is wrong.
    pub fn fault(check: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Fault, check, text: text.into(), fix: None }
    }

    /// With what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// `warning  disk: ...; fix: ...`
    fn line(&self) -> String {
        let (level, check, text) = (self.level.word(), self.check, printable(&self.text));
        match &self.fix {
            Some(fix) => format!("{level:<8} {check}: {text}. Fix: {}\n", printable(fix)),
            None => format!("{level:<8} {check}: {text}\n"),
        }
    }

    fn json(&self) -> Json {
        Json::Object(vec![
            ("level", Json::text(self.level.word())),
            ("check", Json::text(self.check)),
            ("text", Json::text(&self.text)),
            ("fix", self.fix.as_ref().map_or(Json::Null, Json::text)),
        ])
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The report as it is printed; `quiet`: warnings and faults alone.
    #[must_use]
    pub fn print(&self, json: bool, quiet: bool) -> String {
        let shown = self.findings.iter().filter(|finding| !quiet || finding.level >= Level::Warning);
        if json { Json::List(shown.map(Finding::json).collect()).line() } else { shown.map(Finding::line).collect() }
    }

    /// 0: nothing is wrong; 1: there are warnings; 2: there are faults.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.findings.iter().map(|finding| finding.level).max() {
            Some(Level::Fault) => 2,
            Some(Level::Warning) => exit::FAILURE,
            _ => exit::OK,
        }
    }
}

/// Names in a text may be anybody's: escape sequences in them must not get to the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_json_and_exit_code_tell_the_same() {
        let mut report = Report { findings: vec![Finding::ok("disk", "it is fine")] };
        assert_eq!((report.exit_code(), report.print(false, true).as_str()), (0, ""));
        report.findings.push(Finding::note("card", "it tells nothing"));
        assert_eq!(report.exit_code(), 0);
        report.findings.push(Finding::warning("clock", "it \u{1b}[1mstands").fix("wind it"));
        assert_eq!(report.exit_code(), 1);
        assert_eq!(report.print(false, true), "warning  clock: it ?[1mstands. Fix: wind it\n");
        report.findings.push(Finding::fault("ports", "none"));
        assert_eq!(report.exit_code(), 2);
        let json = r#"[{"level":"fault","check":"ports","text":"none","fix":null}]"#;
        let last = Report { findings: report.findings.split_off(3) };
        assert_eq!(last.print(true, false).trim_end(), json);
    }
}
