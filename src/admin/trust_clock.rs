//! `trust-clock`: the clock is right again after it was ahead.

use super::call::{Call, Failure};
use super::certificate::day;
use super::{Context, exit, text};
use crate::mailbox::Error;

const DAY: i64 = 86_400;

/// `given` is the day of today as the user knows it.
pub(super) async fn run(context: &Context, call: &mut Call<'_>, given: &str) -> Result<u8, Failure> {
    let now = context.core.now();
    // Where the user lives it may be a day earlier or later than in Greenwich.
    if ![now - DAY, now, now.saturating_add(DAY)].into_iter().any(|time| day(time) == given) {
        let text =
            format!("the clock shows {}, not {given}: if it is wrong, set it first (date, or timedatectl)", day(now));
        return Err(Failure::new(exit::USAGE, text));
    }
    let redated = context.core.trust_clock().await.map_err(|error| match error {
        Error::Invalid(text) => Failure::new(exit::USAGE, text),
        other => Failure::core(&other),
    })?;
    let messages = text::count(redated.messages, "message");
    let hidden = text::count(redated.hidden, "expunged message");
    log::info!("admin: the clock is right: {} s behind; {messages} and {hidden} had a later time", redated.lag);
    let told = match redated.lag {
        0 => "the clock was not behind what is stored".to_owned(),
        lag => format!("what is stored was of {} at the latest; from now on the clock's time counts", day(now + lag)),
    };
    call.print(&format!("{told}\n{messages} and {hidden} with a later time count as stored now\n")).await?;
    Ok(exit::OK)
}
