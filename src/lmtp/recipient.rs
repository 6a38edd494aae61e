//! The recipients of one transaction, and the words in which the mailbox core's errors reach the client.

use crate::mailbox::{DeliveryTarget, Error, OverQuota, Recipient};

/// The recipients of one transaction in the order of their RCPT commands.
///
/// Each RCPT that was accepted gets its own reply after the data, even one that names a recipient again
/// (RFC 2033 §4.2); a recipient named twice gets one message.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    places: Vec<Place>,
    /// For each accepted RCPT the index in `places`.
    accepted: Vec<usize>,
}

/// One place to deliver to, and the forward-path that led there first.
#[derive(Debug)]
pub(super) struct Place {
    pub forward_path: String,
    pub recipient: Recipient,
}

impl Place {
    pub(super) fn target(&self) -> DeliveryTarget {
        match &self.recipient.detail {
            Some(detail) => DeliveryTarget::IfExists(detail.clone()),
            None => DeliveryTarget::Inbox,
        }
    }
}

impl Recipients {
    /// How many RCPT commands were accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.len()
    }

    pub(super) fn add(&mut self, forward_path: String, recipient: Recipient) {
        let known = self.places.iter().position(|place| place.recipient == recipient);
        let place = known.unwrap_or(self.places.len());
        if known.is_none() {
            self.places.push(Place { forward_path, recipient });
        }
        self.accepted.push(place);
    }

    /// Where to deliver, each place once.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// For each accepted RCPT in order the outcome of its place.
    pub(super) fn outcomes<'a, T>(&self, outcomes: &'a [T]) -> impl Iterator<Item = Option<&'a T>> {
        self.accepted.iter().map(|place| outcomes.get(*place))
    }
}

/// RFC 5321 §4.2.3, RFC 3463 §3.4.
pub(super) const NO_ROOM: &str = "452 4.3.1 The disk is full, try again later";

/// The reply to a RCPT whose address leads nowhere.
pub(super) const fn refused_recipient(error: &Error) -> &'static str {
    match error {
        Error::NotFound => "550 5.1.1 User unknown",
        Error::Denied => "550 5.7.1 Not a domain of this server",
        Error::Invalid(_) => "553 5.1.3 Address not usable",
        Error::OverQuota(OverQuota::Defer) => "452 4.2.2 Mailbox full, try again later",
        Error::OverQuota(OverQuota::Bounce) => "552 5.2.2 Mailbox full",
        Error::TooBig(_) => "552 5.3.4 Message too big",
        Error::Limit(_) => "452 4.3.2 Limit reached, try again later",
        Error::NoRoom => NO_ROOM,
        Error::Exists | Error::ReadOnly | Error::Expunged | Error::HasChildren | Error::Damaged | Error::Temporary => {
            "451 4.3.0 Temporary failure, try again later"
        }
    }
}

/// The reply after the data for a recipient who does not get the message.
pub(super) const fn failed_delivery(error: &Error) -> &'static str {
    match error {
        Error::NotFound => "550 5.1.1 User unknown",
        Error::Denied => "550 5.7.1 Delivery refused",
        Error::Invalid(_) => "554 5.6.0 Message not usable",
        Error::OverQuota(OverQuota::Defer) => "452 4.2.2 Mailbox full, try again later",
        Error::OverQuota(OverQuota::Bounce) => "552 5.2.2 Mailbox full",
        Error::TooBig(_) => "552 5.3.4 Message too big",
        Error::Limit(_) => "452 4.3.2 Limit reached, try again later",
        Error::NoRoom => NO_ROOM,
        Error::Exists | Error::ReadOnly | Error::Expunged | Error::HasChildren | Error::Damaged | Error::Temporary => {
            "451 4.3.0 Temporary failure, try again later"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AccountId;

    fn recipient(account: u32, detail: Option<&str>) -> Recipient {
        Recipient { account: AccountId(account), name: format!("user{account}"), detail: detail.map(str::to_owned) }
    }

    #[test]
    fn a_recipient_named_twice_has_one_place_and_two_outcomes() {
        let mut recipients = Recipients::default();
        recipients.add("anna@x".to_owned(), recipient(1, None));
        recipients.add("bob@x".to_owned(), recipient(2, None));
        recipients.add("alias@x".to_owned(), recipient(1, None));
        recipients.add("anna+lists@x".to_owned(), recipient(1, Some("lists")));
        assert_eq!(recipients.accepted(), 4);
        let paths: Vec<&str> = recipients.places().iter().map(|place| place.forward_path.as_str()).collect();
        assert_eq!(paths, ["anna@x", "bob@x", "anna+lists@x"]);
        let targets: Vec<DeliveryTarget> = recipients.places().iter().map(Place::target).collect();
        let lists = DeliveryTarget::IfExists("lists".to_owned());
        assert_eq!(targets, [DeliveryTarget::Inbox, DeliveryTarget::Inbox, lists]);
        let outcomes: Vec<Option<&i32>> = recipients.outcomes(&[10, 20, 30]).collect();
        assert_eq!(outcomes, [Some(&10), Some(&20), Some(&10), Some(&30)]);
    }
}
