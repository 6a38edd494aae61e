//! By which door a change came: the protocol, the device and the address of whoever made it.

use std::fmt;
use std::net::IpAddr;

/// The protocol, or our own program, that made a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DoorKind {
    /// Nobody noted it.
    #[default]
    Unknown,
    /// An IMAP session.
    Imap,
    /// A POP3 session.
    Pop3,
    /// Delivery by an MTA.
    Lmtp,
    /// `mailnook deliver`.
    Deliver,
    /// An administration command.
    Cli,
    /// A rule that the operator or the user set: retention, quota, a POP3 policy.
    Policy,
}

impl DoorKind {
    /// Every kind; the position is the number that is stored.
    pub const ALL: [Self; 7] =
        [Self::Unknown, Self::Imap, Self::Pop3, Self::Lmtp, Self::Deliver, Self::Cli, Self::Policy];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Lmtp => "LMTP",
            Self::Deliver => "mailnook deliver",
            Self::Cli => "a mailnook command",
            Self::Policy => "a policy",
        }
    }
}

/// Who makes a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Door {
    /// The protocol.
    pub kind: DoorKind,
    /// The device password that was used; 0: the main password, or none.
    pub device: u32,
    /// The peer's address; None: a unix socket, or this machine itself.
    pub address: Option<IpAddr>,
}

impl Door {
    /// Nobody in particular.
    pub const UNKNOWN: Self = Self::of(DoorKind::Unknown);

    /// A door without a device and an address.
    #[must_use]
    pub const fn of(kind: DoorKind) -> Self {
        Self { kind, device: 0, address: None }
    }

    /// A session that logged in with the main password.
    #[must_use]
    pub const fn session(kind: DoorKind, address: Option<IpAddr>) -> Self {
        Self { kind, device: 0, address }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(address) = self.address {
            write!(f, " from {address}")?;
        }
        Ok(())
    }
}
