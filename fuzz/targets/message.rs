//! The message scanner: the same record however the octets arrive, a record that survives storing, sections inside the
//! message, and ENVELOPE and BODYSTRUCTURE that imap-codec can read.
#![no_main]

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use libfuzzer_sys::fuzz_target;
use mailnook::imap::enabled::Enabled;
use mailnook::imap::wire::write;
use mailnook::message::{Part, Record, Scanner};

fn scan<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Record {
    let mut scanner = Scanner::new();
    pieces.for_each(|piece| scanner.push(piece));
    scanner.finish().record
}

/// The depth of the structure; checks that parts lie inside their parents.
fn check(part: &Part<'_>, end: u64) -> usize {
    assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
    assert!(part.body.start <= part.body.end && part.body.end <= end);
    1 + part.children().map(|child| check(&child, part.body.end)).max().unwrap_or(0)
}

fuzz_target!(|data: &[u8]| {
    let Some((&split, message)) = data.split_first() else { return };
    let record = scan(std::iter::once(message));
    let pieces = scan(message.chunks(usize::from(split).max(1)));
    assert_eq!(record.as_bytes(), pieces.as_bytes());
    let again = Record::from_bytes(record.as_bytes().to_vec()).expect("a record");
    let depth = check(&again.structure(), message.len() as u64);

    let mut line = b"* 1 FETCH (ENVELOPE ".to_vec();
    // The forms for clients of RFC 9051, which imap-codec does not know; they must end, and that is all.
    let rev2 = Enabled { rev2: true, utf8: true, ..Enabled::default() };
    write::envelope(&mut Vec::new(), &record.envelope(), rev2.quoting());
    write::body_structure(&mut Vec::new(), &record.structure(), rev2);
    let plain = Enabled::default();
    write::envelope(&mut line, &record.envelope(), plain.quoting());
    // imap-codec reads eight levels.
    if depth < 7 {
        line.extend_from_slice(b" BODY ");
        write::body(&mut line, &record.structure(), plain);
        line.extend_from_slice(b" BODYSTRUCTURE ");
        write::body_structure(&mut line, &record.structure(), plain);
    }
    line.extend_from_slice(b")\r\n");
    assert!(ResponseCodec::default().decode(&line).is_ok(), "{}", String::from_utf8_lossy(&line));
});
