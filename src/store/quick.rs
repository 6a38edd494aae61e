//! A look at the store that takes moments whatever its size: its small tables, and the newest message of each mailbox.
//! [`super::check`] reads everything.

use super::Error;
use super::env::Environment;
use super::schema::AccountState;
use super::view::View;
use crate::message::Record;
use crate::types::{AccountId, MailboxId, Uid};

/// Limit: mailboxes whose newest message is read.
const MAILBOXES_MAX: usize = 1_000;

/// Limit: findings that are told; `verify` tells all.
const FINDINGS_MAX: usize = 10;

/// Octets of a newest message that are read.
const BODY_LOOK: usize = 64 << 10;

/// How the file is made and how much room is left in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Octets of a page; fixed when the store was made.
    pub page_size: u32,
    /// Octets of the file's pages, those that are free inside included.
    pub map_used: u64,
    /// Octets by which the file may still grow.
    pub map_left: u64,
    /// Octets of free pages inside.
    pub free_inside: u64,
}

impl Environment {
    pub(crate) fn layout(&self) -> Result<Layout, Error> {
        let (_, used) = self.size()?;
        let _pass = self.map.enter();
        let page_size = self.env.unnamed_database_stat().page_size;
        let map_used = (self.env.info().last_page_number as u64 + 1) * u64::from(page_size);
        Ok(Layout { page_size, map_used, map_left: self.map_free(), free_inside: map_used.saturating_sub(used) })
    }
}

/// One line for each finding; none: nothing is wrong as far as a quick look shows.
pub(crate) fn quick(view: &View<'_>) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    let mut mailboxes_left = MAILBOXES_MAX;
    for (account, user) in view.users()? {
        for address in std::iter::once(&user.name).chain(&user.aliases) {
            if view.address(address)? != Some(account) {
                findings.push(format!("user {}: address {address} does not lead to that user", user.name));
            }
        }
        let mut counted = AccountState::default();
        for (name, entry) in view.mailbox_entries(account, "")? {
            let Some(id) = entry.mailbox else { continue };
            counted.mailboxes += 1;
            match view.mailbox_state(id)?.filter(|state| state.account == account) {
                Some(state) => {
                    counted.messages += u64::from(state.messages);
                    counted.bytes += state.bytes;
                    if mailboxes_left > 0 && state.messages > 0 {
                        mailboxes_left -= 1;
                        let newest = newest(view, id, state.uid_next);
                        findings.extend(newest.err().map(|error| format!("user {}, {name}: {error}", user.name)));
                    }
                }
                None => findings.push(format!("user {}, {name}: the mailbox has no state", user.name)),
            }
        }
        if !agree(view, account, &counted)? {
            findings.push(format!("user {}: the counters of the account and of its mailboxes differ", user.name));
        }
        if findings.len() >= FINDINGS_MAX {
            findings.truncate(FINDINGS_MAX);
            break;
        }
    }
    Ok(findings)
}

fn agree(view: &View<'_>, account: AccountId, counted: &AccountState) -> Result<bool, Error> {
    let stored = view.account_state(account)?;
    Ok(stored.is_some_and(|stored| {
        (stored.messages, stored.bytes, stored.mailboxes) == (counted.messages, counted.bytes, counted.mailboxes)
    }))
}

/// Reads the newest message of a mailbox; every piece of it has a checksum.
fn newest(view: &View<'_>, mailbox: MailboxId, uid_next: u32) -> Result<(), String> {
    let told = |error: Error| format!("its newest message cannot be read: {error}");
    // The newest is right below UIDNEXT unless it was expunged; then the one before the gap is.
    let last = uid_next.saturating_sub(1);
    let gap = view.hole_at_or_before(mailbox, last).map_err(told)?;
    let uid = gap.filter(|(_, end)| *end >= last).map_or(last, |(first, _)| first.saturating_sub(1));
    let row = view.row(mailbox, Uid(uid)).map_err(told)?.ok_or("its newest message is missing")?;
    let content = view.content(row.content).map_err(told)?.ok_or("the content of its newest message is missing")?;
    let max = BODY_LOOK.min(usize::try_from(content.body_len).unwrap_or(BODY_LOOK));
    view.body(content.body, content.body_len, 0, max).map_err(told)?;
    Record::from_bytes(content.record).map(drop).map_err(|_| "the record of its newest message is damaged".to_owned())
}
