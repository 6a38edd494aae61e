//! `quota show|set|recount`.

use super::call::{Call, Failure};
use super::json::Json;
use super::user::{missing, usage};
use super::{Context, exit, name, text};
use crate::config::size_from;
use crate::mailbox::{AccountInfo, OverQuota, Quota, report};

/// Limit: a size or number beyond this is a slip of the keyboard; SETQUOTA cannot say more either (RFC 9208 §3.1.2).
const LIMIT_MAX: u64 = i64::MAX as u64;

/// One line for each account.
pub(super) async fn show(
    context: &Context,
    call: &mut Call<'_>,
    given: Option<&str>,
    json: bool,
) -> Result<u8, Failure> {
    let accounts = match given {
        None => context.core.accounts()?,
        Some(given) => vec![account(context, given)?],
    };
    let mut quotas = Vec::new();
    for account in accounts {
        // An account that is removed meanwhile is left out.
        if let Ok(quota) = context.core.quota(account.id) {
            quotas.push((account.name, quota));
        }
    }
    if json {
        call.print(&Json::List(quotas.iter().map(|(name, quota)| members(name, quota)).collect()).line()).await?;
        return Ok(exit::OK);
    }
    let rows: Vec<_> = std::iter::once(heading()).chain(quotas.iter().map(|(name, quota)| row(name, quota))).collect();
    call.print(&text::table(&rows)).await?;
    if let (Some(_), [(account, quota)]) = (given, quotas.as_slice()) {
        let account = context.core.account_info(account)?;
        let usage = context.core.usage(account.id).await?;
        let (messages, octets) = context.core.hidden(account.id)?;
        call.print(&format!("\n{}", report(quota, &usage, context.core.now()))).await?;
        if messages > 0 {
            let text =
                format!("Expunged, not counted, and kept for undelete: {} ({messages}).\n", text::octets(octets));
            call.print(&text).await?;
        }
    }
    Ok(exit::OK)
}

fn heading() -> Vec<String> {
    ["user", "used", "of", "messages", "of", "full", "mailboxes", "when full"].map(str::to_owned).to_vec()
}

fn row(name: &str, quota: &Quota) -> Vec<String> {
    let limit = |limit: Option<u64>, shown: fn(u64) -> String| limit.map_or_else(|| "no limit".to_owned(), shown);
    vec![
        name.to_owned(),
        text::octets(quota.bytes),
        limit(quota.bytes_limit, text::octets),
        quota.messages.to_string(),
        limit(quota.messages_limit, |number| number.to_string()),
        if quota.bytes_limit.or(quota.messages_limit).is_some() {
            format!("{} %", quota.percent())
        } else {
            String::new()
        },
        quota.mailboxes.to_string(),
        word(quota.over).to_owned(),
    ]
}

fn members(name: &str, quota: &Quota) -> Json {
    let limit = |limit: Option<u64>| limit.map_or(Json::Null, Json::Number);
    Json::Object(vec![
        ("user", Json::text(name)),
        ("bytes", Json::Number(quota.bytes)),
        ("bytes_limit", limit(quota.bytes_limit)),
        ("messages", Json::Number(quota.messages)),
        ("messages_limit", limit(quota.messages_limit)),
        ("percent", Json::Number(quota.percent())),
        ("mailboxes", Json::Number(quota.mailboxes.into())),
        ("over", Json::text(word(quota.over))),
    ])
}

const fn word(over: OverQuota) -> &'static str {
    match over {
        OverQuota::Defer => "defer",
        OverQuota::Bounce => "bounce",
    }
}

/// A new value of a setting: what the option said.
enum Value<T> {
    Keep,
    Default,
    Set(T),
}

impl<T: Copy> Value<T> {
    fn put(&self, place: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Default => *place = None,
            Self::Set(value) => *place = Some(*value),
        }
    }
}

fn value<T>(given: Option<&str>, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Value<T>, Failure> {
    match given.map(str::trim) {
        None => Ok(Value::Keep),
        Some(word) if word.eq_ignore_ascii_case("default") => Ok(Value::Default),
        Some(word) => read(word).map(Value::Set).map_err(usage),
    }
}

/// A limit: `none` is the highest number there is.
fn limit(option: &str, example: &str, word: &str, read: fn(&str) -> Option<u64>) -> Result<u64, String> {
    let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
    match read(word) {
        _ if word.eq_ignore_ascii_case("none") => Ok(u64::MAX),
        Some(0) => {
            Err(format!("--{option} 0 would refuse all mail; \"none\" is no limit, \"default\" the configured one"))
        }
        Some(number) if number > LIMIT_MAX => Err(format!("--{option} {shown} is too much; \"none\" is no limit")),
        Some(number) => Ok(number),
        None => Err(format!("--{option} takes {example}, none or default, and not {shown:?}")),
    }
}

pub(super) async fn set(
    context: &Context,
    call: &mut Call<'_>,
    given: &str,
    [bytes, messages, over]: [Option<&str>; 3],
) -> Result<u8, Failure> {
    if [bytes, messages, over].iter().all(Option::is_none) {
        return Err(usage("quota set needs --bytes, --messages or --over".to_owned()));
    }
    let bytes = value(bytes, |word| limit("bytes", "a size such as \"2 GB\"", word, size_from))?;
    let messages = value(messages, |word| limit("messages", "a number", word, |word| word.parse().ok()))?;
    let over = value(over, |word| match word {
        "defer" => Ok(OverQuota::Defer),
        "bounce" => Ok(OverQuota::Bounce),
        _ => Err("--over takes defer, bounce or default".to_owned()),
    })?;
    let account = account(context, given)?;
    let change = move |settings: &mut crate::mailbox::Settings| {
        bytes.put(&mut settings.quota_bytes);
        messages.put(&mut settings.quota_messages);
        over.put(&mut settings.over_quota);
    };
    context.core.change_settings(account.id, change).await.map_err(|error| missing(&error, &account.name))?;
    log::info!("admin: quota of user {} set", account.name);
    let quota = context.core.quota(account.id)?;
    if quota.is_over() {
        let text = format!("{} holds more than that; it takes no more mail until there is room\n", account.name);
        call.complain(&text).await?;
    }
    call.print(&text::table(&[heading(), row(&account.name, &quota)])).await?;
    if context.running.is_none() {
        context.core.warn().await;
    }
    Ok(exit::OK)
}

pub(super) async fn recount(context: &Context, call: &mut Call<'_>, given: &str) -> Result<u8, Failure> {
    let account = account(context, given)?;
    let counted = context.core.recount(account.id).await.map_err(|error| missing(&error, &account.name))?;
    let figures = format!("{}, {}", text::count(counted.messages, "message"), text::octets(counted.bytes));
    call.print(&format!("{}: {figures}\n", account.name)).await?;
    if counted.sum_was_right && counted.repaired.is_empty() {
        call.print("the stored figures were right\n").await?;
    } else {
        for mailbox in &counted.repaired {
            call.print(&format!("mailbox {mailbox:?} was counted wrong\n")).await?;
        }
        call.print("the stored figures were wrong and are right now; run `mailnook verify`\n").await?;
    }
    Ok(exit::OK)
}

fn account(context: &Context, given: &str) -> Result<AccountInfo, Failure> {
    let name = name::account(given).map_err(usage)?;
    context.core.account_info(&name).map_err(|error| missing(&error, &name))
}
