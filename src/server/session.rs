//! Which protocol gets a connection, and with what.

use super::Shared;
use crate::admin::{self, Protocol};
use crate::auth::Authenticator;
use crate::config::Config;
use crate::mailbox::Core;
use crate::net::{Admission, Connection, Refusal, Shutdown, TlsAcceptor, timeout};
use crate::{imap, lmtp, pop3};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What each protocol's sessions share.
pub(super) struct Contexts {
    imap: Arc<imap::Context>,
    pop3: Arc<pop3::Context>,
    lmtp: Arc<lmtp::Context>,
    admin: Arc<admin::Context>,
}

impl Contexts {
    pub(super) fn new(
        core: &Arc<Core>,
        auth: &Arc<Authenticator>,
        tls: &TlsAcceptor,
        config: &Arc<Config>,
        shutdown: &Shutdown,
        admin: admin::Context,
    ) -> Self {
        let (core, config, shutdown) = (core.clone(), config.clone(), shutdown.clone());
        Self {
            imap: Arc::new(imap::Context {
                core: core.clone(),
                auth: auth.clone(),
                tls: Some(tls.clone()),
                config: config.clone(),
                shutdown: shutdown.clone(),
            }),
            pop3: Arc::new(pop3::Context {
                core: core.clone(),
                auth: auth.clone(),
                tls: Some(tls.clone()),
                config: config.clone(),
                sizes: pop3::Sizes::default(),
                shutdown: shutdown.clone(),
            }),
            lmtp: Arc::new(lmtp::Context { core, config, shutdown }),
            admin: Arc::new(admin),
        }
    }
}

type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a session to its end. The futures are boxed, so that each connection costs its own protocol's state and no
/// handshake's.
pub(super) async fn run(shared: &Shared, protocol: Protocol, mut connection: Connection, admission: Option<Admission>) {
    if protocol.is_implicit_tls() && !Box::pin(handshake(shared, protocol, &mut connection)).await {
        return;
    }
    let session: Session = match (protocol, admission) {
        (Protocol::Imap | Protocol::Imaps, Some(admission)) => {
            Box::pin(imap::serve(connection, shared.protocols.imap.clone(), admission))
        }
        (Protocol::Pop3 | Protocol::Pop3s, Some(admission)) => {
            Box::pin(pop3::serve(connection, admission, shared.protocols.pop3.clone()))
        }
        (Protocol::Lmtp, admission) => {
            let context = shared.protocols.lmtp.clone();
            Box::pin(async move {
                lmtp::serve(connection, context).await;
                drop(admission);
            })
        }
        (Protocol::Control, _) => Box::pin(admin::serve(connection, shared.protocols.admin.clone())),
        (_, None) => return log::error!("{}: a session without an admission", protocol.name()),
    };
    session.await;
}

/// The handshake of an implicit TLS port; whether it succeeded.
async fn handshake(shared: &Shared, protocol: Protocol, connection: &mut Connection) -> bool {
    let peer = *connection.peer();
    let shaking = timeout(shared.config.limits.login, connection.start_tls(&shared.tls));
    let ended = async {
        shared.shutdown.wait().await;
        None
    };
    match smol::future::or(shaking, ended).await {
        Some(Ok(())) => return true,
        Some(Err(error)) => log::info!("{}: TLS handshake with {peer} failed: {error}", protocol.name()),
        None => log::info!("{}: TLS handshake with {peer} given up", protocol.name()),
    }
    false
}

/// The words by which a protocol turns a connection away.
pub(super) fn refusal(protocol: Protocol, refusal: Refusal) -> String {
    match protocol {
        // RFC 9051 §7.1.5, with the response code of RFC 5530 §3.
        Protocol::Imap | Protocol::Imaps => format!("* BYE [UNAVAILABLE] {refusal}\r\n"),
        // RFC 3206 §4
        Protocol::Pop3 | Protocol::Pop3s => format!("-ERR [SYS/TEMP] {refusal}\r\n"),
        // RFC 5321 §3.8, RFC 3463 §3.5
        Protocol::Lmtp => format!("421 4.3.2 {refusal}\r\n"),
        Protocol::Control => String::new(),
    }
}
