//! Data items of responses, straight into an output buffer.
//!
//! What comes from messages is any octets; what leaves is always in the syntax of RFC 3501 §9: see [`string`].
//! No whole body passes through here.

mod envelope;
mod set;
mod string;
mod structure;
#[cfg(test)]
mod tests;

pub use super::date::write_date_time as date_time;
pub use envelope::envelope;
pub use set::ranges;
pub use string::{astring, binary_section, mailbox, nstring8, ntext, number, section, string, text};
pub use structure::{body, body_structure};
