//! LMTP commands (RFC 2033 §4, RFC 5321 §4.1.1, RFC 3030 §2): one line in, one [`Command`] or a refusal out. Pure.

/// Limit: octets of an address. RFC 5321 §4.5.3.1 asks for 256 with a local part of 64, which return addresses
/// that encode another address (VERP, SRS) are longer than.
const ADDRESS_MAX: usize = 640;

/// Limit: octets of the name in LHLO (RFC 5321 §4.5.3.1.2).
const NAME_MAX: usize = 255;

/// A command with its arguments, checked as far as a line alone can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Lhlo(String),
    Mail(Mail),
    /// The forward-path without angle brackets and source route.
    Rcpt(String),
    Data,
    Bdat(Bdat),
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
}

/// MAIL FROM with the parameters of the extensions that we offer. BODY is checked and not kept: every message is
/// taken as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    /// Without angle brackets and source route; empty: the null reverse-path.
    pub reverse_path: String,
    /// SIZE (RFC 1870): octets, as announced. Larger than 64 bits: the largest.
    pub size: Option<u64>,
    /// SMTPUTF8 (RFC 6531 §3.4).
    pub utf8: bool,
}

/// BDAT (RFC 3030 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bdat {
    /// Octets that follow the line.
    pub size: u64,
    /// Whether the message ends with them.
    pub last: bool,
}

/// Why a line is no command. The client sees [`Refused::reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No such verb, or no text.
    Unknown,
    /// HELO or EHLO.
    NotLmtp,
    /// A verb that we know and do not offer.
    NotOffered,
    /// A control character, a bare CR or LF, or text that is not UTF-8.
    Octets,
    /// An argument is missing, malformed, or too much.
    Argument,
    /// A parameter comes twice or has a value it cannot have.
    ParameterValue,
    /// A parameter of an extension that we do not offer.
    Parameter,
    /// The reverse-path is no address.
    ReversePath,
    /// The forward-path is no address.
    ForwardPath,
    /// A reverse-path beyond ASCII without SMTPUTF8.
    NotAscii,
}

impl Refused {
    /// The reply: code, enhanced code (RFC 3463) and text.
    pub(super) const fn reply(self) -> &'static str {
        match self {
            Self::Unknown => "500 5.5.1 Command not recognised",
            Self::NotLmtp => "500 5.5.1 This is LMTP, use LHLO",
            Self::NotOffered => "502 5.5.1 Command not implemented",
            Self::Octets => "500 5.5.2 Control character, bare CR or LF, or text that is not UTF-8",
            Self::Argument => "501 5.5.4 Syntax error in arguments",
            Self::ParameterValue => "501 5.5.4 Syntax error in a parameter",
            Self::Parameter => "555 5.5.4 Parameter not recognised",
            Self::ReversePath => "501 5.1.7 Syntax error in the sender's address",
            Self::ForwardPath => "501 5.1.3 Syntax error in the recipient's address",
            Self::NotAscii => "553 5.6.7 Address beyond ASCII without SMTPUTF8",
        }
    }
}

impl Command {
    /// Reads a line without its CRLF.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Refused> {
        let line = std::str::from_utf8(line).map_err(|_| Refused::Octets)?;
        if line.chars().any(|character| character.is_control() && character != '\t') {
            return Err(Refused::Octets);
        }
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start_matches(' ');
        match verb.to_ascii_uppercase().as_str() {
            "LHLO" => lhlo(rest),
            "MAIL" => mail(rest),
            "RCPT" => rcpt(rest),
            "DATA" => alone(Self::Data, rest),
            "BDAT" => bdat(rest),
            "RSET" => alone(Self::Rset, rest),
            "QUIT" => alone(Self::Quit, rest),
            "NOOP" => Ok(Self::Noop),
            "HELP" => Ok(Self::Help),
            "VRFY" if rest.is_empty() => Err(Refused::Argument),
            "VRFY" => Ok(Self::Vrfy),
            "HELO" | "EHLO" => Err(Refused::NotLmtp),
            "EXPN" | "ETRN" | "TURN" | "STARTTLS" | "AUTH" | "BURL" | "SEND" | "SOML" | "SAML" => {
                Err(Refused::NotOffered)
            }
            _ => Err(Refused::Unknown),
        }
    }
}

fn alone(command: Command, rest: &str) -> Result<Command, Refused> {
    if rest.is_empty() { Ok(command) } else { Err(Refused::Argument) }
}

fn lhlo(name: &str) -> Result<Command, Refused> {
    let usable = !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_whitespace);
    if usable { Ok(Command::Lhlo(name.to_owned())) } else { Err(Refused::Argument) }
}

fn mail(rest: &str) -> Result<Command, Refused> {
    let path = argument(rest, "FROM:")?;
    let (reverse_path, parameters) = path_of(path).ok_or(Refused::ReversePath)?;
    let mut mail = Mail { reverse_path, ..Mail::default() };
    let mut body = false;
    for (keyword, value) in parameters_of(parameters)? {
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) if mail.size.is_none() => {
                mail.size = Some(number(value, 20).ok_or(Refused::ParameterValue)?);
            }
            ("BODY", Some(value)) if !body => {
                if !["7BIT", "8BITMIME"].iter().any(|known| value.eq_ignore_ascii_case(known)) {
                    return Err(Refused::ParameterValue);
                }
                body = true;
            }
            ("SMTPUTF8", None) if !mail.utf8 => mail.utf8 = true,
            ("SIZE" | "BODY" | "SMTPUTF8", _) => return Err(Refused::ParameterValue),
            _ => return Err(Refused::Parameter),
        }
    }
    if !mail.utf8 && !mail.reverse_path.is_ascii() {
        return Err(Refused::NotAscii);
    }
    Ok(Command::Mail(mail))
}

fn rcpt(rest: &str) -> Result<Command, Refused> {
    let path = argument(rest, "TO:")?;
    let (forward_path, parameters) = path_of(path).ok_or(Refused::ForwardPath)?;
    if forward_path.is_empty() {
        return Err(Refused::ForwardPath);
    }
    // No extension that we offer has a parameter for RCPT.
    match parameters_of(parameters)?.next() {
        None => Ok(Command::Rcpt(forward_path)),
        Some(_) => Err(Refused::Parameter),
    }
}

fn bdat(rest: &str) -> Result<Command, Refused> {
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let size = words.next().and_then(|word| number(word, 20)).ok_or(Refused::Argument)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(Refused::Argument),
    };
    match words.next() {
        None => Ok(Command::Bdat(Bdat { size, last })),
        Some(_) => Err(Refused::Argument),
    }
}

/// What follows `FROM:` or `TO:`. RFC 5321 §4.1.1.2 has no space there; real clients do.
fn argument<'a>(rest: &'a str, name: &str) -> Result<&'a str, Refused> {
    match rest.split_at_checked(name.len()) {
        Some((start, path)) if start.eq_ignore_ascii_case(name) => Ok(path.trim_start_matches(' ')),
        _ => Err(Refused::Argument),
    }
}

/// Digits alone; a number beyond 64 bits is the largest one.
fn number(text: &str, digits: usize) -> Option<u64> {
    let usable = !text.is_empty() && text.len() <= digits && text.bytes().all(|octet| octet.is_ascii_digit());
    usable.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `keyword` or `keyword=value` words (RFC 5321 §4.1.2, `esmtp-param`).
fn parameters_of(text: &str) -> Result<impl Iterator<Item = (&str, Option<&str>)>, Refused> {
    if !text.is_empty() && !text.starts_with(' ') {
        return Err(Refused::Argument);
    }
    Ok(text.split(' ').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    }))
}

/// A path in angle brackets (RFC 5321 §4.1.2): the address without source route, and what follows the bracket.
fn path_of(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('<')?;
    let inside = without_source_route(inside)?;
    let (local, rest) = local_part(inside)?;
    let (domain, rest) = match rest.strip_prefix('@') {
        Some(rest) => domain(rest)?,
        None => ("", rest),
    };
    let rest = rest.strip_prefix('>')?;
    // `<>` has neither part, `<anna>` is a local part alone; `<@example.org>` is nothing.
    if local.is_empty() && inside.len() != rest.len() + 1 {
        return None;
    }
    let address = inside.get(..inside.len() - rest.len() - 1)?;
    debug_assert!(address.len() >= local.len() + domain.len());
    (address.len() <= ADDRESS_MAX).then(|| (address.to_owned(), rest))
}

/// RFC 5321 §4.1.2 `A-d-l`: accepted and ignored.
fn without_source_route(text: &str) -> Option<&str> {
    let mut rest = text;
    let mut hops = 0;
    while let Some(hop) = rest.strip_prefix('@') {
        rest = domain(hop)?.1;
        hops += 1;
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.strip_prefix(':').filter(|rest| !rest.starts_with('>')),
        }
    }
    (hops == 0).then_some(rest)
}

/// `Dot-string` or `Quoted-string`, with the letters of RFC 6531 §3.3. Dots may stand anywhere: some phone companies
/// give out such addresses.
fn local_part(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with('"') {
        let end = text.find(|character: char| !is_atom(character) && character != '.').unwrap_or(text.len());
        return text.split_at_checked(end);
    }
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.split_at_checked(at + 1),
            '\t' => return None,
            _ => {}
        }
    }
    None
}

/// A domain or an address literal; never empty.
fn domain(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') {
        let end = text.find(']')? + 1;
        let literal = text.get(1..end - 1)?;
        let usable = literal.bytes().all(|octet| octet.is_ascii_alphanumeric() || b".:-".contains(&octet));
        return if usable && !literal.is_empty() { text.split_at_checked(end) } else { None };
    } else {
        let is_domain = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
        text.find(|character| !is_domain(character) && !is_letter_beyond_ascii(character)).unwrap_or(text.len())
    };
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// RFC 5322 §3.2.3 `atext`, and everything beyond ASCII.
fn is_atom(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character) || is_letter_beyond_ascii(character)
}

fn is_letter_beyond_ascii(character: char) -> bool {
    !character.is_ascii() && !character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, Refused> {
        Command::parse(line.as_bytes())
    }

    fn from(path: &str) -> Mail {
        Mail { reverse_path: path.to_owned(), ..Mail::default() }
    }

    #[test]
    fn verbs_in_any_case_with_trailing_space() {
        assert_eq!(parse("lhlo mx.example.org"), Ok(Command::Lhlo("mx.example.org".to_owned())));
        assert_eq!(parse("LHLO [IPv6:2001:db8::1]"), Ok(Command::Lhlo("[IPv6:2001:db8::1]".to_owned())));
        assert_eq!(parse("data  "), Ok(Command::Data));
        assert_eq!(parse("Rset"), Ok(Command::Rset));
        assert_eq!(parse("QUIT"), Ok(Command::Quit));
        assert_eq!(parse("NOOP anything at all"), Ok(Command::Noop));
        assert_eq!(parse("HELP mail"), Ok(Command::Help));
        assert_eq!(parse("VRFY anna"), Ok(Command::Vrfy));
    }

    #[test]
    fn lines_that_are_no_commands() {
        for (line, refused) in [
            ("", Refused::Unknown),
            (" ", Refused::Unknown),
            (" DATA", Refused::Unknown),
            ("XYZZY", Refused::Unknown),
            ("EHLO a", Refused::NotLmtp),
            ("helo a", Refused::NotLmtp),
            ("STARTTLS", Refused::NotOffered),
            ("EXPN list", Refused::NotOffered),
            ("LHLO", Refused::Argument),
            ("LHLO a b", Refused::Argument),
            ("DATA now", Refused::Argument),
            ("QUIT please", Refused::Argument),
            ("VRFY", Refused::Argument),
            ("NOOP\rQUIT", Refused::Octets),
            ("NOOP\nQUIT", Refused::Octets),
            ("NOOP\0", Refused::Octets),
        ] {
            assert_eq!(parse(line), Err(refused), "{line:?}");
        }
        assert_eq!(Command::parse(b"NOOP \xff"), Err(Refused::Octets));
        assert_eq!(parse(&format!("LHLO {}", "a".repeat(NAME_MAX + 1))), Err(Refused::Argument));
    }

    #[test]
    fn paths_of_every_form() {
        for (path, address) in [
            ("<>", ""),
            ("<bob@example.net>", "bob@example.net"),
            ("<bob>", "bob"),
            ("<b.o..b.@example.net>", "b.o..b.@example.net"),
            ("<\"b \\\"> b\"@example.net>", "\"b \\\"> b\"@example.net"),
            ("<\"\"@example.net>", "\"\"@example.net"),
            ("<bob+tag=x@[192.0.2.1]>", "bob+tag=x@[192.0.2.1]"),
            ("<bob@[IPv6:2001:db8::1]>", "bob@[IPv6:2001:db8::1]"),
            ("<@a.example,@b.example:bob@example.net>", "bob@example.net"),
        ] {
            assert_eq!(parse(&format!("MAIL FROM:{path}")), Ok(Command::Mail(from(address))), "{path}");
            if !address.is_empty() {
                assert_eq!(parse(&format!("rcpt to:{path}")), Ok(Command::Rcpt(address.to_owned())), "{path}");
            }
        }
        // The space that real clients send.
        assert_eq!(parse("MAIL FROM: <bob>"), Ok(Command::Mail(from("bob"))));
        assert_eq!(parse("RCPT TO:<Ännä@exämple.org>"), Ok(Command::Rcpt("Ännä@exämple.org".to_owned())));
    }

    #[test]
    fn paths_that_are_none() {
        for path in [
            "",
            "bob@example.net",
            "<bob",
            "<bob@>",
            "<@example.net>",
            "<@example.net:>",
            "<@a,@b>",
            "<@a,b:c@d>",
            "<bob@@example.net>",
            "<bob @example.net>",
            "<bob@exa mple.net>",
            "<bob@[1.2.3.4>",
            "<bob@[]>",
            "<bob@[a b]>",
            "<\"bob@example.net>",
            "<\"bob\"x@example.net>",
            "<bob@example.net>>",
            "<bob@example.net>SIZE=1",
            "<<bob@example.net>>",
            "<bob,anna@example.net>",
        ] {
            assert!(parse(&format!("MAIL FROM:{path}")).is_err(), "{path}");
            assert!(parse(&format!("RCPT TO:{path}")).is_err(), "{path}");
        }
        assert_eq!(parse("RCPT TO:<>"), Err(Refused::ForwardPath));
        assert_eq!(parse("MAIL TO:<bob>"), Err(Refused::Argument));
        assert_eq!(parse("MAIL"), Err(Refused::Argument));
        let long = "a".repeat(ADDRESS_MAX + 1);
        assert_eq!(parse(&format!("MAIL FROM:<{long}>")), Err(Refused::ReversePath));
        assert_eq!(parse(&format!("RCPT TO:<{long}>")), Err(Refused::ForwardPath));
    }

    #[test]
    fn parameters_of_mail() {
        let mail = Mail { reverse_path: "ü@x".to_owned(), size: Some(42), utf8: true };
        assert_eq!(parse("MAIL FROM:<ü@x> size=42 Body=8bitmime SMTPUTF8"), Ok(Command::Mail(mail)));
        let mail = Mail { size: Some(u64::MAX), ..from("x") };
        assert_eq!(parse("MAIL FROM:<x> SIZE=99999999999999999999 BODY=7BIT"), Ok(Command::Mail(mail)));
        for (parameters, refused) in [
            ("SIZE", Refused::ParameterValue),
            ("SIZE=", Refused::ParameterValue),
            ("SIZE=-1", Refused::ParameterValue),
            ("SIZE=1x", Refused::ParameterValue),
            ("SIZE=1 SIZE=1", Refused::ParameterValue),
            ("SIZE=999999999999999999999", Refused::ParameterValue),
            ("BODY=BINARYMIME", Refused::ParameterValue),
            ("BODY=7BIT BODY=7BIT", Refused::ParameterValue),
            ("SMTPUTF8=yes", Refused::ParameterValue),
            ("RET=HDRS", Refused::Parameter),
            ("AUTH=<>", Refused::Parameter),
            ("=", Refused::Parameter),
        ] {
            assert_eq!(parse(&format!("MAIL FROM:<x> {parameters}")), Err(refused), "{parameters}");
        }
        assert_eq!(parse("MAIL FROM:<ü@x>"), Err(Refused::NotAscii));
        assert_eq!(parse("RCPT TO:<x> NOTIFY=NEVER"), Err(Refused::Parameter));
    }

    #[test]
    fn chunks() {
        assert_eq!(parse("BDAT 0 LAST"), Ok(Command::Bdat(Bdat { size: 0, last: true })));
        assert_eq!(parse("bdat 1000"), Ok(Command::Bdat(Bdat { size: 1000, last: false })));
        for line in ["BDAT", "BDAT LAST", "BDAT -1", "BDAT 1 FIRST", "BDAT 1 LAST LAST", "BDAT 0x10", "BDAT +1"] {
            assert_eq!(parse(line), Err(Refused::Argument), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_a_command_or_refused(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn any_near_command_is_a_command_or_refused(
            verb in prop_oneof![Just("MAIL FROM:"), Just("RCPT TO:"), Just("BDAT "), Just("LHLO ")],
            rest in "[<>@\"\\\\ a.:,=\\[\\]üSIZE1]{0,40}",
        ) {
            let _ = parse(&format!("{verb}{rest}"));
        }

        #[test]
        fn an_accepted_address_has_no_controls_and_is_whole(
            local in "[a-zü.+]{1,20}", domain in "[a-z-]{1,10}(\\.[a-z]{1,5}){0,3}",
        ) {
            let address = format!("{local}@{domain}");
            prop_assert_eq!(parse(&format!("RCPT TO:<{address}>")), Ok(Command::Rcpt(address)));
        }
    }
}
