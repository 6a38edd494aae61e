//! `doctor`: what it is called with, and how its report is printed.

use super::args::Parsed;
use super::print;
use crate::config::Config;
use crate::doctor::{self, Call, Probe};
use std::path::PathBuf;

pub(super) fn run(parsed: &Parsed) -> u8 {
    let file = Config::locate(parsed.config.clone());
    let config = Config::load(file.as_deref()).map(|mut config| {
        if let Some(data) = &parsed.data {
            config.set_data_dir(data.clone());
        }
        config
    });
    let probe = Probe::new(parsed.value("root").map(PathBuf::from));
    let report = doctor::run(Call { config, file, probe, test_mail: !parsed.has("no-mail") });
    print(&report.print(parsed.has("json"), parsed.has("quiet")));
    report.exit_code()
}
