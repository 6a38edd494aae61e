//! Every table with its keys and values. ARCHITECTURE.md gives the same byte by byte.
//!
//! All numbers are big-endian. A change of any layout raises [`SCHEMA_VERSION`] and adds a step to `migrate`.

use super::codec::{Fields, put_text};
use super::{Error, ScramKeys};
use crate::types::{
    AccountId, BodyId, ContentId, DateTime, Door, DoorKind, InstanceId, KeywordBits, MailboxId, ModSeq, SpecialUse,
    SystemFlags, UidValidity,
};

/// The version of all layouts in this file.
pub const SCHEMA_VERSION: u32 = 5;

/// What the `format` entry of the table `meta` begins with.
pub(crate) const MAGIC: &[u8; 8] = b"mailnook";

/// Names of the tables.
pub(crate) mod table {
    pub(crate) const META: &str = "meta";
    pub(crate) const STATE: &str = "state";
    pub(crate) const USERS: &str = "users";
    pub(crate) const ADDRESSES: &str = "addresses";
    pub(crate) const MAILBOXES: &str = "mailboxes";
    pub(crate) const KEYWORDS: &str = "keywords";
    pub(crate) const MESSAGES: &str = "messages";
    pub(crate) const CHANGES: &str = "changes";
    pub(crate) const HOLES: &str = "holes";
    pub(crate) const EXPUNGES: &str = "expunges";
    pub(crate) const CONTENTS: &str = "contents";
    pub(crate) const CHUNKS: &str = "chunks";
    pub(crate) const REFS: &str = "refs";
    pub(crate) const GARBAGE: &str = "garbage";
    pub(crate) const DEVICES: &str = "devices";
    pub(crate) const POP3: &str = "pop3";
    pub(crate) const ANNOTATIONS: &str = "annotations";
    pub(crate) const ORIGINS: &str = "origins";
    pub(crate) const SETTINGS: &str = "settings";
    pub(crate) const HIDDEN: &str = "hidden";
    pub(crate) const LOST: &str = "lost";
    pub(crate) const JOURNAL: &str = "journal";
}

/// Kinds of keys in `state`.
pub(crate) mod state_kind {
    pub(crate) const ACCOUNT: u8 = b'A';
    pub(crate) const GLOBAL: u8 = b'G';
    pub(crate) const MAILBOX: u8 = b'M';
}

/// Kinds of keys in `origins`.
pub(crate) mod origin_kind {
    /// From the identifier to the door.
    pub(crate) const ID: u8 = b'I';
    /// From the door to the identifier.
    pub(crate) const DOOR: u8 = b'D';
}

/// Kinds of keys in `refs` and `garbage`.
pub(crate) mod kind {
    /// A removed account whose hidden messages are to be removed (`garbage`).
    pub(crate) const ACCOUNT: u8 = b'A';
    /// A body whose chunks are to be removed (`garbage`), or shared (`refs`).
    pub(crate) const BODY: u8 = b'B';
    /// A content that several rows share (`refs`).
    pub(crate) const CONTENT: u8 = b'C';
    /// A deleted mailbox whose rows are to be removed (`garbage`).
    pub(crate) const MAILBOX: u8 = b'M';
    /// A body that is being staged (`garbage`); removed at start.
    pub(crate) const STAGING: u8 = b'S';
}

/// The one `format` entry of `meta`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) schema: u32,
    /// LMDB's page size where the store was made.
    pub(crate) page_size: u32,
    /// Octets of a chunk's value: one overflow page.
    pub(crate) chunk_size: u32,
    /// Made at random with the store.
    pub(crate) store_id: [u8; 16],
}

impl Format {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.schema.to_be_bytes());
        out.extend_from_slice(&self.page_size.to_be_bytes());
        out.extend_from_slice(&self.chunk_size.to_be_bytes());
        out.extend_from_slice(&self.store_id);
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::META);
        if fields.take(MAGIC.len())? != MAGIC {
            return Err(Error::Corrupt(table::META));
        }
        let (schema, page_size, chunk_size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let store_id = fields.take(16)?.try_into().map_err(|_| Error::Corrupt(table::META))?;
        Ok(Self { schema, page_size, chunk_size, store_id })
    }
}

/// `state` / `G`: what the whole store counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Globals {
    pub(crate) next_account: u32,
    pub(crate) next_mailbox: u32,
    /// The next content, body or instance identifier; one sequence serves all three.
    pub(crate) next_id: u64,
    /// The last UIDVALIDITY given out; a later one is always higher, whatever the clock says.
    pub(crate) last_uid_validity: u32,
    /// The latest moment stored, in seconds since 1970: a clock behind it is wrong.
    pub(crate) last_time: i64,
    /// Later moments may be stored still: to be looked for.
    pub(crate) redating: bool,
    pub(crate) leap: Option<Leap>,
}

/// The clock went forward by itself, and nothing is removed for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    /// What the time would be without it, in seconds since 1970.
    pub believed: i64,
    /// Seconds for which nothing is removed still.
    pub left: u32,
}

impl Globals {
    const REDATING: u8 = 1;
    const LEAP: u8 = 2;

    pub(crate) const fn new() -> Self {
        Self {
            next_account: 1,
            next_mailbox: 1,
            next_id: 1,
            last_uid_validity: 0,
            last_time: 0,
            redating: false,
            leap: None,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(41);
        out.extend_from_slice(&self.next_account.to_be_bytes());
        out.extend_from_slice(&self.next_mailbox.to_be_bytes());
        out.extend_from_slice(&self.next_id.to_be_bytes());
        out.extend_from_slice(&self.last_uid_validity.to_be_bytes());
        out.extend_from_slice(&self.last_time.to_be_bytes());
        let leap = self.leap.unwrap_or(Leap { believed: 0, left: 0 });
        out.push(u8::from(self.redating) * Self::REDATING + u8::from(self.leap.is_some()) * Self::LEAP);
        out.extend_from_slice(&leap.believed.to_be_bytes());
        out.extend_from_slice(&leap.left.to_be_bytes());
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::STATE);
        let mut globals = Self {
            next_account: fields.u32()?,
            next_mailbox: fields.u32()?,
            next_id: fields.u64()?,
            last_uid_validity: fields.u32()?,
            last_time: fields.i64()?,
            redating: false,
            leap: None,
        };
        // They came with version 5.
        if !fields.rest().is_empty() {
            let bits = fields.u8()?;
            globals.redating = bits & Self::REDATING != 0;
            let leap = Leap { believed: fields.i64()?, left: fields.u32()? };
            globals.leap = (bits & Self::LEAP != 0).then_some(leap);
        }
        Ok(globals)
    }
}

/// `state` / `A`: what an account holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccountState {
    pub(crate) messages: u64,
    /// Sum of RFC822.SIZE.
    pub(crate) bytes: u64,
    pub(crate) mailboxes: u32,
    /// Of these messages so many are notices of ours, which no quota counts.
    pub(crate) notices: u64,
    /// Sum of their RFC822.SIZE.
    pub(crate) notice_bytes: u64,
    /// Expunged messages that can be brought back; not among the others.
    pub(crate) hidden: u64,
    /// Sum of their RFC822.SIZE.
    pub(crate) hidden_bytes: u64,
}

impl AccountState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(52);
        out.extend_from_slice(&self.messages.to_be_bytes());
        out.extend_from_slice(&self.bytes.to_be_bytes());
        out.extend_from_slice(&self.mailboxes.to_be_bytes());
        out.extend_from_slice(&self.notices.to_be_bytes());
        out.extend_from_slice(&self.notice_bytes.to_be_bytes());
        out.extend_from_slice(&self.hidden.to_be_bytes());
        out.extend_from_slice(&self.hidden_bytes.to_be_bytes());
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::STATE);
        let mut state =
            Self { messages: fields.u64()?, bytes: fields.u64()?, mailboxes: fields.u32()?, ..Self::default() };
        // Version 1 ends here.
        if !fields.rest().is_empty() {
            (state.notices, state.notice_bytes) = (fields.u64()?, fields.u64()?);
            (state.hidden, state.hidden_bytes) = (fields.u64()?, fields.u64()?);
        }
        fields.end()?;
        Ok(state)
    }
}

/// `state` / `M`: a mailbox's counters. Invariant: they equal what counting its rows gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailboxState {
    pub(crate) account: AccountId,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: u32,
    pub(crate) highest_modseq: ModSeq,
    pub(crate) messages: u32,
    pub(crate) unseen: u32,
    pub(crate) deleted: u32,
    pub(crate) recent: u32,
    pub(crate) bytes: u64,
    pub(crate) deleted_bytes: u64,
    /// Messages with this UID or a higher one are \Recent.
    pub(crate) first_recent: u32,
    /// Every message with a lower UID is \Seen; a lower bound for the search for the first unseen.
    pub(crate) unseen_floor: u32,
    /// Entries in `expunges`.
    pub(crate) expunge_entries: u32,
    /// Expunges with this modseq or a lower one are no longer remembered one by one.
    pub(crate) expunge_floor: ModSeq,
    /// How many keywords the mailbox has named.
    pub(crate) keywords: u8,
}

impl MailboxState {
    pub(crate) const fn new(account: AccountId, uid_validity: UidValidity) -> Self {
        Self {
            account,
            uid_validity,
            uid_next: 1,
            highest_modseq: ModSeq(1),
            messages: 0,
            unseen: 0,
            deleted: 0,
            recent: 0,
            bytes: 0,
            deleted_bytes: 0,
            first_recent: 1,
            unseen_floor: 1,
            expunge_entries: 0,
            expunge_floor: ModSeq(0),
            keywords: 0,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(77);
        for number in [self.account.0, self.uid_validity.0, self.uid_next] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.highest_modseq.0.to_be_bytes());
        for number in [self.messages, self.unseen, self.deleted, self.recent] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.bytes.to_be_bytes());
        out.extend_from_slice(&self.deleted_bytes.to_be_bytes());
        for number in [self.first_recent, self.unseen_floor, self.expunge_entries] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.expunge_floor.0.to_be_bytes());
        out.push(self.keywords);
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::STATE);
        Ok(Self {
            account: AccountId(fields.u32()?),
            uid_validity: UidValidity(fields.u32()?),
            uid_next: fields.u32()?,
            highest_modseq: ModSeq(fields.u64()?),
            messages: fields.u32()?,
            unseen: fields.u32()?,
            deleted: fields.u32()?,
            recent: fields.u32()?,
            bytes: fields.u64()?,
            deleted_bytes: fields.u64()?,
            first_recent: fields.u32()?,
            unseen_floor: fields.u32()?,
            expunge_entries: fields.u32()?,
            expunge_floor: ModSeq(fields.u64()?),
            keywords: fields.u8()?,
        })
    }
}

/// `users`: who has the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    /// PHC string; empty: no password login.
    pub(crate) password_hash: String,
    pub(crate) aliases: Vec<String>,
    /// Of the same password; None: it was set before there were such keys, or SASLprep refuses it.
    pub(crate) scram: Option<ScramKeys>,
}

impl User {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_text(&mut out, &self.name);
        put_text(&mut out, &self.password_hash);
        let count = u16::try_from(self.aliases.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for alias in self.aliases.iter().take(usize::from(count)) {
            put_text(&mut out, alias);
        }
        ScramKeys::put(self.scram.as_ref(), &mut out);
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::USERS);
        let (name, password_hash) = (fields.text()?, fields.text()?);
        let count = fields.u16()?;
        let aliases = (0..count).map(|_| fields.text()).collect::<Result<_, _>>()?;
        let scram = ScramKeys::take(&mut fields)?;
        fields.end()?;
        Ok(Self { name, password_hash, aliases, scram })
    }
}

/// `mailboxes`: a name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailboxEntry {
    /// None: the name is only subscribed.
    pub(crate) mailbox: Option<MailboxId>,
    pub(crate) subscribed: bool,
    pub(crate) special_use: Option<SpecialUse>,
}

impl MailboxEntry {
    pub(crate) fn encode(self) -> [u8; 6] {
        let mut out = [0; 6];
        out[..4].copy_from_slice(&self.mailbox.map_or(0, |id| id.0).to_be_bytes());
        out[4] = u8::from(self.subscribed);
        out[5] = use_number(self.special_use);
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::MAILBOXES);
        let mailbox = match fields.u32()? {
            0 => None,
            id => Some(MailboxId(id)),
        };
        let subscribed = fields.u8()? != 0;
        let special_use = use_from_number(fields.u8()?, table::MAILBOXES)?;
        Ok(Self { mailbox, subscribed, special_use })
    }
}

/// What a special use is stored as; 0: none.
pub(super) const fn use_number(special_use: Option<SpecialUse>) -> u8 {
    match special_use {
        None => 0,
        Some(SpecialUse::Sent) => 1,
        Some(SpecialUse::Drafts) => 2,
        Some(SpecialUse::Trash) => 3,
        Some(SpecialUse::Junk) => 4,
        Some(SpecialUse::Archive) => 5,
    }
}

/// What [`use_number`] stored in that table.
pub(super) const fn use_from_number(number: u8, of: &'static str) -> Result<Option<SpecialUse>, Error> {
    Ok(match number {
        0 => None,
        1 => Some(SpecialUse::Sent),
        2 => Some(SpecialUse::Drafts),
        3 => Some(SpecialUse::Trash),
        4 => Some(SpecialUse::Junk),
        5 => Some(SpecialUse::Archive),
        _ => return Err(Error::Corrupt(of)),
    })
}

/// Identifies an interned door in `origins`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OriginId(pub(crate) u32);

impl OriginId {
    /// Nobody noted by which door.
    pub(crate) const UNKNOWN: Self = Self(0);
    /// Our own notice to the user, which no quota counts, wherever it is moved.
    pub(crate) const NOTICE: Self = Self(u32::MAX);
}

/// The value of an origin: protocol, device, address as text.
pub(crate) fn encode_door(door: &Door) -> Vec<u8> {
    let kind = DoorKind::ALL.iter().position(|kind| *kind == door.kind).unwrap_or(0);
    let mut out = vec![u8::try_from(kind).unwrap_or(0)];
    out.extend_from_slice(&door.device.to_be_bytes());
    put_text(&mut out, &door.address.map_or_else(String::new, |address| address.to_string()));
    out
}

/// The door that [`encode_door`] wrote.
pub(crate) fn decode_door(value: &[u8]) -> Result<Door, Error> {
    let mut fields = Fields::new(value, table::ORIGINS);
    let kind = DoorKind::ALL.get(usize::from(fields.u8()?)).copied().ok_or(Error::Corrupt(table::ORIGINS))?;
    let (device, text) = (fields.u32()?, fields.text()?);
    fields.end()?;
    let address = match text.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Error::Corrupt(table::ORIGINS))?),
    };
    Ok(Door { kind, device, address })
}

/// `messages`: a message in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) content: ContentId,
    pub(crate) instance: InstanceId,
    /// Of the last change.
    pub(crate) modseq: ModSeq,
    /// Of the arrival. Differs from `modseq` where `changes` has an entry.
    pub(crate) created: ModSeq,
    pub(crate) keywords: KeywordBits,
    pub(crate) internal_date: DateTime,
    pub(crate) save_date: i64,
    /// RFC822.SIZE
    pub(crate) size: u64,
    pub(crate) flags: SystemFlags,
    /// By which door it came into the account; a move keeps it.
    pub(crate) origin: OriginId,
}

impl MessageRow {
    /// Octets of an encoded row.
    pub(crate) const LEN: usize = 79;
    /// Octets of a row of version 1, which had no origin. Such rows stay as they are until they change.
    const LEN_WITHOUT_ORIGIN: usize = 75;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&self.content.0.to_be_bytes());
        out[8..16].copy_from_slice(&self.instance.0.to_be_bytes());
        out[16..24].copy_from_slice(&self.modseq.0.to_be_bytes());
        out[24..32].copy_from_slice(&self.created.0.to_be_bytes());
        out[32..48].copy_from_slice(&self.keywords.0.to_be_bytes());
        out[48..56].copy_from_slice(&self.internal_date.seconds.to_be_bytes());
        out[56..58].copy_from_slice(&self.internal_date.zone.to_be_bytes());
        out[58..66].copy_from_slice(&self.save_date.to_be_bytes());
        out[66..74].copy_from_slice(&self.size.to_be_bytes());
        out[74] = self.flags.0;
        out[75..].copy_from_slice(&self.origin.0.to_be_bytes());
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::MESSAGES);
        let row = Self {
            content: ContentId(fields.u64()?),
            instance: InstanceId(fields.u64()?),
            modseq: ModSeq(fields.u64()?),
            created: ModSeq(fields.u64()?),
            keywords: KeywordBits(fields.u128()?),
            internal_date: DateTime { seconds: fields.i64()?, zone: fields.i16()? },
            save_date: fields.i64()?,
            size: fields.u64()?,
            flags: SystemFlags(fields.u8()?),
            origin: if value.len() == Self::LEN_WITHOUT_ORIGIN { OriginId::UNKNOWN } else { OriginId(fields.u32()?) },
        };
        fields.end()?;
        Ok(row)
    }
}

/// `contents`: an immutable message: the header that delivery put before it, its record, and where its octets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) body: BodyId,
    /// Octets of the body, without the prefix.
    pub(crate) body_len: u64,
    /// How the chunks are coded: 0 as they are.
    pub(crate) codec: u8,
    pub(crate) prefix: Vec<u8>,
    /// The encoded `message::Record`.
    pub(crate) record: Vec<u8>,
}

/// The only codec so far: octets as they are.
pub(crate) const CODEC_IDENTITY: u8 = 0;

impl Content {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(25 + self.prefix.len() + self.record.len());
        out.extend_from_slice(&self.body.0.to_be_bytes());
        out.extend_from_slice(&self.body_len.to_be_bytes());
        out.push(self.codec);
        let prefix = u32::try_from(self.prefix.len()).unwrap_or(u32::MAX);
        let record = u32::try_from(self.record.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&prefix.to_be_bytes());
        out.extend_from_slice(&record.to_be_bytes());
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(&self.record);
        // A flipped bit here would shift every section of the message, so this value has its own checksum.
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let ContentRef { body, body_len, codec, prefix, record } = ContentRef::decode(value)?;
        Ok(Self { body, body_len, codec, prefix: prefix.to_vec(), record: record.to_vec() })
    }
}

/// A [`Content`] where it lies.
pub(crate) struct ContentRef<'a> {
    pub(crate) body: BodyId,
    pub(crate) body_len: u64,
    pub(crate) codec: u8,
    pub(crate) prefix: &'a [u8],
    pub(crate) record: &'a [u8],
}

impl<'a> ContentRef<'a> {
    /// Reads a whole value, whose checksum has to fit.
    pub(crate) fn decode(value: &'a [u8]) -> Result<Self, Error> {
        let (data, sum) = value.split_last_chunk::<4>().ok_or(Error::Corrupt(table::CONTENTS))?;
        if crc32fast::hash(data) != u32::from_be_bytes(*sum) {
            return Err(Error::Corrupt(table::CONTENTS));
        }
        let mut fields = Fields::new(data, table::CONTENTS);
        let (body, body_len, codec) = (BodyId(fields.u64()?), fields.u64()?, fields.u8()?);
        let (prefix, record) = (fields.u32()? as usize, fields.u32()? as usize);
        let content = Self { body, body_len, codec, prefix: fields.take(prefix)?, record: fields.take(record)? };
        fields.end()?;
        Ok(content)
    }
}

/// `annotations`: a value that a client keeps with a mailbox, an account or the server (RFC 5464).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// Of its last change; no two changes have the same.
    pub(crate) stamp: u64,
    pub(crate) value: Vec<u8>,
}

impl Annotation {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + self.value.len());
        out.extend_from_slice(&self.stamp.to_be_bytes());
        out.extend_from_slice(&self.value);
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, Error> {
        let (data, sum) = stored.split_last_chunk::<4>().ok_or(Error::Corrupt(table::ANNOTATIONS))?;
        if crc32fast::hash(data) != u32::from_be_bytes(*sum) {
            return Err(Error::Corrupt(table::ANNOTATIONS));
        }
        let mut fields = Fields::new(data, table::ANNOTATIONS);
        Ok(Self { stamp: fields.u64()?, value: fields.rest().to_vec() })
    }
}
