//! `serve`: the server, and what is printed for whoever tries mailnook for the first time.

use super::{complain, print};
use crate::admin::exit;
use crate::admin::shell_word;
use crate::config::Config;
use crate::server::systemd::Manager;
use crate::server::{self, Server};
use std::path::{Path, PathBuf};

/// The user that is made when somebody tries mailnook without a configuration.
const FIRST_USER: &str = "me";

pub(super) fn run(config: Config) -> u8 {
    let trying = config.file.is_none();
    let manager = Manager::find();
    match start(config, trying) {
        Ok(server) => {
            server.run(&manager);
            exit::OK
        }
        Err(failure) => {
            for text in &failure.texts {
                complain(text);
            }
            manager.status(&failure.texts.join("; "));
            failure.code
        }
    }
}

fn start(config: Config, trying: bool) -> Result<Server, server::Failure> {
    let server = Server::start(config)?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("mailnook"));
    let users = server.users()?;
    if trying {
        let password = if users.is_empty() { Some(server.create_user(FIRST_USER)?) } else { None };
        let user = users.first().map_or(FIRST_USER, String::as_str);
        print(&welcome(&server, &program, user, password.as_deref()));
    } else if users.is_empty() {
        log::warn!("there are no users yet; `mailnook user add NAME` makes one");
    }
    Ok(server)
}

fn welcome(server: &Server, program: &Path, user: &str, password: Option<&str>) -> String {
    let (program, data) = (shell_word(program), shell_word(server.data_dir()));
    let login = match password {
        // These two lines are for scripts as well: they keep their form.
        Some(password) => format!("user: {user}\npassword: {password}\n\nThe password is shown this once."),
        None => format!("Forgot a password? {program} user passwd {user} --data {data}"),
    };
    let places = server.places();
    let width = places.iter().map(|(_, place, _)| place.chars().count()).max().unwrap_or(0);
    let row = |(protocol, place, how): &(&str, String, &str)| format!("  {protocol:<6} {place:<width$}  {how}\n");
    let places = places.iter().fold(String::new(), |table, place| table + &row(place));
    let fingerprint = server.fingerprint();
    format!(
        "{login}\n\nmailnook listens on this machine:\n{places}\
         The certificate is self-signed; its SHA-256 fingerprint is\n  {fingerprint}\n\n\
         Send a first mail into it:\n  \
         printf 'Subject: hello\\n\\nFirst mail.\\n' | {program} deliver --data {data} -r {user}\n\n\
         Ctrl-C ends it.\n"
    )
}
