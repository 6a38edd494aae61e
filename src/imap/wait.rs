//! Waiting for the client, but not for ever: it has its time, and the server may be told to stop.

use super::reply::Failure;
use crate::net::{ReadError, Shutdown};
use async_io::Timer;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

/// Said to a client that was silent for too long (RFC 9051 §5.4).
pub const SILENT: &str = "Autologout, idle for too long";
/// Said to every client when the server stops.
pub const STOPPING: &str = "[UNAVAILABLE] The server is stopping";

/// Waits for input until `deadline`, and no longer than until the server stops. The future is borrowed: a thousand
/// clients wait here, and none shall pay for a copy of it.
///
/// # Errors
/// `Bye` with the reason, or what the input failed with.
pub async fn input<T>(
    mut future: Pin<&mut impl Future<Output = Result<T, ReadError>>>,
    deadline: Instant,
    shutdown: &Shutdown,
) -> Result<T, Failure> {
    let mut late = Timer::at(deadline);
    let mut stop = pin!(shutdown.wait());
    poll_fn(|context| {
        if let Poll::Ready(outcome) = future.as_mut().poll(context) {
            return Poll::Ready(outcome.map_err(Failure::from));
        }
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Failure::Bye(STOPPING)));
        }
        Pin::new(&mut late).poll(context).map(|_| Err(Failure::Bye(SILENT)))
    })
    .await
}
