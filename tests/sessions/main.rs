//! IMAP sessions in-process: what clients know, and what hostile ones can do.

mod client;
mod context;
mod hostile;
mod house;
mod notify;
mod resync;
mod standards;
mod turns;
mod view;
