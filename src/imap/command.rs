//! Our own command type. imap-codec's cannot be extended; parsers in `wire` make these.

use super::partial::Partial;
use crate::mailbox::sort::Criterion;
use crate::mailbox::thread::Algorithm;
use crate::types::{DateTime, FlagOperation, Flags, ModSeq};

/// Sequence numbers or UIDs as the client wrote them (RFC 9051 sequence-set).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSet {
    /// Each item: one number or a range in either order; None is `*`. No item: `$`, the saved result (RFC 5182).
    pub items: Vec<(Option<u32>, Option<u32>)>,
}

impl SequenceSet {
    /// `$`
    pub const SAVED: Self = Self { items: Vec::new() };

    /// Whether it is `$`.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.items.is_empty()
    }
}

/// A mailbox name, decoded from modified UTF-7 to UTF-8, `INBOX` canonical.
pub type MailboxName = String;

/// Octets that are never shown in a log or a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// A command without its tag.
// Fields are named as the arguments in the RFC's grammar.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// STARTTLS
    StartTls,
    /// AUTHENTICATE with the initial response (RFC 4959) still in base64; `=` alone is an empty one.
    Authenticate { mechanism: String, initial: Option<Secret> },
    /// LOGIN
    Login { user: Vec<u8>, password: Secret },
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// ENABLE: the names, upper case.
    Enable(Vec<String>),
    /// ID (RFC 2971): None is NIL.
    Id(Option<Vec<(String, Option<String>)>>),
    /// NAMESPACE
    Namespace,
    /// SELECT, or EXAMINE where `read_only`.
    Select { mailbox: MailboxName, read_only: bool, parameters: SelectParameters },
    /// CREATE; `uses` are the attributes of USE (RFC 6154 §3) as the client wrote them.
    Create { mailbox: MailboxName, uses: Vec<String> },
    /// DELETE
    Delete(MailboxName),
    /// RENAME
    Rename { from: MailboxName, to: MailboxName },
    /// SUBSCRIBE
    Subscribe(MailboxName),
    /// UNSUBSCRIBE
    Unsubscribe(MailboxName),
    /// LIST
    List(ListRequest),
    /// LSUB
    Lsub { reference: String, pattern: String },
    /// STATUS
    Status { mailbox: MailboxName, items: Vec<StatusItem> },
    /// GETMETADATA (RFC 5464); no mailbox: the server. Values over `max_size` octets are not told.
    GetMetadata { mailbox: Option<MailboxName>, entries: Vec<EntryName>, max_size: Option<u32>, depth: Depth },
    /// NOTIFY (RFC 5465)
    Notify(NotifyRequest),
    /// SETMETADATA (RFC 5464); no value: the entry is removed.
    SetMetadata { mailbox: Option<MailboxName>, entries: Vec<(EntryName, Option<Vec<u8>>)> },
    /// APPEND; the literal follows on the wire and is streamed. More messages may stand behind it (RFC 3502).
    Append { mailbox: MailboxName, message: AppendMessage },
    /// REPLACE (RFC 8508); the literal follows on the wire. The set names one message.
    Replace { uid: bool, set: SequenceSet, mailbox: MailboxName, message: AppendMessage },
    /// GETQUOTA (RFC 9208 §4.1.1) with the name of a quota root.
    GetQuota(String),
    /// GETQUOTAROOT (RFC 9208 §4.1.2)
    GetQuotaRoot(MailboxName),
    /// SETQUOTA (RFC 9208 §4.1.3): resources in upper case with their limits.
    SetQuota { root: String, limits: Vec<(String, u64)> },
    /// IDLE
    Idle,
    /// CHECK
    Check,
    /// COMPRESS (RFC 4978) with the algorithm in upper case
    Compress(String),
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// EXPUNGE, or UID EXPUNGE with a set.
    Expunge { uids: Option<SequenceSet> },
    /// SEARCH; `returns` are the result options of RFC 4731, `fetch` what UPDATE tells of new messages (RFC 5465 §7).
    Search {
        uid: bool,
        returns: Option<SearchReturn>,
        fetch: Vec<FetchItem>,
        charset: Option<String>,
        keys: Vec<SearchKey>,
    },
    /// SORT (RFC 5256); `returns` are the result options of RFC 5267.
    Sort { uid: bool, returns: Option<SearchReturn>, criteria: Vec<Criterion>, charset: String, keys: Vec<SearchKey> },
    /// THREAD (RFC 5256)
    Thread { uid: bool, algorithm: Algorithm, charset: String, keys: Vec<SearchKey> },
    /// ESEARCH (RFC 7377); no `sources`: the selected mailbox.
    MultiSearch {
        sources: Option<Vec<MailboxFilter>>,
        returns: SearchReturn,
        fetch: Vec<FetchItem>,
        charset: Option<String>,
        keys: Vec<SearchKey>,
    },
    /// CANCELUPDATE (RFC 5267) with the tags of searches
    CancelUpdate(Vec<String>),
    /// UIDBATCHES (RFC 10022): messages in a batch, and which batches, as the client wrote them.
    UidBatches { size: u32, range: Option<(u32, u32)> },
    /// FETCH
    Fetch { uid: bool, set: SequenceSet, items: Vec<FetchItem>, modifiers: FetchModifiers },
    /// STORE; `unchanged_since` is the modifier of RFC 7162 §3.1.3.
    Store {
        uid: bool,
        set: SequenceSet,
        unchanged_since: Option<ModSeq>,
        operation: FlagOperation,
        silent: bool,
        flags: Flags,
    },
    /// COPY
    Copy { uid: bool, set: SequenceSet, mailbox: MailboxName },
    /// MOVE
    Move { uid: bool, set: SequenceSet, mailbox: MailboxName },
}

/// The name of an annotation's entry (RFC 5464 §3.2), as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    written: String,
    lower: String,
}

impl EntryName {
    /// A name in ASCII.
    #[must_use]
    pub fn new(written: String) -> Self {
        let lower = written.to_ascii_lowercase();
        Self { written, lower }
    }

    /// As the client wrote it.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// In lower case: names that differ in case only are the same.
    #[must_use]
    pub fn lower(&self) -> &str {
        &self.lower
    }
}

/// What NOTIFY asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyRequest {
    /// NONE: nothing
    None,
    /// SET
    Set {
        /// The counters are told first.
        status: bool,
        /// Which events of which mailboxes.
        groups: Vec<EventGroup>,
    },
}

/// Events of some mailboxes (RFC 5465 §8, event-group).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventGroup {
    /// The mailboxes.
    pub filter: MailboxFilter,
    /// The events.
    pub events: Events,
}

/// Events of RFC 5465 §5; none of them: NONE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are events, each there or not")]
pub struct Events {
    /// MessageNew and MessageExpunge
    pub messages: bool,
    /// What to fetch of new messages.
    pub fetch: Vec<FetchItem>,
    /// FlagChange; only with `messages`.
    pub flags: bool,
    /// MailboxName
    pub mailbox_name: bool,
    /// SubscriptionChange
    pub subscription: bool,
    /// MailboxMetadataChange
    pub mailbox_metadata: bool,
    /// ServerMetadataChange
    pub server_metadata: bool,
}

impl Events {
    /// NONE
    #[must_use]
    pub const fn is_none(&self) -> bool {
        !(self.messages || self.mailbox_name || self.subscription || self.mailbox_metadata || self.server_metadata)
    }
}

/// How far below an entry GETMETADATA looks (RFC 5464 §4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Nothing below it.
    #[default]
    Zero,
    /// The entries right below it.
    One,
    /// All.
    Infinity,
}

/// A message that APPEND announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendMessage {
    /// Its flags.
    pub flags: Flags,
    /// Its internal date; None: now.
    pub date: Option<DateTime>,
    /// Its octets, which follow on the wire.
    pub literal: Literal,
    /// A literal8 (RFC 3516): the octets are kept as they are, line ends too.
    pub binary: bool,
    /// UTF8 data (RFC 6855 §4), which a parenthesis closes. Invariant: only with `binary`.
    pub utf8: bool,
}

/// A literal announced at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Octets that follow.
    pub size: u64,
    /// LITERAL+ (RFC 7888): the client does not wait for a continuation.
    pub non_synchronizing: bool,
}

/// LIST with what RFC 5258 and its extensions add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// The reference name.
    pub reference: String,
    /// The patterns; one without parentheses is one.
    pub patterns: Vec<String>,
    /// Any of the extended forms was used (RFC 5258 §1).
    pub extended: bool,
    /// Which names are selected.
    pub selection: ListSelection,
    /// RETURN SUBSCRIBED. CHILDREN and SPECIAL-USE are told always.
    pub subscribed: bool,
    /// RETURN STATUS (RFC 5819)
    pub status: Option<Vec<StatusItem>>,
    /// RETURN METADATA (RFC 9590)
    pub metadata: Vec<EntryName>,
}

/// The selection options of LIST that make a difference here: REMOTE selects nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelection {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// RECURSIVEMATCH; only together with another one.
    pub recursive_match: bool,
    /// SPECIAL-USE (RFC 6154 §2)
    pub special_use: bool,
}

/// The parameters of SELECT and EXAMINE (RFC 4466 §2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectParameters {
    /// CONDSTORE (RFC 7162 §3.1.8)
    pub condstore: bool,
    /// QRESYNC (RFC 7162 §3.2.5)
    pub qresync: Option<Resync>,
}

/// What a client remembers of a mailbox (RFC 7162 §3.2.5). No set holds `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// The UIDVALIDITY that all else belongs to.
    pub uid_validity: u32,
    /// All changes up to here are known.
    pub modseq: ModSeq,
    /// The UIDs that matter; None: all.
    pub known: Option<SequenceSet>,
    /// Sequence numbers and the UIDs that the client has for them.
    pub matches: Option<(SequenceSet, SequenceSet)>,
}

/// Which mailboxes (RFC 5465 §6, RFC 7377 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxFilter {
    /// The selected one.
    Selected,
    /// The selected one, its expunges told only when a command allows it; for NOTIFY alone.
    SelectedDelayed,
    /// Those that mail can be delivered to.
    Inboxes,
    /// All of the account.
    Personal,
    /// The subscribed ones.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<MailboxName>),
    /// These and those directly below them; for ESEARCH alone.
    SubtreeOne(Vec<MailboxName>),
    /// These.
    Mailboxes(Vec<MailboxName>),
}

/// The result options of SEARCH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are options, each there or not")]
pub struct SearchReturn {
    /// MIN (RFC 4731 §3.1)
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL
    pub all: bool,
    /// COUNT
    pub count: bool,
    /// SAVE (RFC 5182)
    pub save: bool,
    /// UPDATE (RFC 5267 §4.3). CONTEXT, a mere hint, makes no difference.
    pub update: bool,
    /// PARTIAL (RFC 9394); not with ALL.
    pub partial: Option<Partial>,
}

/// The modifiers of FETCH (RFC 4466 §2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchModifiers {
    /// CHANGEDSINCE (RFC 7162 §3.1.4.1)
    pub changed_since: Option<ModSeq>,
    /// VANISHED (RFC 7162 §3.2.6); only in UID FETCH and with CHANGEDSINCE.
    pub vanished: bool,
    /// PARTIAL (RFC 9394 §3.3); only in UID FETCH.
    pub partial: Option<Partial>,
}

/// What STATUS can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    /// MESSAGES
    Messages,
    /// RECENT
    Recent,
    /// UIDNEXT
    UidNext,
    /// UIDVALIDITY
    UidValidity,
    /// UNSEEN
    Unseen,
    /// DELETED (RFC 9051 §6.3.11)
    Deleted,
    /// DELETED-STORAGE (RFC 9208 §4.1.4)
    DeletedStorage,
    /// SIZE (RFC 8438)
    Size,
    /// APPENDLIMIT (RFC 7889)
    AppendLimit,
    /// MAILBOXID (RFC 8474)
    MailboxId,
    /// HIGHESTMODSEQ (RFC 7162 §3.1.7)
    HighestModSeq,
}

/// What FETCH can ask for; macros are already expanded.
// Fields are named as in the RFC's grammar.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// BODY without a section
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Rfc822Size,
    /// UID
    Uid,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474): always NIL
    ThreadId,
    /// SAVEDATE (RFC 8514)
    SaveDate,
    /// PREVIEW (RFC 8970), with LAZY or without
    Preview,
    /// BINARY[...] or BINARY.PEEK[...] (RFC 3516)
    Binary {
        /// The part; empty: the whole message.
        path: Vec<u32>,
        /// Of the decoded octets: offset and length.
        partial: Option<(u64, u64)>,
        /// Does not set \Seen.
        peek: bool,
    },
    /// BINARY.SIZE[...]
    BinarySize {
        /// The part; empty: the whole message.
        path: Vec<u32>,
    },
    /// MODSEQ (RFC 7162 §3.1.4.2)
    ModSeq,
    /// RFC822 (answers as `RFC822`, sets \Seen)
    Rfc822,
    /// RFC822.HEADER (does not set \Seen)
    Rfc822Header,
    /// RFC822.TEXT (sets \Seen)
    Rfc822Text,
    /// BODY[...] or BODY.PEEK[...], with `<offset.length>`
    Section { path: Vec<u32>, part: SectionPart, partial: Option<(u64, u64)>, peek: bool },
}

/// Which part of a (sub)message a section names (RFC 9051 §6.4.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionPart {
    /// All of it.
    Full,
    /// HEADER
    Header,
    /// HEADER.FIELDS: names as the client wrote them
    Fields(Vec<String>),
    /// HEADER.FIELDS.NOT
    FieldsNot(Vec<String>),
    /// TEXT
    Text,
    /// MIME
    Mime,
}

/// A search key (RFC 9051 §6.4.4). Strings are already UTF-8.
// Fields are named as in the RFC's grammar.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// ALL
    All,
    /// A set of sequence numbers.
    Sequence(SequenceSet),
    /// UID set
    Uid(SequenceSet),
    /// UIDAFTER (RFC 9738 §3.2): a higher UID than this one; None: than all of `$`.
    UidAfter(Option<u32>),
    /// UIDBEFORE: a lower one.
    UidBefore(Option<u32>),
    /// A system flag is set (ANSWERED ...) or not (UNANSWERED ...).
    Flag { flag: crate::types::SystemFlags, set: bool },
    /// KEYWORD, UNKEYWORD
    Keyword { keyword: String, set: bool },
    /// RECENT (true) or OLD (false)
    Recent(bool),
    /// NEW
    New,
    /// BEFORE, ON, SINCE: days since 1970-01-01, internal date without time and zone.
    Before(i32),
    /// ON
    On(i32),
    /// SINCE
    Since(i32),
    /// SENTBEFORE
    SentBefore(i32),
    /// SENTON
    SentOn(i32),
    /// SENTSINCE
    SentSince(i32),
    /// SAVEDBEFORE, SAVEDON, SAVEDSINCE (RFC 8514): days as above.
    SavedBefore(i32),
    /// SAVEDON
    SavedOn(i32),
    /// SAVEDSINCE
    SavedSince(i32),
    /// EMAILID (RFC 8474)
    EmailId(String),
    /// THREADID (RFC 8474): no message has one
    ThreadId(String),
    /// OLDER (RFC 5032): seconds.
    Older(u32),
    /// YOUNGER
    Younger(u32),
    /// LARGER
    Larger(u64),
    /// SMALLER
    Smaller(u64),
    /// FROM, TO, CC, BCC, SUBJECT, HEADER: field name and text; an empty text asks for presence.
    Header { field: String, text: String },
    /// BODY
    Body(String),
    /// TEXT
    Text(String),
    /// MODSEQ (RFC 7162 §3.1.5): this one or a higher one. The metadata item that it may name makes no difference,
    /// because a message has one MODSEQ for all.
    ModSeq(ModSeq),
    /// NOT
    Not(Box<SearchKey>),
    /// OR
    Or(Box<SearchKey>, Box<SearchKey>),
    /// A parenthesised list: all of them.
    And(Vec<SearchKey>),
}

impl SearchKey {
    /// Whether one of these keys, or one inside them, satisfies `accept`.
    pub fn any(keys: &[Self], accept: &impl Fn(&Self) -> bool) -> bool {
        let mut open: Vec<&Self> = keys.iter().collect();
        while let Some(key) = open.pop() {
            if accept(key) {
                return true;
            }
            match key {
                Self::Not(key) => open.push(key),
                Self::Or(first, second) => open.extend([&**first, &**second]),
                Self::And(keys) => open.extend(keys),
                _ => {}
            }
        }
        false
    }
}
