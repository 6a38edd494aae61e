//! Removing messages, and giving back their space later.
