//! COPY and MOVE.

use crate::types::UidValidity;

/// What a COPY or MOVE made (RFC 4315 COPYUID): `from[i]` became `to[i]`.
#[derive(Clone, Debug)]
pub struct Copied {
    /// UIDVALIDITY of the destination.
    pub uid_validity: UidValidity,
    /// Source UIDs, ascending.
    pub from: Vec<u32>,
    /// Destination UIDs, ascending, as many.
    pub to: Vec<u32>,
}
