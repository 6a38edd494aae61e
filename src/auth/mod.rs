//! Who may log in: password hashes, the cache of verified logins, SASL messages, throttling of guesses.
//!
//! Invariant: no password, and nothing from which one could be guessed faster than from the stored
//! hash, is kept beyond the login itself; what is remembered are HMACs under a random key of this process.
//!
//! Absent on purpose: whether a login without TLS is allowed. The protocols decide that before they ask.

mod authenticator;
mod checker;
mod credential;
mod hash;
mod hashing;
mod password;
pub mod sasl;
mod throttle;
mod verified;

pub use authenticator::Authenticator;
pub use checker::{Attempt, AuthError, LoggedIn, PASSWORD_MAX, USER_MAX};
pub use hash::{HashError, hash_password};
pub use password::generate_password;
