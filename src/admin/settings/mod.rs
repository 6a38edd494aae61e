//! `client-settings`, and what `device add` shows: all that has to be typed into a mail program, and the files and
//! codes that type it.
//!
//! Everything comes from the listeners, the configuration and the certificate; nothing is guessed. The server makes the
//! texts, the command line writes the files: `parts` is the way between the two.

mod autoconfig;
mod facts;
mod parts;
mod profile;
mod run;
#[cfg(test)]
mod tests;
mod text;
mod transfer;
mod wish;
mod xml;

pub(super) use facts::Facts;
pub use parts::{Form, split};
pub(super) use run::run;
pub(super) use text::{Device, Person, head};
pub use wish::SettingsWish;
