//! The data directory and who owns it: one process at a time, by a lock that ends with the process.

use super::{exit, privilege};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a command waits for another short command, or for a server that is just starting.
const WAIT: Duration = Duration::from_secs(10);
const WAIT_STEP: Duration = Duration::from_millis(50);

/// Where unix socket paths end (sun_path).
const SOCKET_PATH_MAX: usize = 107;

/// Why the data directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The exit code.
    pub code: u8,
    /// For the operator.
    pub text: String,
}

impl Refused {
    fn new(code: u8, text: String) -> Self {
        Self { code, text }
    }

    fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let code = if error.kind() == io::ErrorKind::PermissionDenied { exit::PERMISSION } else { exit::TEMPORARY };
        Self::new(code, format!("{what} {}: {error}", path.display()))
    }
}

/// The data directory, owned by this process while the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// How a command gets at the store.
#[derive(Debug)]
pub enum Access {
    /// By the server that runs.
    Server(UnixStream),
    /// By itself.
    Owner(DataDir),
}

impl DataDir {
    /// Takes the directory for a server; makes it where it is missing.
    ///
    /// # Errors
    /// Another process has it, or it cannot be made or written.
    pub fn claim(path: &Path) -> Result<Self, Refused> {
        create(path)?;
        let path = settle(path)?;
        let socket = control_socket(&path);
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            let text =
                format!("the path {} is too long for a unix socket; choose a shorter data_dir", socket.display());
            return Err(Refused::new(exit::CONFIG, text));
        }
        let deadline = Instant::now() + WAIT;
        loop {
            match try_lock(&path)? {
                Ok(lock) => return Ok(Self { path, _lock: lock }),
                Err(owner) if UnixStream::connect(&socket).is_ok() => {
                    let text = format!("another mailnook{owner} already serves {}", path.display());
                    return Err(Refused::new(exit::TEMPORARY, text));
                }
                Err(owner) if Instant::now() >= deadline => return Err(in_use(&path, &owner)),
                Err(_) => std::thread::sleep(WAIT_STEP),
            }
        }
    }

    /// Its path, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store inside.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// The control socket inside.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        control_socket(&self.path)
    }
}

impl Access {
    /// Reaches the store at `path`: by its server where one runs, else by taking the directory. With `create` the
    /// directory is made where it is missing.
    ///
    /// # Errors
    /// It is missing, not ours, or held by a process that does not answer.
    pub fn reach(path: &Path, create_missing: bool) -> Result<Self, Refused> {
        if create_missing {
            create(path)?;
        }
        let path = settle(path)?;
        let socket = control_socket(&path);
        let deadline = Instant::now() + WAIT;
        loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => return Ok(Self::Server(stream)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Refused::io("cannot use", &socket, &error));
                }
                // Nobody listens: no server, or one that is starting or ending.
                Err(_) => {}
            }
            match try_lock(&path)? {
                Ok(lock) => return Ok(Self::Owner(DataDir { path, _lock: lock })),
                Err(owner) if Instant::now() >= deadline => return Err(in_use(&path, &owner)),
                Err(_) => std::thread::sleep(WAIT_STEP),
            }
        }
    }
}

fn control_socket(path: &Path) -> PathBuf {
    path.join("control.sock")
}

/// Private, whatever the umask: the key and everybody's mail are in it.
fn create(path: &Path) -> Result<(), Refused> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Refused::io("cannot make the data directory", path, &error))
}

/// The absolute path of a directory that this user may own; root becomes its owner.
fn settle(path: &Path) -> Result<PathBuf, Refused> {
    let absolute = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refused::new(
            exit::TEMPORARY,
            format!("there is no data directory {}; `mailnook serve` or `mailnook user add` makes it", path.display()),
        ),
        _ => Refused::io("cannot use the data directory", path, &error),
    })?;
    let metadata = absolute.metadata().map_err(|error| Refused::io("cannot use", &absolute, &error))?;
    if !metadata.is_dir() {
        return Err(Refused::new(exit::CONFIG, format!("{} is not a directory; set data_dir", absolute.display())));
    }
    if let Err(error) = privilege::become_owner(&metadata) {
        let (path, owner) = (absolute.display(), metadata.uid());
        let text = format!(
            "{path} belongs to user {owner}, and root cannot become that user ({error}); \
             try: setpriv --reuid={owner} --clear-groups mailnook ..."
        );
        return Err(Refused::new(exit::PERMISSION, text));
    }
    Ok(absolute)
}

/// The lock, or who has it (a text to put behind "mailnook").
fn try_lock(path: &Path) -> Result<Result<File, String>, Refused> {
    let path = path.join("lock");
    let cannot = |error: io::Error| Refused::io("cannot use", &path, &error);
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(cannot)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            // For people only; the lock is what counts.
            let _unnamed =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(Ok(file))
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut owner = String::new();
            // Limit: a process id is short.
            let _unnamed = file.take(16).read_to_string(&mut owner);
            let owner = owner.trim().parse::<u32>().map_or_else(|_| String::new(), |pid| format!(" (process {pid})"));
            Ok(Err(owner))
        }
        Err(error) => Err(cannot(error.into())),
    }
}

fn in_use(path: &Path, owner: &str) -> Refused {
    let text = format!(
        "{} is in use by another mailnook{owner} which does not answer; wait for it or end it, then try again",
        path.display()
    );
    Refused::new(exit::TEMPORARY, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mailnook-{name}-{}", std::process::id()));
            let _absent = std::fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _absent = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_directory_is_private_and_has_one_owner() {
        let temporary = Temporary::new("lock");
        let refused = Access::reach(&temporary.0, false).expect_err("is missing");
        assert!(refused.text.contains("there is no data directory"), "{refused:?}");

        let owner = DataDir::claim(&temporary.0).expect("is free");
        assert_eq!(temporary.0.metadata().expect("exists").mode() & 0o777, 0o700);
        let taken = try_lock(owner.path()).expect("can be tried").expect_err("is taken");
        assert_eq!(taken, format!(" (process {})", std::process::id()));
        drop(owner);
        assert!(matches!(Access::reach(&temporary.0, false), Ok(Access::Owner(_))));
    }

    #[test]
    fn a_command_waits_for_a_short_one() {
        let temporary = Temporary::new("wait");
        let owner = DataDir::claim(&temporary.0).expect("is free");
        let waiting = std::thread::spawn({
            let path = temporary.0.clone();
            move || Access::reach(&path, false).map(|access| matches!(access, Access::Owner(_)))
        });
        std::thread::sleep(2 * WAIT_STEP);
        drop(owner);
        assert_eq!(waiting.join().expect("ends"), Ok(true));
    }

    #[test]
    fn a_server_that_answers_is_used_and_not_doubled() {
        let temporary = Temporary::new("server");
        let owner = DataDir::claim(&temporary.0).expect("is free");
        let _listener = UnixListener::bind(owner.control_socket()).expect("binds");
        assert!(matches!(Access::reach(&temporary.0, false), Ok(Access::Server(_))));
        let refused = DataDir::claim(&temporary.0).expect_err("is taken");
        assert!(refused.text.contains("already serves"), "{refused:?}");
    }

    #[test]
    fn a_stale_socket_is_nobody() {
        let temporary = Temporary::new("stale");
        let owner = DataDir::claim(&temporary.0).expect("is free");
        drop(UnixListener::bind(owner.control_socket()).expect("binds"));
        drop(owner);
        assert!(matches!(Access::reach(&temporary.0, false), Ok(Access::Owner(_))));
    }

    #[test]
    fn unusable_paths_have_their_reason() {
        let temporary = Temporary::new("paths");
        std::fs::write(&temporary.0, "").expect("writes");
        assert!(Access::reach(&temporary.0, false).expect_err("no directory").text.contains("is not a directory"));
        std::fs::remove_file(&temporary.0).expect("removes");
        let long = temporary.0.join("x".repeat(100));
        assert!(DataDir::claim(&long).expect_err("too long").text.contains("too long for a unix socket"));
    }
}
