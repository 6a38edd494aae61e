//! `user add|list|show|passwd|alias|remove`.

use super::call::{Call, Failure};
use super::json::Json;
use super::{Context, exit, name, text, worker};
use crate::auth::{Cost, Login, Password, hash_password_with};
use crate::mailbox::{AccountInfo, Core, Error, ListEntry, Status};
use std::sync::Arc;

/// Makes an account whose name and password were checked.
///
/// # Errors
/// A text for the operator.
pub async fn create(core: &Core, name: &str, password: String, cost: &Arc<Cost>) -> Result<(), String> {
    match create_account(core, name, password, cost).await {
        Ok(()) => Ok(()),
        Err(Failure::Exit(_, text)) => Err(text),
        Err(Failure::Gone) => Err("the account could not be made".to_owned()),
    }
}

async fn create_account(core: &Core, name: &str, password: String, cost: &Arc<Cost>) -> Result<(), Failure> {
    let password = hashed(None, password, cost).await?;
    core.create_account(name, Some(&password)).await.map_err(|error| match error {
        Error::Exists => Failure::new(exit::FAILURE, format!("the name {name} is taken by a user or an alias")),
        other => Failure::core(&other),
    })?;
    log::info!("admin: user {name} added");
    Ok(())
}

/// `login` is the user's, where there is one already.
async fn hashed(login: Option<Login>, password: String, cost: &Arc<Cost>) -> Result<Password, Failure> {
    let cost = Arc::clone(cost);
    let hash = worker::run(move || hash_password_with(&cost, login.as_ref(), password.as_bytes())).await?;
    hash.map_err(|error| Failure::new(exit::TEMPORARY, error.to_string()))
}

/// A wrong name or password as the fault of the command line.
pub(super) fn usage(text: String) -> Failure {
    Failure::Exit(exit::USAGE, text)
}

/// The words for an account that is not there.
pub(super) fn missing(error: &Error, name: &str) -> Failure {
    match error {
        Error::NotFound => Failure::new(exit::NO_USER, format!("there is no user {name}")),
        other => Failure::core(other),
    }
}

pub(super) async fn add(context: &Context, call: &mut Call<'_>, given: &str, password: String) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    name::password(&name, &password).map_err(usage)?;
    create_account(&context.core, &name, password, &context.cost).await?;
    call.print(&format!("user: {name}\n")).await?;
    note_others(context, call, &name, &name).await?;
    Ok(exit::OK)
}

/// Tells which addresses of that local part lead to somebody else all the same.
async fn note_others(context: &Context, call: &mut Call<'_>, name: &str, local: &str) -> Result<(), Failure> {
    for domain in &context.config.domains {
        let address = format!("{local}@{domain}");
        let other = context.core.resolve(&address)?.name;
        if other != name {
            call.print(&format!("note: {address} is an alias of {other}, who gets that mail\n")).await?;
        }
    }
    Ok(())
}

pub(super) async fn set_password(
    context: &Context,
    call: &mut Call<'_>,
    given: &str,
    password: String,
) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    name::password(&name, &password).map_err(usage)?;
    let account = context.core.account_info(&name).map_err(|error| missing(&error, &name))?;
    let login = context.core.store().login(&name).map_err(|_| Failure::core(&Error::Temporary))?;
    let password = hashed(login, password, &context.cost).await?;
    if let Err(error) = context.core.set_password(account.id, password).await {
        log::error!("admin: the password of {name} was not set: {error:?}");
        return Err(Failure::core(&Error::Temporary));
    }
    log::info!("admin: password of user {name} set");
    call.print(&format!("user: {name}\nthe sessions that the old password opened are ended\n")).await?;
    Ok(exit::OK)
}

pub(super) async fn add_alias(context: &Context, call: &mut Call<'_>, given: &str, alias: &str) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    let alias = name::alias(alias).map_err(usage)?;
    let domains = &context.config.domains;
    if let Some((_, domain)) = alias.rsplit_once('@')
        && !domains.is_empty()
        && !domains.iter().any(|known| known == domain)
    {
        return Err(usage(format!("{domain} is not one of the configured domains: {}", domains.join(", "))));
    }
    // The account first: the core says NotFound for it and Exists for the alias.
    context.core.account_info(&name).map_err(|error| missing(&error, &name))?;
    let before = context.core.resolve(&alias).map(|found| found.name);
    context.core.add_alias(&name, &alias).await.map_err(|error| match error {
        Error::Exists => Failure::new(exit::FAILURE, format!("{alias} is taken by a user or an alias")),
        other => missing(&other, &name),
    })?;
    log::info!("admin: alias {alias} of user {name} added");
    call.print(&format!("{alias} leads to {name}\n")).await?;
    if let Some(other) = before.ok().filter(|other| *other != name) {
        call.print(&format!("note: until now {alias} led to {other}\n")).await?;
    }
    if !alias.contains('@') {
        note_others(context, call, &name, &alias).await?;
    }
    Ok(exit::OK)
}

pub(super) async fn remove_alias(
    context: &Context,
    call: &mut Call<'_>,
    given: &str,
    alias: &str,
) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    let alias = name::alias(alias).map_err(usage)?;
    context.core.account_info(&name).map_err(|error| missing(&error, &name))?;
    context.core.remove_alias(&name, &alias).await.map_err(|error| match error {
        Error::NotFound => Failure::new(exit::FAILURE, format!("{name} has no alias {alias}")),
        other => Failure::core(&other),
    })?;
    log::info!("admin: alias {alias} of user {name} removed");
    call.print(&format!("{alias} no longer leads to {name}\n")).await?;
    Ok(exit::OK)
}

pub(super) async fn remove(context: &Context, call: &mut Call<'_>, given: &str) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    context.core.remove_account(&name).await.map_err(|error| missing(&error, &name))?;
    log::info!("admin: user {name} removed");
    call.print(&format!("user {name} and all mail of that user are removed\n")).await?;
    Ok(exit::OK)
}

pub(super) async fn list(context: &Context, call: &mut Call<'_>, json: bool) -> Result<u8, Failure> {
    let accounts = context.core.accounts()?;
    if json {
        call.print(&Json::List(accounts.iter().map(|account| Json::Object(members(account))).collect()).line()).await?;
        return Ok(exit::OK);
    }
    if accounts.is_empty() {
        call.complain("there are no users yet; `mailnook user add NAME` makes one\n").await?;
        return Ok(exit::OK);
    }
    let heading = ["user", "messages", "size", "mailboxes", "aliases"].map(str::to_owned).to_vec();
    let row = |account: &AccountInfo| {
        vec![
            account.name.clone(),
            account.messages.to_string(),
            text::octets(account.bytes),
            account.mailboxes.to_string(),
            account.aliases.join(" "),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(accounts.iter().map(row)).collect();
    call.print(&text::table(&rows)).await?;
    Ok(exit::OK)
}

pub(super) async fn show(context: &Context, call: &mut Call<'_>, given: &str, json: bool) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    let info = context.core.account_info(&name).map_err(|error| missing(&error, &name))?;
    let account = context.core.account(info.id)?;
    let mut mailboxes = Vec::new();
    for entry in account.list()? {
        // A mailbox that another session removes meanwhile is left out.
        if entry.mailbox.is_some()
            && let Ok(status) = account.status(&entry.name)
        {
            mailboxes.push((entry, status));
        }
    }
    let text = if json { show_json(&info, &mailboxes) } else { show_text(&info, &mailboxes) };
    call.print(&text).await?;
    Ok(exit::OK)
}

fn show_text(info: &AccountInfo, mailboxes: &[(ListEntry, Status)]) -> String {
    let heading = ["mailbox", "messages", "unseen", "size", "use"].map(str::to_owned).to_vec();
    let row = |(entry, status): &(ListEntry, Status)| {
        vec![
            printable(&entry.name),
            status.messages.to_string(),
            status.unseen.to_string(),
            text::octets(status.bytes),
            entry.special_use.map_or_else(String::new, |special| special.attribute().to_owned()),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(mailboxes.iter().map(row)).collect();
    let aliases = if info.aliases.is_empty() { "none".to_owned() } else { info.aliases.join(" ") };
    let (messages, size) = (text::count(info.messages, "message"), text::octets(info.bytes));
    format!("user: {}\naliases: {aliases}\nmail: {messages}, {size}\n\n{}", info.name, text::table(&rows))
}

fn show_json(info: &AccountInfo, mailboxes: &[(ListEntry, Status)]) -> String {
    let mut object = members(info);
    object.retain(|(name, _)| *name != "mailboxes");
    let mailbox = |(entry, status): &(ListEntry, Status)| {
        Json::Object(vec![
            ("name", Json::text(&entry.name)),
            ("messages", Json::Number(status.messages.into())),
            ("unseen", Json::Number(status.unseen.into())),
            ("bytes", Json::Number(status.bytes)),
            ("special_use", entry.special_use.map_or(Json::Null, |special| Json::text(special.attribute()))),
            ("subscribed", Json::Bool(entry.subscribed)),
        ])
    };
    object.push(("mailboxes", Json::List(mailboxes.iter().map(mailbox).collect())));
    Json::Object(object).line()
}

fn members(account: &AccountInfo) -> Vec<(&'static str, Json)> {
    vec![
        ("user", Json::text(&account.name)),
        ("aliases", Json::List(account.aliases.iter().map(Json::text).collect())),
        ("messages", Json::Number(account.messages)),
        ("bytes", Json::Number(account.bytes)),
        ("mailboxes", Json::Number(account.mailboxes.into())),
    ]
}

/// A mailbox name for a terminal: clients choose names, and escape sequences in them must not get through.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
