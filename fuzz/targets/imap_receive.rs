//! Framer and command parsers: however the octets arrive, the same commands come of them; no frame exceeds the limit;
//! what imap-codec accepts is not refused as syntax.
#![no_main]

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types::command::CommandBody;
use libfuzzer_sys::fuzz_target;
use mailnook::imap::command::Command;
use mailnook::imap::wire::frame::{Event, Frame, Framer};
use mailnook::imap::wire::parse::parse;
use mailnook::imap::wire::{ErrorKind, ParseError, Tag};

/// Limit that the fuzzer reaches with short inputs.
const MAX: usize = 512;

/// What came of the input.
#[derive(Debug, PartialEq)]
enum Outcome {
    Continue,
    Parsed(Box<Result<(Tag, Command), ParseError>>),
    Discarded(Option<ParseError>, bool),
    Bye,
}

fn outcomes(pieces: &[&[u8]]) -> Vec<Outcome> {
    let mut framer = Framer::new();
    let mut all = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (used, event) = framer.feed(rest, MAX);
            assert!(event.is_some() || used == rest.len(), "input is left without an event");
            rest = &rest[used..];
            all.push(match event {
                None => continue,
                Some(Event::Continue) => Outcome::Continue,
                Some(Event::Command(frame)) => {
                    assert!(frame.bytes().len() <= MAX);
                    let parsed = parse(&frame);
                    if let (Err(error), Some(literal)) = (&parsed, frame.message()) {
                        framer.discard(literal, Some(error.clone()), 1024);
                    }
                    Outcome::Parsed(Box::new(parsed))
                }
                Some(Event::Discarded { refusal, text }) => Outcome::Discarded(refusal, text),
                Some(Event::Bye(_)) => {
                    all.push(Outcome::Bye);
                    return all;
                }
            });
        }
    }
    all
}

/// imap-codec's commands that we refuse on purpose or leave to later.
fn is_for_us(body: &CommandBody<'_>) -> bool {
    !matches!(
        body,
        CommandBody::GetQuota { .. }
            | CommandBody::GetQuotaRoot { .. }
            | CommandBody::SetQuota { .. }
            | CommandBody::Compress { .. }
            | CommandBody::Sort { .. }
            | CommandBody::Thread { .. }
            | CommandBody::Append { .. }
            | CommandBody::Store { .. }
            | CommandBody::Fetch { .. }
            | CommandBody::Search { .. }
            | CommandBody::Status { .. }
    )
}

fuzz_target!(|data: &[u8]| {
    let Some((&split, octets)) = data.split_first() else { return };
    let whole = outcomes(&[octets]);
    let size = usize::from(split).max(1);
    let pieces: Vec<&[u8]> = octets.chunks(size).collect();
    assert_eq!(whole, outcomes(&pieces));
    let single: Vec<&[u8]> = octets.chunks(1).collect();
    assert_eq!(whole, outcomes(&single));

    let Some(frame) = Frame::from_text(octets) else { return };
    if let Err(error) = parse(&frame)
        && error.kind == ErrorKind::Syntax
        && let Ok((b"", command)) = CommandCodec::default().decode(octets)
    {
        assert!(!is_for_us(&command.body), "{error:?}: {command:?}");
    }
});
