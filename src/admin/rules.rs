//! `user pop3` and `user main-password`: the rules of one account.

use super::call::{Call, Failure};
use super::user::{missing, printable, usage};
use super::{Context, exit, name, text};
use crate::mailbox::{MainPassword, PopDue, PopRule};
use crate::types::{PopDelete, PopPolicy};

/// What `user pop3` changes; None: it stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PopChange {
    /// Back to the configuration before all else.
    pub reset: bool,
    /// What DELE does.
    pub delete: Option<String>,
    /// Days until what a device deleted goes.
    pub hide_days: Option<String>,
    /// Days until what all devices have goes.
    pub release_days: Option<String>,
    /// Whether RETR sets \Seen.
    pub retr_seen: Option<String>,
}

pub(super) async fn pop3(context: &Context, call: &mut Call<'_>, user: &str, wish: PopChange) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    let id = context.core.account_info(&user).map_err(|error| missing(&error, &user))?.id;
    let delete = wish.delete.as_deref().map(delete).transpose()?;
    let (hide, release) = (days(wish.hide_days.as_deref())?, days(wish.release_days.as_deref())?);
    let seen = wish.retr_seen.as_deref().map(yes_or_no).transpose()?;
    if wish != PopChange::default() {
        let change = context.core.change_settings(id, move |settings| {
            if wish.reset {
                (settings.pop_delete, settings.pop_hide_days) = (None, None);
                (settings.pop_release_days, settings.pop_retr_seen) = (None, None);
            }
            settings.pop_delete = delete.or(settings.pop_delete);
            settings.pop_hide_days = hide.or(settings.pop_hide_days);
            settings.pop_release_days = release.or(settings.pop_release_days);
            settings.pop_retr_seen = seen.or(settings.pop_retr_seen);
        });
        change.await.map_err(|error| missing(&error, &user))?;
        log::info!("admin: POP3 rules of user {user} changed");
    }
    let place = printable(&context.core.pop_archive(id)?);
    call.print(&describe(&user, &context.core.pop_policy(id)?, &place)).await?;
    Ok(exit::OK)
}

/// The rules in words.
fn describe(user: &str, policy: &PopPolicy, place: &str) -> String {
    let days = |days: u32| text::count(u64::from(days), "day");
    let kept = match policy.hide_days {
        0 => "IMAP keeps it for good".to_owned(),
        n => {
            format!("IMAP keeps it for {} and until every other POP3 device has it; then it goes to {place}", days(n))
        }
    };
    let delete = match policy.delete {
        PopDelete::Hide => format!("hide: it is gone for the device that deleted it; {kept}"),
        PopDelete::Trash => format!("trash: it goes to {place} for everybody"),
        PopDelete::Expunge => "expunge: it goes at once for everybody".to_owned(),
    };
    let release = match policy.release_days {
        0 => "never: what POP3 fetched stays until somebody deletes it".to_owned(),
        n => format!("{} after the last POP3 device fetched it, it goes to {place}", days(n)),
    };
    let seen = if policy.retr_seen { "yes" } else { "no" };
    format!(
        "user: {user}\nwhat POP3 deletes: {delete}\nreleased: {release}\nfetching by POP3 marks as read for IMAP: {seen}\n"
    )
}

pub(super) async fn main_password(
    context: &Context,
    call: &mut Call<'_>,
    user: &str,
    scope: &str,
) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    let (scope, told) = match scope {
        "any" => (MainPassword::Everywhere, "is accepted from everywhere"),
        "lan" => {
            (MainPassword::Lan, "is accepted from this machine and the local network only; devices have their own")
        }
        "off" => (MainPassword::Off, "does not open mail any more; only the passwords of devices do"),
        other => return Err(usage(format!("{other:?} is none of any, lan and off"))),
    };
    let id = context.core.account_info(&user).map_err(|error| missing(&error, &user))?.id;
    let change = context.core.set_main_password_scope(id, scope);
    change.await.map_err(|error| missing(&error, &user))?;
    log::info!("admin: the main password of user {user} {told}");
    call.print(&format!("the main password of {user} {told}\n")).await?;
    Ok(exit::OK)
}

fn delete(given: &str) -> Result<PopDelete, Failure> {
    PopDelete::from_name(given).ok_or_else(|| usage(format!("{given:?} is none of trash, hide and expunge")))
}

fn days(given: Option<&str>) -> Result<Option<u32>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let number = given.parse().ok().filter(|days| *days <= PopPolicy::DAYS_MAX);
    let wanted = || usage(format!("{given:?} is no number of days; write 0 to {}, 0 for never", PopPolicy::DAYS_MAX));
    number.map(Some).ok_or_else(wanted)
}

fn yes_or_no(given: &str) -> Result<bool, Failure> {
    match given {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(usage(format!("{other:?} is neither yes nor no"))),
    }
}

/// A line for each rule of POP3 that has something to do.
pub(super) fn told(user: &str, due: &[PopDue], (verb, place): (&str, &str)) -> String {
    let mut lines = String::new();
    let mut rules: Vec<PopRule> = due.iter().map(|due| due.rule).collect();
    rules.dedup();
    rules.sort_by_key(|rule| matches!(rule, PopRule::Released(_)));
    rules.dedup();
    for rule in rules {
        let of_rule = || due.iter().filter(|due| due.rule == rule);
        let messages = text::count(u64::try_from(of_rule().count()).unwrap_or(u64::MAX), "message");
        let octets = text::octets(of_rule().map(|due| due.size).sum());
        let why = match rule {
            PopRule::Hidden(days) => format!("deleted by POP3 {} ago or more", text::count(u64::from(days), "day")),
            PopRule::Released(days) => {
                format!("fetched by all POP3 devices {} ago or more", text::count(u64::from(days), "day"))
            }
        };
        lines +=
            &[user, ": ", &messages, ", ", &octets, ", ", verb, " from INBOX to ", place, ": ", &why, "\n"].concat();
    }
    lines
}
