//! A query as it is evaluated: cheap keys first, texts folded once, and answers of "not known yet".

use super::Query;
use crate::mailbox::Row;
use crate::message::text::{Needle, fold_into};
use crate::message::words::decode_words_into;
use crate::message::{Addresses, Summary};
use crate::types::{ContentId, DateTime, ModSeq, SystemFlags, UidSet};

/// Signs of an address list that an envelope does not keep as they were written.
const ADDRESS_SIGNS: &[u8] = b"\"\\()<>,;:[]";

/// A query in the form in which it is evaluated.
pub(super) struct Plan {
    root: Node,
    texts: Vec<Wanted>,
}

/// What is known of the texts in one message, and room to decode and fold its fields in.
pub(super) struct Known {
    texts: Vec<Option<bool>>,
    decoded: String,
    folded: String,
}

impl Known {
    /// For the next message.
    pub(super) fn clear(&mut self) {
        self.texts.fill(None);
    }

    pub(super) fn get(&self, index: usize) -> Option<bool> {
        self.texts.get(index).copied().flatten()
    }

    /// The place for an answer that is not known yet.
    pub(super) fn unknown(&mut self, index: usize) -> Option<&mut Option<bool>> {
        self.texts.get_mut(index).filter(|slot| slot.is_none())
    }
}

/// A text to look for.
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) needle: Needle,
}

/// Where a text has to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a field of that name.
    Header(String),
    /// BODY
    Body,
    /// TEXT
    Text,
}

enum Node {
    Constant(bool),
    Uids(UidSet),
    ModSeq(ModSeq),
    Flag(SystemFlags, bool),
    Keyword(u128, bool),
    Internal(Day),
    NotAfter(i64),
    NotBefore(i64),
    Sent(Day),
    Saved(Day),
    Content(ContentId),
    Larger(u64),
    Smaller(u64),
    /// Index of a text.
    Text(usize),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// A day to compare with, in days since 1970-01-01.
#[derive(Clone, Copy)]
enum Day {
    Before(i32),
    On(i32),
    Since(i32),
}

/// What has to be read to evaluate a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Row,
    Record,
    Header,
    Body,
}

impl Plan {
    pub(super) fn new(query: &Query, keywords: &[String]) -> Self {
        let mut texts = Vec::new();
        let root = Node::new(query, keywords, &mut texts);
        Self { root, texts }
    }

    /// The texts that cannot be found in a row.
    pub(super) fn texts(&self) -> &[Wanted] {
        &self.texts
    }

    /// Nothing is known of any text.
    pub(super) fn nothing_known(&self) -> Known {
        Known { texts: vec![None; self.texts.len()], decoded: String::new(), folded: String::new() }
    }

    /// Those of `among` that may match, as far as the query names UIDs.
    pub(super) fn narrow(&self, among: &UidSet) -> UidSet {
        let keys = match &self.root {
            Node::All(keys) => keys.as_slice(),
            Node::Constant(false) => return UidSet::new(),
            root => std::slice::from_ref(root),
        };
        keys.iter().fold(among.clone(), |among, key| match key {
            Node::Uids(uids) => among.intersection(uids),
            _ => among,
        })
    }

    /// Whether the message matches, where row, record and the texts that are known tell.
    pub(super) fn decide(&self, row: &Row, record: Option<&Summary<'_>>, known: &mut Known) -> Option<bool> {
        self.evaluate(&self.root, row, record, known)
    }

    /// The texts that are not known and on which the answer may depend.
    pub(super) fn open_texts(&self, row: &Row, record: &Summary<'_>, known: &mut Known) -> Vec<usize> {
        let mut open = Vec::new();
        self.find_open(&self.root, row, record, known, &mut open);
        open
    }

    fn evaluate(&self, node: &Node, row: &Row, record: Option<&Summary<'_>>, known: &mut Known) -> Option<bool> {
        match node {
            Node::Constant(value) => Some(*value),
            Node::Uids(uids) => Some(uids.contains(row.uid.0)),
            Node::ModSeq(modseq) => Some(row.modseq >= *modseq),
            Node::Flag(flag, set) => Some(row.flags.contains(*flag) == *set),
            Node::Keyword(bit, set) => Some((row.keywords.0 & bit != 0) == *set),
            Node::NotAfter(seconds) => Some(row.internal_date.seconds <= *seconds),
            Node::NotBefore(seconds) => Some(row.internal_date.seconds >= *seconds),
            Node::Internal(day) => Some(day.fits(row.internal_date)),
            Node::Sent(day) => Some(record?.sent_date.is_some_and(|date| day.fits(date))),
            Node::Saved(day) => Some(day.fits(row.save_time())),
            Node::Content(content) => Some(row.content == *content),
            Node::Larger(size) => Some(row.size > *size),
            Node::Smaller(size) => Some(row.size < *size),
            Node::Text(index) => {
                if known.get(*index).is_none() {
                    let answer = self.texts.get(*index)?.in_record(record?, known);
                    *known.texts.get_mut(*index)? = answer;
                }
                known.get(*index)
            }
            Node::Not(key) => self.evaluate(key, row, record, known).map(|value| !value),
            Node::All(keys) => self.evaluate_list(keys, false, row, record, known),
            Node::Any(keys) => self.evaluate_list(keys, true, row, record, known),
        }
    }

    /// `decides` where one key is so; else the contrary where all are known.
    fn evaluate_list(
        &self,
        keys: &[Node],
        decides: bool,
        row: &Row,
        record: Option<&Summary<'_>>,
        known: &mut Known,
    ) -> Option<bool> {
        let mut answer = Some(!decides);
        for key in keys {
            match self.evaluate(key, row, record, known) {
                Some(value) if value == decides => return Some(decides),
                Some(_) => {}
                None => answer = None,
            }
        }
        answer
    }

    fn find_open(&self, node: &Node, row: &Row, record: &Summary<'_>, known: &mut Known, open: &mut Vec<usize>) {
        if self.evaluate(node, row, Some(record), known).is_some() {
            return;
        }
        match node {
            Node::Text(index) => open.push(*index),
            Node::Not(key) => self.find_open(key, row, record, known, open),
            Node::All(keys) | Node::Any(keys) => {
                for key in keys {
                    self.find_open(key, row, record, known, open);
                }
            }
            _ => {}
        }
    }
}

impl Node {
    fn new(query: &Query, keywords: &[String], texts: &mut Vec<Wanted>) -> Self {
        match query {
            Query::All => Self::Constant(true),
            Query::Uids(uids) => Self::Uids(uids.clone()),
            Query::ModSeq(modseq) => Self::ModSeq(*modseq),
            Query::Flag { flag, set } => Self::Flag(*flag, *set),
            Query::Keyword { keyword, set } => {
                match keywords.iter().position(|name| name.eq_ignore_ascii_case(keyword)) {
                    Some(bit) => {
                        let bit = u32::try_from(bit).ok().and_then(|bit| 1u128.checked_shl(bit)).unwrap_or(0);
                        Self::Keyword(bit, *set)
                    }
                    None => Self::Constant(!set),
                }
            }
            Query::Before(day) => Self::Internal(Day::Before(*day)),
            Query::On(day) => Self::Internal(Day::On(*day)),
            Query::Since(day) => Self::Internal(Day::Since(*day)),
            Query::NotAfter(seconds) => Self::NotAfter(*seconds),
            Query::NotBefore(seconds) => Self::NotBefore(*seconds),
            Query::SentBefore(day) => Self::Sent(Day::Before(*day)),
            Query::SentOn(day) => Self::Sent(Day::On(*day)),
            Query::SentSince(day) => Self::Sent(Day::Since(*day)),
            Query::SavedBefore(day) => Self::Saved(Day::Before(*day)),
            Query::SavedOn(day) => Self::Saved(Day::On(*day)),
            Query::SavedSince(day) => Self::Saved(Day::Since(*day)),
            Query::Content(content) => Self::Content(*content),
            Query::Larger(size) => Self::Larger(*size),
            Query::Smaller(size) => Self::Smaller(*size),
            Query::Header { field, text } => Self::text(Place::Header(field.to_ascii_lowercase()), text, texts),
            // The empty text is in every body.
            Query::Body(text) | Query::Text(text) if text.is_empty() => Self::Constant(true),
            Query::Body(text) => Self::text(Place::Body, text, texts),
            Query::Text(text) => Self::text(Place::Text, text, texts),
            Query::Not(key) => Self::Not(Box::new(Self::new(key, keywords, texts))),
            Query::Or(left, right) => {
                let keys = vec![Self::new(left, keywords, texts), Self::new(right, keywords, texts)];
                Self::Any(Self::cheapest_first(keys, texts))
            }
            Query::And(keys) => {
                let keys = keys.iter().map(|key| Self::new(key, keywords, texts)).collect();
                Self::All(Self::cheapest_first(keys, texts))
            }
        }
    }

    fn text(place: Place, text: &str, texts: &mut Vec<Wanted>) -> Self {
        texts.push(Wanted { place, needle: Needle::new(text) });
        Self::Text(texts.len() - 1)
    }

    fn cheapest_first(mut keys: Vec<Self>, texts: &[Wanted]) -> Vec<Self> {
        keys.sort_by_cached_key(|key| key.cost(texts));
        keys
    }

    fn cost(&self, texts: &[Wanted]) -> Cost {
        match self {
            Self::Sent(_) => Cost::Record,
            Self::Text(index) => texts.get(*index).map_or(Cost::Body, Wanted::cost),
            Self::Not(key) => key.cost(texts),
            Self::All(keys) | Self::Any(keys) => keys.iter().map(|key| key.cost(texts)).max().unwrap_or(Cost::Row),
            _ => Cost::Row,
        }
    }
}

impl Day {
    /// Compares with the calendar day in the date's own zone.
    fn fits(self, date: DateTime) -> bool {
        let local = date.seconds.saturating_add(i64::from(date.zone) * 60);
        let day = local.div_euclid(86_400);
        match self {
            Self::Before(other) => day < i64::from(other),
            Self::On(other) => day == i64::from(other),
            Self::Since(other) => day >= i64::from(other),
        }
    }
}

impl Wanted {
    fn cost(&self) -> Cost {
        match &self.place {
            Place::Header(field) => match field.as_str() {
                "from" | "to" | "cc" | "bcc" | "subject" | "message-id" | "in-reply-to" | "references" | "date" => {
                    Cost::Record
                }
                _ => Cost::Header,
            },
            Place::Body | Place::Text => Cost::Body,
        }
    }

    /// Whether the text is in the field, where the record tells.
    fn in_record(&self, record: &Summary<'_>, room: &mut Known) -> Option<bool> {
        let Place::Header(field) = &self.place else { return None };
        if !record.is_exact {
            return None;
        }
        let envelope = &record.envelope;
        match field.as_str() {
            "from" => self.in_addresses(envelope.from, room),
            "to" => self.in_addresses(envelope.to, room),
            "cc" => self.in_addresses(envelope.cc, room),
            "bcc" => self.in_addresses(envelope.bcc, room),
            "subject" => Some(self.in_string(envelope.subject, room)),
            "message-id" => Some(self.in_string(envelope.message_id, room)),
            "in-reply-to" => Some(self.in_string(envelope.in_reply_to, room)),
            "references" => Some(self.in_string(record.references, room)),
            "date" => Some(self.in_string(envelope.date, room)),
            _ => None,
        }
    }

    fn in_string(&self, value: Option<&[u8]>, room: &mut Known) -> bool {
        let Some(value) = value else { return false };
        room.decoded.clear();
        decode_words_into(value, &mut room.decoded);
        self.in_decoded(room)
    }

    /// Whether the text is in what `room` holds decoded.
    fn in_decoded(&self, room: &mut Known) -> bool {
        room.folded.clear();
        fold_into(&room.decoded, &mut room.folded);
        self.needle.is_in(&room.folded)
    }

    fn in_addresses(&self, list: Addresses<'_>, room: &mut Known) -> Option<bool> {
        if self.needle.is_empty() {
            // A field without addresses may still be there.
            return (!list.is_empty()).then_some(true);
        }
        if self.needle.octets().iter().any(|octet| ADDRESS_SIGNS.contains(octet)) {
            return None;
        }
        let text = &mut room.decoded;
        text.clear();
        for address in list {
            for name in [address.name, address.adl].into_iter().flatten() {
                decode_words_into(name, text);
                text.push(' ');
            }
            text.push('<');
            decode_words_into(address.mailbox.unwrap_or_default(), text);
            if let Some(host) = address.host {
                text.push('@');
                decode_words_into(host, text);
            }
            text.push_str(">, ");
        }
        Some(self.in_decoded(room))
    }
}
