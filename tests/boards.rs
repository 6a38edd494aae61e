//! What is chosen for a board: a preset of the configuration, and the cost of password hashes, measured at the first start.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A directory with a configuration, removed at the end with the server in it.
struct Place {
    directory: PathBuf,
    server: Option<Child>,
}

impl Place {
    fn new(name: &str, config: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("mailnook-boards-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let listen = "[listen]\nimap = []\nimaps = '127.0.0.1:0'\npop3 = []\npop3s = []\nlmtp = []\n";
        std::fs::write(directory.join("mailnook.toml"), format!("data_dir = 'data'\n{config}{listen}"))
            .expect("writes");
        Self { directory, server: None }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailnook"));
        command.args(arguments).current_dir(&self.directory).env("MAILNOOK_CONFIG", self.path("mailnook.toml"));
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().expect("runs");
        let text = |octets| String::from_utf8(octets).expect("UTF-8");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    fn status(&self) -> String {
        let (_, out, errors) = self.run(&["status"]);
        let line = out.lines().find_map(|line| line.strip_prefix("passwords:"));
        line.unwrap_or_else(|| panic!("{out}{errors}")).trim().to_owned()
    }

    fn serve(&mut self) {
        let command = self.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.server = Some(command.expect("the server starts"));
    }

    /// Waits until a file is there.
    fn wait_for(&self, name: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.path(name).exists() {
            assert!(Instant::now() < deadline, "{name} does not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ended = server.kill();
            let _ended = server.wait();
        }
        let _absent = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn the_first_start_measures_and_everybody_uses_it() {
    let mut place = Place::new("first", "");
    place.serve();
    place.wait_for("data/argon2");
    place.wait_for("data/control.sock");
    let kept = std::fs::read_to_string(place.path("data/argon2")).expect("reads");
    assert!(place.status().starts_with("Argon2id with ") && place.status().ends_with("(chosen for this machine)"));
    assert_eq!(place.run(&["user", "add", "anna", "--generate"]).0, 0);
    assert_eq!(std::fs::read_to_string(place.path("data/argon2")).expect("reads"), kept, "it is measured once");

    let (code, out, errors) = place.run(&["config", "measure"]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(place.status(), format!("{} (chosen for this machine)", out.trim_end()));
    assert!(place.run(&["status", "--json"]).1.contains("\"measured\":true"));
}

#[test]
fn without_a_server_the_first_hash_measures() {
    let place = Place::new("alone", "");
    assert_eq!(place.run(&["user", "add", "anna", "--generate"]).0, 0);
    let first = place.status();
    assert!(first.contains(" ms a hash"), "{first}");
    assert_eq!(place.status(), first);
    // What is kept counts, and a weak choice is told of.
    std::fs::write(place.path("data/argon2"), "m=7168 t=1 ms=480\n").expect("writes");
    let told = "Argon2id with 7 MiB and 1 pass, 480 ms a hash, below OWASP's least (7 MiB and 5 passes, or as strong)";
    assert_eq!(place.status(), format!("{told} (chosen for this machine)"));
    std::fs::write(place.path("data/argon2"), "?").expect("writes");
    let (code, out, errors) = place.run(&["status"]);
    assert!(code == 0 && out.contains("not measured yet") && errors.contains("argon2: it is damaged"), "{out}{errors}");
}

#[test]
fn numbers_in_the_configuration_hold() {
    let place = Place::new("numbers", "[auth]\nargon2_memory = '2 MiB'\nargon2_passes = 3\n");
    assert_eq!(place.run(&["user", "add", "anna", "--generate"]).0, 0);
    assert!(place.status().starts_with("Argon2id with 2 MiB and 3 passes, below OWASP's least"), "{}", place.status());
    let (code, out, _) = place.run(&["config", "measure"]);
    assert!(code == 0 && out.contains("It is not used"), "{out}");
    assert!(place.status().ends_with("(as configured)") && !place.path("data/argon2").exists());
}

#[test]
fn every_preset_is_accepted_and_can_be_put_into_a_configuration() {
    let place = Place::new("presets", "# mine\ndomains = ['example.org']\n");
    let (code, list, errors) = place.run(&["config", "board"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("board");
    let entries =
        std::fs::read_dir(&directory).expect("the presets are there").map(|entry| entry.expect("reads").path());
    let presets: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "toml")).collect();
    assert_eq!(presets.len(), list.lines().count(), "{list}");
    for preset in presets {
        // A 32-bit system has no room for its store, and says so.
        if cfg!(target_pointer_width = "32") && preset.ends_with("pi-5.toml") {
            continue;
        }
        let checked = place.run(&["config", "check", preset.to_str().expect("UTF-8")]);
        assert!(checked.0 == 0 && checked.1.ends_with("no mistakes\n"), "{checked:?}");
        let name = preset.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert!(list.lines().any(|line| line.starts_with(name)), "{name} is not in {list}");
        let (code, merged, errors) = place.run(&["config", "board", name, "mailnook.toml"]);
        assert_eq!((code, errors.as_str()), (0, ""), "{name}");
        assert!(merged.contains("# mine\ndomains = ['example.org']\n"), "{merged}");
        std::fs::write(place.path("merged.toml"), &merged).expect("writes");
        assert_eq!(place.run(&["config", "check", "merged.toml"]).0, 0, "{merged}");
    }
}

#[test]
fn a_preset_that_cannot_be_had_has_its_reason() {
    let place = Place::new("refused", "[limits]\nconnections = 77\n");
    let (code, merged, errors) = place.run(&["config", "board", "pi-zero", "mailnook.toml"]);
    assert!(code == 0 && merged.contains("connections = 77"), "{merged}");
    assert_eq!(errors, "mailnook: left as it was: connections = 77\n");
    for (name, text) in [
        ("wrong.toml", "connection = 5\n"),
        ("dotted.toml", "limits.connections = 77\n"),
        ("inline.toml", "limits = { connections = 77 }\n"),
    ] {
        std::fs::write(place.path(name), text).expect("writes");
    }
    for (arguments, code, part) in [
        (&["config", "board", "pi-6"][..], 64, "there is no board \"pi-6\", but pi-zero, pi-2, pi-3, pi-4, pi-5"),
        (&["config", "board", "pi-4", "nowhere.toml"], 78, "nowhere.toml: cannot read it"),
        (&["config", "board", "pi-4", "wrong.toml"], 78, "wrong.toml:1: unknown key"),
        (&["config", "board", "pi-zero", "dotted.toml"], 78, "write its keys there by hand"),
        (&["config", "board", "pi-zero", "inline.toml"], 78, "write its keys there by hand"),
    ] {
        let (found, out, errors) = place.run(arguments);
        assert!(found == code && errors.contains(part), "{arguments:?}: {out}{errors}");
    }
}
