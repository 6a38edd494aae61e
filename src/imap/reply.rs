//! Tagged replies, and how every error becomes one: the words a client sees and the response
//! codes of RFC 5530. Causes stay in the log; the texts here are fixed.

use crate::mailbox::Error;
use crate::net::ReadError;
use std::borrow::Cow;

/// How a command went (RFC 9051 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Done.
    Ok,
    /// Not done.
    No,
    /// Not understood, or not allowed now.
    Bad,
}

impl Condition {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

/// The outcome of a command; the session writes it as the tagged line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// OK, NO or BAD.
    pub condition: Condition,
    /// The response code without its brackets.
    pub code: Option<Cow<'static, str>>,
    /// A text for people.
    pub text: &'static str,
}

impl Reply {
    /// OK without a code.
    #[must_use]
    pub const fn ok(text: &'static str) -> Self {
        Self { condition: Condition::Ok, code: None, text }
    }

    /// NO without a code.
    #[must_use]
    pub const fn no(text: &'static str) -> Self {
        Self { condition: Condition::No, code: None, text }
    }

    /// BAD without a code.
    #[must_use]
    pub const fn bad(text: &'static str) -> Self {
        Self { condition: Condition::Bad, code: None, text }
    }

    /// The same with a response code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The reply behind its tag, as a line without CRLF: `OK [CODE] text`.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { condition, code, text } = self;
        match code {
            Some(code) => format!("{} [{code}] {text}", condition.word()),
            None => format!("{} {text}", condition.word()),
        }
    }
}

/// Why a command did not come to an outcome of its own.
#[derive(Debug)]
pub enum Failure {
    /// The command is answered with this, and the session goes on.
    Refused(Reply),
    /// The connection is of no use any more.
    Connection(ReadError),
    /// The session ends with `* BYE` and this text, which may begin with a response code.
    Bye(&'static str),
    /// The session ends without a word: it is in the middle of a literal and cannot say any.
    Broken,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(refusal(&error))
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Connection(error)
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Refused(reply)
    }
}

/// The tagged reply for an error of the mailbox core.
#[must_use]
pub fn refusal(error: &Error) -> Reply {
    match *error {
        Error::NotFound => Reply::no("No such mailbox").code("NONEXISTENT"),
        Error::Exists => Reply::no("There is a mailbox of that name already").code("ALREADYEXISTS"),
        Error::ReadOnly => Reply::no("The mailbox is read-only").code("READ-ONLY"),
        Error::Denied => Reply::no("Not allowed").code("NOPERM"),
        Error::OverQuota(_) => Reply::no("The quota does not hold that much").code("OVERQUOTA"),
        Error::TooBig(_) => Reply::no("The message is larger than the limit").code("TOOBIG"),
        Error::Expunged => Reply::no("Some of the messages are expunged").code("EXPUNGEISSUED"),
        Error::HasChildren => Reply::no("There are mailboxes below that name").code("HASCHILDREN"),
        Error::Damaged => Reply::no("The stored data is damaged; the server's log says more").code("CORRUPTION"),
        Error::Invalid(text) => Reply::no(text).code("CANNOT"),
        Error::Limit(text) => Reply::no(text).code("LIMIT"),
        Error::NoRoom => Reply::no("The server's disk is full, nothing was changed").code("UNAVAILABLE"),
        Error::Temporary => Reply::no("Not possible at the moment, try again later").code("UNAVAILABLE"),
    }
}

/// The failure where a destination mailbox is named: RFC 9051 §6.3.12, §6.4.7 want `[TRYCREATE]`.
#[must_use]
pub fn destination(error: Error) -> Failure {
    match error {
        Error::NotFound => Failure::Refused(Reply::no("No such mailbox").code("TRYCREATE")),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_in_brackets_before_the_text() {
        assert_eq!(Reply::ok("Done").line(), "OK Done");
        assert_eq!(refusal(&Error::Exists).line(), "NO [ALREADYEXISTS] There is a mailbox of that name already");
        assert_eq!(refusal(&Error::HasChildren).line(), "NO [HASCHILDREN] There are mailboxes below that name");
        assert!(refusal(&Error::Damaged).line().starts_with("NO [CORRUPTION] "));
        let Failure::Refused(reply) = destination(Error::NotFound) else { panic!("refused") };
        assert_eq!(reply.line(), "NO [TRYCREATE] No such mailbox");
    }
}
