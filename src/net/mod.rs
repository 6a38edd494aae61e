//! Listeners, TLS, streams, line and dot reading, limits.
