//! `config board`: lists the presets for boards, or prints a configuration with one of them in it.

use super::args::Parsed;
use super::{complain, configuration, print};
use crate::admin::exit;
use crate::config::{BOARDS, Board, Config, DEFAULT_TEXT, nearest};
use std::path::PathBuf;

/// What the firmware calls this board.
const MODEL: &str = "/proc/device-tree/model";

pub(super) fn run(parsed: &Parsed) -> u8 {
    let name = parsed.word(0);
    if name.is_empty() {
        print(&list());
        return exit::OK;
    }
    let Some(board) = BOARDS.iter().find(|board| board.name == name) else {
        let names = BOARDS.map(|board| board.name);
        let meant = nearest(&name, names).map_or_else(String::new, |near| format!("; did you mean {near}?"));
        complain(&format!("there is no board {name:?}, but {}{meant}", names.join(", ")));
        return exit::USAGE;
    };
    let file = Some(parsed.word(1)).filter(|file| !file.is_empty()).map(PathBuf::from);
    let text = match file {
        None => DEFAULT_TEXT.to_owned(),
        Some(file) => match configuration::text(&file) {
            Ok(text) => text,
            Err(()) => return exit::CONFIG,
        },
    };
    let (merged, kept) = board.put_into(&text);
    if let Err(problems) = Config::parse(&merged) {
        let first = problems.first().map_or_else(String::new, ToString::to_string);
        complain(&format!("the preset cannot be put into this file ({first}); write its keys there by hand:"));
        print(board.text);
        return exit::CONFIG;
    }
    for line in kept {
        complain(&format!("left as it was: {line}"));
    }
    print(&merged);
    exit::OK
}

fn list() -> String {
    let model = std::fs::read_to_string(MODEL).unwrap_or_default();
    let here = Board::of_model(model.trim_end_matches('\0'), cfg!(target_pointer_width = "32"));
    let line = |board: &Board| {
        let mark = if here.is_some_and(|here| here.name == board.name) { " (this board)" } else { "" };
        format!("{:<8} {}{mark}\n", board.name, board.about())
    };
    BOARDS.iter().map(line).collect()
}
