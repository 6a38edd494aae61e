//! Reads JSON (RFC 8259) strictly, for what doctor prints.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// Panics where it is not JSON, or has numbers and truth values, of which doctor has none.
pub fn parse(text: &str) -> Value {
    let mut rest = text;
    let value = value(&mut rest);
    assert_eq!(rest, "\n", "there is something behind the value");
    value
}

fn value(rest: &mut &str) -> Value {
    match rest.chars().next().expect("a value") {
        '"' => Value::Text(string(rest)),
        'n' => {
            take(rest, "null");
            Value::Null
        }
        '[' => {
            let mut items = Vec::new();
            members(rest, ['[', ']'], |rest| items.push(value(rest)));
            Value::List(items)
        }
        '{' => {
            let mut object = BTreeMap::new();
            members(rest, ['{', '}'], |rest| {
                let name = string(rest);
                take(rest, ":");
                assert_eq!(object.insert(name, value(rest)), None, "a name twice");
            });
            Value::Object(object)
        }
        other => panic!("{other:?} begins no value"),
    }
}

fn members(rest: &mut &str, [open, close]: [char; 2], mut member: impl FnMut(&mut &str)) {
    take(rest, &open.to_string());
    if rest.starts_with(close) {
        return take(rest, &close.to_string());
    }
    loop {
        member(rest);
        if rest.starts_with(close) {
            return take(rest, &close.to_string());
        }
        take(rest, ",");
    }
}

fn take(rest: &mut &str, wanted: &str) {
    *rest = rest.strip_prefix(wanted).unwrap_or_else(|| panic!("no {wanted:?} at {rest:?}"));
}

fn string(rest: &mut &str) -> String {
    take(rest, "\"");
    let mut text = String::new();
    loop {
        let c = rest.chars().next().expect("the string ends");
        *rest = &rest[c.len_utf8()..];
        match c {
            '"' => return text,
            '\\' => {
                let escape = rest.chars().next().expect("an escape");
                *rest = &rest[escape.len_utf8()..];
                match escape {
                    '"' | '\\' | '/' => text.push(escape),
                    'u' => {
                        let code = u32::from_str_radix(&rest[..4], 16).expect("four digits");
                        text.push(char::from_u32(code).expect("a character"));
                        *rest = &rest[4..];
                    }
                    other => panic!("unexpected escape {other:?}"),
                }
            }
            c => {
                assert!(u32::from(c) >= 0x20, "a control character in a string");
                text.push(c);
            }
        }
    }
}
