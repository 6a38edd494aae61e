//! Rules of an account for how long mail stays: in a mailbox, and once it is expunged. `retention` keeps to them.

use super::list::INBOX;
use super::name::canonical;
use super::{Core, Error};
use crate::store::txn::Tx;
use crate::store::{self, Refusal};
use crate::types::{AccountId, MailboxId};

/// Limit: mailboxes of an account with a rule of their own.
const RULES_MAX: usize = 1000;

/// How long mail stays in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The mailbox's name.
    pub mailbox: String,
    /// Days after which mail goes; 0: never.
    pub days: u32,
    /// Whether the account has this rule; else the configuration does.
    pub own: bool,
}

impl Expiry {
    /// Limit: days of a rule; more is a slip of the keyboard.
    pub const DAYS_MAX: u32 = 36_500;

    /// Whether the mailbox is the one that mail comes to, of which its owner may not think as of one that empties itself.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.mailbox == INBOX
    }
}

/// Takes the rule of a mailbox that is being deleted.
pub(super) fn forget(tx: &mut Tx<'_>, account: AccountId, mailbox: MailboxId) -> Result<(), store::Error> {
    let mut settings = tx.view().settings(account)?;
    if settings.mailbox_days.remove(&mailbox).is_some() {
        tx.put_settings(account, &settings)?;
    }
    Ok(())
}

/// Gives a mailbox its own rule, where the account has not too many.
pub(super) fn set_own(tx: &mut Tx<'_>, account: AccountId, mailbox: MailboxId, days: u32) -> Result<(), store::Error> {
    let mut settings = tx.view().settings(account)?;
    if settings.mailbox_days.len() < RULES_MAX {
        settings.mailbox_days.insert(mailbox, days);
        tx.put_settings(account, &settings)?;
    }
    Ok(())
}

impl Core {
    /// Sets after how many days mail goes from a mailbox (0: never), or takes its rule away. The rule stays with the mailbox
    /// where it is renamed, and goes with it.
    ///
    /// # Errors
    /// `NotFound` where there is no such account or mailbox, `Invalid` names, `Limit`, `Temporary`.
    pub async fn set_expiry(&self, account: AccountId, mailbox: &str, days: Option<u32>) -> Result<Expiry, Error> {
        let name = canonical(mailbox).map_err(store::Error::from)?;
        let (job, configured) = (name.clone(), self.retention_rules());
        let set = self.store.write(move |tx| {
            let view = tx.view();
            let entry = view.mailbox_entry(account, &job)?.and_then(|entry| Some((entry.mailbox?, entry.special_use)));
            let (mailbox, special_use) = entry.ok_or(Refusal::NotFound)?;
            let (mut settings, rules) = (view.settings(account)?, configured.of(&view, account)?);
            match days {
                Some(days) => settings.mailbox_days.insert(mailbox, days.min(Expiry::DAYS_MAX)),
                None => settings.mailbox_days.remove(&mailbox),
            };
            if settings.mailbox_days.len() > RULES_MAX {
                return Err(Refusal::Limit("the account has too many mailboxes with a rule of their own").into());
            }
            tx.put_settings(account, &settings)?;
            Ok::<_, store::Error>(days.unwrap_or_else(|| rules.days(special_use)))
        });
        let kept = set.await?;
        self.usage_changed(account);
        Ok(Expiry { mailbox: name, days: kept, own: days.is_some() })
    }

    /// The mailboxes of an account that have a rule, and for how many days expunged mail can be brought back.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn expiries(&self, account: AccountId) -> Result<(Vec<Expiry>, u32), Error> {
        let configured = self.retention_rules();
        Ok(self.store.read(|view| {
            view.user(account)?.ok_or(Refusal::NotFound)?;
            let (own, rules) = (view.settings(account)?.mailbox_days, configured.of(view, account)?);
            let mut found = Vec::new();
            for (mailbox, entry) in view.mailbox_entries(account, "")? {
                let Some(id) = entry.mailbox else { continue };
                let days = own.get(&id).copied();
                let (days, own) = (days.unwrap_or_else(|| rules.days(entry.special_use)), days.is_some());
                if days > 0 || own {
                    found.push(Expiry { mailbox, days, own });
                }
            }
            Ok((found, rules.undelete_days))
        })?)
    }
}
