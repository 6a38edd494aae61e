//! The journal, and what `why` tells from it.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{
    Cause, Clock, Core, Door, DoorKind, Happened, Options, Place, RetentionRules, Story, Undelete, Whose,
};
use mailnook::types::{AccountId, FlagOperation, Flags, SystemFlags, UidSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
        assert!(core.why(id, &Whose::Uid(9, "INBOX".to_owned())).unwrap().is_empty());
        assert!(why(&core, id, "<9@example.org>").is_empty());

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
        let removed = (Happened::Removed, DoorKind::Policy);
        assert_eq!(events(story), [came, marked, moved, expired.clone(), back, expired, removed]);

        // What POP3 does is told as that.
        let door = Door::of(DoorKind::Pop3);
        let _guest = core.enter(id, &door, || {}).unwrap();
        let pop = core.account(id).unwrap().through(door).open("INBOX").unwrap();
        pop.pop_update(&set(1), &UidSet::new()).await.unwrap();
        pop.pop_update(&set(1), &set(1)).await.unwrap();
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
