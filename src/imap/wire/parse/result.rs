//! The result options of SEARCH (RFC 4466 §2.6.1, RFC 4731 §3.1, RFC 5182 §3, RFC 5267 §4, RFC 9394 §4).

use super::cursor::Cursor;
use crate::imap::command::SearchReturn;
use crate::imap::partial::Partial;
use crate::imap::wire::error::Fault;

/// Reads ` (option ...)` behind RETURN. No option means ALL.
pub(super) fn options(cursor: &mut Cursor<'_>) -> Result<SearchReturn, Fault> {
    cursor.space("the result options are missing")?;
    cursor.expect(b'(', "the result options are missing")?;
    let mut options = SearchReturn::default();
    cursor.padding();
    while !cursor.take(b')') {
        match cursor.word().to_ascii_uppercase().as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            "UPDATE" => options.update = true,
            "CONTEXT" => {}
            "PARTIAL" if options.partial.is_none() => options.partial = Some(partial(cursor)?),
            _ => return Err(Fault::syntax("unknown result option")),
        }
        if cursor.peek() != Some(b')') {
            cursor.space("the result options do not end")?;
        }
    }
    if options.all && options.partial.is_some() {
        return Err(Fault::syntax("ALL and PARTIAL exclude each other"));
    }
    options.all |= SearchReturn { update: false, ..options } == SearchReturn::default();
    Ok(options)
}

/// A space and partial-range.
pub(super) fn partial(cursor: &mut Cursor<'_>) -> Result<Partial, Fault> {
    const INVALID: &str = "the partial range is not valid";
    cursor.space(INVALID)?;
    let from_end = cursor.take(b'-');
    let first = cursor.number(INVALID)?;
    cursor.expect(b':', INVALID)?;
    if cursor.take(b'-') != from_end {
        return Err(Fault::syntax(INVALID));
    }
    let last = cursor.number(INVALID)?;
    if first == 0 || last == 0 { Err(Fault::syntax(INVALID)) } else { Ok(Partial { first, last, from_end }) }
}

#[cfg(test)]
mod tests {
    use crate::imap::command::{Command, SearchReturn};
    use crate::imap::partial::Partial;
    use crate::imap::wire::frame::Frame;
    use crate::imap::wire::parse::parse;

    fn returns(options: &str) -> Option<SearchReturn> {
        let frame = Frame::from_text(format!("t SEARCH RETURN {options} CHARSET UTF-8 $\r\n").as_bytes())?;
        match parse(&frame) {
            Ok((_, Command::Search { returns, .. })) => returns,
            _ => None,
        }
    }

    #[test]
    fn result_options() {
        let none = SearchReturn::default();
        assert_eq!(returns("()"), Some(SearchReturn { all: true, ..none }));
        assert_eq!(returns("(SAVE)"), Some(SearchReturn { save: true, ..none }));
        assert_eq!(returns("(UPDATE context)"), Some(SearchReturn { all: true, update: true, ..none }));
        assert_eq!(returns("(CONTEXT COUNT)"), Some(SearchReturn { count: true, ..none }));
        assert_eq!(returns("( min  Max)"), Some(SearchReturn { min: true, max: true, ..none }));
        let partial =
            |first, last, from_end| Some(SearchReturn { partial: Some(Partial { first, last, from_end }), ..none });
        assert_eq!(returns("(PARTIAL 501:1000)"), partial(501, 1000, false));
        assert_eq!(returns("(PARTIAL -1:-100)"), partial(1, 100, true));
        for bad in
            ["", "(MIN", "(X)", "(ALL PARTIAL 1:2)", "(PARTIAL 1)", "(PARTIAL 0:1)", "(PARTIAL -1:2)", "(PARTIAL 1:*)"]
        {
            assert_eq!(returns(bad), None, "{bad}");
        }
    }
}
