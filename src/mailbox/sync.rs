//! A mailbox as sessions follow it: the snapshot they begin with and the differences since.

use super::{Account, Error, Status, Watch};
use crate::store::schema::{MailboxState, MessageRow, kind};
use crate::store::view::View;
use crate::store::{self, Refusal};
use crate::types::{KeywordBits, MailboxId, ModSeq, SystemFlags, Uid, UidSet, UidValidity};

/// Limit: flag changes that one call tells, but for those that share the last one's modification sequence.
const CHANGES_MAX: usize = 256;
/// A search for the first unseen message that went over so many seen ones is remembered.
const FLOOR_WORTH: u32 = 1000;

/// A mailbox of an account. Cheap to clone; every method opens its own short transaction.
/// After the mailbox was deleted every method gives `NotFound`.
#[derive(Clone)]
pub struct Mailbox {
    pub(super) account: Account,
    pub(super) id: MailboxId,
    uid_validity: UidValidity,
}

/// All that SELECT tells, from one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Every UID.
    pub uids: UidSet,
    /// The counters; `status.highest_modseq` is where [`Mailbox::changes`] goes on.
    pub status: Status,
    /// The mailbox's keywords; position = bit in [`KeywordBits`].
    pub keywords: Vec<String>,
}

/// What happened to one message since a modification sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The message.
    pub uid: Uid,
    /// System flags now.
    pub flags: SystemFlags,
    /// Keywords now.
    pub keywords: KeywordBits,
    /// Its modification sequence now.
    pub modseq: ModSeq,
}

/// What happened in a mailbox since a modification sequence.
#[derive(Clone, Debug)]
pub struct Changes {
    /// UIDs expunged since; may hold UIDs the view never knew.
    pub expunged: UidSet,
    /// UIDs that arrived since (at or above the UIDNEXT that was known) and are still there.
    pub arrived: UidSet,
    /// Messages below the known UIDNEXT whose flags changed; at most `CHANGES_MAX`, ascending by modseq.
    pub flagged: Vec<Change>,
    /// Where the next call goes on.
    pub modseq: ModSeq,
    /// UIDNEXT at that moment.
    pub uid_next: Uid,
    /// More `flagged` are waiting: call again from `modseq`.
    pub more: bool,
}

impl Change {
    pub(super) const fn new(uid: Uid, row: &MessageRow) -> Self {
        Self { uid, flags: row.flags, keywords: row.keywords, modseq: row.modseq }
    }
}

/// The mailbox's state; `NotFound` where it was deleted.
pub(super) fn state_of(view: &View<'_>, id: MailboxId) -> Result<MailboxState, store::Error> {
    let state = view.mailbox_state(id)?.ok_or(Refusal::NotFound)?;
    if view.is_garbage(kind::MAILBOX, u64::from(id.0))? {
        return Err(Refusal::NotFound.into());
    }
    Ok(state)
}

/// Every UID from `from` on.
fn uids_from(view: &View<'_>, id: MailboxId, state: &MailboxState, from: u32) -> Result<UidSet, store::Error> {
    let given = UidSet::from_range(from, state.uid_next - 1);
    if given.is_empty() {
        return Ok(given);
    }
    Ok(given.difference(&view.holes(id, from)?))
}

impl Mailbox {
    pub(super) const fn new(account: Account, id: MailboxId, uid_validity: UidValidity) -> Self {
        Self { account, id, uid_validity }
    }

    /// Its identifier.
    #[must_use]
    pub const fn id(&self) -> MailboxId {
        self.id
    }

    /// Its UIDVALIDITY.
    #[must_use]
    pub const fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Wakes when the mailbox may have changed.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.account.watch(self.id)
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T, store::Error>) -> Result<T, Error> {
        Ok(self.account.core.store.read(read)?)
    }

    /// UIDs, counters and keywords from one moment. Costs no more for many messages than for few.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        self.read(|view| {
            let state = state_of(view, self.id)?;
            Ok(Snapshot {
                uids: uids_from(view, self.id, &state, 1)?,
                status: Status::new(self.id, &state),
                keywords: view.keywords(self.id)?,
            })
        })
    }

    /// The counters.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn status(&self) -> Result<Status, Error> {
        self.read(|view| Ok(Status::new(self.id, &state_of(view, self.id)?)))
    }

    /// The keyword table as it is now; it only ever grows at its end.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn keywords(&self) -> Result<Vec<String>, Error> {
        self.read(|view| view.keywords(self.id))
    }

    /// The lowest UID without \Seen.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn first_unseen(&self) -> Result<Option<Uid>, Error> {
        let (floor, found) = self.read(|view| {
            let state = state_of(view, self.id)?;
            let mut found = None;
            if state.unseen > 0 {
                view.rows(self.id, state.unseen_floor, u32::MAX, |uid, row| {
                    let seen = row.flags.contains(SystemFlags::SEEN);
                    found = (!seen).then_some(uid);
                    Ok(seen)
                })?;
            }
            Ok((state.unseen_floor, found))
        })?;
        if let Some(uid) = found.filter(|uid| uid.0 - floor >= FLOOR_WORTH) {
            self.raise_unseen_floor(uid);
        }
        Ok(found)
    }

    /// Lets the next search begin where this one ended. Nobody waits for it.
    fn raise_unseen_floor(&self, uid: Uid) {
        let id = self.id;
        drop(self.account.core.store.write_aside(move |tx| {
            let mut state = state_of(&tx.view(), id)?;
            // Another session may have removed \Seen below meanwhile: look again, it is a short way.
            let mut first = None;
            tx.view().rows(id, state.unseen_floor, uid.0, |uid, row| {
                let seen = row.flags.contains(SystemFlags::SEEN);
                first = (!seen).then_some(uid);
                Ok(seen)
            })?;
            state.unseen_floor = state.unseen_floor.max(first.unwrap_or(uid).0);
            tx.put_mailbox_state(id, &state)
        }));
    }

    /// Takes the \Recent messages with a UID under `below`, all that the calling session knows, for that session: those
    /// from the answer on are recent there and nowhere else (RFC 3501 §2.3.2).
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub async fn claim_recent(&self, below: Uid) -> Result<Uid, Error> {
        let id = self.id;
        let unclaimed = move |state: &MailboxState| state.recent > 0 && state.first_recent < below.0;
        if !unclaimed(&self.read(|view| state_of(view, id))?) {
            return Ok(below);
        }
        let claimed = self.account.core.store.write_aside(move |tx| {
            let mut state = state_of(&tx.view(), id)?;
            if !unclaimed(&state) {
                return Ok(below);
            }
            let first = Uid(state.first_recent);
            let mut left = 0;
            tx.view().rows(id, below.0, u32::MAX, |_, _| {
                left += 1;
                Ok(true)
            })?;
            (state.first_recent, state.recent) = (below.0, left);
            tx.put_mailbox_state(id, &state)?;
            Ok(first)
        });
        Ok(claimed.await?)
    }

    /// What happened since `since`, for a view that knows UIDs below `known_next`.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn changes(&self, since: ModSeq, known_next: Uid) -> Result<Changes, Error> {
        self.read(|view| {
            let state = state_of(view, self.id)?;
            let mut changes = Changes {
                expunged: UidSet::new(),
                arrived: UidSet::new(),
                flagged: Vec::new(),
                modseq: state.highest_modseq,
                uid_next: Uid(state.uid_next),
                more: false,
            };
            if state.highest_modseq <= since {
                return Ok(changes);
            }
            changes.expunged = view.expunged(self.id, &state, since)?;
            changes.arrived = uids_from(view, self.id, &state, known_next.0)?;
            let (mut flagged, mut last) = (Vec::new(), since);
            view.changes(self.id, since, |modseq, uid| {
                // One change is never told in two parts: the next call goes on behind it.
                if flagged.len() >= CHANGES_MAX && modseq != last {
                    changes.more = true;
                    return Ok(false);
                }
                last = modseq;
                if uid < known_next {
                    flagged.push(uid);
                }
                Ok(true)
            })?;
            if changes.more {
                changes.modseq = last;
            }
            for uid in flagged {
                let row = view.row(self.id, uid)?.ok_or(store::Error::Corrupt("changes"))?;
                changes.flagged.push(Change::new(uid, &row));
            }
            Ok(changes)
        })
    }

    /// Those of `among` that arrived or were changed after `since` (RFC 7162 §3.1.4.1 CHANGEDSINCE).
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn changed_since(&self, since: ModSeq, among: &UidSet) -> Result<UidSet, Error> {
        self.read(|view| {
            let state = state_of(view, self.id)?;
            if state.highest_modseq <= since {
                return Ok(UidSet::new());
            }
            let mut changed: Vec<u32> = Vec::new();
            view.changes(self.id, since, |_, uid| {
                changed.push(uid.0);
                Ok(true)
            })?;
            changed.sort_unstable();
            let arrived = uids_from(view, self.id, &state, first_created_after(view, self.id, &state, since)?)?;
            Ok(changed.into_iter().collect::<UidSet>().union(&arrived).intersection(among))
        })
    }

    /// UIDs that were expunged after `since` (RFC 7162 §3.2.5.2). Where that is no longer remembered one by one,
    /// every UID that is gone: a client is told of more than it knew, which the RFC allows, and never of less.
    ///
    /// # Errors
    /// `NotFound` where the mailbox was deleted, `Temporary`.
    pub fn expunged_since(&self, since: ModSeq) -> Result<UidSet, Error> {
        self.read(|view| {
            let state = state_of(view, self.id)?;
            if state.highest_modseq <= since { Ok(UidSet::new()) } else { view.expunged(self.id, &state, since) }
        })
    }
}

/// The lowest UID whose message arrived after `since`, or UIDNEXT. MODSEQs of arrival ascend with the UIDs, so
/// that a few looks find it.
fn first_created_after(
    view: &View<'_>,
    id: MailboxId,
    state: &MailboxState,
    since: ModSeq,
) -> Result<u32, store::Error> {
    let (mut low, mut high) = (1, state.uid_next);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut found = None;
        view.rows(id, middle, high - 1, |uid, row| {
            found = Some((uid.0, row.created));
            Ok(false)
        })?;
        match found {
            Some((uid, created)) if created <= since => low = uid + 1,
            // Nothing from the middle on arrived before it, or nothing is there: look below.
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}
