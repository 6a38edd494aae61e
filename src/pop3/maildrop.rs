//! The maildrop: INBOX as it was at the login, and which of its messages are marked as deleted. Pure.

use crate::types::{InstanceId, Uid};

/// Limit: messages of one maildrop, the newest ones; 16 octets each.
pub(super) const MESSAGES_MAX: usize = 256 * 1024;

/// A message of the maildrop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its unique-id (RFC 1939 §7).
    pub(super) instance: InstanceId,
    /// Where INBOX has it.
    pub(super) uid: Uid,
    /// Its size in octets. Limit: 4 GiB - 1; a larger message is left out of the maildrop.
    pub(super) size: u32,
}

/// Why a message number means no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoMessage {
    /// The maildrop has no such number.
    Never,
    /// It is marked as deleted.
    Deleted,
}

/// Messages are numbered from 1 on, for as long as the session lives (RFC 1939 §5).
#[derive(Debug, Default)]
pub(super) struct Maildrop {
    entries: Vec<Entry>,
    /// One bit for each message; empty as long as none is marked.
    marks: Vec<u64>,
    marked: usize,
    octets: u64,
}

impl Maildrop {
    /// Adds a message behind the others.
    pub(super) fn push(&mut self, entry: Entry) {
        self.octets = self.octets.saturating_add(entry.size.into());
        self.entries.push(entry);
    }

    /// No more messages come: gives back spare memory.
    pub(super) fn seal(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Messages that are not marked.
    pub(super) fn messages(&self) -> usize {
        self.entries.len().saturating_sub(self.marked)
    }

    /// Octets of the messages that are not marked.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// The highest message number, marked or not.
    pub(super) fn last(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// The message of that number.
    pub(super) fn get(&self, number: u32) -> Result<Entry, NoMessage> {
        let index = index(number).ok_or(NoMessage::Never)?;
        let entry = self.entries.get(index).ok_or(NoMessage::Never)?;
        if self.is_marked(index) { Err(NoMessage::Deleted) } else { Ok(*entry) }
    }

    /// Marks a message as deleted.
    pub(super) fn mark(&mut self, number: u32) -> Result<(), NoMessage> {
        let entry = self.get(number)?;
        let index = index(number).ok_or(NoMessage::Never)?;
        if self.marks.is_empty() {
            self.marks = vec![0; self.entries.len().div_ceil(64)];
        }
        if let Some(word) = self.marks.get_mut(index / 64) {
            *word |= 1 << (index % 64);
            self.marked += 1;
            self.octets = self.octets.saturating_sub(entry.size.into());
        }
        Ok(())
    }

    /// Takes all marks away (RSET).
    pub(super) fn reset(&mut self) {
        let marked: u64 = self.marked_entries().map(|entry| u64::from(entry.size)).sum();
        self.octets = self.octets.saturating_add(marked);
        self.marked = 0;
        self.marks = Vec::new();
    }

    /// All messages, marked or not, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().copied()
    }

    /// The messages that are marked, oldest first.
    pub(super) fn marked_entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().enumerate().filter(|(index, _)| self.is_marked(*index)).map(|(_, entry)| *entry)
    }

    fn is_marked(&self, index: usize) -> bool {
        self.marks.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }
}

fn index(number: u32) -> Option<usize> {
    number.checked_sub(1).and_then(|index| usize::try_from(index).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn maildrop(sizes: &[u32]) -> Maildrop {
        let mut maildrop = Maildrop::default();
        for (number, &size) in (1..).zip(sizes) {
            maildrop.push(Entry { instance: InstanceId(1000 + u64::from(number)), uid: Uid(number), size });
        }
        maildrop.seal();
        maildrop
    }

    #[test]
    fn numbers_begin_at_one() {
        let maildrop = maildrop(&[10, 20]);
        assert_eq!((maildrop.messages(), maildrop.octets(), maildrop.last()), (2, 30, 2));
        assert_eq!(maildrop.get(0), Err(NoMessage::Never));
        assert_eq!(maildrop.get(2).map(|entry| entry.size), Ok(20));
        assert_eq!(maildrop.get(3), Err(NoMessage::Never));
        assert_eq!(maildrop.get(u32::MAX), Err(NoMessage::Never));
    }

    #[test]
    fn marks_hide_messages_and_keep_numbers() {
        let mut maildrop = maildrop(&[10, 20, 30]);
        assert_eq!(maildrop.mark(2), Ok(()));
        assert_eq!(maildrop.mark(2), Err(NoMessage::Deleted));
        assert_eq!(maildrop.mark(4), Err(NoMessage::Never));
        assert_eq!((maildrop.messages(), maildrop.octets(), maildrop.last()), (2, 40, 3));
        assert_eq!(maildrop.get(3).map(|entry| entry.uid), Ok(Uid(3)));
        maildrop.reset();
        assert_eq!((maildrop.messages(), maildrop.octets()), (3, 60));
        assert_eq!(maildrop.get(2).map(|entry| entry.size), Ok(20));
    }

    #[test]
    fn an_empty_maildrop() {
        let mut maildrop = maildrop(&[]);
        maildrop.reset();
        assert_eq!((maildrop.messages(), maildrop.octets(), maildrop.last()), (0, 0, 0));
        assert_eq!(maildrop.mark(1), Err(NoMessage::Never));
    }

    #[test]
    fn a_message_costs_sixteen_octets() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_list_of_flags(
            sizes in prop::collection::vec(any::<u32>(), 0..200),
            steps in prop::collection::vec(prop_oneof![9 => (0..210_u32).prop_map(Some), 1 => Just(None)], 0..60),
        ) {
            let mut maildrop = maildrop(&sizes);
            let mut model = vec![false; sizes.len()];
            for step in steps {
                match step {
                    None => {
                        maildrop.reset();
                        model.fill(false);
                    }
                    Some(number) => {
                        let slot = usize::try_from(number).unwrap().checked_sub(1).and_then(|index| model.get_mut(index));
                        let expected = match slot {
                            None => Err(NoMessage::Never),
                            Some(true) => Err(NoMessage::Deleted),
                            Some(marked) => { *marked = true; Ok(()) }
                        };
                        prop_assert_eq!(maildrop.mark(number), expected);
                    }
                }
                let left = || model.iter().zip(&sizes).filter(|(marked, _)| !**marked);
                prop_assert_eq!(maildrop.messages(), left().count());
                prop_assert_eq!(maildrop.octets(), left().map(|(_, size)| u64::from(*size)).sum::<u64>());
                let marked: Vec<u32> = maildrop.marked_entries().map(|entry| entry.uid.0).collect();
                let expected: Vec<u32> = (1..).zip(&model).filter(|(_, marked)| **marked).map(|(uid, _)| uid).collect();
                prop_assert_eq!(marked, expected);
            }
        }
    }
}
