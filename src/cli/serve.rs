//! `serve`: the server, and what is printed for whoever tries mailnook for the first time.

use super::{complain, print, shell_word};
use crate::admin::exit;
use crate::config::Config;
use crate::server::{self, Server};
use std::path::{Path, PathBuf};

/// The user that is made when somebody tries mailnook without a configuration.
const FIRST_USER: &str = "me";

pub(super) fn run(config: Config) -> u8 {
    let trying = config.file.is_none();
    match start(config, trying) {
        Ok(server) => {
            server.run();
            exit::OK
        }
        Err(failure) => {
            for text in &failure.texts {
                complain(text);
            }
            failure.code
        }
    }
}

fn start(config: Config, trying: bool) -> Result<Server, server::Failure> {
    let server = Server::start(config)?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("mailnook"));
    if trying {
        let password = if server.has_users()? { None } else { Some(server.create_user(FIRST_USER)?) };
        print(&welcome(&server, &program, password.as_deref()));
    } else if !server.has_users()? {
        log::warn!("there are no users yet; `mailnook user add NAME` makes one");
    }
    Ok(server)
}

fn welcome(server: &Server, program: &Path, password: Option<&str>) -> String {
    let (program, data) = (shell_word(program), shell_word(server.data_dir()));
    let mut text = match password {
        // These two lines are for scripts as well: they keep their form.
        Some(password) => format!("user: {FIRST_USER}\npassword: {password}\n\nThe password is shown this once.\n"),
        None => format!(
            "Log in with the password of the first start; a new one: {program} user passwd {FIRST_USER} --data {data}\n"
        ),
    };
    text += "\nmailnook listens on this machine:\n";
    for (protocol, place, how) in server.places() {
        text += format!("  {protocol:<6} {place:<28} {how}").trim_end();
        text += "\n";
    }
    let fingerprint = server.fingerprint();
    text += &format!("The certificate is self-signed; its SHA-256 fingerprint is\n  {fingerprint}\n");
    text += &format!(
        "\nSend a first mail into it:\n  \
         printf 'Subject: hello\\n\\nFirst mail.\\n' | {program} deliver --data {data} -r {FIRST_USER}\n"
    );
    text += "\nCtrl-C ends it.\n";
    text
}
