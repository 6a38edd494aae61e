//! The `mailnook` program: hands its arguments to [`mailnook::cli`] and owns the log.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mailnook::cli::run(std::env::args_os().skip(1), start_log))
}

/// One line per event on standard error: time, level, text. Under systemd, which adds the time itself, the level is
/// given in the form that the journal understands (sd-daemon(3)).
fn start_log(level: log::LevelFilter) {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level).parse_default_env().format(move |out, record| {
        // A line end in a text, whoever made it, must not begin a line that looks like another event.
        let text = record.args().to_string().replace(|c: char| c.is_control(), "?");
        if journal {
            return writeln!(out, "<{}>{text}", priority(record.level()));
        }
        let time = chrono::Local::now().format("%Y-%m-%dT%H:%M:%S%:z");
        writeln!(out, "{time} {:<5} {text}", record.level())
    });
    // A second logger is a fault of nobody but tests; the first one stays.
    let _started = builder.try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        log::error!("fault in mailnook at {place}: {}", payload(panic.payload()));
    }));
}

/// syslog's severities.
const fn priority(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 3,
        log::Level::Warn => 4,
        log::Level::Info => 6,
        log::Level::Debug | log::Level::Trace => 7,
    }
}

fn payload(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
}
