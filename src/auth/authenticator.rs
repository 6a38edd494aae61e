//! Logs users in: finds them in the store, has their password checked, writes the log.

use super::checker::{Attempt, AuthError, Checked, Checker, Described, LoggedIn, Proof};
use super::cost::Cost;
use super::credential::Credential;
use super::exchange::{Client, Exchange};
use super::hash::{HashError, Scheme};
use super::sasl::Mechanism;
use super::scram;
use crate::config;
use crate::store::{Login, Renewal, ScramKeys, Store};
use std::sync::Arc;
use std::time::Instant;

/// One per process; every protocol logs in through it.
pub struct Authenticator {
    store: Arc<Store>,
    checker: Checker,
    /// The store's own random octets, from which users without SCRAM keys get theirs.
    secret: [u8; 16],
}

impl Authenticator {
    /// Takes users from `store`; hashes as `config` says.
    ///
    /// # Errors
    /// Impossible parameters, no randomness, a store that cannot be read.
    pub fn new(store: Arc<Store>, config: &config::Auth) -> Result<Arc<Self>, HashError> {
        Self::with(store, Checker::new(config)?)
    }

    /// The same; new hashes cost what `cost` says.
    ///
    /// # Errors
    /// No randomness, a store that cannot be read.
    pub fn with_cost(store: Arc<Store>, config: &config::Auth, cost: Arc<Cost>) -> Result<Arc<Self>, HashError> {
        Self::with(store, Checker::with(config, Scheme::of(cost))?)
    }

    fn with(store: Arc<Store>, checker: Checker) -> Result<Arc<Self>, HashError> {
        let secret = store.identity().map_err(|_| HashError::Random)?;
        Ok(Arc::new(Self { store, checker, secret }))
    }

    /// Checks a login and writes a line about it to the log. The answer to a failed one comes
    /// late, up to 15 s where there were several. Dropping the future gives up.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn login(&self, attempt: Attempt<'_>) -> Result<LoggedIn, AuthError> {
        let arrived = Instant::now();
        let login = if Checker::is_plausible(&attempt) { self.find(&attempt)? } else { None };
        let Checked { login, device, renewed } = self.checker.check(arrived, &attempt, login).await?;
        if let Some((renewal, credential)) = renewed {
            self.renew(&login, renewal, credential).await;
        }
        let logged_in = LoggedIn::new(&login, device, arrived);
        Self::log_success(&attempt, &logged_in);
        Ok(logged_in)
    }

    /// Begins a SASL exchange.
    #[must_use]
    pub fn begin(&self, mechanism: Mechanism, client: Client) -> Exchange<'_> {
        Exchange::new(self, mechanism, client)
    }

    /// The line about a login that succeeded.
    pub(super) fn log_success(attempt: &Attempt<'_>, logged_in: &LoggedIn) {
        let tls = if attempt.tls { "yes" } else { "no" };
        let described = Attempt { user: &logged_in.name, ..*attempt };
        match &logged_in.device_name {
            Some(device) => log::info!("login: {} tls={tls} device={device:?}", Described(&described)),
            None => log::info!("login: {} tls={tls}", Described(&described)),
        }
    }

    /// The user of that name.
    pub(super) fn find(&self, attempt: &Attempt<'_>) -> Result<Option<Login>, AuthError> {
        self.store.login(attempt.user).map_err(|error| {
            log::error!("login deferred: {} reason=failure: {error}", Described(attempt));
            AuthError::Temporary
        })
    }

    /// The keys of a user who has none.
    pub(super) fn decoy(&self, user: &str) -> ScramKeys {
        scram::decoy(&self.secret, user)
    }

    /// Decides about a login by SCRAM, as [`Authenticator::login`] does about one by password.
    pub(super) async fn prove(
        &self,
        arrived: Instant,
        attempt: &Attempt<'_>,
        login: Option<Login>,
        proof: Proof,
    ) -> Result<LoggedIn, AuthError> {
        self.checker.check_proof(arrived, attempt, login, proof).await
    }

    /// Stores what is missing or out of date of a password, unless it was changed meanwhile.
    async fn renew(&self, login: &Login, renewal: Renewal, credential: Credential) {
        let Some(old) = login.password_hash.clone() else { return };
        match self.store.renew_password(login.account, old, renewal).await {
            Ok(true) => {
                self.checker.renewed(credential);
                log::info!("password hash renewed: user={:?}", login.name);
            }
            Ok(false) => {}
            Err(error) => log::warn!("password hash not renewed: user={:?}: {error}", login.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hash_password;
    use crate::mailbox::{Core, Options};
    use crate::net::Peer;
    use crate::types::DeviceId;

    const CONFIG: config::Auth = config::Auth {
        argon2_auto: false,
        argon2_memory: 64,
        argon2_passes: 1,
        concurrent_hashes: 1,
        queue: 4,
        cache: std::time::Duration::from_mins(10),
    };

    fn attempt<'a>(user: &'a str, password: &'a str) -> Attempt<'a> {
        Attempt { user, password: password.as_bytes(), peer: &Peer::LOCAL, protocol: "imap", tls: false }
    }

    #[test]
    fn users_log_in_by_name_and_alias_and_old_hashes_are_renewed() {
        let path = std::env::temp_dir().join(format!("mailnook-auth-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let options = Options { map_size: Some(64 << 20), max_message_size: 1 << 20, ..Options::new(path.clone()) };
        let core = Core::open(options).unwrap();
        let old = hash_password("secret", &config::Auth { argon2_passes: 2, ..CONFIG }).unwrap();
        smol::block_on(async {
            let account = core.create_account("anna", Some(&old)).await.unwrap();
            core.add_alias("anna", "a.smith").await.unwrap();
            let auth = Authenticator::new(Arc::clone(core.store()), &CONFIG).unwrap();
            let (asked, anna) = (Instant::now(), Ok((account, "anna".to_owned())));
            let login = async |user, password| {
                let logged_in = auth.login(attempt(user, password)).await?;
                assert!(logged_in.arrived >= asked && logged_in.device == DeviceId::MAIN && !logged_in.read_only);
                Ok((logged_in.account, logged_in.name))
            };
            assert_eq!(login("ANNA", "secret").await, anna);
            let renewed = core.store().login("anna").unwrap().unwrap().password_hash.unwrap();
            assert!(renewed.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{renewed}");
            assert_eq!(login("a.smith", "secret").await, anna);

            let new = hash_password("other", &CONFIG).unwrap();
            core.store().set_password(account, new.clone()).await.unwrap();
            assert_eq!(login("anna", "secret").await, Err(AuthError::BadCredentials));
            assert_eq!(login("anna", "other").await, anna);
            assert_eq!(login("bert", "secret").await, Err(AuthError::BadCredentials));
            // A hash that was computed from an older one does not undo a change.
            let renewal = Renewal { hash: Some(old.hash), scram: None };
            assert!(!core.store().renew_password(account, renewed, renewal).await.unwrap());
            assert_eq!(core.store().login("anna").unwrap().unwrap().password_hash, Some(new.hash));
            assert_eq!(core.verify().unwrap(), Vec::<String>::new());
        });
        core.close();
        let _ = std::fs::remove_dir_all(&path);
    }
}
