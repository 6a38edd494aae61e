//! The server's side: one connection, one command.

use super::call::{Call, Failure};
use super::frame::{self, Kind};
use super::registry::{Protocol, Registry};
use super::request::{DecodeError, Request};
use super::{
    DataDir, deliver, device, exit, expiry, inspect, measure, quota, retention, rules, settings, status, test_account,
    trust_clock, user, verify, why,
};
use crate::auth::Cost;
use crate::config::{self, Config};
use crate::mailbox::{self, Core, OverQuota, QuotaRules, RetentionRules};
use crate::net::{Connection, Shutdown, TlsAcceptor, timeout};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A client sends its request at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What commands work with.
pub struct Context {
    /// The store's owner.
    pub core: Arc<Core>,
    /// The configuration of the process that owns the store.
    pub config: Arc<Config>,
    /// What new password hashes cost.
    pub cost: Arc<Cost>,
    /// The server around it; None: a command that opened the store itself.
    pub running: Option<Running>,
}

/// The running server.
pub struct Running {
    /// Its sessions.
    pub registry: Arc<Registry>,
    /// Where it listens by TCP.
    pub places: Vec<(Protocol, SocketAddr)>,
    /// Its certificate.
    pub tls: Option<TlsAcceptor>,
    /// Its end: a delivery that still waits for input is given up then.
    pub shutdown: Shutdown,
    /// What it has taken from itself, for people.
    pub sandbox: String,
}

/// Opens the store of a data directory that this process owns. Blocks.
///
/// # Errors
/// A text for the operator.
pub fn open(config: &Config, data_dir: &DataDir) -> Result<Arc<Core>, String> {
    Core::open(mailbox::Options {
        map_size: config.map_size,
        domains: config.domains.clone(),
        catch_all: config.catch_all.clone(),
        max_message_size: config.limits.message_size,
        pop3: config.pop3,
        quota: quota_rules(&config.quota),
        retention: retention_rules(&config.retention),
        hostname: config.hostname.clone(),
        room: mailbox::Room { disk_reserve: config.limits.disk_reserve, free_space: None, growth: None },
        ..mailbox::Options::new(data_dir.store())
    })
}

/// The rules for accounts without settings of their own.
#[must_use]
pub const fn quota_rules(quota: &config::Quota) -> QuotaRules {
    QuotaRules {
        bytes: quota.bytes,
        messages: quota.messages,
        over: if quota.bounce { OverQuota::Bounce } else { OverQuota::Defer },
        grace: quota.grace,
    }
}

/// How long mail is kept in accounts without settings of their own.
#[must_use]
pub const fn retention_rules(retention: &config::Retention) -> RetentionRules {
    RetentionRules {
        trash_days: retention.trash_days,
        junk_days: retention.junk_days,
        undelete_days: retention.undelete_days,
    }
}

/// Serves one connection of the control socket.
pub async fn serve(mut connection: Connection, context: Arc<Context>) {
    // A client that broke off has no use for an answer.
    let _gone = answer(&mut connection, &context).await;
    connection.close().await;
}

async fn answer(connection: &mut Connection, context: &Context) -> Result<(), Failure> {
    let frame = timeout(REQUEST_TIMEOUT, frame::read(connection)).await.ok_or(Failure::Gone)??;
    let mut call = Call::new(connection, context.running.as_ref().map(|running| &running.shutdown));
    if frame.kind != Kind::Request {
        return Err(Failure::Gone);
    }
    let outcome = match Request::decode(&frame.payload) {
        Ok(request) => Box::pin(run(request, context, &mut call)).await,
        Err(DecodeError::Version) => {
            let text = "the running server is of another version of mailnook; restart it, then try again";
            Err(Failure::new(exit::TEMPORARY, text))
        }
        Err(DecodeError::Malformed) => Err(Failure::new(exit::SOFTWARE, "the server did not understand the request")),
    };
    let code = match outcome {
        Ok(code) => code,
        Err(Failure::Exit(code, text)) => {
            call.complain(&format!("mailnook: {text}\n")).await?;
            code
        }
        Err(Failure::Gone) => return Err(Failure::Gone),
    };
    call.exit(code).await
}

async fn run(request: Request, context: &Context, call: &mut Call<'_>) -> Result<u8, Failure> {
    match request {
        Request::UserAdd { name, password } => user::add(context, call, &name, password).await,
        Request::UserList { json } => user::list(context, call, json).await,
        Request::UserShow { name, json } => user::show(context, call, &name, json).await,
        Request::UserPassword { name, password } => user::set_password(context, call, &name, password).await,
        Request::AliasAdd { name, alias } => user::add_alias(context, call, &name, &alias).await,
        Request::AliasRemove { name, alias } => user::remove_alias(context, call, &name, &alias).await,
        Request::UserRemove { name } => user::remove(context, call, &name).await,
        Request::DeviceAdd { name, device, rights } => device::add(context, call, (&name, &device), rights).await,
        Request::ClientSettings { name, wish } => settings::run(context, call, &name, &wish).await,
        Request::UserPop3 { name, change } => rules::pop3(context, call, &name, change).await,
        Request::UserMainPassword { name, scope } => rules::main_password(context, call, &name, &scope).await,
        Request::DeviceList { name, json } => device::list(context, call, &name, json).await,
        Request::DeviceRevoke { name, device } => device::revoke(context, call, &name, &device).await,
        Request::Deliver { recipients, sender, mailbox } => {
            deliver::run(context, call, &recipients, &sender, mailbox).await
        }
        Request::QuotaShow { name, json } => quota::show(context, call, name.as_deref(), json).await,
        Request::QuotaSet { name, bytes, messages, over } => {
            quota::set(context, call, &name, [bytes.as_deref(), messages.as_deref(), over.as_deref()]).await
        }
        Request::QuotaRecount { name } => quota::recount(context, call, &name).await,
        Request::Expire { dry_run } => retention::expire(context, call, dry_run).await,
        Request::UserExpire { name, mailbox, days, deleted_days } => {
            expiry::run(context, call, &name, (mailbox.as_deref(), &days, deleted_days.as_deref())).await
        }
        Request::Undelete { name, since, mailbox, dry_run } => {
            retention::undelete(context, call, (&name, &since), mailbox, dry_run).await
        }
        Request::Why { name, message, mailbox } => why::run(context, call, (&name, &message), mailbox).await,
        Request::TrustClock { day } => trust_clock::run(context, call, &day).await,
        Request::Measure => measure::run(context, call).await,
        Request::TestAccount => test_account::run(context, call).await,
        Request::Inspect => inspect::run(context, call).await,
        Request::Verify => verify::run(context, call).await,
        Request::Status { json } => status::run(context, call, json).await,
    }
}
