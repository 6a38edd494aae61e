//! imap-codec's commands as ours, written independently of the parsers.

use crate::imap::command::{
    AppendMessage, Command, Depth, EntryName, FetchItem, FetchModifiers, ListRequest, Literal, SearchKey, Secret,
    SectionPart, SelectParameters, SequenceSet, StatusItem,
};
use crate::imap::wire::utf7;
use crate::mailbox::sort::{Criterion, SortKey};
use crate::mailbox::thread::Algorithm;
use crate::types::{DateTime, FlagOperation, Flags, ModSeq, SystemFlags, UidSet};
use base64::Engine as _;
use imap_codec::imap_types as theirs;
use imap_codec::imap_types::command::{CommandBody, FetchModifier, SelectParameter, StoreModifier};
use imap_codec::imap_types::core::{AString, LiteralMode, NString8};
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use imap_codec::imap_types::extensions::metadata::{EntryValue, GetMetadataOption};
use imap_codec::imap_types::fetch::{Macro, MacroOrMessageDataItemNames, MessageDataItemName, Part, Section};
use imap_codec::imap_types::flag::{Flag, StoreResponse, StoreType};
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox};
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence};
use imap_codec::imap_types::status::StatusDataItemName;

/// Our command for theirs; None where we refuse on purpose: mailbox names that are not modified UTF-7, charsets,
/// flags that clients cannot set, items of extensions that come later.
pub(super) fn convert(body: CommandBody<'_>) -> Option<Command> {
    Some(match body {
        CommandBody::Capability => Command::Capability,
        CommandBody::Noop => Command::Noop,
        CommandBody::Logout => Command::Logout,
        CommandBody::StartTLS => Command::StartTls,
        CommandBody::Namespace => Command::Namespace,
        CommandBody::Idle => Command::Idle,
        CommandBody::Check => Command::Check,
        CommandBody::Close => Command::Close,
        CommandBody::Unselect => Command::Unselect,
        CommandBody::Expunge => Command::Expunge { uids: None },
        CommandBody::ExpungeUid { sequence_set } => Command::Expunge { uids: Some(set(&sequence_set)) },
        CommandBody::Authenticate { mechanism, initial_response } => {
            let encode = |octets: &[u8]| match octets {
                b"" => b"=".to_vec(),
                octets => base64::engine::general_purpose::STANDARD.encode(octets).into_bytes(),
            };
            Command::Authenticate {
                mechanism: mechanism.to_string().to_ascii_uppercase(),
                initial: initial_response.map(|secret| Secret(encode(secret.declassify()))),
            }
        }
        CommandBody::Login { username, password } => Command::Login {
            user: username.as_ref().to_vec(),
            password: Secret(password.declassify().as_ref().to_vec()),
        },
        CommandBody::Compress { algorithm } => Command::Compress(algorithm.to_string().to_ascii_uppercase()),
        CommandBody::Enable { capabilities } => {
            Command::Enable(capabilities.into_iter().map(|name| name.to_string().to_ascii_uppercase()).collect())
        }
        CommandBody::Id { parameters } => {
            // See quirks::ascii_only.
            let ascii = |octet: &u8| if octet.is_ascii() { char::from(*octet) } else { '?' };
            let text = |octets: &[u8]| octets.iter().map(ascii).collect::<String>();
            let fields = parameters.map(|fields| {
                fields
                    .iter()
                    .map(|(name, value)| (text(name.as_ref()), value.0.as_ref().map(|value| text(value.as_ref()))))
                    .collect()
            });
            Command::Id(fields)
        }
        CommandBody::Select { mailbox, parameters } => {
            Command::Select { mailbox: name(&mailbox)?, read_only: false, parameters: select_parameters(&parameters)? }
        }
        CommandBody::Examine { mailbox, parameters } => {
            Command::Select { mailbox: name(&mailbox)?, read_only: true, parameters: select_parameters(&parameters)? }
        }
        CommandBody::GetQuota { root } => Command::GetQuota(quota_root(&root)?),
        CommandBody::GetQuotaRoot { mailbox } => Command::GetQuotaRoot(name(&mailbox)?),
        CommandBody::SetQuota { root, quotas } => {
            // Numbers have 63 bits (RFC 9208 §3.1.2), and there are not that many resources.
            if quotas.len() > 16 || quotas.iter().any(|quota| i64::try_from(quota.limit).is_err()) {
                return None;
            }
            let limits =
                quotas.iter().map(|quota| (quota.resource.to_string().to_ascii_uppercase(), quota.limit)).collect();
            Command::SetQuota { root: quota_root(&root)?, limits }
        }
        CommandBody::Create { mailbox } => Command::Create { mailbox: name(&mailbox)?, uses: Vec::new() },
        CommandBody::Delete { mailbox } => Command::Delete(name(&mailbox)?),
        CommandBody::Subscribe { mailbox } => Command::Subscribe(name(&mailbox)?),
        CommandBody::Unsubscribe { mailbox } => Command::Unsubscribe(name(&mailbox)?),
        CommandBody::Rename { from, to } => Command::Rename { from: name(&from)?, to: name(&to)? },
        CommandBody::List { reference, mailbox_wildcard } => Command::List(ListRequest {
            reference: reference_name(&reference)?,
            patterns: vec![pattern(&mailbox_wildcard)?],
            ..ListRequest::default()
        }),
        CommandBody::Lsub { reference, mailbox_wildcard } => {
            Command::Lsub { reference: reference_name(&reference)?, pattern: pattern(&mailbox_wildcard)? }
        }
        CommandBody::Status { mailbox, item_names } => {
            let mut items = Vec::new();
            for item in item_names.iter() {
                let item = status_item(item);
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            if items.is_empty() {
                return None;
            }
            Command::Status { mailbox: name(&mailbox)?, items }
        }
        CommandBody::Append { mailbox, flags: set, date, message } => Command::Append {
            mailbox: name(&mailbox)?,
            message: AppendMessage {
                flags: flags(&set, true)?,
                date: date.map(|date| DateTime {
                    seconds: date.as_ref().timestamp(),
                    zone: i16::try_from(date.as_ref().offset().local_minus_utc() / 60).expect("a zone"),
                }),
                literal: match message {
                    LiteralOrLiteral8::Literal(literal) => Literal {
                        size: literal.as_ref().len() as u64,
                        non_synchronizing: literal.mode() == LiteralMode::NonSync,
                    },
                    LiteralOrLiteral8::Literal8(_) => return None,
                },
                binary: false,
                utf8: false,
            },
        },
        CommandBody::Search { charset, criteria, uid } => Command::Search {
            uid,
            returns: None,
            fetch: Vec::new(),
            charset: match charset {
                None => None,
                Some(charset) => Some(known_charset(charset.as_ref())?),
            },
            keys: criteria.into_iter().map(|key| search_key(&key)).collect::<Option<_>>()?,
        },
        CommandBody::Sort { sort_criteria, charset, search_criteria, uid } => Command::Sort {
            uid,
            returns: None,
            criteria: sort_criteria.into_iter().map(|criterion| sort_criterion(&criterion)).collect(),
            charset: known_charset(charset.as_ref())?,
            keys: search_criteria.into_iter().map(|key| search_key(&key)).collect::<Option<_>>()?,
        },
        CommandBody::Thread { algorithm, charset, search_criteria, uid } => Command::Thread {
            uid,
            algorithm: match algorithm.to_string().to_ascii_uppercase().as_str() {
                "ORDEREDSUBJECT" => Algorithm::OrderedSubject,
                "REFERENCES" => Algorithm::References,
                "REFS" => Algorithm::Refs,
                _ => return None,
            },
            charset: known_charset(charset.as_ref())?,
            keys: search_criteria.into_iter().map(|key| search_key(&key)).collect::<Option<_>>()?,
        },
        CommandBody::Fetch { sequence_set, macro_or_item_names, uid, modifiers } => Command::Fetch {
            uid,
            set: set(&sequence_set),
            items: fetch_items(&macro_or_item_names)?,
            modifiers: fetch_modifiers(&modifiers, uid)?,
        },
        CommandBody::Store { sequence_set, kind, response, flags: given, uid, modifiers } => Command::Store {
            uid,
            set: set(&sequence_set),
            unchanged_since: match modifiers.as_slice() {
                [] => None,
                [StoreModifier::UnchangedSince(modseq)] => Some(mod_sequence(*modseq)?),
                _ => return None,
            },
            operation: match kind {
                StoreType::Replace => FlagOperation::Replace,
                StoreType::Add => FlagOperation::Add,
                StoreType::Remove => FlagOperation::Remove,
            },
            silent: response == StoreResponse::Silent,
            flags: flags(&given, false)?,
        },
        CommandBody::Copy { sequence_set, mailbox, uid } => {
            Command::Copy { uid, set: set(&sequence_set), mailbox: name(&mailbox)? }
        }
        CommandBody::Move { sequence_set, mailbox, uid } => {
            Command::Move { uid, set: set(&sequence_set), mailbox: name(&mailbox)? }
        }
        CommandBody::GetMetadata { options, mailbox, entries } => {
            let (mut max_size, mut depth) = (None, Depth::Zero);
            for option in options {
                match option {
                    GetMetadataOption::MaxSize(size) => max_size = Some(size),
                    GetMetadataOption::Depth(theirs::extensions::metadata::Depth::Null) => depth = Depth::Zero,
                    GetMetadataOption::Depth(theirs::extensions::metadata::Depth::One) => depth = Depth::One,
                    GetMetadataOption::Depth(theirs::extensions::metadata::Depth::Infinity) => depth = Depth::Infinity,
                }
            }
            let mut names: Vec<EntryName> = Vec::new();
            for entry in entries.as_ref() {
                let entry = entry_name(entry.as_ref(), depth != Depth::Zero)?;
                if !names.iter().any(|known| known.lower() == entry.lower()) {
                    names.push(entry);
                }
            }
            Command::GetMetadata { mailbox: annotated(&mailbox)?, entries: names, max_size, depth }
        }
        CommandBody::SetMetadata { mailbox, entry_values } => {
            let entry = |pair: &EntryValue<'_>| {
                let value = match &pair.value {
                    NString8::NString(value) => value.0.as_ref().map(|value| value.as_ref().to_vec()),
                    NString8::Literal8(value) => Some(value.data.to_vec()),
                };
                Some((entry_name(pair.entry.as_ref(), false)?, value))
            };
            let entries = entry_values.as_ref().iter().map(entry).collect::<Option<_>>()?;
            Command::SetMetadata { mailbox: annotated(&mailbox)?, entries }
        }
    })
}

fn known_charset(name: &str) -> Option<String> {
    Some(name.to_ascii_uppercase()).filter(|name| name == "UTF-8" || name == "US-ASCII")
}

fn sort_criterion(criterion: &theirs::extensions::sort::SortCriterion) -> Criterion {
    use theirs::extensions::sort::SortKey as Theirs;
    let key = match criterion.key {
        Theirs::Arrival => SortKey::Arrival,
        Theirs::Cc => SortKey::Cc,
        Theirs::Date => SortKey::Date,
        Theirs::DisplayFrom => SortKey::DisplayFrom,
        Theirs::DisplayTo => SortKey::DisplayTo,
        Theirs::From => SortKey::From,
        Theirs::Size => SortKey::Size,
        Theirs::Subject => SortKey::Subject,
        Theirs::To => SortKey::To,
    };
    Criterion { key, reverse: criterion.reverse }
}

/// The command with every set in one form: ascending, joined, `*` as the largest number.
pub(super) fn canonical(command: Command) -> Command {
    match command {
        Command::Compress(algorithm) => Command::Compress(algorithm.to_ascii_uppercase()),
        Command::Expunge { uids } => Command::Expunge { uids: uids.map(canonical_set) },
        Command::Search { uid, returns, fetch, charset, keys } => {
            Command::Search { uid, returns, fetch, charset, keys: keys.into_iter().map(canonical_key).collect() }
        }
        Command::Sort { uid, returns, criteria, charset, keys } => {
            Command::Sort { uid, returns, criteria, charset, keys: keys.into_iter().map(canonical_key).collect() }
        }
        Command::Thread { uid, algorithm, charset, keys } => {
            Command::Thread { uid, algorithm, charset, keys: keys.into_iter().map(canonical_key).collect() }
        }
        Command::Fetch { uid, set, items, modifiers } => {
            Command::Fetch { uid, set: canonical_set(set), items, modifiers }
        }
        Command::Store { uid, set, unchanged_since, operation, silent, flags } => {
            Command::Store { uid, set: canonical_set(set), unchanged_since, operation, silent, flags }
        }
        Command::Copy { uid, set, mailbox } => Command::Copy { uid, set: canonical_set(set), mailbox },
        Command::Move { uid, set, mailbox } => Command::Move { uid, set: canonical_set(set), mailbox },
        other => other,
    }
}

fn canonical_key(key: SearchKey) -> SearchKey {
    match key {
        SearchKey::Sequence(set) => SearchKey::Sequence(canonical_set(set)),
        SearchKey::Uid(set) => SearchKey::Uid(canonical_set(set)),
        SearchKey::Not(key) => SearchKey::Not(Box::new(canonical_key(*key))),
        SearchKey::Or(first, second) => {
            SearchKey::Or(Box::new(canonical_key(*first)), Box::new(canonical_key(*second)))
        }
        SearchKey::And(keys) => SearchKey::And(keys.into_iter().map(canonical_key).collect()),
        other => other,
    }
}

fn canonical_set(set: SequenceSet) -> SequenceSet {
    let mut all = UidSet::new();
    for (first, last) in set.items {
        let (first, last) = (first.unwrap_or(u32::MAX), last.unwrap_or(u32::MAX));
        all.insert_range(first.min(last), first.max(last));
    }
    SequenceSet { items: all.ranges().iter().map(|range| (Some(range.first), Some(range.last))).collect() }
}

fn set(set: &theirs::sequence::SequenceSet) -> SequenceSet {
    let number = |number: &SeqOrUid| match number {
        SeqOrUid::Value(number) => Some(number.get()),
        SeqOrUid::Asterisk => None,
    };
    let items = set.0.as_ref().iter().map(|item| match item {
        Sequence::Single(only) => (number(only), number(only)),
        Sequence::Range(first, last) => (number(first), number(last)),
    });
    canonical_set(SequenceSet { items: items.collect() })
}

fn mod_sequence(number: u64) -> Option<ModSeq> {
    i64::try_from(number).is_ok().then_some(ModSeq(number))
}

/// None also where QRESYNC is among them: what its sets may hold is not checked there.
fn select_parameters(parameters: &[SelectParameter]) -> Option<SelectParameters> {
    let condstore = parameters.contains(&SelectParameter::CondStore);
    parameters
        .iter()
        .all(|parameter| *parameter == SelectParameter::CondStore)
        .then_some(SelectParameters { condstore, qresync: None })
}

fn fetch_modifiers(modifiers: &[FetchModifier], uid: bool) -> Option<FetchModifiers> {
    let mut ours = FetchModifiers::default();
    for modifier in modifiers {
        match modifier {
            FetchModifier::ChangedSince(modseq) if ours.changed_since.is_none() => {
                ours.changed_since = Some(mod_sequence(modseq.get())?);
            }
            FetchModifier::Vanished if uid => ours.vanished = true,
            _ => return None,
        }
    }
    (!ours.vanished || ours.changed_since.is_some()).then_some(ours)
}

/// A name that RFC 5464 §3.2 allows.
fn entry_name(octets: &[u8], depth: bool) -> Option<EntryName> {
    let name = std::str::from_utf8(octets).ok()?;
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    let (scope, rest) = match parts.as_slice() {
        ["", scope, rest @ ..] => (*scope, rest),
        _ => return None,
    };
    let enough = depth || rest.len() >= if rest.first() == Some(&"vendor") { 3 } else { 1 };
    let plain = name.chars().all(|c| (' '..='~').contains(&c) && c != '*' && c != '%');
    let whole = ["private", "shared"].contains(&scope) && !rest.contains(&"");
    (enough && plain && whole).then(|| EntryName::new(name.to_owned()))
}

/// The outer None: not a mailbox name. The inner one: the server.
#[allow(clippy::option_option)]
fn annotated(mailbox: &Mailbox<'_>) -> Option<Option<String>> {
    if matches!(mailbox, Mailbox::Other(other) if other.as_ref().is_empty()) {
        Some(None)
    } else {
        name(mailbox).map(Some)
    }
}

fn name(mailbox: &Mailbox<'_>) -> Option<String> {
    reference_name(mailbox).filter(|name| !name.is_empty() && !name.chars().any(char::is_control)).filter(|_| {
        match mailbox {
            Mailbox::Inbox => true,
            Mailbox::Other(other) => !other.as_ref().contains(&b'&') || utf7_of(other.as_ref()).is_some(),
        }
    })
}

/// Decoded if it is ASCII with `&`; None: not modified UTF-7.
fn utf7_of(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    if text.is_ascii() && text.contains('&') { utf7::decode(text) } else { Some(text.to_owned()) }
}

fn reference_name(mailbox: &Mailbox<'_>) -> Option<String> {
    match mailbox {
        Mailbox::Inbox => Some("INBOX".to_owned()),
        Mailbox::Other(other) => lenient(other.as_ref()),
    }
}

fn lenient(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    let decoded = utf7_of(octets).unwrap_or_else(|| text.to_owned());
    let mut levels: Vec<String> = decoded.split('/').map(str::to_owned).collect();
    if levels[0].eq_ignore_ascii_case("inbox") {
        levels[0] = "INBOX".to_owned();
    }
    Some(levels.join("/"))
}

fn pattern(pattern: &ListMailbox<'_>) -> Option<String> {
    match pattern {
        ListMailbox::Token(token) => lenient(token.as_ref()),
        ListMailbox::String(string) => lenient(string.as_ref()),
    }
}

/// None: not UTF-8.
fn quota_root(root: &AString<'_>) -> Option<String> {
    String::from_utf8(root.as_ref().to_vec()).ok()
}

fn status_item(item: &StatusDataItemName) -> StatusItem {
    match item {
        StatusDataItemName::Messages => StatusItem::Messages,
        StatusDataItemName::Recent => StatusItem::Recent,
        StatusDataItemName::UidNext => StatusItem::UidNext,
        StatusDataItemName::UidValidity => StatusItem::UidValidity,
        StatusDataItemName::Deleted => StatusItem::Deleted,
        StatusDataItemName::DeletedStorage => StatusItem::DeletedStorage,
        StatusDataItemName::Unseen => StatusItem::Unseen,
        StatusDataItemName::HighestModSeq => StatusItem::HighestModSeq,
    }
}

fn flags(given: &[Flag<'_>], append: bool) -> Option<Flags> {
    let mut flags = Flags::default();
    for flag in given {
        let system = match flag {
            Flag::Answered => SystemFlags::ANSWERED,
            Flag::Deleted => SystemFlags::DELETED,
            Flag::Draft => SystemFlags::DRAFT,
            Flag::Flagged => SystemFlags::FLAGGED,
            Flag::Seen => SystemFlags::SEEN,
            Flag::Extension(_) if append && flag.to_string().eq_ignore_ascii_case("\\recent") => continue,
            Flag::Extension(_) => return None,
            Flag::Keyword(keyword) => {
                if !flags.keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword.inner())) {
                    flags.keywords.push(keyword.inner().to_owned());
                }
                continue;
            }
        };
        flags.system = flags.system.with(system);
    }
    Some(flags)
}

fn fetch_items(names: &MacroOrMessageDataItemNames<'_>) -> Option<Vec<FetchItem>> {
    let names = match names {
        MacroOrMessageDataItemNames::Macro(name) => {
            let mut items = vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
            if !matches!(name, Macro::Fast) {
                items.push(FetchItem::Envelope);
            }
            if matches!(name, Macro::Full) {
                items.push(FetchItem::Body);
            }
            return Some(items);
        }
        MacroOrMessageDataItemNames::MessageDataItemNames(names) => names,
    };
    let mut items = Vec::new();
    for name in names {
        let item = fetch_item(name)?;
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Some(items).filter(|items| !items.is_empty())
}

fn fetch_item(name: &MessageDataItemName<'_>) -> Option<FetchItem> {
    Some(match name {
        MessageDataItemName::Body => FetchItem::Body,
        MessageDataItemName::BodyStructure => FetchItem::BodyStructure,
        MessageDataItemName::Envelope => FetchItem::Envelope,
        MessageDataItemName::Flags => FetchItem::Flags,
        MessageDataItemName::InternalDate => FetchItem::InternalDate,
        MessageDataItemName::Rfc822 => FetchItem::Rfc822,
        MessageDataItemName::Rfc822Header => FetchItem::Rfc822Header,
        MessageDataItemName::Rfc822Size => FetchItem::Rfc822Size,
        MessageDataItemName::Rfc822Text => FetchItem::Rfc822Text,
        MessageDataItemName::Uid => FetchItem::Uid,
        MessageDataItemName::ModSeq => FetchItem::ModSeq,
        MessageDataItemName::BodyExt { section, partial, peek } => {
            let (path, part) = match section {
                None => (Vec::new(), SectionPart::Full),
                Some(Section::Part(part)) => (path(Some(part)), SectionPart::Full),
                Some(Section::Header(part)) => (path(part.as_ref()), SectionPart::Header),
                Some(Section::Text(part)) => (path(part.as_ref()), SectionPart::Text),
                Some(Section::Mime(part)) => (path(Some(part)), SectionPart::Mime),
                Some(Section::HeaderFields(part, names)) => {
                    (path(part.as_ref()), SectionPart::Fields(fields(names.as_ref())?))
                }
                Some(Section::HeaderFieldsNot(part, names)) => {
                    (path(part.as_ref()), SectionPart::FieldsNot(fields(names.as_ref())?))
                }
            };
            let partial = partial.map(|(offset, length)| (u64::from(offset), u64::from(length.get())));
            FetchItem::Section { path, part, partial, peek: *peek }
        }
        _ => return None,
    })
}

fn path(part: Option<&Part>) -> Vec<u32> {
    part.map(|part| part.0.as_ref().iter().map(|number| number.get()).collect()).unwrap_or_default()
}

fn fields(names: &[AString<'_>]) -> Option<Vec<String>> {
    let graphic = |name: &String| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    names.iter().map(|name| text(name).filter(graphic)).collect()
}

fn text(string: &AString<'_>) -> Option<String> {
    String::from_utf8(string.as_ref().to_vec()).ok()
}

fn days(date: &theirs::datetime::NaiveDate) -> i32 {
    let epoch = chrono::NaiveDate::default();
    i32::try_from(date.as_ref().signed_duration_since(epoch).num_days()).expect("a date")
}

fn search_key(key: &theirs::search::SearchKey<'_>) -> Option<SearchKey> {
    use theirs::search::SearchKey as K;
    let flag = |flag, set| SearchKey::Flag { flag, set };
    let header =
        |field: &str, value: &AString<'_>| Some(SearchKey::Header { field: field.to_owned(), text: text(value)? });
    Some(match key {
        // A list of one key is that key.
        K::And(keys) if keys.as_ref().len() == 1 => search_key(&keys.as_ref()[0])?,
        K::And(keys) => SearchKey::And(keys.as_ref().iter().map(search_key).collect::<Option<_>>()?),
        K::SequenceSet(given) => SearchKey::Sequence(set(given)),
        K::Uid(given) => SearchKey::Uid(set(given)),
        K::All => SearchKey::All,
        K::Answered => flag(SystemFlags::ANSWERED, true),
        K::Deleted => flag(SystemFlags::DELETED, true),
        K::Draft => flag(SystemFlags::DRAFT, true),
        K::Flagged => flag(SystemFlags::FLAGGED, true),
        K::Seen => flag(SystemFlags::SEEN, true),
        K::Unanswered => flag(SystemFlags::ANSWERED, false),
        K::Undeleted => flag(SystemFlags::DELETED, false),
        K::Undraft => flag(SystemFlags::DRAFT, false),
        K::Unflagged => flag(SystemFlags::FLAGGED, false),
        K::Unseen => flag(SystemFlags::SEEN, false),
        K::New => SearchKey::New,
        K::Old => SearchKey::Recent(false),
        K::Recent => SearchKey::Recent(true),
        K::Keyword(keyword) => SearchKey::Keyword { keyword: keyword.inner().to_owned(), set: true },
        K::Unkeyword(keyword) => SearchKey::Keyword { keyword: keyword.inner().to_owned(), set: false },
        K::Before(date) => SearchKey::Before(days(date)),
        K::On(date) => SearchKey::On(days(date)),
        K::Since(date) => SearchKey::Since(days(date)),
        K::SentBefore(date) => SearchKey::SentBefore(days(date)),
        K::SentOn(date) => SearchKey::SentOn(days(date)),
        K::SentSince(date) => SearchKey::SentSince(days(date)),
        K::Larger(size) => SearchKey::Larger(u64::from(*size)),
        K::Smaller(size) => SearchKey::Smaller(u64::from(*size)),
        K::From(value) => header("From", value)?,
        K::To(value) => header("To", value)?,
        K::Cc(value) => header("Cc", value)?,
        K::Bcc(value) => header("Bcc", value)?,
        K::Subject(value) => header("Subject", value)?,
        K::Header(field, value) => header(&text(field)?, value)?,
        K::ModSequence { modseq, .. } => SearchKey::ModSeq(mod_sequence(*modseq)?),
        K::Body(value) => SearchKey::Body(text(value)?),
        K::Text(value) => SearchKey::Text(text(value)?),
        K::Not(key) => SearchKey::Not(Box::new(search_key(key)?)),
        K::Or(first, second) => SearchKey::Or(Box::new(search_key(first)?), Box::new(search_key(second)?)),
    })
}
