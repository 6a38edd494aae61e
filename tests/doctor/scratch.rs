//! A folder with a configuration, a store, and a planted system.

use super::json::{Value, parse};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_mailnook");
const PASSWORD: &str = "correct horse";

/// 2026-11-27
pub const NOW: i64 = 1_795_737_600;

/// A Raspberry Pi 4 on which all is well.
const SOUND: [(&str, &str); 20] = [
    ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
    ("proc/meminfo", "MemTotal:        1893256 kB\nMemFree:          903256 kB\nMemAvailable:    1503256 kB\n"),
    ("proc/self/mountinfo", "25 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw\n"),
    ("proc/self/smaps", "5500-5501 r--p 0 b3:02 1 /usr/bin/mailnook\nSize: 4 kB\nKernelPageSize:        4 kB\n"),
    ("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 500000 0 100\n"),
    ("proc/vmstat", "nr_free_pages 1\noom_kill 0\n"),
    ("proc/cmdline", "console=tty1 root=PARTUUID=1-02 rootfstype=ext4 rootwait\n"),
    ("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t50\t1\n"),
    ("proc/1/comm", "systemd\n"),
    (
        "proc/net/tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
    ),
    ("proc/net/fib_trie", "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.168.1.9\n        /32 host LOCAL\n"),
    ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n"),
    ("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n"),
    ("sys/bus/mmc/devices/mmc0:aaaa/type", "MMC\n"),
    ("sys/bus/mmc/devices/mmc0:aaaa/name", "BJTD4R\n"),
    ("sys/bus/mmc/devices/mmc0:aaaa/life_time", "0x02 0x01\n"),
    ("sys/bus/mmc/devices/mmc0:aaaa/pre_eol_info", "0x01\n"),
    ("run/systemd/timesync/synchronized", ""),
    ("answers/space", "31000000000 20000000000 1900000 1700000\n"),
    ("answers/names", "mail.home.example 192.168.1.9\n"),
];

/// One line of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub level: String,
    pub check: String,
    pub text: String,
    pub fix: Option<String>,
}

/// What a run of doctor said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub findings: Vec<Finding>,
}

impl Said {
    /// Whether there is a finding with that level, that check, and these parts of text and fix.
    pub fn has(&self, (level, check, text, fix): (&str, &str, &str, &str)) -> bool {
        self.findings.iter().any(|finding| {
            let own = finding.fix.as_deref().unwrap_or_default();
            finding.level == level && finding.check == check && finding.text.contains(text) && own.contains(fix)
        })
    }

    pub fn wrong(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| ["warning", "fault"].contains(&finding.level.as_str())).collect()
    }
}

/// Removed at the end.
pub struct Place {
    pub folder: PathBuf,
}

impl Place {
    /// With a store and the user anna; nothing listens on a fixed port.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("mailnook-doctor-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let place = Self { folder };
        place.configure("");
        place.plant();
        let mut add = place.command(&["user", "add", "anna", "--password-stdin"]);
        let mut child = add.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
        child.stdin.take().expect("piped").write_all(PASSWORD.as_bytes()).expect("writes");
        assert!(child.wait().expect("ends").success());
        place
    }

    /// Writes the configuration; `listen` replaces the listeners on loopback where it is not empty.
    pub fn configure(&self, listen: &str) {
        let usual = "imap = '127.0.0.1:0'\nimaps = '127.0.0.1:0'\npop3 = '127.0.0.1:0'\npop3s = '127.0.0.1:0'\nlmtp = '127.0.0.1:0'\n";
        let listen = if listen.is_empty() { usual } else { listen };
        self.configure_all(&format!("[listen]\n{listen}"));
    }

    /// Writes the configuration with these sections.
    pub fn configure_all(&self, sections: &str) {
        let text = format!(
            "data_dir = 'data'\nhostname = 'mail.home.example'\ndomains = ['home.example']\n\
             [auth]\nargon2_memory = '1 MiB'\nargon2_passes = 1\n{sections}"
        );
        std::fs::write(self.config(), text).expect("writes");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("mailnook.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// A sound system, whatever was planted before.
    pub fn plant(&self) {
        let _absent = std::fs::remove_dir_all(self.root());
        for (path, text) in SOUND {
            self.put(path, text);
        }
        self.put("answers/now", &NOW.to_string());
    }

    /// Plants a file; with the text `-` it is taken away.
    pub fn put(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        if text == "-" {
            std::fs::remove_file(path).expect("was there");
        } else {
            std::fs::create_dir_all(path.parent().expect("has one")).expect("makes");
            std::fs::write(path, text).expect("writes");
        }
    }

    pub fn link(&self, path: &str, target: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("makes");
        std::os::unix::fs::symlink(target, path).expect("links");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(&self.folder).env("MAILNOOK_CONFIG", self.config()).env_remove("RUST_LOG");
        command
    }

    /// What a command prints; it must succeed.
    pub fn output(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs doctor on the planted system.
    pub fn doctor(&self) -> Said {
        let root = self.root();
        self.doctor_with(&["--root", root.to_str().expect("UTF-8")])
    }

    /// Runs doctor with these options and `--json`.
    pub fn doctor_with(&self, options: &[&str]) -> Said {
        let output = self.command(&["doctor", "--json"]).args(options).output().expect("runs");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.stderr.is_empty(), "{:?}", String::from_utf8_lossy(&output.stderr));
        Said { code: output.status.code().unwrap_or(-1), findings: findings(&out), out }
    }

    pub fn serve(&self) -> Server {
        let mut child = self.command(&["serve"]).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("listening: control")), "the server does not start");
        // Its log must not fill the pipe.
        std::thread::spawn(move || lines.count());
        Server { child }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _absent = std::fs::remove_dir_all(&self.folder);
    }
}

fn findings(out: &str) -> Vec<Finding> {
    let Value::List(items) = parse(out) else { panic!("no list: {out}") };
    let text = |value: Option<Value>| match value {
        Some(Value::Text(text)) => text,
        other => panic!("no text: {other:?}"),
    };
    let finding = |item: Value| {
        let Value::Object(mut object) = item else { panic!("no object: {item:?}") };
        let fix = object.remove("fix").expect("has a fix");
        let fix = if fix == Value::Null { None } else { Some(text(Some(fix))) };
        let mut take = |name: &str| text(object.remove(name));
        let finding = Finding { level: take("level"), check: take("check"), text: take("text"), fix };
        assert!(object.is_empty(), "unknown members: {object:?}");
        finding
    };
    items.into_iter().map(finding).collect()
}

/// Ends with the value.
pub struct Server {
    pub child: Child,
}

impl Server {
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        assert!(self.child.wait().expect("ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Writes a self-signed certificate and its key, valid from and to these years.
pub fn certificate(folder: &Path, names: &[&str], years: (i32, i32)) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), certificate.pem()).expect("writes");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("writes");
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.join("key.pem"), closed).expect("sets");
}
