//! Files that are not ours, damaged octets, half-taken messages, readers of expunged messages, addresses.

use crate::scratch::{Scratch, open, options};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvOpenOptions};
use mailnook::mailbox::{Account, Core, Delivery, DeliveryTarget, Door, DoorKind, Error, Options};
use mailnook::store::SCHEMA_VERSION;
use mailnook::types::{Flags, Uid, UidSet};
use std::path::Path;
use std::sync::Arc;

/// Changes one value of a closed store.
fn patch(path: &Path, table: &str, change: impl FnOnce(Vec<u8>, Vec<u8>) -> Vec<u8>) {
    let mut env = EnvOpenOptions::new();
    env.max_dbs(16).map_size(256 << 20);
    // SAFETY: the store is closed and belongs to this test alone.
    #[allow(unsafe_code)]
    let env = unsafe { env.open(path) }.unwrap();
    let txn = env.write_txn().unwrap();
    env.create_databases_and_commit(txn, |opener, txn| {
        let table = opener.create_database::<Bytes, Bytes>(txn, Some(table))?;
        let (key, value) = table.first(txn)?.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap();
        table.put(txn, &key.clone(), &change(key, value))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
    })
    .unwrap();
}

async fn append(core: &Arc<Core>, account: &Account, text: &[u8]) -> Uid {
    let mut incoming = core.incoming();
    incoming.push(text).await.unwrap();
    let staged = incoming.finish().await.unwrap();
    account.append(staged, "INBOX", Flags::default(), None).await.unwrap().uid
}

async fn anna(core: &Arc<Core>) -> Account {
    let id = core.create_account("anna", None).await.unwrap();
    core.account(id).unwrap()
}

fn refused(path: &Path) -> String {
    Core::open(options(path)).err().expect("a refusal")
}

#[test]
fn a_newer_schema_is_refused_with_advice() {
    let scratch = Scratch::new("newer");
    open(&scratch.0).close();
    patch(&scratch.0, "meta", |_, mut value| {
        value[11] += 1;
        value
    });
    let text = refused(&scratch.0);
    assert!(text.contains(&format!("format {SCHEMA_VERSION}:")) && text.contains("newer version"), "{text}");
}

#[test]
fn a_foreign_file_is_refused() {
    let scratch = Scratch::new("foreign");
    open(&scratch.0).close();
    patch(&scratch.0, "meta", |_, _| b"somebody else's data, long enough to be read as a format".to_vec());
    assert!(refused(&scratch.0).contains("not a mailnook store"));
    std::fs::write(scratch.0.join("data.mdb"), vec![7; 100_000]).unwrap();
    assert!(refused(&scratch.0).contains("not a store of this machine's kind"));
}

#[test]
fn a_store_that_is_cut_short_is_refused_or_fails_and_ends_nothing() {
    smol::block_on(async {
        let scratch = Scratch::new("short");
        let core = open(&scratch.0);
        let account = anna(&core).await;
        append(&core, &account, &b"Subject: x\r\n\r\nbody\r\n".repeat(500_000)).await;
        core.close();
        drop((account, core));
        let file = scratch.0.join("data.mdb");
        let whole = std::fs::read(&file).unwrap();
        assert!(whole.len() > 10_000_000);

        // Most of it is gone.
        std::fs::write(&file, &whole[..1_000_000]).unwrap();
        let text = refused(&scratch.0);
        assert!(text.contains("is cut short: it has 1000000 octets of"), "{text}");
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 1_000_000, "a refused file is left alone");

        // The end is gone, as LMDB itself may leave it. What was there cannot be read, and that is an error.
        for cut in [5_000, 50_000, 500_000, 5_000_000] {
            std::fs::write(&file, &whole[..whole.len() - cut]).unwrap();
            let Ok(core) = Core::open(options(&scratch.0)) else { continue };
            assert_ne!(core.verify(), Ok(Vec::new()), "{cut} octets are missed");
            core.close();
        }
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(open(&scratch.0).verify(), Ok(Vec::new()));
    });
}

#[test]
fn a_flipped_bit_is_found_on_reading_and_by_verify() {
    smol::block_on(async {
        let scratch = Scratch::new("flip");
        let core = open(&scratch.0);
        let account = anna(&core).await;
        let uid = append(&core, &account, &b"Subject: x\r\n\r\nbody\r\n".repeat(500)).await;
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        core.close();
        drop((account, core));
        patch(&scratch.0, "chunks", |_, mut value| {
            value[100] ^= 1;
            value
        });
        let core = open(&scratch.0);
        let account = core.account(core.account_info("anna").unwrap().id).unwrap();
        let message = account.open("INBOX").unwrap().message(uid).unwrap();
        assert_eq!(message.read(0, 1000), Err(Error::Damaged));
        assert!(core.verify().unwrap()[0].contains("chunk 0 is damaged"), "{:?}", core.verify());
    });
}

#[test]
fn a_wrong_counter_is_found_by_verify() {
    smol::block_on(async {
        let scratch = Scratch::new("counter");
        let core = open(&scratch.0);
        let account = anna(&core).await;
        append(&core, &account, b"Subject: x\r\n\r\n").await;
        core.close();
        drop((account, core));
        // The first entry of `state` is the account's; its first eight octets are the number of messages.
        patch(&scratch.0, "state", |_, mut value| {
            value[7] += 1;
            value
        });
        let core = open(&scratch.0);
        assert_eq!(core.verify().unwrap().len(), 1, "{:?}", core.verify());
    });
}

#[test]
fn a_cut_message_leaves_nothing() {
    smol::block_on(async {
        let scratch = Scratch::new("cut");
        let core = open(&scratch.0);
        let account = anna(&core).await;
        let (_, before) = core.store_size().unwrap();
        for pieces in [1, 5, 20] {
            let mut incoming = core.incoming();
            for _ in 0..pieces {
                incoming.push(&vec![b'x'; 300_000]).await.unwrap();
            }
        }
        let mut incoming = core.incoming();
        incoming.push(&vec![b'x'; 3_000_000]).await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let nowhere = account.append(staged, "nowhere", Flags::default(), None).await;
        assert_eq!(nowhere, Err(Error::NotFound));
        // The writer removes what was staged when it is idle.
        for _ in 0..100 {
            if core.store_size().unwrap().1 <= before + 32_768 {
                break;
            }
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
        }
        assert!(core.store_size().unwrap().1 <= before + 32_768);
        assert_eq!(account.status("INBOX").unwrap().messages, 0);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn too_big_is_refused_while_it_comes() {
    smol::block_on(async {
        let scratch = Scratch::new("big");
        let core = Core::open(mailnook::mailbox::Options { max_message_size: 1000, ..options(&scratch.0) }).unwrap();
        let mut incoming = core.incoming();
        incoming.push(&[b'x'; 900]).await.unwrap();
        assert_eq!(incoming.push(&[b'x'; 200]).await, Err(Error::TooBig(1000)));
        drop(incoming);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_reader_keeps_an_expunged_message() {
    smol::block_on(async {
        let scratch = Scratch::new("pin");
        let core = open(&scratch.0);
        let account = anna(&core).await;
        let text = b"Subject: x\r\n\r\nline\r\n".repeat(20_000);
        let uid = append(&core, &account, &text).await;
        let inbox = account.open("INBOX").unwrap();
        let message = inbox.message(uid).unwrap();
        inbox.remove(&UidSet::from_range(uid.0, uid.0)).await.unwrap();
        assert!(matches!(inbox.message(uid), Err(Error::Expunged)));
        smol::Timer::after(std::time::Duration::from_millis(1200)).await;
        let mut read = Vec::new();
        while (read.len() as u64) < message.size() {
            read.extend(message.read(read.len() as u64, 65_536).unwrap());
        }
        assert_eq!(read, text);
        drop(message);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn accounts_and_mailboxes_go_with_all_they_have() {
    smol::block_on(async {
        let scratch = Scratch::new("remove");
        let core = open(&scratch.0);
        let (_, empty) = core.store_size().unwrap();
        let account = anna(&core).await;
        for _ in 0..20 {
            append(&core, &account, &b"Subject: x\r\n\r\nline\r\n".repeat(1000)).await;
        }
        account.create("a/b/c", None).await.unwrap();
        assert_eq!(account.delete("INBOX").await, Err(Error::Denied));
        account.delete("a/b").await.unwrap();
        assert!(account.list().unwrap().iter().any(|entry| entry.name == "a/b" && entry.mailbox.is_none()));
        assert_eq!(account.delete("a/b").await, Err(Error::HasChildren));
        account.rename("INBOX", "old").await.unwrap();
        assert_eq!((account.status("INBOX").unwrap().messages, account.status("old").unwrap().messages), (0, 20));
        account.rename("a", "z").await.unwrap();
        assert!(account.open("z/b/c").is_ok() && account.open("a").is_err());
        assert_eq!(account.rename("z", "z/deep").await, Err(Error::Invalid("a mailbox cannot be moved below itself")));
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        let old = account.open("old").unwrap();
        account.delete("old").await.unwrap();
        assert!(matches!(old.snapshot(), Err(Error::NotFound)));
        core.remove_account("anna").await.unwrap();
        assert!(core.account(account.id()).is_err());
        for _ in 0..100 {
            if core.store_size().unwrap().1 <= empty + 40_000 {
                break;
            }
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
        }
        assert!(core.store_size().unwrap().1 <= empty + 40_000);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn addresses_lead_where_they_should() {
    smol::block_on(async {
        let scratch = Scratch::new("addresses");
        let mut with_domain = options(&scratch.0);
        with_domain.domains = vec!["example.org".to_owned()];
        let core = Core::open(with_domain).unwrap();
        anna(&core).await;
        core.create_account("bert", None).await.unwrap();
        core.add_alias("anna", "Info").await.unwrap();
        core.add_alias("bert", "sales@other.example").await.unwrap();
        let to = |address: &str| core.resolve(address).map(|recipient| (recipient.name, recipient.detail));
        let whom = |name: &str, detail: Option<&str>| Ok((name.to_owned(), detail.map(str::to_owned)));
        assert_eq!(to("anna"), whom("anna", None));
        assert_eq!(to("Anna@Example.ORG"), whom("anna", None));
        assert_eq!(to("anna+lists@example.org"), whom("anna", Some("lists")));
        assert_eq!(to("\"anna\"@example.org"), whom("anna", None));
        assert_eq!(to("info@example.org"), whom("anna", None));
        assert_eq!(to("postmaster@example.org"), whom("anna", None));
        assert_eq!(to("sales@other.example"), whom("bert", None));
        assert_eq!(to("sales@example.org"), Err(Error::NotFound));
        assert_eq!(to("anna@elsewhere.example"), Err(Error::Denied));
        assert_eq!(to("nobody@example.org"), Err(Error::NotFound));
        assert_eq!(core.create_account("info", None).await, Err(Error::Exists));
        assert!(matches!(core.create_account("A b", None).await, Err(Error::Invalid(_))));
        assert!(matches!(core.add_alias("anna", "a+b").await, Err(Error::Invalid(_))));
        assert_eq!(core.add_alias("anna", "sales@other.example").await, Err(Error::Exists));
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_message_without_a_header_stays_apart_from_the_delivery_header() {
    smol::block_on(async {
        let scratch = Scratch::new("headless");
        let core = open(&scratch.0);
        let account = anna(&core).await;
        let mut incoming = core.incoming();
        incoming.push(b"no header at all\n").await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let delivery = Delivery {
            account: account.id(),
            target: DeliveryTarget::IfExists("lists".to_owned()),
            prefix: b"Delivered-To: anna\r\n".to_vec(),
            flags: Flags::default(),
            date: None,
            door: Door::of(DoorKind::Lmtp),
        };
        let made = core.deliver(staged, vec![delivery]).await.unwrap().remove(0).unwrap();
        let message = account.open("INBOX").unwrap().message(made.uid).unwrap();
        assert_eq!(message.read(0, 100).unwrap(), b"Delivered-To: anna\r\n\r\nno header at all\r\n");
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_full_store_refuses_mail_and_can_be_emptied() {
    smol::block_on(async {
        let scratch = Scratch::new("full");
        let core = Core::open(Options { map_size: Some(16 << 20), ..options(&scratch.0) }).unwrap();
        let account = anna(&core).await;
        let text = b"Subject: x\r\n\r\nbody\r\n".repeat(5_000);
        let mut uids = UidSet::new();
        let refused = loop {
            let mut incoming = core.incoming();
            if let Err(error) = incoming.push(&text).await {
                break error;
            }
            let staged = incoming.finish().await.unwrap();
            match account.append(staged, "INBOX", Flags::default(), None).await {
                Ok(appended) => uids.insert(appended.uid.0),
                Err(error) => break error,
            }
            assert!(uids.len() < 1000);
        };
        assert_eq!((refused, core.check_room()), (Error::NoRoom, Err(Error::NoRoom)));
        assert!(uids.len() > 50, "{}", uids.len());
        let mailbox = account.open("INBOX").unwrap();
        assert_eq!(mailbox.message(Uid(1)).unwrap().read(0, 7).unwrap(), b"Subject");

        // What is kept free is enough to delete, and deleting makes room.
        account.create("Sub", None).await.unwrap();
        mailbox.remove(&uids).await.unwrap();
        let mut waits = 0;
        while core.check_room().is_err() {
            waits += 1;
            assert!(waits < 1000, "no room after all mail was expunged");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        append(&core, &account, &text).await;
        assert_eq!(core.verify(), Ok(Vec::new()));
    });
}
