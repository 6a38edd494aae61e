//! Listeners, TLS, the stream under every session, line and dot reading, connection limits, shutdown.
//!
//! A protocol session sees one [`Connection`]: it reads lines or raw octets, queues its answers and flushes them,
//! whatever is below (TCP, a unix socket, TLS). Nothing here knows a protocol's words, and nothing here starts a task.

mod binding;
mod client;
mod connection;
mod deflate;
mod dot;
mod limit;
mod line;
mod listener;
mod peer;
mod shutdown;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub use binding::ChannelBindings;
pub use client::{TlsClientStream, tls_client};
pub use connection::{Connection, OUT_HIGH, ReadError, pair, pair_from, timeout};
pub use dot::{DotReader, DotStuffer, DotText};
pub use limit::{Admission, Class, Counts, Limiter, Refusal};
pub use listener::{BindError, Listener, Socket};
pub use peer::Peer;
pub use shutdown::Shutdown;
pub use tls::{TlsAcceptor, TlsError, TlsFiles};
