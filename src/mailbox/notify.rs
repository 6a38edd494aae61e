//! Who is told that something changed: an event per watched mailbox or account, no payload, no queue.

use crate::store::Topic;
use crate::types::{AccountId, MailboxId};
use event_listener::{Event, EventListener};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Mailbox(MailboxId),
    /// All of an account's mailboxes, its names and its annotations.
    Account(AccountId),
}

/// Wakes the watchers of one subject.
#[derive(Default)]
struct Bell {
    event: Event,
    /// How often names or subscriptions of the account changed while it was watched.
    names: AtomicU64,
    /// How often annotations did.
    annotations: AtomicU64,
}

impl Bell {
    fn ring(&self) {
        self.event.notify(usize::MAX);
    }

    fn ring_for(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::SeqCst);
        self.ring();
    }
}

/// The bells of all that somebody watches.
#[derive(Default)]
pub(super) struct Notify(Mutex<HashMap<Subject, Arc<Bell>>>);

impl Notify {
    fn bells(&self) -> MutexGuard<'_, HashMap<Subject, Arc<Bell>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all watchers of what changed.
    pub(super) fn wake(&self, topics: &[Topic]) {
        let bells = self.bells();
        let account = |id: AccountId| bells.get(&Subject::Account(id));
        for topic in topics {
            match *topic {
                Topic::Mailbox(id) => {
                    if let Some(bell) = bells.get(&Subject::Mailbox(id)) {
                        bell.ring();
                    }
                }
                Topic::Messages(id) => {
                    if let Some(bell) = account(id) {
                        bell.ring();
                    }
                }
                Topic::Names(id) => {
                    if let Some(bell) = account(id) {
                        bell.ring_for(&bell.names);
                    }
                }
                Topic::Annotations(Some(id)) => {
                    if let Some(bell) = account(id) {
                        bell.ring_for(&bell.annotations);
                    }
                }
                Topic::Annotations(None) => {
                    for (_, bell) in bells.iter().filter(|(subject, _)| matches!(subject, Subject::Account(_))) {
                        bell.ring_for(&bell.annotations);
                    }
                }
            }
        }
    }

    pub(super) fn watch(self: &Arc<Self>, mailbox: MailboxId) -> Watch {
        self.watch_subject(Subject::Mailbox(mailbox))
    }

    pub(super) fn watch_account(self: &Arc<Self>, account: AccountId) -> Watch {
        self.watch_subject(Subject::Account(account))
    }

    fn watch_subject(self: &Arc<Self>, subject: Subject) -> Watch {
        let bell = self.bells().entry(subject).or_default().clone();
        Watch { notify: self.clone(), subject, bell, listener: None }
    }
}

/// Waits for changes of one mailbox, or of all that an account has. A lost or doubled wake-up is harmless: waking
/// means "look again".
pub struct Watch {
    notify: Arc<Notify>,
    subject: Subject,
    bell: Arc<Bell>,
    listener: Option<EventListener>,
}

impl Watch {
    /// Arms the watch; changes from now on complete [`Watch::changed`]. Arm first, then look, then wait.
    pub fn arm(&mut self) {
        self.listener = Some(self.bell.event.listen());
    }

    /// Completes when something changed since [`Watch::arm`]. Cancel-safe.
    pub async fn changed(&mut self) {
        match &mut self.listener {
            Some(listener) => listener.await,
            None => self.bell.event.listen().await,
        }
        self.listener = None;
    }

    /// Differs from an earlier answer where names or subscriptions of the watched account changed meanwhile. Ask first,
    /// then look.
    #[must_use]
    pub fn names(&self) -> u64 {
        self.bell.names.load(Ordering::SeqCst)
    }

    /// The same for annotations.
    #[must_use]
    pub fn annotations(&self) -> u64 {
        self.bell.annotations.load(Ordering::SeqCst)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.listener = None;
        let mut bells = self.notify.bells();
        // Two are this watch's and the table's: nobody else watches, so the table forgets the subject.
        if Arc::strong_count(&self.bell) <= 2 {
            bells.remove(&self.subject);
        }
    }
}
