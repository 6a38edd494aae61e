"""SEARCH against what Python's email package decodes: headers in RFC 2047, body text in its charset and transfer encoding."""

import email
import email.errors
import email.header
import email.policy
import email.utils

import corpus
from check_structure import DIFFERS
from wire import Imap

NEEDS = ()
SUBJECTS = ("Grüße", "GRÜßE AUS", "köln", "test", "re:", "quotes", "nested", "forward", "2231", "no such words")
ADDRESSES = ("anna", "example.org", "JOE@", "Jürgen", "barry", "dingus", "nobody-has-this")
TEXTS = ("hello", "Grüße", "aus Köln", "weiter", "html", "innermost", "hi", "see attached", "“quotes”", "text", "nowhere-to-be-found")
# What Python decodes otherwise than the standards say, or does not decode.
UNSURE = {"broken-encoded-words", "utf16-claimed", "unknown-charset", "eight-bit-header", "eight-bit-body", "utf8-headers",
          "rfc2231", "long-line-1mb"}
# Multiparts without parts: their text is searched, though it is in no part.
UNSURE |= {"boundary-never-comes", "missing-boundary", "cpython-msg_17", "cpython-msg_25", "cpython-msg_31", "cpython-msg_41"}
# message/external-body: the headers of what is elsewhere are the part's text.
UNSURE |= {"cpython-msg_36"}


def fold(text):
    return " ".join(text.lower().split())


def decoded(value):
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, UnicodeDecodeError, email.errors.HeaderParseError):
        return value


def header_text(message, names):
    return "\n".join(decoded(str(value).replace("\r\n", "")) for name in names for value in message.get_all(name, []))


def body_text(message):
    """The decoded text of every text part, and the headers of messages inside."""
    texts = []
    for part in message.walk():
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload(0)
            texts.append("\n".join(f"{name}: {decoded(str(value))}" for name, value in inner.items()))
        if part.get_content_maintype() == "text" and isinstance(part.get_payload(), str):
            octets = part.get_payload(decode=True)
            try:
                texts.append(octets.decode(part.get_content_charset("us-ascii"), "replace"))
            except LookupError:
                texts.append(octets.decode("latin-1"))
    return "\n".join(texts)


def literal_search(imap, keys, text):
    """A search with one literal, which may hold any charset's octets."""
    octets = text.encode()
    tag = imap.tag()
    imap.send(tag + f" UID SEARCH CHARSET UTF-8 {keys} {{{len(octets)}+}}\r\n".encode() + octets + b"\r\n")
    untagged, tagged = imap.finish(tag)
    assert tagged.startswith(b"OK"), f"SEARCH {keys} {text!r}: {tagged!r}"
    for response in untagged:
        if response.startswith(b"* SEARCH"):
            return {int(word) for word in response.split()[2:]}
    return set()


def sizes_and_sets(imap, messages):
    """Keys that need no decoding."""
    sizes = {uid: len(octets) for uid, (_, octets, _) in messages.items()}
    every = set(sizes)
    for limit in (0, 200, 1000, 20000):
        assert set(imap.search(f"LARGER {limit}")) == {uid for uid, size in sizes.items() if size > limit}
        assert set(imap.search(f"SMALLER {limit}")) == {uid for uid, size in sizes.items() if size < limit}
    assert set(imap.search("SEEN")) == {uid for uid in every if uid % 2 == 0}
    assert set(imap.search("UNSEEN KEYWORD Third")) == {uid for uid in every if uid % 2 and uid % 3 == 0}
    assert set(imap.search("OR SEEN KEYWORD third")) == {uid for uid in every if uid % 2 == 0 or uid % 3 == 0}
    assert set(imap.search("NOT (SEEN KEYWORD Third)")) == {uid for uid in every if uid % 6}
    assert set(imap.search("UID 3:7,90:*")) == {uid for uid in every if 3 <= uid <= 7 or uid >= 90}
    assert set(imap.search("2:4 UNKEYWORD Third")) == {2, 4}
    assert set(imap.search("ON 2-Nov-2026")) == every and imap.search("BEFORE 2-Nov-2026") == []
    assert set(imap.search("SINCE 2-Nov-2026 BEFORE 3-Nov-2026")) == every
    sent = {uid: email.utils.parsedate_tz(message["Date"]) for uid, (_, _, message) in messages.items() if message["Date"]}
    # The Date header's own day, whatever its zone (RFC 3501 §6.4.4).
    on = {uid for uid, date in sent.items() if date and date[:3] == (2026, 11, 2)}
    found = set(imap.search("SENTON 2-Nov-2026"))
    unsure = {uid for uid, (name, _, _) in messages.items() if name in DIFFERS}
    assert found - unsure == on - unsure, (found, on)


def compare(imap, messages, key, text, expected_of):
    found = literal_search(imap, key, text)
    wanted = fold(text)
    expected = {uid for uid, (_, _, message) in messages.items() if wanted in fold(expected_of(message))}
    unsure = {uid for uid, (name, _, _) in messages.items() if name in UNSURE or name in DIFFERS}
    wrong = (found ^ expected) - unsure
    return [f"{key} {text!r}: {messages[uid][0]} {'found' if uid in found else 'not found'}" for uid in sorted(wrong)]


def run(server):
    server.add_user("anna", "long-secret")
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    messages = {}
    for uid, (name, octets) in enumerate(corpus.all_messages().items(), 1):
        flags = " ".join(flag for flag, of in (("\\Seen", 2), ("Third", 3)) if uid % of == 0)
        assert imap.append("INBOX", octets, flags=flags, date=" 2-Nov-2026 10:00:00 +0000").startswith(b"OK")
        messages[uid] = name, octets, email.message_from_bytes(octets, policy=email.policy.compat32)
    imap.ok("SELECT INBOX")
    sizes_and_sets(imap, messages)
    wrong = []
    for text in SUBJECTS:
        wrong += compare(imap, messages, "SUBJECT", text, lambda message: header_text(message, ["Subject"]))
    for text in ADDRESSES:
        for key, names in (("FROM", ["From"]), ("TO", ["To"]), ("CC", ["Cc"])):
            wrong += compare(imap, messages, key, text, lambda message: header_text(message, names))
    for text in TEXTS:
        wrong += compare(imap, messages, "BODY", text, body_text)
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)
    assert imap.command("SEARCH CHARSET KLINGON SUBJECT x")[1].startswith(b"NO [BADCHARSET"), "an unknown charset"
    imap.logout()
    print(f"   {len(SUBJECTS) + 3 * len(ADDRESSES) + len(TEXTS)} searches over {len(messages)} messages")
