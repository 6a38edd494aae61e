//! Who is told that a mailbox changed: an event per mailbox, no payload, no queue.

use crate::types::MailboxId;
use event_listener::{Event, EventListener};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The events of the mailboxes that somebody watches.
#[derive(Default)]
pub(super) struct Notify(Mutex<HashMap<MailboxId, Arc<Event>>>);

impl Notify {
    /// Wakes all watchers of these mailboxes.
    pub(super) fn wake(&self, mailboxes: &[MailboxId]) {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in mailboxes.iter().filter_map(|mailbox| events.get(mailbox)) {
            event.notify(usize::MAX);
        }
    }

    pub(super) fn watch(self: &Arc<Self>, mailbox: MailboxId) -> Watch {
        let event = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(mailbox).or_default().clone();
        Watch { notify: self.clone(), mailbox, event, listener: None }
    }
}

/// Waits for changes of one mailbox. A lost or doubled wake-up is harmless: waking means "sync".
pub struct Watch {
    notify: Arc<Notify>,
    mailbox: MailboxId,
    event: Arc<Event>,
    listener: Option<EventListener>,
}

impl Watch {
    /// Arms the watch; changes from now on complete [`Watch::changed`]. Arm first, then sync, then wait.
    pub fn arm(&mut self) {
        self.listener = Some(self.event.listen());
    }

    /// Completes when the mailbox changed since [`Watch::arm`]. Cancel-safe.
    pub async fn changed(&mut self) {
        match &mut self.listener {
            Some(listener) => listener.await,
            None => self.event.listen().await,
        }
        self.listener = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.listener = None;
        let mut events = self.notify.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two are this watch's and the table's: nobody else watches, so the table forgets the mailbox.
        if Arc::strong_count(&self.event) <= 2 {
            events.remove(&self.mailbox);
        }
    }
}
