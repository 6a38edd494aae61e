//! What expires, what is brought back, and what a wrong clock does to both.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{Account, Clock, Core, Error, Options, PopSession, Redated, RetentionRules, Swept, Undelete};
use mailnook::types::{Door, DoorKind, FlagOperation, Flags, InstanceId, SpecialUse, SystemFlags, Uid, UidSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

const DAY: i64 = 86_400;
const START: i64 = 1_700_000_000;

struct House {
    core: Arc<Core>,
    account: Account,
    hand: Arc<AtomicI64>,
    scratch: Scratch,
    options: Options,
}

impl House {
    async fn new(name: &str, undelete_days: u32) -> Self {
        let scratch = Scratch::new(name);
        let hand = Arc::new(AtomicI64::new(START));
        let shown = hand.clone();
        let options = Options {
            clock: Clock::new(move || shown.load(Ordering::SeqCst)),
            retention: RetentionRules { trash_days: 30, junk_days: 0, undelete_days },
            ..options(&scratch.0)
        };
        let core = Core::open(options.clone()).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        Self { core, account, hand, scratch, options }
    }

    fn days(&self, days: i64) {
        self.hand.store(START + days * DAY, Ordering::SeqCst);
    }

    async fn append(&self, mailbox: &str, subject: &str, keyword: &str) -> u64 {
        let mut incoming = self.core.incoming();
        incoming.push(format!("Subject: {subject}\r\n\r\n{}", "x".repeat(5000)).as_bytes()).await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let flags = Flags { system: SystemFlags::SEEN, keywords: vec![keyword.to_owned()] };
        self.account.append(staged, mailbox, flags, None).await.unwrap().instance.0
    }

    fn instances(&self, mailbox: &str) -> Vec<u64> {
        let mailbox = self.account.open(mailbox).unwrap();
        let rows = mailbox.rows(&mailbox.snapshot().unwrap().uids, Uid(1)).unwrap();
        rows.iter().map(|row| row.instance.0).collect()
    }

    async fn undelete(&self, since_days: i64, mailbox: Option<&str>, dry_run: bool) -> Vec<(String, u64)> {
        let since = START + since_days * DAY;
        let request = Undelete { since, mailbox: mailbox.map(str::to_owned), dry_run };
        let back = self.core.undelete(self.account.id(), &request).await.unwrap();
        self.verify();
        back.into_iter().map(|(mailbox, (messages, _))| (mailbox, messages)).collect()
    }

    async fn expunge(&self, mailbox: &str) {
        let mailbox = self.account.open(mailbox).unwrap();
        mailbox.remove(&UidSet::from_range(1, 1000)).await.unwrap();
        self.verify();
    }

    async fn sweep(&self) -> Swept {
        let swept = self.core.sweep(false).await.unwrap();
        self.verify();
        swept
    }

    fn hidden(&self) -> u64 {
        self.core.hidden(self.account.id()).unwrap().0
    }

    fn verify(&self) {
        assert_eq!(self.core.verify().unwrap(), Vec::<String>::new());
    }

    /// Waits until the writer has emptied deleted mailboxes and removed accounts.
    async fn emptied(&self, hidden: u64) {
        for _ in 0..100 {
            self.verify();
            if self.hidden() == hidden {
                return;
            }
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
        }
        panic!("{} messages are hidden, not {hidden}", self.hidden());
    }

    fn reopen(self) -> Self {
        let id = self.account.id();
        self.core.close();
        drop((self.account, self.core));
        let core = Core::open(self.options.clone()).unwrap();
        let account = core.account(id).unwrap();
        Self { core, account, hand: self.hand, scratch: self.scratch, options: self.options }
    }
}

#[test]
fn expunged_mail_comes_back_with_flags_and_instance_until_its_time() {
    smol::block_on(async {
        let house = House::new("undelete", 7).await;
        let first = house.append("INBOX", "first", "$Label").await;
        let second = house.append("Archive", "second", "Todo").await;
        let before = house.core.account_info("anna").unwrap();
        let inbox = house.account.open("INBOX").unwrap();
        let deleted = Flags { system: SystemFlags::DELETED, keywords: Vec::new() };
        inbox.store_flags(&UidSet::from_range(1, 1), FlagOperation::Add, &deleted, None).await.unwrap();
        inbox.expunge(None).await.unwrap();
        drop(inbox);
        house.expunge("Archive").await;
        // Not in the quota, not in a mailbox.
        assert_eq!(house.core.account_info("anna").unwrap().bytes, 0);
        assert_eq!((house.account.quota().unwrap().bytes, house.hidden()), (0, 2));
        let house = house.reopen();
        assert_eq!(house.undelete(0, None, true).await, [("Archive".to_owned(), 1), ("INBOX".to_owned(), 1)]);
        assert_eq!(house.hidden(), 2);
        assert_eq!(house.undelete(0, Some("inbox"), false).await, [("INBOX".to_owned(), 1)]);
        assert_eq!(house.undelete(1, None, false).await, []);
        assert_eq!(house.undelete(0, None, false).await, [("Archive".to_owned(), 1)]);
        assert_eq!(house.undelete(0, None, false).await, []);
        assert_eq!((house.instances("INBOX"), house.instances("Archive")), (vec![first], vec![second]));
        let after = house.core.account_info("anna").unwrap();
        assert_eq!((after.messages, after.bytes), (before.messages, before.bytes));
        let inbox = house.account.open("INBOX").unwrap();
        let row = inbox.rows(&UidSet::from_range(2, 2), Uid(1)).unwrap().remove(0);
        assert_eq!(row.flags, SystemFlags::SEEN);
        assert_eq!(inbox.keywords().unwrap()[row.keywords.0.trailing_zeros() as usize], "$Label");
        let text = inbox.message(Uid(2)).unwrap().read(0, 20).unwrap();
        assert_eq!(text, b"Subject: first\r\n\r\nxx");
        // A week later it is gone for good.
        house.expunge("INBOX").await;
        house.days(7);
        assert_eq!(house.sweep().await, Swept::default());
        house.hand.fetch_add(1, Ordering::SeqCst);
        assert_eq!(house.sweep().await.removed["anna"].0, 1);
        assert_eq!((house.hidden(), house.undelete(0, None, false).await), (0, vec![]));
    });
}

#[test]
fn trash_expires_by_the_day_mail_came_there_and_can_still_be_brought_back() {
    smol::block_on(async {
        let house = House::new("expire", 7).await;
        house.append("INBOX", "old", "a").await;
        let moved = house.append("INBOX", "moved later", "a").await;
        house.append("Trash", "at once", "a").await;
        house.append("Junk", "for ever here", "a").await;
        house.days(20);
        let inbox = house.account.open("INBOX").unwrap();
        inbox.move_to(&UidSet::from_range(2, 2), "Trash").await.unwrap();
        house.days(30);
        assert_eq!(house.core.sweep(true).await.unwrap(), Swept::default());
        house.days(31);
        let dry = house.core.sweep(true).await.unwrap();
        assert_eq!(
            dry.expired.into_iter().map(|(at, (messages, _))| (at.1, messages)).collect::<Vec<_>>(),
            [("Trash".to_owned(), 1)]
        );
        assert_eq!(house.account.status("Trash").unwrap().messages, 2);
        assert_eq!(house.sweep().await.expired.len(), 1);
        assert_eq!(house.instances("Trash"), [moved]);
        assert_eq!(house.sweep().await, Swept::default());
        assert_eq!(
            (house.account.status("INBOX").unwrap().messages, house.account.status("Junk").unwrap().messages),
            (1, 1)
        );
        assert_eq!(house.undelete(31, None, false).await, [("Trash".to_owned(), 1)]);
        // It counts as new in \Trash.
        house.days(45);
        assert_eq!(house.sweep().await, Swept::default());
        house.core.change_settings(house.account.id(), |settings| settings.trash_days = Some(0)).await.unwrap();
        house.days(500);
        assert_eq!(house.sweep().await, Swept::default());
        house.core.change_settings(house.account.id(), |settings| settings.trash_days = Some(1)).await.unwrap();
        assert_eq!(house.sweep().await.expired.len(), 1);
        assert_eq!(house.account.status("Trash").unwrap().messages, 0);
    });
}

#[test]
fn a_rule_of_its_own_empties_any_mailbox_and_stays_with_it() {
    smol::block_on(async {
        let house = House::new("own-rule", 7).await;
        let id = house.account.id();
        house.account.create("Lists/Offers", None).await.unwrap();
        for mailbox in ["Lists/Offers", "INBOX", "Trash", "Junk", "Sent"] {
            house.append(mailbox, "x", "a").await;
        }
        assert_eq!(house.core.set_expiry(id, "nowhere", Some(3)).await, Err(Error::NotFound));
        let rule = house.core.set_expiry(id, "Lists/Offers", Some(3)).await.unwrap();
        assert_eq!((rule.mailbox.as_str(), rule.days, rule.own), ("Lists/Offers", 3, true));
        house.core.set_expiry(id, "inbox", Some(10)).await.unwrap();
        // Where mail goes by configuration, an account can keep it.
        house.core.set_expiry(id, "Trash", Some(0)).await.unwrap();
        house.account.rename("Lists/Offers", "Offers").await.unwrap();
        house.days(4);
        house.append("Offers", "y", "a").await;
        let swept = house.sweep().await;
        assert_eq!(swept.expired.keys().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["Offers"]);
        assert_eq!(house.account.status("Offers").unwrap().messages, 1);
        assert_eq!(house.undelete(0, None, false).await, [("Offers".to_owned(), 1)]);
        let rules = |rules: &[mailnook::mailbox::Expiry]| -> Vec<(String, u32, bool)> {
            rules.iter().map(|rule| (rule.mailbox.clone(), rule.days, rule.own)).collect()
        };
        let all = [("INBOX".to_owned(), 10, true), ("Offers".to_owned(), 3, true), ("Trash".to_owned(), 0, true)];
        assert_eq!(rules(&house.core.expiries(id).unwrap().0), all);
        // The figures of a full account tell what will go from there.
        let going: Vec<_> = house.core.usage(id).await.unwrap().expiring.into_iter().map(|(name, ..)| name).collect();
        assert_eq!(going, ["INBOX", "Offers"]);
        house.account.delete("Offers").await.unwrap();
        assert_eq!(rules(&house.core.expiries(id).unwrap().0).len(), 2);
        house.days(40);
        let swept = house.sweep().await;
        assert_eq!(swept.expired.keys().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["INBOX"]);
        let rule = house.core.set_expiry(id, "Trash", None).await.unwrap();
        assert_eq!((rule.days, rule.own), (30, false));
        assert_eq!(house.sweep().await.expired.len(), 1);
        assert_eq!(house.account.status("Sent").unwrap().messages, 1);
    });
}

#[test]
fn a_clock_that_is_behind_removes_nothing() {
    smol::block_on(async {
        let house = House::new("behind", 7).await;
        house.append("Trash", "x", "a").await;
        house.append("INBOX", "y", "a").await;
        house.expunge("INBOX").await;
        house.days(100);
        house.append("INBOX", "z", "a").await;
        for wrong in [-20_000, 0, 99] {
            house.days(wrong);
            let swept = house.sweep().await;
            assert!(swept.clock_is_behind && swept.expired.is_empty() && swept.removed.is_empty());
        }
        assert_eq!((house.account.status("Trash").unwrap().messages, house.hidden()), (1, 1));
        house.days(100);
        let swept = house.sweep().await;
        assert_eq!((swept.expired.len(), swept.removed.len(), swept.clock_is_behind), (1, 1, false));
    });
}

#[test]
fn deleted_mailboxes_come_back_with_their_mail() {
    smol::block_on(async {
        let house = House::new("lost", 7).await;
        house.account.create("work/old", None).await.unwrap();
        let one = house.append("work/old", "one", "Todo").await;
        house.append("work/old", "two", "Todo").await;
        let old = house.account.open("work/old").unwrap();
        old.remove(&UidSet::from_range(2, 2)).await.unwrap();
        drop(old);
        house.account.delete("work/old").await.unwrap();
        assert_eq!(house.core.account_info("anna").unwrap().messages, 0);
        house.emptied(2).await;
        let house = house.reopen();
        // One of that name that was made meanwhile takes them.
        assert_eq!(house.undelete(0, None, false).await, [("work/old".to_owned(), 2)]);
        assert!(house.instances("work/old").contains(&one));
        let mailbox = house.account.open("work/old").unwrap();
        assert_eq!(mailbox.keywords().unwrap(), ["Todo"]);
        // A rename is followed.
        house.expunge("work/old").await;
        house.account.rename("work/old", "elsewhere").await.unwrap();
        assert_eq!(house.undelete(0, None, true).await, [("elsewhere".to_owned(), 2)]);
        // What is forgotten goes with all it had.
        house.account.delete("elsewhere").await.unwrap();
        house.emptied(2).await;
        house.days(8);
        assert_eq!(house.sweep().await.removed["anna"].0, 2);
        assert_eq!(house.undelete(0, None, false).await, []);
    });
}

#[test]
fn a_deleted_trash_comes_back_as_what_it_was() {
    smol::block_on(async {
        let house = House::new("lost-trash", 7).await;
        let id = house.account.id();
        let trash = |account: &Account| {
            let found = account.list().unwrap().into_iter().find(|entry| entry.special_use == Some(SpecialUse::Trash));
            found.map(|entry| entry.name)
        };
        house.append("Trash", "one", "Todo").await;
        house.core.set_expiry(id, "Trash", Some(5)).await.unwrap();
        house.account.delete("Trash").await.unwrap();
        house.emptied(1).await;
        assert_eq!(trash(&house.account), None);
        let house = house.reopen();
        assert_eq!(house.undelete(0, None, false).await, [("Trash".to_owned(), 1)]);
        assert_eq!(trash(&house.account), Some("Trash".to_owned()));
        let rules = house.core.expiries(id).unwrap().0;
        assert!(
            rules.iter().any(|rule| (rule.mailbox.as_str(), rule.days, rule.own) == ("Trash", 5, true)),
            "{rules:?}"
        );
        // Where another one is that by now, it stays so.
        house.account.delete("Trash").await.unwrap();
        house.account.create("Bin", Some(SpecialUse::Trash)).await.unwrap();
        assert_eq!(house.undelete(0, None, false).await, [("Trash".to_owned(), 1)]);
        assert_eq!(trash(&house.account), Some("Bin".to_owned()));
    });
}

#[test]
fn without_days_nothing_is_kept_and_accounts_take_all_with_them() {
    smol::block_on(async {
        let house = House::new("nothing-kept", 0).await;
        house.append("INBOX", "x", "a").await;
        house.expunge("INBOX").await;
        assert_eq!((house.hidden(), house.undelete(0, None, false).await), (0, vec![]));
        house.core.change_settings(house.account.id(), |settings| settings.undelete_days = Some(3)).await.unwrap();
        house.account.create("gone", None).await.unwrap();
        for mailbox in ["INBOX", "gone"] {
            house.append(mailbox, "x", "a").await;
        }
        house.expunge("INBOX").await;
        house.account.delete("gone").await.unwrap();
        house.emptied(2).await;
        house.core.remove_account("anna").await.unwrap();
        let request = Undelete { since: 0, mailbox: None, dry_run: false };
        assert_eq!(house.core.undelete(house.account.id(), &request).await, Err(Error::NotFound));
        for _ in 0..100 {
            house.verify();
            if house.core.store_size().unwrap().1 < 100_000 {
                break;
            }
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
        }
        house.verify();
    });
}

#[test]
fn what_goes_by_rule_and_comes_back_warns_again() {
    smol::block_on(async {
        let house = House::new("warned-again", 7).await;
        house.account.set_limits(Some(12_000), None).await.unwrap();
        for subject in ["first", "second"] {
            house.append("Trash", subject, "Todo").await;
        }
        house.core.warn().await;
        assert_eq!(house.instances("INBOX").len(), 1);
        // It expires, which makes room, and comes back, which takes it.
        house.days(31);
        house.sweep().await;
        house.core.warn().await;
        house.undelete(30, None, false).await;
        house.core.warn().await;
        assert_eq!(house.instances("INBOX").len(), 2);
        // The same with a mailbox that is deleted.
        house.account.create("work", None).await.unwrap();
        let trash = house.account.open("Trash").unwrap();
        trash.move_to(&UidSet::from_range(1, 1000), "work").await.unwrap();
        house.core.warn().await;
        house.account.delete("work").await.unwrap();
        house.core.warn().await;
        house.emptied(2).await;
        house.undelete(30, None, false).await;
        house.core.warn().await;
        assert_eq!(house.instances("INBOX").len(), 3);
        house.core.warn().await;
        assert_eq!(house.instances("INBOX").len(), 3);
        house.verify();
    });
}

#[test]
fn notices_go_and_come_with_their_mailbox() {
    smol::block_on(async {
        let house = House::new("notices", 7).await;
        house.account.set_limits(Some(6_000), None).await.unwrap();
        house.append("INBOX", "first", "Todo").await;
        house.core.warn().await;
        assert_eq!(house.instances("INBOX").len(), 2);
        let used = house.account.quota().unwrap().bytes;
        house.account.create("work", None).await.unwrap();
        house.account.open("INBOX").unwrap().move_to(&UidSet::from_range(1, 1000), "work").await.unwrap();
        house.account.delete("work").await.unwrap();
        house.verify();
        house.emptied(2).await;
        assert_eq!(house.account.quota().unwrap().bytes, 0);
        house.append("INBOX", "second", "Todo").await;
        assert_eq!(house.account.quota().unwrap().bytes, used + 1);
        house.undelete(0, None, false).await;
        assert_eq!(house.account.quota().unwrap().bytes, 2 * used + 1);
    });
}

/// More mailboxes are deleted than are remembered, while the first one is still being emptied.
#[test]
fn a_mailbox_that_is_being_emptied_is_not_forgotten() {
    smol::block_on(async {
        let house = House::new("many-lost", 7).await;
        house.account.create("large", None).await.unwrap();
        house.append("large", "x", "Todo").await;
        let large = house.account.open("large").unwrap();
        for _ in 0..14 {
            large.copy(&UidSet::from_range(1, u32::MAX), "large").await.unwrap();
        }
        let names: Vec<String> = (0..1100).map(|number| format!("m{number}")).collect();
        for name in &names {
            house.account.create(name, None).await.unwrap();
        }
        // All at once, so that the writer has no time to empty what is deleted.
        let executor = smol::LocalExecutor::new();
        let deletes: Vec<_> = std::iter::once("large")
            .chain(names.iter().map(String::as_str))
            .map(|name| executor.spawn(house.account.delete(name)))
            .collect();
        executor
            .run(async {
                for delete in deletes {
                    delete.await.unwrap();
                }
            })
            .await;
        house.emptied(16_384).await;
        let back: u64 = house.undelete(0, None, false).await.into_iter().map(|(_, messages)| messages).sum();
        assert_eq!(back, 16_384);
    });
}

/// A clock that was ahead leaves times behind that would hold everything up for years.
#[test]
fn a_clock_that_was_ahead_is_forgotten_once_somebody_says_so() {
    smol::block_on(async {
        let mut house = House::new("ahead", 7).await;
        let (id, door) = (house.account.id(), Door::of(DoorKind::Pop3));
        let now = 4000;
        house.days(now);
        house.append("Trash", "before", "k").await;
        // Ten years ahead.
        house.days(now + 3650);
        house.append("Trash", "ahead", "k").await;
        house.append("Archive", "hidden", "k").await;
        house.expunge("Archive").await;
        house.account.create("Deleted", None).await.unwrap();
        house.append("Deleted", "lost", "k").await;
        house.account.delete("Deleted").await.unwrap();
        house.emptied(2).await;
        let read = house.append("INBOX", "read", "k").await;
        let guest = house.core.enter(id, &door, Instant::now(), || ()).unwrap();
        let inbox = house.account.clone().through(door).open("INBOX").unwrap();
        let fetched = vec![(Uid(1), InstanceId(read))];
        inbox.pop_update(PopSession { fetched, ..PopSession::default() }).await.unwrap();
        drop((guest, inbox));
        house = house.reopen();

        house.days(now);
        assert_eq!(house.core.clock_lag(), Ok(3650 * DAY));
        house.append("Trash", "behind", "k").await;
        let trash = house.account.open("Trash").unwrap();
        let dates = |first| {
            let rows = trash.rows(&trash.snapshot().unwrap().uids, Uid(first)).unwrap();
            rows.iter().map(|row| (row.save_date - START) / DAY).collect::<Vec<_>>()
        };
        assert_eq!(dates(1), [now, now + 3650, now + 3650]);
        assert!(house.sweep().await.clock_is_behind);
        let before = trash.snapshot().unwrap().status.highest_modseq;
        let redated = house.core.trust_clock().await.unwrap();
        assert_eq!((redated.lag, redated.messages, redated.hidden), (3650 * DAY, 3, 2));
        house.verify();
        assert_eq!(dates(1), [now, now, now]);
        assert!(trash.snapshot().unwrap().status.highest_modseq > before);
        assert_eq!(house.core.clock_lag(), Ok(0));
        house.append("Trash", "right", "k").await;
        assert_eq!(dates(4), [now]);
        assert!(
            house
                .core
                .devices(id)
                .unwrap()
                .iter()
                .all(|(_, device)| device.last.as_ref().is_none_or(|last| last.time <= START + now * DAY))
        );
        assert_eq!(house.core.trust_clock().await.unwrap(), Redated::default());

        // What is hidden can be brought back, and later goes; what is in Trash expires.
        assert_eq!(house.undelete(now, Some("Deleted"), true).await, [("Deleted".to_owned(), 1)]);
        house.days(now + 8);
        assert_eq!(house.sweep().await.removed.values().map(|(messages, _)| messages).sum::<u64>(), 2);
        house.days(now + 31);
        assert_eq!(house.sweep().await.expired.values().map(|(messages, _)| messages).sum::<u64>(), 4);

        house.hand.store(mailnook::mailbox::EARLIEST - 1, Ordering::SeqCst);
        assert!(matches!(house.core.trust_clock().await, Err(Error::Invalid(_))));
    });
}

/// The clock goes on while times are being changed, and the power may go in the middle.
#[test]
fn a_deleted_mailbox_is_remembered_when_times_change() {
    smol::block_on(async {
        let mut house = House::new("ahead-deleted", 7).await;
        let now = 4000 * DAY;
        house.hand.store(START + now + 3650 * DAY, Ordering::SeqCst);
        house.account.create("Deleted", None).await.unwrap();
        house.append("Deleted", "lost", "k").await;
        house.account.delete("Deleted").await.unwrap();
        house.emptied(1).await;
        house = house.reopen();
        // Each look at the clock is a second later than the one before.
        let ticks = Arc::new(AtomicI64::new(START + now));
        let hand = ticks.clone();
        house.options.clock = Clock::new(move || hand.fetch_add(1, Ordering::SeqCst));
        house = house.reopen();
        assert_eq!(house.core.trust_clock().await.unwrap().hidden, 1);
        house.sweep().await;
        let undelete = Undelete { since: START, mailbox: None, dry_run: true };
        let back = house.core.undelete(house.account.id(), &undelete).await.unwrap();
        assert_eq!(back.into_keys().collect::<Vec<_>>(), ["Deleted"]);
        assert_eq!(house.core.go_on_redating().await, Ok(false));
    });
}

#[test]
fn what_trust_clock_began_is_ended_later() {
    smol::block_on(async {
        let mut house = House::new("ahead-cut", 7).await;
        house.days(4000 + 3650);
        house.append("Trash", "ahead", "k").await;
        // So many that it takes steps of both kinds.
        for _ in 0..13 {
            let trash = house.account.open("Trash").unwrap();
            trash.copy(&trash.snapshot().unwrap().uids, "Trash").await.unwrap();
        }
        house.days(4000);
        // Given up after its first step.
        smol::future::or(async { drop(house.core.trust_clock().await) }, async {}).await;
        house.append("Trash", "right", "k").await;
        house = house.reopen();
        let dates = |house: &House| {
            let trash = house.account.open("Trash").unwrap();
            let (uids, mut dates) = (trash.snapshot().unwrap().uids, Vec::new());
            let mut from = Uid(1);
            loop {
                let rows = trash.rows(&uids, from).unwrap();
                let Some(last) = rows.last() else { return dates };
                from = Uid(last.uid.0 + 1);
                dates.extend(rows.iter().map(|row| (row.save_date - START) / DAY));
            }
        };
        assert!(dates(&house).ends_with(&[7650, 7650, 4000]));
        assert_eq!(house.core.go_on_redating().await, Ok(true));
        assert_eq!(dates(&house), vec![4000; 8193]);
        house.verify();
        assert_eq!(house.core.go_on_redating().await, Ok(false));
    });
}
