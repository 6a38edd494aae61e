//! `verify`: reads the whole store and checks every invariant.

use super::call::{Call, Failure};
use super::{Context, exit, worker};
use std::sync::Arc;

pub(super) async fn run(context: &Context, call: &mut Call<'_>) -> Result<u8, Failure> {
    let core = Arc::clone(&context.core);
    let Ok(findings) = worker::run(move || core.verify()).await? else {
        let text = "the store is damaged so that it cannot be read to its end; the log says why. Keep a copy of it, \
                    then restore the last backup (README, Back up)";
        return Err(Failure::new(exit::FAILURE, text));
    };
    for finding in &findings {
        call.print(&format!("{finding}\n")).await?;
    }
    match findings.len() {
        0 => {
            call.print("the store is sound\n").await?;
            Ok(exit::OK)
        }
        count => {
            call.complain(&format!("mailnook: {count} finding{}\n", if count == 1 { "" } else { "s" })).await?;
            Ok(exit::FAILURE)
        }
    }
}
