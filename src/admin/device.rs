//! `device add|list|revoke`.

use super::call::{Call, Failure};
use super::json::Json;
use super::settings::{self, Facts, Person};
use super::user::{missing, printable, usage};
use super::{Context, exit, name, text, worker};
use crate::auth::new_device;
use crate::mailbox::{Device, Error, LastUse, MainPassword};
use crate::types::{DeviceId, Rights};

/// What the main password is called among the devices.
const MAIN: &str = "(main password)";

pub(super) async fn add(
    context: &Context,
    call: &mut Call<'_>,
    (user, device): (&str, &str),
    rights: Rights,
) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    let password = make(context, &user, device, rights).await?;
    let device = settings::Device { name: device, password: Some(&password), rights };
    let person = Person { user: &user, scope: MainPassword::default(), address: None, device: Some(device) };
    call.print(&settings::head(&Facts::gather(context), &person)).await?;
    call.print("\n`mailnook client-settings --help` tells how to get this into programs and telephones.\n").await?;
    Ok(exit::OK)
}

/// Makes a device of a user whose name was checked; its password.
pub(super) async fn make(context: &Context, user: &str, device: &str, rights: Rights) -> Result<String, Failure> {
    let found = context.core.store().login(user).map_err(|_| Failure::core(&Error::Temporary))?;
    let login = found.filter(|login| login.name == user).ok_or_else(|| missing(&Error::NotFound, user))?;
    if device.eq_ignore_ascii_case(MAIN) {
        return Err(usage(format!("{MAIN:?} is no name for a device; choose another")));
    }
    let wanted = device.to_owned();
    // As slow as a SCRAM login: nothing for the thread that serves sessions.
    let made = worker::run(move || new_device(&login, &wanted, rights)).await?;
    let (password, made) = made.map_err(|error| Failure::new(exit::TEMPORARY, error.to_string()))?;
    context.core.add_device(user, made).await.map_err(|error| match error {
        Error::Exists => {
            Failure::new(exit::FAILURE, format!("{user} has a device {device:?} already; revoke it first"))
        }
        Error::Invalid(text) => usage(text.to_owned()),
        other => missing(&other, user),
    })?;
    log::info!("admin: device {device:?} of user {user} added");
    Ok(password)
}

pub(super) async fn revoke(context: &Context, call: &mut Call<'_>, user: &str, device: &str) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    context.core.account_info(&user).map_err(|error| missing(&error, &user))?;
    if device == MAIN {
        return forget_main(context, call, &user).await;
    }
    context.core.revoke_device(&user, device).await.map_err(|error| match error {
        Error::NotFound => Failure::new(exit::FAILURE, format!("{user} has no device {device:?}")),
        other => Failure::core(&other),
    })?;
    log::info!("admin: device {device:?} of user {user} revoked");
    call.print(&format!("device {device:?} of {user} is revoked, and its sessions are ended\n")).await?;
    Ok(exit::OK)
}

/// The main password cannot be revoked; but nothing has to wait for whoever polled with it once.
async fn forget_main(context: &Context, call: &mut Call<'_>, user: &str) -> Result<u8, Failure> {
    context.core.forget_main_device(user).await.map_err(|error| match error {
        Error::NotFound => Failure::new(exit::FAILURE, format!("POP3 is not used with the main password of {user}")),
        other => Failure::core(&other),
    })?;
    log::info!("admin: the main password of user {user} counts no more as a POP3 device");
    call.print(&format!(
        "the main password of {user} counts no more as a POP3 device, until it is used by POP3 again;\n\
         `mailnook user main-password {user} off` ends its use\n"
    ))
    .await?;
    Ok(exit::OK)
}

pub(super) async fn list(context: &Context, call: &mut Call<'_>, user: &str, json: bool) -> Result<u8, Failure> {
    let user = name::account(user).map_err(usage)?;
    let info = context.core.account_info(&user).map_err(|error| missing(&error, &user))?;
    let devices = context.core.devices(info.id)?;
    if json {
        call.print(&Json::List(devices.iter().map(|(id, device)| members(*id, device)).collect()).line()).await?;
        return Ok(exit::OK);
    }
    let heading = ["device", "for", "added", "last use", "by", "from"].map(str::to_owned).to_vec();
    let active = devices.iter().filter(|(_, device)| device.revoked.is_none());
    let rows: Vec<_> = std::iter::once(heading).chain(active.map(|(id, device)| row(*id, device))).collect();
    if rows.len() == 1 {
        call.complain("there are no devices yet; `mailnook device add USER NAME` makes one\n").await?;
        return Ok(exit::OK);
    }
    call.print(&text::table(&rows)).await?;
    Ok(exit::OK)
}

fn row(id: DeviceId, device: &Device) -> Vec<String> {
    let name = if id.is_device() { printable(&device.name) } else { MAIN.to_owned() };
    let added = if id.is_device() { text::moment(device.created) } else { String::new() };
    let last = device.last.as_ref();
    vec![
        name,
        purpose(device.rights),
        added,
        last.map_or_else(|| "never".to_owned(), |last| text::moment(last.time)),
        last.map_or_else(String::new, |last| last.protocol.to_uppercase()),
        last.map_or_else(String::new, address),
    ]
}

fn address(last: &LastUse) -> String {
    last.address.map_or_else(|| "this machine".to_owned(), |address| address.to_string())
}

fn purpose(rights: Rights) -> String {
    let protocols = match (rights.imap, rights.pop3) {
        (true, true) => "IMAP and POP3",
        (true, false) => "IMAP",
        _ => "POP3",
    };
    format!("{protocols}{}", if rights.read_only { ", reading only" } else { "" })
}

fn members(id: DeviceId, device: &Device) -> Json {
    let moment = |time: i64| Json::Number(u64::try_from(time).unwrap_or(0));
    let last = device.last.as_ref();
    Json::Object(vec![
        ("id", Json::Number(id.0.into())),
        ("device", if id.is_device() { Json::text(&device.name) } else { Json::Null }),
        ("imap", Json::Bool(device.rights.imap)),
        ("pop3", Json::Bool(device.rights.pop3)),
        ("read_only", Json::Bool(device.rights.read_only)),
        ("added", moment(device.created)),
        ("revoked", device.revoked.map_or(Json::Null, moment)),
        ("last_use", last.map_or(Json::Null, |last| moment(last.time))),
        ("last_protocol", last.map_or(Json::Null, |last| Json::text(last.protocol))),
        (
            "last_address",
            last.and_then(|last| last.address).map_or(Json::Null, |address| Json::text(address.to_string())),
        ),
        ("polls_pop3", Json::Bool(device.polls)),
    ])
}
