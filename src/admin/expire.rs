//! `expire`: applies the rules now that the server applies by itself once an hour, or tells what they would do.

use super::call::{Call, Failure};
use super::{Context, exit, text};
use crate::mailbox::{PopDue, PopRule};

pub(super) async fn run(context: &Context, call: &mut Call<'_>, dry_run: bool) -> Result<u8, Failure> {
    let mut lines = String::new();
    for account in context.core.accounts()? {
        let due = context.core.pop_due(account.id).await?;
        lines.push_str(&told(&account.name, &due));
    }
    if !dry_run {
        context.core.upkeep().await?;
    }
    call.print(if lines.is_empty() { "nothing is due\n" } else { &lines }).await?;
    if dry_run && !lines.is_empty() {
        call.print("nothing was changed: --dry-run\n").await?;
    }
    Ok(exit::OK)
}

/// A line for each rule that has something to do.
fn told(user: &str, due: &[PopDue]) -> String {
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
            PopRule::Hidden(days) => format!("deleted by POP3 {} ago", text::count(u64::from(days), "day")),
            PopRule::Released(days) => {
                format!("fetched by all POP3 devices {} ago", text::count(u64::from(days), "day"))
            }
        };
        lines.push_str(&format!("{user}: {messages} ({octets}) from INBOX to the trash: {why}\n"));
    }
    lines
}
