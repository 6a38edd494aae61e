//! Dot-stuffing: what is stuffed is read back, however it arrives, and nothing ends the data but CRLF . CRLF.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::message::Normalizer;
use mailnook::net::{DotReader, DotStuffer};

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, usize, bool) {
    let mut reader = DotReader::new();
    let mut message = Vec::new();
    let mut consumed = 0;
    for piece in pieces {
        let text = reader.feed(piece, |octets| message.extend_from_slice(octets));
        consumed += text.consumed;
        if text.finished {
            return (message, consumed, true);
        }
        assert_eq!(text.consumed, piece.len());
    }
    (message, consumed, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((&split, octets)) = data.split_first() else { return };
    let size = usize::from(split).max(1);
    let whole = read(std::iter::once(octets));
    assert_eq!(whole, read(octets.chunks(size)));
    let (_, consumed, finished) = whole;
    let text = [b"\r\n", octets].concat();
    let end = text.windows(5).position(|window| window == b"\r\n.\r\n");
    assert_eq!(finished.then_some(consumed), end.map(|at| at + 3));

    let mut normalizer = Normalizer::default();
    let mut buffer = Vec::new();
    let mut message = Vec::new();
    for piece in octets.chunks(size) {
        message.extend_from_slice(normalizer.push(piece, &mut buffer));
    }
    if !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    let mut stuffer = DotStuffer::new();
    let mut stuffed = Vec::new();
    message.chunks(size).for_each(|piece| stuffer.feed(piece, |octets| stuffed.extend_from_slice(octets)));
    stuffed.extend_from_slice(stuffer.end());
    assert_eq!(read(stuffed.chunks(size)), (message, stuffed.len(), true));
});
