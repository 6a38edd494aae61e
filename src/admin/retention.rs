//! `expire` and `undelete`.

use super::call::{Call, Failure};
use super::rules::told;
use super::user::{missing, printable, usage};
use super::{Context, exit, name, text};
use crate::config::duration_from;
use crate::mailbox::{Error, Undelete};

/// Removes what is old, or tells what would go.
pub(super) async fn expire(context: &Context, call: &mut Call<'_>, dry_run: bool) -> Result<u8, Failure> {
    let verb = if dry_run { "would go" } else { "went" };
    let (mut moved, mut upkeep) = (String::new(), Ok(()));
    for account in context.core.accounts()? {
        let rules = if dry_run {
            context.core.pop_due(account.id).await
        } else {
            context.core.apply_pop_rules(account.id).await
        };
        match rules {
            Ok(messages) => {
                let place = context.core.pop_archive(account.id)?;
                moved += &told(&account.name, &messages, (verb, &printable(&place)));
            }
            Err(Error::NotFound) => {}
            // What one rule cannot do keeps no other from being done.
            Err(error) => upkeep = Err(error),
        }
    }
    call.print(&moved).await?;
    let swept = context.core.sweep(dry_run).await?;
    if swept.clock_is_behind {
        return Err(Failure::new(
            exit::TEMPORARY,
            "the machine's clock is behind the newest mail, so nothing is removed; set the clock, or say that it is right (mailnook trust-clock), then try again",
        ));
    }
    for ((user, mailbox), (messages, octets)) in &swept.expired {
        let figures = figures(*messages, *octets);
        call.print(&format!("{user}: {figures} {verb} from {}\n", printable(mailbox))).await?;
    }
    for (user, (messages, octets)) in &swept.removed {
        let figures = figures(*messages, *octets);
        call.print(&format!("{user}: {figures} that had been expunged {verb} for good\n")).await?;
    }
    upkeep?;
    if moved.is_empty() && swept.expired.is_empty() && swept.removed.is_empty() {
        call.print("nothing is old enough to go\n").await?;
    }
    Ok(exit::OK)
}

/// Brings mail back, or tells what would come.
pub(super) async fn undelete(
    context: &Context,
    call: &mut Call<'_>,
    (given, since): (&str, &str),
    mailbox: Option<String>,
    dry_run: bool,
) -> Result<u8, Failure> {
    if given.is_empty() || since.is_empty() {
        return Err(usage("undelete needs --user USER and --since TIME, such as --since 2h".to_owned()));
    }
    let name = name::account(given).map_err(usage)?;
    let seconds = duration_from(since).and_then(|seconds| i64::try_from(seconds).ok()).ok_or_else(|| {
        let shown: String = since.chars().filter(|c| !c.is_control()).take(40).collect();
        usage(format!("--since takes a duration such as \"2 h\" or 3d, and not {shown:?}"))
    })?;
    let account = context.core.account_info(&name).map_err(|error| missing(&error, &name))?;
    let since = context.core.now().saturating_sub(seconds);
    let request = Undelete { since, mailbox, dry_run };
    let back = context.core.undelete(account.id, &request).await.map_err(|error| match error {
        Error::Invalid(why) => usage(format!("--mailbox: {why}")),
        other => missing(&other, &name),
    })?;
    let verb = if dry_run { "would come back" } else { "came back" };
    for (mailbox, (messages, octets)) in &back {
        call.print(&format!("{} {verb} to {}\n", figures(*messages, *octets), printable(mailbox))).await?;
    }
    if back.is_empty() {
        call.print("there is nothing to bring back\n").await?;
    } else if !dry_run {
        log::info!("admin: mail of user {name} brought back");
    }
    // The server looks after this by itself where it runs.
    if context.running.is_none() {
        context.core.warn().await;
    }
    Ok(exit::OK)
}

fn figures(messages: u64, octets: u64) -> String {
    format!("{}, {},", text::count(messages, "message"), text::octets(octets))
}
