//! Devices: the clients that have a password of their own.

/// Identifies a device of an account; never used again in that account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

impl DeviceId {
    /// Whoever logs in with the main password.
    pub const MAIN: Self = Self(0);

    /// Whether it is a device with a password of its own.
    #[must_use]
    pub const fn is_device(self) -> bool {
        self.0 != Self::MAIN.0
    }
}

/// What the password of a device is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// IMAP sessions.
    pub imap: bool,
    /// POP3 sessions.
    pub pop3: bool,
    /// Sessions that cannot change anything.
    pub read_only: bool,
}

impl Rights {
    /// Those of the main password.
    pub const ALL: Self = Self { imap: true, pop3: true, read_only: false };

    /// Whether a session of that protocol, `imap` or `pop3`, may begin.
    #[must_use]
    pub fn allow(self, protocol: &str) -> bool {
        (protocol == "imap" && self.imap) || (protocol == "pop3" && self.pop3)
    }
}
