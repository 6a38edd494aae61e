//! The record of a message: what FETCH and SEARCH ask for most, in one compact buffer.
//!
//! Octet 0 is the version (1). Behind it sections follow, each a tag and a string (see `packed`):
//!
//! | tag | section | contents |
//! |---|---|---|
//! | 1 | basics | flags (1: a date follows, 2: header fields were cut or come twice, 4: the message has a header), header length, body length, lines; date: zone + 1440, seconds as zigzag |
//! | 2 | envelope | Date, Subject, In-Reply-To, Message-ID as optional strings; From, Sender, Reply-To, To, Cc, Bcc as strings of addresses, each name, adl, mailbox, host as optional strings |
//! | 3 | references | the unfolded References field; the section is missing where the field is |
//! | 4 | structure | the root part: kind, header start, header length, body length, lines, content, envelope, children |
//!
//! Readers pass over tags they do not know, so that sections can be added without a new version.

use super::envelope::Envelope;
use super::packed::{Reader, put_number, put_string};
use super::section::{SectionKind, part, section};
use super::structure::Part;
use crate::types::DateTime;
use std::fmt;
use std::ops::Range;

const VERSION: u8 = 1;
const BASICS: u64 = 1;
const ENVELOPE: u64 = 2;
const REFERENCES: u64 = 3;
const STRUCTURE: u64 = 4;

const HAS_DATE: u8 = 1;
const INEXACT: u8 = 2;
const HAS_HEADER: u8 = 4;

/// Envelope, structure and offsets of a message in one compact, owned buffer.
///
/// Invariant: the buffer was checked when this was made, so that reading it cannot fail.
/// All offsets count from the start of the message as it came, behind any header that delivery added.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    octets: Vec<u8>,
    basics: Basics,
    envelope: Range<usize>,
    references: Option<Range<usize>>,
    structure: Range<usize>,
}

/// Why octets are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// They are of another version: the message has to be scanned again.
    Version(u8),
    /// They are damaged.
    Damaged,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "message record of unknown version {version}"),
            Self::Damaged => f.write_str("message record is damaged"),
        }
    }
}

impl std::error::Error for RecordError {}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No text of the message: this may reach a log.
        f.debug_struct("Record")
            .field("octets", &self.octets.len())
            .field("basics", &self.basics)
            .finish_non_exhaustive()
    }
}

/// What SEARCH, SORT and THREAD ask a record for, read where it lies.
///
/// The structure is not looked at, and address lists are only checked as far as they are read: whoever borrows the
/// octets has compared their checksum, so that what is read here is what the scanner wrote.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// See [`Record::sent_date`].
    pub sent_date: Option<DateTime>,
    /// See [`Record::is_exact`].
    pub is_exact: bool,
    /// See [`Record::envelope`].
    pub envelope: Envelope<'a>,
    /// See [`Record::references`].
    pub references: Option<&'a [u8]>,
}

impl<'a> Summary<'a> {
    /// Reads the octets of a record.
    ///
    /// # Errors
    /// [`RecordError`] where they are not a record of this version.
    pub fn read(octets: &'a [u8]) -> Result<Self, RecordError> {
        let (version, rest) = octets.split_first().ok_or(RecordError::Damaged)?;
        if *version != VERSION {
            return Err(RecordError::Version(*version));
        }
        let sections = Sections::find(rest, octets.len()).ok_or(RecordError::Damaged)?;
        let Sections { basics, envelope, references, .. } = sections;
        let envelope = octets.get(envelope).and_then(Envelope::unpack).ok_or(RecordError::Damaged)?;
        let references = references.and_then(|range| octets.get(range));
        Ok(Self { sent_date: basics.date, is_exact: !basics.inexact, envelope, references })
    }
}

/// The numbers of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Basics {
    pub(super) header_len: u64,
    pub(super) body_len: u64,
    pub(super) lines: u64,
    pub(super) date: Option<DateTime>,
    pub(super) inexact: bool,
    pub(super) has_header: bool,
}

impl Record {
    /// Puts a record together; envelope and structure are packed already, and valid.
    pub(super) fn assemble(basics: Basics, envelope: &[u8], references: Option<&[u8]>, structure: &[u8]) -> Self {
        let mut octets = Vec::with_capacity(64 + envelope.len() + references.map_or(0, <[u8]>::len) + structure.len());
        octets.push(VERSION);
        let mut put = |tag, contents: &[u8]| {
            put_number(&mut octets, tag);
            put_string(&mut octets, contents);
            octets.len() - contents.len()..octets.len()
        };
        put(BASICS, &basics.pack());
        let envelope = put(ENVELOPE, envelope);
        let references = references.map(|references| put(REFERENCES, references));
        let structure = put(STRUCTURE, structure);
        let record = Self { octets, basics, envelope, references, structure };
        debug_assert!(record.is_valid(), "the scanner makes valid records");
        record
    }

    /// The octets to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// Takes octets that were stored, and checks them once for all.
    ///
    /// # Errors
    /// [`RecordError`] where they are not a whole record of this version.
    pub fn from_bytes(octets: Vec<u8>) -> Result<Self, RecordError> {
        let (version, rest) = octets.split_first().ok_or(RecordError::Damaged)?;
        if *version != VERSION {
            return Err(RecordError::Version(*version));
        }
        let sections = Sections::find(rest, octets.len()).ok_or(RecordError::Damaged)?;
        let record = Self {
            basics: sections.basics,
            envelope: sections.envelope,
            references: sections.references,
            structure: sections.structure,
            octets,
        };
        if record.is_valid() { Ok(record) } else { Err(RecordError::Damaged) }
    }

    fn is_valid(&self) -> bool {
        let Some(size) = self.basics.header_len.checked_add(self.basics.body_len) else {
            return false;
        };
        let structure = self.slice(&self.structure);
        Envelope::is_valid(self.slice(&self.envelope))
            && Part::check(structure, &(0..size), 0).is_some()
            && Part::unpack(structure).is_some_and(|root| {
                root.header == (0..self.basics.header_len) && root.body == (self.basics.header_len..size)
            })
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.octets.get(range.clone()).unwrap_or_default()
    }

    /// The parts that are asked for most.
    #[must_use]
    pub fn summary(&self) -> Summary<'_> {
        Summary {
            sent_date: self.sent_date(),
            is_exact: self.is_exact(),
            envelope: self.envelope(),
            references: self.references(),
        }
    }

    /// Octets of the message's header with its blank line; 0 where it has no header.
    #[must_use]
    pub const fn header_len(&self) -> u64 {
        self.basics.header_len
    }

    /// Octets behind the header.
    #[must_use]
    pub const fn body_len(&self) -> u64 {
        self.basics.body_len
    }

    /// Line ends behind the header.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.basics.lines
    }

    /// Whether the message begins with a header, if only a blank line.
    #[must_use]
    pub const fn has_header(&self) -> bool {
        self.basics.has_header
    }

    /// Whether the envelope has all of the fields that it is made from. If not, fields were cut at a
    /// limit or one that should come once came again, and only the header tells all.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        !self.basics.inexact
    }

    /// The envelope.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope::unpack(self.slice(&self.envelope)).unwrap_or_default()
    }

    /// The References field, unfolded.
    #[must_use]
    pub fn references(&self) -> Option<&[u8]> {
        self.references.as_ref().map(|range| self.slice(range))
    }

    /// The Date field as a moment, where it can be read.
    #[must_use]
    pub const fn sent_date(&self) -> Option<DateTime> {
        self.basics.date
    }

    /// The root of the body structure.
    #[must_use]
    pub fn structure(&self) -> Part<'_> {
        Part::unpack(self.slice(&self.structure)).unwrap_or_else(|| {
            let Basics { header_len, body_len, .. } = self.basics;
            Part::plain(0..header_len, header_len..header_len.saturating_add(body_len))
        })
    }

    /// The part with that number (RFC 9051 §6.4.5.1); None where there is none.
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<Part<'_>> {
        part(self.structure(), path)
    }

    /// The octets that a section names; None where the message has no such section.
    #[must_use]
    pub fn section(&self, path: &[u32], kind: SectionKind) -> Option<Range<u64>> {
        section(self.structure(), path, kind)
    }
}

impl Basics {
    fn pack(&self) -> Vec<u8> {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let mut out =
            vec![flag(self.date.is_some(), HAS_DATE) | flag(self.inexact, INEXACT) | flag(self.has_header, HAS_HEADER)];
        for number in [self.header_len, self.body_len, self.lines] {
            put_number(&mut out, number);
        }
        if let Some(date) = self.date {
            put_number(&mut out, u64::from((date.zone + ZONE_MAX).unsigned_abs()));
            put_number(&mut out, ((date.seconds << 1) ^ (date.seconds >> 63)).cast_unsigned());
        }
        out
    }

    fn unpack(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        let flags = reader.octet()?;
        let [header_len, body_len, lines] = [reader.number()?, reader.number()?, reader.number()?];
        let date = if flags & HAS_DATE == 0 {
            None
        } else {
            let zone = i16::try_from(reader.number()?).ok()?.checked_sub(ZONE_MAX)?;
            let zigzag = reader.number()?;
            let seconds = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            (seconds.unsigned_abs() < SECONDS_MAX).then_some(DateTime { seconds, zone })
        };
        Some(Self {
            header_len,
            body_len,
            lines,
            date,
            inexact: flags & INEXACT != 0,
            has_header: flags & HAS_HEADER != 0,
        })
    }
}

/// Minutes of a day: no zone is farther from UTC.
const ZONE_MAX: i16 = 1440;

/// Far behind year 9999: sums with it do not overflow.
const SECONDS_MAX: u64 = 1 << 40;

struct Sections {
    basics: Basics,
    envelope: Range<usize>,
    references: Option<Range<usize>>,
    structure: Range<usize>,
}

impl Sections {
    /// Finds the sections in what stands behind the version octet of `total` octets.
    fn find(rest: &[u8], total: usize) -> Option<Self> {
        let mut reader = Reader::new(rest);
        let (mut basics, mut envelope, mut references, mut structure) = (None, None, None, None);
        while !reader.is_empty() {
            let tag = reader.number()?;
            let contents = reader.string()?;
            let end = total - reader.len();
            let range = end - contents.len()..end;
            match tag {
                BASICS => basics = Some(Basics::unpack(contents)?),
                ENVELOPE => envelope = Some(range),
                REFERENCES => references = Some(range),
                STRUCTURE => structure = Some(range),
                _ => {}
            }
        }
        Some(Self { basics: basics?, envelope: envelope?, references, structure: structure? })
    }
}
