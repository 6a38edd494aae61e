//! The only door to the store: accounts, addresses, and the handle that sessions work with.

use super::device::Presence;
use super::notify::Notify;
use super::quota::QuotaRules;
use super::retention::RetentionRules;
use super::warning::Attention;
use super::{Appended, Delivery, DeliveryTarget, Error, Staged, Watch, list};
use crate::store::schema::{AccountState, User, kind};
use crate::store::txn::Tx;
use crate::store::{self, Clock, KEY_TEXT_MAX, Password, Refusal, Room, Settings, Store, Topic};
use crate::types::{AccountId, DateTime, Door, Flags, MailboxId, PopPolicy, SpecialUse, a_labels};
use chrono::Offset as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Limit: messages taken out of a deleted mailbox in one transaction.
const DELETED_ROWS: usize = 500;
/// Limit: addresses of one account.
const ALIASES_MAX: usize = 1000;

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
    /// How POP3 and IMAP share a mailbox, where an account has no rules of its own.
    pub pop3: PopPolicy,
    /// Where the time comes from.
    pub clock: Clock,
    /// What accounts may hold where their settings do not say otherwise.
    pub quota: QuotaRules,
    /// How long mail is kept where their settings do not say otherwise.
    pub retention: RetentionRules,
    /// Our name, in messages that we write.
    pub hostname: String,
    /// How much room new mail leaves on the disk.
    pub room: Room,
}

impl Options {
    /// A store at `path`; all else as where nothing is configured.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            map_size: None,
            domains: Vec::new(),
            catch_all: None,
            max_message_size: 200_000_000,
            pop3: PopPolicy::default(),
            clock: Clock::system(),
            quota: QuotaRules::default(),
            retention: RetentionRules::default(),
            hostname: "localhost".to_owned(),
            room: Room::default(),
        }
    }
}

/// One per process: the store, the watchers, the rules of addresses.
pub struct Core {
    pub(super) store: Arc<Store>,
    notify: Arc<Notify>,
    pub(super) presence: Presence,
    pub(super) options: Options,
    pub(super) attention: Attention,
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

/// A moment in the zone of this machine.
pub(super) fn local_time(seconds: i64) -> DateTime {
    let utc = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let east = utc.with_timezone(&chrono::Local).offset().fix().local_minus_utc();
    DateTime { seconds, zone: i16::try_from(east / 60).unwrap_or(0) }
}

/// Refuses what cannot be an account name: it is a login name, a local part and a word on command lines.
fn check_account_name(name: &str) -> Result<(), Refusal> {
    let allowed = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"._-".contains(&octet);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(Refusal::Invalid("an account name has 1 to 64 of the characters a-z 0-9 . _ -"));
    }
    if name.starts_with(['.', '-']) || name.ends_with('.') || name.contains("..") {
        return Err(Refusal::Invalid("an account name cannot begin with . or -, end with . or have two dots together"));
    }
    Ok(())
}

/// Refuses what cannot be a further address; gives its stored form.
fn check_alias(alias: &str) -> Result<String, Refusal> {
    let alias = alias.to_lowercase();
    let (local, domain) =
        alias.rsplit_once('@').map_or((alias.as_str(), None), |(local, domain)| (local, Some(domain)));
    let plain = |text: &str| {
        !text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace() || "<>\"@,;:\\()".contains(character))
    };
    if alias.len() > KEY_TEXT_MAX {
        return Err(Refusal::Limit("the address is too long"));
    }
    if local.is_empty() || !plain(local) || domain.is_some_and(|domain| domain.is_empty() || !plain(domain)) {
        return Err(Refusal::Invalid(
            "an alias is a local part such as 'info', or an address such as 'info@example.org'",
        ));
    }
    if local.contains('+') {
        return Err(Refusal::Invalid("an alias cannot have a plus sign: what follows it names a mailbox"));
    }
    Ok(alias)
}

fn create_account(tx: &mut Tx<'_>, name: &str, password: Option<&Password>) -> Result<AccountId, store::Error> {
    if tx.view().address(name)?.is_some() {
        return Err(Refusal::Exists.into());
    }
    let id = tx.new_account()?;
    let (password_hash, scram) = password.cloned().map(|password| (password.hash, password.scram)).unwrap_or_default();
    let user = User { name: name.to_owned(), password_hash, aliases: Vec::new(), scram };
    tx.put_user(id, &user)?;
    tx.put_address(name, id)?;
    tx.put_account_state(id, &AccountState::default())?;
    list::put_new(tx, id, list::INBOX, None, true)?;
    for special_use in SpecialUse::ALL {
        list::put_new(tx, id, special_use.default_name(), Some(special_use), true)?;
    }
    Ok(id)
}

pub(super) fn find_user(tx: &Tx<'_>, name: &str) -> Result<(AccountId, User), store::Error> {
    let view = tx.view();
    let id = view.address(name)?.ok_or(Refusal::NotFound)?;
    let user = view.user(id)?.filter(|user| user.name == name).ok_or(Refusal::NotFound)?;
    Ok((id, user))
}

fn remove_account(tx: &mut Tx<'_>, name: &str) -> Result<AccountId, store::Error> {
    let (id, user) = find_user(tx, name)?;
    for (name, entry) in tx.view().mailbox_entries(id, "")? {
        if let Some(mailbox) = entry.mailbox {
            tx.add_garbage(kind::MAILBOX, u64::from(mailbox.0))?;
            tx.touch(id, mailbox);
        }
        tx.delete_mailbox_entry(id, &name)?;
    }
    for address in std::iter::once(&user.name).chain(&user.aliases) {
        tx.delete_address(address)?;
    }
    tx.delete_devices(id)?;
    for (mailbox, _) in tx.view().lost_of(id)? {
        tx.delete_lost(mailbox)?;
    }
    tx.delete_journal(id)?;
    tx.add_garbage(kind::ACCOUNT, u64::from(id.0))?;
    tx.delete_annotations(id, None)?;
    tx.delete_user(id)?;
    tx.put_settings(id, &Settings::default())?;
    tx.delete_account_state(id)?;
    Ok(id)
}

fn add_alias(tx: &mut Tx<'_>, name: &str, alias: &str) -> Result<(), store::Error> {
    let (id, mut user) = find_user(tx, name)?;
    if tx.view().address(alias)?.is_some() {
        return Err(Refusal::Exists.into());
    }
    if user.aliases.len() >= ALIASES_MAX {
        return Err(Refusal::Limit("the account has as many aliases as it can").into());
    }
    user.aliases.push(alias.to_owned());
    tx.put_user(id, &user)?;
    tx.put_address(alias, id)
}

fn remove_alias(tx: &mut Tx<'_>, name: &str, alias: &str) -> Result<(), store::Error> {
    let (id, mut user) = find_user(tx, name)?;
    let at = user.aliases.iter().position(|known| known == alias).ok_or(Refusal::NotFound)?;
    user.aliases.remove(at);
    tx.put_user(id, &user)?;
    tx.delete_address(alias)
}

impl Core {
    /// Opens (or makes) the store. Blocks.
    ///
    /// # Errors
    /// A text for the operator: foreign or newer store, no space, no permission.
    pub fn open(options: Options) -> Result<Arc<Self>, String> {
        let notify = Arc::new(Notify::default());
        let waker = notify.clone();
        let store = {
            let committed = move |topics: &[Topic]| waker.wake(topics);
            Store::open(&options.path, options.map_size, (options.clock.clone(), options.room.clone()), committed)?
        };
        Ok(Arc::new(Self { store, notify, presence: Presence::default(), options, attention: Attention::default() }))
    }

    /// Stops the writer after all queued work is durable. Blocks. Later writes fail with `Temporary`.
    pub fn close(&self) {
        self.write_uses();
        self.store.close();
    }

    pub(super) const fn max_message_size(&self) -> u64 {
        self.options.max_message_size
    }

    pub(super) fn hostname(&self) -> &str {
        &self.options.hostname
    }

    pub(super) const fn retention_rules(&self) -> RetentionRules {
        self.options.retention
    }

    pub(super) const fn quota_rules(&self) -> QuotaRules {
        self.options.quota
    }

    /// Makes an account with INBOX and the special-use mailboxes, all subscribed. Without a password nobody can log in.
    ///
    /// # Errors
    /// `Exists` where the name or alias is taken, `Invalid` names, `Temporary`.
    pub async fn create_account(&self, name: &str, password: Option<&Password>) -> Result<AccountId, Error> {
        let (name, password) = (name.to_ascii_lowercase(), password.cloned());
        check_account_name(&name)?;
        Ok(self.store.write(move |tx| create_account(tx, &name, password.as_ref())).await?)
    }

    /// Removes the account and all its mail, and ends its sessions.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub async fn remove_account(&self, name: &str) -> Result<(), Error> {
        let name = name.to_ascii_lowercase();
        let account = self.store.write(move |tx| remove_account(tx, &name)).await?;
        self.end_sessions(account);
        self.store.purge();
        Ok(())
    }

    /// Adds an address (local part, or local@domain) to an account.
    ///
    /// # Errors
    /// `NotFound`, `Exists` where somebody has it, `Invalid`, `Limit`, `Temporary`.
    pub async fn add_alias(&self, name: &str, alias: &str) -> Result<(), Error> {
        let (name, alias) = (name.to_ascii_lowercase(), check_alias(alias)?);
        Ok(self.store.write(move |tx| add_alias(tx, &name, &alias)).await?)
    }

    /// Removes an address from an account.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub async fn remove_alias(&self, name: &str, alias: &str) -> Result<(), Error> {
        let (name, alias) = (name.to_ascii_lowercase(), alias.to_lowercase());
        Ok(self.store.write(move |tx| remove_alias(tx, &name, &alias)).await?)
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn accounts(&self) -> Result<Vec<AccountInfo>, Error> {
        let mut accounts = self.store.read(|view| {
            let mut accounts = Vec::new();
            for (id, user) in view.users()? {
                let state = view.account_state(id)?.unwrap_or_default();
                accounts.push(AccountInfo {
                    id,
                    name: user.name,
                    aliases: user.aliases,
                    messages: state.messages,
                    bytes: state.bytes,
                    mailboxes: state.mailboxes,
                });
            }
            Ok(accounts)
        })?;
        accounts.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(accounts)
    }

    /// One account by name.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn account_info(&self, name: &str) -> Result<AccountInfo, Error> {
        let name = name.to_ascii_lowercase();
        self.accounts()?.into_iter().find(|account| account.name == name).ok_or(Error::NotFound)
    }

    /// The handle for a session of that account (after authentication).
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub fn account(self: &Arc<Self>, id: AccountId) -> Result<Account, Error> {
        let user = self.store.read(|view| view.user(id))?.ok_or(Error::NotFound)?;
        Ok(Account { core: self.clone(), id, name: user.name.into(), door: Door::UNKNOWN, read_only: false })
    }

    /// What the account has otherwise than the configuration says.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub fn settings(&self, id: AccountId) -> Result<Settings, Error> {
        Ok(self.store.read(|view| view.settings(id))?)
    }

    /// Changes an account's settings; durable when it returns. `change` may run again where another job failed.
    ///
    /// # Errors
    /// `NotFound` where there is no such account, `Temporary`.
    pub async fn change_settings(
        &self,
        id: AccountId,
        mut change: impl FnMut(&mut Settings) + Send + 'static,
    ) -> Result<Settings, Error> {
        let changed = self.store.write(move |tx| {
            if tx.view().user(id)?.is_none() {
                return Err(Refusal::NotFound.into());
            }
            let mut settings = tx.view().settings(id)?;
            change(&mut settings);
            tx.put_settings(id, &settings)?;
            Ok::<_, store::Error>(settings)
        });
        let changed = changed.await?;
        self.usage_changed(id);
        Ok(changed)
    }

    /// Seconds since 1970, as the store's clock tells it.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.store.clock().now()
    }

    /// Where mail for `address` (`local`, `local+detail`, with or without `@domain`, quotes allowed) goes.
    ///
    /// # Errors
    /// `NotFound` where nobody has it, `Denied` where the domain is not ours, `Temporary`, also as long as there are no
    /// accounts at all.
    pub fn resolve(&self, address: &str) -> Result<Recipient, Error> {
        let (local, domain) = address.rsplit_once('@').map_or((address, None), |(local, domain)| (local, Some(domain)));
        let ours = |domain: &str| {
            let domains = &self.options.domains;
            domains.is_empty() || domains.iter().any(|known| known == domain)
        };
        let local = unquote(local);
        let domain = domain.map(|domain| a_labels(domain.trim_end_matches('.')));
        let (name, detail) = match local.split_once('+') {
            Some((name, detail)) => (name.to_lowercase(), Some(detail.to_owned()).filter(|detail| !detail.is_empty())),
            None => (local.to_lowercase(), None),
        };
        self.store.read(|view| {
            let whole = domain.as_ref().map(|domain| view.address(&format!("{name}@{domain}"))).transpose()?.flatten();
            let ours = domain.as_deref().is_none_or(ours);
            let mut account = whole;
            if account.is_none() && ours {
                account = view.address(&name)?;
                if let (None, Some(catch_all)) = (account, &self.options.catch_all) {
                    account = view.address(&catch_all.to_lowercase())?;
                }
                // RFC 5321 §4.5.1: every domain has a postmaster; the first account gets that mail.
                if account.is_none() && name == "postmaster" {
                    account = view.users()?.into_iter().next().map(|(id, _)| id);
                }
            }
            let Some(account) = account else {
                // A store without anybody is as a rule one that was made because the disk with the mail is missing.
                let nobody = ours && view.users()?.is_empty();
                return Ok(Err(match (nobody, ours) {
                    (true, _) => Error::Temporary,
                    (_, true) => Error::NotFound,
                    (_, false) => Error::Denied,
                }));
            };
            let user = view.user(account)?.ok_or(Refusal::NotFound)?;
            Ok(Ok(Recipient { account, name: user.name, detail }))
        })?
    }

    /// The configured `catch_all` where no account has that name, so that it catches nothing.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn idle_catch_all(&self) -> Result<Option<String>, Error> {
        let Some(name) = &self.options.catch_all else { return Ok(None) };
        let found = self.store.read(|view| view.address(&name.to_lowercase()))?;
        Ok(found.is_none().then(|| name.clone()))
    }

    pub(super) fn store_arc(&self) -> Arc<Store> {
        self.store.clone()
    }

    /// The password store that `auth` reads and writes.
    #[must_use]
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Completes when the store has been read and its writer has come round; nothing is written.
    ///
    /// # Errors
    /// `Temporary` where the store fails.
    pub async fn pulse(&self) -> Result<(), Error> {
        self.store.identity()?;
        Ok(self.store.write_aside(|_| Ok(())).await?)
    }

    /// Takes the messages out of deleted mailboxes, which the writer does in the background: until then they are
    /// neither there nor among what can be brought back.
    ///
    /// # Errors
    /// `Temporary`.
    pub(crate) async fn settle_deleted(&self) -> Result<(), Error> {
        while self.store.read(|view| Ok::<_, store::Error>(view.deleted_mailbox()?.is_some()))? {
            self.store.write(|tx| store::purge::deleted_mailboxes(tx, DELETED_ROWS)).await?;
        }
        Ok(())
    }

    /// Completes when all is stored that POP3 sessions fetched, so that it can be read.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        match self.store.settle() {
            Some(commit) => Ok(commit.await?),
            None => Ok(()),
        }
    }

    /// The same for those who may block.
    pub(super) fn settle_blocking(&self) -> Result<(), Error> {
        self.store.settle().map_or(Ok(()), |commit| Ok(commit.wait()?))
    }

    /// Octets of mail that there is room for; 0: new mail is refused.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn room(&self) -> Result<u64, Error> {
        Ok(self.store.room()?)
    }

    /// Octets of the store's file and of the part in use.
    ///
    /// # Errors
    /// `Temporary` where the file cannot be read.
    pub fn store_size(&self) -> Result<(u64, u64), Error> {
        Ok(self.store.size()?)
    }

    /// The latest moment that is stored, in seconds since 1970; 0: none is.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn latest(&self) -> Result<i64, Error> {
        Ok(self.store.latest()?)
    }

    /// By how many seconds the clock is behind the latest mail; 0: it is not. New mail gets that later date until then.
    ///
    /// # Errors
    /// `Temporary`.
    pub fn clock_lag(&self) -> Result<i64, Error> {
        Ok(self.store.clock_lag()?)
    }

    /// Whether there is room for new mail.
    ///
    /// # Errors
    /// `NoRoom`, `Temporary`.
    pub fn check_room(&self) -> Result<(), Error> {
        Ok(self.store.check_room()?)
    }

    /// Reads everything and checks every invariant; each line of the answer is one finding. Blocks.
    ///
    /// # Errors
    /// `Temporary` where the store cannot be read at all.
    pub fn verify(&self) -> Result<Vec<String>, Error> {
        self.settle_blocking()?;
        Ok(self.store.check()?)
    }
}

/// A local part without its quotes (RFC 5321 §4.1.2 Quoted-string).
fn unquote(local: &str) -> String {
    match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => local.to_owned(),
        Some(inner) => {
            let mut out = String::with_capacity(inner.len());
            let mut characters = inner.chars();
            while let Some(character) = characters.next() {
                if character == '\\' { out.extend(characters.next()) } else { out.push(character) }
            }
            out
        }
    }
}

/// One user's mail.
#[derive(Clone)]
pub struct Account {
    pub(super) core: Arc<Core>,
    pub(super) id: AccountId,
    name: Arc<str>,
    read_only: bool,
    pub(super) door: Door,
}

impl Account {
    /// The same for a session that cannot change anything, where `read_only`.
    #[must_use]
    pub const fn restricted(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether nothing can be changed by this handle: every method that would is `Denied`.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Invariant: every method that changes something asks this first.
    ///
    /// # Errors
    /// `Denied` for a handle that can only read.
    pub const fn may_change(&self) -> Result<(), Error> {
        if self.read_only { Err(Error::Denied) } else { Ok(()) }
    }

    /// Its identifier.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same account for somebody who comes by that door: every change tells who made it.
    #[must_use]
    pub fn through(mut self, door: Door) -> Self {
        self.door = door;
        self
    }

    /// By which door its user came.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Stores a staged message.
    ///
    /// # Errors
    /// `NotFound` where there is no such mailbox (IMAP: `TRYCREATE`); `Invalid` keywords, `Limit`, `Temporary`.
    pub async fn append(
        &self,
        staged: Staged,
        mailbox: &str,
        flags: Flags,
        date: Option<DateTime>,
    ) -> Result<Appended, Error> {
        self.may_change()?;
        let target = DeliveryTarget::Mailbox(mailbox.to_owned());
        let delivery = Delivery { account: self.id, target, prefix: Vec::new(), flags, date, door: self.door };
        let mut made = self.core.deliver(staged, vec![delivery]).await?;
        made.pop().unwrap_or(Err(Error::Temporary))
    }

    /// Wakes when anything of the account may have changed: a mailbox, the names, the annotations.
    #[must_use]
    pub fn watch_all(&self) -> Watch {
        self.core.notify.watch_account(self.id)
    }

    /// The newest alert that a session has not told yet; `told` is the number of the last one that it has.
    pub fn alert(&self, told: &mut u64) -> Option<Arc<str>> {
        let (number, text) = self.core.alert(self.id);
        if number <= *told {
            return None;
        }
        *told = number;
        text
    }

    /// Wakes when the mailbox may have changed.
    #[must_use]
    pub fn watch(&self, mailbox: MailboxId) -> Watch {
        self.core.notify.watch(mailbox)
    }
}
