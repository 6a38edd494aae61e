//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2).

use super::envelope::envelope;
use super::string::{ntext, number, text};
use crate::imap::enabled::{Enabled, Quoting};
use crate::message::{Disposition, Kind, Parameters, Part, Strings, parameter};

/// Limit: how deep parts are written in one another; the scanner keeps no deeper ones.
const DEPTH_MAX: usize = 64;

/// In which form a structure is written.
#[derive(Clone, Copy)]
struct Form {
    /// With extension data.
    extended: bool,
    enabled: Enabled,
}

impl Form {
    fn text(self, out: &mut Vec<u8>, octets: &[u8]) {
        text(out, octets, self.enabled.quoting());
    }

    fn ntext(self, out: &mut Vec<u8>, octets: Option<&[u8]>) {
        ntext(out, octets, self.enabled.quoting());
    }

    /// Whether parts of this type have the form with envelope and lines. RFC 3501 gives it to message/rfc822 alone,
    /// RFC 9051 §7.5.2 also to message/global, which is for those who read UTF-8.
    fn is_message(self, part: &Part<'_>) -> bool {
        let global = self.enabled.quoting() == Quoting::Utf8 && part.subtype.eq_ignore_ascii_case(b"global");
        part.is_type("message") && (global || part.subtype.eq_ignore_ascii_case(b"rfc822"))
    }
}

/// Appends the structure without extension data, in the form for a client that has switched on `enabled`.
pub fn body(out: &mut Vec<u8>, part: &Part<'_>, enabled: Enabled) {
    write(out, part, Form { extended: false, enabled }, 0);
}

/// Appends the structure with extension data.
pub fn body_structure(out: &mut Vec<u8>, part: &Part<'_>, enabled: Enabled) {
    write(out, part, Form { extended: true, enabled }, 0);
}

fn write(out: &mut Vec<u8>, part: &Part<'_>, form: Form, depth: usize) {
    let mut children = part.children().peekable();
    let deeper = depth < DEPTH_MAX && children.peek().is_some();
    out.push(b'(');
    match part.kind {
        Kind::Multipart if deeper => {
            for child in children {
                write(out, &child, form, depth + 1);
            }
            out.push(b' ');
            form.text(out, part.subtype);
            if form.extended {
                out.push(b' ');
                parameters(out, part.parameters, form);
                disposition_and_more(out, part, form);
            }
        }
        Kind::Message if deeper && form.is_message(part) => {
            basic(out, part, form);
            out.push(b' ');
            envelope(out, &part.envelope().unwrap_or_default(), form.enabled.quoting());
            for child in children.take(1) {
                out.push(b' ');
                write(out, &child, form, depth + 1);
            }
            out.push(b' ');
            number(out, part.lines);
            if form.extended {
                single_extension(out, part, form);
            }
        }
        Kind::Leaf | Kind::Multipart | Kind::Message => {
            basic(out, part, form);
            if part.is_type("text") {
                out.push(b' ');
                number(out, part.lines);
            }
            if form.extended {
                single_extension(out, part, form);
            }
        }
    }
    out.push(b')');
}

/// Media type, parameters and the rest of body-fields.
fn basic(out: &mut Vec<u8>, part: &Part<'_>, form: Form) {
    let has_form_of_its_own = part.is_type("multipart") || (form.is_message(part) && part.kind != Kind::Message);
    if has_form_of_its_own {
        // A client would look for the parts that are not there.
        out.extend_from_slice(b"\"application\" \"octet-stream\"");
    } else {
        form.text(out, part.media_type);
        out.push(b' ');
        form.text(out, part.subtype);
    }
    out.push(b' ');
    parameters(out, part.parameters, form);
    out.push(b' ');
    form.ntext(out, part.id);
    out.push(b' ');
    form.ntext(out, part.description);
    out.push(b' ');
    form.text(out, part.encoding);
    out.push(b' ');
    number(out, part.size());
}

/// body-ext-1part behind the fields.
fn single_extension(out: &mut Vec<u8>, part: &Part<'_>, form: Form) {
    out.push(b' ');
    form.ntext(out, part.md5);
    disposition_and_more(out, part, form);
}

/// Disposition, languages and location, each with a space before it.
fn disposition_and_more(out: &mut Vec<u8>, part: &Part<'_>, form: Form) {
    out.push(b' ');
    match &part.disposition {
        Some(Disposition { name, parameters: given }) => {
            out.push(b'(');
            form.text(out, name);
            out.push(b' ');
            parameters(out, *given, form);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    languages(out, part.languages, form);
    out.push(b' ');
    form.ntext(out, part.location);
}

fn parameters(out: &mut Vec<u8>, parameters: Parameters<'_>, form: Form) {
    let write = |out: &mut Vec<u8>, name: &[u8], value: &[u8]| {
        form.text(out, name);
        out.push(b' ');
        form.text(out, value);
    };
    // RFC 9051 §7.5.2 wants them decoded; clients of RFC 3501 decode for themselves, and would do it twice.
    if form.enabled.rev2 {
        list(out, parameter::decoded(parameters).into_iter(), |out, (name, value)| write(out, &name, &value));
    } else {
        list(out, parameters, |out, (name, value)| write(out, name, value));
    }
}

fn languages(out: &mut Vec<u8>, languages: Strings<'_>, form: Form) {
    list(out, languages, |out, language| form.text(out, language));
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
