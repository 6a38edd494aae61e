//! mailnook: a small mail server for one household. See ARCHITECTURE.md.
#![deny(unsafe_code)]

pub mod admin;
pub mod auth;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod imap;
pub mod lmtp;
pub mod mailbox;
pub mod message;
pub mod net;
pub mod pop3;
pub mod server;
pub mod store;
pub mod types;
