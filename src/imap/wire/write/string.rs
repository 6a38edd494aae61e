//! Strings, mailbox names, section names.

use crate::imap::command::SectionPart;
use crate::imap::enabled::Quoting;
use crate::imap::wire::error::is_atom_char;
use crate::imap::wire::utf7;

/// Appends a string: quoted where the octets allow it, else a literal. NUL, which neither can hold (RFC 3501 §9 CHAR8),
/// is left out.
pub fn string(out: &mut Vec<u8>, octets: &[u8]) {
    text(out, octets, Quoting::Ascii);
}

/// The same for a client that may read UTF-8 in quoted strings. Octets that are not UTF-8 are in a literal.
pub fn text(out: &mut Vec<u8>, octets: &[u8], quoting: Quoting) {
    let is_text = quoting == Quoting::Utf8 && std::str::from_utf8(octets).is_ok();
    let is_quotable = |octet: u8| (octet.is_ascii() || is_text) && !matches!(octet, b'\r' | b'\n');
    let kept = octets.iter().copied().filter(|&octet| octet != 0);
    if kept.clone().all(is_quotable) {
        out.push(b'"');
        for octet in kept {
            if matches!(octet, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(octet);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(format!("{{{}}}\r\n", kept.clone().count()).as_bytes());
        out.extend(kept);
    }
}

/// Appends a text, or NIL for None.
pub fn ntext(out: &mut Vec<u8>, octets: Option<&[u8]>, quoting: Quoting) {
    match octets {
        Some(octets) => text(out, octets, quoting),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends any octets as they are, or NIL for None: quoted or a literal, and a literal8 (RFC 3516) where there is NUL.
pub fn nstring8(out: &mut Vec<u8>, octets: Option<&[u8]>) {
    match octets {
        Some(octets) if octets.contains(&0) => {
            out.extend_from_slice(format!("~{{{}}}\r\n", octets.len()).as_bytes());
            out.extend_from_slice(octets);
        }
        other => ntext(out, other, Quoting::Ascii),
    }
}

/// Appends an atom where the octets are one, else a string. NIL, which some clients take for none, is quoted.
pub fn astring(out: &mut Vec<u8>, octets: &[u8]) {
    atext(out, octets, Quoting::Ascii);
}

fn atext(out: &mut Vec<u8>, octets: &[u8], quoting: Quoting) {
    let is_atom = !octets.is_empty() && octets.iter().all(|&octet| is_atom_char(octet));
    if is_atom && !octets.eq_ignore_ascii_case(b"NIL") {
        out.extend_from_slice(octets);
    } else {
        text(out, octets, quoting);
    }
}

/// Appends a mailbox name, quoted where it is no atom: in UTF-8 where the client reads it (RFC 9051 §5.1), else in
/// modified UTF-7 (RFC 3501 §5.1.3).
pub fn mailbox(out: &mut Vec<u8>, name: &str, quoting: Quoting) {
    match quoting {
        Quoting::Utf8 => atext(out, name.as_bytes(), quoting),
        Quoting::Ascii => astring(out, utf7::encode(name).as_bytes()),
    }
}

/// Appends a number.
pub fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(number.to_string().as_bytes());
}

/// Appends the name of a section in a FETCH response (RFC 3501 §7.4.2): `BODY[1.HEADER.FIELDS (To)]<0>`. `origin` is the
/// octet at which a partial begins.
pub fn section(out: &mut Vec<u8>, path: &[u32], part: &SectionPart, origin: Option<u64>) {
    out.extend_from_slice(b"BODY[");
    part_numbers(out, path);
    let (name, fields) = match part {
        SectionPart::Full => ("", None),
        SectionPart::Header => ("HEADER", None),
        SectionPart::Fields(fields) => ("HEADER.FIELDS", Some(fields)),
        SectionPart::FieldsNot(fields) => ("HEADER.FIELDS.NOT", Some(fields)),
        SectionPart::Text => ("TEXT", None),
        SectionPart::Mime => ("MIME", None),
    };
    if !path.is_empty() && !name.is_empty() {
        out.push(b'.');
    }
    out.extend_from_slice(name.as_bytes());
    if let Some(fields) = fields {
        out.extend_from_slice(b" (");
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            astring(out, field.as_bytes());
        }
        out.push(b')');
    }
    end_section(out, origin);
}

/// The same for BINARY and its kin (RFC 3516 §7), which name parts only.
pub fn binary_section(out: &mut Vec<u8>, name: &str, path: &[u32], origin: Option<u64>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'[');
    part_numbers(out, path);
    end_section(out, origin);
}

fn part_numbers(out: &mut Vec<u8>, path: &[u32]) {
    for (index, part_number) in path.iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        number(out, u64::from(*part_number));
    }
}

fn end_section(out: &mut Vec<u8>, origin: Option<u64>) {
    out.push(b']');
    if let Some(origin) = origin {
        out.push(b'<');
        number(out, origin);
        out.push(b'>');
    }
}
