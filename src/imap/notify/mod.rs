//! What a session tells unasked of mailboxes that it has not selected: NOTIFY (RFC 5465) and the METADATA responses
//! of ENABLE METADATA (RFC 5464 §4.4.2).
//!
//! There is no queue. A session remembers what its client was told (names, counters, the stamps of annotations), and
//! whenever the account's bell rang it looks at what is there now and tells the difference. Many changes between two
//! looks are one difference; a change that was taken back is none.
//!
//! Invariant: the watch is armed before each look, so that nothing happens unnoticed between looking and waiting.

mod names;
mod spec;

pub use names::{Own, Told};
pub use spec::{Spec, Wanted};

use super::cmd::{list, metadata, status};
use super::command::StatusItem;
use super::output::Output;
use super::reply::Failure;
use super::sync::{Listening, Selected};
use crate::mailbox::{ANNOTATIONS_MAX, Account, AnnotationInfo, AnnotationsSet, ListEntry, Status, Watch};
use crate::types::{MailboxId, ModSeq};
use names::{Change, Known, Names, Rename};
use smol::future::yield_now;
use std::collections::{BTreeMap, HashMap};

/// Limit: names of an account that can be followed, at some 150 octets each. With more NOTIFY is refused.
const NAMES_MAX: usize = 2_000;
/// Limit: annotations that can be followed: those of the account, and those of the server.
const FOLLOWED_MAX: usize = ANNOTATIONS_MAX + 256;
/// Mailboxes whose counters are read in one transaction.
const STATUS_BATCH: usize = 64;
/// Limit: entries in one METADATA response; more make several.
const ENTRIES_MAX: usize = 32;

/// There is more than a session can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// What a session follows beside its selected mailbox, and what it told of that.
pub struct Notifier {
    watch: Watch,
    /// None: NOTIFY was not used in this session.
    spec: Option<Spec>,
    /// ENABLE METADATA
    metadata: bool,
    names: Names,
    /// The watch's counter when the names were read; None: they are not followed.
    names_at: Option<u64>,
    /// Stamps by mailbox (None: the server) and entry.
    annotations: BTreeMap<(Option<MailboxId>, String), u64>,
    annotations_at: Option<u64>,
}

impl Notifier {
    /// Follows nothing yet.
    #[must_use]
    pub fn new(account: &Account) -> Self {
        Self {
            watch: account.watch_all(),
            spec: None,
            metadata: false,
            names: Names::default(),
            names_at: None,
            annotations: BTreeMap::new(),
            annotations_at: None,
        }
    }

    /// The watch to wait on.
    pub const fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// What NOTIFY asked for; None: it was not used.
    #[must_use]
    pub const fn spec(&self) -> Option<&Spec> {
        self.spec.as_ref()
    }

    /// ENABLE METADATA; false: there is more than can be followed.
    pub fn follow_metadata(&mut self, account: &Account) -> bool {
        let before = std::mem::replace(&mut self.metadata, true);
        if self.prepare(account).is_err() {
            self.metadata = before;
        }
        self.metadata
    }

    /// NOTIFY SET. What the client was told before stays told; mailboxes that were not followed count from now on.
    ///
    /// # Errors
    /// There is more than can be followed; nothing is changed then.
    pub fn set(&mut self, account: &Account, spec: Spec) -> Result<(), Overflow> {
        let before = self.spec.replace(spec);
        let prepared = self.prepare(account);
        match prepared {
            Ok(()) => self.count(account, before.as_ref()),
            Err(Overflow) => self.spec = before,
        }
        self.forget();
        prepared
    }

    /// NOTIFY NONE
    pub fn set_none(&mut self) {
        self.spec = Some(Spec::default());
        self.forget();
    }

    /// How the client hears of a selected mailbox of which it knows all up to `known`; None: NOTIFY was not used.
    #[must_use]
    pub fn listening(&self, known: ModSeq) -> Option<Box<Listening>> {
        let spec = self.spec.as_ref()?;
        Some(Box::new(Listening::new(spec.selected(), !spec.fetch().is_empty(), known)))
    }

    /// Drops what is followed no longer.
    fn forget(&mut self) {
        if !self.follows_names() {
            (self.names, self.names_at) = (Names::default(), None);
        }
        if !self.follows_annotations() {
            self.annotations = BTreeMap::new();
            self.annotations_at = None;
        }
    }

    fn follows_annotations(&self) -> bool {
        self.metadata || self.spec.as_ref().is_some_and(Spec::follows_annotations)
    }

    fn follows_names(&self) -> bool {
        self.follows_annotations() || self.spec.as_ref().is_some_and(Spec::follows_others)
    }

    /// Reads what is to be followed and was not yet.
    fn prepare(&mut self, account: &Account) -> Result<(), Overflow> {
        if self.follows_names() && self.names_at.is_none() {
            let at = self.watch.names();
            let names = Names::new(account.names().map_err(|_| Overflow)?);
            if names.len() > NAMES_MAX {
                return Err(Overflow);
            }
            (self.names, self.names_at) = (names, Some(at));
        }
        if self.follows_annotations() && self.annotations_at.is_none() {
            let at = self.watch.annotations();
            let found = account.all_annotations().map_err(|_| Overflow)?;
            if found.len() > FOLLOWED_MAX {
                return Err(Overflow);
            }
            self.annotations = stamps(found);
            self.annotations_at = Some(at);
        }
        Ok(())
    }

    /// Takes the counters as they are for told, but for mailboxes that were followed before.
    fn count(&mut self, account: &Account, before: Option<&Spec>) {
        let followed =
            |known: &&mut Known| before.is_some_and(|spec| spec.of(&known.entry.name, known.entry.subscribed).messages);
        let mut known: Vec<&mut Known> = self.names.iter_mut().filter(|known| !followed(known)).collect();
        for batch in known.chunks_mut(STATUS_BATCH) {
            let ids: Vec<MailboxId> = batch.iter().filter_map(|known| known.entry.mailbox).collect();
            let Ok(found) = account.statuses(&ids) else { return };
            for status in found {
                let of = batch.iter_mut().find(|known| known.entry.mailbox == Some(status.mailbox));
                if let Some(known) = of {
                    known.told = Some(Told::from(&status));
                }
            }
        }
    }

    /// Tells the counters of all mailboxes whose messages are followed, but for the selected one (RFC 5465 §3.1).
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn tell_status(
        &mut self,
        account: &Account,
        out: &mut Output<'_>,
        selected: Option<MailboxId>,
    ) -> Result<(), Failure> {
        let Some(spec) = &self.spec else { return Ok(()) };
        for known in self.names.iter_mut() {
            let wanted = spec.of(&known.entry.name, known.entry.subscribed);
            if !wanted.messages || known.entry.mailbox.is_none() || known.entry.mailbox == selected {
                continue;
            }
            let Ok(status) = account.status(&known.entry.name) else { continue };
            let mut items = vec![StatusItem::UidValidity, StatusItem::UidNext, StatusItem::Messages];
            if wanted.flags {
                items.extend([StatusItem::Unseen, StatusItem::HighestModSeq]);
            }
            status::tell(out, &known.entry.name, &status, 0, &items).await?;
            known.told = Some(Told::from(&status));
        }
        Ok(())
    }

    /// Takes in what the session did itself.
    pub fn apply(&mut self, own: &Own) {
        if self.names_at.is_some() {
            self.names.apply(own);
        }
    }

    /// The same for annotations that it set.
    pub fn annotated(&mut self, set: AnnotationsSet) {
        if self.annotations_at.is_none() {
            return;
        }
        for (entry, stamp) in set.stamps {
            match stamp {
                Some(stamp) => drop(self.annotations.insert((set.mailbox, entry), stamp)),
                None => drop(self.annotations.remove(&(set.mailbox, entry))),
            }
        }
    }

    /// Tells all that changed since the last look. The selected mailbox is left out where messages are concerned.
    /// Whether there is more than can be followed, so that nothing is from now on.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn look(
        &mut self,
        account: &Account,
        out: &mut Output<'_>,
        selected: Option<&Selected>,
        condstore: bool,
    ) -> Result<bool, Failure> {
        let outcome = self.tell_names(account, out).await?;
        if outcome.is_err() {
            self.metadata = false;
            if !self.follows_names() {
                // Only changes of annotations needed the names. Of its mailbox the client hears as before.
                self.forget();
                return Ok(false);
            }
            // RFC 5465 §5.8
            out.untagged("OK [NOTIFICATIONOVERFLOW] There are more mailboxes than can be followed").await?;
            self.set_none();
            return Ok(true);
        }
        self.tell_counters(account, out, selected, condstore).await?;
        self.tell_annotations(account, out).await?;
        Ok(false)
    }

    async fn tell_names(&mut self, account: &Account, out: &mut Output<'_>) -> Result<Result<(), Overflow>, Failure> {
        let at = self.watch.names();
        if self.names_at.is_none_or(|before| before == at) {
            return Ok(Ok(()));
        }
        // A store that fails is asked again at the next look.
        let Ok(entries) = account.names() else { return Ok(Ok(())) };
        if entries.len() > NAMES_MAX {
            return Ok(Err(Overflow));
        }
        self.names_at = Some(at);
        let uses = if self.follows_annotations() { self.names.uses() } else { HashMap::new() };
        let changes = self.names.update(entries);
        if let Some(spec) = &self.spec {
            tell_changes(out, spec, &changes).await?;
        }
        // RFC 6154 §4: the special use is an annotation as well.
        for entry in self.names.with_other_use(&uses) {
            if self.wants_metadata(entry) {
                metadata::tell_special_use(out, &entry.name).await?;
            }
        }
        Ok(Ok(()))
    }

    async fn tell_counters(
        &mut self,
        account: &Account,
        out: &mut Output<'_>,
        selected: Option<&Selected>,
        condstore: bool,
    ) -> Result<(), Failure> {
        let Some(spec) = &self.spec else { return Ok(()) };
        if self.names_at.is_none() {
            return Ok(());
        }
        let mut followed: Vec<(&mut Known, Wanted)> = Vec::new();
        for known in self.names.iter_mut() {
            let wanted = spec.of(&known.entry.name, known.entry.subscribed);
            match (known.entry.mailbox, selected) {
                // When it is selected no longer, what its client knows is what the view told.
                (Some(id), Some(selected)) if selected.mailbox.id() == id => known.told = Some(told_by(selected)),
                (Some(_), _) if wanted.messages => followed.push((known, wanted)),
                _ => {}
            }
        }
        for batch in followed.chunks_mut(STATUS_BATCH) {
            let ids: Vec<MailboxId> = batch.iter().filter_map(|(known, _)| known.entry.mailbox).collect();
            let Ok(found) = account.statuses(&ids) else { return Ok(()) };
            for status in found {
                let of = batch.iter_mut().find(|(known, _)| known.entry.mailbox == Some(status.mailbox));
                let Some((known, wanted)) = of else { continue };
                let items = items(known.told, &status, *wanted, condstore);
                if !items.is_empty() {
                    status::tell(out, &known.entry.name, &status, 0, &items).await?;
                    known.told = Some(Told::from(&status));
                }
            }
            yield_now().await;
        }
        Ok(())
    }

    async fn tell_annotations(&mut self, account: &Account, out: &mut Output<'_>) -> Result<(), Failure> {
        let at = self.watch.annotations();
        if self.annotations_at.is_none_or(|before| before == at) {
            return Ok(());
        }
        let Ok(found) = account.all_annotations() else { return Ok(()) };
        self.annotations_at = Some(at);
        let found = stamps(found);
        let mut changed: BTreeMap<Option<MailboxId>, Vec<String>> = BTreeMap::new();
        for ((mailbox, entry), stamp) in &found {
            if self.annotations.get(&(*mailbox, entry.clone())) != Some(stamp) {
                changed.entry(*mailbox).or_default().push(entry.clone());
            }
        }
        for (mailbox, entry) in self.annotations.keys().filter(|key| !found.contains_key(key)) {
            changed.entry(*mailbox).or_default().push(entry.clone());
        }
        self.annotations = found;
        for (mailbox, entries) in changed {
            let name = match mailbox {
                None => self.wants_server().then_some(None),
                // Annotations end with their mailbox; that is not a change of theirs.
                Some(id) => {
                    self.names.of(id).filter(|entry| self.wants_metadata(entry)).map(|entry| Some(&*entry.name))
                }
            };
            let Some(name) = name else { continue };
            for entries in entries.chunks(ENTRIES_MAX) {
                metadata::tell_changed(out, name, entries).await?;
            }
        }
        Ok(())
    }

    fn wants_server(&self) -> bool {
        self.metadata || self.spec.as_ref().is_some_and(Spec::server_metadata)
    }

    fn wants_metadata(&self, entry: &ListEntry) -> bool {
        self.metadata || self.spec.as_ref().is_some_and(|spec| spec.of(&entry.name, entry.subscribed).metadata)
    }
}

fn stamps(found: Vec<AnnotationInfo>) -> BTreeMap<(Option<MailboxId>, String), u64> {
    found.into_iter().map(|info| ((info.mailbox, info.entry), info.stamp)).collect()
}

/// The counters as the client of a selected mailbox knows them.
fn told_by(selected: &Selected) -> Told {
    Told {
        uid_next: selected.view.uid_next().0,
        messages: selected.view.len(),
        unseen: None,
        modseq: selected.view.told_modseq().0,
    }
}

/// What a STATUS response has to tell (RFC 5465 §5.1 to §5.3); nothing where nothing changed that is wanted.
fn items(told: Option<Told>, now: &Status, wanted: Wanted, condstore: bool) -> Vec<StatusItem> {
    let before = told.unwrap_or(Told::EMPTY);
    let messages = before.uid_next != now.uid_next.0 || before.messages != now.messages;
    let modseq = before.modseq != now.highest_modseq.0;
    let unseen = before.unseen.map_or(modseq, |unseen| unseen != now.unseen);
    // Without CONDSTORE no other change of flags can be seen in a STATUS response.
    let flags = wanted.flags && (unseen || (condstore && modseq));
    let mut items = Vec::new();
    if !messages && !flags {
        return items;
    }
    if wanted.flags || told.is_none() {
        items.push(StatusItem::UidValidity);
    }
    if messages {
        items.extend([StatusItem::UidNext, StatusItem::Messages]);
    }
    if wanted.flags {
        items.push(StatusItem::Unseen);
    }
    if condstore {
        items.push(StatusItem::HighestModSeq);
    }
    items
}

/// Tells changes of names and subscriptions.
async fn tell_changes(out: &mut Output<'_>, spec: &Spec, changes: &[Change]) -> Result<(), Failure> {
    for (index, change) in changes.iter().enumerate() {
        if let Some(rename) = &change.rename {
            // A rename that was told covers the names below (RFC 5465 §5.4).
            if !tell_rename(out, spec, change, rename).await? {
                for change in &rename.below {
                    if let Some(rename) = &change.rename {
                        tell_rename(out, spec, change, rename).await?;
                    }
                }
            }
            continue;
        }
        let wanted = spec.of(&change.name, change.subscribed);
        if (change.named && wanted.names) || (change.subscription && wanted.subscriptions) {
            list::tell_change(out, &change.name, change.now.as_ref(), None).await?;
        }
        if index % STATUS_BATCH == 0 {
            yield_now().await;
        }
    }
    Ok(())
}

/// Whether it was told as a rename. To a client that follows subscriptions only, two names changed.
async fn tell_rename(out: &mut Output<'_>, spec: &Spec, change: &Change, rename: &Rename) -> Result<bool, Failure> {
    let (new, old) = (spec.of(&change.name, change.subscribed), spec.of(&rename.old_name, change.subscribed));
    if new.names || old.names {
        list::tell_change(out, &change.name, change.now.as_ref(), Some(&rename.old_name)).await?;
        return Ok(true);
    }
    if change.subscribed && old.subscriptions {
        list::tell_change(out, &rename.old_name, rename.old_now.as_ref(), None).await?;
    }
    if change.subscribed && new.subscriptions {
        list::tell_change(out, &change.name, change.now.as_ref(), None).await?;
    }
    Ok(false)
}
