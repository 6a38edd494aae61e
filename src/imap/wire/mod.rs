//! Bytes to commands and answers to bytes.
