//! LMDB tables and bodies: how mail is kept. Synchronous; knows no executor and no protocol.

/// The open store.
pub struct Store { _private: () }

/// A failure of the store.
#[derive(Debug)]
pub enum Error {
    /// No such thing.
    NotFound,
}

/// What `auth` needs to know of a user.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account.
    pub account: crate::types::AccountId,
    /// Its canonical name.
    pub name: String,
    /// The PHC string of its password; None: no password login.
    pub password_hash: Option<String>,
}

impl Store {
    /// The user that logs in as `name` (account name or alias, any ASCII case, `@domain` allowed where an alias says so).
    pub fn login(&self, _name: &str) -> Result<Option<Login>, Error> { todo!() }
    /// Replaces the password's PHC string; durable when the future completes.
    pub async fn set_password_hash(&self, _account: crate::types::AccountId, _hash: String) -> Result<(), Error> { todo!() }
}
