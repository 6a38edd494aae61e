//! Devices: passwords of single clients, the sessions that they have open, and when each was used last.
//!
//! Invariant: a session that was let in by a password is ended when that password is revoked or changed. It enters first
//! and looks then whether its device is still there, or the password still what it was when the login came, so that no
//! revocation falls between the two.

use super::{Core, Error};
use crate::store::txn::Tx;
use crate::store::{self, Device, LastUse, MainPassword, Refusal};
use crate::types::{AccountId, DeviceId, Door, DoorKind, Rights};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A use is written at once where the one that is stored is older, in seconds; until then it is remembered here.
/// A client that polls each minute would else cost a commit each minute.
const WRITE_EVERY: i64 = 3600;
/// Limit: POP3 logins that are remembered for LOGIN-DELAY; with more of them within one delay the oldest is forgotten.
const LOGINS_MAX: usize = 4096;
/// Limit: characters of a device's name.
const NAME_MAX: usize = 40;

type Key = (AccountId, DeviceId);

/// Why a session that has logged in does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotEntered {
    /// The device has a POP3 session already, and only one may be there at a time.
    InUse,
    /// The password was revoked or changed just now.
    Revoked,
    /// The store failed.
    Failed(Error),
}

impl From<store::Error> for NotEntered {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Ends a session.
type End = Arc<dyn Fn() + Send + Sync>;

struct Open {
    token: u64,
    kind: DoorKind,
    end: End,
}

/// The sessions that are open, and the uses that are not written yet.
#[derive(Default)]
pub(super) struct Presence {
    sessions: Mutex<(u64, HashMap<Key, Vec<Open>>)>,
    // Limit: one entry for each device that exists, at most.
    uses: Mutex<HashMap<Key, LastUse>>,
    logins: Mutex<HashMap<(Key, Option<IpAddr>), Instant>>,
    /// When the sessions that use the main password were ended, since the start.
    // Limit: one entry for each account.
    main_ended: Mutex<HashMap<AccountId, Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Presence {
    /// Ends all sessions that `which` names.
    fn end(&self, which: impl Fn(&Key) -> bool) {
        let sessions = lock(&self.sessions);
        let ended = sessions.1.iter().filter(|(key, _)| which(key)).flat_map(|(_, open)| open);
        let ends: Vec<End> = ended.map(|open| open.end.clone()).collect();
        drop(sessions);
        for end in ends {
            end();
        }
    }
}

/// A session's place among those that are open. Dropped: the session is over.
pub struct Guest {
    core: Arc<Core>,
    key: Key,
    token: u64,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut sessions = lock(&self.core.presence.sessions);
        if let Some(open) = sessions.1.get_mut(&self.key) {
            open.retain(|open| open.token != self.token);
            if open.is_empty() {
                sessions.1.remove(&self.key);
            }
        }
    }
}

/// The account and the device of that name that can log in.
fn find(tx: &Tx<'_>, user: &str, name: &str) -> Result<Key, store::Error> {
    let view = tx.view();
    let account = super::account::find_user(tx, user)?.0;
    let devices = view.devices(account)?;
    let same = |device: &Device| device.revoked.is_none() && device.name.eq_ignore_ascii_case(name);
    let found = devices.iter().find(|(id, device)| id.is_device() && same(device));
    Ok((account, found.ok_or(Refusal::NotFound)?.0))
}

/// Refuses names that would not stand in a log line or a table.
fn check_name(name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() || name.trim() != name {
        return Err(Refusal::Invalid("a device needs a name without spaces at its ends, such as phone or laptop"));
    }
    if name.chars().count() > NAME_MAX {
        return Err(Refusal::Invalid("the device's name is longer than 40 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(Refusal::Invalid("a device's name cannot have control characters"));
    }
    Ok(())
}

/// Writes a use; that of the main password makes its entry at the first time.
fn write_use(tx: &mut Tx<'_>, (account, id): Key, used: &LastUse) -> Result<(), store::Error> {
    let known = tx.view().device(account, id)?;
    let mut device = match known {
        Some(device) => device,
        None if !id.is_device() && tx.view().user(account)?.is_some() => Device {
            name: String::new(),
            hash: [0; 32],
            rights: Rights::ALL,
            created: tx.now()?,
            revoked: None,
            last: None,
            polls: false,
            scram: None,
        },
        None => return Ok(()),
    };
    if device.revoked.is_some() {
        return Ok(());
    }
    device.polls |= used.protocol == "pop3";
    device.last = Some(used.clone());
    tx.put_device(account, id, &device)
}

impl Core {
    /// Gives an account a device whose password was made by `auth`.
    ///
    /// # Errors
    /// `NotFound`: no such user. `Exists`: a device of that name can log in. `Invalid` names, `Limit`, `Temporary`.
    pub async fn add_device(&self, user: &str, device: Device) -> Result<DeviceId, Error> {
        check_name(&device.name)?;
        if !device.rights.imap && !device.rights.pop3 {
            return Err(Error::Invalid("a device needs IMAP or POP3"));
        }
        let user = user.to_ascii_lowercase();
        let added = self.store.write(move |tx| {
            let account = super::account::find_user(tx, &user)?.0;
            let device = Device { created: tx.now()?, ..device.clone() };
            tx.add_device(account, &device)
        });
        Ok(added.await?)
    }

    /// Takes a device's password away and ends its sessions.
    ///
    /// # Errors
    /// `NotFound`: no such user, or no such device. `Temporary`.
    pub async fn revoke_device(&self, user: &str, name: &str) -> Result<(), Error> {
        let (user, name) = (user.to_ascii_lowercase(), name.to_owned());
        let revoked = self.store.write(move |tx| {
            let key = find(tx, &user, &name)?;
            tx.revoke_device(key.0, key.1)?;
            Ok(key)
        });
        let revoked = revoked.await?;
        lock(&self.presence.uses).remove(&revoked);
        self.presence.end(|key| *key == revoked);
        Ok(())
    }

    /// Replaces the main password and ends the sessions that the old one opened.
    ///
    /// # Errors
    /// `NotFound`: no such account. `Temporary`.
    pub async fn set_password(&self, account: AccountId, password: store::Password) -> Result<(), Error> {
        self.store.set_password(account, password).await?;
        self.end_main_sessions(account);
        Ok(())
    }

    /// Says from where the main password opens mail. Where it is not from everywhere, the sessions that it opened are
    /// ended; who may come in comes again.
    ///
    /// # Errors
    /// `NotFound`: no such account. `Temporary`.
    pub async fn set_main_password_scope(&self, account: AccountId, scope: MainPassword) -> Result<(), Error> {
        self.change_settings(account, move |settings| settings.main_password = Some(scope)).await?;
        if scope != MainPassword::Everywhere {
            self.end_main_sessions(account);
        }
        Ok(())
    }

    fn end_main_sessions(&self, account: AccountId) {
        lock(&self.presence.main_ended).insert(account, Instant::now());
        self.presence.end(|key| *key == (account, DeviceId::MAIN));
    }

    /// Forgets that the main password was used by POP3, and what was fetched with it; a later use counts anew.
    ///
    /// # Errors
    /// `NotFound`: no such user, or it was not used so. `Temporary`.
    pub async fn forget_main_device(&self, user: &str) -> Result<(), Error> {
        let user = user.to_ascii_lowercase();
        let forgotten = self.store.write(move |tx| {
            let account = super::account::find_user(tx, &user)?.0;
            tx.forget_main_device(account)?;
            Ok::<_, store::Error>(account)
        });
        let account = forgotten.await?;
        // Written later, it would count as a new use.
        lock(&self.presence.uses).remove(&(account, DeviceId::MAIN));
        Ok(())
    }

    /// The devices of an account by identifier, revoked ones too; 0 is the main password once it was used.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn devices(&self, account: AccountId) -> Result<Vec<(DeviceId, Device)>, Error> {
        let mut devices = self.store.read(|view| view.devices(account))?;
        let uses = lock(&self.presence.uses);
        for (id, device) in devices.iter_mut().filter(|(_, device)| device.revoked.is_none()) {
            if let Some(used) = uses.get(&(account, *id)) {
                device.last = Some(used.clone());
            }
        }
        Ok(devices)
    }

    /// Enters a session whose login came at `arrived` by that door, and notes that its device was used. `end` is called,
    /// from any thread, when the session must end because its password was revoked or changed, or its account removed.
    ///
    /// # Errors
    /// See [`NotEntered`]. Whoever shares the main password is no single device, and is never kept waiting.
    pub fn enter(
        self: &Arc<Self>,
        account: AccountId,
        door: &Door,
        arrived: Instant,
        end: impl Fn() + Send + Sync + 'static,
    ) -> Result<Guest, NotEntered> {
        let key = (account, DeviceId(door.device));
        let guest = {
            let mut sessions = lock(&self.presence.sessions);
            sessions.0 += 1;
            let token = sessions.0;
            let open = sessions.1.entry(key).or_default();
            let alone = door.kind == DoorKind::Pop3 && key.1.is_device();
            if alone && open.iter().any(|open| open.kind == DoorKind::Pop3) {
                return Err(NotEntered::InUse);
            }
            open.push(Open { token, kind: door.kind, end: Arc::new(end) });
            Guest { core: self.clone(), key, token }
        };
        let device = self.store.read(|view| view.device(key.0, key.1))?;
        if key.1.is_device() && device.as_ref().is_none_or(|device| device.revoked.is_some()) {
            return Err(NotEntered::Revoked);
        }
        let ended = lock(&self.presence.main_ended).get(&account).copied();
        if !key.1.is_device() && ended.is_some_and(|ended| ended >= arrived) {
            return Err(NotEntered::Revoked);
        }
        self.note_use(key, device.as_ref(), door);
        Ok(guest)
    }

    /// Whether a POP3 login comes too soon after the one before (RFC 2449 §6.5). One that does not is remembered. Those
    /// who share the main password are told apart by their addresses.
    pub fn is_too_soon(&self, account: AccountId, door: &Door) -> bool {
        let delay = self.options.pop3.login_delay;
        if delay.is_zero() {
            return false;
        }
        let device = DeviceId(door.device);
        let key = ((account, device), door.address.filter(|_| !device.is_device()));
        let (mut logins, now) = (lock(&self.presence.logins), Instant::now());
        logins.retain(|_, login| now.duration_since(*login) < delay);
        if logins.contains_key(&key) {
            return true;
        }
        if logins.len() >= LOGINS_MAX {
            let oldest = logins.iter().min_by_key(|(_, login)| **login).map(|(key, _)| *key);
            oldest.map(|oldest| logins.remove(&oldest));
        }
        logins.insert(key, now);
        false
    }

    fn note_use(&self, key: Key, stored: Option<&Device>, door: &Door) {
        let protocol = if door.kind == DoorKind::Pop3 { "pop3" } else { "imap" };
        let used = LastUse { time: self.now(), protocol, address: door.address };
        let last = stored.and_then(|device| device.last.as_ref()).map_or(0, |last| last.time);
        let is_new_poller = door.kind == DoorKind::Pop3 && !stored.is_some_and(|device| device.polls);
        if used.time.saturating_sub(last) >= WRITE_EVERY || is_new_poller {
            lock(&self.presence.uses).remove(&key);
            // Nobody waits for it: a crash loses the note of one use.
            drop(self.store.write_aside(move |tx| write_use(tx, key, &used)));
        } else {
            lock(&self.presence.uses).insert(key, used);
        }
    }

    /// Queues the uses that are not written yet.
    pub(super) fn write_uses(&self) {
        let uses = std::mem::take(&mut *lock(&self.presence.uses));
        for (key, used) in uses {
            drop(self.store.write_aside(move |tx| write_use(tx, key, &used)));
        }
    }

    /// Forgets uses that are not written yet and later than that moment.
    pub(super) fn forget_uses_after(&self, now: i64) {
        lock(&self.presence.uses).retain(|_, used| used.time <= now);
    }

    /// Ends every session of an account.
    pub(super) fn end_sessions(&self, account: AccountId) {
        lock(&self.presence.uses).retain(|key, _| key.0 != account);
        self.presence.end(|key| key.0 == account);
    }
}
