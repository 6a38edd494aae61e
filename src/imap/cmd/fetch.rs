//! FETCH (RFC 3501 §6.4.5; as UIDFETCH RFC 9586 §3.3), with what RFC 7162 §3.1.4, §3.2.6 and RFC 9394 §3.3 add: plans the cheapest source for what is asked, and goes through the messages in
//! batches of index rows, so that memory is bounded whatever the client asks.
//!
//! A message that another session expunged meanwhile is left out.

use super::fetch_body::{self, Part};
use super::{fetch_binary, fetch_preview, resolve, with_limit};
use crate::imap::command::{FetchItem, FetchModifiers, SequenceSet};
use crate::imap::message_limit;
use crate::imap::object_id;
use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply, refusal};
use crate::imap::resync;
use crate::imap::sync::{Selected, write_number};
use crate::imap::wire::write;
use crate::mailbox::{Error, Message, Row};
use crate::message::Record;
use crate::types::{FlagOperation, Flags, ModSeq, SystemFlags, Uid, UidSet};
use smol::future::yield_now;

/// Limit: octets of the messages that are marked \Seen in one step before they are sent. A line that is cut
/// leaves no more than that marked but not read.
const SEEN_STEP: u64 = 1024 * 1024;

/// Limit: messages that cannot be read; then the command gives up.
const FAILURES_MAX: u32 = 16;

/// What to tell of which messages.
pub struct Request<'a> {
    /// The set holds UIDs.
    pub uid: bool,
    /// The messages.
    pub set: &'a SequenceSet,
    /// What to tell.
    pub items: Vec<FetchItem>,
    /// Which of the messages, and what else.
    pub modifiers: FetchModifiers,
}

/// Tells what is asked of the messages in the set.
///
/// # Errors
/// BAD for numbers that no message has; NO where messages were gone (not in UID FETCH) or cannot be read.
pub async fn run(selected: &mut Selected, out: &mut Output<'_>, request: Request<'_>) -> Result<Reply, Failure> {
    let Request { uid, set, mut items, modifiers } = request;
    if modifiers.vanished && !selected.enabled.qresync {
        return Err(Reply::bad("QRESYNC must be enabled first").into());
    }
    let mut uids = resolve(selected, uid, set)?;
    if let Some(partial) = modifiers.partial {
        if message_limit::is_exceeded_by(partial, selected.message_limit) {
            let reply = Reply::no("There are more messages than one command may touch");
            return Err(reply.code(message_limit::code(selected.message_limit)).into());
        }
        uids = partial.of(&uids);
    }
    if let Some(since) = modifiers.changed_since {
        uids = selected.mailbox.changed_since(since, &uids)?;
        if !items.contains(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
        if modifiers.vanished {
            resync::tell_expunged(selected, out, since, &resync::given(&selected.view, set)).await?;
        }
    }
    let (uids, cut) = message_limit::cut(uids, selected.message_limit);
    let mut fetch = Fetch::new(&items, uid, selected);
    fetch.tell_all(selected, out, &uids).await?;
    let reply = match fetch.failure {
        Some(reply) => reply,
        None if !uid && fetch.found < uids.len() => refusal(&Error::Expunged),
        None => Reply::ok("FETCH completed"),
    };
    with_limit(reply, cut, out).await
}

/// Tells these items and the UIDs of new messages, unasked (RFC 5465 §5.2). Those that cannot be read are left out.
///
/// # Errors
/// Where the connection is gone.
pub async fn tell_new(
    selected: &mut Selected,
    out: &mut Output<'_>,
    uids: &UidSet,
    items: &[FetchItem],
) -> Result<(), Failure> {
    match Fetch::new(items, true, selected).tell_all(selected, out, uids).await {
        Err(Failure::Refused(_)) => Ok(()),
        told => told,
    }
}

/// The dearest source that the items need beside the index row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Row,
    /// Envelope and structure, cached when the message came.
    Record,
    Octets,
}

/// A message as far as it was opened.
enum Opened {
    Row,
    Record(Record),
    Message(Box<Message>),
}

impl Opened {
    fn record(&self) -> Option<&Record> {
        match self {
            Self::Row => None,
            Self::Record(record) => Some(record),
            Self::Message(message) => Some(message.record()),
        }
    }
}

/// A FETCH under way.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none follows from another")]
struct Fetch<'a> {
    items: &'a [FetchItem],
    /// The UID is told first although it is not among the items (RFC 9051 §6.4.9).
    add_uid: bool,
    tells_flags: bool,
    /// MODSEQ is told of a message that becomes \Seen (RFC 7162 §3.2.4).
    add_modseq: bool,
    /// UID as well (the same, RFC 9051 §7.5.2).
    add_marked_uid: bool,
    source: Source,
    sets_seen: bool,
    /// Messages told.
    found: u32,
    /// Messages that could not be read, and what to say of the first.
    failures: u32,
    failure: Option<Reply>,
}

impl<'a> Fetch<'a> {
    fn new(items: &'a [FetchItem], uid: bool, selected: &Selected) -> Self {
        let source = |item: &FetchItem| match item {
            FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size
            | FetchItem::Uid
            | FetchItem::ModSeq
            | FetchItem::EmailId
            | FetchItem::ThreadId
            | FetchItem::SaveDate => Source::Row,
            FetchItem::Body | FetchItem::BodyStructure | FetchItem::Envelope => Source::Record,
            FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::Section { .. }
            | FetchItem::Preview
            | FetchItem::Binary { .. }
            | FetchItem::BinarySize { .. } => Source::Octets,
        };
        let sets_seen = |item: &FetchItem| {
            let binary = matches!(item, FetchItem::Binary { peek: false, .. });
            binary || matches!(item, FetchItem::Rfc822 | FetchItem::Rfc822Text | FetchItem::Section { peek: false, .. })
        };
        Self {
            items,
            add_uid: uid && !selected.enabled.uid_only && !items.contains(&FetchItem::Uid),
            tells_flags: items.contains(&FetchItem::Flags),
            source: items.iter().map(source).max().unwrap_or(Source::Row),
            add_modseq: selected.enabled.condstore,
            add_marked_uid: (selected.enabled.condstore || selected.enabled.rev2) && !selected.enabled.uid_only,
            sets_seen: !selected.read_only && items.iter().any(sets_seen),
            found: 0,
            failures: 0,
            failure: None,
        }
    }

    /// Goes through the messages in batches of rows.
    async fn tell_all(&mut self, selected: &mut Selected, out: &mut Output<'_>, uids: &UidSet) -> Result<(), Failure> {
        let mut from = Uid(1);
        loop {
            let mut rows = selected.mailbox.rows(uids, from)?;
            let Some(last) = rows.last() else { return Ok(()) };
            let next = last.uid.0.checked_add(1);
            let mut rest = rows.as_mut_slice();
            while !rest.is_empty() {
                let (step, behind) = rest.split_at_mut(self.step(rest));
                let (marked, modseqs) = self.mark_seen(selected, step).await?;
                let failures = self.failures;
                for row in step {
                    match self.tell(selected, out, row, marked.contains(row.uid.0)).await {
                        // One damaged message does not hide the others.
                        Err(Failure::Refused(reply)) if self.failures < FAILURES_MAX => self.failed(reply),
                        told => told?,
                    }
                }
                if self.failures == failures {
                    for modseq in modseqs {
                        selected.view.tell(modseq);
                    }
                }
                rest = behind;
            }
            let Some(next) = next else { return Ok(()) };
            from = Uid(next);
            yield_now().await;
        }
    }

    fn failed(&mut self, reply: Reply) {
        self.failures += 1;
        self.failure.get_or_insert(reply);
    }

    /// How many of the rows are told in one step: one at least, and no more than [`SEEN_STEP`] octets of them.
    fn step(&self, rows: &[Row]) -> usize {
        if !self.sets_seen {
            return rows.len();
        }
        let mut octets = 0_u64;
        let fits = rows.iter().take_while(|row| {
            octets = octets.saturating_add(row.size);
            octets <= SEEN_STEP
        });
        fits.count().max(1)
    }

    /// Sets \Seen where the items do that (RFC 3501 §6.4.5): the messages whose flags changed, and the modification
    /// sequences of that, which need not be told again if all of these are.
    async fn mark_seen(&self, selected: &Selected, rows: &mut [Row]) -> Result<(UidSet, Vec<ModSeq>), Failure> {
        let unseen = |row: &&Row| !row.flags.contains(SystemFlags::SEEN);
        if !self.sets_seen || !rows.iter().any(|row| unseen(&row)) {
            return Ok((UidSet::new(), Vec::new()));
        }
        let mut uids: UidSet = rows.iter().filter(unseen).map(|row| row.uid.0).collect();
        if self.items.iter().any(|item| matches!(item, FetchItem::Binary { .. } | FetchItem::BinarySize { .. })) {
            // What is refused was not read.
            for row in rows.iter().filter(unseen) {
                if selected.mailbox.record(row).is_ok_and(|record| self.check(&record).is_err()) {
                    uids.remove(row.uid.0);
                }
            }
            if uids.is_empty() {
                return Ok((uids, Vec::new()));
            }
        }
        let seen = Flags { system: SystemFlags::SEEN, keywords: Vec::new() };
        let stored = selected.mailbox.store_flags(&uids, FlagOperation::Add, &seen, None).await?;
        for change in &stored.messages {
            if let Some(row) = rows.iter_mut().find(|row| row.uid == change.uid) {
                (row.flags, row.keywords, row.modseq) = (change.flags, change.keywords, change.modseq);
            }
        }
        Ok((uids, stored.modseqs))
    }

    /// Whether all that is asked of a message can be decoded.
    fn check(&self, record: &Record) -> Result<(), Failure> {
        self.items.iter().try_for_each(|item| match item {
            FetchItem::Binary { path, .. } | FetchItem::BinarySize { path } => fetch_binary::check(record, path),
            _ => Ok(()),
        })
    }

    /// The FETCH response of one message. `marked`: its flags changed and are told too.
    async fn tell(
        &mut self,
        selected: &mut Selected,
        out: &mut Output<'_>,
        row: &Row,
        marked: bool,
    ) -> Result<(), Failure> {
        let Some(line) = selected.begin_fetch(row.uid) else { return Ok(()) };
        let opened = match self.source {
            Source::Row => Ok(Opened::Row),
            Source::Record => selected.mailbox.record(row).map(Opened::Record),
            Source::Octets => selected.mailbox.message(row.uid).map(|message| Opened::Message(Box::new(message))),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(Error::Expunged) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if let Some(record) = opened.record() {
            self.check(record)?;
        }
        if self.tells_flags || marked {
            selected.learn_keywords(row.keywords, out).await?;
        }
        let mut response = Response { line, begun: false, sent: false };
        let unasked = |item| marked && !self.items.contains(&item);
        if self.add_uid || (self.add_marked_uid && unasked(FetchItem::Uid)) {
            response.row_item(selected, row, &FetchItem::Uid);
        }
        for item in self.items {
            if !response.row_item(selected, row, item) {
                response.message_item(out, &opened, item).await.map_err(|failure| match failure {
                    // A client cannot be told of an error inside a response.
                    Failure::Refused(_) if response.sent => Failure::Broken,
                    other => other,
                })?;
            }
        }
        if marked && !self.tells_flags {
            response.row_item(selected, row, &FetchItem::Flags);
        }
        if self.add_modseq && unasked(FetchItem::ModSeq) {
            response.row_item(selected, row, &FetchItem::ModSeq);
        }
        response.line.extend_from_slice(b")\r\n");
        self.found += 1;
        out.put(&response.line).await
    }
}

/// One FETCH response on its way.
struct Response {
    /// What is written but not sent.
    line: Vec<u8>,
    /// An item stands in it already.
    begun: bool,
    /// Part of it was sent: there is no way back.
    sent: bool,
}

impl Response {
    /// Writes an item that the index row holds; false: it is another one.
    fn row_item(&mut self, selected: &Selected, row: &Row, item: &FetchItem) -> bool {
        match item {
            FetchItem::Uid => write_number(self.next(), "UID ", u64::from(row.uid.0), ""),
            FetchItem::ModSeq => write_number(self.next(), "MODSEQ (", row.modseq.0, ")"),
            FetchItem::Rfc822Size => write_number(self.next(), "RFC822.SIZE ", row.size, ""),
            FetchItem::InternalDate => {
                let line = self.next();
                line.extend_from_slice(b"INTERNALDATE ");
                write::date_time(line, row.internal_date);
            }
            FetchItem::EmailId => {
                self.next().extend_from_slice(format!("EMAILID ({})", object_id::email(row.content)).as_bytes());
            }
            FetchItem::ThreadId => self.next().extend_from_slice(b"THREADID NIL"),
            FetchItem::SaveDate => {
                let line = self.next();
                line.extend_from_slice(b"SAVEDATE ");
                write::date_time(line, row.save_time());
            }
            FetchItem::Flags => {
                let line = self.next();
                line.extend_from_slice(b"FLAGS ");
                selected.write_flags(line, row.uid, row.flags, row.keywords);
            }
            _ => return false,
        }
        true
    }

    /// Writes an item from the message's record or octets.
    async fn message_item(&mut self, out: &mut Output<'_>, opened: &Opened, item: &FetchItem) -> Result<(), Failure> {
        let Some(record) = opened.record() else { return Ok(()) };
        let line = self.next();
        match item {
            FetchItem::Envelope => {
                line.extend_from_slice(b"ENVELOPE ");
                write::envelope(line, &record.envelope(), out.enabled().quoting());
            }
            FetchItem::Body => {
                line.extend_from_slice(b"BODY ");
                write::body(line, &record.structure(), out.enabled());
            }
            FetchItem::BodyStructure => {
                line.extend_from_slice(b"BODYSTRUCTURE ");
                write::body_structure(line, &record.structure(), out.enabled());
            }
            FetchItem::Preview => {
                if let Opened::Message(message) = opened {
                    let preview = fetch_preview::preview(message).await?;
                    line.extend_from_slice(b"PREVIEW ");
                    write::text(line, preview.as_bytes(), out.enabled().quoting());
                }
            }
            FetchItem::Binary { path, partial, peek: _ } => {
                if let Opened::Message(message) = opened {
                    fetch_binary::tell(&mut self.line, &mut self.sent, out, message, (path, *partial)).await?;
                }
            }
            FetchItem::BinarySize { path } => {
                if let Opened::Message(message) = opened {
                    fetch_binary::tell_size(line, message, path).await?;
                }
            }
            other => {
                if let (Some(part), Opened::Message(message)) = (Part::of(other), opened) {
                    part.write_name(line);
                    line.push(b' ');
                    fetch_body::tell(&mut self.line, &mut self.sent, out, message, &part).await?;
                }
            }
        }
        Ok(())
    }

    /// The line, ready for the next item.
    fn next(&mut self) -> &mut Vec<u8> {
        if self.begun {
            self.line.push(b' ');
        }
        self.begun = true;
        &mut self.line
    }
}
