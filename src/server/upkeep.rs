//! What the server does by itself, by the clock.

use super::Shared;
use std::sync::Arc;
use std::time::Duration;

/// How often the clock is looked at. A board that slept, or got its time from the network late, is noticed so.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Seconds from one round to the next.
const ROUND_EVERY: i64 = 3600;

/// Applies the rules of all accounts from time to time, until the server stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut last = None;
    loop {
        let stopped = async {
            shared.shutdown.wait().await;
            true
        };
        let looked = async {
            async_io::Timer::after(LOOK_EVERY).await;
            false
        };
        if smol::future::or(stopped, looked).await {
            return;
        }
        let now = shared.core.now();
        if last.is_none_or(|last: i64| (now - last).abs() >= ROUND_EVERY) {
            last = Some(now);
            // Whatever failed is in the log, and is tried again in the next round.
            let _done = shared.core.upkeep().await;
        }
    }
}
