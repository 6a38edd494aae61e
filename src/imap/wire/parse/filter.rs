//! Which mailboxes a command is about: filter-mailboxes of NOTIFY (RFC 5465 §6, §8), with what ESEARCH adds
//! (RFC 7377 §4).

use super::cursor::Cursor;
use super::mailbox;
use crate::imap::command::{MailboxFilter, MailboxName};
use crate::imap::wire::error::Fault;

/// Limit: names in one filter.
const NAMES_MAX: usize = 1000;

/// One filter. Whether `selected`, `selected-delayed` and `subtree-one` make sense is for the caller to say.
pub(super) fn filter(cursor: &mut Cursor<'_>) -> Result<MailboxFilter, Fault> {
    let word = cursor.word().to_ascii_lowercase();
    Ok(match word.as_str() {
        "selected" => MailboxFilter::Selected,
        "selected-delayed" => MailboxFilter::SelectedDelayed,
        "inboxes" => MailboxFilter::Inboxes,
        "personal" => MailboxFilter::Personal,
        "subscribed" => MailboxFilter::Subscribed,
        "subtree" => MailboxFilter::Subtree(names(cursor)?),
        "subtree-one" => MailboxFilter::SubtreeOne(names(cursor)?),
        "mailboxes" => MailboxFilter::Mailboxes(names(cursor)?),
        _ => return Err(Fault::syntax("unknown mailbox filter")),
    })
}

/// A space and one-or-more-mailbox.
fn names(cursor: &mut Cursor<'_>) -> Result<Vec<MailboxName>, Fault> {
    cursor.space("the mailbox names are missing")?;
    if !cursor.take(b'(') {
        return Ok(vec![mailbox::name(cursor)?]);
    }
    let mut names = Vec::new();
    cursor.padding();
    loop {
        if names.len() == NAMES_MAX {
            return Err(Fault::limit("there are too many mailbox names"));
        }
        names.push(mailbox::name(cursor)?);
        let padded = cursor.peek() == Some(b' ');
        cursor.padding();
        if cursor.take(b')') {
            return Ok(names);
        }
        if !padded {
            return Err(Fault::syntax("the mailbox names do not end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::imap::command::{Command, MailboxFilter};
    use crate::imap::wire::error::ErrorKind;
    use crate::imap::wire::frame::Frame;
    use crate::imap::wire::parse::parse;

    fn sources(filters: &str) -> Result<Vec<MailboxFilter>, ErrorKind> {
        let frame = Frame::from_text(format!("t ESEARCH IN ({filters}) ALL\r\n").as_bytes()).expect("a frame");
        match parse(&frame) {
            Ok((_, Command::MultiSearch { sources: Some(sources), .. })) => Ok(sources),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.kind),
        }
    }

    #[test]
    fn filters_of_rfc_5465_and_7377() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let wanted = vec![MailboxFilter::Mailboxes(names(&["folder1"])), MailboxFilter::Subtree(names(&["folder2"]))];
        assert_eq!(sources("mailboxes \"folder1\" subtree \"folder2\""), Ok(wanted));
        let wanted = vec![
            MailboxFilter::SubtreeOne(names(&["a b", "INBOX", "ä"])),
            MailboxFilter::Selected,
            MailboxFilter::Personal,
            MailboxFilter::Inboxes,
            MailboxFilter::Subscribed,
        ];
        assert_eq!(sources("SUBTREE-ONE ({3}\r\na b inbox &AOQ-) Selected PERSONAL inboxes subscribed"), Ok(wanted));
    }

    #[test]
    fn other_filters_are_refused() {
        for bad in [
            "",
            "selected-delayed",
            "x",
            "mailboxes",
            "mailboxes ()",
            "mailboxes (a",
            "mailboxes (a\"b\")",
            "personal,",
        ] {
            assert_eq!(sources(bad), Err(ErrorKind::Syntax), "{bad}");
        }
        assert_eq!(sources(&format!("mailboxes ({}a)", "a ".repeat(1000))), Err(ErrorKind::Limit));
        assert_eq!(sources(&format!("{}personal", "personal ".repeat(64))), Err(ErrorKind::Limit));
        assert_eq!(sources("mailboxes &A-"), Err(ErrorKind::MailboxName));
    }
}
