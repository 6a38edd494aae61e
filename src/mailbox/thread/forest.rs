//! From links to threads: steps 2 to 6 of REFERENCES (RFC 5256 §3), and what the other algorithms have instead.
//!
//! Messages are numbers from 0 in the order of the mailbox. Behind them come groups: the dummy messages that are left,
//! always at the top. Children are brought in order by putting them down in the order of all messages, which is made
//! once.

use super::links::{ByHash, Links, NONE, Node};
use super::{Algorithm, Message};
use crate::mailbox::sort::order::sort_gently;
use smol::future::yield_now;

/// Messages that are put in their places before other tasks get their turn.
const AT_ONCE: usize = 4096;

/// Messages in their threads.
#[derive(Debug, Default)]
pub struct Threads {
    uids: Vec<u32>,
    roots: Vec<u32>,
    /// Of messages and, behind them, groups.
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
}

/// A sign of the THREAD response (RFC 5256 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A thread, or a branch of one, begins.
    Open,
    /// A message; it answers the one before it in its branch.
    Message(u32),
    /// The branch ends.
    Close,
}

/// The element of that number.
pub(super) fn at<T>(values: &[T], index: u32) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| values.get(index))
}

fn get(values: &[u32], index: u32) -> u32 {
    at(values, index).copied().unwrap_or(NONE)
}

fn set(values: &mut [u32], index: u32, value: u32) {
    if let Some(slot) = usize::try_from(index).ok().and_then(|index| values.get_mut(index)) {
        *slot = value;
    }
}

/// Makes the threads.
pub(super) async fn grow(algorithm: Algorithm, messages: Vec<Message>, links: Links) -> Threads {
    let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..count).collect();
    let sent = |index: &u32| (at(&messages, *index).map(|message| message.sent), *index);
    sort_gently(&mut order, |left, right| sent(left).cmp(&sent(right))).await;
    let (mut tops, groups) = match algorithm {
        Algorithm::OrderedSubject => by_subject(&messages, &order).await,
        Algorithm::References | Algorithm::Refs => {
            let mut tops = Tops::new(count, links).await;
            if algorithm == Algorithm::References {
                tops.gather(&messages, &order).await;
            }
            (tops.above, tops.redirect)
        }
    };
    let mut threads = plant(&mut tops, &groups, &order).await;
    if algorithm == Algorithm::Refs {
        threads.latest_last(&messages, &tops).await;
    }
    threads.uids = messages.iter().map(|message| message.uid).collect();
    threads
}

/// ORDEREDSUBJECT: the first of each subject is above the others.
async fn by_subject(messages: &[Message], order: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut above = vec![NONE; messages.len()];
    let mut firsts = ByHash::default();
    for piece in order.chunks(AT_ONCE) {
        for &index in piece {
            let subject = at(messages, index).map_or(0, |message| message.subject);
            let first = *firsts.entry(subject).or_insert(index);
            if first != index {
                set(&mut above, index, first);
            }
        }
        yield_now().await;
    }
    (above, Vec::new())
}

/// Each message's parent, once dummies are pruned.
struct Tops {
    count: u32,
    /// A message, or a group behind them, or [`NONE`] at the top.
    above: Vec<u32>,
    /// For each group the one that it was merged into, or itself.
    redirect: Vec<u32>,
}

impl Tops {
    /// Steps 2 and 3: a message's parent is the next one above that is none of the dummies. Several messages of which
    /// the topmost one is the same dummy are a group; a single one is at the top itself.
    async fn new(count: u32, links: Links) -> Self {
        let (mut nodes, of_message) = links.into_parts();
        let mut above = vec![NONE; of_message.len()];
        // Of a dummy at the top: its group.
        let mut members: Vec<u32> = Vec::new();
        for (index, &own) in of_message.iter().enumerate() {
            let top = next_real(&mut nodes, own);
            let group = members.len();
            if let (Some(slot), Some(node)) = (above.get_mut(index), at(&nodes, top).copied()) {
                *slot = if node.message == NONE {
                    let number = count.saturating_add(u32::try_from(group).unwrap_or(NONE));
                    members.push(0);
                    if let Some(node) = usize::try_from(top).ok().and_then(|top| nodes.get_mut(top)) {
                        node.message = number;
                    }
                    number
                } else {
                    node.message
                };
                if let Some(members) = slot.checked_sub(count).and_then(|group| members.get_mut(group as usize)) {
                    *members += 1;
                }
            }
            if index % AT_ONCE == 0 {
                yield_now().await;
            }
        }
        for slot in &mut above {
            if slot.checked_sub(count).is_some_and(|group| get(&members, group) == 1) {
                *slot = NONE;
            }
        }
        let redirect = (count..).take(members.len()).collect();
        Self { count, above, redirect }
    }

    /// Step 5: threads of one subject come together.
    async fn gather(&mut self, messages: &[Message], order: &[u32]) {
        let roots = self.roots(order);
        yield_now().await;
        // (B)
        let mut table = ByHash::default();
        for piece in roots.chunks(AT_ONCE) {
            for root in piece {
                let Some(first) = at(messages, root.first).filter(|message| message.subject != 0) else { continue };
                let other = *table.entry(first.subject).or_insert(root.top);
                let other_is_reply = at(messages, other).is_some_and(|other| other.is_reply);
                if !self.is_group(other) && (self.is_group(root.top) || (other_is_reply && !first.is_reply)) {
                    table.insert(first.subject, root.top);
                }
            }
            yield_now().await;
        }
        // (C)
        for piece in roots.chunks(AT_ONCE) {
            for root in piece {
                let Some(first) = at(messages, root.first).filter(|message| message.subject != 0) else { continue };
                let Some(&other) = table.get(&first.subject).filter(|other| **other != root.top) else { continue };
                let other_is_reply = at(messages, other).is_some_and(|other| other.is_reply);
                if self.is_group(root.top) {
                    let group = root.top - self.count;
                    set(&mut self.redirect, group, other);
                } else if self.is_group(other) || (first.is_reply && !other_is_reply) {
                    set(&mut self.above, root.top, other);
                } else {
                    let group = self.count.saturating_add(u32::try_from(self.redirect.len()).unwrap_or(NONE));
                    self.redirect.push(group);
                    set(&mut self.above, root.top, group);
                    set(&mut self.above, other, group);
                    table.insert(first.subject, group);
                }
            }
            yield_now().await;
        }
    }

    /// Step 4: what is at the top, each with its first message, in the order of these.
    fn roots(&self, order: &[u32]) -> Vec<Root> {
        let mut seen = vec![false; self.redirect.len()];
        let mut roots = Vec::new();
        for &first in order {
            let above = get(&self.above, first);
            if above == NONE {
                roots.push(Root { top: first, first });
            } else if let Some(seen) = above.checked_sub(self.count).and_then(|group| seen.get_mut(group as usize))
                && !std::mem::replace(seen, true)
            {
                roots.push(Root { top: above, first });
            }
        }
        roots
    }

    const fn is_group(&self, top: u32) -> bool {
        top >= self.count
    }
}

struct Root {
    /// A message or a group.
    top: u32,
    /// The message itself, or the first one of the group.
    first: u32,
}

/// The nearest node above that is a message, or else the topmost dummy, or [`NONE`]. Dummies on the way are left pointing
/// there, so that none is passed twice.
fn next_real(nodes: &mut [Node], own: u32) -> u32 {
    let parent = |nodes: &[Node], node| at(nodes, node).map_or(NONE, |node| node.parent);
    let is_dummy = |nodes: &[Node], node| at(nodes, node).is_some_and(|node| node.message == NONE);
    let mut found = parent(nodes, own);
    while is_dummy(nodes, found) && parent(nodes, found) != NONE {
        found = parent(nodes, found);
    }
    let mut node = own;
    while node != found && node != NONE {
        let above = parent(nodes, node);
        if let Some(node) = usize::try_from(node).ok().and_then(|node| nodes.get_mut(node)) {
            node.parent = found;
        }
        node = above;
    }
    found
}

/// Puts every message below its parent, in order.
async fn plant(above: &mut [u32], redirect: &[u32], order: &[u32]) -> Threads {
    let count = u32::try_from(above.len()).unwrap_or(u32::MAX);
    let all = above.len() + redirect.len();
    let (mut first_child, mut last_child) = (vec![NONE; all], vec![NONE; all]);
    let mut next_sibling = vec![NONE; all];
    let mut roots = Vec::new();
    for piece in order.chunks(AT_ONCE) {
        for &index in piece {
            let mut parent = get(above, index);
            if let Some(group) = parent.checked_sub(count).filter(|_| parent != NONE) {
                parent = get(redirect, group);
                set(above, index, parent);
            }
            if parent == NONE {
                roots.push(index);
                continue;
            }
            let last = get(&last_child, parent);
            if last == NONE {
                set(&mut first_child, parent, index);
                if parent >= count {
                    roots.push(parent);
                }
            } else {
                set(&mut next_sibling, last, index);
            }
            set(&mut last_child, parent, index);
        }
        yield_now().await;
    }
    Threads { uids: Vec::new(), roots, first_child, next_sibling }
}

impl Threads {
    /// REFS: threads by the latest arrival in them.
    async fn latest_last(&mut self, messages: &[Message], above: &[u32]) {
        let mut latest: Vec<Option<i64>> = vec![None; self.first_child.len()];
        // The top of what is above a message, found once for all on the way.
        let mut tops = above.to_vec();
        for (index, message) in messages.iter().enumerate() {
            let own = u32::try_from(index).unwrap_or(NONE);
            let mut top = own;
            while get(&tops, top) != NONE {
                top = get(&tops, top);
            }
            let mut node = own;
            while node != top {
                let next = get(&tops, node);
                set(&mut tops, node, top);
                node = next;
            }
            if let Some(slot) = usize::try_from(top).ok().and_then(|top| latest.get_mut(top)) {
                *slot = (*slot).max(Some(message.arrived));
            }
            if index % AT_ONCE == 0 {
                yield_now().await;
            }
        }
        let mut order: Vec<u32> = (0..u32::try_from(self.roots.len()).unwrap_or(u32::MAX)).collect();
        let key = |place: &u32| (at(&latest, get(&self.roots, *place)), *place);
        sort_gently(&mut order, |left, right| key(left).cmp(&key(right))).await;
        self.roots = order.into_iter().map(|place| get(&self.roots, place)).collect();
    }

    /// The signs of the response, one after the other.
    #[must_use]
    pub fn steps(&self) -> Steps<'_> {
        Steps { threads: self, roots: self.roots.iter(), state: State::Closed, forks: Vec::new() }
    }
}

/// Goes through threads without recursion.
#[derive(Debug)]
pub struct Steps<'a> {
    threads: &'a Threads,
    roots: std::slice::Iter<'a, u32>,
    state: State,
    /// For each fork on the way here its next branch; [`NONE`] in its last one.
    forks: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A branch has been closed, or nothing was yet.
    Closed,
    /// A branch is to be opened.
    Opening(u32),
    /// On a branch.
    At(u32),
    /// A branch is to be closed.
    Closing,
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            match self.state {
                State::Closed => {
                    self.state = match self.forks.pop() {
                        None => State::Opening(*self.roots.next()?),
                        // With the last branch of a fork ends the one that forked.
                        Some(NONE) => State::Closing,
                        Some(branch) => self.branch(branch),
                    };
                }
                State::Opening(node) => {
                    self.state = State::At(node);
                    return Some(Step::Open);
                }
                State::Closing => {
                    self.state = State::Closed;
                    return Some(Step::Close);
                }
                State::At(node) => {
                    let child = get(&self.threads.first_child, node);
                    let is_only = get(&self.threads.next_sibling, child) == NONE;
                    let message = at(&self.threads.uids, node).map(|uid| Step::Message(*uid));
                    self.state = match child {
                        NONE => State::Closing,
                        // An only child is on the same branch.
                        _ if is_only && message.is_some() => State::At(child),
                        _ => self.branch(child),
                    };
                    if message.is_some() {
                        return message;
                    }
                }
            }
        }
    }
}

impl Steps<'_> {
    /// Goes on with a branch of a fork.
    fn branch(&mut self, node: u32) -> State {
        self.forks.push(get(&self.threads.next_sibling, node));
        State::Opening(node)
    }
}
