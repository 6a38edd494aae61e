//! LMDB tables and bodies: how mail is kept. Synchronous; knows no executor and no protocol.
//!
//! Invariants: every change is one job of the one writer and durable when it is answered; reads are short
//! transactions which end before any octet goes to a peer; heed's types do not leave this module.

mod body;
mod check;
mod clock;
mod codec;
pub(crate) mod device;
mod env;
mod error;
pub(crate) mod hidden;
pub(crate) mod journal;
mod later;
mod map;
mod migrate;
mod password;
pub(crate) mod purge;
mod quick;
pub(crate) mod removed;
mod room;
pub(crate) mod schema;
mod settings;
pub(crate) mod txn;
pub(crate) mod view;
mod writer;

pub use clock::Clock;
pub use device::{Device, LastUse};
pub use error::{Error, Refusal};
pub use hidden::Cause;
pub use map::{Growth, Probe};
pub use password::{Password, Renewal, ScramKeys};
pub use quick::Layout;
pub use removed::LetGo;
pub use room::{FreeSpace, Room};
pub use schema::{Leap, SCHEMA_VERSION};
pub use settings::{MainPassword, OverQuota, Settings};
pub use writer::Commit;

use crate::types::{AccountId, BodyId, DeviceId, MailboxId, canonical_address};
use env::Environment;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use txn::Tx;
use view::View;
use writer::{Kind, Writer};

/// Limit: octets of a mailbox name or an address, so that it fits an LMDB key (511).
pub const KEY_TEXT_MAX: usize = 480;

/// What a commit changed: somebody may watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Messages or flags of a mailbox.
    Mailbox(MailboxId),
    /// Messages or flags of some mailbox of the account.
    Messages(AccountId),
    /// Mailbox names or subscriptions of the account.
    Names(AccountId),
    /// Annotations of the account or of its mailboxes; None: of the server.
    Annotations(Option<AccountId>),
}

/// Bodies that readers hold: their chunks are kept although their last message is gone.
#[derive(Default)]
pub(crate) struct Pins(Mutex<HashMap<BodyId, u32>>);

impl Pins {
    fn add(&self, body: BodyId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(body).or_insert(0) += 1;
    }

    /// Whether that was the last holder.
    fn remove(&self, body: BodyId) -> bool {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pins.get_mut(&body) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => {
                pins.remove(&body);
                true
            }
        }
    }

    fn contains(&self, body: BodyId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&body)
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Keeps a body's chunks for a reader while it lives.
pub(crate) struct Pin {
    store: Arc<Store>,
    body: BodyId,
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.store.pins.remove(self.body) {
            // Its message may have been expunged meanwhile.
            self.store.writer.purge();
        }
    }
}

/// The open store.
pub struct Store {
    environment: Environment,
    pins: Arc<Pins>,
    writer: Writer,
    clock: Clock,
}

/// What `auth` needs to know of a user.
#[derive(Clone)]
pub struct Login {
    /// The account.
    pub account: AccountId,
    /// Its canonical name.
    pub name: String,
    /// The PHC string of its password; None: no password login.
    pub password_hash: Option<String>,
    /// The SCRAM keys of its password; None: it can be given in clear text only.
    pub scram: Option<ScramKeys>,
    /// From where its main password is accepted.
    pub scope: MainPassword,
    /// The devices that can log in, with their passwords.
    pub devices: Vec<(DeviceId, Device)>,
}

impl Store {
    /// Opens the store in a directory, or makes it. `committed` hears of all that a commit changed.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn open(
        path: &Path,
        map_size: Option<usize>,
        (clock, room): (Clock, Room),
        committed: impl Fn(&[Topic]) + Send + 'static,
    ) -> Result<Arc<Self>, String> {
        let environment = Environment::open(path, map_size, room)?;
        environment.keep_reserve();
        let pins = Arc::new(Pins::default());
        let writer = Writer::start(environment.clone(), pins.clone(), clock.clone(), committed)
            .map_err(|error| error.to_string())?;
        let store = Arc::new(Self { environment, pins, writer, clock });
        store.write(purge::adopt_staging).wait().map_err(|error| error.to_string())?;
        store.writer.purge();
        Ok(store)
    }

    /// Ends the writer after all queued jobs are durable; later jobs fail with [`Error::Closed`].
    pub fn close(&self) {
        self.writer.close();
    }

    /// Reads over one snapshot, in a short transaction.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.environment.read(read)
    }

    /// Queues a job for the writer.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T> {
        self.writer.submit(Kind::default(), job)
    }

    /// Queues a job that has nothing to do with what waits for company (`write_later`): it neither reads nor changes
    /// what that does, and takes no message out of its mailbox.
    pub(crate) fn write_aside<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T> {
        self.writer.submit(Kind { weight: 0, aside: true }, job)
    }

    /// Takes a job of so many entries that need not be durable at once: it is run with another commit, or within an
    /// hour, and before every job of `write`. `time` is from `stamp`. What is returned is to be waited for.
    pub(crate) fn write_later(
        &self,
        (entries, time): (usize, i64),
        job: impl FnMut(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Option<Commit<()>> {
        self.writer.submit_later((entries, time), job)
    }

    /// To be waited for before anything is read that `write_later` changes; None: nothing is missing.
    pub(crate) fn settle(&self) -> Option<Commit<()>> {
        self.writer.is_unsettled().then(|| self.write(|_| Ok(())))
    }

    /// This moment as it would be stored now: never before any that was stored or is to be.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn stamp(&self) -> Result<i64, Error> {
        Ok(self.clock.now().max(self.latest()?).max(self.writer.latest()))
    }

    /// The latest moment that is stored; 0: none is.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn latest(&self) -> Result<i64, Error> {
        self.read(|view| Ok(view.globals()?.last_time))
    }

    /// Takes the clock for right: what is stored from now on has the time that it shows, although later moments may be
    /// stored already.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn trust_clock(&self) -> Result<(), Error> {
        // What waits to be written runs before it.
        let clock = self.clock.clone();
        self.write(move |tx| tx.go_on_from(clock.now())).await?;
        self.writer.forget_latest();
        Ok(())
    }

    /// By how many seconds the clock is behind the latest moment that was stored; 0: it is not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn clock_lag(&self) -> Result<i64, Error> {
        Ok(self.latest()?.saturating_sub(self.clock.now()).max(0))
    }

    /// Whether new mail may be stored.
    ///
    /// # Errors
    /// `DiskFull`, `Full`; otherwise the store cannot be read.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        self.environment.check_room()
    }

    /// Octets that new mail may take.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn room(&self) -> Result<u64, Error> {
        self.environment.room()
    }

    /// Allocates again what was given up where the disk was full.
    pub(crate) fn keep_reserve(&self) {
        self.environment.keep_reserve();
    }

    /// Queues a job that brings new mail, about `weight` octets. It is refused where there is no room for it.
    pub(crate) fn write_heavy<T: Send + 'static>(
        &self,
        weight: usize,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T> {
        self.write_in_room(Kind { weight, aside: false }, job)
    }

    /// The same for a job that brings new mail and does nothing else, as `write_aside`.
    pub(crate) fn write_arrival<T: Send + 'static>(
        &self,
        weight: usize,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T> {
        self.write_in_room(Kind { weight, aside: true }, job)
    }

    fn write_in_room<T: Send + 'static>(
        &self,
        kind: Kind,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T> {
        match self.environment.check_room() {
            Ok(()) => self.writer.submit(kind, job),
            Err(error) => Commit::refused(error),
        }
    }

    /// Where the time comes from.
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Lets the writer remove the remains of deleted messages when it has time.
    pub(crate) fn purge(&self) {
        self.writer.purge();
    }

    /// Octets of a message that fill one chunk.
    pub(crate) fn payload_size(&self) -> usize {
        body::payload_size(self.environment.chunk_size)
    }

    /// Keeps a body for a reader. Pin first, then read its content: the other way round it may be gone.
    pub(crate) fn pin(self: &Arc<Self>, body: BodyId) -> Pin {
        self.pins.add(body);
        Pin { store: self.clone(), body }
    }

    /// Octets of the file, and of the pages in use.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn size(&self) -> Result<(u64, u64), Error> {
        self.environment.size()
    }

    /// How the file is made and how much room is left in it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn layout(&self) -> Result<Layout, Error> {
        self.environment.layout()
    }

    /// Looks at what shows damage soonest; one line for each finding.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub fn quick_check(&self) -> Result<Vec<String>, Error> {
        self.environment.read(quick::quick)
    }

    /// Reads everything and checks every invariant; one line for each finding.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        self.environment.read(check::check)
    }

    /// The user that logs in as `name`: an account name, an alias, or either with a domain behind it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn login(&self, name: &str) -> Result<Option<Login>, Error> {
        let name = canonical_address(name);
        self.read(|view| {
            let local = name.rsplit_once('@').map(|(local, _)| local);
            let found = match view.address(&name)? {
                None => local.map(|local| view.address(local)).transpose()?.flatten(),
                found => found,
            };
            let Some(account) = found else { return Ok(None) };
            let Some(user) = view.user(account)? else { return Ok(None) };
            let mut devices = view.devices(account)?;
            devices.retain(|(id, device)| id.is_device() && device.revoked.is_none());
            Ok(Some(Login {
                account,
                name: user.name,
                password_hash: Some(user.password_hash).filter(|hash| !hash.is_empty()),
                scram: user.scram,
                scope: view.settings(account)?.main_password.unwrap_or_default(),
                devices,
            }))
        })
    }

    /// Random octets of this store, which no client is told.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn identity(&self) -> Result<[u8; 16], Error> {
        self.read(|view| Ok(view.format()?.store_id))
    }

    /// Adds to what is kept of a password where its PHC string still is `old`, and tells whether it was; durable
    /// when it completes.
    ///
    /// # Errors
    /// No such account, or the store failed.
    pub async fn renew_password(&self, account: AccountId, old: String, new: Renewal) -> Result<bool, Error> {
        self.write(move |tx| {
            let mut user = tx.view().user(account)?.ok_or(Refusal::NotFound)?;
            if user.password_hash != old {
                return Ok(false);
            }
            if let Some(hash) = &new.hash {
                user.password_hash.clone_from(hash);
            }
            if new.scram.is_some() {
                user.scram.clone_from(&new.scram);
            }
            tx.put_user(account, &user)?;
            Ok(true)
        })
        .await
    }

    /// Replaces the password; durable when it completes.
    ///
    /// # Errors
    /// No such account, or the store failed.
    pub async fn set_password(&self, account: AccountId, password: Password) -> Result<(), Error> {
        self.write(move |tx| {
            let mut user = tx.view().user(account)?.ok_or(Refusal::NotFound)?;
            user.password_hash.clone_from(&password.hash);
            user.scram.clone_from(&password.scram);
            tx.put_user(account, &user)
        })
        .await
    }
}
