//! Stores of older versions are brought up to date.
//!
//! `version-1.mdb.zlib` was made by the last mailnook of version 1: anna (password, alias, mailboxes Work/Old and a
//! deleted Gone) and bert, eight deliveries for both, and of anna's: two read, one with \Deleted and a keyword, one
//! moved, one copied, one expunged, one in the deleted mailbox, one of several chunks.

use crate::scratch::{Scratch, open};
use mailnook::mailbox::{Account, Core, Delivery, DeliveryTarget, Door, DoorKind};
use mailnook::types::{Flags, SystemFlags, Uid, UidSet};
use std::net::IpAddr;
use std::sync::Arc;

fn unpack(scratch: &Scratch) {
    let packed = include_bytes!("version-1.mdb.zlib");
    let data = miniz_oxide::inflate::decompress_to_vec_zlib(packed).unwrap();
    std::fs::write(scratch.0.join("data.mdb"), data).unwrap();
}

fn account(core: &Arc<Core>, name: &str) -> Account {
    core.account(core.account_info(name).unwrap().id).unwrap()
}

fn uids(account: &Account, mailbox: &str) -> Vec<u32> {
    account.open(mailbox).unwrap().snapshot().unwrap().uids.iter().collect()
}

#[test]
#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
fn a_store_of_version_1_is_brought_up_to_date() {
    smol::block_on(async {
        let scratch = Scratch::new("version-1");
        unpack(&scratch);
        // The second time it is a store of this version.
        for time in 1..=2 {
            let core = open(&scratch.0);
            assert_eq!(core.verify().unwrap(), Vec::<String>::new());
            let (anna, bert) = (account(&core, "anna"), account(&core, "bert"));
            assert_eq!(core.account_info("anna").unwrap().aliases, ["info@example.org"]);
            assert!(core.store().login("anna").unwrap().unwrap().password_hash.unwrap().starts_with("$argon2id$"));
            assert_eq!(uids(&anna, "INBOX"), [&[1, 2, 3, 5, 7][..], &[8][..time - 1]].concat());
            assert_eq!((uids(&anna, "Work/Old"), uids(&anna, "Archive")), (vec![1], vec![1]));
            assert_eq!(uids(&bert, "INBOX"), [1, 2, 3, 4, 5, 6, 7, 8]);
            assert!(anna.open("Gone").is_err());
            let inbox = anna.open("INBOX").unwrap();
            assert_eq!(inbox.arrival(Uid(1)), Ok(Door::UNKNOWN));
            let rows = inbox.rows(&UidSet::from_range(1, 9), Uid(1)).unwrap();
            assert!(rows[0].flags.contains(SystemFlags::SEEN) && rows[2].flags.contains(SystemFlags::DELETED));
            assert_eq!(inbox.keywords().unwrap(), ["$Label", "Todo"]);
            let large = inbox.message(Uid(7)).unwrap();
            let text = large.read(0, 65_536).unwrap();
            assert!(text.starts_with(b"Return-Path: <bert@example.org>\r\nFrom: Bert"));
            assert_eq!(text.len() as u64, large.size());
            assert!(core.settings(anna.id()).unwrap().is_default());
            if time == 1 {
                let door = Door { kind: DoorKind::Lmtp, device: 7, address: Some(IpAddr::from([192, 0, 2, 7])) };
                let mut incoming = core.incoming();
                incoming.push(b"Subject: of this version\r\n\r\n").await.unwrap();
                let staged = incoming.finish().await.unwrap();
                let delivery = Delivery {
                    account: anna.id(),
                    target: DeliveryTarget::Inbox,
                    prefix: Vec::new(),
                    flags: Flags::default(),
                    date: None,
                    door,
                };
                let made = core.deliver(staged, vec![delivery]).await.unwrap().remove(0).unwrap();
                assert_eq!(inbox.arrival(made.uid), Ok(door));
            }
            core.close();
        }
    });
}

#[test]
fn every_change_tells_by_which_door() {
    smol::block_on(async {
        let scratch = Scratch::new("doors");
        let core = open(&scratch.0);
        let id = core.create_account("anna", None).await.unwrap();
        let imap = Door::session(DoorKind::Imap, Some(IpAddr::from([10, 0, 0, 1])));
        let other = Door { device: 3, ..imap };
        let account = core.account(id).unwrap().through(imap);
        let mut incoming = core.incoming();
        incoming.push(b"Subject: x\r\n\r\n").await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let made = account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
        let one = UidSet::from_range(made.uid.0, made.uid.0);
        // A copy is new; what is moved came when it came.
        let inbox = account.clone().through(other).open("INBOX").unwrap();
        let copied = inbox.copy(&one, "Archive").await.unwrap();
        let moved = inbox.move_to(&one, "Trash").await.unwrap();
        let arrival = |mailbox: &str, uid: u32| account.open(mailbox).unwrap().arrival(Uid(uid));
        assert_eq!(arrival("Archive", copied.to[0]), Ok(other));
        assert_eq!(arrival("Trash", moved.to[0]), Ok(imap));
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn settings_are_kept_and_go_with_their_account() {
    smol::block_on(async {
        let scratch = Scratch::new("settings");
        let core = open(&scratch.0);
        let id = core.create_account("anna", None).await.unwrap();
        let changed = core.change_settings(id, |settings| settings.trash_days = Some(3)).await.unwrap();
        assert_eq!((changed.trash_days, changed.junk_days), (Some(3), None));
        core.close();
        drop(core);
        let core = open(&scratch.0);
        assert_eq!(core.settings(id).unwrap(), changed);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        core.remove_account("anna").await.unwrap();
        assert!(core.settings(id).unwrap().is_default());
        assert!(core.change_settings(id, |settings| settings.warned = Some(80)).await.is_err());
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

/// Writes another version into the store's format entry.
fn set_version(scratch: &Scratch, version: u32) {
    let path = scratch.0.join("data.mdb");
    let mut data = std::fs::read(&path).unwrap();
    let magic = b"formatmailnook";
    let found: Vec<usize> = (0..data.len()).filter(|at| data[*at..].starts_with(magic)).collect();
    assert_ne!(found, [0; 0]);
    for at in found {
        data[at + magic.len()..][..4].copy_from_slice(&version.to_be_bytes());
    }
    std::fs::write(path, data).unwrap();
}

/// Before version 5 an alias had its domain as somebody typed it, and mail for the other spelling did not come.
#[test]
fn aliases_get_the_domain_that_the_dns_has() {
    smol::block_on(async {
        let scratch = Scratch::new("version-4");
        let core = open(&scratch.0);
        for name in ["anna", "bert"] {
            core.create_account(name, None).await.unwrap();
        }
        for (name, alias) in [
            ("anna", "info@müller.example"),
            ("anna", "post@bücher.example"),
            ("bert", "post@xn--bcher-kva.example"),
            ("bert", "jürg"),
            ("bert", "b@example.org"),
        ] {
            core.add_alias(name, alias).await.unwrap();
        }
        core.close();
        drop(core);
        set_version(&scratch, 4);
        let core = open(&scratch.0);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        assert_eq!(core.account_info("anna").unwrap().aliases, ["info@xn--mller-kva.example"]);
        assert_eq!(core.account_info("bert").unwrap().aliases, ["post@xn--bcher-kva.example", "jürg", "b@example.org"]);
        for (address, name) in [
            ("info@Müller.example", "anna"),
            ("info@xn--mller-kva.example", "anna"),
            ("post@bücher.example", "bert"),
            ("JÜRG@example.org", "bert"),
        ] {
            assert_eq!(core.resolve(address).unwrap().name, name);
            assert_eq!(core.store().login(address).unwrap().unwrap().name, name);
        }
    });
}
