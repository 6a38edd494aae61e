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
/// `latest`: the last moment that was stored before the server began to serve.
pub(super) async fn run(shared: Arc<Shared>, mut latest: i64) {
    match shared.core.go_on_redating().await {
        Ok(true) => log::info!("ended what `mailnook trust-clock` had begun"),
        Ok(false) => {}
        Err(error) => log::error!("what `mailnook trust-clock` had begun was not ended: {error:?}"),
    }
    let noted = shared.core.leap().unwrap_or_default();
    let mut leaps = Leaps::new(latest, noted, shared.core.now(), Instant::now());
    watch(&shared, &mut leaps, &mut latest).await;
    let mut minutes = 0_u32;
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
        watch(&shared, &mut leaps, &mut latest).await;
        if minutes >= FIRST_SWEEP && minutes % SWEEP_EVERY == FIRST_SWEEP && leaps.pause().is_none() {
            sweep(&shared).await;
        }
    }
}

/// Looks whether the clock leapt. `latest` is the last moment that was stored; it goes back where somebody says that the
/// clock is right.
async fn watch(shared: &Shared, leaps: &mut Leaps, latest: &mut i64) {
    let (now, at) = (shared.core.now(), Instant::now());
    let stored = shared.core.latest().unwrap_or(*latest);
    if stored < *latest {
        leaps.trust(now, at);
    }
    *latest = stored;
    if let Some(days) = leaps.look(now, at) {
        log::warn!("the clock is ahead by {days} days: for a day nothing is removed by itself; if it is wrong, set it");
    }
    if leaps.is_news()
        && let Err(error) = shared.core.note_leap(leaps.pause()).await
    {
        log::error!("the leap of the clock was not noted: {error:?}");
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
