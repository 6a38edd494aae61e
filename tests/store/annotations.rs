//! Annotations against a plain map, over random operations, with reopening in between.

use crate::scratch::{Scratch, open};
use mailnook::mailbox::{Annotated, Error};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Set { mailbox: usize, entries: Vec<(usize, Option<usize>)> },
    Create(usize),
    Delete(usize),
    Rename(usize, usize),
    Reopen,
}

const MAILBOXES: [&str; 5] = ["", "INBOX", "a", "a/b", "c"];
const ENTRIES: [&str; 4] = ["/private/comment", "/shared/comment", "/shared/vendor/x/y", "/private/vendor/x/y"];

fn step() -> impl Strategy<Value = Step> {
    let entry = (0..ENTRIES.len(), prop::option::of(0usize..20_000));
    prop_oneof![
        12 => (0..MAILBOXES.len(), prop::collection::vec(entry, 1..4)).prop_map(|(mailbox, entries)| Step::Set { mailbox, entries }),
        2 => (2..MAILBOXES.len()).prop_map(Step::Create),
        2 => (2..MAILBOXES.len()).prop_map(Step::Delete),
        2 => (1..MAILBOXES.len(), 2..MAILBOXES.len()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => Just(Step::Reopen),
    ]
}

/// Entries with their values by mailbox.
type Model = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

fn annotated(name: &str) -> Annotated<'_> {
    if name.is_empty() { Annotated::Server } else { Annotated::Mailbox(name) }
}

async fn play(steps: &[Step], name: &str) {
    let scratch = Scratch::new(name);
    let mut core = open(&scratch.0);
    let (anna, bert) =
        (core.create_account("anna", None).await.unwrap(), core.create_account("bert", None).await.unwrap());
    let mut model: Model = ["", "INBOX"].into_iter().map(|name| (name.to_owned(), BTreeMap::new())).collect();
    for step in steps {
        let account = core.account(anna).unwrap();
        match step {
            Step::Set { mailbox, entries } => {
                let name = MAILBOXES[*mailbox];
                let value = |size: &usize| vec![b'x'; *size];
                let changes: Vec<_> = entries
                    .iter()
                    .map(|(entry, size)| (ENTRIES[*entry].to_owned(), size.as_ref().map(value)))
                    .collect();
                let modseq = || account.status(name).ok().map(|status| status.highest_modseq);
                let before = modseq();
                let done = account.set_annotations(annotated(name), changes.clone()).await;
                let too_big = changes.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > 16_384));
                match model.get_mut(name) {
                    _ if too_big => assert_eq!(done, Err(Error::TooBig(16_384))),
                    None => assert_eq!(done, Err(Error::NotFound)),
                    Some(known) => {
                        assert_eq!(done.unwrap().stamps.len(), changes.len());
                        let mut copy = known.clone();
                        let mut put = |(entry, value): &(String, Option<Vec<u8>>)| match value {
                            Some(value) => copy.insert(entry.clone(), value.clone()) != Some(value.clone()),
                            None => copy.remove(entry).is_some(),
                        };
                        // RFC 7162 §3.2: what changes raises HIGHESTMODSEQ, and nothing else does.
                        let changed = changes.iter().filter(|change| put(change)).count() > 0;
                        assert_eq!(modseq() > before, changed && !name.is_empty());
                        for (entry, value) in changes {
                            match value {
                                Some(value) => drop(known.insert(entry, value)),
                                None => drop(known.remove(&entry)),
                            }
                        }
                    }
                }
            }
            Step::Create(at) => {
                if account.create(MAILBOXES[*at], None).await.is_ok() {
                    for name in
                        MAILBOXES[*at].split_once('/').map(|(above, _)| above).into_iter().chain([MAILBOXES[*at]])
                    {
                        model.entry(name.to_owned()).or_default();
                    }
                }
            }
            Step::Delete(at) => {
                if account.delete(MAILBOXES[*at]).await.is_ok() {
                    model.remove(MAILBOXES[*at]);
                }
            }
            Step::Rename(from, to) => {
                let (from, to) = (MAILBOXES[*from], MAILBOXES[*to]);
                if account.rename(from, to).await.is_ok() {
                    if let Some((above, _)) = to.split_once('/') {
                        model.entry(above.to_owned()).or_default();
                    }
                    if from == "INBOX" {
                        model.insert(to.to_owned(), model[from].clone());
                    } else {
                        let below = format!("{from}/");
                        let moved: Vec<String> =
                            model.keys().filter(|name| *name == from || name.starts_with(&below)).cloned().collect();
                        for name in moved {
                            let annotations = model.remove(&name).unwrap();
                            model.insert(format!("{to}{}", &name[from.len()..]), annotations);
                        }
                    }
                }
            }
            Step::Reopen => {
                assert_eq!(core.verify().unwrap(), Vec::<String>::new());
                core.close();
                drop((account, core));
                core = open(&scratch.0);
            }
        }
        let account = core.account(anna).unwrap();
        for name in MAILBOXES {
            let found = account.annotations(annotated(name));
            let Some(known) = model.get(name) else {
                assert_eq!(found, Err(Error::NotFound), "{name}");
                continue;
            };
            let mut listed: Vec<_> = found.unwrap().into_iter().map(|info| (info.entry, info.size)).collect();
            listed.sort();
            assert_eq!(
                listed,
                known.iter().map(|(entry, value)| (entry.clone(), value.len())).collect::<Vec<_>>(),
                "{name}"
            );
            for entry in ENTRIES {
                assert_eq!(
                    account.annotation(annotated(name), entry).unwrap().as_ref(),
                    known.get(entry),
                    "{name} {entry}"
                );
            }
        }
        // Another account sees what is shared of the server, and nothing else.
        let other = core.account(bert).unwrap();
        let shared: Vec<_> = model[""].keys().filter(|entry| entry.starts_with("/shared/")).cloned().collect();
        let seen: Vec<_> = other.annotations(Annotated::Server).unwrap().into_iter().map(|info| info.entry).collect();
        assert_eq!(seen, shared);
    }
    assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    core.remove_account("anna").await.unwrap();
    assert_eq!(core.verify().unwrap(), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn annotations_go_where_their_mailbox_goes(steps in prop::collection::vec(step(), 10..60)) {
        smol::block_on(play(&steps, "annotations"));
    }
}

#[test]
fn an_account_has_so_many_annotations_and_no_more() {
    smol::block_on(async {
        let scratch = Scratch::new("annotations-limit");
        let core = open(&scratch.0);
        let account = core.account(core.create_account("anna", None).await.unwrap()).unwrap();
        let entries = |value: Option<&[u8]>| {
            (0..128).map(|number| (format!("/private/a/{number}"), value.map(<[u8]>::to_vec))).collect::<Vec<_>>()
        };
        let mut made = 0;
        let full = loop {
            let name = format!("m{made}");
            account.create(&name, None).await.unwrap();
            match account.set_annotations(Annotated::Mailbox(&name), entries(Some(b"x"))).await {
                Ok(_) => made += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(full, Error::Limit(_)), "{full:?}");
        assert_eq!(made, mailnook::mailbox::ANNOTATIONS_MAX / 128);
        account.set_annotations(Annotated::Mailbox("m0"), entries(None)).await.unwrap();
        account.set_annotations(Annotated::Mailbox(&format!("m{made}")), entries(Some(b"y"))).await.unwrap();
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}
