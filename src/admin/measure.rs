//! `config measure`: chooses the cost of password hashes for this machine anew.

use super::call::{Call, Failure};
use super::{Context, exit, worker};
use std::sync::Arc;

pub(super) async fn run(context: &Context, call: &mut Call<'_>) -> Result<u8, Failure> {
    let cost = Arc::clone(&context.cost);
    let chosen = worker::run(move || cost.measure()).await?;
    call.print(&format!("{chosen}\n")).await?;
    if !context.cost.is_auto() {
        call.print("It is not used: the configuration has numbers of its own (argon2_memory under [auth]).\n").await?;
    }
    Ok(exit::OK)
}
