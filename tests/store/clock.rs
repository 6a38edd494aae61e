//! Clocks that are wrong: boards have no battery for theirs.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{Account, Clock, Core, Options};
use mailnook::types::{Flags, Uid, UidSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock and the hand that sets it.
fn clock(now: i64) -> (Clock, Arc<AtomicI64>) {
    let hand = Arc::new(AtomicI64::new(now));
    let shown = hand.clone();
    (Clock::new(move || shown.load(Ordering::SeqCst)), hand)
}

fn open(path: &Path, clock: &Clock) -> Arc<Core> {
    Core::open(Options { clock: clock.clone(), ..options(path) }).unwrap()
}

async fn append(core: &Arc<Core>, account: &Account) -> i64 {
    let mut incoming = core.incoming();
    incoming.push(b"Subject: x\r\n\r\n").await.unwrap();
    let staged = incoming.finish().await.unwrap();
    let uid = account.append(staged, "INBOX", Flags::default(), None).await.unwrap().uid;
    let inbox = account.open("INBOX").unwrap();
    inbox.rows(&UidSet::from_range(uid.0, uid.0), Uid(1)).unwrap()[0].save_date
}

#[test]
fn a_clock_that_goes_back_gives_no_earlier_save_date_and_no_lower_uid_validity() {
    smol::block_on(async {
        let scratch = Scratch::new("clock");
        let (clock, hand) = clock(1_700_000_000);
        let core = open(&scratch.0, &clock);
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        assert_eq!(append(&core, &account).await, 1_700_000_000);
        hand.store(1_700_000_100, Ordering::SeqCst);
        assert_eq!(append(&core, &account).await, 1_700_000_100);
        account.create("first", None).await.unwrap();
        let first = account.status("first").unwrap().uid_validity;
        core.close();
        drop((account, core));
        for wrong in [0, -5, 1_600_000_000] {
            hand.store(wrong, Ordering::SeqCst);
            let core = open(&scratch.0, &clock);
            let account = core.account(id).unwrap();
            assert_eq!(core.clock_lag(), Ok(1_700_000_100 - wrong));
            assert_eq!(append(&core, &account).await, 1_700_000_100);
            account.create("again", None).await.unwrap();
            assert!(account.status("again").unwrap().uid_validity > first);
            account.delete("again").await.unwrap();
            assert_eq!(core.verify().unwrap(), Vec::<String>::new());
            core.close();
        }
        hand.store(1_800_000_000, Ordering::SeqCst);
        let core = open(&scratch.0, &clock);
        assert_eq!(core.clock_lag(), Ok(0));
        core.close();
    });
}

#[test]
fn a_clock_beyond_32_bits_leaves_uid_validities_for_later() {
    smol::block_on(async {
        let scratch = Scratch::new("clock-beyond");
        let (clock, hand) = clock(6_000_000_000);
        let core = open(&scratch.0, &clock);
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        let mut last = account.status("INBOX").unwrap().uid_validity;
        for now in [6_000_000_000, 1_800_000_000, 1_800_000_000] {
            hand.store(now, Ordering::SeqCst);
            core.trust_clock().await.unwrap();
            account.create("again", None).await.unwrap();
            let next = account.status("again").unwrap().uid_validity;
            assert!(next > last && next.0 < u32::MAX, "{next:?} after {last:?}");
            account.delete("again").await.unwrap();
            last = next;
        }
    });
}
