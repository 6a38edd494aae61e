//! The journal, and what `why` tells from it.

use crate::scratch::{Scratch, entries, options};
use mailnook::mailbox::{
    Account, Cause, Clock, Core, Door, DoorKind, FreeSpace, Happened, LetGo, Options, Place, PopSession,
    RetentionRules, Room, Story, Undelete, Whose,
};
use mailnook::types::{AccountId, FlagOperation, Flags, SystemFlags, UidSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

const DAY: i64 = 86_400;
const START: i64 = 1_700_000_000;

fn set(uid: u32) -> UidSet {
    UidSet::from_range(uid, uid)
}

fn why(core: &Arc<Core>, account: AccountId, id: &str) -> Vec<Story> {
    core.why(account, &Whose::MessageId(id.to_owned())).unwrap()
}

fn events(story: &Story) -> Vec<(Happened, DoorKind)> {
    story.events.iter().map(|(_, happened, door)| (happened.clone(), door.kind)).collect()
}

#[test]
fn a_message_is_followed_to_its_end() {
    smol::block_on(async {
        let scratch = Scratch::new("why");
        let hand = Arc::new(AtomicI64::new(START));
        let shown = hand.clone();
        let core = Core::open(Options {
            clock: Clock::new(move || shown.load(Ordering::SeqCst)),
            retention: RetentionRules { trash_days: 30, junk_days: 30, undelete_days: 7 },
            ..options(&scratch.0)
        })
        .unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let imap = Door::session(DoorKind::Imap, Some(IpAddr::from([192, 0, 2, 7])));
        let account = core.account(id).unwrap().through(imap);
        for number in 1..=3 {
            let mut incoming = core.incoming();
            let text = format!("Message-ID: <{number}@example.org>\r\nSubject: x\r\n\r\n");
            incoming.push(text.as_bytes()).await.unwrap();
            let staged = incoming.finish().await.unwrap();
            account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
        }
        let inbox = account.open("INBOX").unwrap();
        let seen = Flags { system: SystemFlags::SEEN, keywords: Vec::new() };
        inbox.store_flags(&set(2), FlagOperation::Add, &seen, None).await.unwrap();
        // What changes nothing is no event.
        inbox.store_flags(&set(2), FlagOperation::Add, &seen, None).await.unwrap();
        inbox.copy(&set(2), "Archive").await.unwrap();
        inbox.move_to(&set(2), "Trash").await.unwrap();
        let came = (Happened::Arrived(43), DoorKind::Imap);
        let marked = (Happened::Flagged(FlagOperation::Add, SystemFlags::SEEN), DoorKind::Imap);
        let moved = (Happened::Moved("INBOX".to_owned(), "Trash".to_owned()), DoorKind::Imap);
        let both = why(&core, id, "<2@EXAMPLE.org>");
        assert_eq!(both.len(), 2);
        let story = both.iter().find(|story| story.events.len() == 3).unwrap();
        assert_eq!(events(story), [came.clone(), marked.clone(), moved.clone()]);
        assert_eq!(story.place, Place::Mailbox("Trash".to_owned(), 1, SystemFlags::SEEN));
        assert_eq!(story.events[2].2, imap);
        // The UID it had in INBOX leads to it, too.
        let by_uid = core.why(id, &Whose::Uid(2, "inbox".to_owned())).unwrap();
        assert_eq!(by_uid.as_slice(), std::slice::from_ref(story));
        assert_eq!(core.why(id, &Whose::Uid(9, "INBOX".to_owned())).unwrap().len(), 0);
        assert_eq!(why(&core, id, "<9@example.org>").len(), 0);

        // It expires, is brought back, expires again and goes for good.
        let expired = (Happened::TakenOut("Trash".to_owned(), Cause::Expired), DoorKind::Policy);
        let back = (Happened::BroughtBack("Trash".to_owned()), DoorKind::Cli);
        hand.store(START + 31 * DAY, Ordering::SeqCst);
        core.sweep(false).await.unwrap();
        let story = why(&core, id, "<2@example.org>").into_iter().find(|story| story.events.len() == 4).unwrap();
        let until = START + 38 * DAY;
        assert_eq!(story.place, Place::Hidden { mailbox: "Trash".to_owned(), time: START + 31 * DAY, until });
        core.undelete(id, &Undelete { since: 0, mailbox: None, dry_run: false }).await.unwrap();
        hand.store(START + 62 * DAY, Ordering::SeqCst);
        core.sweep(false).await.unwrap();
        hand.store(START + 70 * DAY, Ordering::SeqCst);
        core.sweep(false).await.unwrap();
        let all = why(&core, id, "<2@example.org>");
        let story = all.iter().find(|story| story.place == Place::Gone).unwrap();
        assert_eq!(story.message_id.as_deref(), Some("<2@example.org>"));
        let removed = (Happened::Removed(Some(LetGo::DaysOver(7))), DoorKind::Policy);
        assert_eq!(events(story), [came, marked, moved, expired.clone(), back, expired, removed]);

        // What POP3 does is told as that.
        let door = Door::of(DoorKind::Pop3);
        let _guest = core.enter(id, &door, Instant::now(), || {}).unwrap();
        let pop = core.account(id).unwrap().through(door).open("INBOX").unwrap();
        let first = entries(&pop, &set(1));
        let only_fetched = PopSession { fetched: first.clone(), ..PopSession::default() };
        pop.pop_update(only_fetched.clone()).await.unwrap();
        pop.pop_update(PopSession { deleted: first, ..only_fetched }).await.unwrap();
        let story = why(&core, id, "<1@example.org>").remove(0);
        let told = events(&story);
        assert_eq!(told[1], (Happened::Fetched, DoorKind::Pop3));
        assert!(matches!(told.last(), Some((Happened::Moved(..) | Happened::PopHidden, DoorKind::Pop3))), "{told:?}");

        // A deleted mailbox tells who deleted it.
        account.create("work", None).await.unwrap();
        inbox.move_to(&set(3), "work").await.unwrap();
        account.delete("work").await.unwrap();
        for _ in 0..100 {
            if core.hidden(id).unwrap().0 == 1 {
                break;
            }
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
        }
        let story = why(&core, id, "<3@example.org>").remove(0);
        let deleted = Happened::TakenOut("work (deleted)".to_owned(), Cause::MailboxDeleted);
        assert_eq!(events(&story)[2], (deleted, DoorKind::Imap));
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn the_journal_is_bounded_and_goes_with_its_account() {
    smol::block_on(async {
        let scratch = Scratch::new("journal");
        let core = Core::open(options(&scratch.0)).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        let mut incoming = core.incoming();
        incoming.push(b"Message-ID: <1@example.org>\r\n\r\n").await.unwrap();
        let staged = incoming.finish().await.unwrap();
        account.append(staged, "INBOX", Flags::default(), None).await.unwrap();
        let inbox = account.open("INBOX").unwrap();
        let seen = Flags { system: SystemFlags::SEEN, keywords: Vec::new() };
        let mut waiting = Vec::new();
        for number in 0..10_600 {
            let operation = if number % 2 == 0 { FlagOperation::Add } else { FlagOperation::Remove };
            let (inbox, seen) = (inbox.clone(), seen.clone());
            waiting.push(async move { inbox.store_flags(&set(1), operation, &seen, None).await.unwrap() });
            // Many at once share a commit.
            if waiting.len() == 64 {
                let executor = smol::LocalExecutor::new();
                let tasks: Vec<_> = waiting.drain(..).map(|one| executor.spawn(one)).collect();
                executor
                    .run(async {
                        for task in tasks {
                            task.await;
                        }
                    })
                    .await;
            }
        }
        let story = why(&core, id, "<1@example.org>").remove(0);
        assert!((9_000..=10_001).contains(&story.events.len()), "{}", story.events.len());
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        core.remove_account("anna").await.unwrap();
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

async fn append(core: &Arc<Core>, account: &Account, mailbox: &str, number: u32) {
    let mut incoming = core.incoming();
    incoming.push(format!("Message-ID: <{number}@example.org>\r\n\r\n").as_bytes()).await.unwrap();
    let staged = incoming.finish().await.unwrap();
    account.append(staged, mailbox, Flags::default(), None).await.unwrap();
}

/// Puts 16,384 copies of a message into INBOX and takes them out again; the first of their UIDs.
async fn fill_and_empty(core: &Arc<Core>, account: &Account, number: u32) -> u32 {
    let first = account.status("INBOX").unwrap().uid_next.0;
    append(core, account, "INBOX", number).await;
    let inbox = account.open("INBOX").unwrap();
    for power in 0..14 {
        inbox.copy(&UidSet::from_range(first, first + (1 << power) - 1), "INBOX").await.unwrap();
    }
    assert_eq!(inbox.remove(&UidSet::from_range(first, u32::MAX)).await.unwrap().len(), 1 << 14);
    first
}

#[test]
fn emptying_a_large_mailbox_pushes_out_nothing_else() {
    smol::block_on(async {
        let scratch = Scratch::new("emptied");
        let hand = Arc::new(AtomicI64::new(START));
        let shown = hand.clone();
        let core = Core::open(Options {
            clock: Clock::new(move || shown.load(Ordering::SeqCst)),
            retention: RetentionRules { trash_days: 0, junk_days: 0, undelete_days: 7 },
            ..options(&scratch.0)
        })
        .unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap().through(Door::of(DoorKind::Imap));
        append(&core, &account, "INBOX", 0).await;
        account.open("INBOX").unwrap().move_to(&set(1), "Archive").await.unwrap();
        let first = fill_and_empty(&core, &account, 1).await;
        hand.store(START + 8 * DAY, Ordering::SeqCst);
        assert_eq!(core.sweep(false).await.unwrap().removed["anna"].0, 1 << 14);
        let story_of = |uid: u32| core.why(id, &Whose::Uid(uid, "INBOX".to_owned())).unwrap().remove(0);
        let told = |uid: u32| events(&story_of(uid)).into_iter().map(|(happened, _)| happened).collect::<Vec<_>>();
        let taken = Happened::TakenOut("INBOX".to_owned(), Cause::Expunged);
        // What was done to another message before all that is known still, and so is every one of these.
        assert!(matches!(why(&core, id, "<0@example.org>")[0].events[1].1, Happened::Moved(..)));
        for uid in [first, first + 9000, first + (1 << 14) - 1] {
            assert_eq!(story_of(uid).message_id.as_deref(), Some("<1@example.org>"));
            let removed = Happened::Removed(Some(LetGo::DaysOver(7)));
            assert_eq!(told(uid), [Happened::Arrived(31), taken.clone(), removed]);
        }
        // The list has an end of its own: newer ones push out the oldest of it, and nothing else.
        core.change_settings(id, |settings| settings.undelete_days = Some(0)).await.unwrap();
        let mut last = 0;
        for _ in 0..2 {
            last = fill_and_empty(&core, &account, 2).await + (1 << 14) - 1;
        }
        assert_eq!(told(first), std::slice::from_ref(&taken));
        assert_eq!(told(last), [Happened::Arrived(31), taken, Happened::Removed(Some(LetGo::NotKept))]);
        assert_eq!(why(&core, id, "<0@example.org>")[0].events.len(), 2);
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn what_goes_with_its_mailbox_or_because_the_disk_is_short_is_told_so() {
    smol::block_on(async {
        let scratch = Scratch::new("reasons");
        let free = Arc::new(AtomicI64::new(1 << 40));
        let shown = free.clone();
        let free_space: FreeSpace = Arc::new(move || Some(shown.load(Ordering::SeqCst).unsigned_abs()));
        let room = Room { disk_reserve: 1 << 30, free_space: Some(free_space), growth: None };
        let core = Core::open(Options { room, ..options(&scratch.0) }).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap().through(Door::of(DoorKind::Imap));
        append(&core, &account, "INBOX", 1).await;
        core.change_settings(id, |settings| settings.undelete_days = Some(7)).await.unwrap();
        account.open("INBOX").unwrap().remove(&set(1)).await.unwrap();
        account.create("work", None).await.unwrap();
        for number in 2..4 {
            append(&core, &account, "work", number).await;
        }
        core.change_settings(id, |settings| settings.undelete_days = Some(0)).await.unwrap();
        account.delete("work").await.unwrap();
        for _ in 0..100 {
            if why(&core, id, "<3@example.org>").first().is_some_and(|story| story.place == Place::Gone) {
                break;
            }
            smol::Timer::after(std::time::Duration::from_millis(50)).await;
        }
        let story = why(&core, id, "<3@example.org>").remove(0);
        let deleted = Happened::TakenOut("work (deleted)".to_owned(), Cause::MailboxDeleted);
        let not_kept = (Happened::Removed(Some(LetGo::NotKept)), DoorKind::Imap);
        assert_eq!(events(&story)[1..], [(deleted, DoorKind::Imap), not_kept]);
        assert_eq!((story.place, core.hidden(id).unwrap().0), (Place::Gone, 1));
        free.store(0, Ordering::SeqCst);
        assert_eq!(core.make_room().await.unwrap(), 1);
        let story = why(&core, id, "<1@example.org>").remove(0);
        assert_eq!(events(&story).last(), Some(&(Happened::Removed(Some(LetGo::DiskShort)), DoorKind::Policy)));
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}
