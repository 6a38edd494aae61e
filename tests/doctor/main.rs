//! `mailnook doctor` by the program itself: planted faults are found with what mends them, a sound system has none, and
//! the test mail leaves nothing behind.

mod json;
mod mail;
mod planted;
mod real;
mod scratch;
