//! `user expire`: how long an account's mail is kept.

use super::call::{Call, Failure};
use super::user::{missing, printable, usage};
use super::{Context, exit, name, text};
use crate::mailbox::{Error, Expiry};
use std::fmt::Write as _;

/// Sets what is given, then shows all rules.
pub(super) async fn run(
    context: &Context,
    call: &mut Call<'_>,
    user: &str,
    (mailbox, wanted, deleted): (Option<&str>, &str, Option<&str>),
) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    let id = context.core.account_info(&user).map_err(|error| missing(&error, &user))?.id;
    if mailbox.is_some() && wanted.is_empty() {
        let most = Expiry::DAYS_MAX;
        return Err(usage(format!(
            "say for how many days: 1 to {most}, never or default; without MAILBOX all rules are shown"
        )));
    }
    let rule = mailbox.map(|mailbox| days(wanted, 1).map(|days| (mailbox, days))).transpose()?;
    let deleted = deleted.map(|given| days(given, 0)).transpose()?;
    if let Some((mailbox, days)) = rule {
        let set = context.core.set_expiry(id, mailbox, days).await.map_err(|error| refused(&error, &user, mailbox))?;
        log::info!("admin: user {user}: {}", sentence(&set));
        if set.is_inbox() && set.own && set.days > 0 {
            call.print("note: mail goes from INBOX whether somebody has read it or not\n").await?;
        }
    }
    if let Some(days) = deleted {
        let change = context.core.change_settings(id, move |settings| settings.undelete_days = days);
        change.await.map_err(|error| missing(&error, &user))?;
        log::info!("admin: how long expunged mail of user {user} is kept changed");
    }
    let (rules, undelete) = context.core.expiries(id).map_err(|error| missing(&error, &user))?;
    let mut told = format!("user: {user}\n");
    for rule in &rules {
        let _ = writeln!(told, "{}{}", sentence(rule), if rule.own { "" } else { " (as configured)" });
    }
    if rules.is_empty() {
        told += "no mail goes by its age\n";
    }
    let own = context.core.settings(id)?.undelete_days.is_some();
    let configured = if own { "" } else { " (as configured)" };
    let _ = match undelete {
        0 => writeln!(told, "expunged mail cannot be brought back{configured}"),
        n => writeln!(told, "expunged mail can be brought back for {}{configured}", text::count(n.into(), "day")),
    };
    call.print(&told).await?;
    Ok(exit::OK)
}

fn sentence(rule: &Expiry) -> String {
    let mailbox = printable(&rule.mailbox);
    match rule.days {
        0 => format!("mail stays in {mailbox}"),
        days => format!("mail goes from {mailbox} after {}", text::count(days.into(), "day")),
    }
}

/// A number of days from `least` on; None: as the configuration says.
fn days(given: &str, least: u32) -> Result<Option<u32>, Failure> {
    match given {
        "default" => Ok(None),
        "never" if least > 0 => Ok(Some(0)),
        number => {
            let days = number.parse().ok().filter(|days| (least..=Expiry::DAYS_MAX).contains(days));
            let never = if least > 0 { "never, " } else { "" };
            days.map(Some).ok_or_else(|| {
                let shown: String = number.chars().filter(|c| !c.is_control()).take(40).collect();
                usage(format!(
                    "{shown:?} is no number of days; write {least} to {}, {never}or default",
                    Expiry::DAYS_MAX
                ))
            })
        }
    }
}

fn refused(error: &Error, user: &str, mailbox: &str) -> Failure {
    match error {
        Error::NotFound => Failure::new(
            exit::CANNOT_CREATE,
            format!("{user} has no mailbox {}; `mailnook user show {user}` lists them", printable(mailbox)),
        ),
        Error::Invalid(why) | Error::Limit(why) => usage((*why).to_owned()),
        other => missing(other, user),
    }
}
