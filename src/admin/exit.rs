//! Exit codes, those of sysexits.h where MTAs look at them.

/// Done.
pub const OK: u8 = 0;
/// The command found or hit something that no other code says.
pub const FAILURE: u8 = 1;
/// EX_USAGE: the command line is wrong.
pub const USAGE: u8 = 64;
/// EX_DATAERR: the message is empty or too big; trying again does not help.
pub const DATA: u8 = 65;
/// EX_NOUSER: nobody has that address.
pub const NO_USER: u8 = 67;
/// EX_UNAVAILABLE: the account is full, and mail for it goes back to its sender.
pub const UNAVAILABLE: u8 = 69;
/// EX_SOFTWARE: a fault in mailnook itself.
pub const SOFTWARE: u8 = 70;
/// EX_CANTCREAT: there is no such mailbox.
pub const CANNOT_CREATE: u8 = 73;
/// EX_TEMPFAIL: try again later.
pub const TEMPORARY: u8 = 75;
/// EX_NOPERM: this user may not use the data directory.
pub const PERMISSION: u8 = 77;
/// EX_CONFIG: the configuration is wrong.
pub const CONFIG: u8 = 78;
