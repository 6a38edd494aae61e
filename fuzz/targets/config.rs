//! The configuration file: any text is either a configuration or a list of problems.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::config::Config;

fuzz_target!(|text: &str| {
    if let Err(problems) = Config::parse(text) {
        assert!(!problems.is_empty());
    }
});
