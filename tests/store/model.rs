//! The mailbox core against a plain in-memory model, over random operations, with reopening in between.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{
    Account, Clock, Core, Delivery, DeliveryTarget, Door, DoorKind, Error, Mailbox, Options, RetentionRules, Undelete,
};
use mailnook::types::{FlagOperation, Flags, ModSeq, SystemFlags, Uid, UidSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A small deterministic generator: the same seed gives the same operations everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelMessage {
    octets: Vec<u8>,
    seen: bool,
    deleted: bool,
    keyword: bool,
    instance: u64,
    /// When it came into its mailbox.
    saved: i64,
}

#[derive(Default)]
struct ModelMailbox {
    uid_next: u32,
    messages: BTreeMap<u32, ModelMessage>,
    modseq: ModSeq,
    /// What a follower of `changes` believes.
    known: BTreeMap<u32, Flagged>,
    known_modseq: ModSeq,
    known_next: u32,
}

fn octets(random: &mut Random) -> Vec<u8> {
    let len = match random.below(20) {
        0 => 300_000 + random.below(500_000),
        1..=4 => random.below(30_000),
        _ => random.below(3000),
    };
    let mut text = format!("Subject: {}\r\n\r\n", random.next()).into_bytes();
    while text.len() < len {
        text.extend_from_slice(format!("{:x}\r\n", random.next()).as_bytes());
    }
    text
}

fn read_all(mailbox: &Mailbox, uid: u32) -> Vec<u8> {
    let message = mailbox.message(Uid(uid)).unwrap();
    let mut out = Vec::new();
    while (out.len() as u64) < message.size() {
        out.extend(message.read(out.len() as u64, 50_000).unwrap());
    }
    out
}

const NAMES: [&str; 4] = ["INBOX", "Trash", "Archive", "work/project"];

const DAY: i64 = 86_400;
const RETENTION: RetentionRules = RetentionRules { trash_days: 3, junk_days: 0, undelete_days: 2 };

struct World {
    account: Account,
    mailboxes: BTreeMap<&'static str, ModelMailbox>,
    /// What was expunged and can be brought back: when, its instance, from where, and the message.
    hidden: BTreeMap<(i64, u64), (&'static str, ModelMessage)>,
    hand: Arc<AtomicI64>,
}

impl World {
    fn now(&self) -> i64 {
        self.hand.load(Ordering::SeqCst)
    }

    fn hide(&mut self, name: &'static str, uid: u32) {
        let message = self.mailboxes.get_mut(name).unwrap().messages.remove(&uid).unwrap();
        self.hidden.insert((self.now(), message.instance), (name, message));
    }

    /// Expiry by the model, then by the core.
    async fn sweep(&mut self, core: &Arc<Core>) {
        let now = self.now();
        let trash = &self.mailboxes["Trash"].messages;
        let old = trash.iter().filter(|(_, message)| message.saved < now - 3 * DAY).map(|(uid, _)| *uid);
        let old: Vec<u32> = old.collect();
        for uid in &old {
            self.hide("Trash", *uid);
        }
        let hidden = self.hidden.len();
        self.hidden.retain(|(time, _), _| *time >= now - 2 * DAY);
        let swept = core.sweep(false).await.unwrap();
        assert_eq!(swept.expired.values().map(|sum| sum.0).sum::<u64>(), old.len() as u64);
        assert_eq!(swept.removed.values().map(|sum| sum.0).sum::<u64>(), (hidden - self.hidden.len()) as u64);
    }

    async fn undelete(&mut self, core: &Arc<Core>, random: &mut Random, only: Option<&'static str>) {
        let since = self.now() - i64::try_from(random.next() % 200_000).unwrap();
        let request = Undelete { since, mailbox: only.map(str::to_owned), dry_run: false };
        let back = core.undelete(self.account.id(), &request).await.unwrap();
        let now = self.now();
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for (at, (name, message)) in std::mem::take(&mut self.hidden) {
            if at.0 < since || only.is_some_and(|only| only != name) {
                self.hidden.insert(at, (name, message));
                continue;
            }
            *expected.entry(name.to_owned()).or_default() += 1;
            let model = self.mailboxes.get_mut(name).unwrap();
            model.messages.insert(model.uid_next, ModelMessage { deleted: false, saved: now, ..message });
            model.uid_next += 1;
        }
        let came: BTreeMap<String, u64> = back.into_iter().map(|(name, (messages, _))| (name, messages)).collect();
        assert_eq!(came, expected);
    }

    /// A full account takes nothing by APPEND and COPY, and lets everything be moved.
    async fn full(&mut self, core: &Arc<Core>, random: &mut Random, name: &'static str) {
        let used = self.account.quota().unwrap().bytes;
        let sum = |mailbox: &ModelMailbox| mailbox.messages.values().map(|m| m.octets.len() as u64).sum::<u64>();
        assert_eq!(used, self.mailboxes.values().map(sum).sum::<u64>());
        self.account.set_limits(Some(used), None).await.unwrap();
        let mut incoming = core.incoming();
        incoming.push(&octets(random)).await.unwrap();
        let staged = incoming.finish().await.unwrap();
        let appended = self.account.append(staged, name, Flags::default(), None).await;
        assert!(matches!(appended, Err(Error::OverQuota(_))), "{appended:?}");
        if let Some(uid) = self.mailboxes[name].messages.keys().next() {
            let copied = self.account.open(name).unwrap().copy(&UidSet::from_range(*uid, *uid), "Archive").await;
            assert!(matches!(copied, Err(Error::OverQuota(_))), "{copied:?}");
        }
        self.transfer(random, name, "Archive", true).await;
        assert!(core.recount(self.account.id()).await.unwrap().sum_was_right);
        self.account.set_limits(None, None).await.unwrap();
    }

    fn some(&self, random: &mut Random, name: &str) -> UidSet {
        let uids: Vec<u32> = self.mailboxes[name].messages.keys().copied().collect();
        let mut set = UidSet::new();
        for _ in 0..random.below(6) {
            match uids.get(random.below(uids.len().max(1))) {
                Some(uid) => set.insert(*uid),
                None => set.insert(u32::try_from(random.below(50)).unwrap()),
            }
        }
        set
    }

    async fn append(&mut self, core: &Arc<Core>, random: &mut Random, name: &'static str) {
        let text = octets(random);
        let mut incoming = core.incoming();
        for piece in text.chunks(1 + random.below(100_000)) {
            incoming.push(piece).await.unwrap();
        }
        let staged = incoming.finish().await.unwrap();
        if random.below(10) == 0 {
            drop(staged);
            return;
        }
        let prefix = if random.below(2) == 0 { b"Return-Path: <a@b>\r\n".to_vec() } else { Vec::new() };
        let delivery = |name: &str| Delivery {
            account: self.account.id(),
            target: DeliveryTarget::Mailbox(name.to_owned()),
            prefix: prefix.clone(),
            flags: Flags::default(),
            date: None,
            door: Door::of(DoorKind::Lmtp),
        };
        // Two recipients share one body; a third does not exist.
        let made = core.deliver(staged, vec![delivery(name), delivery("nowhere"), delivery("INBOX")]).await.unwrap();
        assert_eq!(made[1], Err(Error::NotFound));
        let saved = self.now();
        for (to, made) in [(name, made[0].clone()), ("INBOX", made[2].clone())] {
            let made = made.unwrap();
            let model = self.mailboxes.get_mut(to).unwrap();
            assert_eq!(made.uid.0, model.uid_next);
            model.uid_next += 1;
            let octets = [&prefix[..], &text[..]].concat();
            let message =
                ModelMessage { octets, seen: false, deleted: false, keyword: false, instance: made.instance.0, saved };
            model.messages.insert(made.uid.0, message);
        }
    }

    async fn store(&mut self, random: &mut Random, name: &'static str) {
        let set = self.some(random, name);
        let mailbox = self.account.open(name).unwrap();
        let operation = [FlagOperation::Replace, FlagOperation::Add, FlagOperation::Remove][random.below(3)];
        let (seen, deleted, keyword) = (random.below(2) == 0, random.below(3) == 0, random.below(3) == 0);
        let mut flags = Flags::default();
        for (on, flag) in [(seen, SystemFlags::SEEN), (deleted, SystemFlags::DELETED)] {
            if on {
                flags.system = flags.system.with(flag);
            }
        }
        if keyword {
            flags.keywords.push("$Label".to_owned());
        }
        let since = (random.below(4) == 0).then(|| ModSeq(self.mailboxes[name].modseq.0.saturating_sub(2)));
        let stored = mailbox.store_flags(&set, operation, &flags, since).await.unwrap();
        let model = self.mailboxes.get_mut(name).unwrap();
        let apply = |old: bool, given: bool| match operation {
            FlagOperation::Replace => given,
            FlagOperation::Add => old || given,
            FlagOperation::Remove => old && !given,
        };
        for (uid, message) in &mut model.messages {
            if set.contains(*uid) && !stored.modified.contains(*uid) {
                message.seen = apply(message.seen, seen);
                message.deleted = apply(message.deleted, deleted);
                message.keyword = apply(message.keyword, keyword);
            }
        }
        assert!(since.is_some() || stored.modified.is_empty());
    }

    async fn transfer(&mut self, random: &mut Random, from: &'static str, to: &'static str, move_them: bool) {
        let set = self.some(random, from);
        let mailbox = self.account.open(from).unwrap();
        let copied = if move_them { mailbox.move_to(&set, to).await } else { mailbox.copy(&set, to).await }.unwrap();
        for (old, new) in copied.from.iter().zip(&copied.to) {
            let mut message = self.mailboxes[from].messages[old].clone();
            message.saved = self.now();
            if move_them {
                self.mailboxes.get_mut(from).unwrap().messages.remove(old);
            } else {
                let row = self.account.open(to).unwrap().rows(&UidSet::from_range(*new, *new), Uid(1)).unwrap();
                message.instance = row[0].instance.0;
            }
            let target = self.mailboxes.get_mut(to).unwrap();
            assert_eq!(target.uid_next, *new);
            target.uid_next += 1;
            target.messages.insert(*new, message);
        }
        let expected = set.iter().filter(|uid| mailbox_has(&copied.from, *uid)).count();
        assert_eq!(expected, copied.from.len());
    }

    async fn expunge(&mut self, random: &mut Random, name: &'static str) {
        let mailbox = self.account.open(name).unwrap();
        let model = &self.mailboxes[name];
        let gone = match random.below(3) {
            0 => mailbox.expunge(None).await.unwrap(),
            1 => mailbox.expunge(Some(&UidSet::from_range(1, 20))).await.unwrap(),
            _ => {
                let uid = model.messages.keys().next().copied().unwrap_or(7);
                mailbox.remove(&UidSet::from_range(uid, uid)).await.unwrap()
            }
        };
        for uid in gone.iter() {
            self.hide(name, uid);
        }
    }

    /// CHANGEDSINCE and VANISHED (EARLIER) from any earlier moment lead to the same mailbox.
    fn resynchronise(
        &self,
        random: &mut Random,
        name: &'static str,
        history: &[(&'static str, ModSeq, BTreeMap<u32, Flagged>)],
    ) {
        let past: Vec<_> = history.iter().filter(|(of, ..)| *of == name).collect();
        let Some((_, since, known)) = past.get(random.below(past.len().max(1))) else { return };
        let mailbox = self.account.open(name).unwrap();
        let model = &self.mailboxes[name];
        let gone = mailbox.expunged_since(*since).unwrap();
        let changed = mailbox.changed_since(*since, &UidSet::from_range(1, u32::MAX)).unwrap();
        let mut now: BTreeMap<u32, Flagged> = known.clone();
        now.retain(|uid, _| !gone.contains(*uid));
        for uid in changed.iter() {
            now.insert(uid, flagged(&model.messages[&uid]));
        }
        let expected: BTreeMap<_, _> = model.messages.iter().map(|(uid, message)| (*uid, flagged(message))).collect();
        assert_eq!(now, expected, "{name} since {since:?}");
    }

    /// What a session would do after any command: the differences must lead to the same mailbox.
    fn follow(&mut self, name: &'static str) {
        let mailbox = self.account.open(name).unwrap();
        let keywords = mailbox.keywords().unwrap();
        let label = keywords.iter().position(|keyword| keyword == "$Label");
        let model = self.mailboxes.get_mut(name).unwrap();
        loop {
            let changes = mailbox.changes(model.known_modseq, Uid(model.known_next)).unwrap();
            model.known.retain(|uid, _| !changes.expunged.contains(*uid));
            let flags = |flags: SystemFlags, bits: u128| {
                let keyword = label.is_some_and(|bit| bits >> bit & 1 == 1);
                (flags.contains(SystemFlags::SEEN), flags.contains(SystemFlags::DELETED), keyword)
            };
            for change in &changes.flagged {
                model.known.insert(change.uid.0, flags(change.flags, change.keywords.0));
            }
            let mut from = Uid(1);
            loop {
                let rows = mailbox.rows(&changes.arrived, from).unwrap();
                let Some(last) = rows.last() else { break };
                from = Uid(last.uid.0 + 1);
                for row in &rows {
                    model.known.insert(row.uid.0, flags(row.flags, row.keywords.0));
                }
            }
            (model.known_modseq, model.known_next) = (changes.modseq, changes.uid_next.0);
            if !changes.more {
                break;
            }
        }
        let expected: BTreeMap<_, _> = model.messages.iter().map(|(uid, message)| (*uid, flagged(message))).collect();
        assert_eq!(model.known, expected, "{name}");
    }

    fn check(&mut self, name: &'static str) {
        let mailbox = self.account.open(name).unwrap();
        let snapshot = mailbox.snapshot().unwrap();
        let model = self.mailboxes.get_mut(name).unwrap();
        model.modseq = snapshot.status.highest_modseq;
        assert_eq!(snapshot.uids.iter().collect::<Vec<_>>(), model.messages.keys().copied().collect::<Vec<_>>());
        let count = |test: fn(&ModelMessage) -> bool| {
            u32::try_from(model.messages.values().filter(|m| test(m)).count()).unwrap()
        };
        assert_eq!(snapshot.status.messages, count(|_| true));
        assert_eq!(snapshot.status.unseen, count(|message| !message.seen));
        assert_eq!(snapshot.status.deleted, count(|message| message.deleted));
        assert_eq!(snapshot.status.uid_next.0, model.uid_next);
        let first = model.messages.iter().find(|(_, message)| !message.seen).map(|(uid, _)| Uid(*uid));
        assert_eq!(mailbox.first_unseen().unwrap(), first);
        let mut from = Uid(1);
        loop {
            let rows = mailbox.rows(&snapshot.uids, from).unwrap();
            let Some(last) = rows.last() else { break };
            from = Uid(last.uid.0 + 1);
            for row in &rows {
                let message = &model.messages[&row.uid.0];
                assert_eq!(row.size, message.octets.len() as u64);
                assert_eq!(row.instance.0, message.instance);
            }
        }
        if let Some((uid, message)) = model.messages.iter().next_back() {
            assert_eq!(read_all(&mailbox, *uid), message.octets);
        }
    }
}

/// \Seen, \Deleted and a keyword.
type Flagged = (bool, bool, bool);

fn flagged(message: &ModelMessage) -> Flagged {
    (message.seen, message.deleted, message.keyword)
}

fn mailbox_has(uids: &[u32], uid: u32) -> bool {
    uids.binary_search(&uid).is_ok()
}

async fn play(seed: u64, steps: usize) {
    let scratch = Scratch::new(&format!("model-{seed}"));
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let hand = Arc::new(AtomicI64::new(1_700_000_000));
    let shown = hand.clone();
    let clock = Clock::new(move || shown.load(Ordering::SeqCst));
    let open = || {
        let options = Options { clock: clock.clone(), retention: RETENTION, ..options(&scratch.0) };
        Core::open(options).unwrap()
    };
    let mut core = open();
    let id = core.create_account("anna", None).await.unwrap();
    let account = core.account(id).unwrap();
    account.create("work/project", None).await.unwrap();
    let mailboxes = NAMES
        .iter()
        .map(|name| (*name, ModelMailbox { uid_next: 1, known_next: 1, ..ModelMailbox::default() }))
        .collect();
    let mut world = World { account, mailboxes, hidden: BTreeMap::new(), hand };
    let mut history = Vec::new();
    for step in 0..steps {
        let name = NAMES[random.below(NAMES.len())];
        let other = NAMES[random.below(NAMES.len())];
        world.hand.fetch_add(i64::try_from(random.next() % 20_000).unwrap(), Ordering::SeqCst);
        match random.below(16) {
            0..=3 => world.append(&core, &mut random, name).await,
            4..=6 => world.store(&mut random, name).await,
            7 => world.transfer(&mut random, name, other, false).await,
            8 | 9 => world.transfer(&mut random, name, other, true).await,
            10 | 11 => world.expunge(&mut random, name).await,
            12 => world.sweep(&core).await,
            13 => {
                let only = (random.below(2) == 0).then_some(name);
                world.undelete(&core, &mut random, only).await;
            }
            14 => world.full(&core, &mut random, name).await,
            _ => world.follow(name),
        }
        world.check(name);
        world.resynchronise(&mut random, name, &history);
        let model = &world.mailboxes[name];
        history.push((
            name,
            model.modseq,
            model.messages.iter().map(|(uid, message)| (*uid, flagged(message))).collect(),
        ));
        if step % 97 == 96 {
            assert_eq!(core.verify().unwrap(), Vec::<String>::new());
            world.account = {
                core.close();
                drop(world.account);
                drop(core);
                core = open();
                core.account(id).unwrap()
            };
        }
    }
    for name in NAMES {
        world.follow(name);
        world.check(name);
    }
    assert_eq!(core.hidden(id).unwrap().0, world.hidden.len() as u64);
    let info = core.account_info("anna").unwrap();
    let messages: Vec<&ModelMessage> = world.mailboxes.values().flat_map(|mailbox| mailbox.messages.values()).collect();
    assert_eq!(info.messages, messages.len() as u64);
    assert_eq!(info.bytes, messages.iter().map(|message| message.octets.len() as u64).sum::<u64>());
    assert_eq!(core.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn the_core_behaves_like_the_model() {
    for seed in 1..=12 {
        smol::block_on(play(seed, 250));
    }
}
