//! What POP3 does to the mail that IMAP shows, too.

use std::time::Duration;

/// What POP3's DELE does to a message in INBOX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PopDelete {
    /// Moves it to \Trash.
    Trash,
    /// Hides it from the device and keeps it for IMAP and other devices.
    #[default]
    Hide,
    /// Removes it.
    Expunge,
}

impl PopDelete {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Trash, Self::Hide, Self::Expunge];

    /// Its name in the configuration and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trash => "trash",
            Self::Hide => "hide",
            Self::Expunge => "expunge",
        }
    }

    /// The choice of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// The rules by which POP3 and IMAP share a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PopPolicy {
    /// What DELE does.
    pub delete: PopDelete,
    /// Days after which a message that a device has deleted, and every other POP3 device has, goes to \Trash; 0: never.
    pub hide_days: u32,
    /// Days after which a message that every POP3 device has goes to \Trash; 0: never.
    pub release_days: u32,
    /// Whether RETR sets \Seen.
    pub retr_seen: bool,
    /// How long a device must wait from one login to the next; zero: not at all.
    pub login_delay: Duration,
}

impl PopPolicy {
    /// Limit: days of any rule.
    pub const DAYS_MAX: u32 = 3650;
}

impl Default for PopPolicy {
    fn default() -> Self {
        Self { delete: PopDelete::Hide, hide_days: 14, release_days: 0, retr_seen: false, login_delay: Duration::ZERO }
    }
}
