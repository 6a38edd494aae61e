//! Runs a command where the store is: in the server, or here when no server runs.

use super::complain;
use crate::admin::{self, Access, Context, DataDir, Input, Request, exit};
use crate::auth::Cost;
use crate::config::Config;
use crate::net::Connection;
use async_signal::{Signal, Signals};
use smol::Async;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

/// Limit: octets of the input that are read before the store is taken.
const HELD_MAX: u64 = 1 << 20;

/// Runs `request`, with standard input where it takes some, and gives its exit code.
/// With `create` the data directory is made where it is missing.
pub(super) fn ask(config: Config, request: &Request, create: bool) -> u8 {
    ask_into(config, request, create, &mut io::stdout())
}

/// The same; what the command prints goes to `out`.
pub(super) fn ask_into(config: Config, request: &Request, create: bool, out: &mut dyn Write) -> u8 {
    if !create && has_no_store(&config.data_dir) {
        complain(&format!(
            "{} has no mail store; `mailnook serve` or `mailnook user add` makes one, or data_dir is wrong",
            config.data_dir.display()
        ));
        return exit::TEMPORARY;
    }
    let mut input: Input = Box::new(io::stdin());
    let mut access = Access::reach(&config.data_dir, create);
    if request.takes_input() && matches!(access, Ok(Access::Owner(_))) {
        // Whoever is slow to send it must not keep a server from starting meanwhile.
        drop(access);
        input = match begin(input) {
            Ok(input) => input,
            Err(error) => {
                complain(&format!("cannot read the message: {error}"));
                return exit::TEMPORARY;
            }
        };
        access = Access::reach(&config.data_dir, create);
    }
    match access {
        Ok(Access::Server(stream)) => call(&stream, request, input, out),
        Ok(Access::Owner(data_dir)) => alone(config, &data_dir, request, input, out),
        Err(refused) => {
            complain(&refused.text);
            refused.code
        }
    }
}

/// Reads the input up to its end or to [`HELD_MAX`]; what gives all of it.
fn begin(mut input: Input) -> io::Result<Input> {
    let mut held = Vec::new();
    input.by_ref().take(HELD_MAX).read_to_end(&mut held)?;
    let is_whole = u64::try_from(held.len()).is_ok_and(|length| length < HELD_MAX);
    let held = io::Cursor::new(held);
    // Behind the end of what a terminal sends comes the next line that is typed.
    Ok(if is_whole { Box::new(held) } else { Box::new(held.chain(input)) })
}

/// Whether this is a directory in which no server ever was, nor is one beginning: nothing is to be made there.
fn has_no_store(data_dir: &Path) -> bool {
    let lacks = |name: &str| {
        let found = data_dir.join(name).symlink_metadata();
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    data_dir.is_dir() && lacks("store") && lacks("lock")
}

fn call(stream: &UnixStream, request: &Request, input: Input, out: &mut dyn Write) -> u8 {
    admin::call(stream, request, input, out, &mut io::stderr())
}

/// Opens the store and serves the one request over a socket pair, so that commands have one way through.
fn alone(mut config: Config, data_dir: &DataDir, request: &Request, input: Input, out: &mut dyn Write) -> u8 {
    config.set_data_dir(data_dir.path().to_owned());
    // MTAs limit the files of the commands that they run: a write is to fail then, and not to end the process.
    let _caught = Signals::new([Signal::Xfsz]);
    let core = match admin::open(&config, data_dir) {
        Ok(core) => core,
        Err(text) => {
            complain(&text);
            return exit::TEMPORARY;
        }
    };
    let cost = Cost::open(&config.auth, data_dir.path());
    let context = Arc::new(Context { core: Arc::clone(&core), config: Arc::new(config), cost, running: None });
    let code = match serve_in_thread(context) {
        Ok((stream, thread)) => {
            let code = call(&stream, request, input, out);
            // A panic there was told by the hook, and `call` knows of it as a broken connection.
            let _panicked = thread.join();
            code
        }
        Err(error) => {
            complain(&error.to_string());
            exit::TEMPORARY
        }
    };
    core.close();
    code
}

fn serve_in_thread(context: Arc<Context>) -> io::Result<(UnixStream, std::thread::JoinHandle<()>)> {
    let (client, server) = UnixStream::pair()?;
    let connection = Connection::unix(Async::new(server)?);
    let thread = std::thread::Builder::new().name("command".to_owned());
    Ok((client, thread.spawn(move || smol::block_on(admin::serve(connection, context)))?))
}
