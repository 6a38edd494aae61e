//! The tables `devices` and `pop3`: clients with passwords of their own, and what POP3 has to do with a message.

use super::codec::{Fields, key_u32_u32, put_text};
use super::schema::table;
use super::txn::Tx;
use super::view::{View, key_u32};
use super::{Error, Refusal, ScramKeys};
use crate::types::{AccountId, DeviceId, InstanceId, Rights};
use std::net::IpAddr;
use std::ops::Bound;

/// Limit: devices of an account that can log in.
pub(crate) const DEVICES_MAX: usize = 64;
/// Limit: revoked devices of an account whose names are remembered, so that a message's story can still name them.
const REVOKED_MAX: usize = 64;

/// When and how a device logged in last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// Seconds since 1970.
    pub time: i64,
    /// `imap` or `pop3`.
    pub protocol: &'static str,
    /// The peer's address; None: this machine's unix socket.
    pub address: Option<IpAddr>,
}

/// A device. That of the main password has identifier 0, no name and no hash, and is there once that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// SHA-256 of its password in normal form. The password has 119 random bits, which nobody guesses however fast
    /// the hash is: a slow one would cost every login and protect nothing.
    pub hash: [u8; 32],
    /// What its password is good for.
    pub rights: Rights,
    /// When it was added, in seconds since 1970.
    pub created: i64,
    /// When it was revoked; None: it can log in.
    pub revoked: Option<i64>,
    /// When and how it logged in last, at most an hour behind.
    pub last: Option<LastUse>,
    /// Whether it has ever logged in by POP3.
    pub polls: bool,
    /// The SCRAM keys of its password, made with the salt of the account's main password.
    pub scram: Option<ScramKeys>,
}

impl Device {
    /// Whether messages wait for this device before they are released: it fetches by POP3, or can do nothing else.
    #[must_use]
    pub const fn is_pop3(&self) -> bool {
        self.revoked.is_none() && self.rights.pop3 && (self.polls || !self.rights.imap)
    }
}

const IMAP: u8 = 1;
const POP3: u8 = 2;
const READ_ONLY: u8 = 4;
const POLLS: u8 = 8;

fn encode(device: &Device) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, &device.name);
    out.extend_from_slice(&device.hash);
    let Rights { imap, pop3, read_only } = device.rights;
    let bits = [(imap, IMAP), (pop3, POP3), (read_only, READ_ONLY), (device.polls, POLLS)];
    out.push(bits.iter().filter(|(on, _)| *on).fold(0, |bits, (_, bit)| bits | bit));
    out.extend_from_slice(&device.created.to_be_bytes());
    out.extend_from_slice(&device.revoked.unwrap_or(0).to_be_bytes());
    let last = device.last.as_ref();
    out.extend_from_slice(&last.map_or(0, |last| last.time).to_be_bytes());
    out.push(last.map_or(0, |last| if last.protocol == "pop3" { POP3 } else { IMAP }));
    let address = last.and_then(|last| last.address);
    put_text(&mut out, &address.map_or_else(String::new, |address| address.to_string()));
    ScramKeys::put(device.scram.as_ref(), &mut out);
    out
}

fn decode(value: &[u8]) -> Result<Device, Error> {
    let corrupt = || Error::Corrupt(table::DEVICES);
    let mut fields = Fields::new(value, table::DEVICES);
    let (name, hash, bits) = (fields.text()?, fields.array()?, fields.u8()?);
    let rights = Rights { imap: bits & IMAP != 0, pop3: bits & POP3 != 0, read_only: bits & READ_ONLY != 0 };
    let (created, revoked, time) = (fields.i64()?, fields.i64()?, fields.i64()?);
    let (kind, address) = (fields.u8()?, fields.text()?);
    let protocol = if kind == POP3 { "pop3" } else { "imap" };
    let address = Some(address).filter(|address| !address.is_empty());
    let address = address.map(|address| address.parse().map_err(|_| corrupt())).transpose()?;
    let scram = ScramKeys::take(&mut fields)?;
    fields.end()?;
    Ok(Device {
        name,
        hash,
        rights,
        created,
        revoked: Some(revoked).filter(|revoked| *revoked != 0),
        last: (kind != 0).then_some(LastUse { time, protocol, address }),
        polls: bits & POLLS != 0,
        scram,
    })
}

/// What one device has done with a message by POP3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PopMark {
    pub(crate) device: DeviceId,
    /// When, in seconds since 1970.
    pub(crate) time: i64,
    /// It deleted the message, which hides it from this device; else it fetched it.
    pub(crate) deleted: bool,
}

/// What POP3 has to do with a message. Kept by instance, so that it follows the message through moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PopState {
    /// Ascending by device.
    pub(crate) marks: Vec<PopMark>,
}

impl PopState {
    /// The mark of a device.
    pub(crate) fn mark(&self, device: DeviceId) -> Option<&PopMark> {
        let at = self.marks.binary_search_by_key(&device, |mark| mark.device).ok()?;
        self.marks.get(at)
    }

    /// Notes what a device did; whether that changes anything. What it deleted it cannot fetch any more, and the first
    /// time that it fetched a message counts.
    pub(crate) fn set(&mut self, new: PopMark) -> bool {
        match self.marks.binary_search_by_key(&new.device, |mark| mark.device) {
            Ok(at) => match self.marks.get_mut(at) {
                Some(mark) if new.deleted && !mark.deleted => {
                    *mark = new;
                    true
                }
                _ => false,
            },
            Err(at) => {
                self.marks.insert(at, new);
                true
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(13 * self.marks.len());
        for mark in &self.marks {
            out.extend_from_slice(&mark.device.0.to_be_bytes());
            out.extend_from_slice(&mark.time.to_be_bytes());
            out.push(u8::from(mark.deleted));
        }
        out
    }

    fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(value, table::POP3);
        let mut marks = Vec::new();
        while !fields.rest().is_empty() {
            let (device, time) = (DeviceId(fields.u32()?), fields.i64()?);
            marks.push(PopMark { device, time, deleted: fields.u8()? != 0 });
        }
        Ok(Self { marks })
    }
}

/// The key of a message in `pop3`.
fn pop_key(account: AccountId, instance: InstanceId) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4..].copy_from_slice(&instance.0.to_be_bytes());
    key
}

impl View<'_> {
    /// One device of an account, revoked ones too.
    pub(crate) fn device(&self, account: AccountId, id: DeviceId) -> Result<Option<Device>, Error> {
        self.tables.devices.get(self.txn, &key_u32_u32(account.0, id.0))?.map(decode).transpose()
    }

    /// All devices of an account by identifier, revoked ones too; 0 is the main password.
    pub(crate) fn devices(&self, account: AccountId) -> Result<Vec<(DeviceId, Device)>, Error> {
        let mut devices = Vec::new();
        for entry in self.tables.devices.prefix_iter(self.txn, &account.0.to_be_bytes())? {
            let (key, value) = entry?;
            devices.push((DeviceId(key_u32(key, 4, table::DEVICES)?), decode(value)?));
        }
        Ok(devices)
    }

    /// What POP3 has to do with a message.
    pub(crate) fn pop_state(&self, account: AccountId, instance: InstanceId) -> Result<PopState, Error> {
        let value = self.tables.pop3.get(self.txn, &pop_key(account, instance))?;
        value.map_or_else(|| Ok(PopState::default()), PopState::decode)
    }

    /// Calls `each` with up to `max` messages of an account that POP3 has to do with, from `from` on; where the next
    /// call goes on, None at the end.
    pub(crate) fn pop_states(
        &self,
        account: AccountId,
        from: InstanceId,
        max: usize,
        mut each: impl FnMut(InstanceId, PopState),
    ) -> Result<Option<InstanceId>, Error> {
        let (first, last) = (pop_key(account, from), pop_key(account, InstanceId(u64::MAX)));
        let range = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        for (count, entry) in self.tables.pop3.range(self.txn, &range)?.enumerate() {
            let (key, value) = entry?;
            let instance = InstanceId(Fields::new(key.get(4..).unwrap_or_default(), table::POP3).u64()?);
            if count == max {
                return Ok(Some(instance));
            }
            each(instance, PopState::decode(value)?);
        }
        Ok(None)
    }
}

impl Tx<'_> {
    pub(crate) fn put_device(&mut self, account: AccountId, id: DeviceId, device: &Device) -> Result<(), Error> {
        self.put(self.tables.devices, &key_u32_u32(account.0, id.0), &encode(device))
    }

    /// Adds a device; its identifier. `Exists` where one of that name can log in, `Limit` where there are too many.
    pub(crate) fn add_device(&mut self, account: AccountId, device: &Device) -> Result<DeviceId, Error> {
        let known = self.view().devices(account)?;
        let active = || known.iter().filter(|(id, device)| id.is_device() && device.revoked.is_none());
        if active().any(|(_, other)| other.name.eq_ignore_ascii_case(&device.name)) {
            return Err(Refusal::Exists.into());
        }
        if active().count() >= DEVICES_MAX {
            return Err(Refusal::Limit("the account has as many devices as it can; revoke one").into());
        }
        let revoked: Vec<_> = known.iter().filter(|(_, device)| device.revoked.is_some()).collect();
        if let Some(spare) = revoked.len().checked_sub(REVOKED_MAX) {
            let mut oldest = revoked;
            oldest.sort_by_key(|(_, device)| device.revoked);
            // The last identifier stays, so that none is given out twice.
            let last = known.last().map(|(id, _)| *id);
            for (id, _) in oldest.into_iter().filter(|(id, _)| Some(*id) != last).take(spare + 1) {
                self.delete(self.tables.devices, &key_u32_u32(account.0, id.0))?;
            }
        }
        let last = known.last().map_or(0, |(id, _)| id.0);
        let id = DeviceId(last.checked_add(1).ok_or(Refusal::Limit("the account has had too many devices"))?);
        self.put_device(account, id, device)?;
        Ok(id)
    }

    /// Takes a device's password and what it has fetched; its name is kept for the stories of messages.
    pub(crate) fn revoke_device(&mut self, account: AccountId, id: DeviceId) -> Result<(), Error> {
        let mut device = self.view().device(account, id)?.ok_or(Refusal::NotFound)?;
        if device.revoked.is_some() {
            return Err(Refusal::NotFound.into());
        }
        (device.revoked, device.hash, device.scram) = (Some(self.now()?), [0; 32], None);
        self.put_device(account, id, &device)?;
        self.forget_marks(account, id)
    }

    /// No message waits any more for those who fetched by POP3 with the main password, until somebody does so again.
    pub(crate) fn forget_main_device(&mut self, account: AccountId) -> Result<(), Error> {
        let main = DeviceId(0);
        let mut device = self.view().device(account, main)?.filter(|device| device.polls).ok_or(Refusal::NotFound)?;
        device.polls = false;
        self.put_device(account, main, &device)?;
        self.forget_marks(account, main)
    }

    /// Forgets what a device has fetched and deleted.
    fn forget_marks(&mut self, account: AccountId, id: DeviceId) -> Result<(), Error> {
        let mut states = Vec::new();
        self.view().pop_states(account, InstanceId(0), usize::MAX, |instance, state| {
            if state.mark(id).is_some() {
                states.push((instance, state));
            }
        })?;
        for (instance, mut state) in states {
            state.marks.retain(|mark| mark.device != id);
            self.put_pop_state(account, instance, &state)?;
        }
        Ok(())
    }

    /// Keeps what POP3 has to do with a message.
    pub(crate) fn put_pop_state(
        &mut self,
        account: AccountId,
        instance: InstanceId,
        state: &PopState,
    ) -> Result<(), Error> {
        if state.marks.is_empty() {
            return self.forget_pop_state(account, instance);
        }
        self.put(self.tables.pop3, &pop_key(account, instance), &state.encode())
    }

    /// A message is gone for good, and what POP3 had to do with it.
    pub(crate) fn forget_pop_state(&mut self, account: AccountId, instance: InstanceId) -> Result<(), Error> {
        let key = pop_key(account, instance);
        if self.tables.pop3.get(&self.txn, &key)?.is_some() {
            self.delete(self.tables.pop3, &key)?;
        }
        Ok(())
    }

    /// An account is gone, and its devices with it.
    pub(crate) fn delete_devices(&mut self, account: AccountId) -> Result<(), Error> {
        let (first, last) = (key_u32_u32(account.0, 0), key_u32_u32(account.0, u32::MAX));
        self.delete_range(self.tables.devices, &first, &last)?;
        let (first, last) = (pop_key(account, InstanceId(0)), pop_key(account, InstanceId(u64::MAX)));
        self.delete_range(self.tables.pop3, &first, &last).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_states_come_out_as_they_went_in() {
        let keys = ScramKeys { iterations: 4096, salt: [1; 16], stored_key: [2; 32], server_key: [3; 32] };
        let address = Some("2001:db8::1".parse().unwrap());
        let device = Device {
            name: "Anna's phone".to_owned(),
            hash: [7; 32],
            rights: Rights { imap: false, pop3: true, read_only: true },
            created: 5,
            revoked: None,
            last: Some(LastUse { time: 9, protocol: "pop3", address }),
            polls: true,
            scram: Some(keys),
        };
        assert_eq!(decode(&encode(&device)).unwrap(), device);
        let plain = Device { revoked: Some(8), last: None, scram: None, rights: Rights::ALL, polls: false, ..device };
        assert_eq!(decode(&encode(&plain)).unwrap(), plain);
        assert!(decode(&encode(&plain)[1..]).is_err());

        let mut state = PopState::default();
        let mark = |device, time, deleted| PopMark { device: DeviceId(device), time, deleted };
        assert!(state.set(mark(2, 10, false)) && state.set(mark(0, 11, true)) && !state.set(mark(2, 12, false)));
        assert!(state.set(mark(2, 13, true)) && !state.set(mark(0, 14, false)));
        assert_eq!(state.marks, [mark(0, 11, true), mark(2, 13, true)]);
        assert_eq!((state.mark(DeviceId(2)), state.mark(DeviceId(1))), (Some(&mark(2, 13, true)), None));
        assert_eq!(PopState::decode(&state.encode()).unwrap(), state);
        assert!(PopState::decode(&state.encode()[..7]).is_err());
    }
}
