//! SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4).
//!
//! Iterative: what is open is on a stack of bounded height, so that hostile nesting costs nothing and a
//! chain of a hundred ORs works.

use super::cursor::Cursor;
use super::sequence::{begins_set, sequence_set};
use super::{Form, date, filter, flags, modifier, result};
use crate::imap::command::{Command, MailboxFilter, SearchKey, SearchReturn};
use crate::imap::wire::error::{ErrorKind, Fault};
use crate::imap::wire::frame::Frame;
use crate::imap::wire::quirks;
use crate::types::SystemFlags;

/// Limit: how deep NOT, OR and parentheses nest.
pub const DEPTH_MAX: usize = 128;
/// Limit: octets of an object identifier (RFC 8474 §7).
const OBJECT_ID_MAX: usize = 255;
/// Limit: mailbox filters of one ESEARCH.
const SOURCES_MAX: usize = 64;
/// Limit: keys of one SEARCH, those of all levels.
const KEYS_MAX: usize = 4096;

pub(super) fn search(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    cursor.space("the search key is missing")?;
    let mut word = name(cursor);
    let (mut returns, mut fetch) = (None, Vec::new());
    if word.eq_ignore_ascii_case("RETURN") {
        let (options, items) = result::options(cursor)?;
        (returns, fetch) = (Some(options), items);
        cursor.space("the search key is missing")?;
        word = name(cursor);
    }
    let saves = returns.is_some_and(|returns| returns.save);
    match program(cursor, word) {
        Ok((charset, keys)) => Ok(Command::Search { uid: form.uid, returns, fetch, charset, keys }),
        Err(fault) => Err(if saves { fault.unsaved() } else { fault }),
    }
}

/// ESEARCH (RFC 7377 §4).
pub(super) fn multi_search(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space("the search key is missing")?;
    let mut word = name(cursor);
    let mut sources = None;
    if word.eq_ignore_ascii_case("IN") {
        sources = Some(read_sources(cursor)?);
        cursor.space("the search key is missing")?;
        word = name(cursor);
    }
    // RFC 7377 §2.1: no result options mean ALL.
    let (mut returns, mut fetch) = (SearchReturn { all: true, ..SearchReturn::default() }, Vec::new());
    if word.eq_ignore_ascii_case("RETURN") {
        (returns, fetch) = result::options(cursor)?;
        cursor.space("the search key is missing")?;
        word = name(cursor);
    }
    // RFC 7377 §2.2
    let selected_alone = sources.as_ref().is_none_or(|sources| sources.iter().all(|s| *s == MailboxFilter::Selected));
    if returns.save && !selected_alone {
        return Err(Fault::syntax("only a search of the selected mailbox can be saved"));
    }
    match program(cursor, word) {
        Ok((charset, keys)) => Ok(Command::MultiSearch { sources, returns, fetch, charset, keys }),
        Err(fault) => Err(if returns.save { fault.unsaved() } else { fault }),
    }
}

/// ` (filter ...)` behind IN.
fn read_sources(cursor: &mut Cursor<'_>) -> Result<Vec<MailboxFilter>, Fault> {
    cursor.space("the mailboxes are missing")?;
    cursor.expect(b'(', "the mailboxes are missing")?;
    cursor.padding();
    let mut sources = Vec::new();
    loop {
        if sources.len() == SOURCES_MAX {
            return Err(Fault::limit("there are too many mailbox filters"));
        }
        match filter::filter(cursor)? {
            MailboxFilter::SelectedDelayed => return Err(Fault::syntax("selected-delayed has no meaning in a search")),
            filter => sources.push(filter),
        }
        let padded = cursor.peek() == Some(b' ');
        cursor.padding();
        if cursor.take(b')') {
            return Ok(sources);
        }
        if cursor.peek() == Some(b'(') {
            return Err(Fault::syntax("unknown scope option"));
        }
        if !padded {
            return Err(Fault::syntax("the mailboxes do not end"));
        }
    }
}

/// The charset and the keys; `word` is the first name, already taken.
fn program<'a>(cursor: &mut Cursor<'a>, mut word: &'a str) -> Result<(Option<String>, Vec<SearchKey>), Fault> {
    let mut charset = None;
    if word.eq_ignore_ascii_case("CHARSET") {
        if cursor.enabled().utf8 {
            return Err(Fault::syntax("with UTF8=ACCEPT there is no charset but UTF-8"));
        }
        charset = Some(read_charset(cursor)?);
        cursor.space("the search key is missing")?;
        word = name(cursor);
    }
    Ok((charset, Builder::default().run(cursor, word)?))
}

/// A space and the keys, to the end.
pub(super) fn keys(cursor: &mut Cursor<'_>) -> Result<Vec<SearchKey>, Fault> {
    cursor.space("the search key is missing")?;
    let word = name(cursor);
    Builder::default().run(cursor, word)
}

/// A space and the charset in upper case, one that we know.
pub(super) fn read_charset(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    cursor.space("the charset is missing")?;
    let name = cursor.astring(quirks::is_search_char, "the charset is missing")?;
    let name = String::from_utf8_lossy(&name).to_ascii_uppercase();
    if matches!(name.as_str(), "UTF-8" | "US-ASCII") {
        Ok(name)
    } else {
        Err(Fault { text: "the charset is not supported", kind: ErrorKind::BadCharset })
    }
}

/// What waits for a key.
enum Open {
    Group(Vec<SearchKey>),
    Not,
    Or,
    OrSecond(SearchKey),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// The keys of the outermost level.
    keys: Vec<SearchKey>,
    count: usize,
}

/// What follows a key.
enum Next {
    Key,
    End,
}

impl Builder {
    /// All keys; `word` is the first one's name, already taken.
    fn run<'a>(mut self, cursor: &mut Cursor<'a>, mut word: &'a str) -> Result<Vec<SearchKey>, Fault> {
        loop {
            let complete = self.start(cursor, word)?;
            if let Some(key) = complete
                && let Next::End = self.complete(cursor, key)?
            {
                return Ok(self.keys);
            }
            word = name(cursor);
        }
    }

    /// Begins the key of that name: the whole key, or None where it needs others.
    fn start(&mut self, cursor: &mut Cursor<'_>, word: &str) -> Result<Option<SearchKey>, Fault> {
        self.count += 1;
        if self.count > KEYS_MAX {
            return Err(Fault::limit("there are too many search keys"));
        }
        let open = if word.is_empty() && cursor.take(b'(') {
            cursor.padding();
            Open::Group(Vec::new())
        } else if word.eq_ignore_ascii_case("NOT") {
            cursor.space("NOT needs a search key")?;
            Open::Not
        } else if word.eq_ignore_ascii_case("OR") {
            cursor.space("OR needs two search keys")?;
            Open::Or
        } else {
            return leaf(cursor, word).map(Some);
        };
        if self.open.len() == DEPTH_MAX {
            return Err(Fault::limit("the search keys nest too deep"));
        }
        self.open.push(open);
        Ok(None)
    }

    /// Gives a key to what waits for it, and so on upwards; takes the space or parenthesis behind it.
    fn complete(&mut self, cursor: &mut Cursor<'_>, mut key: SearchKey) -> Result<Next, Fault> {
        loop {
            match self.open.pop() {
                Some(Open::Not) => key = SearchKey::Not(Box::new(key)),
                Some(Open::OrSecond(first)) => key = SearchKey::Or(Box::new(first), Box::new(key)),
                Some(Open::Or) => {
                    self.open.push(Open::OrSecond(key));
                    cursor.space("OR needs two search keys")?;
                    return Ok(Next::Key);
                }
                Some(Open::Group(mut keys)) => {
                    keys.push(key);
                    let padded = cursor.peek() == Some(b' ');
                    cursor.padding();
                    if !cursor.take(b')') {
                        self.open.push(Open::Group(keys));
                        return if padded {
                            Ok(Next::Key)
                        } else {
                            Err(Fault::syntax("a closing parenthesis is missing"))
                        };
                    }
                    // A list of one key is that key.
                    key = match keys.pop() {
                        Some(only) if keys.is_empty() => only,
                        last => SearchKey::And(keys.into_iter().chain(last).collect()),
                    };
                }
                None => {
                    self.keys.push(key);
                    let padded = cursor.peek() == Some(b' ');
                    cursor.padding();
                    if cursor.at_end() {
                        return Ok(Next::End);
                    }
                    return if padded { Ok(Next::Key) } else { Err(Fault::syntax("a space is missing")) };
                }
            }
        }
    }
}

/// The name of the next key; empty at a parenthesis and at a message set.
fn name<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    if cursor.peek().is_some_and(begins_set) { "" } else { cursor.word() }
}

/// A key that holds no other.
fn leaf(cursor: &mut Cursor<'_>, word: &str) -> Result<SearchKey, Fault> {
    if word.is_empty() && cursor.peek().is_some_and(begins_set) {
        return Ok(SearchKey::Sequence(sequence_set(cursor)?));
    }
    let name = word.to_ascii_uppercase();
    if let Some(key) = plain(&name) {
        return Ok(key);
    }
    Ok(match name.as_str() {
        "KEYWORD" => SearchKey::Keyword { keyword: keyword(cursor)?, set: true },
        "UNKEYWORD" => SearchKey::Keyword { keyword: keyword(cursor)?, set: false },
        "BEFORE" => SearchKey::Before(day(cursor)?),
        "ON" => SearchKey::On(day(cursor)?),
        "SINCE" => SearchKey::Since(day(cursor)?),
        "SENTBEFORE" => SearchKey::SentBefore(day(cursor)?),
        "SENTON" => SearchKey::SentOn(day(cursor)?),
        "SENTSINCE" => SearchKey::SentSince(day(cursor)?),
        "SAVEDBEFORE" => SearchKey::SavedBefore(day(cursor)?),
        "SAVEDON" => SearchKey::SavedOn(day(cursor)?),
        "SAVEDSINCE" => SearchKey::SavedSince(day(cursor)?),
        "EMAILID" => SearchKey::EmailId(object_id(cursor)?),
        "THREADID" => SearchKey::ThreadId(object_id(cursor)?),
        "LARGER" => SearchKey::Larger(size(cursor)?),
        "SMALLER" => SearchKey::Smaller(size(cursor)?),
        "FROM" => header("From", cursor)?,
        "TO" => header("To", cursor)?,
        "CC" => header("Cc", cursor)?,
        "BCC" => header("Bcc", cursor)?,
        "SUBJECT" => header("Subject", cursor)?,
        "HEADER" => SearchKey::Header { field: text(cursor)?, text: text(cursor)? },
        "BODY" => SearchKey::Body(text(cursor)?),
        "TEXT" => SearchKey::Text(text(cursor)?),
        "OLDER" => SearchKey::Older(interval(cursor)?),
        "YOUNGER" => SearchKey::Younger(interval(cursor)?),
        "MODSEQ" => SearchKey::ModSeq(modifier::search(cursor)?),
        "UIDAFTER" => SearchKey::UidAfter(unique_id(cursor)?),
        "UIDBEFORE" => SearchKey::UidBefore(unique_id(cursor)?),
        "UID" => {
            cursor.space("the UID set is missing")?;
            SearchKey::Uid(sequence_set(cursor)?)
        }
        _ => return Err(Fault::syntax("unknown search key")),
    })
}

/// The keys without arguments; `name` in upper case.
fn plain(name: &str) -> Option<SearchKey> {
    let flag = |flag, set| Some(SearchKey::Flag { flag, set });
    match name {
        // RFC 8514 §4.3: every mailbox keeps save dates.
        "ALL" | "SAVEDATESUPPORTED" => Some(SearchKey::All),
        "ANSWERED" => flag(SystemFlags::ANSWERED, true),
        "DELETED" => flag(SystemFlags::DELETED, true),
        "DRAFT" => flag(SystemFlags::DRAFT, true),
        "FLAGGED" => flag(SystemFlags::FLAGGED, true),
        "SEEN" => flag(SystemFlags::SEEN, true),
        "UNANSWERED" => flag(SystemFlags::ANSWERED, false),
        "UNDELETED" => flag(SystemFlags::DELETED, false),
        "UNDRAFT" => flag(SystemFlags::DRAFT, false),
        "UNFLAGGED" => flag(SystemFlags::FLAGGED, false),
        "UNSEEN" => flag(SystemFlags::SEEN, false),
        "NEW" => Some(SearchKey::New),
        "OLD" => Some(SearchKey::Recent(false)),
        "RECENT" => Some(SearchKey::Recent(true)),
        _ => None,
    }
}

fn header(field: &str, cursor: &mut Cursor<'_>) -> Result<SearchKey, Fault> {
    Ok(SearchKey::Header { field: field.to_owned(), text: text(cursor)? })
}

fn keyword(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    cursor.space("the keyword is missing")?;
    flags::keyword(cursor)
}

fn day(cursor: &mut Cursor<'_>) -> Result<i32, Fault> {
    cursor.space("the date is missing")?;
    date::date(cursor)
}

/// A UID, or None for `$` (RFC 9738 §3.2).
fn unique_id(cursor: &mut Cursor<'_>) -> Result<Option<u32>, Fault> {
    const INVALID: &str = "the UID is not valid";
    cursor.space(INVALID)?;
    if cursor.take(b'$') {
        return Ok(None);
    }
    match cursor.number(INVALID)? {
        0 => Err(Fault::syntax(INVALID)),
        uid => Ok(Some(uid)),
    }
}

/// Seconds (RFC 5032 §3).
fn interval(cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
    const INVALID: &str = "the interval is not valid";
    cursor.space(INVALID)?;
    match cursor.number(INVALID)? {
        0 => Err(Fault::syntax(INVALID)),
        seconds => Ok(seconds),
    }
}

fn size(cursor: &mut Cursor<'_>) -> Result<u64, Fault> {
    cursor.space("the size is missing")?;
    cursor.number64("the size is not valid")
}

/// An object identifier (RFC 8474 §7).
fn object_id(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    cursor.space("the object identifier is missing")?;
    let octets = cursor.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'));
    if octets.is_empty() || octets.len() > OBJECT_ID_MAX {
        return Err(Fault::syntax("the object identifier is not valid"));
    }
    Ok(String::from_utf8_lossy(octets).into_owned())
}

/// A text to search for.
fn text(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    cursor.space("the search text is missing")?;
    let octets = cursor.astring(quirks::is_search_char, "the search text is missing")?;
    String::from_utf8(octets.into_owned()).map_err(|_| Fault::syntax("the search text is not UTF-8"))
}
