//! The body structure (RFC 9051 §7.5.2): how a record keeps it and how it is read.

use super::envelope::Envelope;
use super::mime::{self, ContentType};
use super::packed::{Reader, put_number, put_optional, put_string};
use std::ops::Range;

/// Limit: how deep parts lie in one another. What lies deeper is shown as a part of text.
pub(super) const DEPTH_MAX: usize = 50;

/// The parameters of a part without a usable Content-Type (RFC 2045 §5.2), packed.
const DEFAULT_PARAMETERS: &[u8] = b"\x07charset\x08us-ascii";

/// What a part is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Octets: anything but the two below.
    Leaf,
    /// One part or more.
    Multipart,
    /// A message (message/rfc822, message/global): exactly one child, which has the message's header and body.
    Message,
}

/// A part of a message. Its strings are as they stand in the MIME header, unfolded and without quotes.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// What it is made of.
    pub kind: Kind,
    /// `text` of `text/plain`, in the case in which it was written.
    pub media_type: &'a [u8],
    /// `plain` of `text/plain`.
    pub subtype: &'a [u8],
    /// The parameters of Content-Type; RFC 2231 forms as they are.
    pub parameters: Parameters<'a>,
    /// Content-ID
    pub id: Option<&'a [u8]>,
    /// Content-Description
    pub description: Option<&'a [u8]>,
    /// Content-Transfer-Encoding, `7bit` where there is none.
    pub encoding: &'a [u8],
    /// Content-MD5
    pub md5: Option<&'a [u8]>,
    /// Content-Disposition
    pub disposition: Option<Disposition<'a>>,
    /// Content-Language
    pub languages: Strings<'a>,
    /// Content-Location
    pub location: Option<&'a [u8]>,
    /// Its MIME header with the blank line, counted from the start of the message.
    pub header: Range<u64>,
    /// Its body, counted from the start of the message.
    pub body: Range<u64>,
    /// Line ends in its body.
    pub lines: u64,
    envelope: Option<&'a [u8]>,
    children: Parts<'a>,
}

/// A Content-Disposition (RFC 2183).
#[derive(Clone, Copy, Debug)]
pub struct Disposition<'a> {
    /// `inline`, `attachment`, ...
    pub name: &'a [u8],
    /// Its parameters.
    pub parameters: Parameters<'a>,
}

/// Parameters as pairs of name and value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    reader: Reader<'a>,
}

/// A list of strings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings<'a> {
    reader: Reader<'a>,
}

/// The children of a part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    reader: Reader<'a>,
}

impl Parameters<'_> {
    /// Whether there is no parameter left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }
}

#[allow(clippy::copy_iterator, reason = "a view of a record, two words wide: a copy begins anew")]
impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.reader.string()?, self.reader.string()?))
    }
}

impl Strings<'_> {
    /// Whether there is no string left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }
}

#[allow(clippy::copy_iterator, reason = "a view of a record, two words wide: a copy begins anew")]
impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.reader.string()
    }
}

#[allow(clippy::copy_iterator, reason = "a view of a record, two words wide: a copy begins anew")]
impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        Part::unpack(self.reader.string()?)
    }
}

impl<'a> Part<'a> {
    /// Octets of the body in its transfer encoding.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.body.end.saturating_sub(self.body.start)
    }

    /// The parts of a multipart, or the one message of a message/rfc822 part.
    #[must_use]
    pub const fn children(&self) -> Parts<'a> {
        self.children
    }

    /// The envelope of the message in a message/rfc822 part; None for other parts.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope<'a>> {
        match self.kind {
            Kind::Message => Some(self.children().next()?.envelope.and_then(Envelope::unpack).unwrap_or_default()),
            Kind::Leaf | Kind::Multipart => None,
        }
    }

    /// Whether its media type is this one, in any case.
    #[must_use]
    pub fn is_type(&self, media_type: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type.as_bytes())
    }

    /// The value of a parameter of Content-Type, its name in any case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        let mut parameters = self.parameters;
        parameters.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// A part of which nothing is known but where it lies.
    pub(super) const fn plain(header: Range<u64>, body: Range<u64>) -> Self {
        Self {
            kind: Kind::Leaf,
            media_type: b"text",
            subtype: b"plain",
            parameters: Parameters { reader: Reader::new(DEFAULT_PARAMETERS) },
            id: None,
            description: None,
            encoding: b"7bit",
            md5: None,
            disposition: None,
            languages: Strings { reader: Reader::new(&[]) },
            location: None,
            header,
            body,
            lines: 0,
            envelope: None,
            children: Parts { reader: Reader::new(&[]) },
        }
    }

    /// Reads what [`PartBuf::pack`] made. None only for octets that never were checked.
    pub(super) fn unpack(octets: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        let kind = match reader.octet()? {
            0 => Kind::Leaf,
            1 => Kind::Multipart,
            2 => Kind::Message,
            _ => return None,
        };
        let start = reader.number()?;
        let middle = start.checked_add(reader.number()?)?;
        let end = middle.checked_add(reader.number()?)?;
        let lines = reader.number()?;
        let content = reader.string()?;
        let envelope = reader.optional()?;
        let plain = Self::plain(start..middle, middle..end);
        let mut part = Self { kind, lines, envelope, children: Parts { reader }, ..plain };
        if !content.is_empty() {
            part.unpack_content(Reader::new(content))?;
        }
        Some(part)
    }

    fn unpack_content(&mut self, mut reader: Reader<'a>) -> Option<()> {
        if let Some(media_type) = reader.optional()? {
            self.media_type = media_type;
            self.subtype = reader.string()?;
            self.parameters = Parameters { reader: Reader::new(reader.string()?) };
        }
        self.id = reader.optional()?;
        self.description = reader.optional()?;
        self.encoding = reader.optional()?.unwrap_or(self.encoding);
        self.md5 = reader.optional()?;
        if let Some(name) = reader.optional()? {
            self.disposition =
                Some(Disposition { name, parameters: Parameters { reader: Reader::new(reader.string()?) } });
        }
        self.languages = Strings { reader: Reader::new(reader.string()?) };
        self.location = reader.optional()?;
        Some(())
    }

    /// The end of the body, where these octets are a whole part with all its children, which lie in
    /// one another as they must.
    pub(super) fn check(octets: &'a [u8], within: &Range<u64>, depth: usize) -> Option<u64> {
        let part = Self::unpack(octets)?;
        if part.header.start < within.start || part.body.end > within.end || depth > DEPTH_MAX + 1 {
            return None;
        }
        let disposition = part.disposition.map(|disposition| disposition.parameters).unwrap_or_default();
        let lists_are_whole = is_whole(part.parameters)
            && is_whole(disposition)
            && part.languages.is_whole()
            && part.envelope.is_none_or(Envelope::is_valid);
        if !lists_are_whole {
            return None;
        }
        let mut within = part.body.clone();
        let mut children = part.children.reader;
        let mut count = 0usize;
        while !children.is_empty() {
            // Parts follow one another.
            within.start = Self::check(children.string()?, &within, depth + 1)?;
            count += 1;
        }
        let fits = match part.kind {
            Kind::Leaf => count == 0,
            Kind::Multipart => count > 0,
            Kind::Message => count == 1,
        };
        fits.then_some(part.body.end)
    }
}

/// Whether the list can be read to its end: a damaged entry stops the iteration before.
fn is_whole(mut parameters: Parameters<'_>) -> bool {
    while parameters.next().is_some() {}
    parameters.is_empty()
}

impl Strings<'_> {
    /// Whether the list can be read to its end.
    fn is_whole(mut self) -> bool {
        while self.next().is_some() {}
        self.is_empty()
    }
}

/// The MIME fields of a part in the making, as the header gives them.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) media: Option<ContentType>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) description: Option<Vec<u8>>,
    pub(super) encoding: Option<Vec<u8>>,
    pub(super) md5: Option<Vec<u8>>,
    pub(super) disposition: Option<(Vec<u8>, mime::Pairs)>,
    pub(super) languages: Vec<Vec<u8>>,
    pub(super) location: Option<Vec<u8>>,
}

impl Content {
    /// Its packed form; empty where there is nothing but defaults.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.media {
            None => out.push(0),
            Some(content) => {
                put_optional(&mut out, Some(&content.media_type));
                put_string(&mut out, &content.subtype);
                put_parameters(&mut out, &content.parameters);
            }
        }
        for string in [&self.id, &self.description, &self.encoding, &self.md5] {
            put_optional(&mut out, string.as_deref());
        }
        match &self.disposition {
            None => out.push(0),
            Some((name, parameters)) => {
                put_optional(&mut out, Some(name));
                put_parameters(&mut out, parameters);
            }
        }
        let mut languages = Vec::new();
        self.languages.iter().for_each(|language| put_string(&mut languages, language));
        put_string(&mut out, &languages);
        put_optional(&mut out, self.location.as_deref());
        if out.iter().all(|octet| *octet == 0) { Vec::new() } else { out }
    }
}

impl Content {
    /// Packed fields but for the content type.
    fn without_type(packed: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(packed);
        if reader.optional().flatten().is_some() {
            let _ = (reader.string(), reader.string());
        }
        [&[0], reader.rest()].concat()
    }
}

fn put_parameters(out: &mut Vec<u8>, parameters: &[(Vec<u8>, Vec<u8>)]) {
    let mut list = Vec::new();
    for (name, value) in parameters {
        put_string(&mut list, name);
        put_string(&mut list, value);
    }
    put_string(out, &list);
}

/// A part in the making.
#[derive(Clone, Debug)]
pub(super) struct PartBuf {
    pub(super) kind: Kind,
    pub(super) header_start: u64,
    pub(super) body_start: u64,
    pub(super) body_end: u64,
    pub(super) lines: u64,
    /// [`Content::pack`]
    pub(super) content: Vec<u8>,
    /// The envelope where the header is that of a message.
    pub(super) envelope: Option<Vec<u8>>,
    /// Indices in the list of all parts.
    pub(super) children: Vec<usize>,
}

impl PartBuf {
    /// A part whose header begins at `start`, and which is empty so far.
    pub(super) const fn new(start: u64) -> Self {
        Self {
            kind: Kind::Leaf,
            header_start: start,
            body_start: start,
            body_end: start,
            lines: 0,
            content: Vec::new(),
            envelope: None,
            children: Vec::new(),
        }
    }

    /// The body is complete.
    pub(super) fn close(&mut self, end: u64, lines: u64) {
        self.body_end = end;
        self.lines = lines;
        // A multipart in which no delimiter came is what can be seen of it: text.
        if self.kind == Kind::Multipart && self.children.is_empty() {
            self.kind = Kind::Leaf;
            self.content = Content::without_type(&self.content);
        }
    }

    /// Packs the part `index` of `parts` and all below it. Recursion ends at [`DEPTH_MAX`].
    pub(super) fn pack(parts: &[Self], index: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(part) = parts.get(index) else {
            return out;
        };
        out.push(match part.kind {
            Kind::Leaf => 0,
            Kind::Multipart => 1,
            Kind::Message => 2,
        });
        put_number(&mut out, part.header_start);
        put_number(&mut out, part.body_start - part.header_start);
        put_number(&mut out, part.body_end - part.body_start);
        put_number(&mut out, part.lines);
        put_string(&mut out, &part.content);
        put_optional(&mut out, part.envelope.as_deref());
        for child in &part.children {
            put_string(&mut out, &Self::pack(parts, *child));
        }
        out
    }
}
