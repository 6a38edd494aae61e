//! The commands and their syntax (RFC 1939 §3, RFC 2449 §3). Pure.

/// A command with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// RFC 1939 §7; the name as the client gave it.
    User(&'a [u8]),
    /// RFC 1939 §7; the password may hold spaces, also at its ends.
    Pass(&'a [u8]),
    /// RFC 1939 §7; known in order to be refused.
    Apop,
    /// RFC 5034 §4; without a mechanism it asks for the list of them.
    Auth { mechanism: Option<&'a [u8]>, initial_response: Option<&'a [u8]> },
    /// RFC 2449 §5
    Capa,
    /// RFC 2595 §4
    Stls,
    /// RFC 6856 §2.1
    Utf8,
    /// RFC 6856 §3; without a range it asks for the list of languages.
    Lang(Option<&'a [u8]>),
    /// RFC 1939 §4 and §6
    Quit,
    /// RFC 1939 §5
    Noop,
    /// RFC 1939 §5
    Rset,
    /// RFC 1939 §5
    Stat,
    /// RFC 1939 §5; of one message or of all.
    List(Option<u32>),
    /// RFC 1939 §7; of one message or of all.
    Uidl(Option<u32>),
    /// RFC 1939 §5
    Retr(u32),
    /// RFC 1939 §5
    Dele(u32),
    /// RFC 1939 §7; the header and so many lines of the body.
    Top { message: u32, lines: u64 },
}

/// Why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandError {
    /// There is no command of that name.
    Unknown,
    /// The arguments are missing, too many, or not what the command takes.
    Arguments,
}

impl<'a> Command<'a> {
    /// Reads a line without its line end. Message numbers beyond 32 bits are read as the largest: no message has it.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        let (keyword, rest) = match line.iter().position(|&octet| octet == b' ') {
            Some(space) => (line.get(..space).unwrap_or_default(), line.get(space + 1..)),
            None => (line, None),
        };
        let keyword = Keyword::from_octets(trim_end(keyword)).ok_or(CommandError::Unknown)?;
        if keyword == Keyword::Pass {
            return rest.filter(|password| !password.is_empty()).map(Self::Pass).ok_or(CommandError::Arguments);
        }
        let mut arguments = Arguments { rest: trim_end(rest.unwrap_or_default()) };
        let command = match keyword {
            Keyword::User => return arguments.all().map(Self::User).ok_or(CommandError::Arguments),
            // Whatever the digest looks like.
            Keyword::Apop => return Ok(Self::Apop),
            Keyword::Pass | Keyword::Capa => Self::Capa,
            Keyword::Auth => Self::Auth { mechanism: arguments.next(), initial_response: arguments.next() },
            Keyword::Stls => Self::Stls,
            Keyword::Utf8 => Self::Utf8,
            Keyword::Lang => Self::Lang(arguments.next()),
            Keyword::Quit => Self::Quit,
            Keyword::Noop => Self::Noop,
            Keyword::Rset => Self::Rset,
            Keyword::Stat => Self::Stat,
            Keyword::List => Self::List(arguments.optional_message()?),
            Keyword::Uidl => Self::Uidl(arguments.optional_message()?),
            Keyword::Retr => Self::Retr(arguments.message()?),
            Keyword::Dele => Self::Dele(arguments.message()?),
            Keyword::Top => Self::Top { message: arguments.message()?, lines: arguments.number()? },
        };
        if arguments.next().is_some() { Err(CommandError::Arguments) } else { Ok(command) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    User,
    Pass,
    Apop,
    Auth,
    Capa,
    Stls,
    Utf8,
    Lang,
    Quit,
    Noop,
    Rset,
    Stat,
    List,
    Uidl,
    Retr,
    Dele,
    Top,
}

impl Keyword {
    const NAMES: [(&'static [u8], Self); 17] = [
        (b"USER", Self::User),
        (b"PASS", Self::Pass),
        (b"APOP", Self::Apop),
        (b"AUTH", Self::Auth),
        (b"CAPA", Self::Capa),
        (b"STLS", Self::Stls),
        (b"UTF8", Self::Utf8),
        (b"LANG", Self::Lang),
        (b"QUIT", Self::Quit),
        (b"NOOP", Self::Noop),
        (b"RSET", Self::Rset),
        (b"STAT", Self::Stat),
        (b"LIST", Self::List),
        (b"UIDL", Self::Uidl),
        (b"RETR", Self::Retr),
        (b"DELE", Self::Dele),
        (b"TOP", Self::Top),
    ];

    fn from_octets(octets: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(octets)).map(|(_, keyword)| *keyword)
    }
}

/// Arguments divided by spaces. Quirk(several): more than one space, and spaces at the end, mean nothing.
struct Arguments<'a> {
    rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|&octet| octet != b' ')?;
        let from = self.rest.get(start..)?;
        let end = from.iter().position(|&octet| octet == b' ').unwrap_or(from.len());
        let (argument, rest) = from.split_at_checked(end)?;
        self.rest = rest;
        Some(argument)
    }

    /// Everything that is left, which may hold spaces.
    fn all(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|&octet| octet != b' ')?;
        self.rest.get(start..)
    }

    fn message(&mut self) -> Result<u32, CommandError> {
        self.number().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn optional_message(&mut self) -> Result<Option<u32>, CommandError> {
        if self.rest.iter().all(|&octet| octet == b' ') { Ok(None) } else { self.message().map(Some) }
    }

    fn number(&mut self) -> Result<u64, CommandError> {
        let digits = self.next().ok_or(CommandError::Arguments)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(CommandError::Arguments);
        }
        Ok(digits.iter().fold(0_u64, |number, digit| {
            number.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
        }))
    }
}

fn trim_end(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|&octet| octet != b' ').map_or(0, |last| last + 1);
    octets.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command<'_>, CommandError> {
        Command::parse(line.as_bytes())
    }

    #[test]
    fn every_command_in_good_form() {
        for (line, command) in [
            ("USER anna", Command::User(b"anna")),
            ("user Anna Smith", Command::User(b"Anna Smith")),
            ("PASS secret", Command::Pass(b"secret")),
            ("pass  two spaces ", Command::Pass(b" two spaces ")),
            ("APOP mrose c4c9334bac560ecc979e58001b3e22fb", Command::Apop),
            ("AUTH", Command::Auth { mechanism: None, initial_response: None }),
            ("AUTH PLAIN", Command::Auth { mechanism: Some(b"PLAIN"), initial_response: None }),
            ("AUTH PLAIN =", Command::Auth { mechanism: Some(b"PLAIN"), initial_response: Some(b"=") }),
            ("CAPA", Command::Capa),
            ("STLS", Command::Stls),
            ("utf8", Command::Utf8),
            ("LANG", Command::Lang(None)),
            ("LANG *", Command::Lang(Some(b"*"))),
            ("QUIT", Command::Quit),
            ("nOOp", Command::Noop),
            ("RSET", Command::Rset),
            ("STAT ", Command::Stat),
            ("LIST", Command::List(None)),
            ("LIST  ", Command::List(None)),
            ("LIST 3", Command::List(Some(3))),
            ("UIDL", Command::Uidl(None)),
            ("UIDL 0", Command::Uidl(Some(0))),
            ("RETR 00012", Command::Retr(12)),
            ("DELE 99999999999999999999999", Command::Dele(u32::MAX)),
            ("TOP 1 0", Command::Top { message: 1, lines: 0 }),
            ("TOP  2   99999999999999999999999", Command::Top { message: 2, lines: u64::MAX }),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn unknown_commands() {
        for line in ["", " ", "XYZZY", "LAST", "US", "USERS anna", "\0", "RETR1", "GET / HTTP/1.1", "STAT\t", " STAT"] {
            assert_eq!(parse(line), Err(CommandError::Unknown), "{line:?}");
        }
    }

    #[test]
    fn wrong_arguments() {
        for line in [
            "USER",
            "USER ",
            "PASS",
            "PASS ",
            "STAT 1",
            "QUIT now",
            "CAPA x",
            "STLS 1",
            "NOOP 1",
            "RSET 1",
            "LIST 1 2",
            "LIST -1",
            "LIST a",
            "UIDL 1x",
            "RETR",
            "RETR ",
            "RETR 1 2",
            "RETR +1",
            "DELE",
            "DELE \u{661}",
            "TOP",
            "TOP 1",
            "TOP 1 -1",
            "TOP 1 2 3",
            "AUTH PLAIN a b",
        ] {
            assert_eq!(parse(line), Err(CommandError::Arguments), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn numbers_are_read_exactly(message in any::<u32>(), lines in any::<u64>()) {
            let line = format!("top {message} {lines}");
            prop_assert_eq!(parse(&line), Ok(Command::Top { message, lines }));
        }

        #[test]
        fn the_password_is_taken_octet_for_octet(password in prop::collection::vec(any::<u8>(), 1..80)) {
            let line = [b"PASS ", &password[..]].concat();
            prop_assert_eq!(Command::parse(&line), Ok(Command::Pass(&password)));
        }
    }
}
