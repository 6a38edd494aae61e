//! `client-settings`: prints the settings, writes the files, draws the code.

use super::args::Parsed;
use super::{complain, owner, print, qr};
use crate::admin::{Form, Request, SettingsWish, exit, split_settings};
use crate::config::Config;
use rustix::termios::isatty;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// Both files may be given on; the profile can have a password in it.
const AUTOCONFIG_MODE: u32 = 0o644;
const PROFILE_MODE: u32 = 0o600;

pub(super) fn run(parsed: &Parsed, config: Config) -> u8 {
    let wish = SettingsWish {
        device: parsed.value("device"),
        new_device: parsed.value("new-device"),
        address: parsed.value("address"),
        smtp: parsed.value("smtp"),
        smtp_user: parsed.value("smtp-user"),
        autoconfig: parsed.has("autoconfig"),
        profile: parsed.has("mobileconfig"),
        code: parsed.has("qr"),
    };
    if wish.device.is_some() && wish.new_device.is_some() {
        complain("--device is for one that is there, --new-device makes one: give one of the two");
        return exit::USAGE;
    }
    if parsed.value("autoconfig").is_some() && parsed.value("autoconfig") == parsed.value("mobileconfig") {
        complain("--autoconfig and --mobileconfig make two files: give each a name of its own");
        return exit::USAGE;
    }
    // Before anything is made that could not be written.
    let opened = [("autoconfig", Form::Autoconfig, AUTOCONFIG_MODE), ("mobileconfig", Form::Profile, PROFILE_MODE)]
        .into_iter()
        .filter_map(|(option, form, mode)| Some((PathBuf::from(parsed.value(option)?), form, mode)))
        .map(|(path, form, mode)| NewFile::create(path, form, mode));
    let mut files = match opened.collect::<Result<Vec<_>, _>>() {
        Ok(files) => files,
        Err(text) => {
            complain(&text);
            return exit::FAILURE;
        }
    };
    let mut answer = Vec::new();
    let code = owner::ask_into(config, &Request::ClientSettings { name: parsed.word(0), wish }, false, &mut answer);
    if code != exit::OK {
        return code;
    }
    let Some(parts) = std::str::from_utf8(&answer).ok().and_then(split_settings) else {
        complain("the server's answer is not to be understood; it may be of another version of mailnook: restart it");
        return exit::SOFTWARE;
    };
    show(&parts, &mut files)
}

/// Prints and writes all; a file that fails does not keep the rest from being seen.
fn show(parts: &[(Form, String)], files: &mut [NewFile]) -> u8 {
    let mut code = exit::OK;
    for (form, text) in parts {
        match form {
            Form::Text | Form::CodeUse => print(text),
            Form::Code => match qr::drawing(text, isatty(std::io::stdout())) {
                Ok(drawing) => print(&format!("\n{drawing}\n")),
                Err(text) => {
                    complain(&text);
                    code = exit::FAILURE;
                }
            },
            Form::Autoconfig | Form::Profile => {
                for file in files.iter_mut().filter(|file| file.form == *form) {
                    match file.write(text) {
                        Ok(()) => print(&format!("\n{}", told(*form, file))),
                        Err(error) => {
                            complain(&format!("cannot write {}: {error}", file.path.display()));
                            code = exit::FAILURE;
                        }
                    }
                }
            }
        }
    }
    code
}

/// What a file is good for.
fn told(form: Form, file: &NewFile) -> String {
    let path = file.path.display();
    if form == Form::Autoconfig {
        format!(
            "{path} is for everybody at the domain. Thunderbird finds it as\n  \
             https://autoconfig.DOMAIN/mail/config-v1.1.xml, or as isp/DOMAIN.xml in the folder of its program.\n"
        )
    } else {
        format!(
            "{path} is for iPhone, iPad and Mac: send it there (AirDrop, a memory stick), open it, and install it in Settings\n  \
             under Profile. Where Mail still asks whether to trust the server, compare the fingerprint.\n"
        )
    }
}

/// A file that was not there before; removed again unless it gets its content.
struct NewFile {
    path: PathBuf,
    form: Form,
    file: File,
    is_whole: bool,
}

impl NewFile {
    fn create(path: PathBuf, form: Form, mode: u32) -> Result<Self, String> {
        // An empty one may be left of a try that failed.
        let is_empty = path.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
        let file = OpenOptions::new().write(true).create_new(!is_empty).mode(PROFILE_MODE).open(&path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{} is there already; remove it or choose another name", path.display())
            }
            _ => format!("cannot make {}: {error}", path.display()),
        })?;
        // Now: root becomes the owner of the mail before there is something to write.
        let closed = file.set_permissions(Permissions::from_mode(mode));
        closed.map_err(|error| format!("cannot set the permissions of {}: {error}", path.display()))?;
        Ok(Self { path, form, file, is_whole: false })
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_whole {
            let _gone = std::fs::remove_file(&self.path);
        }
    }
}
