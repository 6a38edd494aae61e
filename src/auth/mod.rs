//! Who may log in: password hashes, the cache of verified logins, SASL messages, throttling of guesses.
//!
//! Invariant: no password, and nothing from which one could be guessed faster than from what is stored,
//! is kept beyond the login itself; what is remembered are HMACs under a random key of this process.
//!
//! Stored are an Argon2id hash and the keys of SCRAM-SHA-256, which RFC 5802 fixes: whoever steals the store can guess
//! against the latter faster. The passwords that mailnook makes have 99 bits and are out of reach of both.
//!
//! Absent on purpose: whether a login without TLS is allowed. The protocols decide that before they ask.

mod authenticator;
mod checker;
mod cost;
mod credential;
mod device;
mod exchange;
mod hash;
mod hashing;
mod memory;
mod password;
pub mod sasl;
mod scram;
mod throttle;
mod verified;

pub use crate::store::{Login, Password};
pub use authenticator::Authenticator;
use checker::Proof;
pub use checker::{Attempt, AuthError, LoggedIn, PASSWORD_MAX, USER_MAX};
pub use cost::{Chosen, Cost};
pub use device::new_device;
pub use exchange::{Client, Exchange, ExchangeError, Step};
pub use hash::{HashError, hash_password, hash_password_of, hash_password_with};
pub use password::generate_password;
