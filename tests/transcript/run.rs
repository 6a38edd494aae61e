//! Plays one transcript against a fresh server.

use super::client::Client;
use super::pattern::{Template, Variables, show};
use super::script::{Act, Open, Protocol, Script, Step};
use super::world::World;
use super::{oracle, tls};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Untagged responses that `S>:` passes over at most.
const PASSED_OVER_MAX: usize = 10_000;

/// Plays the transcript; the error names file and line, what was expected and what came.
pub fn play(script: &Script) -> Result<(), String> {
    let world = World::new().map_err(|error| format!("{}: {error}", script.path.display()))?;
    let executor = world.executor();
    smol::block_on(executor.run(async {
        let mut player = Player {
            script,
            world,
            variables: Variables::new(),
            clients: BTreeMap::new(),
            log: String::new(),
            record: None,
        };
        player.record = record_of(&script.path)?;
        let outcome = player.play().await;
        if std::env::var_os("TRANSCRIPT_LOG").is_some() {
            eprintln!("{}\n{}", script.path.display(), player.log);
        }
        outcome
    }))
}

/// The file that takes the responses of this transcript, where `TRANSCRIPT_RESPONSES` names a folder.
///
/// `tests/interop/check_oracle.py` reads it: for each response a line `SESSION PROTOCOL LENGTH`, the octets and CRLF.
fn record_of(script: &Path) -> Result<Option<std::fs::File>, String> {
    let Some(folder) = std::env::var_os("TRANSCRIPT_RESPONSES") else { return Ok(None) };
    let folder_of_script = script.parent().and_then(Path::file_name).unwrap_or_default();
    let mut path = PathBuf::from(folder).join(folder_of_script);
    path.push(script.file_stem().unwrap_or_default());
    path.set_extension("responses");
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(fail)?;
    std::fs::File::create(&path).map(Some).map_err(fail)
}

struct Player<'a> {
    script: &'a Script,
    world: World,
    variables: Variables,
    clients: BTreeMap<u32, Client>,
    log: String,
    record: Option<std::fs::File>,
}

impl Player<'_> {
    async fn play(&mut self) -> Result<(), String> {
        // The configuration holds from the beginning, wherever its lines stand.
        for (line, step) in &self.script.steps {
            if let Step::Setup(words) = step {
                self.world.configure(words).map_err(|error| self.failure(&format!(":{line}"), &error))?;
            }
        }
        for (line, step) in &self.script.steps {
            self.step(step).await.map_err(|error| self.failure(&format!(":{line}"), &error))?;
        }
        self.clients.clear();
        self.world.finish().await.map_err(|error| self.failure("", &format!("at the end: {error}")))
    }

    fn failure(&self, line: &str, error: &str) -> String {
        const TAIL: usize = 12;
        let lines: Vec<&str> = self.log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n      ");
        format!("{}{line}: {error}\n    the conversation until then:\n      {tail}", self.script.path.display())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Setup(words) => self.world.setup(words, &mut self.variables).await,
            Step::Message { name, octets } => {
                let octets = Template::new(octets, &self.variables)?.octets()?;
                self.variables.insert(name.clone(), octets);
                Ok(())
            }
            Step::Session { number, act } => self.session(*number, act).await,
        }
    }

    async fn session(&mut self, number: u32, act: &Act) -> Result<(), String> {
        if let Act::Open(open) = act {
            return self.open(number, *open).await;
        }
        if !self.clients.contains_key(&number) {
            self.open(number, Open { protocol: self.script.protocol, tls: false, remote: false }).await?;
        }
        match act {
            Act::Open(_) => Ok(()),
            Act::Send { text, line_end } => self.send(number, text, *line_end).await,
            Act::Expect(text) => self.expect(number, text).await,
            Act::ExpectLater(text) => self.expect_later(number, text).await,
            Act::ExpectAll(texts) => self.expect_all(number, texts).await,
            Act::Quiet => self.client(number)?.quiet().await,
            Act::Closed => self.client(number)?.closed().await,
            Act::Close => {
                self.client(number)?.close();
                Ok(())
            }
            Act::StartTls => {
                let stream = self.client(number)?.take_stream()?;
                let stream = tls::connect(stream).await?;
                self.client(number)?.set_stream(Box::new(stream));
                Ok(())
            }
            Act::Deflate => self.client(number)?.deflate(),
        }
    }

    async fn open(&mut self, number: u32, open: Open) -> Result<(), String> {
        let mut stream = self.world.open(open)?;
        if open.tls {
            stream = Box::new(tls::connect(stream).await?);
        }
        self.clients.insert(number, Client::new(open.protocol, stream));
        Ok(())
    }

    fn client(&mut self, number: u32) -> Result<&mut Client, String> {
        self.clients.get_mut(&number).ok_or_else(|| format!("there is no session {number}"))
    }

    async fn send(&mut self, number: u32, text: &str, line_end: bool) -> Result<(), String> {
        let mut octets = Template::new(text, &self.variables)?.octets()?;
        if line_end {
            octets.extend_from_slice(b"\r\n");
        }
        let _ = writeln!(self.log, "{number} C: {}", show(&octets));
        self.client(number)?.send(&octets).await
    }

    async fn response(&mut self, number: u32, lines: usize) -> Result<Vec<u8>, String> {
        let client = self.client(number)?;
        let (imap, greeting) = (client.protocol() == Protocol::Imap, !client.greeted());
        let response = client.response(lines).await?;
        let _ = writeln!(self.log, "{number} S: {}", show(&response));
        if let Some(record) = &mut self.record {
            let head = format!("{number} {} {}\r\n", if imap { "imap" } else { "other" }, response.len());
            record.write_all(&[head.as_bytes(), &response, b"\r\n"].concat()).map_err(|error| error.to_string())?;
        }
        if imap {
            oracle::check(&response, greeting)?;
        }
        Ok(response)
    }

    fn template(&self, text: &str) -> Result<Template, String> {
        Template::new(text, &self.variables)
    }

    async fn expect(&mut self, number: u32, text: &str) -> Result<(), String> {
        let template = self.template(text)?;
        let expected = |error: String| format!("expected: {}\n    {error}", show(text.as_bytes()));
        let response = self.response(number, template.lines()).await.map_err(expected)?;
        let captured = template.matches(&response).ok_or_else(|| mismatch(text, &response))?;
        self.variables.extend(captured);
        Ok(())
    }

    async fn expect_later(&mut self, number: u32, text: &str) -> Result<(), String> {
        let template = self.template(text)?;
        for _ in 0..PASSED_OVER_MAX {
            let expected = |error: String| format!("expected: {}\n    {error}", show(text.as_bytes()));
            let response = self.response(number, template.lines()).await.map_err(expected)?;
            if let Some(captured) = template.matches(&response) {
                self.variables.extend(captured);
                return Ok(());
            }
            let imap = self.client(number)?.protocol() == Protocol::Imap;
            if imap && !response.starts_with(b"* ") {
                return Err(mismatch(text, &response));
            }
        }
        Err(format!("expected: {text}\n    got: {PASSED_OVER_MAX} other responses"))
    }

    async fn expect_all(&mut self, number: u32, texts: &[String]) -> Result<(), String> {
        let mut open: Vec<&String> = texts.iter().collect();
        while !open.is_empty() {
            let waiting = || {
                format!(
                    "expected: {}",
                    open.iter().map(|text| show(text.as_bytes())).collect::<Vec<_>>().join("\n          or: ")
                )
            };
            let response = self.response(number, 1).await.map_err(|error| format!("{}\n    {error}", waiting()))?;
            let mut found = None;
            for (at, text) in open.iter().enumerate() {
                if let Some(captured) = self.template(text)?.matches(&response) {
                    found = Some((at, captured));
                    break;
                }
            }
            let (at, captured) = found.ok_or_else(|| format!("{}\n         got: {}", waiting(), show(&response)))?;
            open.remove(at);
            self.variables.extend(captured);
        }
        Ok(())
    }
}

fn mismatch(expected: &str, got: &[u8]) -> String {
    format!("expected: {}\n         got: {}", show(expected.as_bytes()), show(got))
}
