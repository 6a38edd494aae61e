//! FETCH (RFC 9051 §6.4.5, RFC 3501 §6.4.5).

use super::cursor::Cursor;
use super::{Form, modifier, selected};
use crate::imap::command::{Command, FetchItem, SectionPart};
use crate::imap::wire::error::{Fault, is_atom_char};
use crate::imap::wire::frame::Frame;

/// Limit: items of one FETCH after macros are expanded.
const ITEMS_MAX: usize = 256;
/// Limit: part numbers of a section; deeper parts are not kept apart in any message.
const PATH_MAX: usize = 100;
/// Limit: header field names of all sections of one FETCH.
const FIELDS_MAX: usize = 512;

const UNKNOWN: Fault = Fault::syntax("unknown fetch item");

pub(super) fn fetch(cursor: &mut Cursor<'_>, _: &Frame, form: Form) -> Result<Command, Fault> {
    let set = selected::set(cursor)?;
    cursor.space("the fetch items are missing")?;
    let mut items = Items::default();
    if cursor.take(b'(') {
        items.list(cursor)?;
    } else {
        items.read(cursor)?;
    }
    let modifiers = modifier::fetch(cursor, form.uid)?;
    Ok(Command::Fetch { uid: form.uid, set, items: items.items, modifiers })
}

/// Items behind their parenthesis, as NOTIFY has them (RFC 5465 §8).
pub(super) fn attributes(cursor: &mut Cursor<'_>) -> Result<Vec<FetchItem>, Fault> {
    let mut items = Items::default();
    items.list(cursor)?;
    Ok(items.items)
}

#[derive(Default)]
struct Items {
    items: Vec<FetchItem>,
    /// Header field names so far.
    fields: usize,
}

impl Items {
    fn push(&mut self, item: FetchItem) -> Result<(), Fault> {
        if self.items.contains(&item) {
            return Ok(());
        }
        if self.items.len() == ITEMS_MAX {
            return Err(Fault::limit("there are too many fetch items"));
        }
        self.items.push(item);
        Ok(())
    }

    /// Items up to the closing parenthesis.
    fn list(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        cursor.padding();
        loop {
            self.read(cursor)?;
            cursor.padding();
            if cursor.take(b')') {
                return Ok(());
            }
        }
    }

    /// One item or macro.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let name = cursor.word();
        let section = cursor.peek() == Some(b'[');
        if section {
            if let Some(item) = binary(cursor, name)? {
                return self.push(item);
            }
            let peek = name.eq_ignore_ascii_case("BODY.PEEK");
            if !peek && !name.eq_ignore_ascii_case("BODY") {
                return Err(UNKNOWN);
            }
            let item = self.section(cursor, peek)?;
            return self.push(item);
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("ALL") || is("FAST") || is("FULL") {
            for item in [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size] {
                self.push(item)?;
            }
            if !is("FAST") {
                self.push(FetchItem::Envelope)?;
            }
            if is("FULL") {
                self.push(FetchItem::Body)?;
            }
            return Ok(());
        }
        if is("PREVIEW") {
            preview_modifiers(cursor)?;
            return self.push(FetchItem::Preview);
        }
        self.push(simple_item(name).ok_or(UNKNOWN)?)
    }

    /// `[...]<o.n>` of BODY.
    fn section(&mut self, cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, Fault> {
        cursor.expect(b'[', "a section is missing")?;
        let path = path(cursor)?;
        let name = cursor.word();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let part = if name.is_empty() {
            SectionPart::Full
        } else if is("HEADER") {
            SectionPart::Header
        } else if is("HEADER.FIELDS") {
            SectionPart::Fields(self.fields(cursor)?)
        } else if is("HEADER.FIELDS.NOT") {
            SectionPart::FieldsNot(self.fields(cursor)?)
        } else if is("TEXT") {
            SectionPart::Text
        } else if is("MIME") && !path.is_empty() {
            SectionPart::Mime
        } else {
            return Err(Fault::syntax("unknown section"));
        };
        cursor.expect(b']', "the section does not end")?;
        let partial = if cursor.take(b'<') { Some(partial(cursor)?) } else { None };
        Ok(FetchItem::Section { path, part, partial, peek })
    }

    /// header-list
    fn fields(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        cursor.padding();
        cursor.expect(b'(', "the header field names are missing")?;
        cursor.padding();
        loop {
            let name =
                cursor.astring(|octet| octet == b']' || is_atom_char(octet), "a header field name is missing")?;
            let name = String::from_utf8(name.into_owned()).ok();
            // It is repeated in the answer, so it must not hold anything odd; no field has such a name anyway.
            let name = name.filter(|name| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic()));
            self.fields += 1;
            if self.fields > FIELDS_MAX {
                return Err(Fault::limit("there are too many header field names"));
            }
            names.push(name.ok_or(Fault::syntax("a header field name is not valid"))?);
            cursor.padding();
            if cursor.take(b')') {
                return Ok(names);
            }
        }
    }
}

/// BINARY and its kin with their section (RFC 3516 §7); None where it is another item.
fn binary(cursor: &mut Cursor<'_>, name: &str) -> Result<Option<FetchItem>, Fault> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let (peek, size) = (is("BINARY.PEEK"), is("BINARY.SIZE"));
    if !peek && !size && !is("BINARY") {
        return Ok(None);
    }
    cursor.expect(b'[', "a section is missing")?;
    let path = path(cursor)?;
    cursor.expect(b']', "the section does not end")?;
    if size {
        return Ok(Some(FetchItem::BinarySize { path }));
    }
    let partial = if cursor.take(b'<') { Some(partial(cursor)?) } else { None };
    Ok(Some(FetchItem::Binary { path, partial, peek }))
}

/// `(LAZY)` behind PREVIEW (RFC 8970 §6), if it is there.
fn preview_modifiers(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    if !cursor.text().trim_ascii_start().starts_with(b"(") {
        return Ok(());
    }
    cursor.space("the modifiers are missing")?;
    cursor.expect(b'(', "the modifiers are missing")?;
    cursor.padding();
    loop {
        if !cursor.word().eq_ignore_ascii_case("LAZY") {
            return Err(Fault::syntax("unknown modifier"));
        }
        cursor.padding();
        if cursor.take(b')') {
            return Ok(());
        }
    }
}

fn simple_item(name: &str) -> Option<FetchItem> {
    const ITEMS: [(&str, FetchItem); 14] = [
        ("MODSEQ", FetchItem::ModSeq),
        ("BODY", FetchItem::Body),
        ("BODYSTRUCTURE", FetchItem::BodyStructure),
        ("ENVELOPE", FetchItem::Envelope),
        ("FLAGS", FetchItem::Flags),
        ("INTERNALDATE", FetchItem::InternalDate),
        ("RFC822.SIZE", FetchItem::Rfc822Size),
        ("UID", FetchItem::Uid),
        ("EMAILID", FetchItem::EmailId),
        ("THREADID", FetchItem::ThreadId),
        ("SAVEDATE", FetchItem::SaveDate),
        ("RFC822", FetchItem::Rfc822),
        ("RFC822.HEADER", FetchItem::Rfc822Header),
        ("RFC822.TEXT", FetchItem::Rfc822Text),
    ];
    ITEMS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, item)| item)
}

/// The part numbers of a section with the dot behind them if a name follows.
fn path(cursor: &mut Cursor<'_>) -> Result<Vec<u32>, Fault> {
    let mut path = Vec::new();
    while cursor.peek().is_some_and(|octet| octet.is_ascii_digit()) {
        let number = cursor.number("the part number is not valid")?;
        if number == 0 {
            return Err(Fault::syntax("the part number is not valid"));
        }
        if path.len() == PATH_MAX {
            return Err(Fault::limit("the section is too deep"));
        }
        path.push(number);
        if !cursor.take(b'.') {
            if cursor.peek() != Some(b']') {
                return Err(Fault::syntax("the section is not valid"));
            }
            break;
        }
        if cursor.peek() == Some(b']') {
            return Err(Fault::syntax("the section is not valid"));
        }
    }
    Ok(path)
}

/// `o.n>` behind `<`
fn partial(cursor: &mut Cursor<'_>) -> Result<(u64, u64), Fault> {
    const INVALID: &str = "the partial range is not valid";
    let offset = cursor.number64(INVALID)?;
    cursor.expect(b'.', INVALID)?;
    let length = cursor.number64(INVALID)?;
    cursor.expect(b'>', INVALID)?;
    if length == 0 { Err(Fault::syntax(INVALID)) } else { Ok((offset, length)) }
}
