//! Who answers whom: step 1 of REFERENCES (RFC 5256 §3).

use crate::mailbox::sort::MESSAGES_MAX;
use crate::message::message_id::MessageIds;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// No node, and no message.
pub(super) const NONE: u32 = u32::MAX;

/// Limit: identifiers, those of messages that are not there included. Beyond it references to further ones are passed
/// over; the messages themselves always have their place.
const NODES_MAX: usize = 2 * MESSAGES_MAX as usize;
/// Limit: steps that all looks for loops take together. Beyond it a link that would need one is not made. Threads of
/// people need next to none: only who answers what is answered already has to be looked after.
const CLIMBS_MAX: u64 = 1 << 27;

/// A hash as its own hash: it is random already.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// By hashes of identifiers or subjects.
pub(super) type ByHash = HashMap<u64, u32, BuildHasherDefault<Hashed>>;

/// Messages, and those that only others name, with their parents.
#[derive(Default)]
pub(super) struct Links {
    hasher: RandomState,
    by_id: ByHash,
    nodes: Vec<Node>,
    /// The node of each message, in their order.
    of_message: Vec<u32>,
    climbed: u64,
    id: Vec<u8>,
}

/// One identifier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    /// The message; [`NONE`]: a dummy, known by its identifier only.
    pub(super) message: u32,
    /// It was a parent at some time, so that it may be above another.
    had_children: bool,
}

impl Links {
    /// Takes in the next message, in the order of the mailbox; gives nothing back but remembers.
    pub(super) fn add(&mut self, own: Option<&[u8]>, references: Option<&[u8]>, in_reply_to: Option<&[u8]>) {
        let own = self.own_node(own);
        self.of_message.push(own);
        let mut last = NONE;
        // (A): each reference is the parent of the next one, unless that has a parent.
        let mut ids = MessageIds::new(references.unwrap_or_default());
        let mut any = false;
        while let Some(hash) = self.next_hash(&mut ids) {
            any = true;
            let Some(node) = self.node_of(hash) else { continue };
            if last != NONE && self.parent(node) == NONE {
                self.link(last, node);
            }
            last = node;
        }
        if !any && let Some(hash) = self.next_hash(&mut MessageIds::new(in_reply_to.unwrap_or_default())) {
            last = self.node_of(hash).unwrap_or(NONE);
        }
        // (B): the last one is the parent of the message, whatever was before.
        if let Some(node) = self.node_mut(own) {
            node.parent = NONE;
        }
        if last != NONE {
            self.link(last, own);
        }
    }

    /// The nodes, and which is whose.
    pub(super) fn into_parts(self) -> (Vec<Node>, Vec<u32>) {
        (self.nodes, self.of_message)
    }

    /// The node of a message: that of its identifier, if it has one and is the first that has it.
    fn own_node(&mut self, own: Option<&[u8]>) -> u32 {
        let message = u32::try_from(self.of_message.len()).unwrap_or(NONE);
        let hash = self.next_hash(&mut MessageIds::new(own.unwrap_or_default()));
        let known = hash.and_then(|hash| self.by_id.get(&hash).copied());
        match (known, hash) {
            (Some(node), _) if self.message(node) == NONE => {
                if let Some(node) = self.node_mut(node) {
                    node.message = message;
                }
                node
            }
            (None, Some(hash)) => {
                let node = self.push(message);
                self.by_id.insert(hash, node);
                node
            }
            _ => self.push(message),
        }
    }

    /// The node of an identifier, a dummy where no message has it yet; None where there is no room for one.
    fn node_of(&mut self, hash: u64) -> Option<u32> {
        if let Some(node) = self.by_id.get(&hash) {
            return Some(*node);
        }
        if self.nodes.len() >= NODES_MAX {
            return None;
        }
        let node = self.push(NONE);
        self.by_id.insert(hash, node);
        Some(node)
    }

    fn push(&mut self, message: u32) -> u32 {
        let node = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push(Node { parent: NONE, message, had_children: false });
        node
    }

    fn next_hash(&mut self, ids: &mut MessageIds<'_>) -> Option<u64> {
        ids.next_into(&mut self.id).then(|| self.hasher.hash_one(self.id.as_slice()))
    }

    fn node_mut(&mut self, node: u32) -> Option<&mut Node> {
        usize::try_from(node).ok().and_then(|node| self.nodes.get_mut(node))
    }

    fn parent(&self, node: u32) -> u32 {
        super::forest::at(&self.nodes, node).map_or(NONE, |node| node.parent)
    }

    fn message(&self, node: u32) -> u32 {
        super::forest::at(&self.nodes, node).map_or(NONE, |node| node.message)
    }

    /// Puts a node without a parent below another, unless it is above that one.
    fn link(&mut self, parent: u32, child: u32) {
        if parent == child || self.is_above(child, parent) {
            return;
        }
        if let Some(node) = self.node_mut(child) {
            node.parent = parent;
        }
        if let Some(node) = self.node_mut(parent) {
            node.had_children = true;
        }
    }

    fn is_above(&mut self, above: u32, node: u32) -> bool {
        if !super::forest::at(&self.nodes, above).is_some_and(|node| node.had_children) {
            return false;
        }
        let mut node = node;
        while node != NONE {
            if node == above || self.climbed >= CLIMBS_MAX {
                return true;
            }
            self.climbed += 1;
            node = self.parent(node);
        }
        false
    }
}
