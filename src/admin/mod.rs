//! Administration: users, `deliver`, `verify`, `status`.
//!
//! Every command runs in the one process that owns the store. While a server runs that is the server, reached by the
//! control socket in the data directory; otherwise the command takes the lock of the data directory, opens the store
//! itself and talks to [`serve`] over a socket pair. So there is one way through for both, and IDLE clients hear at
//! once of what a command did.
//!
//! On the wire: frames of a kind octet, a length (u32, big-endian) and at most [`FRAME_MAX`] octets. The client sends
//! one request and then, for `deliver`, its standard input; the server sends standard output and standard error as
//! they come and at last the exit code. The socket has mode 0600: whoever may connect may do everything.
//!
//! Absent on purpose: prompts, files and terminals, which belong to `cli`.

mod call;
mod certificate;
mod client;
mod data_dir;
mod deliver;
mod device;
pub mod exit;
mod expiry;
mod frame;
mod inspect;
mod json;
mod measure;
pub mod name;
mod privilege;
mod quota;
mod registry;
mod request;
mod retention;
mod rules;
mod session;
mod settings;
mod status;
mod test_account;
mod text;
mod trust_clock;
mod user;
mod verify;
mod why;
mod worker;

pub use crate::mailbox::EARLIEST;
pub use certificate::{Certificate, Validity, day};
pub use client::{Input, call};
pub use data_dir::{Access, DataDir, Refused};
pub use frame::FRAME_MAX;
pub use inspect::{Inspection, inspect_alone};
pub use json::Json;
pub use privilege::{give_to_owner, is_foreign_to_root};
pub use registry::{Protocol, Registry, Session};
pub use request::Request;
pub use rules::PopChange;
pub use session::{Context, Running, open, quota_rules, retention_rules, serve};
pub use settings::{Form, SettingsWish, split as split_settings};
pub use test_account::TestAccount;
pub use text::{octets, shell_word};
pub use user::create as create_user;
