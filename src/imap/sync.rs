//! The selected mailbox of a session, and the one way its client hears of changes.
//!
//! Every update comes from [`Mailbox::changes`], the difference since the view's modification
//! sequence: after each command, and in IDLE after each wake-up. Nothing else sends EXISTS,
//! RECENT or EXPUNGE for a view that exists already.

use super::context::{self, Context, ToFetch};
use super::enabled::Enabled;
use super::notify::Wanted;
use super::output::Output;
use super::reply::Failure;
use super::resync;
use super::selected::View;
use crate::mailbox::{Change, Changes, Error, KEYWORDS_MAX, Mailbox};
use crate::types::{KeywordBits, ModSeq, SystemFlags, Uid, UidSet, UidValidity};
use std::io::Write;

/// The end of a session whose mailbox another session deleted. There is no response that takes a
/// mailbox away from a client, so the session ends, as it does in Dovecot.
pub const DELETED: &str = "The selected mailbox was deleted";

/// A mailbox that a session has selected.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none follows from another")]
pub struct Selected {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// What the client knows of it.
    pub view: View,
    /// EXAMINE: nothing is changed through this session.
    pub read_only: bool,
    /// The keywords that the client was told of; position = bit in [`KeywordBits`].
    pub keywords: Vec<String>,
    /// What the client has switched on.
    pub enabled: Enabled,
    /// Limit: messages that one command may touch, from the configuration (RFC 9738).
    pub message_limit: u32,
    /// Searches that are kept up to date.
    pub contexts: Vec<Context>,
    /// New messages that entered their results and are to be fetched.
    pub to_fetch: Vec<ToFetch>,
    /// NOTIFY was used; None: everything is told at the end of commands.
    pub listening: Option<Box<Listening>>,
    /// The client must be told up to which modification sequence it knows everything, because it cannot tell from
    /// what it got (RFC 7162 §6).
    pub owes_modseq: bool,
    /// Something may have come since the quota was looked at.
    pub check_quota: bool,
    /// The client was told that the account is over its quota.
    pub over_quota: bool,
    /// The number of the last alert that the client was told.
    pub alert: u64,
}

/// How a client that used NOTIFY hears of its selected mailbox (RFC 5465 §3.1, §5).
#[derive(Clone, Debug)]
pub struct Listening {
    /// The events that it wants. Those that it does not want wait until it wants them.
    wanted: Wanted,
    /// New messages are fetched for it.
    fetches: bool,
    /// Without FlagChange: up to here arrivals and expunges were looked at.
    looked: ModSeq,
    /// What this session removed itself, which is told in any case.
    removed: UidSet,
    /// What this session brought in itself and was not told yet: it is not fetched.
    made: UidSet,
    /// New messages that were told and are to be fetched.
    arrived: UidSet,
}

impl Listening {
    /// For a mailbox of which the client knows all up to `known`.
    #[must_use]
    pub fn new(wanted: Wanted, fetches: bool, known: ModSeq) -> Self {
        let (removed, made, arrived) = (UidSet::new(), UidSet::new(), UidSet::new());
        Self { wanted, fetches, looked: known, removed, made, arrived }
    }
}

/// What a synchronisation may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Expunges may be announced (RFC 3501 §7.4.1): not during FETCH, STORE and SEARCH.
    pub expunges: bool,
    /// FETCH responses carry the UID: the command was a UID command (RFC 9051 §6.4.9).
    pub uids: bool,
}

impl Selected {
    /// Tells the client all that happened since the last time.
    ///
    /// # Errors
    /// Where the connection is gone, and `Bye` where the mailbox is.
    pub async fn sync(&mut self, out: &mut Output<'_>, manner: Manner) -> Result<(), Failure> {
        loop {
            let since = match &self.listening {
                Some(listening) if !listening.wanted.flags => listening.looked.max(self.view.modseq()),
                _ => self.view.modseq(),
            };
            let changes = match self.mailbox.changes(since, self.view.uid_next()) {
                Ok(changes) => changes,
                Err(Error::NotFound) => return Err(Failure::Bye(DELETED)),
                // The client hears of the changes with the next command.
                Err(_) => {
                    self.owes_modseq = true;
                    return Ok(());
                }
            };
            let more = changes.more && changes.modseq > since;
            if self.listening.as_ref().is_some_and(|listening| !listening.wanted.messages) {
                return self.tell_own_expunges(out, manner).await;
            }
            self.take(changes, out, manner).await?;
            if !more {
                return self.tell_over_quota(out).await;
            }
        }
    }

    /// Says so once when the account has come to hold more than it may (RFC 9208 §4.3.1).
    async fn tell_over_quota(&mut self, out: &mut Output<'_>) -> Result<(), Failure> {
        if let Some(text) = self.mailbox.account().alert(&mut self.alert) {
            out.untagged(&format!("NO [ALERT] {text}")).await?;
        }
        if !std::mem::take(&mut self.check_quota) {
            return Ok(());
        }
        let Ok(quota) = self.mailbox.account().quota() else { return Ok(()) };
        if quota.is_over() && !self.over_quota {
            out.untagged("NO [OVERQUOTA] The quota is exceeded; new mail is not taken until there is room").await?;
        }
        self.over_quota = quota.is_over();
        Ok(())
    }

    async fn take(&mut self, changes: Changes, out: &mut Output<'_>, manner: Manner) -> Result<(), Failure> {
        self.view.expunge(&changes.expunged);
        context::tell_expunged(self, out).await?;
        if manner.expunges && self.view.has_expunged() {
            self.announce_expunges(out).await?;
        }
        let known = self.view.uid_next();
        self.view.arrive(&changes.arrived, changes.uid_next);
        if !changes.arrived.is_empty() {
            if let Some(listening) = self.listening.as_deref_mut().filter(|listening| listening.fetches) {
                listening.arrived = listening.arrived.union(&changes.arrived.difference(&listening.made));
                listening.made = UidSet::new();
            }
            self.check_quota = true;
            self.find_recent(known).await;
            out.untagged(&format!("{} EXISTS", self.view.len())).await?;
            if !self.enabled.rev2 {
                out.untagged(&format!("{} RECENT", self.view.recent_len())).await?;
            }
        }
        // Those that the session changed itself count, too.
        let changed = (!self.contexts.is_empty())
            .then(|| changes.flagged.iter().map(|change| change.uid.0).collect::<UidSet>().union(&changes.arrived));
        if let Some(listening) = self.listening.as_deref_mut().filter(|listening| !listening.wanted.flags) {
            listening.looked = listening.looked.max(changes.modseq);
        } else {
            let uids = manner.uids || self.listening.is_some();
            for change in &changes.flagged {
                if self.view.was_told(change.modseq) || self.view.is_expunged(change.uid) {
                    continue;
                }
                self.tell_flags(change, out, uids).await?;
            }
            self.view.advance(changes.modseq);
        }
        match changed {
            Some(changed) => Box::pin(context::update(self, out, &changed, &changes.arrived)).await,
            None => Ok(()),
        }
    }

    /// Tells what this session removed itself, for a client that wants to hear of nothing else.
    async fn tell_own_expunges(&mut self, out: &mut Output<'_>, manner: Manner) -> Result<(), Failure> {
        if let Some(listening) = self.listening.as_deref_mut() {
            let removed = std::mem::take(&mut listening.removed);
            self.view.expunge(&removed);
        }
        if manner.expunges && self.view.has_expunged() {
            self.announce_expunges(out).await?;
        }
        Ok(())
    }

    /// This session removed these messages itself.
    pub fn note_removed(&mut self, uids: &UidSet) {
        if let Some(listening) = self.listening.as_deref_mut().filter(|listening| !listening.wanted.messages) {
            listening.removed = listening.removed.union(uids);
        }
    }

    /// This session brought these messages into the mailbox of that UIDVALIDITY, which no other one has.
    pub fn note_made(&mut self, uid_validity: UidValidity, uids: &UidSet) {
        let own = uid_validity == self.mailbox.uid_validity();
        if let Some(listening) = self.listening.as_deref_mut().filter(|listening| own && listening.fetches) {
            listening.made = listening.made.union(uids);
        }
    }

    /// New messages that were told and are to be fetched now.
    pub fn take_arrived(&mut self) -> UidSet {
        self.listening.as_deref_mut().map(|listening| std::mem::take(&mut listening.arrived)).unwrap_or_default()
    }

    async fn announce_expunges(&mut self, out: &mut Output<'_>) -> Result<(), Failure> {
        if self.enabled.qresync || self.enabled.uid_only {
            resync::tell_vanished(out, false, self.view.expunged()).await?;
            self.view.drop_expunged();
            self.owes_modseq = true;
            return Ok(());
        }
        for (number, times) in self.view.expunge_numbers() {
            let line = format!("* {number} EXPUNGE\r\n");
            for _ in 0..times {
                out.put(line.as_bytes()).await?;
            }
        }
        self.view.drop_expunged();
        Ok(())
    }

    /// The HIGHESTMODSEQ code where the client needs one (RFC 7162 §3.2.7, §6): what it counts for itself does not
    /// follow expunges, and is too high while some of them wait.
    pub fn owed_modseq(&mut self) -> Option<String> {
        let waits = self.enabled.qresync && self.view.has_expunged();
        let owes = std::mem::take(&mut self.owes_modseq) && self.enabled.condstore;
        (waits || owes).then(|| self.highest_modseq())
    }

    /// The HIGHESTMODSEQ response code (RFC 7162 §3.1.2.1) for what the client knows.
    #[must_use]
    pub fn highest_modseq(&self) -> String {
        format!("HIGHESTMODSEQ {}", self.view.told_modseq().0)
    }

    /// Finds out which of the messages from `known` on are \Recent in this session (RFC 3501 §2.3.2). A failure costs
    /// them that flag and nothing else.
    ///
    /// RFC 9051 knows no \Recent: its clients leave the messages to those that do.
    pub async fn find_recent(&mut self, known: Uid) {
        let next = self.view.uid_next();
        if self.enabled.rev2 {
            return;
        }
        if self.read_only {
            // EXAMINE takes none: those that nobody took are the last ones.
            let unclaimed = self.mailbox.status().map_or(0, |status| status.recent);
            if let Some(first) = self.view.first_of_last(unclaimed) {
                self.view.add_recent(first.max(known), next);
            }
        } else if let Ok(first) = self.mailbox.claim_recent(next).await {
            self.view.add_recent(first.max(known), next);
        }
    }

    /// Tells the flags of one message, with UID and MODSEQ once the client has switched them on (RFC 9051 §7.5.2: the UID
    /// always).
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn tell_flags(&mut self, change: &Change, out: &mut Output<'_>, uid: bool) -> Result<(), Failure> {
        self.learn_keywords(change.keywords, out).await?;
        let Some(mut line) = self.begin_fetch(change.uid) else { return Ok(()) };
        if (uid || self.enabled.condstore || self.enabled.rev2) && !self.enabled.uid_only {
            write_number(&mut line, "UID ", u64::from(change.uid.0), " ");
        }
        line.extend_from_slice(b"FLAGS ");
        self.write_flags(&mut line, change.uid, change.flags, change.keywords);
        if self.enabled.condstore {
            write_number(&mut line, " MODSEQ (", change.modseq.0, ")");
        }
        line.extend_from_slice(b")\r\n");
        out.put(&line).await
    }

    /// Tells the modification sequence of one message whose flags the client knows (RFC 7162 §3.1.3).
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn tell_modseq(&self, change: &Change, out: &mut Output<'_>) -> Result<(), Failure> {
        let Some(mut line) = self.begin_fetch(change.uid) else { return Ok(()) };
        if !self.enabled.uid_only {
            write_number(&mut line, "UID ", u64::from(change.uid.0), " ");
        }
        write_number(&mut line, "MODSEQ (", change.modseq.0, "))\r\n");
        out.put(&line).await
    }

    /// The beginning of a FETCH response, up to its parenthesis, or of a UIDFETCH response (RFC 9586 §3.3); None where
    /// the client does not know the message.
    #[must_use]
    pub fn begin_fetch(&self, uid: Uid) -> Option<Vec<u8>> {
        let mut line = Vec::with_capacity(128);
        if !self.enabled.uid_only {
            write_number(&mut line, "* ", u64::from(self.view.number(uid)?), " FETCH (");
        } else if self.view.contains(uid) {
            write_number(&mut line, "* ", u64::from(uid.0), " UIDFETCH (");
        } else {
            return None;
        }
        Some(line)
    }

    /// Tells of the mailbox's keywords before one that the client has not heard of is used.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn learn_keywords(&mut self, bits: KeywordBits, out: &mut Output<'_>) -> Result<(), Failure> {
        let known = u32::try_from(self.keywords.len()).unwrap_or(u32::MAX);
        if known >= u128::BITS || bits.0 >> known == 0 {
            return Ok(());
        }
        let Ok(keywords) = self.mailbox.keywords() else { return Ok(()) };
        if keywords.len() > self.keywords.len() {
            self.keywords = keywords;
            self.tell_keywords(out).await?;
        }
        Ok(())
    }

    /// Tells that there is room for no more keywords, once there is none (RFC 9051 §7.1, PERMANENTFLAGS).
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn learn_limit(&mut self, out: &mut Output<'_>) -> Result<(), Failure> {
        let max = usize::from(KEYWORDS_MAX);
        if self.keywords.len() < max
            && let Ok(keywords) = self.mailbox.keywords()
            && keywords.len() >= max
        {
            self.keywords = keywords;
            self.tell_keywords(out).await?;
        }
        Ok(())
    }

    /// The FLAGS response and PERMANENTFLAGS (RFC 3501 §7.2.6, §7.1).
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn tell_keywords(&self, out: &mut Output<'_>) -> Result<(), Failure> {
        let mut flags = String::new();
        for name in SystemFlags::NAMES.iter().map(|(_, name)| *name).chain(self.keywords.iter().map(String::as_str)) {
            if !flags.is_empty() {
                flags.push(' ');
            }
            flags.push_str(name);
        }
        out.untagged(&format!("FLAGS ({flags})")).await?;
        if self.read_only {
            return out.untagged("OK [PERMANENTFLAGS ()] Read-only mailbox").await;
        }
        // RFC 9051 §7.1: no new keywords where there is no room for one.
        let more = if self.keywords.len() < usize::from(KEYWORDS_MAX) { " \\*" } else { "" };
        out.untagged(&format!("OK [PERMANENTFLAGS ({flags}{more})] Flags permitted")).await
    }

    /// Appends a message's flags in parentheses.
    pub fn write_flags(&self, line: &mut Vec<u8>, uid: Uid, flags: SystemFlags, keywords: KeywordBits) {
        let mut first = true;
        let mut put = |name: &str| {
            line.push(if std::mem::take(&mut first) { b'(' } else { b' ' });
            line.extend_from_slice(name.as_bytes());
        };
        flags.names().for_each(&mut put);
        if self.view.is_recent(uid) {
            put("\\Recent");
        }
        let is_set = |bit: usize| u32::try_from(bit).is_ok_and(|bit| bit < u128::BITS && keywords.0 >> bit & 1 == 1);
        for (_, name) in self.keywords.iter().enumerate().filter(|(bit, _)| is_set(*bit)) {
            put(name);
        }
        if first {
            line.push(b'(');
        }
        line.push(b')');
    }
}

/// Appends a number between two texts.
pub fn write_number(line: &mut Vec<u8>, before: &str, number: u64, behind: &str) {
    // Writing to a Vec cannot fail.
    let _written = write!(line, "{before}{number}{behind}");
}
