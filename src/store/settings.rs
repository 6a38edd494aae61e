//! `settings`: what an account has otherwise than the configuration says.

use super::Error;
use super::codec::Fields;
use super::schema::table;
use crate::types::{MailboxId, PopDelete, PopPolicy};
use std::collections::BTreeMap;

/// What happens to mail that comes while the account is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverQuota {
    /// The sender's server keeps it and tries again (452 4.2.2).
    #[default]
    Defer,
    /// It goes back to its sender (552 5.2.2).
    Bounce,
}

/// From where the account's main password opens mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MainPassword {
    /// From everywhere.
    #[default]
    Everywhere,
    /// From private addresses and this machine only.
    Lan,
    /// From nowhere: devices have passwords of their own.
    Off,
}

/// The settings of one account. None: as the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Octets that the account may hold; `u64::MAX`: no limit.
    pub quota_bytes: Option<u64>,
    /// Messages that the account may hold; `u64::MAX`: no limit.
    pub quota_messages: Option<u64>,
    /// What happens to mail that comes while it is full.
    pub over_quota: Option<OverQuota>,
    /// The highest percentage of which the user was warned since usage was low.
    pub warned: Option<u8>,
    /// Days after which mail in \Trash goes; 0: never.
    pub trash_days: Option<u32>,
    /// Days after which mail in \Junk goes; 0: never.
    pub junk_days: Option<u32>,
    /// Days after which mail goes from these mailboxes, whatever their special use; 0: never.
    pub mailbox_days: BTreeMap<MailboxId, u32>,
    /// Days for which expunged mail can be brought back; 0: not at all.
    pub undelete_days: Option<u32>,
    /// What POP3's DELE does.
    pub pop_delete: Option<PopDelete>,
    /// Days after which mail that POP3 hid goes.
    pub pop_hide_days: Option<u32>,
    /// Whether RETR sets \Seen.
    pub pop_retr_seen: Option<bool>,
    /// Days after which mail goes that every POP3 device has fetched; 0: never.
    pub pop_release_days: Option<u32>,
    /// From where the main password opens mail.
    pub main_password: Option<MainPassword>,
    /// Settings that this version does not know, as they are stored.
    pub(crate) unknown: Vec<(u8, Vec<u8>)>,
}

mod tag {
    pub(super) const QUOTA_BYTES: u8 = 1;
    pub(super) const QUOTA_MESSAGES: u8 = 2;
    pub(super) const OVER_QUOTA: u8 = 3;
    pub(super) const WARNED: u8 = 4;
    pub(super) const TRASH_DAYS: u8 = 5;
    pub(super) const JUNK_DAYS: u8 = 6;
    pub(super) const UNDELETE_DAYS: u8 = 7;
    pub(super) const POP_DELETE: u8 = 8;
    pub(super) const POP_HIDE_DAYS: u8 = 9;
    pub(super) const POP_RETR_SEEN: u8 = 10;
    pub(super) const POP_RELEASE_DAYS: u8 = 11;
    pub(super) const MAIN_PASSWORD: u8 = 12;
    pub(super) const MAILBOX_DAYS: u8 = 13;
}

const OVER_QUOTA: [OverQuota; 2] = [OverQuota::Defer, OverQuota::Bounce];
const POP_DELETE: [PopDelete; 3] = [PopDelete::Trash, PopDelete::Hide, PopDelete::Expunge];
const MAIN_PASSWORD: [MainPassword; 3] = [MainPassword::Everywhere, MainPassword::Lan, MainPassword::Off];

/// The number by which a choice is stored.
fn number<T: PartialEq>(choices: &[T], choice: &T) -> u8 {
    choices.iter().position(|known| known == choice).and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

fn choice<T: Copy>(choices: &[T], number: u8) -> Result<T, Error> {
    choices.get(usize::from(number)).copied().ok_or(Error::Corrupt(table::SETTINGS))
}

impl Settings {
    /// What the configuration says of POP3, where this account has nothing else.
    pub(crate) fn pop_policy(&self, configured: &PopPolicy) -> PopPolicy {
        PopPolicy {
            delete: self.pop_delete.unwrap_or(configured.delete),
            hide_days: self.pop_hide_days.unwrap_or(configured.hide_days),
            release_days: self.pop_release_days.unwrap_or(configured.release_days),
            retr_seen: self.pop_retr_seen.unwrap_or(configured.retr_seen),
            login_delay: configured.login_delay,
        }
    }

    /// Whether all is as the configuration says.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// A list of tag, length in two octets, value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |tag: u8, value: Option<&[u8]>| {
            if let Some(value) = value {
                out.push(tag);
                out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
                out.extend_from_slice(&value[..value.len().min(usize::from(u16::MAX))]);
            }
        };
        let wide = |value: Option<u64>| value.map(u64::to_be_bytes);
        let days = |value: Option<u32>| value.map(u32::to_be_bytes);
        let octet = |value: Option<u8>| value.map(|value| [value]);
        put(tag::QUOTA_BYTES, wide(self.quota_bytes).as_ref().map(<[u8; 8]>::as_slice));
        put(tag::QUOTA_MESSAGES, wide(self.quota_messages).as_ref().map(<[u8; 8]>::as_slice));
        for (tag, value) in [
            (tag::OVER_QUOTA, self.over_quota.map(|value| number(&OVER_QUOTA, &value))),
            (tag::WARNED, self.warned),
            (tag::POP_DELETE, self.pop_delete.map(|value| number(&POP_DELETE, &value))),
            (tag::POP_RETR_SEEN, self.pop_retr_seen.map(u8::from)),
            (tag::MAIN_PASSWORD, self.main_password.map(|value| number(&MAIN_PASSWORD, &value))),
        ] {
            put(tag, octet(value).as_ref().map(<[u8; 1]>::as_slice));
        }
        for (tag, value) in [
            (tag::TRASH_DAYS, self.trash_days),
            (tag::JUNK_DAYS, self.junk_days),
            (tag::UNDELETE_DAYS, self.undelete_days),
            (tag::POP_HIDE_DAYS, self.pop_hide_days),
            (tag::POP_RELEASE_DAYS, self.pop_release_days),
        ] {
            put(tag, days(value).as_ref().map(<[u8; 4]>::as_slice));
        }
        let pairs = self.mailbox_days.iter().flat_map(|(mailbox, days)| [mailbox.0.to_be_bytes(), days.to_be_bytes()]);
        let pairs: Vec<u8> = pairs.flatten().collect();
        put(tag::MAILBOX_DAYS, Some(pairs.as_slice()).filter(|pairs| !pairs.is_empty()));
        for (tag, value) in &self.unknown {
            put(*tag, Some(value));
        }
        out
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut list = Fields::new(value, table::SETTINGS);
        let mut settings = Self::default();
        while !list.rest().is_empty() {
            let (tag, len) = (list.u8()?, usize::from(list.u16()?));
            let mut fields = Fields::new(list.take(len)?, table::SETTINGS);
            match tag {
                tag::QUOTA_BYTES => settings.quota_bytes = Some(fields.u64()?),
                tag::QUOTA_MESSAGES => settings.quota_messages = Some(fields.u64()?),
                tag::OVER_QUOTA => settings.over_quota = Some(choice(&OVER_QUOTA, fields.u8()?)?),
                tag::WARNED => settings.warned = Some(fields.u8()?),
                tag::TRASH_DAYS => settings.trash_days = Some(fields.u32()?),
                tag::JUNK_DAYS => settings.junk_days = Some(fields.u32()?),
                tag::UNDELETE_DAYS => settings.undelete_days = Some(fields.u32()?),
                tag::POP_DELETE => settings.pop_delete = Some(choice(&POP_DELETE, fields.u8()?)?),
                tag::POP_HIDE_DAYS => settings.pop_hide_days = Some(fields.u32()?),
                tag::POP_RETR_SEEN => settings.pop_retr_seen = Some(fields.u8()? != 0),
                tag::POP_RELEASE_DAYS => settings.pop_release_days = Some(fields.u32()?),
                tag::MAIN_PASSWORD => settings.main_password = Some(choice(&MAIN_PASSWORD, fields.u8()?)?),
                tag::MAILBOX_DAYS => {
                    while !fields.rest().is_empty() {
                        settings.mailbox_days.insert(MailboxId(fields.u32()?), fields.u32()?);
                    }
                }
                _ => settings.unknown.push((tag, fields.take(len)?.to_vec())),
            }
            fields.end()?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_come_out_as_they_went_in() {
        let settings = Settings {
            quota_bytes: Some(u64::MAX),
            quota_messages: Some(0),
            over_quota: Some(OverQuota::Bounce),
            warned: Some(95),
            trash_days: Some(0),
            junk_days: Some(30),
            mailbox_days: BTreeMap::from([(MailboxId(7), 14), (MailboxId(9), 0)]),
            undelete_days: Some(7),
            pop_delete: Some(PopDelete::Expunge),
            pop_hide_days: Some(14),
            pop_retr_seen: Some(false),
            pop_release_days: Some(u32::MAX),
            main_password: Some(MainPassword::Off),
            unknown: vec![(200, b"of a later version".to_vec())],
        };
        assert_eq!(Settings::decode(&settings.encode()).unwrap(), settings);
        assert!(Settings::decode(&[]).unwrap().is_default());
        for end in 0..settings.encode().len() {
            // A cut between two settings is a shorter list; every other one is noticed. None panics.
            let _ = Settings::decode(&settings.encode()[..end]);
        }
        assert!(Settings::decode(&[tag::OVER_QUOTA, 0, 1, 2]).is_err());
        assert!(Settings::decode(&[tag::WARNED, 0, 2, 2, 2]).is_err());
        assert!(Settings::decode(&[tag::MAILBOX_DAYS, 0, 5, 0, 0, 0, 7, 1]).is_err());
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(settings) = Settings::decode(&octets) {
                prop_assert_eq!(Settings::decode(&settings.encode()).unwrap(), settings);
            }
        }
    }
}
