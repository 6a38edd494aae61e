//! A message on its way in, for DATA and BDAT alike.

use super::hops::Hops;
use super::recipient::failed_delivery;
use super::session::End;
use crate::mailbox::{Core, Incoming, Staged};
use std::sync::Arc;

/// Limit: octets thrown away after a message was refused, before the peer counts as broken.
pub(super) const DISCARD_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A message of which some octets came. Once it has failed the rest is thrown away, so that the session stays in
/// step with its client. Dropped: nothing is stored.
pub(super) struct Arriving {
    state: State,
    hops: Hops,
}

enum State {
    Good(Box<Incoming>),
    /// The reply that every recipient gets, and the octets thrown away since.
    Failed {
        reply: &'static str,
        discarded: u64,
    },
}

impl Arriving {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        Self { state: State::Good(Box::new(core.incoming())), hops: Hops::new() }
    }

    /// Refuses the message; the reply is sent when its end has come.
    pub(super) fn fail(&mut self, reply: &'static str) {
        if matches!(self.state, State::Good(_)) {
            self.state = State::Failed { reply, discarded: 0 };
        }
    }

    /// The reply of a message that has failed.
    pub(super) fn failure(&self) -> Option<&'static str> {
        match &self.state {
            State::Good(_) => None,
            State::Failed { reply, .. } => Some(reply),
        }
    }

    /// Takes the next octets.
    pub(super) async fn push(&mut self, octets: &[u8]) -> Result<(), End> {
        match &mut self.state {
            State::Good(incoming) => {
                if self.hops.too_many(octets) {
                    self.fail("554 5.4.6 Too many hops");
                } else if let Err(error) = incoming.push(octets).await {
                    self.fail(failed_delivery(&error));
                }
                Ok(())
            }
            State::Failed { discarded, .. } => {
                *discarded = discarded.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
                if *discarded > DISCARD_MAX { Err(End::TooMuchData) } else { Ok(()) }
            }
        }
    }

    /// The message is complete; or the reply for all of its recipients.
    pub(super) async fn finish(self) -> Result<Staged, &'static str> {
        match self.state {
            State::Good(incoming) => incoming.finish().await.map_err(|error| failed_delivery(&error)),
            State::Failed { reply, .. } => Err(reply),
        }
    }
}
