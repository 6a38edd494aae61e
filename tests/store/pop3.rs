//! POP3 sessions of several devices beside moves and expunges, against a plain model of the rules that README tells:
//! what each device sees, and where every message is.

use crate::scratch::{Scratch, options};
use mailnook::auth::new_device;
use mailnook::mailbox::{Account, Clock, Core, Error, Options, PopSession};
use mailnook::types::{DeviceId, Door, DoorKind, Flags, InstanceId, PopDelete, Rights, Uid, UidSet};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

const DAY: i64 = 86_400;
const START: i64 = 1_800_000_000;
const NAMES: [&str; 3] = ["INBOX", "Trash", "Archive"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }
}

/// A message by its instance.
#[derive(Clone, Debug)]
struct Message {
    mailbox: &'static str,
    placed: i64,
    seen: bool,
    /// When each device fetched or deleted it.
    marks: BTreeMap<u32, (i64, bool)>,
}

#[derive(Clone, Copy)]
struct Rules {
    delete: PopDelete,
    hide_days: u32,
    release_days: u32,
    seen: bool,
}

struct World {
    core: Arc<Core>,
    account: Account,
    hand: Arc<AtomicI64>,
    messages: BTreeMap<u64, Message>,
    /// Devices that can log in; whether each has polled.
    devices: BTreeMap<u32, bool>,
    rules: Rules,
    added: u32,
}

fn open(path: &Path, hand: &Arc<AtomicI64>) -> Arc<Core> {
    let shown = hand.clone();
    let clock = Clock::new(move || shown.load(Ordering::SeqCst));
    Core::open(Options { clock, ..options(path) }).unwrap()
}

impl World {
    fn now(&self) -> i64 {
        self.hand.load(Ordering::SeqCst)
    }

    /// What a mailbox holds: UID, instance and \Seen, ascending by UID.
    fn rows(&self, name: &str) -> Vec<(u32, u64, bool)> {
        let mailbox = self.account.open(name).unwrap();
        let uids = mailbox.snapshot().unwrap().uids;
        let (mut rows, mut from) = (Vec::new(), Uid(1));
        loop {
            let batch = mailbox.rows(&uids, from).unwrap();
            let Some(last) = batch.last() else { return rows };
            from = Uid(last.uid.0 + 1);
            let seen = mailnook::types::SystemFlags::SEEN;
            rows.extend(batch.iter().map(|row| (row.uid.0, row.instance.0, row.flags.contains(seen))));
        }
    }

    async fn append(&mut self) {
        let mut incoming = self.core.incoming();
        incoming.push(b"Subject: x\r\n\r\n").await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let made = self.account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
        let message = Message { mailbox: "INBOX", placed: self.now(), seen: false, marks: BTreeMap::new() };
        self.messages.insert(made.instance.0, message);
    }

    /// Some of the rows of a mailbox.
    fn some(&self, random: &mut Random, name: &str) -> Vec<(u32, u64)> {
        let rows = self.rows(name);
        rows.into_iter().filter(|_| random.below(3) == 0).map(|(uid, instance, _)| (uid, instance)).collect()
    }

    async fn move_some(&mut self, random: &mut Random) {
        let (from, to) = (NAMES[random.below(3)], NAMES[random.below(3)]);
        let chosen = self.some(random, from);
        let uids: UidSet = chosen.iter().map(|(uid, _)| *uid).collect();
        self.account.open(from).unwrap().move_to(&uids, to).await.unwrap();
        let now = self.now();
        for (_, instance) in chosen {
            let message = self.messages.get_mut(&instance).unwrap();
            (message.mailbox, message.placed) = (to, now);
        }
    }

    async fn expunge_some(&mut self, random: &mut Random) {
        let name = NAMES[random.below(3)];
        let chosen = self.some(random, name);
        let uids: UidSet = chosen.iter().map(|(uid, _)| *uid).collect();
        self.account.open(name).unwrap().remove(&uids).await.unwrap();
        for (_, instance) in chosen {
            self.messages.remove(&instance);
        }
    }

    /// A session of one device: sees what it has not deleted, fetches some, deletes some.
    async fn session(&mut self, random: &mut Random) {
        let ids: Vec<u32> = self.devices.keys().copied().chain([0]).collect();
        let device = ids[random.below(ids.len())];
        let door = Door { kind: DoorKind::Pop3, device, address: None };
        let guest = self.core.enter(self.account.id(), &door, Instant::now(), || ()).unwrap();
        *self.devices.entry(device).or_default() = true;
        let inbox = self.account.clone().through(door).open("INBOX").unwrap();
        let (hidden, since) = inbox.pop_hidden().await.unwrap();
        let hidden: BTreeSet<u64> = hidden.into_iter().map(|id| id.0).collect();
        let deleted_by = |message: &Message| message.marks.get(&device).is_some_and(|(_, deleted)| *deleted);
        let expected: BTreeSet<u64> =
            self.messages.iter().filter(|(_, message)| deleted_by(message)).map(|(id, _)| *id).collect();
        assert_eq!(hidden, expected, "hidden from device {device}");
        let visible: Vec<_> = self.rows("INBOX").into_iter().filter(|(_, id, _)| !hidden.contains(id)).collect();
        let (mut fetched, mut deleted) = (Vec::new(), Vec::new());
        for (uid, instance, _) in visible {
            let named = (Uid(uid), InstanceId(instance));
            let choice = random.below(4);
            if choice == 0 || choice == 2 {
                fetched.push(named);
            }
            if choice == 1 || choice == 2 {
                deleted.push(named);
            }
        }
        // Others do not wait for the end of the session.
        for _ in 0..random.below(3) {
            match random.below(3) {
                0 => self.append().await,
                1 => self.move_some(random).await,
                _ => self.expunge_some(random).await,
            }
        }
        inbox.pop_update(PopSession { since, fetched: fetched.clone(), deleted: deleted.clone() }).await.unwrap();
        drop(guest);
        let (now, rules) = (self.now(), self.rules);
        for (_, instance) in fetched {
            if let Some(message) = self.messages.get_mut(&instance.0) {
                message.marks.entry(device).or_insert((now, false));
                message.seen |= rules.seen;
            }
        }
        for (_, instance) in deleted {
            let Some(message) = self.messages.get_mut(&instance.0) else { continue };
            match rules.delete {
                PopDelete::Trash if message.mailbox == "INBOX" => (message.mailbox, message.placed) = ("Trash", now),
                PopDelete::Expunge if message.mailbox == "INBOX" => drop(self.messages.remove(&instance.0)),
                _ => {
                    let mark = message.marks.entry(device).or_insert((now, true));
                    if !mark.1 {
                        *mark = (now, true);
                    }
                }
            }
        }
    }

    async fn apply(&mut self) {
        let moved = self.core.apply_pop_rules(self.account.id()).await.unwrap().len();
        let polling: Vec<u32> = self.devices.iter().filter(|(_, polls)| **polls).map(|(id, _)| *id).collect();
        let (now, rules, mut expected) = (self.now(), self.rules, 0);
        for message in self.messages.values_mut().filter(|message| message.mailbox == "INBOX") {
            let marks: Option<Vec<_>> = polling.iter().map(|device| message.marks.get(device)).collect();
            let Some(marks) = marks.filter(|marks| !marks.is_empty()) else { continue };
            let over = |since: Option<i64>, days: u32| {
                days > 0 && since.is_some_and(|since| now >= since.max(message.placed) + i64::from(days) * DAY)
            };
            let deleted = marks.iter().filter(|(_, deleted)| *deleted).map(|(time, _)| *time).max();
            if over(deleted, rules.hide_days) || over(marks.iter().map(|(time, _)| *time).max(), rules.release_days) {
                (message.mailbox, message.placed) = ("Trash", now);
                expected += 1;
            }
        }
        assert_eq!(moved, expected);
    }

    async fn change_rules(&mut self, random: &mut Random) {
        let rules = Rules {
            delete: PopDelete::ALL[random.below(5).min(2)],
            hide_days: u32::try_from(random.below(3) * 7).unwrap(),
            release_days: u32::try_from(random.below(3) * 10).unwrap(),
            seen: random.below(2) == 0,
        };
        let change = self.core.change_settings(self.account.id(), move |settings| {
            settings.pop_delete = Some(rules.delete);
            settings.pop_hide_days = Some(rules.hide_days);
            settings.pop_release_days = Some(rules.release_days);
            settings.pop_retr_seen = Some(rules.seen);
        });
        change.await.unwrap();
        self.rules = rules;
    }

    async fn add_device(&mut self) {
        self.added += 1;
        let login = self.core.store().login("anna").unwrap().unwrap();
        let rights = Rights::ALL;
        let (_, device) = new_device(&login, &format!("device {}", self.added), rights).unwrap();
        let DeviceId(id) = self.core.add_device("anna", device).await.unwrap();
        assert!(self.devices.insert(id, false).is_none(), "an identifier is never used again");
    }

    async fn forget_main_device(&mut self) {
        let polled = self.devices.get(&0) == Some(&true);
        assert_eq!(self.core.forget_main_device("anna").await, if polled { Ok(()) } else { Err(Error::NotFound) });
        self.devices.remove(&0);
        for message in self.messages.values_mut() {
            message.marks.remove(&0);
        }
    }

    async fn revoke_device(&mut self, random: &mut Random) {
        let ids: Vec<u32> = self.devices.keys().copied().filter(|id| *id != 0).collect();
        let Some(id) = ids.get(random.below(ids.len().max(1))).copied() else { return };
        let devices = self.core.devices(self.account.id()).unwrap();
        let (_, device) = devices.into_iter().find(|(known, _)| known.0 == id).unwrap();
        self.core.revoke_device("anna", &device.name).await.unwrap();
        self.devices.remove(&id);
        for message in self.messages.values_mut() {
            message.marks.remove(&id);
        }
    }

    fn check(&self) {
        for name in NAMES {
            let found: BTreeMap<u64, bool> = self.rows(name).into_iter().map(|(_, id, seen)| (id, seen)).collect();
            let here = self.messages.iter().filter(|(_, message)| message.mailbox == name);
            assert_eq!(found, here.map(|(id, message)| (*id, message.seen)).collect(), "{name}");
        }
    }
}

async fn play(seed: u64, steps: usize) {
    let scratch = Scratch::new(&format!("pop3-{seed}"));
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let hand = Arc::new(AtomicI64::new(1_700_000_000));
    let core = open(&scratch.0, &hand);
    let id = core.create_account("anna", None).await.unwrap();
    let account = core.account(id).unwrap();
    let rules = Rules { delete: PopDelete::Hide, hide_days: 14, release_days: 0, seen: false };
    let (messages, devices) = (BTreeMap::new(), BTreeMap::new());
    let mut world = World { core, account, hand, messages, devices, rules, added: 0 };
    world.add_device().await;
    world.add_device().await;
    for step in 0..steps {
        match random.below(20) {
            0..=5 => world.append().await,
            6..=10 => world.session(&mut random).await,
            11 | 12 => world.move_some(&mut random).await,
            13 => world.expunge_some(&mut random).await,
            15 | 16 => drop(world.hand.fetch_add(DAY * 5, Ordering::SeqCst)),
            17 => world.change_rules(&mut random).await,
            18 if random.below(4) == 0 => world.revoke_device(&mut random).await,
            18 if random.below(3) == 0 => world.forget_main_device().await,
            18 if world.devices.len() < 4 => world.add_device().await,
            _ => world.apply().await,
        }
        world.check();
        if step % 67 == 66 {
            assert_eq!(world.core.verify().unwrap(), Vec::<String>::new());
            world.core.close();
            let hand = world.hand.clone();
            let World { core, account, messages, devices, rules, added, .. } = world;
            drop((core, account));
            let core = open(&scratch.0, &hand);
            let account = core.account(id).unwrap();
            world = World { core, account, hand, messages, devices, rules, added };
        }
    }
    assert_eq!(world.core.verify().unwrap(), Vec::<String>::new());
    world.core.close();
}

#[test]
fn devices_and_rules_behave_like_the_model() {
    for seed in 1..=4 {
        smol::block_on(play(seed, 250));
    }
}

/// A mailbox knows so many keywords and no more; what POP3 deletes must not fail for that, nor be lost.
#[test]
fn a_trash_without_room_for_keywords_hides() {
    smol::block_on(async {
        let scratch = Scratch::new("pop3-keywords");
        let core = Core::open(options(&scratch.0)).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        core.change_settings(id, |settings| settings.pop_delete = Some(PopDelete::Trash)).await.unwrap();
        let append = async |mailbox: &str, keywords: Vec<String>| {
            let mut incoming = core.incoming();
            incoming.push(b"Subject: x\r\n\r\n").await.unwrap();
            let flags = Flags { keywords, ..Flags::default() };
            account.append(incoming.finish().await.unwrap(), mailbox, flags, None).await.unwrap()
        };
        append("Trash", (0..mailnook::mailbox::KEYWORDS_MAX).map(|number| format!("k{number}")).collect()).await;
        let made = append("INBOX", vec!["other".to_owned()]).await;
        let _guest = core.enter(id, &Door::of(DoorKind::Pop3), Instant::now(), || ()).unwrap();
        core.pulse().await.unwrap();
        let inbox = account.clone().through(Door::of(DoorKind::Pop3)).open("INBOX").unwrap();
        let deleted = vec![(made.uid, made.instance)];
        inbox.pop_update(PopSession { deleted, ..PopSession::default() }).await.unwrap();
        assert_eq!(inbox.pop_hidden().await.unwrap().0, [made.instance]);
        assert_eq!(inbox.snapshot().unwrap().uids.len(), 1);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

/// A use of the main password that is remembered and not yet written does not undo that it was forgotten.
#[test]
fn a_forgotten_main_password_stays_forgotten() {
    smol::block_on(async {
        let scratch = Scratch::new("pop3-forgotten");
        let core = Core::open(options(&scratch.0)).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        for _ in 0..2 {
            drop(core.enter(id, &Door::of(DoorKind::Pop3), Instant::now(), || ()).unwrap());
            core.pulse().await.unwrap();
        }
        core.forget_main_device("anna").await.unwrap();
        core.close();
        drop(core);
        let core = Core::open(options(&scratch.0)).unwrap();
        let (_, main) = core.devices(id).unwrap().remove(0);
        assert!(!main.polls && main.last.is_some());
    });
}

/// What a session deletes is found where somebody moved it, also where its clock was not trusted any more meanwhile.
#[test]
fn a_session_over_a_clock_that_was_ahead_hides_what_was_moved() {
    smol::block_on(async {
        let scratch = Scratch::new("pop3-ahead");
        let hand = Arc::new(AtomicI64::new(START + 365 * DAY));
        let shown = hand.clone();
        let clock = Clock::new(move || shown.load(Ordering::SeqCst));
        let core = Core::open(Options { clock, ..options(&scratch.0) }).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        let mut incoming = core.incoming();
        incoming.push(b"Subject: x\r\n\r\n").await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let made = account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
        let door = Door::of(DoorKind::Pop3);
        let _guest = core.enter(id, &door, Instant::now(), || ()).unwrap();
        let inbox = account.clone().through(door).open("INBOX").unwrap();
        let (_, since) = inbox.pop_hidden().await.unwrap();
        hand.store(START, Ordering::SeqCst);
        core.trust_clock().await.unwrap();
        account.create("Work", None).await.unwrap();
        account.open("INBOX").unwrap().move_to(&UidSet::from_range(1, 1), "Work").await.unwrap();
        let deleted = vec![(made.uid, made.instance)];
        inbox.pop_update(PopSession { deleted, since, ..PopSession::default() }).await.unwrap();
        assert_eq!(inbox.pop_hidden().await.unwrap().0, [made.instance]);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}
