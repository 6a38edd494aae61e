//! Finding and checking the configuration file.

use super::args::Parsed;
use super::{complain, print};
use crate::admin::exit;
use crate::config::{Config, Problem};
use crate::server::systemd::Manager;
use std::path::{Path, PathBuf};

/// The configuration of this call; where it is wrong everything was told.
pub(super) fn load(parsed: &Parsed) -> Result<Config, ()> {
    let file = Config::locate(parsed.config.clone());
    match Config::load(file.as_deref()) {
        Ok(mut config) => {
            if let Some(data) = &parsed.data {
                config.set_data_dir(data.clone());
            }
            Ok(config)
        }
        Err(problems) => {
            let file = file.as_deref().unwrap_or(Path::new("configuration"));
            tell(file, &problems);
            if parsed.command.path == ["serve"] {
                let texts: Vec<String> = problems.iter().map(|problem| line(file, problem)).collect();
                Manager::find().status(&texts.join("; "));
            }
            Err(())
        }
    }
}

/// `config check`
pub(super) fn check(parsed: &Parsed) -> u8 {
    let named = Some(parsed.word(0)).filter(|word| !word.is_empty()).map(PathBuf::from);
    let Some(file) = Config::locate(named.or_else(|| parsed.config.clone())) else {
        print("there is no configuration file; the built-in defaults hold (`mailnook config default` prints them)\n");
        return exit::OK;
    };
    match Config::load(Some(&file)) {
        Ok(_) => {
            print(&format!("{}: no mistakes\n", file.display()));
            exit::OK
        }
        Err(problems) => {
            tell(&file, &problems);
            exit::CONFIG
        }
    }
}

/// The text of a file without mistakes; they were told.
pub(super) fn text(file: &Path) -> Result<String, ()> {
    let checked = Config::load(Some(file)).and_then(|_| {
        let cannot = |error: std::io::Error| vec![Problem { line: None, text: format!("cannot read it: {error}") }];
        std::fs::read_to_string(file).map_err(cannot)
    });
    checked.map_err(|problems| tell(file, &problems))
}

fn tell(file: &Path, problems: &[Problem]) {
    for problem in problems {
        complain(&line(file, problem));
    }
}

fn line(file: &Path, problem: &Problem) -> String {
    let file = file.display();
    match problem.line {
        Some(line) => format!("{file}:{line}: {}", problem.text),
        None => format!("{file}: {}", problem.text),
    }
}
