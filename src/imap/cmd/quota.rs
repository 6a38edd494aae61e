//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1): all of an account's mailboxes have one quota root.

use crate::imap::output::Output;
use crate::imap::reply::{Failure, Reply};
use crate::imap::wire::write;
use crate::mailbox::{Account, Quota};

/// Octets in one unit of STORAGE (RFC 9208 §5.1).
const UNIT: u64 = 1024;

/// What begins the name of a quota root; behind it stands the account's name.
const ROOT: &str = "#user/";

/// Tells usage and limits of the quota root.
///
/// # Errors
/// NO where it is not the account's own.
pub async fn get(account: &Account, out: &mut Output<'_>, root: &str) -> Result<Reply, Failure> {
    own(account, root)?;
    tell(account, out).await?;
    Ok(Reply::ok("GETQUOTA completed"))
}

/// Tells the quota root of a mailbox, whether it exists or not (RFC 9208 §4.1.2), and its usage and limits.
///
/// # Errors
/// Where the store fails or the connection is gone.
pub async fn get_root(account: &Account, out: &mut Output<'_>, mailbox: &str) -> Result<Reply, Failure> {
    let mut line = b"* QUOTAROOT ".to_vec();
    write::mailbox(&mut line, mailbox, out.enabled().quoting());
    line.push(b' ');
    write::string(&mut line, name(account).as_bytes());
    line.extend_from_slice(b"\r\n");
    out.put(&line).await?;
    tell(account, out).await?;
    Ok(Reply::ok("GETQUOTAROOT completed"))
}

/// Sets the limits where the operator lets users do so. Limits that are not named are removed.
///
/// # Errors
/// NO with `[NOPERM]` where users may not, `[CANNOT]` for resources without a limit of that kind.
pub async fn set(
    account: &Account,
    out: &mut Output<'_>,
    allowed: bool,
    root: &str,
    limits: &[(String, u64)],
) -> Result<Reply, Failure> {
    own(account, root)?;
    if !allowed {
        return Err(Reply::no("Only the operator sets quotas here").code("NOPERM").into());
    }
    let (mut bytes, mut messages) = (None, None);
    for (resource, limit) in limits {
        match resource.as_str() {
            "STORAGE" => bytes = Some(limit.saturating_mul(UNIT)),
            "MESSAGE" => messages = Some(*limit),
            _ => return Err(Reply::no("This resource has no limit that can be set").code("CANNOT").into()),
        }
    }
    account.set_limits(bytes, messages).await?;
    tell(account, out).await?;
    Ok(Reply::ok("SETQUOTA completed"))
}

fn name(account: &Account) -> String {
    format!("{ROOT}{}", account.name())
}

fn own(account: &Account, root: &str) -> Result<(), Failure> {
    if root == name(account) {
        return Ok(());
    }
    Err(Reply::no("There is no such quota root").code("NONEXISTENT").into())
}

/// The QUOTA response. Resources without a limit are not named (RFC 9208 §4.2.1).
async fn tell(account: &Account, out: &mut Output<'_>) -> Result<(), Failure> {
    let quota = account.quota()?;
    let mut line = b"* QUOTA ".to_vec();
    write::string(&mut line, name(account).as_bytes());
    line.extend_from_slice(b" (");
    // Numbers have 63 bits (RFC 9208 §3.1.2).
    let number = |number: u64| number.min(i64::MAX.unsigned_abs());
    let mut resource = |name: &str, usage: u64, limit: u64| {
        line.extend_from_slice(format!("{name} {} {} ", number(usage), number(limit)).as_bytes());
    };
    if let Some(limit) = quota.bytes_limit {
        resource("STORAGE", quota.bytes.div_ceil(UNIT), limit / UNIT);
    }
    if let Some(limit) = quota.messages_limit {
        resource("MESSAGE", quota.messages, limit);
    }
    resource("MAILBOX", u64::from(quota.mailboxes), Quota::MAILBOXES_MAX);
    line.pop();
    line.extend_from_slice(b")\r\n");
    out.put(&line).await
}
