"""ENVELOPE and BODYSTRUCTURE against Python's email package, an independent reading of the same messages.

Every part that BODYSTRUCTURE tells of is fetched too: it must have the size that was announced and the octets that
Python finds.
"""

import email
import email.policy
import email.utils
import re

import corpus
from wire import Imap

NEEDS = ()

# Messages for which two right answers exist; the reason stands behind the name. What is compared for them is only that the
# answer is well-formed and that the parts it tells of can be read with their announced sizes.
NO_HEADER_END = "a line that is no header: Python begins the body there, others pass over it"
BARE_CR = "Python's lines end at a bare CR too"
CONTENT_TYPE = "RFC 2045 §5.2 leaves a broken Content-Type to the reader"
SAME_BOUNDARY = "one boundary for two levels: the delimiter may belong to either"
EMPTY_PART = "a delimiter right behind a delimiter: an empty part or none"
DIFFERS = {
    "no-colon-in-header": NO_HEADER_END,
    "space-before-colon": NO_HEADER_END,
    "one-octet": NO_HEADER_END,
    "cpython-msg_19": NO_HEADER_END,
    "cpython-msg_35": NO_HEADER_END,
    "cpython-msg_38": NO_HEADER_END,
    "mbox-from-line": "Python takes the mbox line off, others read it as a broken header line",
    "cpython-msg_43": "an mbox line, and a broken address in From",
    "bare-cr": BARE_CR,
    "bare-cr-in-header": BARE_CR,
    "dot-crlf-lookalike": BARE_CR,
    "broken-addresses": "broken addresses have no right reading",
    "bad-content-type": CONTENT_TYPE,
    "content-type-without-subtype": CONTENT_TYPE,
    "cpython-msg_14": CONTENT_TYPE,
    "cpython-msg_18": CONTENT_TYPE,
    "two-content-types": "the first or the last",
    "empty-boundary": "RFC 2046 asks for 1 to 70 characters; Python takes none too",
    "cpython-msg_15": SAME_BOUNDARY,
    "cpython-msg_39": SAME_BOUNDARY,
    "cpython-msg_33": "the boundary itself is encoded by RFC 2231",
    "cpython-msg_37": EMPTY_PART,
    "empty-parts": EMPTY_PART,
    "unclosed-boundary": "the last line end of the message belongs to the part or to the missing delimiter",
    "folded-with-blank-continuation": "a line of blanks ends the header or goes on",
    "nested-20": "deeper than what a server needs to tell",
}

ENVELOPE = (b"Date", b"Subject", b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc", b"In-Reply-To", b"Message-ID")
ADDRESS_FIELDS = (2, 3, 4, 5, 6, 7)


class Difference(AssertionError):
    pass


def equal(what, got, expected):
    if got != expected:
        raise Difference(f"{what}: {got!r}, Python: {expected!r}")


def octets(text):
    return text.encode("ascii", "surrogateescape")


def headers(message, name):
    """The raw values of a header, unfolded."""
    values = [value for field, value in message.raw_items() if field.lower() == name.lower()]
    return [re.sub(rb"\r\n(?=[ \t])", b"", octets(value)).strip(b" \t\r\n") for value in values]


def first(message, name):
    found = headers(message, name)
    return found[0] if found else None


def addresses(values):
    """What Python reads: (name, address) pairs; encoded words stay as they are."""
    texts = [value.decode("ascii", "surrogateescape") for value in values]
    return [(octets(name), octets(address)) for name, address in email.utils.getaddresses(texts) if address]


def told(list_of_addresses):
    """What ENVELOPE says, without the marks of groups."""
    found = []
    for name, _, mailbox, host in list_of_addresses or []:
        if host is None or mailbox is None:
            continue
        found.append((name or b"", mailbox + b"@" + host))
    return found


def compare_envelope(what, envelope, message):
    equal(f"{what} envelope length", len(envelope), 10)
    for at, field in enumerate(ENVELOPE):
        name = field.decode()
        if at in ADDRESS_FIELDS:
            values = headers(message, name)
            if not values and at in (3, 4):
                values = headers(message, "From")  # RFC 9051 §7.5.2: Sender and Reply-To default to From.
            plain = all(b"(" not in value and b"<>" not in value and b"@[" not in value and b"<@" not in value for value in values)
            expected, got = addresses(values), told(envelope[at])
            if not plain or any(b"@" not in address for _, address in expected):
                expected, got = [bool(expected)], [bool(envelope[at])]
            else:
                # The quotes of a local part may be kept or not; blanks are folded.
                squeeze = lambda pairs: [(b" ".join(one.split()), two.replace(b'"', b"")) for one, two in pairs]
                expected, got = squeeze(expected), squeeze(got)
            equal(f"{what} {name}", got, expected)
        else:
            blanks = lambda value: None if value is None else b" ".join(value.split())
            equal(f"{what} {name}", blanks(envelope[at]), blanks(first(message, name)) or (b"" if headers(message, name) and envelope[at] == b"" else None))


def parameters(flat):
    return {flat[at].lower(): flat[at + 1] for at in range(0, len(flat or []), 2)}


def python_parameters(message, header):
    """Parameters by name; None where RFC 2231 leaves the form to the server."""
    raw = first(message, header)
    if raw is None:
        return {}
    if b"*" in raw:
        return None
    found = message.get_params(failobj=[], header=header)
    return {octets(name).lower(): octets(value) for name, value in found[1:] if name}


def compare_parameters(what, flat, message, header):
    expected = python_parameters(message, header)
    if expected is None:
        return
    got = parameters(flat)
    if header == "content-type" and b"charset" not in expected and got.get(b"charset", b"").lower() == b"us-ascii":
        del got[b"charset"]  # The default (RFC 2045 §5.2) may be told.
    equal(f"{what} parameters of {header}", got, expected)


def compare_extension(what, rest, message, single):
    """MD5 (single parts only), disposition, language, location."""
    rest = list(rest)
    if single:
        md5 = rest.pop(0) if rest else None
        equal(f"{what} MD5", md5, first(message, "Content-MD5"))
    disposition = rest.pop(0) if rest else None
    raw = first(message, "Content-Disposition")
    if raw is None or disposition is None:
        equal(f"{what} disposition", disposition, None if not raw else disposition)
        assert raw in (None, b"") or disposition is not None, f"{what}: disposition {raw!r} is not told"
    else:
        equal(f"{what} disposition", disposition[0].lower(), octets(message.get_content_disposition()))
        compare_parameters(what, disposition[1], message, "content-disposition")
    language = rest.pop(0) if rest else None
    if language is not None and not isinstance(language, list):
        language = [language]
    raw = first(message, "Content-Language")
    equal(f"{what} language", language, [one.strip() for one in raw.split(b",")] if raw else None)
    equal(f"{what} location", rest.pop(0) if rest else None, first(message, "Content-Location"))


def compare_structure(what, structure, message, number, leaves):
    """Compares one part with those inside; `leaves` collects (section, size, Python's octets or None)."""
    main, sub = octets(message.get_content_maintype()), octets(message.get_content_subtype())
    if main == b"multipart" and not (isinstance(message.get_payload(), list) and message.get_payload()):
        # A multipart without parts: BODYSTRUCTURE cannot tell it, so that every server says something else.
        sections(structure, number, leaves)
        return
    if isinstance(structure[0], list):
        children = [one for one in structure if isinstance(one, list)]
        count = next(at for at, one in enumerate(structure) if not isinstance(one, list))
        children = structure[:count]
        equal(f"{what} type", (b"multipart", structure[count].lower()), (main, sub))
        parts = message.get_payload()
        equal(f"{what} parts", len(children), len(parts))
        if len(structure) > count + 1:
            compare_parameters(what, structure[count + 1], message, "content-type")
        compare_extension(what, structure[count + 2:], message, False)
        for at, (child, part) in enumerate(zip(children, parts), 1):
            section = f"{number}.{at}" if number else str(at)
            compare_structure(f"{what} [{section}]", child, part, section, leaves)
        return
    section = number or "1"
    equal(f"{what} type", (structure[0].lower(), structure[1].lower()), (main, sub))
    compare_parameters(what, structure[2], message, "content-type")
    equal(f"{what} id", structure[3], first(message, "Content-ID"))
    equal(f"{what} description", structure[4], first(message, "Content-Description"))
    encoding = (first(message, "Content-Transfer-Encoding") or b"7bit").lower()
    equal(f"{what} encoding", (structure[5] or b"").lower(), encoding)
    size, rest = int(structure[6]), structure[7:]
    payload = message._payload  # As it came; get_payload() decodes charsets.
    if (main, sub) == (b"message", b"rfc822"):
        inner = payload[0]
        compare_envelope(f"{what} inner", rest[0], inner)
        inner_number = section if inner.is_multipart() and inner.get_content_maintype() == "multipart" else f"{section}.1"
        compare_structure(f"{what} inner", rest[1], inner, inner_number, leaves)
        leaves.append((section, size, None))
        rest = rest[3:]
    else:
        body = octets(payload) if isinstance(payload, str) else None
        leaves.append((section, size, body))
        if main == b"text":
            if body is not None:
                lines = body.count(b"\n") + (0 if body.endswith(b"\n") or not body else 1)
                assert int(rest[0]) in (lines, body.count(b"\n")), f"{what} lines: {rest[0]!r}, Python: {lines}"
            rest = rest[1:]
    compare_extension(what, rest, message, True)


def sections(structure, number, found):
    """Every part's section and size, told by BODYSTRUCTURE alone."""
    if isinstance(structure[0], list):
        for at, child in enumerate(structure, 1):
            if not isinstance(child, list):
                return
            sections(child, f"{number}.{at}" if number else str(at), found)
        return
    section = number or "1"
    found.append((section, int(structure[6]), None))
    if structure[0].lower() == b"message" and structure[1].lower() == b"rfc822":
        inner = structure[8]
        sections(inner, section if isinstance(inner[0], list) else f"{section}.1", found)


def compare(imap, uid, name, sent):
    row = imap.fetch(uid, "(ENVELOPE BODYSTRUCTURE BODY)")[uid]
    leaves = []
    if name in DIFFERS:
        sections(row[b"BODYSTRUCTURE"], "", leaves)
    else:
        message = email.message_from_bytes(sent, policy=email.policy.compat32)
        compare_envelope(name, row[b"ENVELOPE"], message)
        compare_structure(name, row[b"BODYSTRUCTURE"], message, "", leaves)
    for section, size, body in leaves:
        got = imap.fetch(uid, f"(BODY.PEEK[{section}])")[uid][f"BODY[{section}]".encode()] or b""
        equal(f"{name} size of [{section}]", len(got), size)
        if body is not None:
            equal(f"{name} octets of [{section}]", got, body)
    return len(leaves)


def run(server):
    server.add_user("anna", "long-secret")
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    messages = corpus.all_messages()
    for octets_sent in messages.values():
        assert imap.append("INBOX", octets_sent).startswith(b"OK")
    imap.ok("SELECT INBOX")
    parts, differences = 0, []
    for uid, (name, sent) in enumerate(messages.items(), 1):
        try:
            parts += compare(imap, uid, name, sent)
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            differences.append(f"{name}: {type(error).__name__} {error}")
    imap.logout()
    assert not differences, f"{len(differences)} messages differ:\n" + "\n".join(differences)
    print(f"   {len(messages)} messages, {parts} parts, {len(DIFFERS)} with an argued difference")
