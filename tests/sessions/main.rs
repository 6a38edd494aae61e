//! IMAP sessions in-process: what clients know, and what hostile ones can do.

mod client;
mod hostile;
mod house;
mod notify;
mod resync;
mod standards;
mod view;
