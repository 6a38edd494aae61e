//! The decision about one login, from the throttle through the cache to the hash. Knows no store.

use super::credential::{Credential, ProcessKey};
use super::device::{self, Basis};
use super::hash::{HashError, Scheme};
use super::hashing::{Hashing, NoOutcome, Outcome, Renew};
use super::scram;
use super::throttle::{Admission, End, Throttle, Try};
use super::verified::Verified;
use crate::types::{AccountId, DeviceId};
use crate::{config, net, store};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Limit: octets of a user name.
pub const USER_MAX: usize = 255;
/// Limit: octets of a password.
pub const PASSWORD_MAX: usize = 1024;

/// Somebody wants to log in.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The name as the client gave it.
    pub user: &'a str,
    /// The password as octets.
    pub password: &'a [u8],
    /// Where the client is.
    pub peer: &'a net::Peer,
    /// `imap` or `pop3`, for the log.
    pub protocol: &'static str,
    /// Whether the connection is under TLS, for the log.
    pub tls: bool,
}

/// A login that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The account.
    pub account: AccountId,
    /// Its canonical name.
    pub name: String,
    /// The device whose password it was.
    pub device: DeviceId,
    /// The name of that device; None: it was the main password.
    pub device_name: Option<String>,
    /// The session cannot change anything.
    pub read_only: bool,
    /// When the login came: what was changed of its password since then it does not know.
    pub arrived: Instant,
}

impl LoggedIn {
    pub(super) fn new(login: &store::Login, device: DeviceId, arrived: Instant) -> Self {
        let found = login.devices.iter().find(|(id, _)| *id == device).map(|(_, device)| device);
        Self {
            account: login.account,
            name: login.name.clone(),
            device,
            device_name: found.map(|device| device.name.clone()),
            read_only: found.is_some_and(|device| device.rights.read_only),
            arrived,
        }
    }
}

/// Why a login did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// Unknown user or wrong password; which of the two is not to be told.
    BadCredentials,
    /// Nobody knows: too many logins at once, or too many failures from that address. Try later.
    Busy,
    /// Nobody knows: something failed here. Try later.
    Temporary,
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadCredentials => "unknown user or wrong password",
            Self::Busy => "too many logins at the moment",
            Self::Temporary => "logins fail at the moment",
        })
    }
}

impl std::error::Error for AuthError {}

/// A user whose password fits.
pub(super) struct Checked {
    /// Who it is.
    pub(super) login: store::Login,
    /// Whose password it was.
    pub(super) device: DeviceId,
    /// What to store of the password, and by what the login is remembered once that is done.
    pub(super) renewed: Option<(store::Renewal, Credential)>,
}

/// What there is to be said against a login whose proof was checked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing: it was made with the password of this device.
    Fits(DeviceId),
    /// It was not made with the password.
    Wrong,
    /// It was made on another connection, or the client was kept from binding it to one.
    WrongBinding,
}

/// Everything that decides about logins but for the list of users.
pub(super) struct Checker {
    key: ProcessKey,
    hashing: Hashing,
    verified: Mutex<Verified>,
    throttle: Mutex<Throttle>,
}

impl Checker {
    pub(super) fn new(config: &config::Auth) -> Result<Self, HashError> {
        Self::with(config, Scheme::new(config)?)
    }

    /// The same; hashes are made by that scheme.
    pub(super) fn with(config: &config::Auth, scheme: Scheme) -> Result<Self, HashError> {
        Ok(Self {
            key: ProcessKey::generate().map_err(|_| HashError::Random)?,
            hashing: Hashing::new(scheme, config.concurrent_hashes, config.queue),
            verified: Mutex::new(Verified::new(config.cache)),
            throttle: Mutex::new(Throttle::new()),
        })
    }

    /// Whether the names and passwords are ones that a user can have.
    pub(super) fn is_plausible(attempt: &Attempt<'_>) -> bool {
        !attempt.user.is_empty()
            && attempt.user.len() <= USER_MAX
            && !attempt.password.is_empty()
            && attempt.password.len() <= PASSWORD_MAX
    }

    /// Decides about an attempt that came at `arrived`; `login` is None for an unknown user.
    pub(super) async fn check(
        &self,
        arrived: Instant,
        attempt: &Attempt<'_>,
        login: Option<store::Login>,
    ) -> Result<Checked, AuthError> {
        let name = login.as_ref().map_or_else(|| attempt.user.to_ascii_lowercase(), |login| login.name.clone());
        let basis = Basis::of(login.as_ref(), attempt);
        let this = Try {
            user: self.key.user(&name),
            address: attempt.peer.address.into(),
            credential: self.key.credential(&name, attempt.password, &basis.remembered_by(attempt)),
        };
        let reason = match basis {
            Basis::Refused(reason) => reason,
            _ => reason(login.as_ref()),
        };
        let (before, mut pending) = self.admit(arrived, attempt, this, reason).await?;
        let outcome = self.outcome(arrived, before, attempt, login.as_ref(), &basis, &this).await;
        let device = if let Basis::Device(id) = basis { id } else { DeviceId::MAIN };
        match (outcome, login) {
            (Ok(Outcome::Fits(renewal)), Some(login)) => {
                pending.end = End::Success;
                let hash = renewal.hash.as_deref().or(login.password_hash.as_deref()).unwrap_or_default();
                let credential = self.key.credential(&name, attempt.password, hash);
                let renewed = (!renewal.is_empty()).then_some((renewal, credential));
                Ok(Checked { login, device, renewed })
            }
            (Err(NoOutcome::Full | NoOutcome::TooSlow), _) => {
                pending.end = End::Undecided;
                log::warn!("login deferred: {} reason=busy", Described(attempt));
                Err(AuthError::Busy)
            }
            (Err(NoOutcome::NoThread) | Ok(Outcome::Failed(HashError::Memory)), _) => {
                pending.end = End::Undecided;
                log::error!("login deferred: {} reason=failure", Described(attempt));
                Err(AuthError::Temporary)
            }
            (Ok(outcome), _) => {
                if let Outcome::Failed(error) = outcome {
                    log::error!("user {name:?}: {error}; set a new password");
                }
                Err(pending.fail(arrived, attempt, reason).await)
            }
        }
    }

    /// Decides about a login that came at `arrived` with a proof of the password in place of it; the attempt's password
    /// is empty. Equal wrong passwords cannot be recognised here, since no two proofs are alike.
    pub(super) async fn check_proof(
        &self,
        arrived: Instant,
        attempt: &Attempt<'_>,
        login: Option<store::Login>,
        proof: Proof,
    ) -> Result<LoggedIn, AuthError> {
        let name = login.as_ref().map_or_else(|| attempt.user.to_ascii_lowercase(), |login| login.name.clone());
        let this = Try {
            user: self.key.user(&name),
            address: attempt.peer.address.into(),
            credential: Credential::once().map_err(|_| AuthError::Temporary)?,
        };
        let refused = login.as_ref().and_then(|login| match proof {
            Proof::Fits(DeviceId::MAIN) | Proof::Wrong => device::main_refused(login, attempt.peer),
            Proof::Fits(id) => {
                let found = login.devices.iter().find(|(known, _)| *known == id);
                found.map_or(Some("wrong-password"), |(_, device)| device::refused(device, attempt.protocol))
            }
            Proof::WrongBinding => None,
        });
        let reason = match (proof, refused) {
            (Proof::WrongBinding, _) => "channel-binding",
            (_, Some(refused)) => refused,
            (_, None) => reason(login.as_ref()),
        };
        let (before, mut pending) = self.admit(arrived, attempt, this, reason).await?;
        sleep_until(arrived, before).await;
        match (login, proof) {
            (Some(login), Proof::Fits(device))
                if refused.is_none() && (device.is_device() || login.scram.is_some()) =>
            {
                pending.end = End::Success;
                Ok(LoggedIn::new(&login, device, arrived))
            }
            _ => Err(pending.fail(arrived, attempt, reason).await),
        }
    }

    /// Asks the throttle. The delay to wait before the check, and what to tell its outcome.
    async fn admit(
        &self,
        arrived: Instant,
        attempt: &Attempt<'_>,
        this: Try,
        reason: &str,
    ) -> Result<(Duration, Pending<'_>), AuthError> {
        let admission = lock(&self.throttle).begin(arrived, &this);
        match admission {
            Admission::Check { before, on_failure, counted } => {
                let pending = Pending { throttle: &self.throttle, this, counted, on_failure, end: End::Abandoned };
                Ok((before, pending))
            }
            Admission::KnownWrong { delay } => {
                log_failure(attempt, reason);
                sleep_until(arrived, delay).await;
                Err(AuthError::BadCredentials)
            }
            Admission::Refuse { delay } => {
                log_failure(attempt, "throttled");
                sleep_until(arrived, delay).await;
                Err(AuthError::Busy)
            }
        }
    }

    /// The cache's answer, or the hash's after the delay.
    async fn outcome(
        &self,
        arrived: Instant,
        before: Duration,
        attempt: &Attempt<'_>,
        login: Option<&store::Login>,
        basis: &Basis<'_>,
        this: &Try,
    ) -> Result<Outcome, NoOutcome> {
        if !Self::is_plausible(attempt) {
            return Ok(Outcome::DoesNotFit);
        }
        let stored = match basis {
            // As with a login that is remembered: nobody guesses this, so nobody has to be slowed down.
            Basis::Device(_) => return Ok(Outcome::Fits(store::Renewal::default())),
            // It takes as long as a wrong password does.
            Basis::Refused(_) => None,
            Basis::Password(stored) => *stored,
        };
        let remembered = || lock(&self.verified).contains(Instant::now(), &this.credential);
        if remembered() {
            return Ok(Outcome::Fits(store::Renewal::default()));
        }
        sleep_until(arrived, before).await;
        // An equal login may have been verified meanwhile.
        if remembered() {
            return Ok(Outcome::Fits(store::Renewal::default()));
        }
        // Passwords of unknown users are hashed, too, so that they cost the same.
        let hash = stored.unwrap_or_default();
        let salt = login.and_then(scram::salt);
        let renew = Renew { hash: stored.is_some(), keys: login.is_some_and(needs_keys), salt };
        let outcome = self.hashing.check(this.credential, hash, attempt.password, renew).await?;
        match outcome {
            // Nobody can know a password that fits the dummy; this is for the reader's peace of mind.
            Outcome::Fits(_) if stored.is_none() => Ok(Outcome::DoesNotFit),
            Outcome::Fits(renewed) => {
                lock(&self.verified).insert(Instant::now(), this.credential);
                Ok(Outcome::Fits(renewed))
            }
            other => Ok(other),
        }
    }

    /// What was renewed is stored: the next login finds its result under the new hash.
    pub(super) fn renewed(&self, credential: Credential) {
        lock(&self.verified).insert(Instant::now(), credential);
    }
}

/// An attempt under way. Dropped before its end is known, it was abandoned by its client.
struct Pending<'a> {
    throttle: &'a Mutex<Throttle>,
    this: Try,
    counted: bool,
    /// A failure is answered so long after the attempt came.
    on_failure: Duration,
    end: End,
}

impl Pending<'_> {
    /// The credentials were wrong: the throttle and the log hear of it at once, the client later.
    async fn fail(mut self, arrived: Instant, attempt: &Attempt<'_>, reason: &str) -> AuthError {
        let on_failure = self.on_failure;
        self.end = End::Wrong;
        drop(self);
        log_failure(attempt, reason);
        sleep_until(arrived, on_failure).await;
        AuthError::BadCredentials
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        lock(self.throttle).end(Instant::now(), &self.this, self.counted, self.end);
    }
}

/// The tables hold no half-made changes at any point that may panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn sleep_until(arrived: Instant, delay: Duration) {
    let due = arrived + delay;
    if due > Instant::now() {
        smol::Timer::at(due).await;
    }
}

/// Whether the user has no SCRAM keys, or weaker ones than are made today.
fn needs_keys(login: &store::Login) -> bool {
    login.scram.as_ref().is_none_or(|keys| keys.iterations < scram::ITERATIONS)
}

fn reason(login: Option<&store::Login>) -> &'static str {
    match login {
        None => "unknown-user",
        Some(login) if login.password_hash.is_none() => "no-password",
        Some(_) => "wrong-password",
    }
}

/// The line that tools such as fail2ban look for; its form is stable.
fn log_failure(attempt: &Attempt<'_>, reason: &str) {
    log::warn!("login failed: {} reason={reason}", Described(attempt));
}

/// An attempt in the log: the user in quotes with everything unprintable escaped, never the password.
pub(super) struct Described<'a>(pub(super) &'a Attempt<'a>);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Limit: characters of a user name in the log.
        const SHOWN_MAX: usize = 80;
        let Attempt { user, peer, protocol, .. } = self.0;
        let shown = user.char_indices().nth(SHOWN_MAX).map_or(*user, |(end, _)| user.get(..end).unwrap_or_default());
        write!(f, "user={shown:?} address={peer} protocol={protocol}")
    }
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
