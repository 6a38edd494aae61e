//! The result options of SEARCH (RFC 4466 §2.6.1, RFC 4731 §3.1, RFC 5182 §3, RFC 5267 §4, RFC 5465 §7, RFC 9394 §4).

use super::cursor::Cursor;
use super::fetch::attributes;
use crate::imap::command::{FetchItem, SearchReturn};
use crate::imap::partial::Partial;
use crate::imap::wire::error::Fault;

/// Reads ` (option ...)` behind RETURN, and the fetch items of UPDATE. No option means ALL.
pub(super) fn options(cursor: &mut Cursor<'_>) -> Result<(SearchReturn, Vec<FetchItem>), Fault> {
    cursor.space("the result options are missing")?;
    cursor.expect(b'(', "the result options are missing")?;
    let (mut options, mut fetch) = (SearchReturn::default(), Vec::new());
    cursor.padding();
    while !cursor.take(b')') {
        match cursor.word().to_ascii_uppercase().as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            "UPDATE" => {
                options.update = true;
                cursor.padding();
                if !cursor.take(b'(') {
                    continue;
                }
                fetch = attributes(cursor)?;
            }
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
    Ok((options, fetch))
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
    use crate::imap::command::{Command, FetchItem, SearchReturn};
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
    fn update_takes_fetch_items() {
        let frame = |options: &str| Frame::from_text(format!("t SEARCH RETURN {options} ALL\r\n").as_bytes()).unwrap();
        let items = |options: &str| match parse(&frame(options)) {
            Ok((_, Command::Search { returns: Some(returns), fetch, .. })) if returns.update => Some(fetch),
            _ => None,
        };
        assert_eq!(items("(UPDATE)"), Some(Vec::new()));
        assert_eq!(items("(COUNT UPDATE (UID FLAGS) MIN)"), Some(vec![FetchItem::Uid, FetchItem::Flags]));
        assert_eq!(items("(UPDATE (UID))"), Some(vec![FetchItem::Uid]));
        for bad in
            ["(UPDATE ())", "(UPDATE (UID)", "(UPDATE UID)", "(COUNT (UID) UPDATE)", "(UPDATE (MIN))", "(UPDATE[UID])"]
        {
            assert_eq!(items(bad), None, "{bad}");
        }
        assert!(parse(&Frame::from_text(b"t SORT RETURN (UPDATE (UID)) (DATE) UTF-8 ALL\r\n").unwrap()).is_err());
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
