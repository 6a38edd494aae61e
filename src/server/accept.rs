//! From an accepted connection to a session under supervision.

use super::Shared;
use super::bind::Bound;
use super::session;
use crate::admin::Protocol;
use crate::net::{Class, Connection};
use smol::future::{self, FutureExt};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Limit: administrative commands at the same time.
const CONTROL_MAX: u64 = 64;

/// A peer that is turned away gets its reason within this time, or none.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// Limit: peers that are being turned away at the same time; more are cut without a word.
const REFUSALS_MAX: usize = 50;

/// Accepts until the server stops.
pub(super) async fn run(shared: Arc<Shared>, bound: Bound) {
    let Bound { protocol, listener } = bound;
    let refusals = Arc::new(());
    let accepting = async {
        loop {
            take(&shared, protocol, listener.accept().await, &refusals);
        }
    };
    future::or(accepting, shared.shutdown.wait()).await;
}

/// Starts the session of a new connection, or refuses it. `refusals` counts by its clones.
fn take(shared: &Arc<Shared>, protocol: Protocol, mut connection: Connection, refusals: &Arc<()>) {
    connection.set_write_timeout(shared.config.limits.write);
    let admission = match protocol {
        Protocol::Control if shared.registry.now(protocol) >= CONTROL_MAX => return shared.registry.refused(),
        Protocol::Control => Ok(None),
        Protocol::Lmtp => shared.limiter.admit(connection.peer(), Class::Lmtp).map(Some),
        Protocol::Imap | Protocol::Imaps | Protocol::Pop3 | Protocol::Pop3s => {
            shared.limiter.admit(connection.peer(), Class::Login).map(Some)
        }
    };
    let counted = shared.registry.enter(protocol);
    match admission {
        Ok(admission) => {
            let shared_too = Arc::clone(shared);
            let session = async move {
                let peer = *connection.peer();
                let session = session::run(&shared_too, protocol, connection, admission);
                if !survives(session).await {
                    log::error!("{}: the session of {peer} ended by a fault in mailnook", protocol.name());
                    shared_too.registry.panicked();
                }
                drop(counted);
            };
            shared.executor.spawn(session).detach();
        }
        Err(refusal) => {
            log::info!("{}: connection of {} refused: {refusal}", protocol.name(), connection.peer());
            shared.registry.refused();
            drop(counted);
            if protocol.is_implicit_tls() || Arc::strong_count(refusals) > REFUSALS_MAX {
                return;
            }
            let counted = Arc::clone(refusals);
            let farewell = async move {
                connection.set_write_timeout(REFUSAL_TIMEOUT);
                connection.queue(session::refusal(protocol, refusal).as_bytes());
                connection.close().await;
                drop(counted);
            };
            shared.executor.spawn(farewell).detach();
        }
    }
}

/// Runs a session; whether it ended without a panic, of which the hook has logged where and why. Nothing that a session
/// leaves behind is used again but what sessions share, and that is changed under locks which a panic does not spoil.
async fn survives(session: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(session).catch_unwind().await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_its_session_alone() {
        let panics = async {
            future::yield_now().await;
            panic!("planted");
        };
        assert!(!smol::block_on(survives(panics)));
        assert!(smol::block_on(survives(async { future::yield_now().await })));
    }
}
