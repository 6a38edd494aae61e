//! The client's side: sends a request, feeds it standard input, prints what comes back.

use super::exit;
use super::frame::{self, Kind};
use super::request::Request;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// Octets of standard input in one frame.
const PIECE: usize = 32 * 1024;

/// Where a request takes its input from.
pub type Input = Box<dyn Read + Send>;

/// Runs `request` at the other end of `stream` and gives its exit code. `input` is read only by a request that takes
/// input; it is streamed, never held. `out` and `errors` get the command's texts.
pub fn call(stream: &UnixStream, request: &Request, input: Input, out: &mut dyn Write, errors: &mut dyn Write) -> u8 {
    let code = match start(stream, request, input) {
        Ok(()) => replies(stream, out, errors),
        Err(error) => {
            let _lost = writeln!(errors, "mailnook: cannot ask the server: {error}");
            exit::TEMPORARY
        }
    };
    // The thread that feeds the input may wait for it for ever; it must not keep the other end waiting.
    let _closed = stream.shutdown(Shutdown::Both);
    code
}

fn start(stream: &UnixStream, request: &Request, input: Input) -> io::Result<()> {
    let octets = request.encode().ok_or_else(|| io::Error::other("the command has too many or too long arguments"))?;
    let mut writer = stream.try_clone()?;
    frame::write_blocking(&mut writer, Kind::Request, &octets)?;
    if request.takes_input() {
        // A thread of its own, so that an answer is heard at once even while input is still coming or never ends.
        std::thread::Builder::new().name("input".to_owned()).spawn(move || feed(&mut writer, input))?;
    }
    Ok(())
}

/// Sends the whole input and its end. Without the end nothing is delivered, so a failure needs no word of its own.
fn feed(writer: &mut UnixStream, mut input: Input) {
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Ok(0) => {
                let _gone = frame::write_blocking(writer, Kind::InputEnd, &[]);
                return;
            }
            Ok(count) => {
                let octets = piece.get(..count).unwrap_or_default();
                if frame::write_blocking(writer, Kind::Input, octets).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let _lost = writeln!(io::stderr(), "mailnook: cannot read the message: {error}");
                let _closed = writer.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}

fn replies(mut stream: &UnixStream, out: &mut dyn Write, errors: &mut dyn Write) -> u8 {
    loop {
        let frame = match frame::read_blocking(&mut stream) {
            Ok(frame) => frame,
            Err(error) => {
                let _lost = writeln!(errors, "mailnook: the server ended the command before its answer ({error})");
                return exit::TEMPORARY;
            }
        };
        // A closed standard output (`mailnook user list | head -1`) does not undo the command.
        let _lost = match frame.kind {
            Kind::Output => out.write_all(&frame.payload).and_then(|()| out.flush()),
            Kind::ErrorOutput => errors.write_all(&frame.payload),
            Kind::Exit => return frame.payload.first().copied().unwrap_or(exit::SOFTWARE),
            Kind::Request | Kind::Input | Kind::InputEnd => Ok(()),
        };
    }
}
