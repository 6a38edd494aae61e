//! The only door to the store: accounts, addresses, and the handle that sessions work with.

use super::{Error, ListEntry, Mailbox, Staged, Status, Watch, Appended, Delivery, Incoming};
use crate::types::{AccountId, DateTime, Flags, MailboxId, SpecialUse};
use std::path::PathBuf;
use std::sync::Arc;

/// What the core needs from the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of the store.
    pub path: PathBuf,
    /// Upper bound of the memory map in octets; None: the platform's default.
    pub map_size: Option<usize>,
    /// Domains whose addresses are ours; empty: any domain.
    pub domains: Vec<String>,
    /// The account that gets mail for unknown local parts.
    pub catch_all: Option<String>,
    /// Largest message in octets.
    pub max_message_size: u64,
}

/// One per process: the store, the watchers, the rules of addresses.
pub struct Core {
    _private: (),
}

/// An account as administration sees it.
#[derive(Clone, Debug)]
pub struct AccountInfo {
    /// Its identifier.
    pub id: AccountId,
    /// Its name, lower case; the login name and a local part.
    pub name: String,
    /// Further addresses: a local part, or a full address.
    pub aliases: Vec<String>,
    /// Messages in all mailboxes.
    pub messages: u64,
    /// Sum of their sizes in octets.
    pub bytes: u64,
    /// How many mailboxes.
    pub mailboxes: u32,
}

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Whose mail it is.
    pub account: AccountId,
    /// The account's name.
    pub name: String,
    /// What stood behind the plus sign: a mailbox to use if it exists.
    pub detail: Option<String>,
}

impl Core {
    /// Opens (or makes) the store. Blocks.
    ///
    /// # Errors
    /// A text for the operator: foreign or newer store, no space, no permission, in use.
    pub fn open(_options: Options) -> Result<Arc<Self>, String> { todo!() }

    /// Stops the writer after all queued work is durable. Blocks. Later writes fail with `Temporary`.
    pub fn close(&self) { todo!() }

    /// Makes an account with INBOX and the special-use mailboxes, all subscribed.
    /// `password_hash` is a PHC string. Fails with `Exists` where the name or alias is taken.
    pub async fn create_account(&self, _name: &str, _password_hash: Option<&str>) -> Result<AccountId, Error> { todo!() }
    /// Removes the account and all its mail.
    pub async fn remove_account(&self, _name: &str) -> Result<(), Error> { todo!() }
    /// Adds an address (local part, or local@domain) to an account.
    pub async fn add_alias(&self, _name: &str, _alias: &str) -> Result<(), Error> { todo!() }
    /// Removes an address from an account.
    pub async fn remove_alias(&self, _name: &str, _alias: &str) -> Result<(), Error> { todo!() }
    /// All accounts by name.
    pub fn accounts(&self) -> Result<Vec<AccountInfo>, Error> { todo!() }
    /// One account by name.
    pub fn account_info(&self, _name: &str) -> Result<AccountInfo, Error> { todo!() }
    /// The handle for a session of that account (after authentication).
    pub fn account(self: &Arc<Self>, _id: AccountId) -> Result<Account, Error> { todo!() }
    /// Where mail for `address` (`local`, `local+detail`, with or without `@domain`, quotes allowed) goes.
    /// `NotFound` where nobody has it, `Denied` where the domain is not ours.
    pub fn resolve(&self, _address: &str) -> Result<Recipient, Error> { todo!() }
    /// The password store that `auth` reads and writes.
    pub fn store(&self) -> &crate::store::Store { todo!() }

    /// Begins to take in one message by any door.
    pub fn incoming(self: &Arc<Self>) -> Incoming { todo!() }
    /// Makes one message visible to all `deliveries` in one durable commit.
    /// The outer error means that nothing was stored; each inner one is that recipient's.
    pub async fn deliver(&self, _staged: Staged, _deliveries: Vec<Delivery>) -> Result<Vec<Result<Appended, Error>>, Error> { todo!() }
    /// Octets of the store's file and of the part in use.
    pub fn store_size(&self) -> Result<(u64, u64), Error> { todo!() }
    /// Reads everything and checks every invariant; each line of the answer is one finding. Blocks.
    pub fn verify(&self) -> Result<Vec<String>, Error> { todo!() }
}

/// One user's mail.
#[derive(Clone)]
pub struct Account {
    _core: Arc<Core>,
}

impl Account {
    /// Its identifier.
    pub fn id(&self) -> AccountId { todo!() }
    /// Its name.
    pub fn name(&self) -> &str { todo!() }
    /// All mailboxes and subscriptions, by name; INBOX is spelled `INBOX`.
    pub fn list(&self) -> Result<Vec<ListEntry>, Error> { todo!() }
    /// Makes a mailbox and its missing superiors (RFC 9051 §6.3.4). Names are UTF-8 with `/`; one trailing `/` is ignored.
    pub async fn create(&self, _name: &str, _special_use: Option<SpecialUse>) -> Result<MailboxId, Error> { todo!() }
    /// Removes a mailbox and its messages; INBOX: `Denied`. A mailbox with inferiors stays as a name that cannot be selected.
    pub async fn delete(&self, _name: &str) -> Result<(), Error> { todo!() }
    /// Renames a mailbox with its inferiors; INBOX: moves its messages to a new mailbox (RFC 9051 §6.3.6).
    pub async fn rename(&self, _from: &str, _to: &str) -> Result<(), Error> { todo!() }
    /// Subscribes or unsubscribes a name, which need not exist when unsubscribing.
    pub async fn subscribe(&self, _name: &str, _on: bool) -> Result<(), Error> { todo!() }
    /// The mailbox of that name (INBOX in any case).
    pub fn open(&self, _name: &str) -> Result<Mailbox, Error> { todo!() }
    /// The counters of that mailbox.
    pub fn status(&self, _name: &str) -> Result<Status, Error> { todo!() }
    /// Stores a staged message; `NotFound` where there is no such mailbox (IMAP: [TRYCREATE]).
    pub async fn append(&self, _staged: Staged, _mailbox: &str, _flags: Flags, _date: Option<DateTime>) -> Result<Appended, Error> { todo!() }
    /// Wakes when the mailbox may have changed.
    pub fn watch(&self, _mailbox: MailboxId) -> Watch { todo!() }
}
