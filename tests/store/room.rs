//! A disk that gets short: new mail waits, everything else goes on, and expunged mail is given up before its time.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{Account, Core, Error, Options, RetentionRules, Room};
use mailnook::types::{FlagOperation, Flags, SystemFlags, UidSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

async fn append(core: &Arc<Core>, account: &Account) -> Result<(), Error> {
    let mut incoming = core.incoming();
    incoming.push(b"Subject: x\r\n\r\n").await?;
    let staged = incoming.finish().await?;
    account.append(staged, "INBOX", Flags::default(), None).await.map(drop)
}

#[test]
fn below_the_reserve_only_new_mail_is_refused() {
    smol::block_on(async {
        let scratch = Scratch::new("room");
        let free = Arc::new(AtomicU64::new(1 << 30));
        let told = free.clone();
        let room = Room {
            disk_reserve: 20 << 20,
            free_space: Some(Arc::new(move || Some(told.load(Ordering::SeqCst)))),
            growth: None,
        };
        let retention = RetentionRules { trash_days: 0, junk_days: 0, undelete_days: 7 };
        let core = Core::open(Options { room, retention, ..options(&scratch.0) }).unwrap();
        assert_eq!(std::fs::metadata(scratch.0.join("reserve")).unwrap().len(), 2 << 20);
        let id = core.create_account("anna", None).await.unwrap();
        let account = core.account(id).unwrap();
        for _ in 0..4 {
            append(&core, &account).await.unwrap();
        }
        free.store((20 << 20) + 5_000, Ordering::SeqCst);
        assert!((4_000..1 << 20).contains(&account.append_limit()), "{}", account.append_limit());
        free.store(10 << 20, Ordering::SeqCst);
        assert_eq!((append(&core, &account).await, core.check_room()), (Err(Error::NoRoom), Err(Error::NoRoom)));
        assert_eq!(account.append_limit(), 0);
        // Reading, flags, moving and expunging go on.
        let inbox = account.open("INBOX").unwrap();
        let seen = Flags { system: SystemFlags::SEEN, keywords: Vec::new() };
        inbox.store_flags(&UidSet::from_range(1, 4), FlagOperation::Add, &seen, None).await.unwrap();
        inbox.move_to(&UidSet::from_range(1, 1), "Trash").await.unwrap();
        inbox.remove(&UidSet::from_range(2, 3)).await.unwrap();
        assert_eq!(core.hidden(id).unwrap().0, 2);
        // Expunged mail is given up while the disk is short, and only then.
        assert_eq!(core.make_room().await, Ok(2));
        assert_eq!((core.hidden(id).unwrap().0, core.make_room().await), (0, Ok(0)));
        inbox.remove(&UidSet::from_range(4, 4)).await.unwrap();
        free.store(1 << 30, Ordering::SeqCst);
        assert_eq!((core.make_room().await, core.hidden(id).unwrap().0), (Ok(0), 1));
        append(&core, &account).await.unwrap();
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}
