//! Reading: typed access to every table over one snapshot, in a read or a write transaction.

use super::codec::{Fields, key_kind_u32, key_kind_u64, key_u32_u32, key_u32_u64_u32, key_u64_u32};
use super::env::{FORMAT_KEY, Tables};
use super::schema::{
    AccountState, Annotation, Content, ContentRef, Format, Globals, MailboxEntry, MailboxState, MessageRow, OriginId,
    User, decode_door, encode_door, origin_kind, state_kind, table,
};
use super::{Error, Settings};
use crate::types::{AccountId, BodyId, ContentId, Door, DoorKind, MailboxId, ModSeq, Uid, UidSet};
use heed::RoTxn;
use std::ops::Bound;

/// One snapshot.
pub(crate) struct View<'t> {
    pub(crate) tables: &'t Tables,
    pub(crate) txn: &'t RoTxn<'t>,
    pub(crate) chunk_size: usize,
}

/// Splits off the big-endian number at the front of a key.
pub(crate) fn key_u32(key: &[u8], at: usize, table: &'static str) -> Result<u32, Error> {
    Fields::new(key.get(at..).unwrap_or_default(), table).u32()
}

/// Calls `each` with these entries of the table of messages, until it answers false.
fn each_row<'t>(
    entries: impl Iterator<Item = heed::Result<(&'t [u8], &'t [u8])>>,
    mut each: impl FnMut(Uid, MessageRow) -> Result<bool, Error>,
) -> Result<(), Error> {
    for entry in entries {
        let (key, value) = entry?;
        if !each(Uid(key_u32(key, 4, table::MESSAGES)?), MessageRow::decode(value)?)? {
            break;
        }
    }
    Ok(())
}

/// The key of a mailbox name.
pub(crate) fn mailbox_key(account: AccountId, name: &str) -> Vec<u8> {
    let mut key = account.0.to_be_bytes().to_vec();
    key.extend_from_slice(name.as_bytes());
    key
}

/// The key of an annotation: of a mailbox, or without one of the account, or without an account of the server.
pub(crate) fn annotation_key(account: Option<AccountId>, mailbox: Option<MailboxId>, entry: &str) -> Vec<u8> {
    let mut key = account.map_or(0, |id| id.0).to_be_bytes().to_vec();
    key.extend_from_slice(&mailbox.map_or(0, |id| id.0).to_be_bytes());
    key.extend_from_slice(entry.as_bytes());
    key
}

/// An annotation without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnnotationHead {
    pub(crate) mailbox: Option<MailboxId>,
    pub(crate) entry: String,
    pub(crate) stamp: u64,
    pub(crate) size: usize,
}

impl View<'_> {
    pub(crate) fn annotation(
        &self,
        account: Option<AccountId>,
        mailbox: Option<MailboxId>,
        entry: &str,
    ) -> Result<Option<Annotation>, Error> {
        let key = annotation_key(account, mailbox, entry);
        self.tables.annotations.get(self.txn, &key)?.map(Annotation::decode).transpose()
    }

    /// The annotations whose key begins with `prefix`, ascending.
    pub(crate) fn annotation_heads(&self, prefix: &[u8]) -> Result<Vec<AnnotationHead>, Error> {
        let mut heads = Vec::new();
        for entry in self.tables.annotations.prefix_iter(self.txn, prefix)? {
            let (key, value) = entry?;
            let mailbox = key_u32(key, 4, table::ANNOTATIONS)?;
            let name = key.get(8..).and_then(|name| String::from_utf8(name.to_vec()).ok());
            heads.push(AnnotationHead {
                mailbox: (mailbox != 0).then_some(MailboxId(mailbox)),
                entry: name.ok_or(Error::Corrupt(table::ANNOTATIONS))?,
                stamp: Fields::new(value, table::ANNOTATIONS).u64()?,
                size: value.len().saturating_sub(12),
            });
        }
        Ok(heads)
    }

    pub(crate) fn format(&self) -> Result<Format, Error> {
        let format = self.tables.meta.get(self.txn, FORMAT_KEY)?.ok_or(Error::Corrupt(table::META))?;
        Format::decode(format)
    }

    pub(crate) fn globals(&self) -> Result<Globals, Error> {
        self.tables.state.get(self.txn, &[state_kind::GLOBAL])?.map_or_else(|| Ok(Globals::new()), Globals::decode)
    }

    pub(crate) fn account_state(&self, id: AccountId) -> Result<Option<AccountState>, Error> {
        let key = key_kind_u32(state_kind::ACCOUNT, id.0);
        self.tables.state.get(self.txn, &key)?.map(AccountState::decode).transpose()
    }

    pub(crate) fn mailbox_state(&self, id: MailboxId) -> Result<Option<MailboxState>, Error> {
        let key = key_kind_u32(state_kind::MAILBOX, id.0);
        self.tables.state.get(self.txn, &key)?.map(MailboxState::decode).transpose()
    }

    /// The settings of an account.
    pub(crate) fn settings(&self, id: AccountId) -> Result<Settings, Error> {
        let value = self.tables.settings.get(self.txn, &id.0.to_be_bytes())?;
        value.map_or_else(|| Ok(Settings::default()), Settings::decode)
    }

    /// The door behind an identifier; unknown where nobody noted it.
    pub(crate) fn door(&self, id: OriginId) -> Result<Door, Error> {
        if id == OriginId::NOTICE {
            return Ok(Door::of(DoorKind::Policy));
        }
        let value = self.tables.origins.get(self.txn, &key_kind_u32(origin_kind::ID, id.0))?;
        value.map_or(Ok(Door::UNKNOWN), decode_door)
    }

    /// The identifier of a door that has one.
    pub(crate) fn origin_of(&self, door: &Door) -> Result<Option<OriginId>, Error> {
        let mut key = vec![origin_kind::DOOR];
        key.extend_from_slice(&encode_door(door));
        let value = self.tables.origins.get(self.txn, &key)?;
        value.map(|value| Ok(OriginId(Fields::new(value, table::ORIGINS).u32()?))).transpose()
    }

    /// The highest identifier of a door.
    pub(crate) fn last_origin(&self) -> Result<OriginId, Error> {
        // Identifiers are the last kind of keys in the table.
        match self.tables.origins.last(self.txn)? {
            Some((key, _)) if key.first() == Some(&origin_kind::ID) => Ok(OriginId(key_u32(key, 1, table::ORIGINS)?)),
            _ => Ok(OriginId::UNKNOWN),
        }
    }

    pub(crate) fn user(&self, id: AccountId) -> Result<Option<User>, Error> {
        self.tables.users.get(self.txn, &id.0.to_be_bytes())?.map(User::decode).transpose()
    }

    pub(crate) fn users(&self) -> Result<Vec<(AccountId, User)>, Error> {
        let mut users = Vec::new();
        for entry in self.tables.users.iter(self.txn)? {
            let (key, value) = entry?;
            users.push((AccountId(key_u32(key, 0, table::USERS)?), User::decode(value)?));
        }
        Ok(users)
    }

    /// Who has the address, given as `canonical_address` spells it.
    pub(crate) fn address(&self, address: &str) -> Result<Option<AccountId>, Error> {
        if address.is_empty() || address.len() > super::KEY_TEXT_MAX {
            return Ok(None);
        }
        let value = self.tables.addresses.get(self.txn, address.as_bytes())?;
        value.map(|value| Ok(AccountId(Fields::new(value, table::ADDRESSES).u32()?))).transpose()
    }

    pub(crate) fn mailbox_entry(&self, account: AccountId, name: &str) -> Result<Option<MailboxEntry>, Error> {
        if name.len() > super::KEY_TEXT_MAX {
            return Ok(None);
        }
        self.tables.mailboxes.get(self.txn, &mailbox_key(account, name))?.map(MailboxEntry::decode).transpose()
    }

    /// All names of an account that begin with `prefix`, ascending.
    pub(crate) fn mailbox_entries(
        &self,
        account: AccountId,
        prefix: &str,
    ) -> Result<Vec<(String, MailboxEntry)>, Error> {
        let mut entries = Vec::new();
        for entry in self.tables.mailboxes.prefix_iter(self.txn, &mailbox_key(account, prefix))? {
            let (key, value) = entry?;
            let name = key.get(4..).and_then(|name| String::from_utf8(name.to_vec()).ok());
            entries.push((name.ok_or(Error::Corrupt(table::MAILBOXES))?, MailboxEntry::decode(value)?));
        }
        Ok(entries)
    }

    /// The keywords of a mailbox; position = bit.
    pub(crate) fn keywords(&self, mailbox: MailboxId) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for entry in self.tables.keywords.prefix_iter(self.txn, &mailbox.0.to_be_bytes())? {
            let (_, value) = entry?;
            names.push(String::from_utf8(value.to_vec()).map_err(|_| Error::Corrupt(table::KEYWORDS))?);
        }
        Ok(names)
    }

    pub(crate) fn row(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<MessageRow>, Error> {
        let key = key_u32_u32(mailbox.0, uid.0);
        self.tables.messages.get(self.txn, &key)?.map(MessageRow::decode).transpose()
    }

    /// Calls `each` with every row from `first` to `last`, ascending, until it answers false.
    pub(crate) fn rows(
        &self,
        mailbox: MailboxId,
        first: u32,
        last: u32,
        each: impl FnMut(Uid, MessageRow) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let (from, to) = (key_u32_u32(mailbox.0, first), key_u32_u32(mailbox.0, last));
        let range = (Bound::Included(&from[..]), Bound::Included(&to[..]));
        each_row(self.tables.messages.range(self.txn, &range)?, each)
    }

    /// Calls `each` with every row from the last one on, descending, until it answers false.
    pub(crate) fn rows_back(
        &self,
        mailbox: MailboxId,
        each: impl FnMut(Uid, MessageRow) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let (from, to) = (key_u32_u32(mailbox.0, 1), key_u32_u32(mailbox.0, u32::MAX));
        let range = (Bound::Included(&from[..]), Bound::Included(&to[..]));
        each_row(self.tables.messages.rev_range(self.txn, &range)?, each)
    }

    /// Calls `each` with every change after `since`, ascending by modseq, until it answers false.
    pub(crate) fn changes(
        &self,
        mailbox: MailboxId,
        since: ModSeq,
        mut each: impl FnMut(ModSeq, Uid) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let from = key_u32_u64_u32(mailbox.0, since.0, u32::MAX);
        let to = key_u32_u64_u32(mailbox.0, u64::MAX, u32::MAX);
        for entry in self.tables.changes.range(self.txn, &(Bound::Excluded(&from[..]), Bound::Included(&to[..])))? {
            let (key, _) = entry?;
            let mut fields = Fields::new(key.get(4..).unwrap_or_default(), table::CHANGES);
            if !each(ModSeq(fields.u64()?), Uid(fields.u32()?))? {
                break;
            }
        }
        Ok(())
    }

    /// UIDs at or above `from` that were given out and no longer exist.
    pub(crate) fn holes(&self, mailbox: MailboxId, from: u32) -> Result<UidSet, Error> {
        let mut holes = UidSet::new();
        if let Some((first, last)) = self.hole_at_or_before(mailbox, from)? {
            holes.insert_range(first.max(from), last);
        }
        let (low, high) = (key_u32_u32(mailbox.0, from), key_u32_u32(mailbox.0, u32::MAX));
        for entry in self.tables.holes.range(self.txn, &(Bound::Excluded(&low[..]), Bound::Included(&high[..])))? {
            let (key, value) = entry?;
            holes.insert_range(key_u32(key, 4, table::HOLES)?, Fields::new(value, table::HOLES).u32()?);
        }
        Ok(holes)
    }

    /// The hole that begins at `uid` or, if none does, the last one that begins before it.
    pub(crate) fn hole_at_or_before(&self, mailbox: MailboxId, uid: u32) -> Result<Option<(u32, u32)>, Error> {
        let key = key_u32_u32(mailbox.0, uid);
        let Some((key, value)) = self.tables.holes.get_lower_than_or_equal_to(self.txn, &key)? else {
            return Ok(None);
        };
        if key_u32(key, 0, table::HOLES)? != mailbox.0 {
            return Ok(None);
        }
        Ok(Some((key_u32(key, 4, table::HOLES)?, Fields::new(value, table::HOLES).u32()?)))
    }

    /// UIDs expunged after `since`; where that is no longer remembered, every UID that is gone.
    pub(crate) fn expunged(&self, mailbox: MailboxId, state: &MailboxState, since: ModSeq) -> Result<UidSet, Error> {
        if since < state.expunge_floor {
            return self.holes(mailbox, 1);
        }
        let mut expunged = UidSet::new();
        let from = key_u32_u64_u32(mailbox.0, since.0, u32::MAX);
        let to = key_u32_u64_u32(mailbox.0, u64::MAX, u32::MAX);
        for entry in self.tables.expunges.range(self.txn, &(Bound::Excluded(&from[..]), Bound::Included(&to[..])))? {
            let (_, value) = entry?;
            let mut fields = Fields::new(value, table::EXPUNGES);
            while !fields.rest().is_empty() {
                expunged.insert_range(fields.u32()?, fields.u32()?);
            }
        }
        Ok(expunged)
    }

    /// How many share what `kind` and `id` name; one where nothing is noted.
    pub(crate) fn refs(&self, kind: u8, id: u64) -> Result<u32, Error> {
        let value = self.tables.refs.get(self.txn, &key_kind_u64(kind, id))?;
        value.map_or(Ok(1), |value| Fields::new(value, table::REFS).u32())
    }

    /// A content with its record; its pieces are put together.
    pub(crate) fn content(&self, id: ContentId) -> Result<Option<Content>, Error> {
        let (first, last) = (key_u64_u32(id.0, 0), key_u64_u32(id.0, u32::MAX));
        let mut pieces =
            self.tables.contents.range(self.txn, &(Bound::Included(&first[..]), Bound::Included(&last[..])))?;
        let Some(head) = pieces.next() else { return Ok(None) };
        let (_, head) = head?;
        let mut rest = pieces.peekable();
        if rest.peek().is_none() {
            return Content::decode(head).map(Some);
        }
        let mut whole = head.to_vec();
        for piece in rest {
            whole.extend_from_slice(piece?.1);
        }
        Content::decode(&whole).map(Some)
    }

    /// Calls `each` with the records of `ids`, as they lie in the store, where each is there; with the index in `ids`.
    ///
    /// One cursor walks along while the identifiers ascend without gaps, as those of a mailbox mostly do, which saves
    /// the way down the tree.
    pub(crate) fn records(
        &self,
        ids: &[ContentId],
        mut each: impl FnMut(usize, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let end = key_u64_u32(u64::MAX, u32::MAX);
        let mut along = None;
        // The entry on which the cursor stopped.
        let mut ahead = None;
        for (index, id) in ids.iter().enumerate() {
            let first = key_u64_u32(id.0, 0);
            if along.is_none() || ahead.as_ref().is_none_or(|(key, _): &(&[u8], &[u8])| *key != first) {
                let from = (Bound::Included(&first[..]), Bound::Included(&end[..]));
                let mut entries = self.tables.contents.range(self.txn, &from)?;
                ahead = entries.next().transpose()?;
                along = Some(entries);
            }
            let (Some(entries), Some((key, head))) = (&mut along, ahead) else { continue };
            if key != first {
                continue;
            }
            ahead = entries.next().transpose()?;
            if ahead.is_none_or(|(key, _)| !key.starts_with(&first[..8])) {
                each(index, ContentRef::decode(head)?.record)?;
                continue;
            }
            let mut whole = head.to_vec();
            while let Some((_, piece)) = ahead.filter(|(key, _)| key.starts_with(&first[..8])) {
                whole.extend_from_slice(piece);
                ahead = entries.next().transpose()?;
            }
            each(index, ContentRef::decode(&whole)?.record)?;
        }
        Ok(())
    }

    /// Where a content's octets are.
    pub(crate) fn content_body(&self, id: ContentId) -> Result<Option<BodyId>, Error> {
        let head = self.tables.contents.get(self.txn, &key_u64_u32(id.0, 0))?;
        head.map(|head| Ok(BodyId(Fields::new(head, table::CONTENTS).u64()?))).transpose()
    }

    /// Whether that waits to be removed.
    pub(crate) fn is_garbage(&self, kind: u8, id: u64) -> Result<bool, Error> {
        Ok(self.tables.garbage.get(self.txn, &key_kind_u64(kind, id))?.is_some())
    }

    /// A deleted mailbox whose rows are still there.
    pub(crate) fn deleted_mailbox(&self) -> Result<Option<MailboxId>, Error> {
        let mut entries = self.tables.garbage.prefix_iter(self.txn, &[super::schema::kind::MAILBOX])?;
        let Some(entry) = entries.next() else { return Ok(None) };
        Ok(Some(MailboxId(key_u32(entry?.0, 5, table::GARBAGE)?)))
    }

    /// Up to `max` keys of `garbage`.
    pub(crate) fn garbage(&self, max: usize) -> Result<Vec<(u8, u64)>, Error> {
        let mut keys = Vec::new();
        for entry in self.tables.garbage.iter(self.txn)?.take(max) {
            let (key, _) = entry?;
            let mut fields = Fields::new(key, table::GARBAGE);
            keys.push((fields.u8()?, fields.u64()?));
        }
        Ok(keys)
    }
}
