#![allow(clippy::format_collect, clippy::format_push_string, reason = "a test's texts are short")]

use super::{Criterion, SortKey, Table};
use crate::mailbox::Row;
use crate::mailbox::fetch::Look as _;
use crate::message::text::fold;
use crate::message::{Record, Scanner};
use proptest::prelude::*;
use smol::block_on;
use std::cmp::Ordering;

const KEYS: [SortKey; 9] = [
    SortKey::Arrival,
    SortKey::Cc,
    SortKey::Date,
    SortKey::DisplayFrom,
    SortKey::DisplayTo,
    SortKey::From,
    SortKey::Size,
    SortKey::Subject,
    SortKey::To,
];

/// A message in the words of the test.
#[derive(Clone, Debug)]
struct Plain {
    arrived: i64,
    size: u64,
    sent: Option<u32>,
    /// Name and mailbox of From, To and Cc.
    people: [(String, String); 3],
    subject: String,
}

impl Plain {
    fn record(&self) -> Record {
        let mut header = String::new();
        for ((name, mailbox), field) in self.people.iter().zip(["From", "To", "Cc"]) {
            if !mailbox.is_empty() {
                header += &format!("{field}: {name} <{mailbox}@example.org>, other@example.org\r\n");
            }
        }
        if let Some(day) = self.sent {
            header += &format!("Date: {} Jan 2026 12:00:00 +0000\r\n", day + 1);
        }
        let mut scanner = Scanner::new();
        scanner.push(format!("{header}Subject: {}\r\n\r\n", self.subject).as_bytes());
        scanner.finish().record
    }

    fn row(&self, uid: usize) -> Row {
        Row::of_test(u32::try_from(uid).unwrap(), self.arrived, self.size)
    }

    /// What SORT compares, as a pair of which one half is always the same.
    fn value(&self, key: SortKey) -> (i64, String) {
        let mailbox = |index: usize| (0, fold(&self.people[index].1));
        let display = |index: usize| {
            let (name, mailbox) = &self.people[index];
            let address = if mailbox.is_empty() { String::new() } else { format!("{mailbox}@example.org") };
            (0, fold(if name.is_empty() || mailbox.is_empty() { &address } else { name }))
        };
        match key {
            SortKey::Arrival => (self.arrived, String::new()),
            SortKey::Size => (i64::try_from(self.size).unwrap(), String::new()),
            SortKey::Date => {
                // 2026-01-01 at noon.
                let sent = self.sent.map(|day| 1_767_268_800 + i64::from(day) * 86_400);
                (sent.unwrap_or(self.arrived), String::new())
            }
            SortKey::From => mailbox(0),
            SortKey::To => mailbox(1),
            SortKey::Cc => mailbox(2),
            SortKey::DisplayFrom => display(0),
            SortKey::DisplayTo => display(1),
            SortKey::Subject => (0, fold(self.subject.trim_start_matches("Re: "))),
        }
    }
}

fn messages() -> impl Strategy<Value = Vec<Plain>> {
    let people = prop::array::uniform3(("(|b|B|[ac_]|\u{e9})", "(|[aAb_])"));
    let one = (0i64..4, 0u64..4, prop::option::of(0u32..4), people, "(Re: )?(|a|A|b|_|\u{fc}|u)").prop_map(
        |(day, size, sent, people, subject)| {
            let arrived = 1_767_268_800 + day * 86_400;
            Plain { arrived, size, sent, people, subject }
        },
    );
    prop::collection::vec(one, 0..40)
}

fn criteria() -> impl Strategy<Value = Vec<Criterion>> {
    let one = (prop::sample::select(KEYS.to_vec()), any::<bool>());
    prop::collection::vec(one.prop_map(|(key, reverse)| Criterion { key, reverse }), 1..5)
}

proptest! {
    #[test]
    fn equals_a_plain_sort(messages in messages(), criteria in criteria()) {
        let mut table = Table::new(&criteria, messages.len());
        for (index, message) in messages.iter().enumerate() {
            let row = message.row(index + 1);
            if table.at_row(&row) {
                table.at_record(&row, &message.record().summary());
            }
        }
        let mut wanted: Vec<usize> = (0..messages.len()).collect();
        wanted.sort_by(|left, right| {
            let compare = |criterion: &Criterion| {
                let order = messages[*left].value(criterion.key).cmp(&messages[*right].value(criterion.key));
                if criterion.reverse { order.reverse() } else { order }
            };
            criteria.iter().map(compare).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let sorted: Vec<usize> = block_on(table.into_sorted()).into_iter().map(|uid| uid as usize - 1).collect();
        prop_assert_eq!(sorted, wanted);
    }
}
