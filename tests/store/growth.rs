//! A map that grows in steps, as on 32-bit boards, where the kernel may refuse a step.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{Account, Core, Error, Growth, Options, Room};
use mailnook::types::{Flags, Uid, UidSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const MIB: usize = 1 << 20;
/// What the map may have at most.
const LIMIT: usize = 96 * MIB;

/// A store whose map begins with 16 MiB and grows by 8, while the "kernel" gives `space` octets.
fn open(scratch: &Scratch, space: &Arc<AtomicUsize>) -> Arc<Core> {
    let given = space.clone();
    let probe = Arc::new(move |octets| octets <= given.load(Ordering::SeqCst));
    let growth = Growth { start: 16 << 20, step: 8 << 20, probe: Some(probe) };
    let room = Room { disk_reserve: 0, free_space: Some(Arc::new(|| Some(1 << 40))), growth: Some(growth) };
    Core::open(Options { map_size: Some(LIMIT), room, ..options(&scratch.0) }).unwrap()
}

/// Appends messages of half a MiB until there is no room; how many there are.
async fn fill(core: &Arc<Core>, account: &Account) -> usize {
    let text = b"Subject: x\r\n\r\nbody of some octets\r\n".repeat(15_000);
    for count in 0..400 {
        let mut incoming = core.incoming();
        let staged = match incoming.push(&text).await {
            Ok(()) => incoming.finish().await,
            Err(error) => Err(error),
        };
        let appended = match staged {
            Ok(staged) => account.append(staged, "INBOX", Flags::default(), None).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = appended {
            assert_eq!(error, Error::NoRoom);
            return count;
        }
    }
    panic!("the map has no end");
}

#[test]
fn the_map_grows_under_readers_up_to_its_limit() {
    smol::block_on(async {
        let scratch = Scratch::new("growth");
        let space = Arc::new(AtomicUsize::new(usize::MAX));
        let core = open(&scratch, &space);
        let account = core.account(core.create_account("anna", None).await.unwrap()).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (core, done) = (core.clone(), done.clone());
                std::thread::spawn(move || {
                    let mut reads = 0_u64;
                    while !done.load(Ordering::SeqCst) {
                        assert_eq!(core.accounts().unwrap().len(), 1);
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        let count = fill(&core, &account).await;
        done.store(true, Ordering::SeqCst);
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
        // New mail leaves a thirty-second part, 4 MiB at least; the rest was used.
        assert!((150..=190).contains(&count), "{count}");
        // What is there can be read and removed.
        let inbox = account.open("INBOX").unwrap();
        assert_eq!(inbox.message(Uid(1)).unwrap().read(0, 7).unwrap(), b"Subject");
        inbox.remove(&UidSet::from_range(1, 10)).await.unwrap();
        assert_eq!(core.verify(), Ok(Vec::new()));
        drop((inbox, account));
        core.close();
        drop(core);
        let core = open(&scratch, &space);
        assert_eq!(core.verify(), Ok(Vec::new()));
    });
}

#[test]
fn a_refused_step_leaves_the_store_as_it_is() {
    smol::block_on(async {
        let scratch = Scratch::new("refused-growth");
        let space = Arc::new(AtomicUsize::new(30 * MIB));
        let core = open(&scratch, &space);
        let account = core.account(core.create_account("anna", None).await.unwrap()).unwrap();
        let count = fill(&core, &account).await;
        // 16 and 8 MiB, then 4: the next octets are refused.
        assert!((38..=50).contains(&count), "{count}");
        let inbox = account.open("INBOX").unwrap();
        assert_eq!(inbox.message(Uid(1)).unwrap().read(0, 7).unwrap(), b"Subject");
        account.create("Sub", None).await.unwrap();
        inbox.move_to(&UidSet::from_range(1, 10), "Sub").await.unwrap();
        assert_eq!(core.verify(), Ok(Vec::new()));
    });
}
