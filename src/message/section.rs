//! Part numbers and section specifications (RFC 9051 §6.4.5.1).

use super::structure::{Kind, Part};
use std::ops::Range;

/// Which octets of a message or part a section names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// `BODY[]`: the message with its header; `BODY[n]`: a part's body.
    Full,
    /// `HEADER`, also of `HEADER.FIELDS`: the header of the message or of the message inside a message/rfc822 part.
    Header,
    /// `TEXT`: the body of the message or of the message inside a message/rfc822 part.
    Text,
    /// `MIME`: the MIME header of a part.
    Mime,
}

/// The octets that a section names, counted from the start of the message; None where there is no such section.
pub(super) fn section(root: Part<'_>, path: &[u32], kind: SectionKind) -> Option<Range<u64>> {
    if path.is_empty() {
        return match kind {
            SectionKind::Full => Some(root.header.start..root.body.end),
            SectionKind::Header => Some(root.header),
            SectionKind::Text => Some(root.body),
            SectionKind::Mime => None,
        };
    }
    let part = part(root, path)?;
    match kind {
        SectionKind::Full => Some(part.body),
        SectionKind::Mime => Some(part.header),
        SectionKind::Header => Some(inner_message(&part)?.header),
        SectionKind::Text => Some(inner_message(&part)?.body),
    }
}

/// The part with that number.
pub(super) fn part<'a>(root: Part<'a>, path: &[u32]) -> Option<Part<'a>> {
    let mut path = path.iter();
    let mut part = of_message(root, *path.next()?)?;
    for &number in path {
        part = match part.kind {
            Kind::Leaf => return None,
            Kind::Multipart => child(&part, number)?,
            Kind::Message => of_message(inner_message(&part)?, number)?,
        };
    }
    Some(part)
}

/// Part `number` of a message whose body is `body`: a message that is not multipart has a part 1.
fn of_message(body: Part<'_>, number: u32) -> Option<Part<'_>> {
    match body.kind {
        Kind::Multipart => child(&body, number),
        Kind::Leaf | Kind::Message => (number == 1).then_some(body),
    }
}

fn child<'a>(part: &Part<'a>, number: u32) -> Option<Part<'a>> {
    part.children().nth(usize::try_from(number.checked_sub(1)?).ok()?)
}

fn inner_message<'a>(part: &Part<'a>) -> Option<Part<'a>> {
    match part.kind {
        Kind::Message => part.children().next(),
        Kind::Leaf | Kind::Multipart => None,
    }
}
