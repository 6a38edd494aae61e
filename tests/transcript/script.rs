//! Reads a transcript file; tests/imap/README.md describes the format.

use std::path::{Path, PathBuf};

/// The protocol of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Imap,
    Pop3,
    Lmtp,
}

impl Protocol {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "imap" => Some(Self::Imap),
            "pop3" => Some(Self::Pop3),
            "lmtp" => Some(Self::Lmtp),
            _ => None,
        }
    }
}

/// How a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub protocol: Protocol,
    /// Implicit TLS.
    pub tls: bool,
    /// The peer is not on this machine.
    pub remote: bool,
}

/// One thing that happens in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Open(Open),
    /// `C:` with a line end, `C+:` without.
    Send {
        text: String,
        line_end: bool,
    },
    /// `S:`
    Expect(String),
    /// `S>:` passes over what comes before it.
    ExpectLater(String),
    /// `S: {` ... `}`
    ExpectAll(Vec<String>),
    /// Nothing is sent for a moment.
    Quiet,
    /// The server ends the connection.
    Closed,
    /// The client cuts the connection.
    Close,
    /// The client begins a TLS handshake.
    StartTls,
    /// The client compresses from here on, and so does the server.
    Deflate,
}

/// One step of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `@...`: something done to the server or store.
    Setup(Vec<String>),
    /// `@message NAME`: a message, lines ending in CRLF.
    Message { name: String, octets: String },
    /// A line with a session number (or without: session 1).
    Session { number: u32, act: Act },
}

/// A transcript.
pub struct Script {
    pub path: PathBuf,
    pub protocol: Protocol,
    /// Steps with their line numbers, counted from 1.
    pub steps: Vec<(usize, Step)>,
}

impl Script {
    /// Reads the file; the error names file and line.
    pub fn read(path: &Path, protocol: Protocol) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let steps = parse(&text, protocol).map_err(|(line, error)| format!("{}:{line}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), protocol, steps })
    }
}

type Failure = (usize, String);

fn parse(text: &str, protocol: Protocol) -> Result<Vec<(usize, Step)>, Failure> {
    let mut steps: Vec<(usize, Step)> = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    while let Some((number, line)) = lines.next() {
        let line_text = line.trim_start();
        if line_text.is_empty() || line_text.starts_with('#') {
            continue;
        }
        if let Some(more) = line_text.strip_prefix('|') {
            let more = more.strip_prefix(' ').unwrap_or(more);
            continue_last(&mut steps, more).map_err(|error| (number, error))?;
            continue;
        }
        if let Some(name) = line_text.strip_prefix("@message ") {
            let octets = message(&mut lines).ok_or_else(|| (number, "@message without @end".to_owned()))?;
            steps.push((number, Step::Message { name: name.trim().to_owned(), octets }));
            continue;
        }
        if let Some(words) = line_text.strip_prefix('@') {
            steps.push((number, Step::Setup(words.split_whitespace().map(str::to_owned).collect())));
            continue;
        }
        let (session, rest) = session_number(line_text);
        let act = if rest.trim_end() == "S: {" {
            Act::ExpectAll(block(&mut lines).ok_or_else(|| (number, "S: { without }".to_owned()))?)
        } else {
            act(rest, protocol).ok_or_else(|| (number, format!("not understood: {line_text}")))?
        };
        steps.push((number, Step::Session { number: session, act }));
    }
    Ok(steps)
}

fn session_number(line: &str) -> (u32, &str) {
    line.split_once(' ').and_then(|(number, rest)| Some((number.parse().ok()?, rest.trim_start()))).unwrap_or((1, line))
}

fn act(rest: &str, protocol: Protocol) -> Option<Act> {
    // One space after the colon belongs to the format, the rest to the text.
    let text = |prefix: &str| {
        let text = rest.strip_prefix(prefix)?;
        Some(text.strip_prefix(' ').unwrap_or(text).to_owned())
    };
    if let Some(text) = text("C:") {
        return Some(Act::Send { text, line_end: true });
    }
    if let Some(text) = text("C+:") {
        return Some(Act::Send { text, line_end: false });
    }
    if let Some(text) = text("S:") {
        return Some(Act::Expect(text));
    }
    if let Some(text) = text("S>:") {
        return Some(Act::ExpectLater(text));
    }
    let mut words = rest.split_whitespace();
    match words.next()? {
        "quiet" => Some(Act::Quiet),
        "closed" => Some(Act::Closed),
        "close" => Some(Act::Close),
        "starttls" => Some(Act::StartTls),
        "deflate" => Some(Act::Deflate),
        "open" => {
            let mut open = Open { protocol, tls: false, remote: false };
            for word in words {
                match word {
                    "tls" => open.tls = true,
                    "remote" => open.remote = true,
                    name => open.protocol = Protocol::from_name(name)?,
                }
            }
            Some(Act::Open(open))
        }
        _ => None,
    }
}

/// The lines up to `}`; each may go on with `|` lines.
fn block<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Option<Vec<String>> {
    let mut patterns: Vec<String> = Vec::new();
    for (_, line) in lines {
        let line = line.trim_start();
        if line == "}" {
            return Some(patterns);
        }
        if let Some(more) = line.strip_prefix('|') {
            let last = patterns.last_mut()?;
            last.push_str("\r\n");
            last.push_str(more.strip_prefix(' ').unwrap_or(more));
        } else if !line.is_empty() && !line.starts_with('#') {
            patterns.push(line.to_owned());
        }
    }
    None
}

/// The lines up to `@end` with CRLF.
fn message<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Option<String> {
    let mut octets = String::new();
    for (_, line) in lines {
        if line == "@end" {
            return Some(octets);
        }
        octets.push_str(line);
        octets.push_str("\r\n");
    }
    None
}

fn continue_last(steps: &mut [(usize, Step)], more: &str) -> Result<(), String> {
    let continued = steps.last_mut().and_then(|(_, step)| match step {
        Step::Session { act: Act::Send { text, .. } | Act::Expect(text) | Act::ExpectLater(text), .. } => Some(text),
        _ => None,
    });
    let text = continued.ok_or_else(|| "a | line continues a C: or S: line".to_owned())?;
    text.push_str("\r\n");
    text.push_str(more);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_read() {
        let text = "# RFC\n@user anna secret\n@message m\nSubject: x\n\nhi\n@end\nC: a NOOP\n2 open pop3 tls\n\
                    2 S: +OK %*%\nS: {\n  * 1 EXISTS\n  * BYE\n  | more\n}\nS: x\n | y\n2 quiet\n";
        let steps: Vec<Step> = parse(text, Protocol::Imap).expect("parse").into_iter().map(|(_, step)| step).collect();
        let act = |at: usize| match &steps[at] {
            Step::Session { number, act } => (*number, act.clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(steps[0], Step::Setup(vec!["user".into(), "anna".into(), "secret".into()]));
        assert_eq!(steps[1], Step::Message { name: "m".into(), octets: "Subject: x\r\n\r\nhi\r\n".into() });
        assert_eq!(act(2), (1, Act::Send { text: "a NOOP".into(), line_end: true }));
        assert_eq!(act(3), (2, Act::Open(Open { protocol: Protocol::Pop3, tls: true, remote: false })));
        assert_eq!(act(4), (2, Act::Expect("+OK %*%".into())));
        assert_eq!(act(5), (1, Act::ExpectAll(vec!["* 1 EXISTS".into(), "* BYE\r\nmore".into()])));
        assert_eq!(act(6), (1, Act::Expect("x\r\ny".into())));
        assert_eq!(act(7), (2, Act::Quiet));
        assert_eq!(parse("1 bogus", Protocol::Imap).expect_err("error").0, 1);
    }
}
