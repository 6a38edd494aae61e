//! What an account may hold, and what it holds: exact, in the transaction that changes it, without counting.
//!
//! Usage is the sum of RFC822.SIZE over all messages of the account but for our own notices. Invariant: moving,
//! changing flags and expunging are never refused, or a full account could not be emptied.

use super::list::NAMES_MAX;
use super::{Account, Core, Error};
use crate::store::hidden::HiddenAt;
use crate::store::schema::{AccountState, MailboxState, OriginId};
use crate::store::txn::Tx;
use crate::store::view::View;
use crate::store::{self, OverQuota, Refusal};
use crate::types::{AccountId, Door, DoorKind, MailboxId, SpecialUse, SystemFlags};

/// What accounts may hold where their settings do not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaRules {
    /// Octets; None: no limit.
    pub bytes: Option<u64>,
    /// Messages; None: no limit.
    pub messages: Option<u64>,
    /// What happens to mail that comes while an account is full.
    pub over: OverQuota,
    /// Octets by which the last message that is delivered may cross the limit; a tenth of the limit at most.
    pub grace: u64,
}

/// What an account holds and may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Octets of all messages that count.
    pub bytes: u64,
    /// How many messages count.
    pub messages: u64,
    /// How many mailboxes there are.
    pub mailboxes: u32,
    /// None: no limit.
    pub bytes_limit: Option<u64>,
    /// None: no limit.
    pub messages_limit: Option<u64>,
    /// What happens to mail that comes while the account is full.
    pub over: OverQuota,
}

/// By how much a limit may be crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slack {
    /// Not at all.
    None,
    /// By the last message, a little.
    Grace,
    /// Room to copy into \Trash: a tenth of the limit.
    Headroom,
    /// By anything: the operator and our own rules know what they do.
    Any,
}

impl Slack {
    pub(super) const fn of(door: &Door) -> Self {
        match door.kind {
            DoorKind::Lmtp | DoorKind::Deliver => Self::Grace,
            DoorKind::Cli | DoorKind::Policy => Self::Any,
            DoorKind::Unknown | DoorKind::Imap | DoorKind::Pop3 => Self::None,
        }
    }
}

/// How much of a limit is used, in percent; 0 where there is none.
fn share(usage: u64, limit: Option<u64>) -> u64 {
    let parts = |limit: u64| u128::from(usage) * 100 / u128::from(limit.max(1));
    limit.map_or(0, |limit| u64::try_from(parts(limit)).unwrap_or(u64::MAX))
}

impl Quota {
    /// Limit: mailboxes of an account, whatever its settings.
    pub const MAILBOXES_MAX: u64 = NAMES_MAX as u64;

    pub(super) fn of(view: &View<'_>, rules: &QuotaRules, account: AccountId) -> Result<Self, store::Error> {
        let state = view.account_state(account)?.ok_or(Refusal::NotFound)?;
        let settings = view.settings(account)?;
        let limit = |own: Option<u64>, rule: Option<u64>| match own {
            Some(u64::MAX) => None,
            Some(own) => Some(own),
            None => rule,
        };
        Ok(Self {
            bytes: state.bytes.saturating_sub(state.notice_bytes),
            messages: state.messages.saturating_sub(state.notices),
            mailboxes: state.mailboxes,
            bytes_limit: limit(settings.quota_bytes, rules.bytes),
            messages_limit: limit(settings.quota_messages, rules.messages),
            over: settings.over_quota.unwrap_or(rules.over),
        })
    }

    /// Octets that still fit; None: no limit.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        self.bytes_limit.map(|limit| limit.saturating_sub(self.bytes))
    }

    /// Whether it holds more than it may.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let over = |usage, limit: Option<u64>| limit.is_some_and(|limit| usage > limit);
        over(self.bytes, self.bytes_limit) || over(self.messages, self.messages_limit)
    }

    /// How full it is in percent, by whichever limit is nearer; 0 where there is none.
    #[must_use]
    pub fn percent(&self) -> u64 {
        share(self.bytes, self.bytes_limit).max(share(self.messages, self.messages_limit))
    }

    /// Whether the limit of messages is nearer than that of octets.
    #[must_use]
    pub fn messages_are_nearer(&self) -> bool {
        self.messages_limit.is_some()
            && (self.bytes_limit.is_none()
                || share(self.messages, self.messages_limit) > share(self.bytes, self.bytes_limit))
    }

    /// Whether so many messages of so many octets together may come.
    fn admits(&self, slack: Slack, grace: u64, (messages, bytes): (u64, u64)) -> bool {
        let extra = |limit: u64, bound: u64| match slack {
            Slack::Headroom => limit / 10,
            Slack::Grace => bound.min(limit / 10),
            Slack::None | Slack::Any => 0,
        };
        let bytes_fit = self.bytes_limit.is_none_or(|limit| {
            let after = self.bytes.saturating_add(bytes);
            // An account that is full takes no last message: one has crossed the limit already.
            after <= limit
                || (self.bytes < limit && after <= limit.saturating_add(extra(limit, grace)))
                || (slack == Slack::Headroom && after <= limit.saturating_add(limit / 10))
        });
        let messages_fit = self.messages_limit.is_none_or(|limit| {
            let room = if slack == Slack::Headroom { limit / 10 } else { 0 };
            self.messages.saturating_add(messages) <= limit.saturating_add(room)
        });
        slack == Slack::Any || (bytes_fit && messages_fit)
    }

    /// What is to happen to a message that does not fit: one that is larger than all of the quota never will.
    fn refusal(&self, grace: u64, bytes: u64) -> OverQuota {
        let most = self.bytes_limit.map_or(u64::MAX, |limit| limit.saturating_add(grace.min(limit / 10)));
        if bytes > most { OverQuota::Bounce } else { self.over }
    }
}

/// Refuses what the account's quota does not hold.
pub(super) fn admit(
    view: &View<'_>,
    rules: &QuotaRules,
    account: AccountId,
    slack: Slack,
    size: (u64, u64),
) -> Result<(), store::Error> {
    let quota = Quota::of(view, rules, account)?;
    if quota.admits(slack, rules.grace, size) {
        return Ok(());
    }
    Err(Refusal::OverQuota(quota.refusal(rules.grace, size.1)).into())
}

/// The number rounded down to its first three binary digits: what is free on a disk changes all the time, and clients
/// need not hear of every page.
fn coarse(number: u64) -> u64 {
    let unit = 1_u64 << number.checked_ilog2().unwrap_or(0).saturating_sub(2);
    number / unit * unit
}

/// What a recount found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recounted {
    /// Octets of all messages.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Mailboxes whose counters were wrong, and are right now.
    pub repaired: Vec<String>,
    /// Whether the account's own sum was right.
    pub sum_was_right: bool,
}

/// Counts the rows of one mailbox; the counters as they should be, and notices with their octets.
fn count(view: &View<'_>, id: MailboxId, state: &MailboxState) -> Result<(MailboxState, u64, u64), store::Error> {
    let mut counted =
        MailboxState { messages: 0, unseen: 0, deleted: 0, recent: 0, bytes: 0, deleted_bytes: 0, ..state.clone() };
    let (mut notices, mut notice_bytes) = (0, 0);
    view.rows(id, 1, u32::MAX, |uid, row| {
        counted.messages += 1;
        counted.bytes += row.size;
        counted.unseen += u32::from(!row.flags.contains(SystemFlags::SEEN));
        counted.recent += u32::from(uid.0 >= state.first_recent);
        if row.flags.contains(SystemFlags::DELETED) {
            counted.deleted += 1;
            counted.deleted_bytes += row.size;
        }
        if row.origin == OriginId::NOTICE {
            notices += 1;
            notice_bytes += row.size;
        }
        Ok(true)
    })?;
    Ok((counted, notices, notice_bytes))
}

fn recount(tx: &mut Tx<'_>, account: AccountId) -> Result<Recounted, store::Error> {
    let stored = tx.view().account_state(account)?.ok_or(Refusal::NotFound)?;
    let mut sum =
        AccountState { messages: 0, bytes: 0, mailboxes: 0, notices: 0, notice_bytes: 0, hidden: 0, hidden_bytes: 0 };
    tx.view().hidden(account, HiddenAt::from(0), |_, hidden| {
        sum.hidden += 1;
        sum.hidden_bytes += hidden.row.size;
        Ok(true)
    })?;
    let mut repaired = Vec::new();
    for (name, entry) in tx.view().mailbox_entries(account, "")? {
        let Some(id) = entry.mailbox else { continue };
        let state = tx.view().mailbox_state(id)?.ok_or(store::Error::Corrupt("state"))?;
        let (counted, notices, notice_bytes) = count(&tx.view(), id, &state)?;
        sum.mailboxes += 1;
        sum.messages += u64::from(counted.messages);
        sum.bytes += counted.bytes;
        sum.notices += notices;
        sum.notice_bytes += notice_bytes;
        if counted != state {
            tx.put_mailbox_state(id, &counted)?;
            repaired.push(name);
        }
    }
    let sum_was_right = sum == stored;
    if !sum_was_right {
        tx.put_account_state(account, &sum)?;
    }
    let (bytes, messages) = (sum.bytes - sum.notice_bytes, sum.messages - sum.notices);
    Ok(Recounted { bytes, messages, repaired, sum_was_right })
}

impl Core {
    /// What an account holds and may hold.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn quota(&self, account: AccountId) -> Result<Quota, Error> {
        let rules = self.quota_rules();
        Ok(self.store.read(|view| Quota::of(view, &rules, account))?)
    }

    /// Whether a message of so many octets (0: not known yet) could be delivered now. The delivery looks again.
    ///
    /// # Errors
    /// `OverQuota`, `NotFound`, `Temporary`.
    pub fn check_delivery(&self, account: AccountId, bytes: u64) -> Result<(), Error> {
        let rules = self.quota_rules();
        Ok(self.store.read(|view| admit(view, &rules, account, Slack::Grace, (1, bytes)))?)
    }

    /// Counts all messages of an account and puts its counters right where they are wrong.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub async fn recount(&self, account: AccountId) -> Result<Recounted, Error> {
        Ok(self.store.write(move |tx| recount(tx, account)).await?)
    }
}

impl Account {
    /// What the account holds and may hold.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn quota(&self) -> Result<Quota, Error> {
        self.core.quota(self.id)
    }

    /// Whether so many messages of so many octets together could be appended now. The append looks again.
    ///
    /// # Errors
    /// `OverQuota`, `Temporary`.
    pub fn check_append(&self, size: (u64, u64)) -> Result<(), Error> {
        let rules = self.core.quota_rules();
        Ok(self.core.store.read(|view| admit(view, &rules, self.id, Slack::of(&self.door), size))?)
    }

    /// Octets of the largest message that can be appended now.
    #[must_use]
    pub fn append_limit(&self) -> u64 {
        let configured = self.core.max_message_size();
        let Ok(quota) = self.quota() else { return configured };
        let room = if quota.messages_limit.is_some_and(|limit| quota.messages >= limit) { Some(0) } else { None };
        let disk = coarse(self.core.store.room().unwrap_or(u64::MAX));
        configured.min(disk).min(room.or(quota.free_bytes()).unwrap_or(u64::MAX))
    }

    /// Sets the limits, as SETQUOTA does (RFC 9208 §4.1.3): None is no limit.
    ///
    /// # Errors
    /// `Temporary`.
    pub async fn set_limits(&self, bytes: Option<u64>, messages: Option<u64>) -> Result<(), Error> {
        let change = move |settings: &mut store::Settings| {
            settings.quota_bytes = Some(bytes.unwrap_or(u64::MAX));
            settings.quota_messages = Some(messages.unwrap_or(u64::MAX));
        };
        self.core.change_settings(self.id, change).await.map(drop)
    }

    /// The name of the account's mailbox of that special use.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn special(&self, special_use: SpecialUse) -> Result<Option<String>, Error> {
        let entries = self.core.store.read(|view| view.mailbox_entries(self.id, ""))?;
        Ok(entries.into_iter().find(|(_, entry)| entry.special_use == Some(special_use)).map(|(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(bytes: u64, limit: Option<u64>) -> Quota {
        Quota { bytes, messages: 5, mailboxes: 6, bytes_limit: limit, messages_limit: Some(10), over: OverQuota::Defer }
    }

    #[test]
    fn what_fits_is_admitted() {
        let half = quota(500, Some(1000));
        for (slack, bytes, fits) in [
            (Slack::None, 500, true),
            (Slack::None, 501, false),
            (Slack::Grace, 550, true),
            (Slack::Grace, 551, false),
            (Slack::Headroom, 600, true),
            (Slack::Headroom, 601, false),
            (Slack::Any, u64::MAX, true),
        ] {
            assert_eq!(half.admits(slack, 50, (1, bytes)), fits, "{slack:?} {bytes}");
        }
        // The grace is for one message, and never more than a tenth.
        assert!(!quota(1000, Some(1000)).admits(Slack::Grace, 50, (1, 1)));
        assert!(!half.admits(Slack::Grace, 5_000, (1, 601)));
        assert!(quota(1000, Some(1000)).admits(Slack::Headroom, 50, (1, 100)));
        assert!(half.admits(Slack::None, 0, (5, 0)) && !half.admits(Slack::None, 0, (6, 0)));
        assert!(quota(u64::MAX, None).admits(Slack::None, 0, (1, u64::MAX)));
        assert!(!quota(0, Some(0)).admits(Slack::Grace, 50, (1, 1)));
        assert!(!quota(u64::MAX, Some(u64::MAX - 1)).admits(Slack::Grace, u64::MAX, (1, u64::MAX)));
    }

    #[test]
    fn room_is_told_roughly_and_never_too_high() {
        for (exact, told) in [(0, 0), (1, 1), (7, 7), (9, 8), (62_906_368, 58_720_256), (u64::MAX, 7 << 61)] {
            assert_eq!(coarse(exact), told);
        }
    }

    #[test]
    fn figures_of_any_size_are_told() {
        assert_eq!(quota(500, Some(1000)).percent(), 50);
        assert_eq!((quota(0, None).percent(), quota(999, Some(1000)).percent()), (50, 99));
        assert_eq!(quota(u64::MAX, Some(1)).percent(), u64::MAX);
        assert_eq!(quota(7, Some(0)).percent(), 700);
        assert_eq!(quota(1500, Some(1000)).free_bytes(), Some(0));
        assert!(quota(1001, Some(1000)).is_over() && !quota(1000, Some(1000)).is_over());
        assert_eq!(quota(0, Some(1000)).refusal(50, 1051), OverQuota::Bounce);
        assert_eq!(quota(900, Some(1000)).refusal(50, 1000), OverQuota::Defer);
    }
}
