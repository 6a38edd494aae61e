//! Transfer encodings, charsets and text search: the same result however the octets arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::message::decode::{CharsetDecoder, Transfer, guess_utf8};
use mailnook::message::text::{Needle, Tail, fold};

const CHARSETS: [Option<&[u8]>; 8] = [
    None,
    Some(b"utf-8"),
    Some(b"us-ascii"),
    Some(b"iso-8859-1"),
    Some(b"utf-16"),
    Some(b"iso-2022-jp"),
    Some(b"gb18030"),
    Some(b"shift_jis"),
];

fuzz_target!(|data: &[u8]| {
    let Some((&[split, kind], octets)) = data.split_first_chunk::<2>() else { return };
    let size = usize::from(split).max(1);

    let encoding: &[u8] = if kind & 1 == 0 { b"base64" } else { b"quoted-printable" };
    let transfer = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = Transfer::new(encoding).expect("a known encoding");
        let mut out = Vec::new();
        pieces.for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish(&mut out);
        out
    };
    let decoded = transfer(&mut std::iter::once(octets));
    assert!(decoded.len() <= octets.len());
    assert_eq!(decoded, transfer(&mut octets.chunks(size)));

    let charset = CHARSETS[usize::from(kind >> 1) % CHARSETS.len()];
    let convert = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = CharsetDecoder::new(charset);
        let mut out = String::new();
        pieces.for_each(|piece| decoder.push(piece, false, &mut out));
        decoder.push(b"", true, &mut out);
        out
    };
    let text = convert(&mut std::iter::once(octets));
    assert_eq!(text, convert(&mut octets.chunks(size)));

    let wanted = guess_utf8(&decoded);
    let needle = Needle::new(&wanted);
    let (mut tail, mut found) = (Tail::new(), needle.is_empty());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = (size..).find(|&end| rest.is_char_boundary(end.min(rest.len()))).unwrap_or(0).min(rest.len());
        let (piece, behind) = rest.split_at(end);
        found |= tail.push(&needle, &fold(piece));
        rest = behind;
    }
    assert_eq!(found, fold(&text).contains(&fold(&wanted)));
});
