//! IDLE (RFC 2177): tells changes as they happen until the client says DONE.
//!
//! Invariant: the watch is armed before each synchronisation, so that nothing happens unnoticed between
//! looking and waiting. The future is small, because a thousand clients wait in it.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::sync::{Manner, Selected};
use crate::imap::wait;
use crate::imap::wire::is_done;
use crate::mailbox::Watch;
use crate::net::{Connection, ReadError, Shutdown};
use smol::future::or;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Limit: octets of the line that ends the command.
const DONE_MAX: usize = 256;

enum Wake {
    Line(Result<Vec<u8>, ReadError>),
    Change,
}

/// Waits, telling what changes in the mailbox that is selected, if any.
///
/// # Errors
/// BAD where the client says anything but DONE; `Bye` where it is silent for `limit`.
pub async fn run(
    connection: &mut Connection,
    selected: Option<(&mut Selected, Watch)>,
    limit: Duration,
    shutdown: &Shutdown,
) -> Result<Reply, Failure> {
    let deadline = Instant::now() + limit;
    connection.queue(b"+ idling\r\n");
    let line = if let Some((selected, watch)) = selected {
        follow(connection, selected, watch, deadline, shutdown).await?
    } else {
        connection.flush().await?;
        let line = pin!(async { Ok(connection.line(DONE_MAX).await) });
        wait::input(line, deadline, shutdown).await?
    };
    match line {
        Ok(line) if is_done(&line) => Ok(Reply::ok("IDLE completed")),
        Ok(_) | Err(ReadError::TooLong) => Err(Reply::bad("Expected DONE").into()),
        Err(error) => Err(error.into()),
    }
}

async fn follow(
    connection: &mut Connection,
    selected: &mut Selected,
    mut watch: Watch,
    deadline: Instant,
    shutdown: &Shutdown,
) -> Result<Result<Vec<u8>, ReadError>, Failure> {
    loop {
        watch.arm();
        // Boxed: its state is there only while there is something to tell.
        let out = &mut Output::new(connection, selected.enabled);
        Box::pin(selected.sync(out, Manner { expunges: true, uids: false })).await?;
        connection.flush().await?;
        let line = pin!(async { Wake::Line(connection.line(DONE_MAX).await) });
        let change = pin!(async {
            watch.changed().await;
            Wake::Change
        });
        let woken = pin!(async { Ok(or(line, change).await) });
        match wait::input(woken, deadline, shutdown).await? {
            Wake::Line(line) => return Ok(line),
            Wake::Change => {}
        }
    }
}
