//! IMAP sessions: RFC 3501, and RFC 9051 once a client enables it ([`enabled`]).
//!
//! [`session`] is the only loop: it reads a command, checks it against [`table`], runs its file in [`cmd`],
//! synchronises the selected mailbox ([`sync`]) and writes the tagged reply. [`selected`] is the client's view.
//!
//! Absent on purpose: no task and no channel inside a session, one command at a time, and no knowledge of the
//! store below `mailbox`.

pub mod capability;
pub mod cmd;
pub mod command;
pub mod context;
mod dispatch;
pub mod enabled;
mod listen;
pub mod message_limit;
pub mod notify;
pub mod object_id;
pub mod output;
pub mod partial;
pub mod pattern;
pub mod progress;
pub mod reply;
pub mod resync;
pub mod selected;
mod session;
pub mod sync;
pub mod table;
mod wait;
pub mod wire;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::mailbox::Core;
use crate::net::{Admission, Connection, Shutdown, TlsAcceptor};
use std::sync::Arc;

/// What all IMAP sessions share.
pub struct Context {
    /// The mail.
    pub core: Arc<Core>,
    /// Who may log in.
    pub auth: Arc<Authenticator>,
    /// For STARTTLS; None: there is no certificate.
    pub tls: Option<TlsAcceptor>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Ends the sessions.
    pub shutdown: Shutdown,
}

/// Serves one client until either side ends the session. Never panics on input.
pub async fn serve(mut connection: Connection, context: Arc<Context>, admission: Admission) {
    connection.set_write_timeout(context.config.limits.write);
    let mut session = session::Session::new(connection, context, admission);
    session.run().await;
}
