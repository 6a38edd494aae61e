//! Waiting for the client, but not for ever: it has its time, and the server may be told to stop.

use super::reply::Failure;
use crate::net::{ReadError, Shutdown};
use async_io::Timer;
use smol::future::or;
use std::time::Instant;

/// Said to a client that was silent for too long (RFC 9051 §5.4).
pub const SILENT: &str = "Autologout, idle for too long";
/// Said to every client when the server stops.
pub const STOPPING: &str = "[UNAVAILABLE] The server is stopping";

/// Waits for input until `deadline`, and no longer than until the server stops.
///
/// # Errors
/// `Bye` with the reason, or what the input failed with.
pub async fn input<T>(
    future: impl Future<Output = Result<T, ReadError>>,
    deadline: Instant,
    shutdown: &Shutdown,
) -> Result<T, Failure> {
    or(async { future.await.map_err(Failure::from) }, async {
        or(
            async {
                Timer::at(deadline).await;
                Err(Failure::Bye(SILENT))
            },
            async {
                shutdown.wait().await;
                Err(Failure::Bye(STOPPING))
            },
        )
        .await
    })
    .await
}
