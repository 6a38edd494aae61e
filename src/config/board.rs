//! Presets for boards, and how one is put into a configuration file: line by line, so that the comments stay.

use super::DEFAULT_TEXT;

/// What a kind of board should have otherwise than the default.
#[derive(Debug)]
pub struct Board {
    /// Its name on the command line.
    pub name: &'static str,
    /// A TOML file with a comment for every key.
    pub text: &'static str,
    /// What the firmware calls such boards: beginnings of the model. The longest that fits counts.
    models: &'static [&'static str],
}

/// Every preset.
pub const BOARDS: [Board; 5] = [
    Board {
        name: "pi-zero",
        text: include_str!("../../board/pi-zero.toml"),
        models: &["Raspberry Pi Zero", "Raspberry Pi Model", "Raspberry Pi Compute Module Rev"],
    },
    Board { name: "pi-2", text: include_str!("../../board/pi-2.toml"), models: &["Raspberry Pi 2"] },
    Board {
        name: "pi-3",
        text: include_str!("../../board/pi-3.toml"),
        models: &["Raspberry Pi 3", "Raspberry Pi Zero 2", "Raspberry Pi Compute Module 3"],
    },
    Board {
        name: "pi-4",
        text: include_str!("../../board/pi-4.toml"),
        models: &["Raspberry Pi 4", "Raspberry Pi Compute Module 4"],
    },
    Board {
        name: "pi-5",
        text: include_str!("../../board/pi-5.toml"),
        models: &["Raspberry Pi 5", "Raspberry Pi Compute Module 5"],
    },
];

impl Board {
    /// The preset for a board that the firmware calls so; a 32-bit program has the limits of a 32-bit board wherever it runs.
    #[must_use]
    pub fn of_model(model: &str, is_32_bit: bool) -> Option<&'static Self> {
        let models = BOARDS.iter().flat_map(|board| board.models.iter().map(move |beginning| (board, *beginning)));
        let fitting = models.filter(|(_, beginning)| model.starts_with(beginning));
        let (found, _) = fitting.max_by_key(|(_, beginning)| beginning.len())?;
        let is_small = ["pi-zero", "pi-2"].contains(&found.name);
        if is_32_bit && !is_small { BOARDS.iter().find(|board| board.name == "pi-2") } else { Some(found) }
    }

    /// The first line of its file without the sign of a comment.
    #[must_use]
    pub fn about(&self) -> &'static str {
        let line = self.text.lines().next().unwrap_or_default().trim_start_matches("# ");
        line.split(". Only").next().unwrap_or_default()
    }

    /// Puts the preset's keys into the text of a configuration. Keys that stand there with another value than the
    /// default are somebody's choice and stay; their lines are the second answer.
    #[must_use]
    pub fn put_into(&self, text: &str) -> (String, Vec<String>) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut kept = Vec::new();
        for setting in settings(self.text) {
            let Some((place, line)) = find(&lines, setting.section, setting.key) else {
                insert(&mut lines, &setting);
                continue;
            };
            let is_default = value(DEFAULT_TEXT, setting.section, setting.key).as_deref() == value_of(line);
            if is_comment(line) || is_default {
                let written = setting.lines().map(str::to_owned);
                lines.splice(place..=place, written);
            } else if value_of(line) != value_of(setting.line) {
                kept.push(line.trim().to_owned());
            }
        }
        (lines.join("\n") + "\n", kept)
    }
}

/// A key of a preset with its comment.
#[derive(Debug)]
struct Setting<'t> {
    section: &'t str,
    key: &'t str,
    comment: Vec<&'t str>,
    line: &'t str,
}

impl<'t> Setting<'t> {
    fn lines(&self) -> impl Iterator<Item = &'t str> {
        self.comment.iter().copied().chain([self.line])
    }
}

fn settings(text: &str) -> Vec<Setting<'_>> {
    let (mut settings, mut section, mut comment) = (Vec::new(), "", Vec::new());
    for line in text.lines() {
        if let Some(name) = section_of(line) {
            section = name;
        } else if is_comment(line) {
            comment.push(line);
        } else if let Some((key, _)) = line.split_once('=') {
            settings.push(Setting { section, key: key.trim(), comment: std::mem::take(&mut comment), line });
        } else {
            comment.clear();
        }
    }
    settings
}

/// The place of a key in a section, switched on or, if it is nowhere, as a comment.
fn find<'l>(lines: &'l [String], section: &str, key: &str) -> Option<(usize, &'l str)> {
    let mut current = "";
    let mut commented = None;
    for (place, line) in lines.iter().enumerate() {
        if let Some(name) = section_of(line) {
            current = name;
        } else if current == section {
            let name = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
            if name(line).as_deref() == Some(key) {
                return Some((place, line.as_str()));
            }
            let example = line.strip_prefix('#').and_then(name);
            if commented.is_none() && example.as_deref() == Some(key) {
                commented = Some((place, line.as_str()));
            }
        }
    }
    commented
}

/// Writes a key that is not there yet: below the head of its section, or at the top.
fn insert(lines: &mut Vec<String>, setting: &Setting<'_>) {
    let written = setting.lines().map(str::to_owned).chain([String::new()]);
    if setting.section.is_empty() {
        lines.splice(0..0, written);
    } else if let Some(head) = lines.iter().position(|line| section_of(line) == Some(setting.section)) {
        lines.splice(head + 1..=head, written);
    } else {
        lines.extend([String::new(), format!("[{}]", setting.section)]);
        lines.extend(written);
    }
}

/// The name of the section that a line begins.
fn section_of(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('[')?;
    let (name, _) = rest.split_once(']')?;
    Some(name.trim())
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// What a key has in a text; None: it is not switched on.
fn value(text: &str, section: &str, key: &str) -> Option<String> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (_, line) = find(&lines, section, key)?;
    if is_comment(line) { None } else { value_of(line).map(str::to_owned) }
}

/// What stands behind the equals sign, without a comment. No value of a preset has a number sign in it.
fn value_of(line: &str) -> Option<&str> {
    let (_, value) = line.split_once('=')?;
    value.split('#').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn debug(text: &str) -> String {
        format!("{:?}", Config::parse(text).unwrap_or_else(|problems| panic!("{text}\n{problems:?}")))
    }

    /// The store of a 32-bit system takes no such bound.
    fn usable() -> impl Iterator<Item = &'static Board> {
        BOARDS.iter().filter(|board| cfg!(target_pointer_width = "64") || !board.text.contains("TiB"))
    }

    #[test]
    fn every_preset_is_right_says_why_and_differs_from_the_default() {
        for board in usable() {
            debug(board.text);
            assert!(board.about().starts_with("Raspberry Pi "), "{}", board.about());
            let settings = settings(board.text);
            assert!(!settings.is_empty());
            let mut commented = true;
            for setting in &settings {
                // A comment may be for two keys that stand together.
                commented = !setting.comment.is_empty() || commented;
                assert!(commented, "{}: {} has no comment", board.name, setting.key);
                let alone = if setting.section.is_empty() {
                    setting.line.to_owned()
                } else {
                    format!("[{}]\n{}", setting.section, setting.line)
                };
                let is_default = value(DEFAULT_TEXT, setting.section, setting.key).as_deref() == value_of(setting.line);
                assert!(!is_default && !debug(&alone).is_empty(), "{}: {} is the default", board.name, setting.key);
            }
        }
    }

    #[test]
    fn a_preset_goes_into_any_configuration() {
        for board in usable() {
            for text in ["", "[auth]\n", DEFAULT_TEXT] {
                let (merged, kept) = board.put_into(text);
                assert_eq!(debug(&merged), debug(board.text), "{}\n{merged}", board.name);
                assert!(kept.is_empty(), "{kept:?}");
                assert_eq!(board.put_into(&merged), (merged.clone(), Vec::new()), "twice is once");
            }
            let (merged, _) = board.put_into(DEFAULT_TEXT);
            assert!(merged.contains("# Where mail, users,"), "the comments stay: {merged}");
        }
    }

    #[test]
    fn what_somebody_chose_stays() {
        let zero = BOARDS.iter().find(|board| board.name == "pi-zero").expect("is there");
        let own = "hostname = 'a.example'\n[limits]\nconnections = 77 # mine\nlmtp_connections = 50 # the default\n";
        let (merged, kept) = zero.put_into(own);
        assert_eq!(kept, ["connections = 77 # mine"]);
        let config = Config::parse(&merged).expect("parses");
        assert_eq!(
            (config.hostname.as_str(), config.limits.connections, config.limits.lmtp_connections),
            ("a.example", 77, 8)
        );
    }

    #[test]
    fn boards_are_known_by_what_the_firmware_calls_them() {
        for (model, name, on_32_bit) in [
            ("Raspberry Pi Zero W Rev 1.1", "pi-zero", "pi-zero"),
            ("Raspberry Pi Model B Plus Rev 1.2", "pi-zero", "pi-zero"),
            ("Raspberry Pi Zero 2 W Rev 1.0", "pi-3", "pi-2"),
            ("Raspberry Pi 2 Model B Rev 1.1", "pi-2", "pi-2"),
            ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi-3", "pi-2"),
            ("Raspberry Pi 400 Rev 1.0", "pi-4", "pi-2"),
            ("Raspberry Pi Compute Module 4 Rev 1.0", "pi-4", "pi-2"),
            ("Raspberry Pi 500 Rev 1.0", "pi-5", "pi-2"),
        ] {
            assert_eq!(Board::of_model(model, false).map(|board| board.name), Some(name), "{model}");
            assert_eq!(Board::of_model(model, true).map(|board| board.name), Some(on_32_bit), "{model}");
        }
        assert!(Board::of_model("Acme PC", true).is_none());
    }
}
