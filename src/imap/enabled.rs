//! What a client has switched on, for as long as the connection lasts: by ENABLE (RFC 5161), or by using it
//! (RFC 7162 §3.1, "CONDSTORE enabling commands").

use super::command::{Command, FetchItem, SearchKey, StatusItem};

/// The extensions that change what a session sends.
#[expect(clippy::struct_excessive_bools, reason = "each is switched on by itself")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enabled {
    /// FETCH responses that nobody asked for carry UID and MODSEQ (RFC 7162 §3.2.4).
    pub condstore: bool,
    /// VANISHED instead of EXPUNGE (RFC 7162 §3.2.10). Invariant: only with `condstore`.
    pub qresync: bool,
    /// No sequence numbers in either direction: UIDFETCH instead of FETCH, VANISHED instead of EXPUNGE (RFC 9586).
    pub uid_only: bool,
    /// IMAP4rev2: the responses of RFC 9051 instead of those of RFC 3501.
    pub rev2: bool,
    /// UTF8=ACCEPT (RFC 6855)
    pub utf8: bool,
}

/// What may stand in quoted strings, and how mailbox names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// ASCII alone; other names are in modified UTF-7 (RFC 3501 §5.1.3).
    Ascii,
    /// UTF-8, names too (RFC 6855 §3, RFC 9051 §5.1).
    Utf8,
}

impl Enabled {
    /// What this command switches on.
    #[must_use]
    pub fn by(command: &Command) -> Self {
        let named = |name: &str| match command {
            Command::Enable(names) => names.iter().any(|known| known.eq_ignore_ascii_case(name)),
            _ => false,
        };
        let qresync = named("QRESYNC");
        let condstore = match command {
            Command::Enable(_) => named("CONDSTORE"),
            Command::Select { parameters, .. } => parameters.condstore,
            Command::Status { items, .. } => items.contains(&StatusItem::HighestModSeq),
            Command::List(request) => {
                request.status.as_ref().is_some_and(|items| items.contains(&StatusItem::HighestModSeq))
            }
            Command::Fetch { items, modifiers, .. } => {
                items.contains(&FetchItem::ModSeq) || modifiers.changed_since.is_some()
            }
            Command::Store { unchanged_since, .. } => unchanged_since.is_some(),
            Command::Search { keys, .. }
            | Command::MultiSearch { keys, .. }
            | Command::Sort { keys, .. }
            | Command::Thread { keys, .. } => SearchKey::any(keys, &|key| matches!(key, SearchKey::ModSeq(_))),
            _ => false,
        };
        Self {
            condstore: condstore || qresync,
            qresync,
            uid_only: named("UIDONLY"),
            rev2: named("IMAP4rev2"),
            utf8: named("UTF8=ACCEPT"),
        }
    }

    /// What either switches on.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            condstore: self.condstore || other.condstore,
            qresync: self.qresync || other.qresync,
            uid_only: self.uid_only || other.uid_only,
            rev2: self.rev2 || other.rev2,
            utf8: self.utf8 || other.utf8,
        }
    }

    /// Whether the client reads UTF-8.
    #[must_use]
    pub const fn quoting(self) -> Quoting {
        if self.rev2 || self.utf8 { Quoting::Utf8 } else { Quoting::Ascii }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qresync_brings_condstore() {
        let enable =
            |names: &[&str]| Enabled::by(&Command::Enable(names.iter().map(|&name| name.to_owned()).collect()));
        assert_eq!(enable(&["QRESYNC"]), enable(&["CONDSTORE", "QRESYNC"]));
        assert_eq!(enable(&["CONDSTORE"]), Enabled { condstore: true, ..Enabled::default() });
        assert_eq!(enable(&["UIDONLY"]), Enabled { uid_only: true, ..Enabled::default() });
        assert_eq!(enable(&["X"]), Enabled::default());
        let keys = vec![SearchKey::Not(Box::new(SearchKey::ModSeq(crate::types::ModSeq(3))))];
        let search = Command::Search { uid: false, returns: None, fetch: Vec::new(), charset: None, keys };
        assert!(Enabled::by(&search).condstore);
        assert_eq!(enable(&["IMAP4REV2"]).quoting(), Quoting::Utf8);
        assert_eq!(enable(&["UTF8=ACCEPT"]).quoting(), Quoting::Utf8);
        assert_eq!(enable(&["UTF8=ONLY", "CONDSTORE"]).quoting(), Quoting::Ascii);
    }
}
