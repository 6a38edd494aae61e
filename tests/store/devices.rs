//! Which sessions end with a password.

use crate::scratch::{Scratch, options};
use mailnook::mailbox::{Core, MainPassword, NotEntered};
use mailnook::store::Password;
use mailnook::types::{Door, DoorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Whoever logged in while the password was being changed must not stay because nobody had noted the session yet.
#[test]
fn a_login_that_came_before_its_password_changed_does_not_enter() {
    smol::block_on(async {
        let scratch = Scratch::new("devices-changed");
        let core = Core::open(options(&scratch.0)).unwrap();
        let id = core.create_account("anna", None).await.unwrap();
        let other = core.create_account("bert", None).await.unwrap();
        let ended = Arc::new(AtomicUsize::new(0));
        let end = || {
            let ended = ended.clone();
            move || {
                ended.fetch_add(1, Ordering::SeqCst);
            }
        };
        let door = Door::of(DoorKind::Imap);
        let open = core.enter(id, &door, Instant::now(), end()).unwrap();
        let _others = core.enter(other, &door, Instant::now(), end()).unwrap();

        let before = Instant::now();
        core.set_password(id, Password { hash: String::new(), scram: None }).await.unwrap();
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        assert_eq!(core.enter(id, &door, before, end()).err(), Some(NotEntered::Revoked));
        assert!(core.enter(other, &door, before, end()).is_ok());
        drop(open);

        let before = Instant::now();
        let open = core.enter(id, &door, before, end()).unwrap();
        core.set_main_password_scope(id, MainPassword::Everywhere).await.unwrap();
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        core.set_main_password_scope(id, MainPassword::Lan).await.unwrap();
        assert_eq!(ended.load(Ordering::SeqCst), 2);
        drop(open);
        assert_eq!(core.enter(id, &door, before, end()).err(), Some(NotEntered::Revoked));
        assert!(core.enter(id, &door, Instant::now(), end()).is_ok());
        assert_eq!(core.verify().unwrap(), Vec::<String>::new());
    });
}
