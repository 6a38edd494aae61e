//! SORT and THREAD (RFC 5256 §5, RFC 5957 §5; the result options of RFC 5267 §3).

use super::cursor::Cursor;
use super::search::{keys, read_charset};
use super::{Form, result};
use crate::imap::command::Command;
use crate::imap::wire::error::Fault;
use crate::imap::wire::frame::Frame;
use crate::mailbox::sort::{Criterion, SortKey};
use crate::mailbox::thread::Algorithm;

/// Limit: criteria of one SORT. Each of the keys counts once, so that more say nothing.
const CRITERIA_MAX: usize = 64;

const KEYS: &[(&str, SortKey)] = &[
    ("ARRIVAL", SortKey::Arrival),
    ("CC", SortKey::Cc),
    ("DATE", SortKey::Date),
    ("DISPLAYFROM", SortKey::DisplayFrom),
    ("DISPLAYTO", SortKey::DisplayTo),
    ("FROM", SortKey::From),
    ("SIZE", SortKey::Size),
    ("SUBJECT", SortKey::Subject),
    ("TO", SortKey::To),
];

const ALGORITHMS: &[(&str, Algorithm)] =
    &[("ORDEREDSUBJECT", Algorithm::OrderedSubject), ("REFERENCES", Algorithm::References), ("REFS", Algorithm::Refs)];

pub(super) fn sort(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    const MISSING: &str = "the sort criteria are missing";
    cursor.space(MISSING)?;
    let mut returns = None;
    if cursor.peek() != Some(b'(') {
        if !cursor.word().eq_ignore_ascii_case("RETURN") {
            return Err(Fault::syntax(MISSING));
        }
        let (options, _) = result::options(cursor)?;
        if options.update {
            // RFC 5267 §4.1: that would be CONTEXT=SORT.
            return Err(Fault::syntax("sorted results are not kept up to date"));
        }
        returns = Some(options);
        cursor.space(MISSING)?;
    }
    let saves = returns.is_some_and(|returns| returns.save);
    let program = criteria(cursor).and_then(|criteria| {
        let charset = read_charset(cursor)?;
        Ok(Command::Sort { uid: form.uid, returns, criteria, charset, keys: keys(cursor)? })
    });
    program.map_err(|fault| if saves { fault.unsaved() } else { fault })
}

pub(super) fn thread(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    cursor.space("the threading algorithm is missing")?;
    let name = cursor.atom("the threading algorithm is missing")?;
    let algorithm = ALGORITHMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, algorithm) = *algorithm.ok_or(Fault::syntax("unknown threading algorithm"))?;
    let charset = read_charset(cursor)?;
    Ok(Command::Thread { uid: form.uid, algorithm, charset, keys: keys(cursor)? })
}

fn criteria(cursor: &mut Cursor<'_>) -> Result<Vec<Criterion>, Fault> {
    cursor.expect(b'(', "the sort criteria are missing")?;
    cursor.padding();
    let mut criteria = Vec::new();
    loop {
        let mut name = cursor.word();
        let reverse = name.eq_ignore_ascii_case("REVERSE");
        if reverse {
            cursor.space("the sort key is missing")?;
            name = cursor.word();
        }
        let key = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, key) = *key.ok_or(Fault::syntax("unknown sort key"))?;
        criteria.push(Criterion { key, reverse });
        if criteria.len() > CRITERIA_MAX {
            return Err(Fault::limit("there are too many sort criteria"));
        }
        let padded = cursor.peek() == Some(b' ');
        cursor.padding();
        if cursor.take(b')') {
            return Ok(criteria);
        }
        if !padded {
            return Err(Fault::syntax("the sort criteria do not end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::SearchKey;
    use crate::imap::wire::parse::parse;

    fn read(text: &str) -> Option<Command> {
        let frame = Frame::from_text(format!("t {text}\r\n").as_bytes())?;
        parse(&frame).ok().map(|(_, command)| command)
    }

    fn sorted(text: &str) -> Option<Vec<(SortKey, bool)>> {
        match read(text) {
            Some(Command::Sort { criteria, .. }) => {
                Some(criteria.iter().map(|criterion| (criterion.key, criterion.reverse)).collect())
            }
            _ => None,
        }
    }

    #[test]
    fn examples_and_what_is_none() {
        let subject = (SortKey::Subject, false);
        assert_eq!(sorted("SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994"), Some(vec![subject]));
        assert_eq!(sorted("uid sort (subject reverse date) utf-8 all"), Some(vec![subject, (SortKey::Date, true)]));
        assert_eq!(sorted("SORT RETURN (MIN) ( SUBJECT ) \"UTF-8\" ALL"), Some(vec![subject]));
        assert_eq!(sorted("SORT (DISPLAYFROM) US-ASCII TEXT x"), Some(vec![(SortKey::DisplayFrom, false)]));
        for bad in [
            "SORT",
            "SORT ()",
            "SORT () UTF-8 ALL",
            "SORT (SUBJECT)",
            "SORT (SUBJECT) UTF-8",
            "SORT (SUBJECT) ALL",
            "SORT (SUBJECT UTF-8 ALL",
            "SORT (REVERSE) UTF-8 ALL",
            "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
            "SORT (SUBJECT(DATE)) UTF-8 ALL",
            "SORT (NAME) UTF-8 ALL",
            "SORT SUBJECT UTF-8 ALL",
            "SORT RETURN (ALL PARTIAL 1:2) (DATE) UTF-8 ALL",
            "THREAD",
            "THREAD REFERENCES",
            "THREAD REFERENCES UTF-8",
            "THREAD JWZ UTF-8 ALL",
            "THREAD (REFERENCES) UTF-8 ALL",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let many = vec!["DATE"; CRITERIA_MAX + 1].join(" ");
        assert_eq!(read(&format!("SORT ({many}) UTF-8 ALL")), None);
    }

    #[test]
    fn algorithms() {
        for (name, algorithm) in ALGORITHMS {
            let wanted = Command::Thread {
                uid: true,
                algorithm: *algorithm,
                charset: "UTF-8".to_owned(),
                keys: vec![SearchKey::All],
            };
            assert_eq!(read(&format!("UID THREAD {} utf-8 ALL", name.to_lowercase())), Some(wanted));
        }
    }
}
