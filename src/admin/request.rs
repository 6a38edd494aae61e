//! What a command asks for, and its form on the control socket: a version octet, the number of fields (u16), and
//! each field with its length (u32) before it.

use super::frame::FRAME_MAX;
use super::rules::PopChange;
use super::settings::SettingsWish;
use crate::types::Rights;

/// Changes whenever a request changes its meaning: client and server may be of different versions during an upgrade.
const VERSION: u8 = 1;

/// Limit: fields of a request; a delivery has one for each recipient.
const FIELDS_MAX: usize = 1_100;

/// An administrative command with its arguments. It has no `Debug` because of the passwords in it.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// Makes an account.
    UserAdd {
        /// Its name, checked by the receiver.
        name: String,
        /// Its password.
        password: String,
    },
    /// Lists the accounts.
    UserList {
        /// As JSON.
        json: bool,
    },
    /// Shows one account with its mailboxes.
    UserShow {
        /// Which.
        name: String,
        /// As JSON.
        json: bool,
    },
    /// Sets a password.
    UserPassword {
        /// Whose.
        name: String,
        /// The new password.
        password: String,
    },
    /// Adds an address to an account.
    AliasAdd {
        /// The account.
        name: String,
        /// A local part or a full address.
        alias: String,
    },
    /// Takes an address from an account.
    AliasRemove {
        /// The account.
        name: String,
        /// The address.
        alias: String,
    },
    /// Removes an account and its mail.
    UserRemove {
        /// Which.
        name: String,
    },
    /// Makes a password for a device.
    DeviceAdd {
        /// The account.
        name: String,
        /// What the device is called.
        device: String,
        /// What its password is good for.
        rights: Rights,
    },
    /// Lists the devices of an account.
    DeviceList {
        /// The account.
        name: String,
        /// As JSON.
        json: bool,
    },
    /// Takes a device's password away.
    DeviceRevoke {
        /// The account.
        name: String,
        /// The device.
        device: String,
    },
    /// Shows what has to be typed into a mail program.
    ClientSettings {
        /// The account.
        name: String,
        /// For what, and in what forms.
        wish: SettingsWish,
    },
    /// Shows and changes the rules by which an account's POP3 and IMAP share INBOX.
    UserPop3 {
        /// The account.
        name: String,
        /// What to change.
        change: PopChange,
    },
    /// Sets from where the main password of an account is accepted.
    UserMainPassword {
        /// The account.
        name: String,
        /// `any`, `lan` or `off`.
        scope: String,
    },
    /// Delivers the message that follows as input.
    Deliver {
        /// The addresses, one at least.
        recipients: Vec<String>,
        /// The reverse-path, empty for none.
        sender: String,
        /// The mailbox to deliver to instead of INBOX.
        mailbox: Option<String>,
    },
    /// Shows what accounts hold and may hold.
    QuotaShow {
        /// Which; None: all.
        name: Option<String>,
        /// As JSON.
        json: bool,
    },
    /// Sets what an account may hold; None leaves a value as it is.
    QuotaSet {
        /// Which.
        name: String,
        /// A size, `none`, or `default`.
        bytes: Option<String>,
        /// A number, `none`, or `default`.
        messages: Option<String>,
        /// `defer`, `bounce`, or `default`.
        over: Option<String>,
    },
    /// Counts an account's messages anew.
    QuotaRecount {
        /// Which.
        name: String,
    },
    /// Removes mail that is older than it is kept.
    Expire {
        /// Only tell.
        dry_run: bool,
    },
    /// Sets or shows how long a user's mail is kept.
    UserExpire {
        /// Whose.
        name: String,
        /// Sets the rule of this mailbox; else only shows.
        mailbox: Option<String>,
        /// A number of days, `never` or `default`.
        days: String,
        /// The same for expunged mail.
        deleted_days: Option<String>,
    },
    /// Brings expunged mail back.
    Undelete {
        /// Whose.
        name: String,
        /// How long ago it was expunged at most, as a duration.
        since: String,
        /// Only from this mailbox.
        mailbox: Option<String>,
        /// Only tell.
        dry_run: bool,
    },
    /// Tells what became of a message.
    Why {
        /// Whose.
        name: String,
        /// Its Message-ID, or its UID.
        message: String,
        /// The mailbox of the UID.
        mailbox: Option<String>,
    },
    /// Takes the clock for right: it shows this day, as the user says.
    TrustClock {
        /// Today, as `2026-11-28`.
        day: String,
    },
    /// Measures what a password hash may cost.
    Measure,
    /// Makes an account for a test mail, until the input ends.
    TestAccount,
    /// Tells `doctor` of the store and the server.
    Inspect,
    /// Checks the whole store.
    Verify,
    /// Tells how the server is.
    Status {
        /// As JSON.
        json: bool,
    },
}

/// Why a request was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// It is of another version of mailnook.
    Version,
    /// It is damaged or not a request.
    Malformed,
}

const YES: &str = "yes";
const NO: &str = "no";

impl Request {
    /// Whether standard input follows the request.
    #[must_use]
    pub const fn takes_input(&self) -> bool {
        matches!(self, Self::Deliver { .. } | Self::TestAccount)
    }

    /// The octets of the request frame; None where it does not fit into one.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let flag = |on: bool| if on { YES } else { NO };
        let fields: Vec<&str> = match self {
            Self::UserAdd { name, password } => vec!["user-add", name, password],
            Self::UserList { json } => vec!["user-list", flag(*json)],
            Self::UserShow { name, json } => vec!["user-show", name, flag(*json)],
            Self::UserPassword { name, password } => vec!["user-password", name, password],
            Self::AliasAdd { name, alias } => vec!["alias-add", name, alias],
            Self::AliasRemove { name, alias } => vec!["alias-remove", name, alias],
            Self::UserRemove { name } => vec!["user-remove", name],
            Self::DeviceAdd { name, device, rights: Rights { imap, pop3, read_only } } => {
                vec!["device-add", name, device, flag(*imap), flag(*pop3), flag(*read_only)]
            }
            Self::ClientSettings { name, wish } => {
                let mut fields = vec!["client-settings", name];
                fields.extend(wish.fields());
                fields
            }
            Self::UserPop3 { name, change } => {
                let PopChange { reset, delete, hide_days, release_days, retr_seen } = change;
                let mut fields = vec!["user-pop3", name, flag(*reset)];
                for value in [delete, hide_days, release_days, retr_seen] {
                    fields.extend([flag(value.is_some()), value.as_deref().unwrap_or_default()]);
                }
                fields
            }
            Self::UserMainPassword { name, scope } => vec!["user-main-password", name, scope],
            Self::DeviceList { name, json } => vec!["device-list", name, flag(*json)],
            Self::DeviceRevoke { name, device } => vec!["device-revoke", name, device],
            Self::Deliver { recipients, sender, mailbox } => {
                let mut fields =
                    vec!["deliver", sender, flag(mailbox.is_some()), mailbox.as_deref().unwrap_or_default()];
                fields.extend(recipients.iter().map(String::as_str));
                fields
            }
            Self::QuotaShow { name, json } => {
                vec!["quota-show", flag(name.is_some()), name.as_deref().unwrap_or_default(), flag(*json)]
            }
            Self::QuotaSet { name, bytes, messages, over } => {
                let mut fields = vec!["quota-set", name];
                for value in [bytes, messages, over] {
                    fields.extend([flag(value.is_some()), value.as_deref().unwrap_or_default()]);
                }
                fields
            }
            Self::QuotaRecount { name } => vec!["quota-recount", name],
            Self::Expire { dry_run } => vec!["expire", flag(*dry_run)],
            Self::UserExpire { name, mailbox, days, deleted_days } => {
                let mut fields =
                    vec!["user-expire", name, flag(mailbox.is_some()), mailbox.as_deref().unwrap_or_default()];
                fields.extend([days, flag(deleted_days.is_some()), deleted_days.as_deref().unwrap_or_default()]);
                fields
            }
            Self::Undelete { name, since, mailbox, dry_run } => {
                let given = flag(mailbox.is_some());
                vec!["undelete", name, since, given, mailbox.as_deref().unwrap_or_default(), flag(*dry_run)]
            }
            Self::Why { name, message, mailbox } => {
                vec!["why", name, message, flag(mailbox.is_some()), mailbox.as_deref().unwrap_or_default()]
            }
            Self::TrustClock { day } => vec!["trust-clock", day],
            Self::Measure => vec!["measure"],
            Self::TestAccount => vec!["test-account"],
            Self::Inspect => vec!["inspect"],
            Self::Verify => vec!["verify"],
            Self::Status { json } => vec!["status", flag(*json)],
        };
        let mut octets = vec![VERSION];
        octets.extend(u16::try_from(fields.len()).ok()?.to_be_bytes());
        for field in &fields {
            octets.extend(u32::try_from(field.len()).ok()?.to_be_bytes());
            octets.extend(field.as_bytes());
        }
        (octets.len() <= FRAME_MAX && fields.len() <= FIELDS_MAX).then_some(octets)
    }

    pub(super) fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        match octets.split_first() {
            Some((&VERSION, rest)) => {
                fields(rest).and_then(|fields| Self::from_fields(&fields)).ok_or(DecodeError::Malformed)
            }
            Some(_) => Err(DecodeError::Version),
            None => Err(DecodeError::Malformed),
        }
    }

    fn from_fields(fields: &[&str]) -> Option<Self> {
        let text = |text: &&str| (*text).to_owned();
        Some(match fields {
            ["user-add", name, password] => Self::UserAdd { name: text(name), password: text(password) },
            ["user-list", json] => Self::UserList { json: flag(json)? },
            ["user-show", name, json] => Self::UserShow { name: text(name), json: flag(json)? },
            ["user-password", name, password] => Self::UserPassword { name: text(name), password: text(password) },
            ["alias-add", name, alias] => Self::AliasAdd { name: text(name), alias: text(alias) },
            ["alias-remove", name, alias] => Self::AliasRemove { name: text(name), alias: text(alias) },
            ["user-remove", name] => Self::UserRemove { name: text(name) },
            ["device-add", name, device, imap, pop3, read_only] => Self::DeviceAdd {
                name: text(name),
                device: text(device),
                rights: Rights { imap: flag(imap)?, pop3: flag(pop3)?, read_only: flag(read_only)? },
            },
            ["client-settings", name, rest @ ..] => {
                Self::ClientSettings { name: text(name), wish: SettingsWish::of(rest)? }
            }
            ["user-pop3", name, reset, a, delete, b, hide_days, c, release_days, d, retr_seen] => {
                let given = |there: &str, value: &str| flag(there).map(|there| there.then(|| value.to_owned()));
                Self::UserPop3 {
                    name: text(name),
                    change: PopChange {
                        reset: flag(reset)?,
                        delete: given(a, delete)?,
                        hide_days: given(b, hide_days)?,
                        release_days: given(c, release_days)?,
                        retr_seen: given(d, retr_seen)?,
                    },
                }
            }
            ["user-main-password", name, scope] => Self::UserMainPassword { name: text(name), scope: text(scope) },
            ["device-list", name, json] => Self::DeviceList { name: text(name), json: flag(json)? },
            ["device-revoke", name, device] => Self::DeviceRevoke { name: text(name), device: text(device) },
            ["deliver", sender, to_mailbox, mailbox, recipients @ ..] if !recipients.is_empty() => Self::Deliver {
                recipients: recipients.iter().map(text).collect(),
                sender: text(sender),
                mailbox: flag(to_mailbox)?.then(|| text(mailbox)),
            },
            ["quota-show", given, name, json] => {
                Self::QuotaShow { name: flag(given)?.then(|| text(name)), json: flag(json)? }
            }
            ["quota-set", name, has_bytes, bytes, has_messages, messages, has_over, over] => Self::QuotaSet {
                name: text(name),
                bytes: flag(has_bytes)?.then(|| text(bytes)),
                messages: flag(has_messages)?.then(|| text(messages)),
                over: flag(has_over)?.then(|| text(over)),
            },
            ["quota-recount", name] => Self::QuotaRecount { name: text(name) },
            ["expire", dry_run] => Self::Expire { dry_run: flag(dry_run)? },
            ["user-expire", name, given, mailbox, days, deleted, deleted_days] => Self::UserExpire {
                name: text(name),
                mailbox: flag(given)?.then(|| text(mailbox)),
                days: text(days),
                deleted_days: flag(deleted)?.then(|| text(deleted_days)),
            },
            ["undelete", name, since, given, mailbox, dry_run] => Self::Undelete {
                name: text(name),
                since: text(since),
                mailbox: flag(given)?.then(|| text(mailbox)),
                dry_run: flag(dry_run)?,
            },
            ["why", name, message, given, mailbox] => {
                Self::Why { name: text(name), message: text(message), mailbox: flag(given)?.then(|| text(mailbox)) }
            }
            ["trust-clock", day] => Self::TrustClock { day: text(day) },
            ["measure"] => Self::Measure,
            ["test-account"] => Self::TestAccount,
            ["inspect"] => Self::Inspect,
            ["verify"] => Self::Verify,
            ["status", json] => Self::Status { json: flag(json)? },
            _ => return None,
        })
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        YES => Some(true),
        NO => Some(false),
        _ => None,
    }
}

fn fields(octets: &[u8]) -> Option<Vec<&str>> {
    let (count, mut octets) = octets.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_be_bytes(*count));
    let mut fields = Vec::new();
    for _ in 0..count.min(FIELDS_MAX) {
        let (length, rest) = octets.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        fields.push(std::str::from_utf8(field).ok()?);
        octets = rest;
    }
    (octets.is_empty() && fields.len() == count).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_request() -> Vec<Request> {
        let text = |text: &str| text.to_owned();
        vec![
            Request::UserAdd { name: text("anna"), password: text("p\u{e4} ss\n") },
            Request::UserList { json: true },
            Request::UserShow { name: text("anna"), json: false },
            Request::UserPassword { name: text(""), password: text("") },
            Request::AliasAdd { name: text("anna"), alias: text("a@example.org") },
            Request::AliasRemove { name: text("anna"), alias: text("a") },
            Request::UserRemove { name: text("anna") },
            Request::DeviceAdd {
                name: text("anna"),
                device: text("my phone"),
                rights: Rights { imap: false, ..Rights::ALL },
            },
            Request::ClientSettings { name: text("anna"), wish: SettingsWish::default() },
            Request::ClientSettings {
                name: text("anna"),
                wish: SettingsWish {
                    device: Some(text("")),
                    smtp: Some(text("a:1")),
                    profile: true,
                    ..SettingsWish::default()
                },
            },
            Request::UserPop3 { name: text("anna"), change: PopChange::default() },
            Request::UserPop3 {
                name: text("anna"),
                change: PopChange {
                    reset: true,
                    delete: Some(text("hide")),
                    hide_days: Some(text("")),
                    ..PopChange::default()
                },
            },
            Request::UserMainPassword { name: text("anna"), scope: text("lan") },
            Request::DeviceList { name: text("anna"), json: true },
            Request::DeviceRevoke { name: text("anna"), device: text("my phone") },
            Request::Deliver { recipients: vec![text("a"), text("b")], sender: text(""), mailbox: None },
            Request::Deliver { recipients: vec![text("a")], sender: text("x@y"), mailbox: Some(text("")) },
            Request::QuotaShow { name: None, json: true },
            Request::QuotaShow { name: Some(text("anna")), json: false },
            Request::QuotaSet { name: text("anna"), bytes: Some(text("1 GB")), messages: None, over: Some(text("")) },
            Request::QuotaRecount { name: text("anna") },
            Request::Expire { dry_run: true },
            Request::UserExpire { name: text("a"), mailbox: None, days: text(""), deleted_days: Some(text("3")) },
            Request::UserExpire { name: text("a"), mailbox: Some(text("L")), days: text("1"), deleted_days: None },
            Request::Undelete { name: text("a"), since: text("2h"), mailbox: Some(text("")), dry_run: false },
            Request::Undelete { name: text("a"), since: text(""), mailbox: None, dry_run: true },
            Request::Why { name: text("a"), message: text("<x@y>"), mailbox: Some(text("INBOX")) },
            Request::Why { name: text("a"), message: text("7"), mailbox: None },
            Request::TrustClock { day: text("2026-11-28") },
            Request::Measure,
            Request::TestAccount,
            Request::Inspect,
            Request::Verify,
            Request::Status { json: false },
        ]
    }

    #[test]
    fn requests_come_out_as_they_went_in() {
        for request in every_request() {
            let octets = request.encode().expect("fits");
            assert!(Request::decode(&octets) == Ok(request));
            for end in 0..octets.len() {
                assert!(Request::decode(octets.get(..end).unwrap_or_default()).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn other_versions_and_oversize_are_refused() {
        assert!(Request::decode(&[VERSION + 1, 0]) == Err(DecodeError::Version));
        assert!(Request::decode(&[]) == Err(DecodeError::Malformed));
        assert!(Request::UserRemove { name: "x".repeat(FRAME_MAX) }.encode().is_none());
        let recipients = vec![String::new(); FIELDS_MAX];
        assert!(Request::Deliver { recipients, sender: String::new(), mailbox: None }.encode().is_none());
        // Many empty fields stay within the limit.
        let mut many = vec![VERSION, 0xff, 0xff];
        many.resize(3 + 4 * (FIELDS_MAX + 1), 0);
        assert!(Request::decode(&many) == Err(DecodeError::Malformed));
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut versioned = vec![VERSION];
            versioned.extend(&octets);
            let _ = Request::decode(&octets);
            let _ = Request::decode(&versioned);
        }
    }
}
