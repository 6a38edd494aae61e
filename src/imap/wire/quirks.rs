//! Every concession to clients that send what the RFCs do not allow. Each is named where it is.

/// Quirk(tools that send a literal and then one CRLF too many): that many blank lines before a command
/// are skipped; a further one is an error.
pub const BLANK_LINES_MAX: u8 = 1;

/// Quirk(scripts, old phones): LOGIN arguments without quotes hold any visible octet, so that passwords
/// with `%`, `*`, `\`, parentheses or 8-bit letters work as they do with other servers.
#[must_use]
pub fn is_login_char(octet: u8) -> bool {
    octet > b' ' && octet != 0x7f
}

/// Quirk(scripts): search texts without quotes hold `%`, `*`, `\`, `]` and 8-bit letters.
#[must_use]
pub fn is_search_char(octet: u8) -> bool {
    octet > b' ' && octet != 0x7f && !matches!(octet, b'(' | b')' | b'"')
}

/// Quirk(clients that do not encode names): mailbox names without quotes hold 8-bit letters and `\`.
#[must_use]
pub fn is_name_char(octet: u8) -> bool {
    octet >= 0x80 || octet == b']' || octet == b'\\' || super::error::is_atom_char(octet)
}

/// Quirk(Outlook, `DOMAIN\user`): in a quoted string a backslash before anything but `"` and `\` stands for
/// itself.
#[must_use]
pub fn backslash_is_literal(next: u8) -> bool {
    !matches!(next, b'"' | b'\\')
}

/// Quirk(copying tools such as imapsync): APPEND with the flags of a FETCH includes `\Recent`, which no
/// client can set (RFC 3501 §2.3.2); it is left out.
#[must_use]
pub fn append_ignores_flag(name: &str) -> bool {
    name.eq_ignore_ascii_case("\\Recent")
}

/// Quirk(clients that pad lines): any number of spaces separates arguments, and spaces may end a line.
/// Returns how many open `text`.
#[must_use]
pub fn padding(text: &[u8]) -> usize {
    text.iter().take_while(|&&octet| octet == b' ').count()
}

/// Quirk(phones with vendor names in Latin-1): ID (RFC 2971) is only for statistics, so 8-bit octets in it
/// become `?` instead of an error.
pub fn ascii_only(octets: &mut [u8]) {
    for octet in octets {
        if !octet.is_ascii() {
            *octet = b'?';
        }
    }
}
