//! Transcripts: readable conversations that are played against the server in-process.

mod client;
mod deflate;
mod oracle;
mod pattern;
mod run;
mod script;
mod tls;
mod world;

pub use script::Protocol;

use script::Script;
use std::path::{Path, PathBuf};

/// Plays every transcript of `folder`; panics with all failures.
pub fn play_all(folder: &str, protocol: Protocol) {
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let paths = transcripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder));
    let mut failures = Vec::new();
    let mut played = 0;
    for path in paths.iter().filter(|path| path.to_string_lossy().contains(&wanted)) {
        played += 1;
        if let Err(failure) = Script::read(path, protocol).and_then(|script| run::play(&script)) {
            failures.push(failure);
        }
    }
    println!("{folder}: {played} transcripts played");
    assert!(failures.is_empty(), "{} of {played} transcripts failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

fn transcripts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("folder entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    paths
}
