//! A session that asks for much work leaves the others their turn.

use crate::client::Client;
use crate::house::House;
use mailnook::types::UidSet;
use smol::future::zip;
use std::cell::Cell;

/// How often the messages are doubled: 4096 of them.
const DOUBLINGS: u32 = 12;

/// Others are answered while a session looks through bodies, whatever the text: no clock decides this, only the order.
/// The clients here run once for about 200 steps of the sessions, so that the answers are fewer than the steps.
#[test]
fn a_long_body_search_does_not_delay_others() {
    let house = House::new();
    house.run(async {
        house.deliver_octets("", b"Subject: x\r\n\r\nAll work and no play makes Jack a dull boy.\r\n").await;
        for _ in 0..DOUBLINGS {
            house.mailbox().copy(&UidSet::from_range(1, u32::MAX), "INBOX").await.expect("copies");
        }
        let (mut busy, mut quick) =
            (Client::log_in(house.connect(), false, false).await, Client::log_in(house.connect(), false, false).await);
        busy.select(true).await;
        quick.select(true).await;
        let (searching, answered) = (Cell::new(true), Cell::new(0));
        let search = async {
            busy.command("SEARCH OR BODY nowhere TEXT \"found at all\"", true).await;
            searching.set(false);
        };
        let ask = async {
            while searching.get() {
                quick.command("NOOP", false).await;
                if searching.get() {
                    answered.set(answered.get() + 1);
                }
            }
        };
        zip(search, ask).await;
        assert!(answered.get() > 4, "{} answers during the search", answered.get());
    });
    house.finish();
}
