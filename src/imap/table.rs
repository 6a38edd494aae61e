//! The table of commands: in which states each is allowed, and what sequence numbers it touches.

use super::command::{Command, SearchKey};

/// In which states of RFC 9051 §3 a command is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    /// In every state.
    Any,
    /// Before login.
    NotAuthenticated,
    /// After login, with or without a selected mailbox.
    Authenticated,
    /// With a selected mailbox.
    Selected,
}

/// What the session must know of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name on the wire.
    pub name: &'static str,
    /// The source file under `cmd/` and the transcript under `tests/imap/`.
    pub stem: &'static str,
    /// Where it is allowed.
    pub states: States,
    /// The client speaks of messages by sequence number, or is answered so: no message may lose
    /// its number until the command is over (RFC 3501 §7.4.1).
    pub uses_numbers: bool,
    /// FETCH responses of this command carry UIDs (RFC 9051 §6.4.9).
    pub uid: bool,
}

const fn row(name: &'static str, stem: &'static str, states: States) -> Row {
    Row { name, stem, states, uses_numbers: false, uid: false }
}

const fn numbers(name: &'static str, stem: &'static str) -> Row {
    Row { name, stem, states: States::Selected, uses_numbers: true, uid: false }
}

const fn uids(name: &'static str, stem: &'static str) -> Row {
    Row { name, stem, states: States::Selected, uses_numbers: false, uid: true }
}

const fn uids_anywhere(name: &'static str, stem: &'static str) -> Row {
    Row { name, stem, states: States::Authenticated, uses_numbers: false, uid: true }
}

/// The row of a command.
#[must_use]
pub fn of(command: &Command) -> Row {
    use States::{Any, Authenticated, NotAuthenticated, Selected};
    match command {
        Command::Capability => row("CAPABILITY", "capability", Any),
        Command::Noop => row("NOOP", "noop", Any),
        Command::Logout => row("LOGOUT", "logout", Any),
        Command::Id(_) => row("ID", "id", Any),
        Command::StartTls => row("STARTTLS", "starttls", NotAuthenticated),
        Command::Authenticate { .. } => row("AUTHENTICATE", "authenticate", NotAuthenticated),
        Command::Login { .. } => row("LOGIN", "login", NotAuthenticated),
        Command::Unauthenticate => row("UNAUTHENTICATE", "unauthenticate", Authenticated),
        Command::Enable(_) => row("ENABLE", "enable", Authenticated),
        Command::Namespace => row("NAMESPACE", "namespace", Authenticated),
        Command::Select { read_only: false, .. } => row("SELECT", "select", Authenticated),
        Command::Select { read_only: true, .. } => row("EXAMINE", "select", Authenticated),
        Command::Create { .. } => row("CREATE", "create", Authenticated),
        Command::Delete(_) => row("DELETE", "delete", Authenticated),
        Command::Rename { .. } => row("RENAME", "rename", Authenticated),
        Command::Subscribe(_) => row("SUBSCRIBE", "subscribe", Authenticated),
        Command::Unsubscribe(_) => row("UNSUBSCRIBE", "subscribe", Authenticated),
        Command::List(_) => row("LIST", "list", Authenticated),
        Command::Lsub { .. } => row("LSUB", "list", Authenticated),
        Command::Status { .. } => row("STATUS", "status", Authenticated),
        Command::Replace { uid: false, .. } => row("REPLACE", "replace", Selected),
        Command::Replace { uid: true, .. } => uids("UID REPLACE", "replace"),
        Command::Append { .. } => row("APPEND", "append", Authenticated),
        Command::GetQuota(_) => row("GETQUOTA", "quota", Authenticated),
        Command::GetQuotaRoot(_) => row("GETQUOTAROOT", "quota", Authenticated),
        Command::SetQuota { .. } => row("SETQUOTA", "quota", Authenticated),
        Command::GetMetadata { .. } => row("GETMETADATA", "metadata", Authenticated),
        Command::SetMetadata { .. } => row("SETMETADATA", "metadata", Authenticated),
        Command::Notify(_) => row("NOTIFY", "notify", Authenticated),
        Command::Idle => row("IDLE", "idle", Authenticated),
        Command::Compress(_) => row("COMPRESS", "compress", Authenticated),
        Command::Check => row("CHECK", "check", Selected),
        Command::Close => row("CLOSE", "close", Selected),
        Command::Unselect => row("UNSELECT", "unselect", Selected),
        Command::MultiSearch { keys, .. } => {
            Row { uses_numbers: by_number(keys), ..uids_anywhere("ESEARCH", "esearch") }
        }
        Command::CancelUpdate(_) => row("CANCELUPDATE", "cancelupdate", Selected),
        Command::UidBatches { .. } => row("UIDBATCHES", "uidbatches", Selected),
        Command::Expunge { uids: None } => row("EXPUNGE", "expunge", Selected),
        Command::Expunge { uids: Some(_) } => uids("UID EXPUNGE", "expunge"),
        Command::Search { uid: false, .. } => numbers("SEARCH", "search"),
        Command::Search { uid: true, keys, .. } => {
            // RFC 7162 §3.2.10.2: a UID SEARCH by sequence numbers announces no expunges either.
            Row { uses_numbers: by_number(keys), ..uids("UID SEARCH", "search") }
        }
        Command::Sort { uid: false, .. } => numbers("SORT", "sort"),
        Command::Sort { uid: true, keys, .. } => Row { uses_numbers: by_number(keys), ..uids("UID SORT", "sort") },
        Command::Thread { uid: false, .. } => numbers("THREAD", "thread"),
        Command::Thread { uid: true, keys, .. } => {
            Row { uses_numbers: by_number(keys), ..uids("UID THREAD", "thread") }
        }
        Command::Fetch { uid: false, .. } => numbers("FETCH", "fetch"),
        Command::Fetch { uid: true, .. } => uids("UID FETCH", "fetch"),
        Command::Store { uid: false, .. } => numbers("STORE", "store"),
        Command::Store { uid: true, .. } => uids("UID STORE", "store"),
        Command::Copy { uid: false, .. } => row("COPY", "copy", Selected),
        Command::Copy { uid: true, .. } => uids("UID COPY", "copy"),
        Command::Move { uid: false, .. } => row("MOVE", "copy", Selected),
        Command::Move { uid: true, .. } => uids("UID MOVE", "copy"),
    }
}

/// Whether the arguments of a command hold sequence numbers, or its answer would: refused once UIDONLY is enabled
/// (RFC 9586 §3.2, §3.5, §3.7, §3.8). `$` holds none.
#[must_use]
pub fn speaks_of_numbers(command: &Command) -> bool {
    match command {
        Command::Fetch { uid, .. }
        | Command::Store { uid, .. }
        | Command::Copy { uid, .. }
        | Command::Move { uid, .. }
        | Command::Replace { uid, .. } => !uid,
        Command::Search { uid, keys, .. } | Command::Sort { uid, keys, .. } | Command::Thread { uid, keys, .. } => {
            !uid || by_number(keys)
        }
        Command::MultiSearch { keys, .. } => by_number(keys),
        Command::Select { parameters, .. } => parameters.qresync.as_ref().is_some_and(|known| known.matches.is_some()),
        _ => false,
    }
}

/// Whether a search names messages by sequence number.
fn by_number(keys: &[SearchKey]) -> bool {
    SearchKey::any(keys, &|key| matches!(key, SearchKey::Sequence(set) if !set.is_saved()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::wire::frame::Frame;
    use crate::imap::wire::parse::parse;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// One command of every kind.
    const EVERY: &[&str] = &[
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "ID NIL",
        "STARTTLS",
        "AUTHENTICATE PLAIN",
        "LOGIN a b",
        "COMPRESS DEFLATE",
        "ENABLE X",
        "NAMESPACE",
        "COMPRESS DEFLATE",
        "SELECT a",
        "EXAMINE a",
        "CREATE a",
        "DELETE a",
        "RENAME a b",
        "SUBSCRIBE a",
        "UNSUBSCRIBE a",
        "LIST \"\" a",
        "LSUB \"\" a",
        "STATUS a (MESSAGES)",
        "APPEND a {1}",
        "REPLACE 1 a {1}",
        "UID REPLACE 1 a {1}",
        "GETQUOTA a",
        "GETQUOTAROOT a",
        "SETQUOTA a ()",
        "GETMETADATA \"\" /shared/comment",
        "SETMETADATA INBOX (/private/comment NIL)",
        "NOTIFY NONE",
        "NOTIFY SET (SELECTED NONE)",
        "IDLE",
        "CHECK",
        "CLOSE",
        "UNAUTHENTICATE",
        "UNSELECT",
        "ESEARCH ALL",
        "UIDBATCHES 500",
        "CANCELUPDATE \"a\"",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "SEARCH ALL",
        "UID SEARCH ALL",
        "SORT (DATE) UTF-8 ALL",
        "UID SORT (DATE) UTF-8 ALL",
        "THREAD REFS UTF-8 ALL",
        "UID THREAD REFS UTF-8 ALL",
        "FETCH 1 FLAGS",
        "UID FETCH 1 FLAGS",
        "STORE 1 FLAGS ()",
        "UID STORE 1 FLAGS ()",
        "COPY 1 a",
        "UID COPY 1 a",
        "MOVE 1 a",
        "UID MOVE 1 a",
    ];

    /// Files under `cmd/` that are no command.
    const PARTS: &[&str] = &["mod", "fetch_binary", "fetch_body", "fetch_preview", "search_result"];

    fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_command_has_its_row_its_file_and_its_transcript() {
        let mut files = stems("src/imap/cmd", "rs");
        let transcripts = stems("tests/imap", "txt");
        let mut used = BTreeSet::new();
        for text in EVERY {
            let frame = Frame::from_text(format!("a {text}\r\n").as_bytes()).unwrap();
            let row = of(&parse(&frame).unwrap().1);
            assert!(text.starts_with(row.name), "{text} is called {}", row.name);
            assert!(files.contains(row.stem), "src/imap/cmd/{}.rs is missing", row.stem);
            let found = transcripts.contains(row.stem) || transcripts.contains(&format!("ext-{}", row.stem));
            assert!(found, "tests/imap/{}.txt is missing", row.stem);
            used.insert(row.stem);
        }
        files.retain(|file| !used.contains(file.as_str()) && !PARTS.contains(&file.as_str()));
        assert!(files.is_empty(), "no command has these files: {files:?}");
    }

    #[test]
    fn what_has_a_uid_form_is_refused_without_it_under_uidonly() {
        let speaks = |text: &str| {
            let frame = Frame::from_text(format!("a {text}\r\n").as_bytes()).unwrap();
            speaks_of_numbers(&parse(&frame).unwrap().1)
        };
        for text in EVERY {
            // EXPUNGE takes no numbers.
            let has_uid_form = EVERY.contains(&format!("UID {text}").as_str());
            assert_eq!(speaks(text), has_uid_form, "{text}");
        }
        assert!(speaks("ESEARCH IN (personal) NOT 1") && !speaks("ESEARCH IN (personal) UID 1"));
        assert!(speaks("UID SEARCH OR SEEN (UID 7 NOT 3:5)") && speaks("UID SEARCH *"));
        assert!(!speaks("UID SEARCH OR SEEN (UID 7 NOT $)"));
        assert!(speaks("SELECT a (QRESYNC (1 2 3 (1 3)))") && !speaks("SELECT a (QRESYNC (1 2 3))"));
    }

    #[test]
    fn sequence_numbers_hold_off_expunges_where_the_rfc_says_so() {
        for text in EVERY {
            let frame = Frame::from_text(format!("a {text}\r\n").as_bytes()).unwrap();
            let row = of(&parse(&frame).unwrap().1);
            let wanted = ["FETCH", "STORE", "SEARCH", "SORT", "THREAD"].contains(&row.name);
            assert_eq!(row.uses_numbers, wanted, "{text}");
            assert_eq!(row.uid, row.name.starts_with("UID ") || row.name == "ESEARCH", "{text}");
        }
        let uses_numbers = |text: &str| {
            let frame = Frame::from_text(format!("a {text}\r\n").as_bytes()).unwrap();
            of(&parse(&frame).unwrap().1).uses_numbers
        };
        assert!(uses_numbers("UID SEARCH OR SEEN (UID 7 NOT 3:5)"));
        assert!(uses_numbers("UID SORT (DATE) UTF-8 3:5") && uses_numbers("UID THREAD REFS UTF-8 3:5"));
        assert!(!uses_numbers("UID SEARCH OR SEEN (UID 7 NOT $)"));
    }
}
