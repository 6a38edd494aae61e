//! Logs users in: finds them in the store, has their password checked, writes the log.

use super::checker::{Attempt, AuthError, Checked, Checker, Described, LoggedIn, Renewed};
use super::hash::HashError;
use crate::config;
use crate::store::Store;
use std::sync::Arc;
use std::time::Instant;

/// One per process; every protocol logs in through it.
pub struct Authenticator {
    store: Arc<Store>,
    checker: Checker,
}

impl Authenticator {
    /// Takes users from `store`; hashes as `config` says.
    ///
    /// # Errors
    /// Impossible parameters, no randomness.
    pub fn new(store: Arc<Store>, config: &config::Auth) -> Result<Arc<Self>, HashError> {
        Ok(Arc::new(Self { store, checker: Checker::new(config)? }))
    }

    /// Checks a login and writes a line about it to the log. The answer to a failed one comes
    /// late, up to 15 s where there were several. Dropping the future gives up.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn login(&self, attempt: Attempt<'_>) -> Result<LoggedIn, AuthError> {
        let arrived = Instant::now();
        let login = if Checker::is_plausible(&attempt) {
            self.store.login(attempt.user).map_err(|error| {
                log::error!("login deferred: {} reason=failure: {error}", Described(&attempt));
                AuthError::Temporary
            })?
        } else {
            None
        };
        let Checked { login, renewed } = self.checker.check(arrived, &attempt, login).await?;
        if let Some(renewed) = renewed {
            self.renew(&login, &renewed).await;
        }
        let tls = if attempt.tls { "yes" } else { "no" };
        log::info!("login: {} tls={tls}", Described(&Attempt { user: &login.name, ..attempt }));
        Ok(LoggedIn { account: login.account, name: login.name })
    }

    /// Stores a hash with the parameters of today, unless the password was changed meanwhile.
    async fn renew(&self, login: &crate::store::Login, renewed: &Renewed) {
        let Some(old) = login.password_hash.clone() else { return };
        match self.store.renew_password_hash(login.account, old, renewed.hash.clone()).await {
            Ok(true) => {
                self.checker.renewed(renewed);
                log::info!("password hash renewed: user={:?}", login.name);
            }
            Ok(false) => {}
            Err(error) => log::warn!("password hash not renewed: user={:?}: {error}", login.name),
        }
    }
}
