//! The octets of a message in a FETCH response (RFC 3501 §6.4.5): sections, header subsets, partials.
//!
//! A literal is announced with its exact size and streamed in pieces; the connection's back-pressure keeps at
//! most one of them in memory. Invariant: what was announced is sent, or the session ends: a client cannot be told
//! of an error inside a literal.

use crate::imap::command::{FetchItem, SectionPart};
use crate::imap::output::Output;
use crate::imap::reply::Failure;
use crate::imap::sync::write_number;
use crate::imap::wire::write;
use crate::mailbox::Message;
use crate::message::SectionKind;
use smol::future::yield_now;
use std::ops::Range;

/// Octets read from the store and given to the connection at a time.
const PIECE: usize = 32 * 1024;

/// Limit: octets of a field name that are compared; a longer one is none that a client asks for.
const NAME_MAX: usize = 256;

/// Octets of a message as a FETCH item names them.
pub struct Part<'a> {
    /// RFC822 and its kin: the item's name is the answer's.
    name: Option<&'static str>,
    path: &'a [u32],
    section: &'a SectionPart,
    partial: Option<(u64, u64)>,
}

impl<'a> Part<'a> {
    /// What an item names; None where it is none of octets.
    #[must_use]
    pub fn of(item: &'a FetchItem) -> Option<Self> {
        let whole = |name, section| Some(Self { name: Some(name), path: &[], section, partial: None });
        match item {
            FetchItem::Rfc822 => whole("RFC822", &SectionPart::Full),
            FetchItem::Rfc822Header => whole("RFC822.HEADER", &SectionPart::Header),
            FetchItem::Rfc822Text => whole("RFC822.TEXT", &SectionPart::Text),
            FetchItem::Section { path, part, partial, peek: _ } => {
                Some(Self { name: None, path, section: part, partial: *partial })
            }
            _ => None,
        }
    }

    /// Writes the name of the item in the response.
    pub fn write_name(&self, line: &mut Vec<u8>) {
        match self.name {
            Some(name) => line.extend_from_slice(name.as_bytes()),
            None => write::section(line, self.path, self.section, self.partial.map(|(offset, _)| offset)),
        }
    }

    /// Where the octets are in the whole message; None where it has no such part. A subset of header fields is in
    /// the header.
    fn locate(&self, message: &Message) -> Option<Range<u64>> {
        let (record, prefix) = (message.record(), message.prefix_len());
        let kind = match self.section {
            SectionPart::Full => SectionKind::Full,
            SectionPart::Header | SectionPart::Fields(_) | SectionPart::FieldsNot(_) => SectionKind::Header,
            SectionPart::Text => SectionKind::Text,
            SectionPart::Mime => SectionKind::Mime,
        };
        if self.path.is_empty() {
            // The header that delivery put before the message is part of its header.
            let body = prefix.saturating_add(record.header_len());
            return match kind {
                SectionKind::Full => Some(0..message.size()),
                SectionKind::Header => Some(0..body),
                SectionKind::Text => Some(body..message.size()),
                SectionKind::Mime => None,
            };
        }
        let range = record.section(self.path, kind)?;
        Some(range.start.saturating_add(prefix)..range.end.saturating_add(prefix))
    }

    fn filter(&self) -> Option<Filter<'a>> {
        match self.section {
            SectionPart::Fields(names) => Some(Filter::new(names, true)),
            SectionPart::FieldsNot(names) => Some(Filter::new(names, false)),
            _ => None,
        }
    }

    /// The part of `length` octets that the client wants: `<offset.length>`, cut at the end.
    fn window(&self, length: u64) -> Range<u64> {
        match self.partial {
            None => 0..length,
            Some((offset, count)) => offset.min(length)..offset.saturating_add(count).min(length),
        }
    }
}

/// Writes the octets of a part: short ones behind what is in `line`, others to the client together with it.
/// `sent` tells whether anything of this response was sent.
///
/// # Errors
/// NO where the message cannot be read and nothing was sent; `Broken` where something was.
pub async fn tell(
    line: &mut Vec<u8>,
    sent: &mut bool,
    out: &mut Output<'_>,
    message: &Message,
    part: &Part<'_>,
) -> Result<(), Failure> {
    let Some(range) = part.locate(message) else {
        line.extend_from_slice(b"NIL");
        return Ok(());
    };
    let result = match part.filter() {
        None => {
            let window = part.window(range.end.saturating_sub(range.start));
            let octets = range.start + window.start..range.start + window.end;
            stream(line, sent, out, message, octets).await
        }
        Some(filter) => tell_fields(line, sent, out, message, part, (range, filter)).await,
    };
    match result {
        Err(Failure::Refused(_)) if *sent => Err(Failure::Broken),
        other => other,
    }
}

/// Octets as they are.
async fn stream(
    line: &mut Vec<u8>,
    sent: &mut bool,
    out: &mut Output<'_>,
    message: &Message,
    octets: Range<u64>,
) -> Result<(), Failure> {
    announce(line, octets.end - octets.start);
    let mut at = octets.start;
    while at < octets.end {
        let piece = read(message, &(at..octets.end))?;
        at += piece.len() as u64;
        if at == octets.end && piece.len() <= PIECE / 2 {
            line.extend_from_slice(&piece);
            return Ok(());
        }
        flush(line, sent, out).await?;
        out.put(&piece).await?;
        // A client that takes everything at once must not keep others from running.
        yield_now().await;
    }
    Ok(())
}

/// A subset of the header's fields.
async fn tell_fields(
    line: &mut Vec<u8>,
    sent: &mut bool,
    out: &mut Output<'_>,
    message: &Message,
    part: &Part<'_>,
    (header, filter): (Range<u64>, Filter<'_>),
) -> Result<(), Failure> {
    let mut kept = Vec::new();
    if header.end - header.start <= PIECE as u64 {
        let mut filter = filter;
        if header.end > header.start {
            filter.feed(&read(message, &header)?, &mut kept);
        }
        filter.finish(&mut kept);
        let window = part.window(kept.len() as u64);
        announce(line, window.end - window.start);
        line.extend_from_slice(slice(&kept, 0, &window));
        return Ok(());
    }
    // A long header is read twice: for the size, and for the octets.
    let mut length = 0;
    pass(message, &header, filter.clone(), &mut kept, |piece| length += piece.len() as u64)?;
    let window = part.window(length);
    announce(line, window.end - window.start);
    flush(line, sent, out).await?;
    let (mut filter, mut at, mut offset) = (filter, header.start, 0);
    while at <= header.end {
        kept.clear();
        if at < header.end {
            let piece = read(message, &(at..header.end))?;
            at += piece.len() as u64;
            filter.feed(&piece, &mut kept);
        } else {
            filter.finish(&mut kept);
            at += 1;
        }
        out.put(slice(&kept, offset, &window)).await?;
        offset += kept.len() as u64;
        yield_now().await;
    }
    Ok(())
}

/// Runs a whole header through a filter.
fn pass(
    message: &Message,
    header: &Range<u64>,
    mut filter: Filter<'_>,
    kept: &mut Vec<u8>,
    mut see: impl FnMut(&[u8]),
) -> Result<(), Failure> {
    let mut at = header.start;
    while at < header.end {
        let piece = read(message, &(at..header.end))?;
        at += piece.len() as u64;
        kept.clear();
        filter.feed(&piece, kept);
        see(kept);
    }
    kept.clear();
    filter.finish(kept);
    see(kept);
    Ok(())
}

/// The next octets of a range, at least one.
pub(super) fn read(message: &Message, octets: &Range<u64>) -> Result<Vec<u8>, Failure> {
    let left = octets.end.saturating_sub(octets.start);
    let max = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
    let piece = message.read(octets.start, max)?;
    if piece.is_empty() {
        // The index and the octets disagree.
        return Err(crate::mailbox::Error::Temporary.into());
    }
    Ok(piece)
}

/// Sends what is in the line.
pub(super) async fn flush(line: &mut Vec<u8>, sent: &mut bool, out: &mut Output<'_>) -> Result<(), Failure> {
    if !line.is_empty() {
        *sent = true;
        out.put(line).await?;
        line.clear();
    }
    Ok(())
}

fn announce(line: &mut Vec<u8>, length: u64) {
    if length == 0 {
        line.extend_from_slice(b"\"\"");
    } else {
        write_number(line, "{", length, "}\r\n");
    }
}

/// What lies in the window of octets that begin at `offset`.
pub(super) fn slice<'a>(octets: &'a [u8], offset: u64, window: &Range<u64>) -> &'a [u8] {
    let within =
        |position: u64| usize::try_from(position.saturating_sub(offset)).unwrap_or(usize::MAX).min(octets.len());
    octets.get(within(window.start)..within(window.end)).unwrap_or_default()
}

/// Keeps some fields of a header that comes in pieces, and the blank line behind it.
#[derive(Clone)]
struct Filter<'a> {
    names: &'a [String],
    /// Whether the named fields are kept, or all others.
    named: bool,
    state: At,
    /// What was read of the field's name.
    name: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the start of a line; tells whether the field before is kept.
    LineStart(bool),
    /// In what may be a field's name.
    Name,
    /// In a line that is kept or not.
    Line(bool),
    /// In the blank line or behind it.
    Blank,
}

impl<'a> Filter<'a> {
    fn new(names: &'a [String], named: bool) -> Self {
        Self { names, named, state: At::LineStart(!named), name: Vec::new() }
    }

    fn feed(&mut self, mut octets: &[u8], kept: &mut Vec<u8>) {
        while let Some(&first) = octets.first() {
            let took = match self.state {
                At::LineStart(keep) => {
                    self.state = match first {
                        b' ' | b'\t' => At::Line(keep),
                        b'\r' | b'\n' => At::Blank,
                        _ => At::Name,
                    };
                    0
                }
                At::Name => self.feed_name(octets, kept),
                At::Line(keep) => {
                    let end = octets.iter().position(|octet| *octet == b'\n').map(|at| at + 1);
                    if end.is_some() {
                        self.state = At::LineStart(keep);
                    }
                    let took = end.unwrap_or(octets.len());
                    if keep {
                        kept.extend_from_slice(octets.get(..took).unwrap_or_default());
                    }
                    took
                }
                At::Blank => {
                    kept.extend_from_slice(octets);
                    octets.len()
                }
            };
            octets = octets.get(took..).unwrap_or_default();
        }
    }

    fn feed_name(&mut self, octets: &[u8], kept: &mut Vec<u8>) -> usize {
        let end = octets.iter().position(|octet| matches!(octet, b':' | b'\r' | b'\n'));
        let room = NAME_MAX.saturating_sub(self.name.len());
        let took = end.unwrap_or(octets.len()).min(room);
        self.name.extend_from_slice(octets.get(..took).unwrap_or_default());
        let is_field = octets.get(took) == Some(&b':');
        if took < octets.len() || took == room {
            self.end_name(is_field, kept);
        }
        took
    }

    /// The name is complete, or is none.
    fn end_name(&mut self, is_field: bool, kept: &mut Vec<u8>) {
        let name = self.name.trim_ascii_end();
        let found = is_field && self.names.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name));
        let keep = found == self.named;
        if keep {
            kept.append(&mut self.name);
        }
        self.name.clear();
        self.state = At::Line(keep);
    }

    fn finish(&mut self, kept: &mut Vec<u8>) {
        if self.state == At::Name {
            self.end_name(false, kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "From: a\r\nSubject: b\r\n\tfolded\r\nX-Long : c\r\nnonsense\r\nTo:d\r\n e\r\n\r\n";

    fn filtered(header: &str, names: &[&str], named: bool, cuts: usize) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (mut filter, mut kept) = (Filter::new(&names, named), Vec::new());
        for piece in header.as_bytes().chunks(cuts) {
            filter.feed(piece, &mut kept);
        }
        filter.finish(&mut kept);
        String::from_utf8(kept).unwrap()
    }

    #[test]
    fn fields_are_kept_whole_and_in_order_however_they_come() {
        for cuts in 1..HEADER.len() {
            assert_eq!(
                filtered(HEADER, &["TO", "subject"], true, cuts),
                "Subject: b\r\n\tfolded\r\nTo:d\r\n e\r\n\r\n"
            );
            assert_eq!(filtered(HEADER, &["x-long"], true, cuts), "X-Long : c\r\n\r\n");
            assert_eq!(filtered(HEADER, &["from", "to", "subject"], false, cuts), "X-Long : c\r\nnonsense\r\n\r\n");
            assert_eq!(filtered(HEADER, &[], false, cuts), HEADER);
            assert_eq!(filtered(HEADER, &["Absent"], true, cuts), "\r\n");
        }
    }

    #[test]
    fn a_header_without_end_or_with_endless_names_is_cut_as_well() {
        assert_eq!(filtered("From: a\r\nTo", &["To"], true, 3), "");
        assert_eq!(filtered("From: a\r\nTo", &["From"], true, 3), "From: a\r\n");
        assert_eq!(filtered("From: a\r\nTo", &["From"], false, 3), "To");
        let long = format!("{}: x\r\n", "n".repeat(1000));
        assert_eq!(filtered(&long, &["n"], false, 7), long);
        assert_eq!(filtered(&long, &["n"], true, 7), "");
        assert_eq!(filtered("", &["n"], true, 7), "");
    }

    #[test]
    fn a_window_is_cut_at_the_end() {
        let section = SectionPart::Full;
        let part = |partial| Part { name: None, path: &[], section: &section, partial };
        assert_eq!(part(None).window(10), 0..10);
        assert_eq!(part(Some((3, 4))).window(10), 3..7);
        assert_eq!(part(Some((8, 4))).window(10), 8..10);
        assert_eq!(part(Some((12, 4))).window(10), 10..10);
        assert_eq!(part(Some((u64::MAX, u64::MAX))).window(10), 10..10);
        assert_eq!(slice(b"abc", 5, &(6..7)), b"b");
        assert_eq!(slice(b"abc", 5, &(0..6)), b"a");
        assert_eq!(slice(b"abc", 5, &(9..12)), b"");
    }

    proptest! {
        #[test]
        fn a_subset_and_its_complement_are_the_header(lines in prop::collection::vec("(a|b|A|bb|)(:|)[ab \t]{0,3}\r\n", 0..8), cuts in 1usize..9) {
            let header: String = lines.concat();
            let (with, without) = (filtered(&header, &["a"], true, cuts), filtered(&header, &["a"], false, cuts));
            let blank = lines.iter().position(|line| line == "\r\n").map_or(0, |at| lines[at..].concat().len());
            prop_assert_eq!(with.len() + without.len(), header.len() + blank);
            prop_assert_eq!(filtered(&header, &["a"], true, header.len().max(1)), with);
        }
    }
}
