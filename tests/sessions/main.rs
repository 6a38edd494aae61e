//! IMAP sessions in-process: what clients know, and what hostile ones can do.

mod client;
mod hostile;
mod house;
mod resync;
mod standards;
mod turns;
mod view;
