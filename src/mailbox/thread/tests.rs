#![allow(clippy::format_collect, clippy::format_push_string, reason = "a test's texts are short")]

use super::forest::Step;
use super::{Algorithm, Known, Threads};
use crate::mailbox::Row;
use crate::mailbox::fetch::Look as _;
use crate::message::Scanner;
use crate::message::subject::base_subject;
use proptest::prelude::*;
use smol::block_on;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A message in the words of the test.
#[derive(Clone, Debug)]
struct Plain {
    id: Option<u8>,
    references: Vec<u8>,
    in_reply_to: Option<u8>,
    sent: u32,
    arrived: u32,
    subject: String,
}

impl Plain {
    fn header(&self) -> String {
        let mut header = format!("Date: {} Jan 2026 12:00:00 +0000\r\nSubject: {}\r\n", self.sent + 1, self.subject);
        let mut field = |name: &str, ids: &[u8]| {
            let ids: Vec<String> = ids.iter().map(|id| format!("<{id}@example.org>")).collect();
            if !ids.is_empty() {
                let _written = write!(header, "{name}: {}\r\n", ids.join("\r\n "));
            }
        };
        field("Message-ID", self.id.as_slice());
        field("References", &self.references);
        field("In-Reply-To", self.in_reply_to.as_slice());
        header + "\r\n"
    }
}

fn threads(algorithm: Algorithm, messages: &[Plain]) -> Threads {
    let mut known = Known::new(algorithm, messages.len());
    for (index, message) in messages.iter().enumerate() {
        let mut scanner = Scanner::new();
        scanner.push(message.header().as_bytes());
        let row = Row::of_test(u32::try_from(index).unwrap() + 1, i64::from(message.arrived), 1);
        assert!(known.at_row(&row));
        known.at_record(&row, &scanner.finish().record.summary());
    }
    block_on(super::forest::grow(known.algorithm, known.messages, known.links))
}

/// The signs of the response as one text.
fn text(threads: &Threads) -> String {
    let mut text = String::new();
    let mut after_message = false;
    for step in threads.steps() {
        if after_message && step != Step::Close {
            text.push(' ');
        }
        after_message = matches!(step, Step::Message(_));
        match step {
            Step::Open => text.push('('),
            Step::Close => text.push(')'),
            Step::Message(uid) => text += &uid.to_string(),
        }
    }
    text
}

/// REFERENCES in the order and the words of RFC 5256 §3, on a tree of pointers, and REFS likewise.
mod by_the_letter {
    use super::{Plain, base_subject};

    #[derive(Clone, Default)]
    struct Node {
        id: String,
        /// Index of the message; None: a dummy.
        message: Option<usize>,
        parent: Option<usize>,
        children: Vec<usize>,
    }

    pub struct Tree<'a> {
        messages: &'a [Plain],
        nodes: Vec<Node>,
        root: Vec<usize>,
    }

    impl<'a> Tree<'a> {
        pub fn new(messages: &'a [Plain]) -> Self {
            let mut tree = Self { messages, nodes: Vec::new(), root: Vec::new() };
            // Who has which identifier is known beforehand: the first message that carries it.
            for (index, message) in messages.iter().enumerate() {
                let id = message.id.map(|id| id.to_string());
                let taken = |id: &String| tree.nodes.iter().any(|node| node.id == *id);
                let id = id.filter(|id| !taken(id)).unwrap_or_else(|| format!("unique {index}"));
                tree.nodes.push(Node { id, message: Some(index), ..Node::default() });
            }
            for (index, message) in messages.iter().enumerate() {
                tree.step_1(index, message);
            }
            tree.root = (0..tree.nodes.len()).filter(|node| tree.nodes[*node].parent.is_none()).collect();
            tree.step_3();
            tree
        }

        fn find(&mut self, id: u8) -> usize {
            let id = id.to_string();
            self.nodes.iter().position(|node| node.id == id).unwrap_or_else(|| {
                self.nodes.push(Node { id, ..Node::default() });
                self.nodes.len() - 1
            })
        }

        fn step_1(&mut self, own: usize, message: &Plain) {
            let ids = if message.references.is_empty() {
                message.in_reply_to.iter().copied().collect()
            } else {
                message.references.clone()
            };
            let references: Vec<usize> = ids.into_iter().map(|id| self.find(id)).collect();
            for pair in references.windows(2) {
                if self.nodes[pair[1]].parent.is_none() {
                    self.link(pair[0], pair[1]);
                }
            }
            self.unlink(own);
            if let Some(&last) = references.last() {
                self.link(last, own);
            }
        }

        fn link(&mut self, parent: usize, child: usize) {
            let mut above = Some(parent);
            while let Some(node) = above {
                if node == child {
                    return;
                }
                above = self.nodes[node].parent;
            }
            self.nodes[child].parent = Some(parent);
            self.nodes[parent].children.push(child);
        }

        fn unlink(&mut self, child: usize) {
            if let Some(parent) = self.nodes[child].parent.take() {
                self.nodes[parent].children.retain(|node| *node != child);
            }
        }

        fn is_dummy(&self, node: usize) -> bool {
            self.nodes[node].message.is_none()
        }

        /// Prunes dummies until there is nothing to prune.
        fn step_3(&mut self) {
            while let Some(node) = (0..self.nodes.len()).find(|node| {
                let is_root = self.root.contains(node);
                let lives = is_root || self.nodes[*node].parent.is_some();
                self.is_dummy(*node) && lives && (!is_root || self.nodes[*node].children.len() < 2)
            }) {
                let children = std::mem::take(&mut self.nodes[node].children);
                let parent = self.nodes[node].parent;
                self.unlink(node);
                self.root.retain(|root| *root != node);
                for child in children {
                    self.nodes[child].parent = parent;
                    match parent {
                        Some(parent) => self.nodes[parent].children.push(child),
                        None => self.root.push(child),
                    }
                }
            }
        }

        fn key(&self, node: usize) -> (u32, usize) {
            match self.nodes[node].message {
                Some(message) => (self.messages[message].sent, message),
                None => self.nodes[node].children.iter().map(|child| self.key(*child)).min().expect("children"),
            }
        }

        fn sort_root(&mut self) {
            let mut root = std::mem::take(&mut self.root);
            root.sort_by_key(|node| self.key(*node));
            self.root = root;
        }

        fn subject(&self, node: usize) -> String {
            let message = self.key(node).1;
            let message = self.nodes[node].message.unwrap_or(message);
            base_subject(self.messages[message].subject.as_bytes()).text.to_uppercase()
        }

        fn is_reply(&self, node: usize) -> bool {
            let message = self.nodes[node].message;
            message.is_some_and(|message| base_subject(self.messages[message].subject.as_bytes()).is_reply)
        }

        fn adopt(&mut self, parent: usize, child: usize) {
            self.root.retain(|root| *root != child);
            self.nodes[child].parent = Some(parent);
            self.nodes[parent].children.push(child);
        }

        fn steps_4_and_5(&mut self) {
            self.sort_root();
            let mut table: Vec<(String, usize)> = Vec::new();
            let roots = self.root.clone();
            for &current in &roots {
                let subject = self.subject(current);
                if subject.is_empty() {
                    continue;
                }
                let Some(place) = table.iter().position(|(known, _)| *known == subject) else {
                    table.push((subject, current));
                    continue;
                };
                let other = table[place].1;
                let replaces = self.is_dummy(current) || (self.is_reply(other) && !self.is_reply(current));
                if !self.is_dummy(other) && replaces {
                    table[place].1 = current;
                }
            }
            for &current in &roots {
                let subject = self.subject(current);
                let Some(place) = table.iter().position(|(known, _)| *known == subject) else { continue };
                let other = table[place].1;
                if other == current {
                    continue;
                }
                if self.is_dummy(current) && self.is_dummy(other) {
                    self.root.retain(|root| *root != current);
                    for child in std::mem::take(&mut self.nodes[current].children) {
                        self.adopt(other, child);
                    }
                } else if self.is_dummy(other) || (self.is_reply(current) && !self.is_reply(other)) {
                    self.adopt(other, current);
                } else {
                    self.nodes.push(Node::default());
                    let dummy = self.nodes.len() - 1;
                    self.root.push(dummy);
                    self.adopt(dummy, current);
                    self.adopt(dummy, other);
                    table[place].1 = dummy;
                }
            }
        }

        pub fn references(mut self) -> String {
            self.steps_4_and_5();
            self.sort_root();
            self.root.iter().map(|root| format!("({})", self.text(*root))).collect()
        }

        pub fn refs(mut self) -> String {
            let latest = |node: usize| self.latest(node);
            let mut root = self.root.clone();
            root.sort_by_key(|node| (latest(*node), self.key(*node)));
            self.root = root;
            self.root.iter().map(|root| format!("({})", self.text(*root))).collect()
        }

        fn latest(&self, node: usize) -> Option<u32> {
            let own = self.nodes[node].message.map(|message| self.messages[message].arrived);
            self.nodes[node].children.iter().map(|child| self.latest(*child)).max().flatten().max(own)
        }

        fn text(&self, node: usize) -> String {
            let mut children = self.nodes[node].children.clone();
            children.sort_by_key(|node| self.key(*node));
            let own = self.nodes[node].message.map(|message| (message + 1).to_string());
            let below = match (children.as_slice(), &own) {
                ([], _) => String::new(),
                ([only], Some(_)) => self.text(*only),
                (children, _) => children.iter().map(|child| format!("({})", self.text(*child))).collect(),
            };
            match own {
                Some(own) if below.is_empty() => own,
                Some(own) => format!("{own} {below}"),
                None => below,
            }
        }
    }
}

fn ordered_subject(messages: &[Plain]) -> String {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|index| messages[*index].sent);
    let base = |index: usize| base_subject(messages[index].subject.as_bytes()).text.to_uppercase();
    let mut threads: Vec<Vec<usize>> = Vec::new();
    for index in order {
        match threads.iter_mut().find(|thread| base(thread[0]) == base(index)) {
            Some(thread) => thread.push(index),
            None => threads.push(vec![index]),
        }
    }
    let number = |index: &usize| (index + 1).to_string();
    let text = |thread: &Vec<usize>| match thread.as_slice() {
        [first, only] => format!("({} {})", first + 1, only + 1),
        [first, rest @ ..] if !rest.is_empty() => {
            format!("({} {})", first + 1, rest.iter().map(|index| format!("({})", number(index))).collect::<String>())
        }
        rest => format!("({})", rest.iter().map(number).collect::<String>()),
    };
    threads.iter().map(text).collect()
}

fn messages(count: usize, ids: u8) -> impl Strategy<Value = Vec<Plain>> {
    let one = (
        prop::option::weighted(0.9, 0..ids),
        prop::collection::vec(0..ids, 0..5),
        prop::option::of(0..ids),
        (0u32..6, 0u32..6),
        prop::sample::select(vec!["", "a", "Re: a", "A", "re: b", "Fwd: b", "[x] b", "(fwd)", "c"]),
    );
    let one = one.prop_map(|(id, references, in_reply_to, (sent, arrived), subject)| Plain {
        id,
        references,
        in_reply_to,
        sent,
        arrived,
        subject: subject.to_owned(),
    });
    prop::collection::vec(one, 0..count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn follows_the_rfc_step_by_step(messages in prop_oneof![messages(6, 6), messages(20, 12), messages(30, 60)]) {
        prop_assert_eq!(text(&threads(Algorithm::References, &messages)), by_the_letter::Tree::new(&messages).references());
        prop_assert_eq!(text(&threads(Algorithm::Refs, &messages)), by_the_letter::Tree::new(&messages).refs());
        prop_assert_eq!(text(&threads(Algorithm::OrderedSubject, &messages)), ordered_subject(&messages));
    }

    #[test]
    fn every_message_is_there_once(messages in messages(60, 20)) {
        for algorithm in [Algorithm::References, Algorithm::Refs, Algorithm::OrderedSubject] {
            let mut seen = BTreeSet::new();
            for step in threads(algorithm, &messages).steps() {
                if let Step::Message(uid) = step {
                    prop_assert!(seen.insert(uid), "{} comes twice", uid);
                }
            }
            prop_assert_eq!(seen.len(), messages.len());
        }
    }
}

/// Each message answers the one before: 100,000 deep, in either order of arrival, and no stack overflows.
#[test]
fn the_deepest_thread() {
    const DEPTH: u32 = 100_000;
    for reverse in [false, true] {
        let mut known = Known::new(Algorithm::References, 0);
        for index in 0..DEPTH {
            let number = if reverse { DEPTH - 1 - index } else { index };
            let id = |number: u32| format!("<{number}@x>");
            let parent = number.checked_sub(1).map(id);
            known.links.add(Some(id(number).as_bytes()), None, parent.as_deref().map(str::as_bytes));
            let (sent, subject) = (i64::from(number), u64::from(number) + 1);
            known.messages.push(super::Message { uid: number + 1, sent, arrived: 0, subject, is_reply: false });
        }
        let threads = block_on(super::forest::grow(Algorithm::References, known.messages, known.links));
        let mut steps = threads.steps();
        assert_eq!(steps.next(), Some(Step::Open));
        for uid in 1..=DEPTH {
            assert_eq!(steps.next(), Some(Step::Message(uid)));
        }
        assert_eq!((steps.next(), steps.next()), (Some(Step::Close), None));
    }
}

/// Every fork on the way down the deepest thread closes again.
#[test]
fn the_deepest_forks() {
    const DEPTH: u32 = 50_000;
    let mut known = Known::new(Algorithm::Refs, 0);
    for index in 0..DEPTH {
        // 0 is above 1 and 2, 2 above 3 and 4, and so on.
        let id = |number: u32| format!("<{number}@x>");
        let parent = index.checked_sub(1).map(|before| id(before - before % 2));
        known.links.add(Some(id(index).as_bytes()), parent.as_deref().map(str::as_bytes), None);
        known.messages.push(super::Message { uid: index + 1, sent: 0, arrived: 0, subject: 0, is_reply: false });
    }
    let threads = block_on(super::forest::grow(Algorithm::Refs, known.messages, known.links));
    let (mut open, mut deepest, mut count) = (0u32, 0, 0);
    for step in threads.steps() {
        match step {
            Step::Open => open += 1,
            Step::Close => open -= 1,
            Step::Message(_) => count += 1,
        }
        deepest = deepest.max(open);
    }
    assert_eq!((open, count), (0, DEPTH));
    assert!(deepest >= DEPTH / 2, "{deepest}");
}
