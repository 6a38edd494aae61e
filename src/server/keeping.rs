//! What the server does by itself: removes what is older than it is kept, warns users whose account
//! fills up, and makes room where the disk is short.

use super::Shared;
use super::leap::Leaps;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server that was just started may not have the right time yet: boards get theirs from the network.
const FIRST_SWEEP: u32 = 10;
/// Minutes from one sweep to the next.
const SWEEP_EVERY: u32 = 60;

enum Wake {
    Minute,
    Attention,
    End,
}

/// Runs until the server ends.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut minutes = 0_u32;
    let now = || (shared.core.now(), Instant::now());
    let (clock, at) = now();
    let mut leaps = Leaps::new(shared.core.latest().unwrap_or(clock), clock, at);
    loop {
        let waiting = async {
            async_io::Timer::after(Duration::from_mins(1)).await;
            Wake::Minute
        };
        let attention = async {
            shared.core.attention().await;
            Wake::Attention
        };
        let ended = async {
            shared.shutdown.wait().await;
            Wake::End
        };
        match smol::future::or(ended, smol::future::or(attention, waiting)).await {
            Wake::End => return,
            Wake::Attention => {
                shared.core.warn().await;
                continue;
            }
            Wake::Minute => {}
        }
        minutes = minutes.wrapping_add(1);
        match shared.core.make_room().await {
            Ok(0) => {}
            Ok(number) => log::warn!("the disk is short: gave up {number} expunged messages before their time"),
            Err(error) => log::error!("making room failed: {error:?}"),
        }
        let (clock, at) = now();
        if let Some(days) = leaps.look(clock, at) {
            log::warn!("the clock went forward by {days} days: nothing is removed for a day; if it is wrong, set it");
        }
        if minutes >= FIRST_SWEEP && minutes % SWEEP_EVERY == FIRST_SWEEP && !leaps.pauses(at) {
            sweep(&shared).await;
        }
    }
}

async fn sweep(shared: &Shared) {
    if let Err(error) = shared.core.upkeep().await {
        log::error!("applying the POP3 rules failed: {error:?}");
    }
    match shared.core.sweep(false).await {
        Ok(swept) if swept.clock_is_behind => {
            log::warn!(
                "the clock is behind the newest mail: nothing is removed until it is right, or until `mailnook trust-clock` says that it is"
            );
        }
        Ok(swept) => {
            for ((user, mailbox), (messages, octets)) in swept.expired {
                log::info!(
                    "retention: user={user} mailbox={mailbox:?}: {messages} messages of {octets} octets expired"
                );
            }
            for (user, (messages, octets)) in swept.removed {
                log::info!("retention: user={user}: {messages} expunged messages of {octets} octets went for good");
            }
        }
        Err(error) => log::error!("removing old mail failed: {error:?}"),
    }
}
