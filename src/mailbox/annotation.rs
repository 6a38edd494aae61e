//! Annotations (RFC 5464): small values that clients keep with a mailbox, with their account, or with the server.
//!
//! What is /private of the server belongs to the account; what is /shared of the server is one value for all accounts.
//! Annotations of a mailbox go where it goes and end with it. Names of entries are in lower case here.

use super::edit::Edit;
use super::name::canonical;
use super::{Account, Error};
use crate::store::txn::Tx;
use crate::store::view::{AnnotationHead, View, annotation_key};
use crate::store::{self, KEY_TEXT_MAX, Refusal};
use crate::types::{ANNOTATION_MAX, AccountId, MailboxId};

/// Limit: annotations of one mailbox, of one account beside its mailboxes, and of the server (RFC 5464 §4.1: 10 at
/// least).
const ENTRIES_MAX: usize = 128;
/// Limit: annotations of an account and its mailboxes together, so that following them costs little memory.
pub const ANNOTATIONS_MAX: usize = 5_000;

/// What is annotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotated<'a> {
    /// The server: the empty name of a mailbox.
    Server,
    /// A mailbox by its name.
    Mailbox(&'a str),
}

/// An annotation without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationInfo {
    /// Its mailbox; None: the server.
    pub mailbox: Option<MailboxId>,
    /// The name of the entry in lower case.
    pub entry: String,
    /// Octets of the value.
    pub size: usize,
    /// Of the last change; no other change has the same.
    pub stamp: u64,
}

impl From<AnnotationHead> for AnnotationInfo {
    fn from(head: AnnotationHead) -> Self {
        Self { mailbox: head.mailbox, entry: head.entry, size: head.size, stamp: head.stamp }
    }
}

/// A change of annotations: an entry in lower case with its new value; None removes it.
pub type AnnotationChange = (String, Option<Vec<u8>>);

/// What setting annotations did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationsSet {
    /// The mailbox; None: the server.
    pub mailbox: Option<MailboxId>,
    /// Each entry with the stamp that it has now; None: it was removed.
    pub stamps: Vec<(String, Option<u64>)>,
}

/// Whose an annotation of the server is: private ones are the account's.
fn owner(account: AccountId, mailbox: Option<MailboxId>, entry: &str) -> Option<AccountId> {
    let shared = mailbox.is_none() && (entry == "/shared" || entry.starts_with("/shared/"));
    (!shared).then_some(account)
}

fn resolve(view: &View<'_>, account: AccountId, of: Option<&str>) -> Result<Option<MailboxId>, store::Error> {
    let Some(name) = of else { return Ok(None) };
    // A name that cannot be one is nobody's.
    let name = canonical(name).map_err(|_| Refusal::NotFound)?;
    let mailbox = view.mailbox_entry(account, &name)?.and_then(|entry| entry.mailbox);
    mailbox.map(Some).ok_or_else(|| Refusal::NotFound.into())
}

/// How many annotations the account has with those of its mailboxes.
fn count_all(view: &View<'_>, account: AccountId) -> Result<usize, store::Error> {
    Ok(view.annotation_heads(&account.0.to_be_bytes())?.len())
}

fn set(
    tx: &mut Tx<'_>,
    account: AccountId,
    of: Option<&str>,
    changes: &[AnnotationChange],
) -> Result<AnnotationsSet, store::Error> {
    let mailbox = resolve(&tx.view(), account, of)?;
    // Look first: all are changed or none (RFC 5464 §4.3).
    for entry_owner in [Some(account), None] {
        let here = |entry: &str| owner(account, mailbox, entry) == entry_owner;
        let mut names: Vec<String> = tx
            .view()
            .annotation_heads(&annotation_key(entry_owner, mailbox, ""))?
            .into_iter()
            .filter(|head| head.mailbox == mailbox)
            .map(|head| head.entry)
            .collect();
        let before = names.len();
        for (entry, value) in changes.iter().filter(|(entry, _)| here(entry)) {
            names.retain(|known| known != entry);
            if value.is_some() {
                names.push(entry.clone());
            }
        }
        let more = names.len().saturating_sub(before);
        let full = more > 0
            && (names.len() > ENTRIES_MAX
                || (entry_owner.is_some() && count_all(&tx.view(), account)? + more > ANNOTATIONS_MAX));
        if full {
            return Err(Refusal::Limit("there are as many annotations as there can be").into());
        }
    }
    let (mut stamps, mut changed) = (Vec::with_capacity(changes.len()), false);
    for (entry, value) in changes {
        let owner = owner(account, mailbox, entry);
        changed = changed || tx.view().annotation(owner, mailbox, entry)?.map(|stored| stored.value) != *value;
        let stamp = tx.set_annotation(owner, mailbox, entry, value.as_deref())?;
        stamps.push((entry.clone(), value.as_ref().map(|_| stamp)));
    }
    if let Some(mailbox) = mailbox.filter(|_| changed) {
        // RFC 7162 §3.2: the mailbox has changed, if none of its messages has.
        let mut edit = Edit::open(tx, mailbox)?;
        edit.modseq();
        edit.finish(tx)?;
    }
    Ok(AnnotationsSet { mailbox, stamps })
}

/// Copies the annotations of a mailbox to a new one (RFC 5464 §4.1: when INBOX is renamed).
pub(super) fn copy(tx: &mut Tx<'_>, account: AccountId, from: MailboxId, to: MailboxId) -> Result<(), store::Error> {
    let heads = tx.view().annotation_heads(&annotation_key(Some(account), Some(from), ""))?;
    if !heads.is_empty() && count_all(&tx.view(), account)? + heads.len() > ANNOTATIONS_MAX {
        return Err(Refusal::Limit("there are as many annotations as there can be").into());
    }
    for head in heads {
        let stored = tx.view().annotation(Some(account), Some(from), &head.entry)?;
        tx.set_annotation(Some(account), Some(to), &head.entry, stored.as_ref().map(|stored| &*stored.value))?;
    }
    Ok(())
}

impl Account {
    /// The annotations of something, by name.
    ///
    /// # Errors
    /// `NotFound` where there is no such mailbox, `Temporary`.
    pub fn annotations(&self, of: Annotated<'_>) -> Result<Vec<AnnotationInfo>, Error> {
        let heads = self.core.store.read(|view| {
            let mailbox = resolve(view, self.id, of.name())?;
            let mut heads = view.annotation_heads(&annotation_key(Some(self.id), mailbox, ""))?;
            if mailbox.is_none() {
                heads.extend(view.annotation_heads(&annotation_key(None, None, ""))?);
            }
            Ok(heads)
        })?;
        Ok(heads.into_iter().map(AnnotationInfo::from).collect())
    }

    /// All annotations that the account can see: its own, those of its mailboxes and those of the server.
    ///
    /// # Errors
    /// `Temporary`
    pub fn all_annotations(&self) -> Result<Vec<AnnotationInfo>, Error> {
        let heads = self.core.store.read(|view| {
            let mut heads = view.annotation_heads(&self.id.0.to_be_bytes())?;
            heads.extend(view.annotation_heads(&annotation_key(None, None, ""))?);
            Ok(heads)
        })?;
        Ok(heads.into_iter().map(AnnotationInfo::from).collect())
    }

    /// The value of one annotation; None: there is none. The entry is in lower case.
    ///
    /// # Errors
    /// `NotFound` where there is no such mailbox, `Temporary`.
    pub fn annotation(&self, of: Annotated<'_>, entry: &str) -> Result<Option<Vec<u8>>, Error> {
        let stored = self.core.store.read(|view| {
            let mailbox = resolve(view, self.id, of.name())?;
            view.annotation(owner(self.id, mailbox, entry), mailbox, entry)
        })?;
        Ok(stored.map(|stored| stored.value))
    }

    /// Sets and removes annotations, all or none, in their order.
    ///
    /// # Errors
    /// `NotFound` where there is no such mailbox, `TooBig` for a value over [`ANNOTATION_MAX`], `Limit` for more entries
    /// than there can be, `Temporary`.
    pub async fn set_annotations(
        &self,
        of: Annotated<'_>,
        changes: Vec<AnnotationChange>,
    ) -> Result<AnnotationsSet, Error> {
        if changes.iter().any(|(entry, _)| entry.len() > KEY_TEXT_MAX) {
            return Err(Error::Limit("the name of the entry is too long"));
        }
        if changes.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > ANNOTATION_MAX)) {
            return Err(Error::TooBig(ANNOTATION_MAX as u64));
        }
        let (account, name) = (self.id, of.name().map(str::to_owned));
        let weight = changes.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len).sum();
        self.may_change()?;
        let job = self.core.store.write_heavy(weight, move |tx| set(tx, account, name.as_deref(), &changes));
        Ok(job.await?)
    }
}

impl<'a> Annotated<'a> {
    /// The name of the mailbox.
    #[must_use]
    pub const fn name(self) -> Option<&'a str> {
        match self {
            Self::Server => None,
            Self::Mailbox(name) => Some(name),
        }
    }
}
