//! GETMETADATA and SETMETADATA (RFC 5464 §4.2, §4.3), and the METADATA responses of LIST (RFC 9590).
//!
//! `/shared/admin` of the server and `/private/specialuse` of a mailbox (RFC 6154 §4) are told and cannot be set.
//! Values are read one by one in transactions of their own, and a response is closed before it grows large.

use crate::config::Config;
use crate::imap::command::{Depth, EntryName};
use crate::imap::enabled::Quoting;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::wire::write;
use crate::mailbox::{Account, Annotated, AnnotationsSet, Error};
use crate::types::SpecialUse;
use smol::future::yield_now;

/// The one entry that the configuration gives and no client sets (RFC 5464 §6.2.2).
const ADMIN: &str = "/shared/admin";
/// What a mailbox is for (RFC 6154 §4): not stored, but what LIST shows.
const SPECIAL_USE: &str = "/private/specialuse";
/// Limit: octets at which a METADATA response is closed and another one begun.
const RESPONSE_MAX: usize = 8 * 1024;

/// What to tell of which annotations.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The mailbox; None: the server.
    pub mailbox: Option<&'a str>,
    /// The entries.
    pub entries: &'a [EntryName],
    /// Octets; a larger value is not told.
    pub max_size: Option<u32>,
    /// Which entries below them.
    pub depth: Depth,
}

/// Tells values. An entry that is asked for by its name alone is told also where it has none.
///
/// # Errors
/// NO where the mailbox does not exist.
pub async fn get(
    account: &Account,
    out: &mut Output<'_>,
    config: &Config,
    request: Request<'_>,
) -> Result<Reply, Failure> {
    let of = request.mailbox.map_or(Annotated::Server, Annotated::Mailbox);
    let (given, value) = given(account, config, of)?;
    let mut known: Vec<(String, usize)> =
        account.annotations(of)?.into_iter().map(|info| (info.entry, info.size)).collect();
    known.retain(|(entry, _)| entry != given);
    known.extend(value.map(|value| (given.to_owned(), value.len())));
    let mut responses = Responses::new(of);
    let mut longest = 0;
    for (written, lower, size) in chosen(&known, request.entries, request.depth) {
        let size = size.unwrap_or(0);
        if request.max_size.is_some_and(|max| usize::try_from(max).is_ok_and(|max| size > max)) {
            longest = longest.max(size);
            continue;
        }
        let value = if lower == given {
            value.map(|value| value.as_bytes().to_vec())
        } else {
            account.annotation(of, lower)?
        };
        responses.add(out, written, value.as_deref()).await?;
        yield_now().await;
    }
    responses.close(out).await?;
    let reply = Reply::ok("GETMETADATA completed");
    Ok(if longest > 0 { reply.code(format!("METADATA LONGENTRIES {longest}")) } else { reply })
}

/// The one entry that no client sets, and its value: of the server what the configuration says, of a mailbox what it is for.
fn given<'a>(
    account: &Account,
    config: &'a Config,
    of: Annotated<'_>,
) -> Result<(&'static str, Option<&'a str>), Failure> {
    Ok(match of {
        Annotated::Server => (ADMIN, config.admin.as_deref()),
        Annotated::Mailbox(name) => (SPECIAL_USE, account.special_use(name)?.map(SpecialUse::attribute)),
    })
}

/// The entries that are asked for, each once: how to write it, its name in lower case, and its size if it has a value.
fn chosen<'a>(
    known: &'a [(String, usize)],
    asked: &'a [EntryName],
    depth: Depth,
) -> Vec<(&'a str, &'a str, Option<usize>)> {
    let mut chosen: Vec<(&str, &str, Option<usize>)> = Vec::new();
    let mut add = |written, lower, size| {
        if !chosen.iter().any(|(_, other, _)| *other == lower) {
            chosen.push((written, lower, size));
        }
    };
    for entry in asked {
        let own = known.iter().find(|(name, _)| name == entry.lower()).map(|(_, size)| *size);
        if own.is_some() || depth == Depth::Zero {
            add(entry.written(), entry.lower(), own);
        }
    }
    for (name, size) in known.iter().filter(|_| depth != Depth::Zero) {
        let is_below = |entry: &EntryName| {
            let below = name.strip_prefix(entry.lower()).and_then(|rest| rest.strip_prefix('/'));
            below.is_some_and(|rest| depth == Depth::Infinity || !rest.contains('/'))
        };
        if asked.iter().any(is_below) {
            add(name, name, Some(*size));
        }
    }
    chosen
}

/// Sets values and removes those that are NIL, all or none.
///
/// # Errors
/// NO where the mailbox does not exist, an entry is read-only, a value too large, or there are too many.
pub async fn set(
    account: &Account,
    mailbox: Option<&str>,
    entries: Vec<(EntryName, Option<Vec<u8>>)>,
) -> Result<(Reply, AnnotationsSet), Failure> {
    let of = mailbox.map_or(Annotated::Server, Annotated::Mailbox);
    if of == Annotated::Server && entries.iter().any(|(entry, _)| entry.lower() == ADMIN) {
        return Err(Reply::no("Only the server's configuration sets /shared/admin").code("CANNOT").into());
    }
    if of != Annotated::Server && entries.iter().any(|(entry, _)| entry.lower() == SPECIAL_USE) {
        let text = "CREATE with USE says what a mailbox is for, and no annotation does";
        return Err(Reply::no(text).code("CANNOT").into());
    }
    let changes = entries.into_iter().map(|(entry, value)| (entry.lower().to_owned(), value)).collect();
    match account.set_annotations(of, changes).await {
        Ok(set) => Ok((Reply::ok("SETMETADATA completed"), set)),
        Err(Error::TooBig(max)) => {
            Err(Reply::no("The value is larger than the limit").code(format!("METADATA MAXSIZE {max}")).into())
        }
        Err(Error::Limit(text)) => Err(Reply::no(text).code("METADATA TOOMANY").into()),
        Err(error) => Err(error.into()),
    }
}

/// Tells these entries of a mailbox, NIL where it has none (RFC 9590 §3). A mailbox that went meanwhile is left out.
///
/// # Errors
/// Where the connection is gone.
pub async fn tell(
    account: &Account,
    out: &mut Output<'_>,
    mailbox: &str,
    entries: &[EntryName],
) -> Result<(), Failure> {
    let of = Annotated::Mailbox(mailbox);
    let mut responses = Responses::new(of);
    for entry in entries {
        let value = if entry.lower() == SPECIAL_USE {
            account.special_use(mailbox).map(|special| special.map(|special| special.attribute().as_bytes().to_vec()))
        } else {
            account.annotation(of, entry.lower())
        };
        let Ok(value) = value else { break };
        responses.add(out, entry.written(), value.as_deref()).await?;
    }
    responses.close(out).await
}

/// Tells which entries changed (RFC 5464 §4.4.2).
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_changed(out: &mut Output<'_>, mailbox: Option<&str>, entries: &[String]) -> Result<(), Failure> {
    let mut line = Vec::new();
    begin(&mut line, mailbox, out.enabled().quoting());
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        write::astring(&mut line, entry.as_bytes());
    }
    line.extend_from_slice(b"\r\n");
    out.put(&line).await
}

/// Tells that a mailbox is for something else now, or for nothing (RFC 6154 §4).
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_special_use(out: &mut Output<'_>, mailbox: &str) -> Result<(), Failure> {
    tell_changed(out, Some(mailbox), &[SPECIAL_USE.to_owned()]).await
}

/// METADATA responses with values (RFC 5464 §4.4.1).
struct Responses<'a> {
    of: Annotated<'a>,
    line: Vec<u8>,
}

impl<'a> Responses<'a> {
    const fn new(of: Annotated<'a>) -> Self {
        Self { of, line: Vec::new() }
    }

    async fn add(&mut self, out: &mut Output<'_>, entry: &str, value: Option<&[u8]>) -> Result<(), Failure> {
        if self.line.len() >= RESPONSE_MAX {
            self.close(out).await?;
        }
        if self.line.is_empty() {
            begin(&mut self.line, self.of.name(), out.enabled().quoting());
            self.line.push(b'(');
        } else {
            self.line.push(b' ');
        }
        write::astring(&mut self.line, entry.as_bytes());
        self.line.push(b' ');
        write::nstring8(&mut self.line, value);
        Ok(())
    }

    async fn close(&mut self, out: &mut Output<'_>) -> Result<(), Failure> {
        if !self.line.is_empty() {
            self.line.extend_from_slice(b")\r\n");
            out.put(&self.line).await?;
            self.line.clear();
        }
        Ok(())
    }
}

/// `* METADATA name `
fn begin(line: &mut Vec<u8>, mailbox: Option<&str>, quoting: Quoting) {
    line.extend_from_slice(b"* METADATA ");
    match mailbox {
        Some(name) => write::mailbox(line, name, quoting),
        None => line.extend_from_slice(b"\"\""),
    }
    line.push(b' ');
}
