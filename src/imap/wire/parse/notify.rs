//! NOTIFY (RFC 5465 §8).

use super::cursor::Cursor;
use super::filter::filter;
use super::{Form, fetch};
use crate::imap::command::{Command, EventGroup, Events, MailboxFilter, NotifyRequest};
use crate::imap::wire::error::{ErrorKind, Fault};
use crate::imap::wire::frame::Frame;

/// Limit: event groups of one NOTIFY.
const GROUPS_MAX: usize = 32;
/// Limit: mailbox names in all its groups.
const NAMES_MAX: usize = 512;

const NO_GROUP: &str = "the mailboxes are missing";
const NO_EVENTS: &str = "the events are missing";
const BAD_EVENT: Fault = Fault { text: "There is no such event", kind: ErrorKind::BadEvent };

pub(super) fn notify(cursor: &mut Cursor<'_>, _: &Frame, _: Form) -> Result<Command, Fault> {
    cursor.space("SET or NONE is missing")?;
    let word = cursor.word();
    if word.eq_ignore_ascii_case("NONE") {
        return Ok(Command::Notify(NotifyRequest::None));
    }
    if !word.eq_ignore_ascii_case("SET") {
        return Err(Fault::syntax("SET or NONE is missing"));
    }
    cursor.space(NO_GROUP)?;
    let mut status = false;
    if cursor.peek() != Some(b'(') {
        if !cursor.word().eq_ignore_ascii_case("STATUS") {
            return Err(Fault::syntax(NO_GROUP));
        }
        status = true;
        cursor.space(NO_GROUP)?;
    }
    let mut groups: Vec<EventGroup> = Vec::new();
    let mut names = 0;
    loop {
        let group = group(cursor, &mut names)?;
        if is_selected(&group.filter) && groups.iter().any(|other| is_selected(&other.filter)) {
            return Err(Fault::syntax("SELECTED and SELECTED-DELAYED exclude each other"));
        }
        if groups.len() == GROUPS_MAX {
            return Err(Fault::limit("there are too many event groups"));
        }
        groups.push(group);
        cursor.padding();
        if cursor.at_end() {
            return Ok(Command::Notify(NotifyRequest::Set { status, groups }));
        }
    }
}

const fn is_selected(filter: &MailboxFilter) -> bool {
    matches!(filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed)
}

fn group(cursor: &mut Cursor<'_>, names: &mut usize) -> Result<EventGroup, Fault> {
    cursor.expect(b'(', NO_GROUP)?;
    cursor.padding();
    let filter = filter(cursor)?;
    match &filter {
        MailboxFilter::SubtreeOne(_) => return Err(Fault::syntax("unknown mailbox filter")),
        MailboxFilter::Subtree(named) | MailboxFilter::Mailboxes(named) => {
            *names += named.len();
            if *names > NAMES_MAX {
                return Err(Fault::limit("there are too many mailbox names"));
            }
        }
        _ => {}
    }
    cursor.space(NO_EVENTS)?;
    let events = events(cursor, is_selected(&filter))?;
    cursor.padding();
    cursor.expect(b')', "the event group does not end")?;
    Ok(EventGroup { filter, events })
}

/// What was named in one list of events.
#[derive(Default)]
struct Named {
    events: Events,
    new: bool,
    expunge: bool,
    annotation: bool,
}

/// NONE, or events in parentheses.
///
/// Quirk(writers of the example in RFC 5465 §3.1): the parentheses may be missing.
fn events(cursor: &mut Cursor<'_>, selected: bool) -> Result<Events, Fault> {
    let enclosed = cursor.take(b'(');
    let mut named = Named::default();
    for number in 0.. {
        cursor.padding();
        if cursor.peek() == Some(b')') && number > 0 {
            break;
        }
        let event = cursor.atom(NO_EVENTS)?.to_ascii_uppercase();
        if event == "NONE" && number == 0 && !enclosed {
            return Ok(Events::default());
        }
        one(cursor, &event, selected, &mut named)?;
    }
    if enclosed {
        cursor.expect(b')', "the events do not end")?;
    }
    // RFC 5465 §5
    if named.new != named.expunge {
        return Err(Fault::syntax("MessageNew and MessageExpunge need each other"));
    }
    if (named.events.flags || named.annotation) && !named.new {
        return Err(Fault::syntax("FlagChange and AnnotationChange need MessageNew and MessageExpunge"));
    }
    if named.annotation {
        return Err(BAD_EVENT);
    }
    named.events.messages = named.new;
    Ok(named.events)
}

fn one(cursor: &mut Cursor<'_>, event: &str, selected: bool, named: &mut Named) -> Result<(), Fault> {
    let events = &mut named.events;
    match event {
        "MESSAGENEW" => {
            named.new = true;
            cursor.padding();
            if cursor.take(b'(') {
                if !selected {
                    return Err(Fault::syntax("only SELECTED and SELECTED-DELAYED take fetch items"));
                }
                events.fetch = fetch::attributes(cursor)?;
            }
            return Ok(());
        }
        "MESSAGEEXPUNGE" => named.expunge = true,
        "FLAGCHANGE" => events.flags = true,
        "ANNOTATIONCHANGE" => named.annotation = true,
        "MAILBOXNAME" => events.mailbox_name = true,
        "SUBSCRIPTIONCHANGE" => events.subscription = true,
        "MAILBOXMETADATACHANGE" => events.mailbox_metadata = true,
        "SERVERMETADATACHANGE" => events.server_metadata = true,
        _ => return Err(BAD_EVENT),
    }
    let of_messages = matches!(event, "MESSAGEEXPUNGE" | "FLAGCHANGE" | "ANNOTATIONCHANGE");
    if selected && !of_messages {
        return Err(Fault::syntax("SELECTED and SELECTED-DELAYED take events of messages only"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{GROUPS_MAX, NAMES_MAX};
    use crate::imap::command::{Command, EventGroup, Events, FetchItem, MailboxFilter, NotifyRequest};
    use crate::imap::wire::error::{ErrorKind, ParseError};
    use crate::imap::wire::frame::Frame;
    use crate::imap::wire::parse::parse;

    fn notify(arguments: &str) -> Result<NotifyRequest, ParseError> {
        let frame = Frame::from_text(format!("t NOTIFY {arguments}\r\n").as_bytes()).expect("one whole command");
        match parse(&frame) {
            Ok((_, Command::Notify(request))) => Ok(request),
            Ok((_, other)) => panic!("{arguments}: {other:?}"),
            Err(error) => Err(error),
        }
    }

    fn set<const N: usize>(status: bool, groups: [(MailboxFilter, Events); N]) -> NotifyRequest {
        let groups = groups.into_iter().map(|(filter, events)| EventGroup { filter, events }).collect();
        NotifyRequest::Set { status, groups }
    }

    fn messages() -> Events {
        Events { messages: true, ..Events::default() }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_examples_of_rfc_5465() {
        let flags = Events { flags: true, ..messages() };
        let personal = Events { mailbox_name: true, ..messages() };
        let names_only = Events { mailbox_name: true, subscription: true, ..Events::default() };
        // §3.1
        assert_eq!(
            notify("SET STATUS (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)"),
            Ok(set(true, [(MailboxFilter::Selected, Events { fetch: fetched(), ..messages() })])),
        );
        assert_eq!(
            notify(
                "SET (selected (MessageNew (uid) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge MailboxName))"
            ),
            Ok(set(
                false,
                [
                    (MailboxFilter::Selected, Events { fetch: vec![FetchItem::Uid], ..flags.clone() }),
                    (MailboxFilter::Personal, personal),
                ]
            )),
        );
        assert_eq!(notify("NONE"), Ok(NotifyRequest::None));
        assert_eq!(
            notify(
                "set (SELECTED-DELAYED (flagchange messageexpunge messagenew)) (inboxes (mailboxname subscriptionchange)) (Subscribed none)"
            ),
            Ok(set(
                false,
                [
                    (MailboxFilter::SelectedDelayed, flags),
                    (MailboxFilter::Inboxes, names_only),
                    (MailboxFilter::Subscribed, Events::default()),
                ]
            )),
        );
        // §6.5, §6.6: one name or several.
        let metadata = Events { mailbox_metadata: true, server_metadata: true, ..Events::default() };
        assert_eq!(
            notify(
                "SET (SUBTREE (\"a b\" inbox) (MailboxMetadataChange ServerMetadataChange)) (MAILBOXES {1+}\r\nx NONE)"
            ),
            Ok(set(
                false,
                [
                    (MailboxFilter::Subtree(names(&["a b", "INBOX"])), metadata),
                    (MailboxFilter::Mailboxes(names(&["x"])), Events::default()),
                ]
            )),
        );
    }

    fn fetched() -> Vec<FetchItem> {
        let frame =
            Frame::from_text(b"t FETCH 1 (uid body.peek[header.fields (from to subject)])\r\n").expect("a command");
        match parse(&frame) {
            Ok((_, Command::Fetch { items, .. })) => items,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bad_forms() {
        let kind = |arguments: &str| notify(arguments).map_err(|error| error.kind);
        for syntax in [
            "",
            "ALL",
            "NONE x",
            "SET",
            "SET STATUS",
            "SET STATUS(personal NONE)",
            "SET personal NONE",
            "SET (personal)",
            "SET (personal ())",
            "SET (personal (MailboxName)",
            "SET (personal (MailboxName))x",
            "SET (nobody (MailboxName))",
            "SET (subtree-one x (MailboxName))",
            "SET (subtree (MailboxName))",
            "SET (mailboxes () (MailboxName))",
            // §5: these need each other.
            "SET (personal (MessageNew))",
            "SET (personal (MessageExpunge))",
            "SET (personal (FlagChange))",
            "SET (personal (AnnotationChange))",
            // §5.2, §6.1: items and other events are not for these.
            "SET (personal (MessageNew (UID) MessageExpunge))",
            "SET (selected (MailboxName))",
            "SET (selected (MessageNew () MessageExpunge))",
            "SET (selected (MessageNew (UID MessageExpunge))",
            "SET (selected NONE) (selected-delayed NONE)",
        ] {
            assert_eq!(kind(syntax), Err(ErrorKind::Syntax), "{syntax}");
        }
        // §5: an event that is not known is answered with BADEVENT.
        for event in ["SET (personal (MailboxNamed))", "SET (selected (MessageNew MessageExpunge AnnotationChange))"] {
            assert_eq!(kind(event), Err(ErrorKind::BadEvent), "{event}");
        }
    }

    #[test]
    fn groups_and_names_are_bounded() {
        let groups = |count| format!("SET{}", " (personal NONE)".repeat(count));
        assert!(notify(&groups(GROUPS_MAX)).is_ok());
        assert_eq!(notify(&groups(GROUPS_MAX + 1)).unwrap_err().kind, ErrorKind::Limit);
        let named = |count: usize| format!("SET (mailboxes ({}) NONE) (subtree x NONE)", vec!["a"; count].join(" "));
        assert!(notify(&named(NAMES_MAX - 1)).is_ok());
        assert_eq!(notify(&named(NAMES_MAX)).unwrap_err().kind, ErrorKind::Limit);
    }
}
