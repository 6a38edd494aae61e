//! DEFLATE (RFC 1951) between a session and its stream, as COMPRESS of IMAP asks for it (RFC 4978).
//!
//! Every flush ends with an empty stored block, so that the peer can read all that came before. Behind such a block nothing
//! of the past is needed: the compressor is dropped while the session waits, and a fresh one goes on from there. A
//! session that waits costs the inflater's window alone.

use super::line::Input;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use std::io;

/// Limit: octets that one step inflates at most; a small input that becomes a huge one is taken in by steps, each of which
/// passes the same limits as input that was never compressed.
const INFLATE_STEP: usize = 16 * 1024;
/// Octets of the buffers through which data passes.
const PIECE: usize = 4 * 1024;
/// Fast, and on IMAP responses nearly as good as the slow levels.
const LEVEL: i32 = 3;
/// 32 KiB, and no header around the data.
const RAW_WINDOW_BITS: i32 = -15;

/// Both directions of one session.
pub(super) struct Deflate {
    inflater: Box<InflateState>,
    /// Octets that were read and not yet inflated: those of one read of the stream at most.
    pending: Vec<u8>,
    /// So many of them are inflated.
    taken: usize,
    /// The last step filled its buffer: there may be more without further input.
    more: bool,
    /// The peer has ended its data.
    ended: bool,
    /// None: nothing was compressed since the last time the session waited.
    compressor: Option<Box<CompressorOxide>>,
    /// Data was compressed since the last full flush.
    unflushed: bool,
    /// Compressed octets on their way to the stream.
    wire: Vec<u8>,
    /// So many of them are sent.
    sent: usize,
}

impl std::fmt::Debug for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflate")
    }
}

impl Deflate {
    /// Goes on with input that came behind the command.
    pub(super) fn new(input: &[u8]) -> Self {
        Self {
            inflater: InflateState::new_boxed(DataFormat::Raw),
            pending: input.to_vec(),
            taken: 0,
            more: false,
            ended: false,
            compressor: None,
            unflushed: false,
            wire: Vec::new(),
            sent: 0,
        }
    }

    /// Takes compressed octets from the stream.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.pending.extend_from_slice(octets);
    }

    /// Whether octets must come from the stream before there can be more input.
    pub(super) fn needs_input(&self) -> bool {
        self.taken == self.pending.len() && !self.more
    }

    /// Whether the peer has ended its data, behind which there is no more input.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Inflates what is there into `input`, [`INFLATE_STEP`] octets at most, and tells how many they are.
    ///
    /// # Errors
    /// What the peer sends is no DEFLATE.
    pub(super) fn inflate(&mut self, input: &mut Input) -> io::Result<usize> {
        let mut buffer = [0; PIECE];
        let mut made = 0;
        while made < INFLATE_STEP && !self.needs_input() && !self.ended {
            let unread = self.pending.get(self.taken..).unwrap_or_default();
            let result = inflate(&mut self.inflater, unread, &mut buffer, MZFlush::None);
            self.taken += result.bytes_consumed;
            self.more = result.bytes_written == buffer.len();
            input.push(buffer.get(..result.bytes_written).unwrap_or_default());
            made += result.bytes_written;
            match result.status {
                Ok(MZStatus::StreamEnd) => self.ended = true,
                // No progress without more input.
                Ok(_) | Err(MZError::Buf) if result.bytes_written == 0 && self.taken == self.pending.len() => break,
                Ok(_) if result.bytes_consumed > 0 || result.bytes_written > 0 => {}
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "damaged compressed data")),
            }
        }
        if self.taken == self.pending.len() {
            self.pending = Vec::new();
            self.taken = 0;
        }
        Ok(made)
    }

    /// Compresses `octets` for the stream. `flush`: the peer must be able to read them all.
    ///
    /// # Errors
    /// None that is known; the compressor could have some.
    pub(super) fn compress(&mut self, octets: &[u8], flush: bool) -> io::Result<()> {
        if octets.is_empty() && !(flush && self.unflushed) {
            return Ok(());
        }
        let compressor = self.compressor.get_or_insert_with(|| {
            Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, RAW_WINDOW_BITS, 0)))
        });
        let how = if flush { TDEFLFlush::Sync } else { TDEFLFlush::None };
        let wire = &mut self.wire;
        let (status, taken) = compress_to_output(compressor, octets, how, |piece| {
            wire.extend_from_slice(piece);
            true
        });
        if !matches!(status, TDEFLStatus::Okay) || taken != octets.len() {
            return Err(io::Error::other("the compressor failed"));
        }
        self.unflushed = !flush;
        Ok(())
    }

    /// Compressed octets that are still to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        self.wire.get(self.sent..).unwrap_or_default()
    }

    /// The stream took `count` octets.
    pub(super) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.wire.len() {
            self.wire.clear();
            self.sent = 0;
        }
    }

    /// The session waits: gives back all memory but the inflater's, if everything was sent.
    pub(super) fn rest(&mut self) {
        if !self.unflushed && self.wire.is_empty() {
            self.compressor = None;
            self.wire = Vec::new();
        }
    }

    #[cfg(test)]
    pub(super) const fn is_resting(&self) -> bool {
        self.compressor.is_none() && self.wire.capacity() == 0 && self.pending.capacity() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What another inflater makes of all that was sent.
    struct Peer(Box<InflateState>);

    impl Peer {
        fn new() -> Self {
            Self(InflateState::new_boxed(DataFormat::Raw))
        }

        fn read(&mut self, deflate: &mut Deflate) -> Vec<u8> {
            let mut text = Vec::new();
            let mut wire = deflate.unsent().to_vec();
            deflate.mark_sent(wire.len());
            let mut buffer = [0; 100];
            loop {
                let result = inflate(&mut self.0, &wire, &mut buffer, MZFlush::None);
                wire.drain(..result.bytes_consumed);
                text.extend_from_slice(&buffer[..result.bytes_written]);
                if result.bytes_consumed == 0 && result.bytes_written == 0 {
                    assert!(wire.is_empty() && matches!(result.status, Ok(_) | Err(MZError::Buf)));
                    return text;
                }
            }
        }
    }

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut deflate = Deflate::new(b"");
        deflate.compress(text, true).unwrap();
        deflate.unsent().to_vec()
    }

    #[test]
    fn each_flush_can_be_read_and_the_compressor_changes_unnoticed() {
        let (mut deflate, mut peer) = (Deflate::new(b""), Peer::new());
        for text in ["* 1 EXISTS\r\n", "* 2 EXISTS\r\n", "", "a OK\r\n"] {
            deflate.compress(text.as_bytes(), true).unwrap();
            assert_eq!(peer.read(&mut deflate), text.as_bytes());
            deflate.rest();
            assert!(deflate.is_resting());
        }
        // Without a flush the compressor must stay.
        deflate.compress(b"* 3", false).unwrap();
        deflate.rest();
        deflate.compress(b"", true).unwrap();
        assert_eq!(peer.read(&mut deflate), b"* 3");
    }

    #[test]
    fn a_bomb_goes_off_in_small_steps() {
        let bomb = compressed(&vec![b'a'; 4 << 20]);
        assert!(bomb.len() < 32 * 1024, "{}", bomb.len());
        let mut deflate = Deflate::new(&bomb);
        let mut total = 0;
        while !deflate.needs_input() {
            let mut input = Input::default();
            let made = deflate.inflate(&mut input).unwrap();
            assert!(made < INFLATE_STEP + PIECE && input.unread().len() == made);
            total += made;
        }
        assert_eq!(total, 4 << 20);
        assert_eq!(deflate.pending.capacity(), 0);
    }

    #[test]
    fn data_that_is_damaged_or_ended() {
        let mut input = Input::default();
        assert!(Deflate::new(b"\xff\xff\xff\xff").inflate(&mut input).is_err());
        assert!(Deflate::new(b"a1 NOOP\r\n").inflate(&mut input).is_err());
        // An empty last block (RFC 1951 §3.2.4).
        let mut deflate = Deflate::new(b"\x01\x00\x00\xff\xffmore");
        assert_eq!(deflate.inflate(&mut input).unwrap(), 0);
        assert!(deflate.has_ended());
    }

    #[test]
    fn a_flush_behind_a_full_block_leaves_nothing_back() {
        // Octets that cannot be compressed: the compressor's block is full with 31,745 of them.
        let mut state = 1_u32;
        let mut random = |count: usize| -> Vec<u8> {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            };
            (0..count).map(next).collect()
        };
        for last in (1..400).step_by(7) {
            let (mut deflate, mut peer) = (Deflate::new(b""), Peer::new());
            let text = random(31_600 + last);
            let (first, second) = text.split_at(20_000);
            deflate.compress(first, false).unwrap();
            deflate.compress(second, true).unwrap();
            assert!(peer.read(&mut deflate) == text, "{last}");
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_however_it_is_cut(
            texts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20_000), any::<bool>()), 0..6),
            cut in 1_usize..3000,
        ) {
            let (mut deflate, mut peer) = (Deflate::new(b""), Peer::new());
            let (mut sent, mut received, mut wire) = (Vec::new(), Vec::new(), Vec::new());
            for (text, flush) in &texts {
                deflate.compress(text, *flush).unwrap();
                wire.extend_from_slice(deflate.unsent());
                sent.extend_from_slice(text);
                received.extend(peer.read(&mut deflate));
                deflate.rest();
                prop_assert!(!*flush || received == sent);
            }
            deflate.compress(b"", true).unwrap();
            wire.extend_from_slice(deflate.unsent());
            let (mut own, mut input) = (Deflate::new(b""), Input::default());
            for piece in wire.chunks(cut) {
                own.push(piece);
                while !own.needs_input() && own.inflate(&mut input).unwrap() > 0 {}
            }
            prop_assert_eq!(input.unread(), &sent[..]);
        }

        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let (mut deflate, mut input) = (Deflate::new(&octets), Input::default());
            while !deflate.needs_input() && deflate.inflate(&mut input).is_ok_and(|made| made > 0) {}
        }
    }
}
