//! The parameters and modifiers in parentheses (RFC 4466 §2): of SELECT, FETCH and STORE, and the MODSEQ search key
//! (RFC 7162 §7).

use super::cursor::Cursor;
use super::result;
use super::sequence::sequence_set;
use crate::imap::command::{FetchModifiers, Resync, SelectParameters, SequenceSet};
use crate::imap::wire::error::Fault;
use crate::types::ModSeq;

/// Limit: modifiers of one command.
const MODIFIERS_MAX: usize = 8;

const NO_MODSEQ: &str = "the mod-sequence is not valid";

/// Reads ` (name ..., name ...)` if it is next: `read` gets each name and takes what belongs to it.
fn list(
    cursor: &mut Cursor<'_>,
    mut read: impl FnMut(&mut Cursor<'_>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    cursor.padding();
    if !cursor.take(b'(') {
        return Ok(());
    }
    for _ in 0..MODIFIERS_MAX {
        cursor.padding();
        let name = cursor.word().to_ascii_uppercase();
        read(cursor, &name)?;
        cursor.padding();
        if cursor.take(b')') {
            return Ok(());
        }
    }
    Err(Fault::limit("there are too many modifiers"))
}

/// The parameters of SELECT and EXAMINE (RFC 7162 §3.1.8, §3.2.5).
pub(super) fn select(cursor: &mut Cursor<'_>) -> Result<SelectParameters, Fault> {
    let mut parameters = SelectParameters::default();
    if cursor.peek() != Some(b' ') {
        return Ok(parameters);
    }
    list(cursor, |cursor, name| {
        match name {
            "CONDSTORE" => parameters.condstore = true,
            "QRESYNC" if parameters.qresync.is_none() => parameters.qresync = Some(resync(cursor)?),
            _ => return Err(Fault::syntax("unknown parameter")),
        }
        Ok(())
    })?;
    Ok(parameters)
}

fn resync(cursor: &mut Cursor<'_>) -> Result<Resync, Fault> {
    cursor.space("the QRESYNC arguments are missing")?;
    cursor.expect(b'(', "the QRESYNC arguments are missing")?;
    cursor.padding();
    let uid_validity = cursor.number("the UIDVALIDITY is not valid")?;
    cursor.space(NO_MODSEQ)?;
    let mut resync = Resync { uid_validity, modseq: modseq(cursor)?, known: None, matches: None };
    cursor.padding();
    if cursor.peek().is_some_and(|octet| octet != b'(' && octet != b')') {
        resync.known = Some(numbers(cursor)?);
        cursor.padding();
    }
    if cursor.take(b'(') {
        cursor.padding();
        let sequence = ascending(cursor)?;
        cursor.space("the known UIDs are missing")?;
        let uids = ascending(cursor)?;
        if count(&sequence) != count(&uids) {
            return Err(Fault::syntax("the known numbers and UIDs do not belong together"));
        }
        resync.matches = Some((sequence, uids));
        cursor.padding();
        cursor.expect(b')', "the known UIDs do not end")?;
        cursor.padding();
    }
    cursor.expect(b')', "the QRESYNC arguments do not end")?;
    Ok(resync)
}

/// A set without `*`.
fn numbers(cursor: &mut Cursor<'_>) -> Result<SequenceSet, Fault> {
    let set = sequence_set(cursor)?;
    let star = set.items.iter().any(|(first, last)| first.is_none() || last.is_none());
    if star || set.items.is_empty() { Err(Fault::syntax("* is not allowed here")) } else { Ok(set) }
}

/// A set without `*` in ascending order.
fn ascending(cursor: &mut Cursor<'_>) -> Result<SequenceSet, Fault> {
    let set = numbers(cursor)?;
    let within = set.items.iter().all(|(first, last)| first <= last);
    let between = set.items.windows(2).all(|pair| matches!(pair, [(_, last), (first, _)] if last < first));
    if within && between { Ok(set) } else { Err(Fault::syntax("the set must ascend")) }
}

/// How many numbers an ascending set holds.
fn count(set: &SequenceSet) -> u64 {
    let items = set.items.iter().filter_map(|item| Some((item.0?, item.1?)));
    items.map(|(first, last)| u64::from(last.saturating_sub(first)) + 1).sum()
}

/// The modifiers of FETCH (RFC 7162 §3.1.4.1, §3.2.6, RFC 9394 §3.3).
pub(super) fn fetch(cursor: &mut Cursor<'_>, uid: bool) -> Result<FetchModifiers, Fault> {
    let mut modifiers = FetchModifiers::default();
    list(cursor, |cursor, name| {
        match name {
            "CHANGEDSINCE" if modifiers.changed_since.is_none() => {
                cursor.space(NO_MODSEQ)?;
                modifiers.changed_since = Some(modseq(cursor)?);
            }
            "VANISHED" if uid => modifiers.vanished = true,
            "PARTIAL" if uid && modifiers.partial.is_none() => modifiers.partial = Some(result::partial(cursor)?),
            "PARTIAL" => return Err(Fault::syntax("PARTIAL needs UID FETCH, once")),
            "VANISHED" => return Err(Fault::syntax("VANISHED needs UID FETCH")),
            _ => return Err(Fault::syntax("unknown fetch modifier")),
        }
        Ok(())
    })?;
    if modifiers.vanished && modifiers.changed_since.is_none() {
        return Err(Fault::syntax("VANISHED needs CHANGEDSINCE"));
    }
    Ok(modifiers)
}

/// The modifier of STORE (RFC 7162 §3.1.3), before the flags item.
pub(super) fn store(cursor: &mut Cursor<'_>) -> Result<Option<ModSeq>, Fault> {
    let mut unchanged_since = None;
    if cursor.text().trim_ascii_start().first() == Some(&b'(') {
        list(cursor, |cursor, name| {
            if name != "UNCHANGEDSINCE" || unchanged_since.is_some() {
                return Err(Fault::syntax("unknown store modifier"));
            }
            cursor.space(NO_MODSEQ)?;
            unchanged_since = Some(modseq(cursor)?);
            Ok(())
        })?;
    }
    Ok(unchanged_since)
}

/// What follows MODSEQ in SEARCH: perhaps the name and type of a metadata item, then the mod-sequence.
pub(super) fn search(cursor: &mut Cursor<'_>) -> Result<ModSeq, Fault> {
    cursor.space(NO_MODSEQ)?;
    if let Some(entry) = cursor.string()? {
        if !entry.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"/flags/")) || entry.len() == 7 {
            return Err(Fault::syntax("unknown metadata item"));
        }
        cursor.space("the type of the metadata item is missing")?;
        let kind = cursor.word();
        if !["priv", "shared", "all"].iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Err(Fault::syntax("unknown type of metadata item"));
        }
        cursor.space(NO_MODSEQ)?;
    }
    modseq(cursor)
}

/// mod-sequence-valzer. Quirk(clients without a cache): zero is taken
/// everywhere, because it has a meaning that is clear.
fn modseq(cursor: &mut Cursor<'_>) -> Result<ModSeq, Fault> {
    cursor.number64(NO_MODSEQ).map(ModSeq)
}

#[cfg(test)]
mod tests {
    use crate::imap::command::{Command, FetchModifiers, SearchKey, SelectParameters};
    use crate::imap::wire::frame::Frame;
    use crate::imap::wire::parse::parse;
    use crate::types::ModSeq;

    fn command(line: &str) -> Option<Command> {
        let frame = Frame::from_text(format!("t {line}\r\n").as_bytes())?;
        parse(&frame).ok().map(|(_, command)| command)
    }

    fn select(line: &str) -> Option<SelectParameters> {
        match command(line)? {
            Command::Select { parameters, .. } => Some(parameters),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn select_takes_the_examples_of_the_rfc() {
        let resync = |line| select(line).and_then(|parameters| parameters.qresync);
        assert!(select("SELECT INBOX (CONDSTORE)").is_some_and(|parameters| parameters.condstore));
        let whole = resync("select INBOX (qresync (67890007 90060115194045000 41:211,214:541))").expect("resync");
        assert_eq!((whole.uid_validity, whole.modseq), (67_890_007, ModSeq(90_060_115_194_045_000)));
        assert_eq!(whole.known.map(|set| set.items.len()), Some(2));
        let long = "SELECT INBOX (QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9000,9990:9999 15000,\
                    22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997)))";
        assert!(resync(long).is_some_and(|resync| resync.matches.is_some()));
        assert!(resync("SELECT INBOX (QRESYNC (1 2 (1 7)))").is_some_and(|resync| resync.known.is_none()));
        for bad in [
            "SELECT INBOX (QRESYNC)",
            "SELECT INBOX (QRESYNC (1))",
            "SELECT INBOX (QRESYNC (1 2 1:*))",
            "SELECT INBOX (QRESYNC (1 2 1:4 (2,1 1,2)))",
            "SELECT INBOX (QRESYNC (1 2 1:4 (1,2 1)))",
            "SELECT INBOX (QRESYNC (1 2 1:4 (1 1))",
            "SELECT INBOX (QRESYNC (1 2) QRESYNC (1 2))",
            "SELECT INBOX (XYZ)",
            "SELECT INBOX (CONDSTORE",
            "SELECT INBOX CONDSTORE",
        ] {
            assert_eq!(select(bad), None, "{bad}");
        }
    }

    #[test]
    fn fetch_and_store_take_modifiers() {
        let fetch = |line| match command(line) {
            Some(Command::Fetch { modifiers, .. }) => Some(modifiers),
            _ => None,
        };
        let since = FetchModifiers { changed_since: Some(ModSeq(12345)), ..FetchModifiers::default() };
        assert_eq!(fetch("FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"), Some(since.clone()));
        let vanished = FetchModifiers { vanished: true, ..since };
        assert_eq!(fetch("UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)"), Some(vanished));
        for bad in [
            "FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
            "UID FETCH 1 (FLAGS) (VANISHED)",
            "FETCH 1 (FLAGS) (PARTIAL 1:2)",
            "FETCH 1 (FLAGS) (CHANGEDSINCE)",
            "FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)",
            "FETCH 1 (FLAGS) ()",
            "FETCH 1 (FLAGS) (CHANGEDSINCE 1",
        ] {
            assert_eq!(fetch(bad), None, "{bad}");
        }
        let store = |line| match command(line) {
            Some(Command::Store { unchanged_since, .. }) => unchanged_since,
            _ => None,
        };
        assert_eq!(store("STORE 7,5 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)"), Some(ModSeq(320_162_338)));
        assert_eq!(store("STORE 7 (UNCHANGEDSINCE) +FLAGS (\\Deleted)"), None);
    }

    #[test]
    fn search_ignores_the_metadata_item() {
        let search = |line| match command(line) {
            Some(Command::Search { keys, .. }) => Some(keys),
            _ => None,
        };
        let key = Some(vec![SearchKey::ModSeq(ModSeq(620_162_338))]);
        assert_eq!(search("SEARCH MODSEQ 620162338"), key);
        assert_eq!(search("SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338"), key);
        assert_eq!(search("SEARCH MODSEQ \"/flags/$mdnsent\" Priv 620162338"), key);
        assert_eq!(search("SEARCH MODSEQ \"/comment\" all 1"), None);
        assert_eq!(search("SEARCH MODSEQ \"/flags/x\" some 1"), None);
    }
}
