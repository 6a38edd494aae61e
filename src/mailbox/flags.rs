//! Changing flags.

use super::Change;
use crate::types::{ModSeq, UidSet};

/// The outcome of a STORE.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Every message of the request that exists, with its flags afterwards (changed or not), ascending by UID.
    pub messages: Vec<Change>,
    /// Modification sequences that this STORE made: a session that has told them need not tell them again.
    pub modseqs: Vec<ModSeq>,
    /// UIDs that failed `unchanged_since` (RFC 7162 §3.1.3 MODIFIED).
    pub modified: UidSet,
}
