//! Warnings that an account fills up: what fills it, what goes by itself, and how long it will last.
//!
//! Each level is told once, when usage crosses it, and again only after usage was below [`REARM`]. The warning is a
//! message in INBOX that no quota counts, an alert to the sessions that have a mailbox open, and a line in the log.

use super::{Core, Error, Quota, trace};
use crate::store;
use crate::store::schema::OriginId;
use crate::types::{AccountId, DateTime, Uid};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};

/// Percentages at which the user is warned.
const LEVELS: [u8; 4] = [80, 90, 95, 100];
/// Below this percentage all levels are told again.
const REARM: u64 = 75;
/// Limit: rows read at a time.
const ROWS: usize = 256;
/// Limit: senders that are counted; later ones are left out, and a household has fewer.
const SENDERS_MAX: usize = 10_000;
/// How many mailboxes and senders are told.
const TOLD: usize = 5;
/// Days over which the present rate is measured.
const RATE_DAYS: i64 = 30;
const DAY: i64 = 86_400;

/// What fills an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The largest mailboxes: name, messages, octets.
    pub mailboxes: Vec<(String, u64, u64)>,
    /// The senders with the most octets: address, messages, octets.
    pub senders: Vec<(String, u64, u64)>,
    /// Mail that goes by itself: mailbox, octets, after how many days, and when the last of what is there now goes.
    pub expiring: Vec<(String, u64, u32, i64)>,
    /// Messages in INBOX that POP3 clients fetched and left there, and their octets.
    pub fetched: (u64, u64),
    /// Octets that came in the last days, and how many days these are.
    pub recent: (u64, i64),
    /// Messages that came in those days.
    pub recent_messages: u64,
}

/// Alerts and accounts to look at; nothing of it is stored.
#[derive(Default)]
pub(super) struct Attention {
    accounts: std::sync::Mutex<BTreeSet<AccountId>>,
    alerts: std::sync::Mutex<HashMap<AccountId, (u64, Arc<str>)>>,
    event: event_listener::Event,
}

/// The highest level that usage has reached; 0: none.
fn level(quota: &Quota) -> u8 {
    let percent = quota.percent();
    LEVELS.iter().rev().find(|level| percent >= u64::from(**level)).copied().unwrap_or(0)
}

impl Core {
    /// Notes that the account's usage has changed; whether a warning may be due.
    pub(super) fn usage_changed(&self, account: AccountId) {
        let rules = self.quota_rules();
        let due = self.store.read(|view| {
            let quota = Quota::of(view, &rules, account)?;
            let warned = view.settings(account)?.warned.unwrap_or(0);
            Ok(level(&quota) > warned || (warned > 0 && quota.percent() < REARM))
        });
        // What cannot be read now is looked at with the next change.
        if due.unwrap_or(false) {
            self.attention.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(account);
            self.attention.event.notify(usize::MAX);
        }
    }

    /// Completes when an account may have to be warned.
    pub async fn attention(&self) {
        let listener = self.attention.event.listen();
        if self.attention.accounts.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            listener.await;
        }
    }

    /// Warns whom it concerns.
    pub async fn warn(&self) {
        loop {
            let next = self.attention.accounts.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            let Some(account) = next else { return };
            if let Err(error) = self.warn_one(account).await {
                log::error!("account {}: the quota warning was not delivered: {error:?}", account.0);
            }
        }
    }

    async fn warn_one(&self, account: AccountId) -> Result<(), Error> {
        let (quota, settings) = (self.quota(account)?, self.settings(account)?);
        let (level, warned) = (level(&quota), settings.warned.unwrap_or(0));
        if warned > 0 && quota.percent() < REARM {
            self.change_settings(account, |settings| settings.warned = None).await?;
            return Ok(());
        }
        if level <= warned {
            return Ok(());
        }
        let name = self.store.read(|view| view.user(account))?.ok_or(Error::NotFound)?.name;
        let usage = self.usage(account).await?;
        let headline = headline(&quota, level);
        let report = report(&quota, &usage, self.now());
        let text = message(&name, self.hostname(), &headline, &report, self.now());
        log::warn!("quota: user={name} percent={} bytes={} of={:?}", quota.percent(), quota.bytes, quota.bytes_limit);
        // First the alert, so that a session which wakes for the message has both to tell.
        self.raise(account, &headline);
        self.deliver_notice(account, text.as_bytes(), level).await
    }

    fn raise(&self, account: AccountId, text: &str) {
        let mut alerts = self.attention.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let number = alerts.get(&account).map_or(0, |(number, _)| *number);
        alerts.insert(account, (number + 1, Arc::from(text)));
    }

    /// The newest alert of an account and its number; 0: there is none.
    pub(super) fn alert(&self, account: AccountId) -> (u64, Option<Arc<str>>) {
        let alerts = self.attention.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.get(&account).map_or((0, None), |(number, text)| (*number, Some(text.clone())))
    }

    /// What fills an account. Reads every message's row and sender, in short steps.
    ///
    /// # Errors
    /// `NotFound`, `Temporary`.
    pub async fn usage(&self, account: AccountId) -> Result<Usage, Error> {
        self.settle().await?;
        let (now, rules) = (self.now(), self.retention_rules());
        let (entries, rules, own) = self.store.read(|view| {
            let own = view.settings(account)?.mailbox_days;
            Ok((view.mailbox_entries(account, "")?, rules.of(view, account)?, own))
        })?;
        let mut usage = Usage::default();
        let mut senders: HashMap<String, (u64, u64)> = HashMap::new();
        let mut oldest = now;
        for (name, entry) in entries {
            let Some(mailbox) = entry.mailbox else { continue };
            // Not the mailbox's own counters: our notices are in these, and count for no quota.
            let (mut messages, mut bytes) = (0_u64, 0_u64);
            let (mut from, mut newest) = (Some(Uid(1)), 0);
            while let Some(first) = from {
                from = self.store.read(|view| {
                    let (mut rows, mut next) = (Vec::with_capacity(ROWS), None);
                    view.rows(mailbox, first.0, u32::MAX, |uid, row| {
                        if rows.len() == ROWS {
                            next = Some(uid);
                            return Ok(false);
                        }
                        rows.push(row);
                        Ok(true)
                    })?;
                    for row in rows.into_iter().filter(|row| row.origin != OriginId::NOTICE) {
                        (messages, bytes) = (messages + 1, bytes.saturating_add(row.size));
                        newest = newest.max(row.save_date);
                        oldest = oldest.min(row.internal_date.seconds);
                        if row.internal_date.seconds > now - RATE_DAYS * DAY {
                            usage.recent.0 = usage.recent.0.saturating_add(row.size);
                            usage.recent_messages += 1;
                        }
                        let fetched =
                            name == super::list::INBOX && !view.pop_state(account, row.instance)?.marks.is_empty();
                        if fetched {
                            usage.fetched = (usage.fetched.0 + 1, usage.fetched.1.saturating_add(row.size));
                        }
                        let sender = sender(view, row.content)?;
                        let known = senders.len();
                        match senders.get_mut(&sender) {
                            Some(sum) => *sum = (sum.0 + 1, sum.1.saturating_add(row.size)),
                            None if known < SENDERS_MAX => drop(senders.insert(sender, (1, row.size))),
                            None => {}
                        }
                    }
                    Ok::<_, store::Error>(next)
                })?;
                smol::future::yield_now().await;
            }
            let days = own.get(&mailbox).copied().unwrap_or_else(|| rules.days(entry.special_use));
            if days > 0 && messages > 0 {
                let gone = newest.saturating_add(i64::from(days) * DAY);
                usage.expiring.push((name.clone(), bytes, days, gone));
            }
            if messages > 0 {
                usage.mailboxes.push((name, messages, bytes));
            }
        }
        usage.recent.1 = ((now - oldest) / DAY).clamp(1, RATE_DAYS);
        usage.mailboxes.sort_by(|left, right| right.2.cmp(&left.2).then_with(|| left.0.cmp(&right.0)));
        usage.mailboxes.truncate(TOLD);
        usage.senders = senders.into_iter().map(|(name, (messages, bytes))| (name, messages, bytes)).collect();
        usage.senders.sort_by(|left, right| right.2.cmp(&left.2).then_with(|| left.0.cmp(&right.0)));
        usage.senders.truncate(TOLD);
        Ok(usage)
    }
}

/// The address in From, in lower case.
fn sender(view: &store::view::View<'_>, content: crate::types::ContentId) -> Result<String, store::Error> {
    let Some(content) = view.content(content)? else { return Ok(String::new()) };
    let Ok(record) = crate::message::Record::from_bytes(content.record) else { return Ok(String::new()) };
    let envelope = record.envelope();
    let address = envelope.from.into_iter().find(|address| address.mailbox.is_some());
    let part = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or_default()).to_lowercase();
    let text = address.map_or_else(
        || "without a sender".to_owned(),
        |address| format!("{}@{}", part(address.mailbox), part(address.host)),
    );
    // It goes into a text for people, whatever a sender wrote there.
    Ok(text.chars().filter(|c| !c.is_control()).take(80).collect())
}

fn headline(quota: &Quota, level: u8) -> String {
    let what = match (quota.bytes_limit, quota.messages_limit) {
        (_, Some(limit)) if quota.messages_are_nearer() => format!("{} of {limit} messages", quota.messages),
        (Some(limit), _) => format!("{} of {}", octets(quota.bytes), octets(limit)),
        (None, _) => octets(quota.bytes),
    };
    if level >= 100 {
        format!("Your mail is full ({what}): new mail is not taken until there is room")
    } else {
        format!("Your mail is {} % full ({what})", quota.percent())
    }
}

/// Octets with a unit, such as `12.3 MB`.
fn octets(octets: u64) -> String {
    let units = [(1_000_000_000_000_u64, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let unit = units.into_iter().find(|(factor, _)| octets >= *factor);
    unit.map_or_else(
        || format!("{octets} B"),
        |(factor, name)| format!("{}.{} {name}", octets / factor, octets % factor / (factor / 10)),
    )
}

fn day(seconds: i64) -> String {
    let moment = trace::local(DateTime { seconds, zone: 0 }).unwrap_or_default();
    moment.split(' ').next().unwrap_or_default().to_owned()
}

/// What fills the account, what goes by itself, and how long it will last; lines of text with LF.
#[must_use]
pub fn report(quota: &Quota, usage: &Usage, now: i64) -> String {
    let mut text = String::new();
    let list = |text: &mut String, heading: &str, lines: &[(String, u64, u64)]| {
        if !lines.is_empty() {
            let _ = writeln!(text, "{heading}:");
            for (name, messages, bytes) in lines {
                let name: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
                let _ = writeln!(text, "  {:>9}  {name} ({messages})", octets(*bytes));
            }
        }
    };
    list(&mut text, "The largest mailboxes", &usage.mailboxes);
    list(&mut text, "The senders of the most mail", &usage.senders);
    if usage.fetched.0 > 0 {
        let (messages, bytes) = usage.fetched;
        let _ = writeln!(text, "Fetched by POP3 and left on the server: {} ({messages}).", octets(bytes));
    }
    for (mailbox, bytes, days, gone) in &usage.expiring {
        let _ = writeln!(
            text,
            "What is in {mailbox} ({}) goes by itself after {days} days, the last of it on {}.",
            octets(*bytes),
            day(*gone)
        );
    }
    if let Some(line) = forecast(quota, usage, now) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// When it will be full, by whichever limit comes first; None where there is none.
fn forecast(quota: &Quota, usage: &Usage, now: i64) -> Option<String> {
    let days = usage.recent.1.max(1).unsigned_abs();
    let messages = usage.recent_messages;
    let of_messages = if messages >= days {
        format!("{} messages a day", messages / days)
    } else {
        format!("{messages} messages in {days} days")
    };
    let limits = [
        (quota.bytes_limit, quota.bytes, usage.recent.0, format!("{} a day", octets(usage.recent.0 / days))),
        (quota.messages_limit, quota.messages, messages, of_messages),
    ];
    let left = |(limit, used, recent, rate): (Option<u64>, u64, u64, String)| {
        let free = limit?.saturating_sub(used);
        // What does not grow lasts for ever, unless it is full already.
        let left = if recent == 0 && free > 0 {
            u128::MAX
        } else {
            u128::from(free) * u128::from(days) / u128::from(recent.max(1))
        };
        Some((free > 0, left, rate))
    };
    let (has_room, left, rate) = limits.into_iter().filter_map(left).min()?;
    Some(match i64::try_from(left) {
        _ if !has_room => "It is full now.".to_owned(),
        Ok(0) => format!("At the present rate ({rate}) it is full within a day."),
        Ok(left @ ..3650) => {
            let full = day(now.saturating_add(left.saturating_mul(DAY)));
            format!("At the present rate ({rate}) it is full in {left} days, on {full}.")
        }
        _ => "At the present rate it will last for years.".to_owned(),
    })
}

fn message(name: &str, hostname: &str, headline: &str, report: &str, now: i64) -> String {
    let date = trace::date_of(super::account::local_time(now));
    let id = trace::new_id();
    let body = format!(
        "{headline}.\n\n{report}\nTo make room, delete what you no longer need and empty the Trash. Moving and deleting\n\
         always work, even when the account is full. This message itself does not count.\n"
    );
    let head = format!(
        "From: mailnook <postmaster@{hostname}>\nTo: {name}@{hostname}\nSubject: {headline}\nDate: {date}\n\
         Message-ID: <{id}@{hostname}>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    );
    head + &body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OverQuota;

    const KIB: u64 = 1_000;

    fn quota(bytes: (u64, Option<u64>), messages: (u64, Option<u64>)) -> Quota {
        let (bytes, bytes_limit) = bytes;
        let (messages, messages_limit) = messages;
        Quota { bytes, bytes_limit, messages, messages_limit, mailboxes: 1, over: OverQuota::Defer }
    }

    #[test]
    fn the_limit_that_is_nearer_is_told() {
        for (bytes, messages, headline_80, last) in [
            ((50, Some(100)), (8, None), "50 % full (50.0 KB of 100.0 KB)", "(5.0 KB a day) it is full in 10 days"),
            (
                (1, Some(100)),
                (7, Some(8)),
                "87 % full (7 of 8 messages)",
                "(6 messages in 10 days) it is full in 1 days",
            ),
            (
                (90, Some(100)),
                (7, Some(8)),
                "90 % full (90.0 KB of 100.0 KB)",
                "(6 messages in 10 days) it is full in 1 days",
            ),
            (
                (99, Some(100)),
                (1, Some(1000)),
                "99 % full (99.0 KB of 100.0 KB)",
                "(5.0 KB a day) it is full within a day",
            ),
            ((1, Some(1_000_000)), (8, Some(8)), "100 % full (8 of 8 messages)", "It is full now."),
            ((100, Some(100)), (1, Some(8)), "100 % full (100.0 KB of 100.0 KB)", "It is full now."),
            ((1, None), (7, Some(8)), "87 % full (7 of 8 messages)", "(6 messages in 10 days) it is full in 1 days"),
            ((1, Some(1_000_000)), (1, Some(1_000_000)), "0 % full (1.0 KB of 1.0 GB)", "it will last for years."),
        ] {
            let quota = quota((bytes.0 * KIB, bytes.1.map(|limit: u64| limit * KIB)), messages);
            let usage = Usage { recent: (50 * KIB, 10), recent_messages: 6, ..Usage::default() };
            let said = headline(&quota, 80);
            assert_eq!(said, format!("Your mail is {headline_80}"));
            let text = report(&quota, &usage, 0);
            assert!(text.contains(last), "{said}: {text}");
            let full = headline(&quota, 100);
            let amount = headline_80.split_once('(').unwrap().1;
            assert_eq!(full, format!("Your mail is full ({amount}: new mail is not taken until there is room"));
        }
        let text = report(&quota((5, None), (5, None)), &Usage::default(), 0);
        assert_eq!(text, "");
        let still = report(&quota((5, Some(9)), (5, Some(9))), &Usage::default(), 0);
        assert_eq!(still, "At the present rate it will last for years.\n");
    }
}
