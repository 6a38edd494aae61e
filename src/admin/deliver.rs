//! `deliver`: one message from standard input to one or several addresses, all or none of which must be known.

use super::call::{Call, Failure};
use super::{Context, exit, name};
use crate::mailbox::{Delivery, DeliveryTarget, Door, DoorKind, Error, trace};
use crate::types::Flags;

/// What an MTA or a mail fetcher puts before a message of an mbox file.
const MBOX_START: &[u8] = b"From ";

pub(super) async fn run(
    context: &Context,
    call: &mut Call<'_>,
    recipients: &[String],
    sender: &str,
    mailbox: Option<String>,
) -> Result<u8, Failure> {
    let sender = name::sender(sender).map_err(|text| Failure::Exit(exit::USAGE, text))?;
    let id = trace::new_id();
    let deliveries = plan(context, recipients, &sender, mailbox.as_deref(), &id)?;

    let mut incoming = context.core.incoming();
    let mut start = MboxStart::Undecided(Vec::new());
    while let Some(piece) = call.input().await? {
        incoming.push(&start.strip(piece)).await?;
    }
    incoming.push(&start.finish()).await?;
    if incoming.size() == 0 {
        return Err(Failure::new(exit::DATA, "the message is empty"));
    }
    let staged = incoming.finish().await?;
    let size = staged.size();
    // All or nobody: whoever tries again must not double it for those who have it.
    for (recipient, delivery) in &deliveries {
        let whole = size.saturating_add(u64::try_from(delivery.prefix.len()).unwrap_or(u64::MAX));
        context.core.check_delivery(delivery.account, whole).map_err(|error| refused(&error, recipient))?;
    }
    let names: Vec<String> = deliveries.iter().map(|(recipient, _)| recipient.clone()).collect();
    let deliveries = deliveries.into_iter().map(|(_, delivery)| delivery).collect();
    let outcomes = context.core.deliver(staged, deliveries).await?;

    // Without a server nobody else warns the users.
    if context.running.is_none() {
        context.core.warn().await;
    }
    let mut code = exit::OK;
    for (recipient, outcome) in names.iter().zip(outcomes) {
        match outcome {
            Ok(appended) => {
                log::info!("deliver: id={id} to={recipient:?} size={size} uid={} stored", appended.uid.0);
            }
            Err(error) => {
                let (failed, text) = refusal(&error);
                log::info!("deliver: id={id} to={recipient:?} size={size} refused: {text}");
                call.complain(&format!("mailnook: {recipient}: {text}\n")).await?;
                // What may succeed later decides: whoever tries again loses nothing.
                if code == exit::OK || failed == exit::TEMPORARY {
                    code = failed;
                }
            }
        }
    }
    Ok(code)
}

/// Where the message goes, each place once, with the address that leads there first.
fn plan(
    context: &Context,
    recipients: &[String],
    sender: &str,
    mailbox: Option<&str>,
    id: &str,
) -> Result<Vec<(String, Delivery)>, Failure> {
    let mut deliveries: Vec<(String, Delivery)> = Vec::new();
    for recipient in recipients {
        let found = context.core.resolve(recipient).map_err(|error| match error {
            Error::Temporary if context.core.accounts().is_ok_and(|accounts| accounts.is_empty()) => {
                let text = "there are no users here; `mailnook user add NAME` makes one, unless the disk with the mail is not mounted";
                Failure::new(exit::TEMPORARY, text)
            }
            error => unknown(&error, recipient),
        })?;
        // Told before the message is read, too.
        context.core.check_delivery(found.account, 0).map_err(|error| refused(&error, recipient))?;
        let target = match (mailbox, found.detail) {
            (Some(mailbox), _) => DeliveryTarget::Mailbox(mailbox.to_owned()),
            (None, Some(detail)) => DeliveryTarget::IfExists(detail),
            (None, None) => DeliveryTarget::Inbox,
        };
        if let DeliveryTarget::Mailbox(name) = &target {
            // Told before the message is read, so that nobody has it when one cannot.
            context.core.account(found.account)?.open(name).map_err(|error| refused(&error, recipient))?;
        }
        if deliveries.iter().any(|(_, other)| other.account == found.account && other.target == target) {
            continue;
        }
        let prefix = trace::prefix(&trace::Trace {
            reverse_path: sender,
            recipient,
            only_recipient: recipients.len() == 1,
            origin: None,
            hostname: &context.config.hostname,
            id,
            date: trace::now(),
        });
        let door = Door::of(DoorKind::Deliver);
        let delivery = Delivery { account: found.account, target, prefix, flags: Flags::default(), date: None, door };
        deliveries.push((recipient.clone(), delivery));
    }
    Ok(deliveries)
}

fn unknown(error: &Error, recipient: &str) -> Failure {
    let shown: String = recipient.chars().filter(|c| !c.is_control()).take(254).collect();
    match error {
        Error::NotFound => Failure::Exit(exit::NO_USER, format!("nobody has the address {shown}")),
        Error::Denied => Failure::Exit(exit::NO_USER, format!("the domain of {shown} is not ours")),
        Error::Invalid(why) => Failure::Exit(exit::NO_USER, format!("{shown} is not an address: {why}")),
        other => Failure::core(other),
    }
}

/// One recipient's failure, which is everybody's.
fn refused(error: &Error, recipient: &str) -> Failure {
    let (code, text) = refusal(error);
    Failure::Exit(code, format!("{recipient}: {text}"))
}

/// One recipient's failure as exit code and text.
fn refusal(error: &Error) -> (u8, String) {
    match error {
        Error::NotFound => (exit::CANNOT_CREATE, "there is no such mailbox".to_owned()),
        Error::Invalid(why) => (exit::CANNOT_CREATE, format!("the mailbox name cannot be used: {why}")),
        other => match Failure::core(other) {
            Failure::Exit(code, text) => (code, text),
            Failure::Gone => (exit::TEMPORARY, "try again later".to_owned()),
        },
    }
}

/// Drops a leading mbox line, which may come in any pieces.
enum MboxStart {
    /// What came so far, at most a piece and a part of [`MBOX_START`].
    Undecided(Vec<u8>),
    /// Inside the line.
    Skipping,
    /// Behind it.
    Message,
}

impl MboxStart {
    /// The octets up to and with `piece` that belong to the message and were not given yet.
    fn strip(&mut self, mut piece: Vec<u8>) -> Vec<u8> {
        if let Self::Undecided(held) = self {
            held.append(&mut piece);
            if MBOX_START.starts_with(held) && held.len() < MBOX_START.len() {
                return Vec::new();
            }
            piece = std::mem::take(held);
            *self = if piece.starts_with(MBOX_START) { Self::Skipping } else { Self::Message };
        }
        if let Self::Skipping = self {
            let Some(end) = piece.iter().position(|octet| *octet == b'\n') else {
                return Vec::new();
            };
            piece.drain(..=end);
            *self = Self::Message;
        }
        piece
    }

    /// What was held back for a decision that the end of the input has made.
    fn finish(self) -> Vec<u8> {
        match self {
            Self::Undecided(held) => held,
            Self::Skipping | Self::Message => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stripped<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
        let mut start = MboxStart::Undecided(Vec::new());
        let mut message: Vec<u8> = pieces.into_iter().flat_map(|piece| start.strip(piece.to_vec())).collect();
        message.extend(start.finish());
        message
    }

    #[test]
    fn a_leading_mbox_line_goes() {
        for (given, message) in [
            ("From a Thu Jan  1\nSubject: x\n\nFrom b\n", "Subject: x\n\nFrom b\n"),
            ("From a\r\n", ""),
            ("From ", ""),
            ("From", "From"),
            ("From: a\n\nx", "From: a\n\nx"),
            ("", ""),
            ("\nFrom a\n", "\nFrom a\n"),
        ] {
            assert_eq!(stripped([given.as_bytes()]), message.as_bytes(), "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "(From ?)?[a:\n]{0,12}", sizes in proptest::collection::vec(1_usize..4, 1..4)) {
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = later;
            }
            prop_assert_eq!(stripped(pieces), stripped([text.as_bytes()]));
        }
    }
}
