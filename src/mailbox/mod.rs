//! The one mailbox core: what mail means. Every protocol and command works through [`Account`].

mod account;
mod annotation;
mod append;
mod binary;
mod copy;
mod device;
mod edit;
mod error;
mod expiry;
mod expunge;
mod fetch;
mod flags;
mod incoming;
mod list;
mod name;
mod notify;
mod pop3;
mod quota;
mod retention;
pub mod search;
pub mod sort;
mod sync;
pub mod thread;
pub mod trace;
mod trust_clock;
mod warning;
mod why;

pub use account::{Account, AccountInfo, Core, Options, Recipient};
pub use annotation::{ANNOTATIONS_MAX, Annotated, AnnotationChange, AnnotationInfo, AnnotationsSet};
pub use append::{Appended, Batch, BatchAppended, Delivery, DeliveryTarget};
pub use copy::Copied;
pub use device::{Guest, NotEntered};
pub use edit::KEYWORDS_MAX;
pub use error::Error;
pub use expiry::Expiry;
pub use fetch::{Message, Row};
pub use flags::Stored;
pub use incoming::{Incoming, Staged};
pub use list::{ListEntry, Status, with_levels};
pub use name::normal_name;
pub use notify::Watch;
pub use pop3::{PopDue, PopRule, PopSession};
pub use quota::{Quota, QuotaRules, Recounted};
pub use retention::{RetentionRules, Swept, Undelete, Undeleted};
pub use sync::{Change, Changes, Mailbox, Snapshot};
pub use trust_clock::{EARLIEST, Redated};
pub use warning::{Usage, report};
pub use why::{Happened, Place, Story, Whose};

pub use crate::store::{
    Cause, Clock, Device, FreeSpace, Growth, LastUse, Leap, LetGo, MainPassword, OverQuota, Room, Settings,
};
pub use crate::types::{Door, DoorKind};
