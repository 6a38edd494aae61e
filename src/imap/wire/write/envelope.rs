//! ENVELOPE (RFC 3501 §7.4.2).

use super::string::nstring;
use crate::message::{Addresses, Envelope};

/// Appends an envelope in its parentheses.
pub fn envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>) {
    out.push(b'(');
    nstring(out, envelope.date);
    out.push(b' ');
    nstring(out, envelope.subject);
    for list in [envelope.from, envelope.sender, envelope.reply_to, envelope.to, envelope.cc, envelope.bcc] {
        out.push(b' ');
        addresses(out, list);
    }
    for string in [envelope.in_reply_to, envelope.message_id] {
        out.push(b' ');
        nstring(out, string);
    }
    out.push(b')');
}

fn addresses(out: &mut Vec<u8>, list: Addresses<'_>) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    let start = out.len();
    out.push(b'(');
    for address in list {
        for (index, part) in [address.name, address.adl, address.mailbox, address.host].into_iter().enumerate() {
            out.push(if index == 0 { b'(' } else { b' ' });
            nstring(out, part);
        }
        out.push(b')');
    }
    if out.len() == start + 1 {
        // A damaged list; the grammar knows no empty one.
        out.truncate(start);
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b')');
}
