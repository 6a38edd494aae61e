//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).

use super::envelope::envelope;
use super::string::{nstring, number, string};
use crate::message::{Disposition, Kind, Parameters, Part, Strings};

/// Limit: how deep parts are written in one another; the scanner keeps no deeper ones.
const DEPTH_MAX: usize = 64;

/// Appends the structure without extension data.
pub fn body(out: &mut Vec<u8>, part: &Part<'_>) {
    write(out, part, false, 0);
}

/// Appends the structure with extension data.
pub fn body_structure(out: &mut Vec<u8>, part: &Part<'_>) {
    write(out, part, true, 0);
}

fn write(out: &mut Vec<u8>, part: &Part<'_>, extended: bool, depth: usize) {
    let mut children = part.children().peekable();
    let deeper = depth < DEPTH_MAX && children.peek().is_some();
    out.push(b'(');
    match part.kind {
        Kind::Multipart if deeper => {
            for child in children {
                write(out, &child, extended, depth + 1);
            }
            out.push(b' ');
            string(out, part.subtype);
            if extended {
                out.push(b' ');
                parameters(out, part.parameters);
                disposition_and_more(out, part);
            }
        }
        // RFC 3501 gives the form with envelope and lines to message/rfc822 alone: message/global is a part like others.
        Kind::Message if deeper && is_rfc822(part) => {
            basic(out, part);
            out.push(b' ');
            envelope(out, &part.envelope().unwrap_or_default());
            for child in children.take(1) {
                out.push(b' ');
                write(out, &child, extended, depth + 1);
            }
            out.push(b' ');
            number(out, part.lines);
            if extended {
                single_extension(out, part);
            }
        }
        Kind::Leaf | Kind::Multipart | Kind::Message => {
            basic(out, part);
            if part.is_type("text") {
                out.push(b' ');
                number(out, part.lines);
            }
            if extended {
                single_extension(out, part);
            }
        }
    }
    out.push(b')');
}

fn is_rfc822(part: &Part<'_>) -> bool {
    part.is_type("message") && part.subtype.eq_ignore_ascii_case(b"rfc822")
}

/// Media type, parameters and the rest of body-fields.
fn basic(out: &mut Vec<u8>, part: &Part<'_>) {
    let has_form_of_its_own = part.is_type("multipart") || (is_rfc822(part) && part.kind != Kind::Message);
    if has_form_of_its_own {
        // A client would look for the parts that are not there.
        out.extend_from_slice(b"\"application\" \"octet-stream\"");
    } else {
        string(out, part.media_type);
        out.push(b' ');
        string(out, part.subtype);
    }
    out.push(b' ');
    parameters(out, part.parameters);
    out.push(b' ');
    nstring(out, part.id);
    out.push(b' ');
    nstring(out, part.description);
    out.push(b' ');
    string(out, part.encoding);
    out.push(b' ');
    number(out, part.size());
}

/// body-ext-1part behind the fields.
fn single_extension(out: &mut Vec<u8>, part: &Part<'_>) {
    out.push(b' ');
    nstring(out, part.md5);
    disposition_and_more(out, part);
}

/// Disposition, languages and location, each with a space before it.
fn disposition_and_more(out: &mut Vec<u8>, part: &Part<'_>) {
    out.push(b' ');
    match &part.disposition {
        Some(Disposition { name, parameters: given }) => {
            out.push(b'(');
            string(out, name);
            out.push(b' ');
            parameters(out, *given);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    languages(out, part.languages);
    out.push(b' ');
    nstring(out, part.location);
}

fn parameters(out: &mut Vec<u8>, parameters: Parameters<'_>) {
    list(out, parameters, |out, (name, value)| {
        string(out, name);
        out.push(b' ');
        string(out, value);
    });
}

fn languages(out: &mut Vec<u8>, languages: Strings<'_>) {
    list(out, languages, string);
}

/// The items in parentheses, or NIL where there is none.
fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    let mut opened = false;
    for item in items {
        out.push(if opened { b' ' } else { b'(' });
        opened = true;
        write(out, item);
    }
    out.extend_from_slice(if opened { b")" } else { b"NIL" });
}
