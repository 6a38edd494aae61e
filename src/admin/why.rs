//! `why`: a message's story in plain words.

use super::call::{Call, Failure};
use super::user::{missing, printable, usage};
use super::{Context, exit, name, text, worker};
use crate::mailbox::{Cause, Door, DoorKind, Happened, LetGo, Place, Story, Whose};
use crate::types::{DateTime, FlagOperation};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Limit: lines of one message's events, so that its story fits a screen; the middle ones are left out.
const EVENTS_MAX: usize = 16;

pub(super) async fn run(
    context: &Context,
    call: &mut Call<'_>,
    (given, message): (&str, &str),
    mailbox: Option<String>,
) -> Result<u8, Failure> {
    let name = name::account(given).map_err(usage)?;
    let account = context.core.account_info(&name).map_err(|error| missing(&error, &name))?;
    let whose = whose(message, mailbox).map_err(usage)?;
    context.core.settle_deleted().await?;
    let (core, asked) = (Arc::clone(&context.core), whose.clone());
    let stories = worker::run(move || core.why(account.id, &asked)).await?.map_err(|error| match error {
        crate::mailbox::Error::Invalid(why) | crate::mailbox::Error::Limit(why) => usage(format!("--mailbox: {why}")),
        other => Failure::core(&other),
    })?;
    if stories.is_empty() {
        let text = match whose {
            Whose::MessageId(id) => format!("nothing is known of a message {} of {name}\n", printable(&id)),
            Whose::Uid(uid, mailbox) => {
                format!("nothing is known of UID {uid} in {} of {name}\n", printable(&mailbox))
            }
        };
        call.print(&text).await?;
        return Ok(exit::FAILURE);
    }
    for story in &stories {
        call.print(&tell(story, &name)).await?;
    }
    Ok(exit::OK)
}

fn whose(message: &str, mailbox: Option<String>) -> Result<Whose, String> {
    // Limit: a longer word is no Message-ID (RFC 5322 §2.1.1).
    if message.is_empty() || message.len() > 998 || message.chars().any(char::is_control) {
        return Err("MESSAGE is a Message-ID such as \"<a1@example.org>\" or a UID".to_owned());
    }
    if let Ok(uid) = message.parse::<u32>() {
        return Ok(Whose::Uid(uid, mailbox.unwrap_or_else(|| "INBOX".to_owned())));
    }
    if mailbox.is_some() {
        return Err("--mailbox belongs to a UID; a Message-ID is looked for everywhere".to_owned());
    }
    let bare = message.trim_matches(|c| c == '<' || c == '>' || c == ' ');
    Ok(Whose::MessageId(format!("<{bare}>")))
}

fn tell(story: &Story, user: &str) -> String {
    let id = story.message_id.as_deref().map_or_else(|| "without a Message-ID".to_owned(), printable);
    let mut text = format!("message {id} of {user}\n");
    let skipped = story.events.len().saturating_sub(EVENTS_MAX);
    for (index, (time, happened, door)) in story.events.iter().enumerate() {
        if skipped > 0 && index == EVENTS_MAX / 2 {
            let _ = writeln!(text, "  ... {} are left out ...", text::count(skipped as u64, "change"));
        }
        if index >= EVENTS_MAX / 2 && index < EVENTS_MAX / 2 + skipped {
            continue;
        }
        let _ = writeln!(text, "  {}  {}", moment(*time), event(happened, door, &story.devices));
    }
    let now = match &story.place {
        Place::Mailbox(mailbox, uid, flags) => {
            let names: Vec<&str> = flags.names().collect();
            let flags = if names.is_empty() { "without flags".to_owned() } else { names.join(" ") };
            format!("in {}, UID {uid}, {flags}", printable(mailbox))
        }
        Place::Hidden { mailbox, time, until } => format!(
            "out of {} since {}; `mailnook undelete` brings it back until {}",
            printable(mailbox),
            moment(*time),
            moment(*until)
        ),
        Place::Gone => "gone for good".to_owned(),
    };
    let _ = writeln!(text, "  now: {now}");
    text
}

/// Who did it, as `by IMAP (phone) from 192.0.2.7`.
fn actor(door: &Door, devices: &BTreeMap<u32, String>) -> String {
    let device = devices.get(&door.device).filter(|_| door.device != 0);
    let device = device.map_or_else(String::new, |name| format!(" ({})", printable(name)));
    let from = door.address.map_or_else(String::new, |address| format!(" from {address}"));
    format!("by {}{device}{from}", door.kind.name())
}

fn event(happened: &Happened, door: &Door, devices: &BTreeMap<u32, String>) -> String {
    let by = actor(door, devices);
    match happened {
        Happened::Arrived(size) => format!("came, {}, {by}", text::octets(*size)),
        Happened::Moved(from, to) if door.kind == DoorKind::Policy => format!(
            "moved from {} to {} by the POP3 rules: every POP3 device has had it, and the days that are set were over",
            printable(from),
            printable(to)
        ),
        Happened::Moved(from, to) => format!("moved from {} to {} {by}", printable(from), printable(to)),
        Happened::Flagged(operation, flags) => {
            let names: Vec<&str> = flags.names().collect();
            let names = if names.is_empty() { "keywords".to_owned() } else { names.join(" ") };
            match operation {
                FlagOperation::Replace => format!("flags set to {names} {by}"),
                FlagOperation::Add => format!("marked {names} {by}"),
                FlagOperation::Remove => format!("{names} taken off {by}"),
            }
        }
        Happened::TakenOut(mailbox, cause) => {
            let mailbox = printable(mailbox);
            match cause {
                Cause::Expunged => format!("expunged from {mailbox} {by}"),
                Cause::Expired => format!("expired in {mailbox}: it was older than mail is kept there"),
                Cause::MailboxDeleted => format!("{mailbox}, in which it was, deleted {by}"),
                Cause::Replaced => format!("replaced in {mailbox} by a newer version {by}"),
            }
        }
        Happened::Fetched => format!("fetched {by}"),
        Happened::PopHidden => format!("deleted {by}: hidden from that device, kept for the others"),
        Happened::BroughtBack(mailbox) => format!("brought back to {} {by}", printable(mailbox)),
        Happened::Removed(why) => format!("removed for good{}", why.map_or_else(String::new, let_go)),
    }
}

fn let_go(why: LetGo) -> String {
    match why {
        LetGo::DaysOver(1) => ": the day in which it could be brought back was over".to_owned(),
        LetGo::DaysOver(days) => format!(": the {days} days in which it could be brought back were over"),
        LetGo::DiskShort => " before its days were over: the disk was short of space".to_owned(),
        LetGo::NotKept => ": nothing that is expunged here is kept to be brought back".to_owned(),
    }
}

/// A moment as `2026-11-25 14:05`, in the machine's zone.
fn moment(seconds: i64) -> String {
    let local = crate::mailbox::trace::local(DateTime { seconds, zone: 0 });
    local.unwrap_or_else(|| format!("{seconds} s after 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SystemFlags;

    #[test]
    fn what_is_meant() {
        assert_eq!(whose("17", None), Ok(Whose::Uid(17, "INBOX".to_owned())));
        assert_eq!(whose("17", Some("a".to_owned())), Ok(Whose::Uid(17, "a".to_owned())));
        for id in ["<a@b>", "a@b", " <a@b> "] {
            assert_eq!(whose(id, None), Ok(Whose::MessageId("<a@b>".to_owned())));
        }
        assert_eq!(whose("99999999999", None), Ok(Whose::MessageId("<99999999999>".to_owned())));
        for wrong in ["", "a\u{1b}[2J", &"x".repeat(999)] {
            assert!(whose(wrong, None).is_err());
        }
        assert!(whose("<a@b>", Some("INBOX".to_owned())).is_err());
    }

    #[test]
    fn a_story_fits_a_screen() {
        let door = Door::session(DoorKind::Imap, Some(std::net::IpAddr::from([192, 0, 2, 7])));
        let flagged = (5, Happened::Flagged(FlagOperation::Add, SystemFlags::SEEN), door);
        let story = Story {
            message_id: Some("<a\u{1b}@b>".to_owned()),
            place: Place::Gone,
            events: vec![flagged; 100],
            devices: BTreeMap::new(),
        };
        let text = tell(&story, "anna");
        assert!(text.lines().count() < 24 && text.contains("84 changes are left out"), "{text}");
        assert!(text.contains("marked \\Seen by IMAP from 192.0.2.7") && !text.contains('\u{1b}'), "{text}");
    }
}
