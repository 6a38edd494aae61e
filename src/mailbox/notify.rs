//! Who is told that a mailbox changed: an event and a counter per mailbox, no payload, no queue.

/// Waits for changes of one mailbox. A lost or doubled wake-up is harmless: waking means "sync".
pub struct Watch { _private: () }

impl Watch {
    /// Arms the watch; changes from now on complete [`Watch::changed`]. Arm first, then sync, then wait.
    pub fn arm(&mut self) { todo!() }
    /// Completes when the mailbox changed since [`Watch::arm`]. Cancel-safe.
    pub async fn changed(&mut self) { todo!() }
}
