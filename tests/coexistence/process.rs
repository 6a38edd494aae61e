//! The process that has the store: it runs operations and answers each once it is durable, until it is killed.

use crate::operation::{DEVICES, GRACE, NAMES, Operation, PREFIX, USERS, Verb, message_id, text};
use mailnook::auth::new_device;
use mailnook::mailbox::{
    Account, Clock, Core, Delivery, DeliveryTarget, Error, Guest, Happened, Mailbox, NotEntered, Options, OverQuota,
    Place, PopSession, QuotaRules, RetentionRules, Row, Story, Undelete, Whose,
};
use mailnook::types::{
    DateTime, DeviceId, Door, DoorKind, FlagOperation, Flags, InstanceId, PopDelete, Rights, SystemFlags, Uid, UidSet,
};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::future::Future;
use std::io::{BufRead as _, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Instant;

/// What stands before every answer; the test harness writes other lines.
pub const ANSWER: &str = "answer:";
const OPERATIONS: [FlagOperation; 3] = [FlagOperation::Replace, FlagOperation::Add, FlagOperation::Remove];

/// When a session began, and the messages by their UIDs.
type Shown = (i64, HashMap<u32, InstanceId>);

struct Server {
    core: Arc<Core>,
    hand: Arc<AtomicI64>,
    accounts: Vec<Account>,
    /// The identifiers of the devices, the main password's first.
    devices: Vec<Vec<DeviceId>>,
    guests: RefCell<HashMap<(usize, u32), Guest>>,
    /// What the POP3 sessions were shown, and when.
    shown: RefCell<HashMap<(usize, u32), Shown>>,
}

fn flags(number: i64) -> Flags {
    Flags { system: SystemFlags(u8::try_from(number).unwrap()), keywords: Vec::new() }
}

fn refused(error: &Error) -> String {
    match error {
        Error::OverQuota(OverQuota::Defer) => "full".to_owned(),
        Error::OverQuota(OverQuota::Bounce) => "too much".to_owned(),
        error => format!("{error:?}"),
    }
}

fn uids(shown: &[(u32, InstanceId)]) -> Vec<u32> {
    shown.iter().map(|(uid, _)| *uid).collect()
}

fn rows(mailbox: &Mailbox) -> Vec<Row> {
    let uids = mailbox.snapshot().unwrap().uids;
    let (mut rows, mut from) = (Vec::new(), Uid(1));
    while let Some(last) = {
        let batch = mailbox.rows(&uids, from).unwrap();
        let last = batch.last().map(|row| row.uid.0);
        rows.extend(batch);
        last
    } {
        from = Uid(last + 1);
    }
    rows
}

fn days(number: i64) -> u32 {
    u32::try_from(number).unwrap()
}

impl Server {
    async fn open(path: &Path, time: i64) -> Self {
        let hand = Arc::new(AtomicI64::new(time));
        let shown = hand.clone();
        let core = Core::open(Options {
            map_size: Some(512 << 20),
            clock: Clock::new(move || shown.load(Ordering::SeqCst)),
            quota: QuotaRules { bytes: None, messages: None, over: OverQuota::Defer, grace: GRACE },
            retention: RetentionRules { trash_days: 3, junk_days: 2, undelete_days: 2 },
            ..Options::new(path.to_owned())
        })
        .unwrap();
        if core.accounts().unwrap().is_empty() {
            for name in USERS {
                let id = core.create_account(name, None).await.unwrap();
                core.account(id).unwrap().create("work", None).await.unwrap();
                let login = core.store().login(name).unwrap().unwrap();
                for number in 1..=DEVICES {
                    let device = new_device(&login, &format!("device {number}"), Rights::ALL).unwrap().1;
                    core.add_device(name, device).await.unwrap();
                }
            }
        }
        let accounts = USERS.map(|name| core.account(core.account_info(name).unwrap().id).unwrap()).to_vec();
        let devices = accounts.iter().map(|account| {
            let known = core.devices(account.id()).unwrap();
            std::iter::once(DeviceId(0)).chain(known.into_iter().map(|(id, _)| id).filter(|id| id.0 > 0)).collect()
        });
        Self { devices: devices.collect(), core, hand, accounts, guests: RefCell::default(), shown: RefCell::default() }
    }

    /// The account as an IMAP session has it.
    fn session(&self, user: usize, by: u32) -> Account {
        let address = IpAddr::from([192, 0, 2, u8::try_from(by).unwrap()]);
        self.accounts[user].clone().through(Door::session(DoorKind::Imap, Some(address)))
    }

    fn mailbox(&self, operation: &Operation) -> Mailbox {
        self.session(operation.user, operation.by).open(NAMES[operation.from]).unwrap()
    }

    fn pop_door(&self, user: usize, device: u32) -> Door {
        Door { kind: DoorKind::Pop3, device: self.devices[user][device as usize].0, address: None }
    }

    async fn staged(&self, operation: &Operation) -> mailnook::mailbox::Staged {
        let mut incoming = self.core.incoming();
        incoming.push(text(operation.numbers[0], operation.numbers[1]).as_bytes()).await.unwrap();
        incoming.finish().await.unwrap()
    }

    async fn deliver(&self, operation: &Operation) -> String {
        let staged = self.staged(operation).await;
        let delivery = |(user, mailbox): (usize, usize)| Delivery {
            account: self.accounts[user].id(),
            target: DeliveryTarget::Mailbox(NAMES[mailbox].to_owned()),
            prefix: PREFIX.as_bytes().to_vec(),
            flags: Flags::default(),
            date: Some(DateTime { seconds: operation.numbers[0], zone: 0 }),
            door: Door::of(DoorKind::Lmtp),
        };
        let made = self.core.deliver(staged, operation.recipients().into_iter().map(delivery).collect()).await.unwrap();
        let told = made.iter().map(|made| made.as_ref().map_or_else(refused, |made| made.uid.0.to_string()));
        told.collect::<Vec<_>>().join(" ")
    }

    async fn change(&self, operation: &Operation) -> String {
        let uids: UidSet = operation.uids.iter().copied().collect();
        let mailbox = self.mailbox(operation);
        let to = NAMES[operation.to];
        match operation.verb {
            Verb::Append => {
                let (staged, date) =
                    (self.staged(operation).await, DateTime { seconds: operation.numbers[0], zone: 0 });
                let account = self.session(operation.user, operation.by);
                let made = account.append(staged, to, flags(operation.numbers[2]), Some(date)).await;
                made.map_or_else(|error| refused(&error), |made| made.uid.0.to_string())
            }
            Verb::Flag => {
                let how = OPERATIONS[usize::try_from(operation.numbers[0]).unwrap()];
                let stored = mailbox.store_flags(&uids, how, &flags(operation.numbers[1]), None).await.unwrap();
                let told = stored.messages.iter().map(|change| format!("{}:{}", change.uid.0, change.flags.0));
                told.collect::<Vec<_>>().join(" ")
            }
            Verb::Copy | Verb::Move => {
                let copied = if operation.verb == Verb::Copy {
                    mailbox.copy(&uids, to).await
                } else {
                    mailbox.move_to(&uids, to).await
                };
                copied.map_or_else(|error| refused(&error), |copied| format!("{:?} {:?}", copied.from, copied.to))
            }
            Verb::Expunge => {
                let among = (!uids.is_empty()).then_some(&uids);
                format!("{:?}", mailbox.expunge(among).await.unwrap().iter().collect::<Vec<_>>())
            }
            _ => format!("{:?}", mailbox.remove(&uids).await.unwrap().iter().collect::<Vec<_>>()),
        }
    }

    /// The messages in INBOX that a POP3 device is shown, and when.
    async fn maildrop(&self, user: usize, device: u32) -> (i64, Vec<(u32, InstanceId)>) {
        let inbox = self.accounts[user].clone().through(self.pop_door(user, device)).open("INBOX").unwrap();
        let (hidden, since) = inbox.pop_hidden().await.unwrap();
        let shown = rows(&inbox).into_iter().filter(|row| hidden.binary_search(&row.instance).is_err());
        (since, shown.map(|row| (row.uid.0, row.instance)).collect())
    }

    async fn pop(&self, operation: &Operation) -> String {
        let key = (operation.user, operation.by);
        let door = self.pop_door(operation.user, operation.by);
        match operation.verb {
            Verb::PopBegin => {
                match self.core.enter(self.accounts[operation.user].id(), &door, Instant::now(), || ()) {
                    Ok(guest) => drop(self.guests.borrow_mut().insert(key, guest)),
                    Err(NotEntered::InUse) => return "in use".to_owned(),
                    Err(error) => return format!("{error:?}"),
                }
                // That a device polls is noted in passing; an answer here promises that it is.
                self.core.pulse().await.unwrap();
                let (since, shown) = self.maildrop(operation.user, operation.by).await;
                self.shown.borrow_mut().insert(key, (since, shown.iter().copied().collect()));
                format!("{:?}", uids(&shown))
            }
            Verb::PopQuit => {
                let inbox = self.accounts[operation.user].clone().through(door).open("INBOX").unwrap();
                let (since, shown) = self.shown.borrow_mut().remove(&key).unwrap_or_default();
                // A session that a kill has ended knows no message that is not in its place.
                let nothing = InstanceId(u64::MAX);
                let named = |uids: &[u32]| {
                    let unique: BTreeSet<u32> = uids.iter().copied().collect();
                    unique.iter().map(|uid| (Uid(*uid), *shown.get(uid).unwrap_or(&nothing))).collect()
                };
                let (fetched, deleted) = (named(&operation.uids), named(&operation.more));
                inbox.pop_update(PopSession { since, fetched, deleted }).await.unwrap();
                self.guests.borrow_mut().remove(&key);
                String::new()
            }
            _ => {
                self.guests.borrow_mut().remove(&key);
                String::new()
            }
        }
    }

    async fn undelete(&self, operation: &Operation) -> String {
        let mailbox = NAMES.get(operation.to).map(|name| (*name).to_owned());
        let request = Undelete { since: operation.numbers[0], mailbox, dry_run: false };
        let back = self.core.undelete(self.accounts[operation.user].id(), &request).await.unwrap();
        format!("{back:?}")
    }

    async fn sweep(&self) -> String {
        let swept = self.core.sweep(false).await.unwrap();
        format!("{:?} {:?} {}", swept.expired, swept.removed, swept.clock_is_behind)
    }

    async fn settle(&self, operation: &Operation) -> String {
        let numbers = operation.numbers.clone();
        let id = self.accounts[operation.user].id();
        if operation.verb == Verb::Limits {
            let limit = |at: usize| u64::try_from(numbers[at]).ok();
            self.accounts[operation.user].set_limits(limit(0), limit(1)).await.unwrap();
            return String::new();
        }
        let change = move |settings: &mut mailnook::mailbox::Settings| {
            settings.pop_delete = Some(PopDelete::ALL[usize::try_from(numbers[0]).unwrap()]);
            settings.pop_hide_days = Some(days(numbers[1]));
            settings.pop_release_days = Some(days(numbers[2]));
            settings.pop_retr_seen = Some(numbers[3] == 1);
            settings.trash_days = Some(days(numbers[4]));
            settings.junk_days = Some(days(numbers[5]));
            settings.undelete_days = Some(days(numbers[6]));
            settings.over_quota = Some(if numbers[7] == 1 { OverQuota::Bounce } else { OverQuota::Defer });
        };
        self.core.change_settings(id, change).await.unwrap();
        String::new()
    }

    /// Warns whom it concerns, and tells of each account's notice its UID, its size and its date.
    async fn warn(&self) -> String {
        let next = |account: &Account| account.status("INBOX").unwrap().uid_next.0;
        let before: Vec<u32> = self.accounts.iter().map(next).collect();
        for account in &self.accounts {
            // A change that changes nothing makes the core look at the account.
            self.core.change_settings(account.id(), |_| ()).await.unwrap();
        }
        self.core.warn().await;
        let mut told = String::new();
        for (account, before) in self.accounts.iter().zip(before) {
            let inbox = account.open("INBOX").unwrap();
            let new = inbox.rows(&UidSet::from_range(before, u32::MAX), Uid(before)).unwrap();
            assert!(new.len() <= 1, "one warning at a time");
            let row = new.first().map(|row| (row.uid.0, row.size, row.internal_date.seconds));
            let (uid, size, date) = row.unwrap_or_default();
            let _ = write!(told, "{uid} {size} {date} ");
        }
        told
    }

    fn read(&self, operation: &Operation) -> String {
        let message = match self.mailbox(operation).message(Uid(operation.uids[0])) {
            Ok(message) => message,
            Err(error) => return format!("{error:?}"),
        };
        let mut octets = Vec::new();
        while (octets.len() as u64) < message.size() {
            octets.extend(message.read(octets.len() as u64, 50_000).unwrap());
        }
        let subject = String::from_utf8_lossy(&octets);
        let subject = subject.split("Subject: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        format!("{subject} {} {}", octets.len(), crc(&octets))
    }

    async fn dump(&self) -> String {
        let mut out = String::new();
        for (user, account) in self.accounts.iter().enumerate() {
            for name in NAMES {
                let mailbox = account.open(name).unwrap();
                let _ = write!(out, "{} {name} next {}:", USERS[user], mailbox.status().unwrap().uid_next.0);
                for row in rows(&mailbox) {
                    let (uid, date) = (row.uid.0, row.internal_date.seconds);
                    let _ = write!(out, " {uid}/{date}/{}/{}/{}", row.size, row.flags.0, row.save_date);
                }
                out.push('|');
            }
            let all = Undelete { since: 0, mailbox: None, dry_run: true };
            let back = self.core.undelete(account.id(), &all).await.unwrap();
            let quota = account.quota().unwrap();
            let warned = self.core.settings(account.id()).unwrap().warned;
            let _ = write!(out, "hidden {:?} {back:?}|", self.core.hidden(account.id()).unwrap());
            let limits = (quota.bytes_limit, quota.messages_limit);
            let _ = write!(out, "usage {} {} of {limits:?} warned {warned:?}|", quota.bytes, quota.messages);
            let known = self.core.devices(account.id()).unwrap();
            for device in 0..=DEVICES {
                let id = self.devices[user][device as usize];
                let polls = known.iter().any(|(known, device)| *known == id && device.polls);
                let _ = write!(out, "device {device} {polls} {:?}", uids(&self.maildrop(user, device).await.1));
                let inbox = account.clone().through(self.pop_door(user, device)).open("INBOX").unwrap();
                let marks: HashMap<_, _> = inbox
                    .pop_marks()
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|(id, time, deleted)| (id, (time, deleted)))
                    .collect();
                for (at, name) in NAMES.iter().enumerate() {
                    for row in rows(&account.open(name).unwrap()) {
                        if let Some((time, deleted)) = marks.get(&row.instance) {
                            let _ = write!(out, " {at}/{}:{time}/{deleted}", row.uid.0);
                        }
                    }
                }
                out.push('|');
            }
        }
        out
    }

    /// What is stored as a whole is sound, and a recount finds what the counters say.
    async fn verify(&self) -> String {
        let mut out = String::new();
        for account in &self.accounts {
            let before = account.quota().unwrap();
            let counted = self.core.recount(account.id()).await.unwrap();
            let same = (counted.bytes, counted.messages) == (before.bytes, before.messages);
            let right = same && counted.sum_was_right && counted.repaired.is_empty();
            let _ = write!(out, "{} {} {right} ", counted.bytes, counted.messages);
        }
        // The check looks at one snapshot, also while space is given back.
        let _ = write!(out, "{:?}", self.core.verify().unwrap());
        out
    }

    /// Where the copies of a message are, and what the last event of each was.
    fn why(&self, operation: &Operation) -> String {
        let whose = Whose::MessageId(message_id(operation.numbers[0]));
        let stories = self.core.why(self.accounts[operation.user].id(), &whose).unwrap();
        let mut told: Vec<String> = stories.iter().map(tell).collect();
        told.sort();
        told.join(";")
    }

    async fn run(&self, operation: &Operation) -> String {
        match operation.verb {
            Verb::Clock => {
                self.hand.store(operation.numbers[0], Ordering::SeqCst);
                String::new()
            }
            Verb::Deliver => self.deliver(operation).await,
            Verb::Append | Verb::Flag | Verb::Copy | Verb::Move | Verb::Expunge | Verb::Remove => {
                self.change(operation).await
            }
            Verb::PopBegin | Verb::PopQuit | Verb::PopLost => self.pop(operation).await,
            Verb::Rules => {
                self.core.apply_pop_rules(self.accounts[operation.user].id()).await.unwrap().len().to_string()
            }
            Verb::Sweep => self.sweep().await,
            Verb::Undelete => self.undelete(operation).await,
            Verb::Limits | Verb::Settings => self.settle(operation).await,
            Verb::Warn => self.warn().await,
            Verb::Status => {
                let status = self.accounts[operation.user].status(NAMES[operation.from]).unwrap();
                let (messages, unseen, deleted) = (status.messages, status.unseen, status.deleted);
                format!("{messages} {unseen} {deleted} {} {}", status.bytes, status.deleted_bytes)
            }
            Verb::Read => self.read(operation),
            Verb::Why => self.why(operation),
            Verb::Dump => self.dump().await,
            Verb::Verify => self.verify().await,
        }
    }

    /// Runs several operations at once, so that the writer takes them together; answers in their order.
    async fn together(&self, operations: &[Operation]) {
        type Running<'a> = Pin<Box<dyn Future<Output = String> + 'a>>;
        let mut running: Vec<Running<'_>> =
            operations.iter().map(|operation| Box::pin(self.run(operation)) as Running<'_>).collect();
        let mut answers: Vec<Option<String>> = vec![None; operations.len()];
        let mut told = 0;
        std::future::poll_fn(|context| {
            for (one, answer) in running.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
                if let Poll::Ready(done) = one.as_mut().poll(context) {
                    *answer = Some(done);
                }
            }
            while let Some(Some(answer)) = answers.get(told) {
                say(answer);
                told += 1;
            }
            if told == answers.len() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A checksum of a body.
pub fn crc(octets: &[u8]) -> u64 {
    octets.iter().fold(0xCBF2_9CE4_8422_2325, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3))
}

fn tell(story: &Story) -> String {
    let place = match &story.place {
        Place::Mailbox(mailbox, uid, flags) => format!("in {mailbox} {uid} {}", flags.0),
        Place::Hidden { mailbox, time, .. } => format!("hidden {mailbox} {time}"),
        Place::Gone => "gone".to_owned(),
    };
    let last = story.events.iter().rev().find_map(|(_, happened, door)| {
        let what = match happened {
            Happened::Moved(..) => "moved".to_owned(),
            Happened::TakenOut(_, cause) => format!("{cause:?}"),
            Happened::BroughtBack(_) => "back".to_owned(),
            Happened::Removed(why) => format!("removed {:?}", why.unwrap()),
            _ => return None,
        };
        Some(format!("{what} {:?}", door.kind))
    });
    format!("{place}: {}", last.unwrap_or_default())
}

fn say(answer: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ANSWER}{answer}").unwrap();
    out.flush().unwrap();
}

/// Takes the number of operations and then these, again and again, until the input ends.
pub fn serve(path: &Path, time: i64) {
    smol::block_on(async {
        let server = Server::open(path, time).await;
        let mut lines = std::io::stdin().lock().lines().map(|line| line.unwrap());
        while let Some(number) = lines.next() {
            let number: usize = number.parse().unwrap();
            let operations: Vec<Operation> = lines.by_ref().take(number).map(|line| Operation::parse(&line)).collect();
            server.together(&operations).await;
        }
        server.core.close();
    });
}
