//! RFC 5322 and MIME reading: pure, streaming, no I/O.

/// Envelope, structure and offsets of a message in one compact, owned buffer.
pub struct Record { _private: () }
