//! Counts Received lines while a message streams by, to stop mail that goes in circles (RFC 5321 §6.3). Pure.

/// Limit: Received lines of a message that we accept. RFC 5321 §6.3 asks for 100 at least.
const RECEIVED_MAX: u32 = 100;

const NAME: &[u8] = b"received:";

/// Where the scan stands in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many octets of the line are the beginning of `received:`.
    Name(usize),
    /// In a line that is something else, or after the name.
    Rest,
    /// After the header.
    Done,
}

/// The Received lines seen so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hops {
    state: State,
    /// Whether the line had no octet but CR yet.
    empty: bool,
    count: u32,
}

impl Hops {
    pub(super) const fn new() -> Self {
        Self { state: State::Name(0), empty: true, count: 0 }
    }

    /// Takes the next octets of the message; true once there are more Received lines than mail should have.
    pub(super) fn too_many(&mut self, octets: &[u8]) -> bool {
        for octet in octets {
            if self.state == State::Done {
                break;
            }
            self.next(*octet);
        }
        self.count > RECEIVED_MAX
    }

    fn next(&mut self, octet: u8) {
        if octet == b'\n' {
            self.state = if self.empty { State::Done } else { State::Name(0) };
            self.empty = true;
            return;
        }
        self.empty &= octet == b'\r';
        if let State::Name(matched) = self.state {
            self.state = match NAME.get(matched) {
                Some(expected) if octet.eq_ignore_ascii_case(expected) => State::Name(matched + 1),
                _ => State::Rest,
            };
            if self.state == State::Name(NAME.len()) {
                self.count = self.count.saturating_add(1);
                self.state = State::Rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pieces: &[&[u8]]) -> u32 {
        let mut hops = Hops::new();
        for piece in pieces {
            hops.too_many(piece);
        }
        hops.count
    }

    #[test]
    fn header_lines_count_and_nothing_else() {
        let message =
            b"Received: a\r\n Received: folded\r\nRECEIVED: b\r\nX-Received: c\r\nreceived : d\r\n\r\nReceived: e\r\n";
        assert_eq!(count(&[message]), 2);
        for cut in 0..message.len() {
            let (first, second) = message.split_at(cut);
            assert_eq!(count(&[first, second]), 2, "cut at {cut}");
        }
        assert_eq!(count(&[b"\r\nReceived: body\r\n"]), 0);
        assert_eq!(count(&[b"Received: a\nReceived: b\n\nReceived: body\n"]), 2);
    }

    #[test]
    fn the_limit_is_crossed_by_one_more() {
        let mut hops = Hops::new();
        for _ in 0..RECEIVED_MAX {
            assert!(!hops.too_many(b"Received: x\r\n"));
        }
        assert!(hops.too_many(b"Received: x\r\n"));
    }
}
