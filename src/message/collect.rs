//! Collects from one header block what a record keeps of it.

use super::address::each_address;
use super::date::parse_date;
use super::envelope::{EnvelopeBuf, put_address};
use super::mime::{self, ContentType};
use super::parameter::extended;
use super::structure::{Content, Kind};
use crate::types::DateTime;
use memchr::memchr;

/// Limit: octets of one field that are read; what follows is passed over.
const FIELD_MAX: usize = 64 * 1024;

/// Limit: octets of all envelope fields of one header block that are read.
const ENVELOPE_MAX: usize = 128 * 1024;

/// Limit: octets of all MIME fields of one header block that are read.
const MIME_MAX: usize = 64 * 1024;

/// Limit: addresses of one header block.
const ADDRESSES_MAX: usize = 4096;

/// The fields that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    References,
    ContentType,
    ContentId,
    ContentDescription,
    ContentEncoding,
    ContentMd5,
    ContentDisposition,
    ContentLanguage,
    ContentLocation,
}

const NAMES: [(&[u8], Name); 19] = [
    (b"To", Name::To),
    (b"Cc", Name::Cc),
    (b"Bcc", Name::Bcc),
    (b"From", Name::From),
    (b"Date", Name::Date),
    (b"Sender", Name::Sender),
    (b"Subject", Name::Subject),
    (b"Reply-To", Name::ReplyTo),
    (b"Message-ID", Name::MessageId),
    (b"References", Name::References),
    (b"In-Reply-To", Name::InReplyTo),
    (b"Content-ID", Name::ContentId),
    (b"Content-MD5", Name::ContentMd5),
    (b"Content-Type", Name::ContentType),
    (b"Content-Language", Name::ContentLanguage),
    (b"Content-Location", Name::ContentLocation),
    (b"Content-Description", Name::ContentDescription),
    (b"Content-Disposition", Name::ContentDisposition),
    (b"Content-Transfer-Encoding", Name::ContentEncoding),
];

impl Name {
    fn find(name: &[u8]) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, name)| *name)
    }

    const fn is_mime(self) -> bool {
        matches!(
            self,
            Self::ContentType
                | Self::ContentId
                | Self::ContentDescription
                | Self::ContentEncoding
                | Self::ContentMd5
                | Self::ContentDisposition
                | Self::ContentLanguage
                | Self::ContentLocation
        )
    }
}

/// Reads the fields of one header block.
#[derive(Debug)]
pub(super) struct Collector {
    current: Option<Name>,
    /// The unfolded value of the current field.
    value: Vec<u8>,
    /// Octets of that before the last line that was no field.
    broken_at: usize,
    /// Octets of all values of envelope fields that may still be read.
    envelope_left: usize,
    /// Octets of all values of MIME fields that may still be read.
    mime_left: usize,
    addresses: usize,
    is_message: bool,
    has_content_type: bool,
    fields: Collected,
}

/// What a header block gave.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) kind: Kind,
    pub(super) boundary: Option<Vec<u8>>,
    pub(super) is_digest: bool,
    pub(super) content: Content,
    /// Only of a message's header.
    pub(super) envelope: Option<EnvelopeBuf>,
    pub(super) references: Option<Vec<u8>>,
    pub(super) date: Option<DateTime>,
    /// Fields were cut, or one that should come once came again.
    pub(super) inexact: bool,
}

impl Collector {
    /// For the header of a message, or of a part that is none.
    pub(super) fn new(is_message: bool) -> Self {
        Self {
            current: None,
            value: Vec::new(),
            broken_at: 0,
            envelope_left: ENVELOPE_MAX,
            mime_left: MIME_MAX,
            addresses: 0,
            is_message,
            has_content_type: false,
            fields: Collected {
                kind: Kind::Leaf,
                boundary: None,
                is_digest: false,
                content: Content::default(),
                envelope: is_message.then(EnvelopeBuf::default),
                references: None,
                date: None,
                inexact: false,
            },
        }
    }

    pub(super) const fn is_message(&self) -> bool {
        self.is_message
    }

    /// A field begins; `value` is what stands behind the colon in its first line.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        self.end_field();
        self.current = Name::find(name).filter(|name| self.is_message || name.is_mime());
        self.continuation(value);
    }

    /// A further line of the field.
    pub(super) fn continuation(&mut self, line: &[u8]) {
        let Some(name) = self.current else { return };
        let left = if name.is_mime() { &mut self.mime_left } else { &mut self.envelope_left };
        let free = (FIELD_MAX - self.value.len()).min(*left);
        let kept = line.get(..free).unwrap_or(line);
        *left -= kept.len();
        self.fields.inexact |= kept.len() < line.len();
        self.value.extend_from_slice(kept);
    }

    /// A line that is no field: a continuation that lost its white space, unless [`Self::drop_broken`] follows.
    pub(super) fn broken(&mut self, line: &[u8]) {
        self.broken_at = self.value.len();
        self.continuation(b" ");
        self.continuation(line);
    }

    /// The line given last to [`Self::broken`] is none of the header.
    pub(super) fn drop_broken(&mut self) {
        self.value.truncate(self.broken_at);
    }

    /// The header block is complete. In a digest a part without Content-Type is a message (RFC 2046 §5.1.5).
    pub(super) fn finish(mut self, in_digest: bool) -> Collected {
        self.end_field();
        let mut fields = self.fields;
        if in_digest && !self.has_content_type {
            fields.content.media = Some(ContentType {
                media_type: b"message".to_vec(),
                subtype: b"rfc822".to_vec(),
                parameters: Vec::new(),
            });
        }
        if let Some(content) = &fields.content.media {
            let is = |kind: &[u8], name: &str| kind.eq_ignore_ascii_case(name.as_bytes());
            if is(&content.media_type, "multipart") {
                fields.kind = Kind::Multipart;
                fields.is_digest = is(&content.subtype, "digest");
                fields.boundary = boundary(content);
            } else if is(&content.media_type, "message") && is(&content.subtype, "rfc822") {
                fields.kind = Kind::Message;
            } else if is(&content.media_type, "message") && is(&content.subtype, "global") {
                // It may be encoded (RFC 6532 §3.7), unlike message/rfc822: then it is no message until it is decoded.
                let encoding = fields.content.encoding.as_deref().unwrap_or(b"7bit");
                let plain = ["7bit", "8bit", "binary"].iter().any(|name| is(encoding, name));
                fields.kind = if plain { Kind::Message } else { Kind::Leaf };
            }
        }
        fields
    }

    fn end_field(&mut self) {
        let Some(name) = self.current.take() else {
            return;
        };
        let mut value = std::mem::take(&mut self.value);
        if memchr(0, &value).is_some() {
            // IMAP strings cannot hold NUL.
            value.iter_mut().filter(|octet| **octet == 0).for_each(|octet| *octet = b' ');
        }
        let value = value.trim_ascii();
        match name {
            Name::From | Name::Sender | Name::ReplyTo | Name::To | Name::Cc | Name::Bcc => {
                self.end_addresses(name, value);
            }
            Name::Date | Name::Subject | Name::InReplyTo | Name::MessageId | Name::References => {
                self.end_string(name, value);
            }
            _ => self.end_mime(name, value),
        }
    }

    fn end_addresses(&mut self, name: Name, value: &[u8]) {
        let Some(envelope) = &mut self.fields.envelope else {
            return;
        };
        let list = match name {
            Name::From => &mut envelope.from,
            Name::Sender => &mut envelope.sender,
            Name::ReplyTo => &mut envelope.reply_to,
            Name::To => &mut envelope.to,
            Name::Cc => &mut envelope.cc,
            _ => &mut envelope.bcc,
        };
        let mut count = 0;
        each_address(value, ADDRESSES_MAX.saturating_sub(self.addresses), |address| {
            count += 1;
            put_address(list, &address);
        });
        self.addresses += count;
        self.fields.inexact |= self.addresses >= ADDRESSES_MAX;
    }

    fn end_string(&mut self, name: Name, value: &[u8]) {
        let Some(envelope) = &mut self.fields.envelope else {
            return;
        };
        let string = match name {
            Name::Date => &mut envelope.date,
            Name::Subject => &mut envelope.subject,
            Name::InReplyTo => &mut envelope.in_reply_to,
            Name::MessageId => &mut envelope.message_id,
            _ => &mut self.fields.references,
        };
        if string.is_some() {
            self.fields.inexact = true;
            return;
        }
        *string = Some(value.to_vec());
        if name == Name::Date {
            self.fields.date = parse_date(value);
        }
    }

    fn end_mime(&mut self, name: Name, value: &[u8]) {
        let content = &mut self.fields.content;
        let string = match name {
            Name::ContentType => {
                self.has_content_type = true;
                if content.media.is_none() {
                    content.media = mime::content_type(value);
                }
                return;
            }
            Name::ContentEncoding => {
                if content.encoding.is_none() {
                    content.encoding = mime::word(value);
                }
                return;
            }
            Name::ContentDisposition => {
                if content.disposition.is_none() {
                    content.disposition = mime::disposition(value);
                }
                return;
            }
            Name::ContentLanguage => {
                if content.languages.is_empty() {
                    content.languages = mime::languages(value);
                }
                return;
            }
            Name::ContentId => &mut content.id,
            Name::ContentDescription => &mut content.description,
            Name::ContentMd5 => &mut content.md5,
            _ => &mut content.location,
        };
        if string.is_none() && !value.is_empty() {
            *string = Some(value.to_vec());
        }
    }
}

/// The boundary of a multipart; also one that is cut into pieces or encoded (RFC 2231 §3, §4).
fn boundary(content: &ContentType) -> Option<Vec<u8>> {
    let find = |name: &str| {
        let found = content.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| &value[..])
    };
    let piece = |at: usize| {
        let name = format!("boundary*{at}");
        find(&name).map(<[u8]>::to_vec).or_else(|| find(&format!("{name}*")).map(|value| extended(value, at == 0)))
    };
    let whole = match (find("boundary"), find("boundary*")) {
        (Some(boundary), _) => boundary.to_vec(),
        (None, Some(value)) => extended(value, true),
        (None, None) => (0..content.parameters.len()).map_while(piece).collect::<Vec<_>>().concat(),
    };
    let boundary = whole.trim_ascii_end();
    (!boundary.is_empty()).then(|| boundary.to_vec())
}
