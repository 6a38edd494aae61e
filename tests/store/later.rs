//! What POP3 sessions fetched waits to be written with something else: who asks sees it, a power cut may lose it.

use crate::scratch::{Scratch, entries, options};
use mailnook::mailbox::{Account, Clock, Core, Options, PopSession};
use mailnook::types::{Door, DoorKind, Flags, UidSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

const START: i64 = 1_700_000_000;

struct House {
    scratch: Scratch,
    core: Arc<Core>,
    account: Account,
    hand: Arc<AtomicI64>,
}

impl House {
    async fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let hand = Arc::new(AtomicI64::new(START));
        let shown = hand.clone();
        let clock = Clock::new(move || shown.load(Ordering::SeqCst));
        let core = Core::open(Options { clock, ..options(&scratch.0) }).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        // The main password's entry is made at its first use, which is no part of what follows.
        let door = Door::of(DoorKind::Pop3);
        drop(core.enter(id, &door, Instant::now(), || ()).unwrap());
        let account = core.account(id).unwrap().through(door);
        let house = Self { scratch, core, account, hand };
        for _ in 0..20 {
            house.append().await;
        }
        house
    }

    async fn append(&self) {
        let mut incoming = self.core.incoming();
        incoming.push(b"Subject: x\r\n\r\n").await.unwrap();
        let staged = incoming.finish().await.unwrap();
        self.account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
    }

    async fn fetch(&self, first: u32, last: u32) {
        let inbox = self.account.open("INBOX").unwrap();
        let fetched = entries(&inbox, &UidSet::from_range(first, last));
        inbox.pop_update(PopSession { fetched, ..PopSession::default() }).await.unwrap();
    }

    /// How many messages are known as fetched after a power cut at this moment; all else is sound.
    async fn after_a_power_cut(&self) -> usize {
        let copy = Scratch::new("later-copy");
        std::fs::copy(self.scratch.0.join("data.mdb"), copy.0.join("data.mdb")).unwrap();
        let core = Core::open(options(&copy.0)).unwrap();
        let id = core.account_info("anna").unwrap().id;
        let account = core.account(id).unwrap().through(Door::of(DoorKind::Pop3));
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        account.open("INBOX").unwrap().pop_marks().await.unwrap().len()
    }

    async fn marks(&self) -> usize {
        self.account.open("INBOX").unwrap().pop_marks().await.unwrap().len()
    }
}

#[test]
fn who_asks_sees_what_was_fetched() {
    smol::block_on(async {
        let house = House::new("later-asked").await;
        house.fetch(1, 1).await;
        assert_eq!(house.after_a_power_cut().await, 0, "it waits");
        assert_eq!(house.marks().await, 1);
        assert_eq!(house.after_a_power_cut().await, 1);
        house.fetch(2, 2).await;
        let whose = mailnook::mailbox::Whose::Uid(2, "INBOX".to_owned());
        assert_eq!(house.core.why(house.account.id(), &whose).unwrap()[0].events.len(), 2);
        assert_eq!(house.after_a_power_cut().await, 2);
        house.fetch(3, 3).await;
        assert_eq!(house.core.verify().unwrap(), Vec::<String>::new());
        assert_eq!(house.after_a_power_cut().await, 3);
        house.fetch(4, 4).await;
        // Every change that is no delivery comes behind it.
        let inbox = house.account.open("INBOX").unwrap();
        inbox.move_to(&UidSet::from_range(4, 4), "Trash").await.unwrap();
        assert_eq!(house.after_a_power_cut().await, 4);
        house.fetch(5, 5).await;
        house.core.close();
        assert_eq!(house.after_a_power_cut().await, 5);
    });
}

#[test]
fn it_rides_with_deliveries_once_it_is_enough_or_old() {
    smol::block_on(async {
        let house = House::new("later-rides").await;
        house.fetch(1, 15).await;
        house.append().await;
        assert_eq!(house.after_a_power_cut().await, 0, "fifteen wait on");
        house.fetch(16, 16).await;
        assert_eq!(house.after_a_power_cut().await, 0, "nothing came yet");
        house.append().await;
        assert_eq!(house.after_a_power_cut().await, 16);
        house.fetch(17, 17).await;
        house.append().await;
        assert_eq!(house.after_a_power_cut().await, 16);
        house.hand.store(START + 600, Ordering::SeqCst);
        house.append().await;
        assert_eq!(house.after_a_power_cut().await, 17);
        // A clock that goes back gives out no moment twice.
        house.fetch(18, 18).await;
        house.hand.store(START, Ordering::SeqCst);
        house.append().await;
        assert_eq!(house.after_a_power_cut().await, 18);
        // Many at once are written at once.
        house.fetch(1, 20).await;
        assert_eq!(house.after_a_power_cut().await, 20);
    });
}

#[test]
fn there_is_a_limit_to_what_waits() {
    smol::block_on(async {
        let house = House::new("later-limit").await;
        for _ in 0..250 {
            house.append().await;
        }
        for first in (1..=241).step_by(15) {
            house.fetch(first, first + 14).await;
        }
        assert_eq!(house.after_a_power_cut().await, 0);
        house.fetch(256, 258).await;
        assert_eq!(house.after_a_power_cut().await, 258);
        assert_eq!(house.marks().await, 258);
    });
}
