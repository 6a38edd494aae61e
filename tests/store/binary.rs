//! What comes as a literal8 with NUL in it (RFC 3516 §4.4, §6): encoded where it may be, and refused elsewhere.

use crate::scratch::{Scratch, open};
use mailnook::mailbox::{Core, Error};
use mailnook::message::decode::Transfer;
use mailnook::types::{AccountId, Flags, Uid};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::sync::Arc;

/// A part with its header, and its body as it is read without its encoding.
#[derive(Clone, Debug)]
struct Leaf {
    encoding: &'static str,
    content: Vec<u8>,
}

impl Leaf {
    const fn is_binary(&self) -> bool {
        self.encoding.len() == 6
    }

    /// With CRLF for every LF, where it is text.
    fn with_lines(&self) -> Self {
        let (mut content, mut last) = (Vec::new(), 0);
        for octet in &self.content {
            if *octet == b'\n' && last != b'\r' && !self.is_binary() {
                content.push(b'\r');
            }
            content.push(*octet);
            last = *octet;
        }
        Self { encoding: self.encoding, content }
    }

    fn is_shown(&self) -> bool {
        self.is_binary() || !self.content.contains(&0)
    }
}

/// A multipart message of these parts, in another one where `deep`.
fn message(leaves: &[Leaf], deep: bool) -> Vec<u8> {
    let mut out = b"Subject: parts\r\n".to_vec();
    if deep {
        out.extend_from_slice(
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\nSubject: in\r\n",
        );
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=b=\"\r\n\r\npreamble\r\n");
    for leaf in leaves {
        out.extend_from_slice(b"--=b=\r\nX-Before: 1\r\n");
        if !leaf.encoding.is_empty() {
            out.extend_from_slice(format!("content-transfer-encoding:\r\n {}\r\n", leaf.encoding).as_bytes());
        }
        out.extend_from_slice(b"Content-Type: application/x; name=\"a;\r\n b\"\r\n\r\n");
        out.extend_from_slice(&leaf.content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--=b=--\r\nepilogue\r\n");
    out
}

/// Appends it in pieces of `size` octets, and reads it again; None: it is refused.
async fn taken((core, id): (&Arc<Core>, AccountId), octets: &[u8], size: usize) -> Option<mailnook::mailbox::Message> {
    let account = core.account(id).unwrap();
    let mut incoming = core.incoming_binary();
    for piece in octets.chunks(size) {
        incoming.push(piece).await.unwrap();
    }
    let staged = match incoming.finish().await {
        Ok(staged) => staged,
        Err(error) => {
            assert!(matches!(error, Error::Invalid(_)), "{error:?}");
            return None;
        }
    };
    let appended = account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
    Some(account.open("INBOX").unwrap().message(Uid(appended.uid.0)).unwrap())
}

fn whole(message: &mailnook::mailbox::Message) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let piece = message.read(octets.len() as u64, 64 << 10).unwrap();
        if piece.is_empty() {
            return octets;
        }
        octets.extend(piece);
    }
}

fn check(core: (&Arc<Core>, AccountId), leaves: &[Leaf], deep: bool, size: usize) {
    let octets = message(leaves, deep);
    let Some(kept) = smol::block_on(taken(core, &octets, size)) else {
        assert!(!leaves.iter().all(Leaf::is_shown), "refused for nothing");
        return;
    };
    assert!(leaves.iter().all(Leaf::is_shown), "NUL outside of a binary part");
    let now = whole(&kept);
    assert_eq!(now.len() as u64, kept.size());
    assert!(!now.contains(&0));
    // With the parts that had NUL as they were, it is what came, but for the line ends of what is text.
    let octets = message(&leaves.iter().map(Leaf::with_lines).collect::<Vec<_>>(), deep);
    let (mut before, mut done) = (Vec::new(), 0);
    for (index, leaf) in (1..).zip(leaves) {
        let path = if deep { vec![1, index] } else { vec![index] };
        let part = kept.record().part(&path).unwrap();
        let place = |offset: u64| usize::try_from(offset).unwrap();
        let (start, middle, end) = (place(part.header.start), place(part.body.start), place(part.body.end));
        let (header, body) = (&now[start..middle], &now[middle..end]);
        if leaf.content.contains(&0) {
            assert_eq!(part.encoding, b"base64");
            let header = String::from_utf8(header.to_vec()).unwrap();
            let told = "content-transfer-encoding:\r\n BINARY\r\n";
            let (mut transfer, mut content) = (Transfer::new(part.encoding).unwrap(), Vec::new());
            transfer.push(body, &mut content);
            transfer.finish(&mut content);
            assert!(leaf.is_binary());
            assert_eq!(content, leaf.content);
            assert!(body.split(|&octet| octet == b'\n').all(|line| line.len() <= 77));
            before.extend_from_slice(&now[done..start]);
            before.extend_from_slice(header.replace("Content-Transfer-Encoding: base64\r\n", told).as_bytes());
            before.extend(content);
            done = end;
        }
    }
    before.extend_from_slice(&now[done..]);
    assert_eq!(before, octets);
}

/// Contents without a line that looks like a delimiter, some of them larger than what is kept in memory.
fn leaves() -> impl Strategy<Value = Vec<Leaf>> {
    let octet = prop_oneof![4 => 1..=255_u8, 1 => Just(0), 1 => Just(b'\n'), 1 => Just(b'\r')];
    let short = prop::collection::vec(octet, 0..200);
    let content =
        (short, prop_oneof![6 => Just(1_usize), 1 => 500..3000_usize]).prop_map(|(short, times)| short.repeat(times));
    let plain = content.clone().prop_map(|content| content.into_iter().filter(|&octet| octet != 0).collect::<Vec<_>>());
    let leaf = prop_oneof![
        8 => content.clone().prop_map(|content| Leaf { encoding: "BINARY", content }),
        4 => plain.prop_map(|content| Leaf { encoding: "8bit", content }),
        1 => content.prop_map(|content| Leaf { encoding: "", content }),
    ];
    prop::collection::vec(leaf, 1..5)
}

#[test]
fn parts_with_nul_can_be_read_and_nothing_else_is_touched() {
    let scratch = Scratch::new("binary");
    let core = open(&scratch.0);
    let id = smol::block_on(core.create_account("anna", None)).unwrap();
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 150, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let sizes = prop_oneof![Just(1 << 20), 900..40_000_usize];
    runner
        .run(&(leaves(), any::<bool>(), sizes), |(leaves, deep, size)| {
            check((&core, id), &leaves, deep, size);
            Ok(())
        })
        .unwrap();
    // One that is all of its message, and the largest that fit.
    for (length, fits) in [(1, true), (45 << 20, true), (49 << 20, false)] {
        let mut octets = b"Content-Transfer-Encoding: binary\r\n\r\n".to_vec();
        octets.resize(octets.len() + length, 0);
        let outcome = smol::block_on(async {
            let mut incoming = core.incoming_binary();
            incoming.push(&octets).await.unwrap();
            incoming.finish().await.map(drop)
        });
        assert_eq!(outcome, if fits { Ok(()) } else { Err(Error::TooBig(64 << 20)) });
    }
    assert_eq!(core.verify(), Ok(Vec::new()));
    core.close();
}
