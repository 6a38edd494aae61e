//! What a client wants to be told of (RFC 5465 §6). Pure.

use crate::imap::command::{EventGroup, Events, FetchItem, MailboxFilter};
use crate::mailbox::normal_name;
use crate::types::DELIMITER;

/// Which events of one mailbox a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are events, each wanted or not")]
pub struct Wanted {
    /// MessageNew and MessageExpunge, which only come together (RFC 5465 §5)
    pub messages: bool,
    /// FlagChange. Invariant: only with `messages`.
    pub flags: bool,
    /// MailboxName
    pub names: bool,
    /// SubscriptionChange
    pub subscriptions: bool,
    /// MailboxMetadataChange
    pub metadata: bool,
}

/// The event groups of a NOTIFY SET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    groups: Vec<EventGroup>,
}

impl Events {
    /// The events of one mailbox.
    const fn wanted(&self) -> Wanted {
        Wanted {
            messages: self.messages,
            flags: self.flags,
            names: self.mailbox_name,
            subscriptions: self.subscription,
            metadata: self.mailbox_metadata,
        }
    }
}

impl Spec {
    /// These groups. None: NOTIFY NONE.
    #[must_use]
    pub fn new(mut groups: Vec<EventGroup>) -> Self {
        for group in &mut groups {
            if let MailboxFilter::Subtree(names) | MailboxFilter::Mailboxes(names) = &mut group.filter {
                for name in names {
                    let normal = normal_name(name.strip_suffix(DELIMITER).unwrap_or(name)).into_owned();
                    *name = normal;
                }
            }
        }
        Self { groups }
    }

    /// The group of the selected mailbox, and whether its expunges wait for a command (SELECTED-DELAYED).
    fn of_selected(&self) -> Option<(&EventGroup, bool)> {
        self.groups.iter().find_map(|group| match group.filter {
            MailboxFilter::Selected => Some((group, false)),
            MailboxFilter::SelectedDelayed => Some((group, true)),
            _ => None,
        })
    }

    /// What is wanted of the selected mailbox: only events of messages.
    #[must_use]
    pub fn selected(&self) -> Wanted {
        self.of_selected().map_or_else(Wanted::default, |(group, _)| group.events.wanted())
    }

    /// Expunges of the selected mailbox are told only where a command allows it.
    #[must_use]
    pub fn delays_expunges(&self) -> bool {
        self.of_selected().is_none_or(|(_, delayed)| delayed)
    }

    /// What to fetch of messages that are new in the selected mailbox.
    #[must_use]
    pub fn fetch(&self) -> &[FetchItem] {
        self.of_selected().map_or(&[], |(group, _)| &group.events.fetch)
    }

    /// What is wanted of a mailbox that is not selected. A group with NONE takes its mailboxes out of the others.
    #[must_use]
    pub fn of(&self, name: &str, subscribed: bool) -> Wanted {
        let mut wanted = Wanted::default();
        for group in self.groups.iter().filter(|group| covers(&group.filter, name, subscribed)) {
            if group.events.is_none() {
                return Wanted::default();
            }
            let more = group.events.wanted();
            wanted = Wanted {
                messages: wanted.messages || more.messages,
                flags: wanted.flags || more.flags,
                names: wanted.names || more.names,
                subscriptions: wanted.subscriptions || more.subscriptions,
                metadata: wanted.metadata || more.metadata,
            };
        }
        wanted
    }

    /// Changes of the server's annotations are wanted.
    #[must_use]
    pub fn server_metadata(&self) -> bool {
        self.groups.iter().any(|group| group.events.server_metadata)
    }

    /// Something beside the selected mailbox is to be followed.
    #[must_use]
    pub fn follows_others(&self) -> bool {
        let selected =
            |filter: &MailboxFilter| matches!(filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed);
        self.groups.iter().any(|group| !selected(&group.filter) && !group.events.is_none())
    }

    /// Annotations are to be followed.
    #[must_use]
    pub fn follows_annotations(&self) -> bool {
        self.groups.iter().any(|group| group.events.mailbox_metadata || group.events.server_metadata)
    }
}

/// Whether a filter names that mailbox (RFC 5465 §6.2 to §6.6). All names are personal; mail may be delivered to each of
/// them (by its address with a detail), so that inboxes are the same.
fn covers(filter: &MailboxFilter, name: &str, subscribed: bool) -> bool {
    match filter {
        // The parser gives no SUBTREE-ONE, which RFC 5465 does not have.
        MailboxFilter::Selected | MailboxFilter::SelectedDelayed | MailboxFilter::SubtreeOne(_) => false,
        MailboxFilter::Inboxes | MailboxFilter::Personal => true,
        MailboxFilter::Subscribed => subscribed,
        MailboxFilter::Subtree(roots) => roots.iter().any(|root| {
            name.strip_prefix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(DELIMITER))
        }),
        MailboxFilter::Mailboxes(names) => names.iter().any(|known| known == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(filter: MailboxFilter, events: Events) -> EventGroup {
        EventGroup { filter, events }
    }

    #[test]
    fn groups_add_up_and_none_takes_away() {
        let messages = Events { messages: true, ..Events::default() };
        let names = Events { mailbox_name: true, ..Events::default() };
        let spec = Spec::new(vec![
            group(MailboxFilter::Subtree(vec!["a".to_owned()]), messages.clone()),
            group(MailboxFilter::Subscribed, names),
            group(MailboxFilter::Mailboxes(vec!["a/spam".to_owned()]), Events::default()),
        ]);
        assert_eq!(spec.of("a/b", true), Wanted { messages: true, names: true, ..Wanted::default() });
        assert_eq!(spec.of("a", false), Wanted { messages: true, ..Wanted::default() });
        assert_eq!(spec.of("ab", true), Wanted { names: true, ..Wanted::default() });
        assert_eq!(spec.of("a/spam", true), Wanted::default());
        assert_eq!(spec.selected(), Wanted::default());
        assert!(spec.follows_others() && !spec.follows_annotations() && spec.delays_expunges());
        let spec = Spec::new(vec![group(MailboxFilter::Selected, messages)]);
        assert!(spec.selected().messages && !spec.delays_expunges() && !spec.follows_others());
        assert_eq!(spec.of("a", true), Wanted::default());
    }
}
