//! The glossary as types: identifiers, flags, UID sets. No I/O; every module may use it.

mod address;
mod device;
mod door;
mod pop3;
mod uid_set;

pub use address::{a_labels, canonical_address};
pub use device::{DeviceId, Rights};
pub use door::{Door, DoorKind};
pub use pop3::{PopDelete, PopPolicy};
pub use uid_set::{UidRange, UidSet};

use std::fmt;

/// Identifies an account for as long as the store lives; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// Identifies a mailbox for as long as the store lives; a rename keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub u32);

/// Identifies immutable message content: all copies of a message share it (RFC 8474 EMAILID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub u64);

/// Identifies the stored octets of a message; several contents may share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyId(pub u64);

/// Identifies one message in one place; a move keeps it, a copy gets a new one.
/// It is the POP3 unique-id (RFC 1939 §7, UIDL).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u64);

/// A message's unique identifier in its mailbox (RFC 9051 §2.3.1.1), 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u32);

/// A mailbox's modification sequence (RFC 7162 §3.1.1), 1 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(pub u64);

/// A mailbox's UIDVALIDITY (RFC 9051 §2.3.1.1), 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidValidity(pub u32);

/// Limit: octets of an annotation (RFC 5464 §4.1: 1024 at least).
pub const ANNOTATION_MAX: usize = 16 * 1024;

/// A moment in seconds since 1970 with the zone it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub zone: i16,
}

/// The system flags of a message (RFC 9051 §2.3.2) but for \Recent, which belongs to a session.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// \Seen
    pub const SEEN: Self = Self(1);
    /// \Answered
    pub const ANSWERED: Self = Self(2);
    /// \Flagged
    pub const FLAGGED: Self = Self(4);
    /// \Deleted
    pub const DELETED: Self = Self(8);
    /// \Draft
    pub const DRAFT: Self = Self(16);
    /// Each flag with the name that IMAP gives it.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
    ];

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flag that IMAP calls `name`, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(flag, _)| *flag)
    }

    /// The IMAP names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

impl fmt::Debug for SystemFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Keywords of a message as positions in its mailbox's keyword table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeywordBits(pub u128);

/// Flags by name, as a client or a delivery gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// System flags.
    pub system: SystemFlags,
    /// Keywords (RFC 9051 §2.3.2), compared without regard to ASCII case.
    pub keywords: Vec<String>,
}

/// What a STORE does with the flags it names (RFC 9051 §6.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagOperation {
    /// `FLAGS`: these and no others.
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// What a mailbox is for (RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialUse {
    /// \Sent
    Sent,
    /// \Drafts
    Drafts,
    /// \Trash
    Trash,
    /// \Junk
    Junk,
    /// \Archive
    Archive,
}

impl SpecialUse {
    /// Every use, in the order in which a new account gets its mailboxes.
    pub const ALL: [Self; 5] = [Self::Drafts, Self::Sent, Self::Junk, Self::Trash, Self::Archive];

    /// The attribute that LIST shows.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Sent => "\\Sent",
            Self::Drafts => "\\Drafts",
            Self::Trash => "\\Trash",
            Self::Junk => "\\Junk",
            Self::Archive => "\\Archive",
        }
    }

    /// The name of the mailbox that a new account gets for it.
    #[must_use]
    pub fn default_name(self) -> &'static str {
        &self.attribute()[1..]
    }

    /// The use whose attribute is `name`, in any case.
    #[must_use]
    pub fn from_attribute(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|special| special.attribute().eq_ignore_ascii_case(name))
    }
}

/// The hierarchy delimiter of mailbox names.
pub const DELIMITER: char = '/';
