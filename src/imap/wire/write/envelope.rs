//! ENVELOPE (RFC 3501 §7.4.2).

use super::string::ntext;
use crate::imap::enabled::Quoting;
use crate::message::{Addresses, Envelope};

/// Appends an envelope in its parentheses.
pub fn envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>, quoting: Quoting) {
    out.push(b'(');
    ntext(out, envelope.date, quoting);
    out.push(b' ');
    ntext(out, envelope.subject, quoting);
    for list in [envelope.from, envelope.sender, envelope.reply_to, envelope.to, envelope.cc, envelope.bcc] {
        out.push(b' ');
        addresses(out, list, quoting);
    }
    for string in [envelope.in_reply_to, envelope.message_id] {
        out.push(b' ');
        ntext(out, string, quoting);
    }
    out.push(b')');
}

fn addresses(out: &mut Vec<u8>, list: Addresses<'_>, quoting: Quoting) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    let start = out.len();
    out.push(b'(');
    for address in list {
        for (index, part) in [address.name, address.adl, address.mailbox, address.host].into_iter().enumerate() {
            out.push(if index == 0 { b'(' } else { b' ' });
            ntext(out, part, quoting);
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
