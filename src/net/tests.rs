//! Connections against real peers: socket pairs, and a rustls client over loopback.
