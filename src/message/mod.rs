//! RFC 5322 and MIME reading: pure, streaming, no I/O.
//!
//! [`Normalizer`] makes line ends CRLF while a message arrives, [`Scanner`] reads it once and makes
//! its [`Record`]: envelope, structure and offsets in one compact buffer that is stored beside it.
//! [`header`], [`words`], [`decode`], [`text`] and [`preview`] read the octets again where a command needs more.
//!
//! Invariant: every octet string is a message; nothing here fails or panics on one.

mod address;
mod collect;
mod date;
pub mod decode;
mod envelope;
pub mod header;
pub mod message_id;
mod mime;
mod newline;
mod packed;
pub mod parameter;
pub mod preview;
mod record;
mod scanner;
mod section;
mod structure;
pub mod subject;
pub mod text;
pub mod words;

pub use address::{Address, AddressBuf, parse_addresses};
pub use date::parse_date;
pub use envelope::{Addresses, Envelope};
pub use mime::media_type;
pub use newline::Normalizer;
pub use record::{Record, RecordError, Summary};
pub use scanner::{Scan, Scanner};
pub use section::SectionKind;
pub use structure::{Disposition, Kind, Parameters, Part, Parts, Strings};
