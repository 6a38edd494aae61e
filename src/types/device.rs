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
        match protocol {
            "imap" => self.imap,
            "pop3" => self.pop3,
            _ => false,
        }
    }
}

/// From where the main password is accepted for mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordScope {
    /// From everywhere.
    #[default]
    Any,
    /// From this machine and from the local network: loopback, private and link-local addresses.
    Lan,
    /// From nowhere: devices have passwords of their own.
    Off,
}

impl PasswordScope {
    /// Every scope; the position is the number that is stored.
    pub const ALL: [Self; 3] = [Self::Any, Self::Lan, Self::Off];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Lan => "lan",
            Self::Off => "off",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
