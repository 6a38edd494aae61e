"""METADATA and NOTIFY through Python's imaplib: it knows neither, sends both as they are, and reads every response."""

import imaplib
import socket

import corpus
from servers import DOMAIN
from wire import Lmtp

NEEDS = ()
# Dovecot has METADATA only with a dictionary, and no ServerMetadataChange.
SERVERS = ("mailnook",)
# imaplib would keep a command that is new to it to the state in which it came first.
imaplib.Commands.update(dict.fromkeys(("GETMETADATA", "SETMETADATA", "NOTIFY"), ("AUTH", "SELECTED")))
COLOUR = "/shared/vendor/example/colour"


def login(server):
    imap = imaplib.IMAP4("localhost", server.ports["imap"], timeout=20)
    ok(imap.login("anna", "long-secret"))
    return imap


def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


def no(imap, code, *command):
    kind, data = imap.xatom(*command)
    assert kind == "NO" and code in data[0], (command, kind, data)


def untagged(imap, name):
    """What came under that name since the last time, with literals in their places."""
    parts = [part if isinstance(part, tuple) else (part,) for part in imap.response(name)[1] if part is not None]
    return [b"".join(part) for part in parts]


def metadata(imap, far):
    ok(imap.xatom("SETMETADATA", "INBOX", f'({COLOUR} "#b71c1c" /private/comment "Gr{{}}")'))
    ok(imap.xatom("GETMETADATA", "INBOX", COLOUR))
    assert untagged(imap, "METADATA") == [b'INBOX (%s "#b71c1c")' % COLOUR.encode()]
    # What is not set is left out; another session sees what is.
    ok(far.xatom("GETMETADATA", "INBOX", "(DEPTH infinity)", "(/shared /private/comment /private/nothing)"))
    told = b" ".join(untagged(far, "METADATA"))
    assert COLOUR.encode() in told and b'/private/comment "Gr{}"' in told and b"nothing" not in told, told
    ok(imap.xatom("SETMETADATA", "Work", '(/shared/comment "a comment")'))
    ok(far.xatom("GETMETADATA", "(MAXSIZE 3)", "Work", "/shared/comment"))
    told = untagged(far, "METADATA")
    assert told == [b"LONGENTRIES 9"], told
    ok(imap.xatom("LIST", '""', "(INBOX Work)", f"RETURN (METADATA ({COLOUR}))"))
    assert len(untagged(imap, "LIST")) == 2
    assert untagged(imap, "METADATA") == [b'INBOX (%s "#b71c1c")' % COLOUR.encode(), b"Work (%s NIL)" % COLOUR.encode()]
    ok(imap.xatom("SETMETADATA", "INBOX", f"({COLOUR} NIL)"))
    ok(far.xatom("GETMETADATA", "INBOX", COLOUR))
    assert b"#b71c1c" not in b"".join(untagged(far, "METADATA"))
    no(imap, b"NONEXISTENT", "GETMETADATA", "Nowhere", COLOUR)
    no(imap, b"METADATA MAXSIZE", "SETMETADATA", "INBOX", f'(/shared/comment "{"x" * 17000}")')


def lines(imap, count):
    """That many responses that nobody asked for."""
    return [imap.readline().rstrip(b"\r\n") for _ in range(count)]


def quiet(imap):
    """Nothing comes; what was asked for is not there either."""
    imap.sock.settimeout(0.3)
    try:
        left = imap.sock.recv(1)
    except (TimeoutError, socket.timeout):
        left = None
    imap.sock.settimeout(20)
    assert left is None, left


def notify(server, imap, far):
    ok(imap.select("INBOX"))
    events = "(SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange))" \
             " (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))"
    ok(imap.xatom("NOTIFY", "SET", "STATUS", events))
    assert any(line.startswith(b"Work (") for line in untagged(imap, "STATUS"))
    lmtp = Lmtp(server.ports["lmtp"])
    assert lmtp.deliver(corpus.oddities()["plain"], [f"anna@{DOMAIN}"])[0].startswith(b"250")
    exists, recent, fetch = lines(imap, 3)
    assert exists == b"* 1 EXISTS" and recent.endswith(b" RECENT"), (exists, recent)
    assert fetch.startswith(b"* 1 FETCH (UID 1 FLAGS ("), fetch
    assert lmtp.deliver(corpus.oddities()["plain"], [f"anna+Work@{DOMAIN}"])[0].startswith(b"250")
    lmtp.close()
    told = lines(imap, 1)[0]
    assert told.startswith(b"* STATUS Work (") and b"MESSAGES 1" in told, told
    ok(far.select("INBOX"))
    ok(far.store("1", "+FLAGS.SILENT", "(\\Deleted)"))
    assert b"\\Deleted" in lines(imap, 1)[0]
    ok(far.expunge())
    assert lines(imap, 1) == [b"* 1 EXPUNGE"]
    ok(far.create("New"))
    assert lines(imap, 1)[0].endswith(b'"/" New')
    ok(far.rename("New", "Newer"))
    assert b'"OLDNAME" (New)' in lines(imap, 1)[0]
    ok(far.subscribe("Newer"))
    assert b"\\Subscribed" in lines(imap, 1)[0]
    ok(far.xatom("SETMETADATA", "Newer", '(/shared/comment "x")'))
    assert lines(imap, 1) == [b"* METADATA Newer /shared/comment"]
    ok(far.xatom("SETMETADATA", "Newer", "(/shared/comment NIL)"))
    assert lines(imap, 1) == [b"* METADATA Newer /shared/comment"], "a removal is a change"
    ok(far.xatom("SETMETADATA", '""', '(/private/comment "x")'))
    assert lines(imap, 1) == [b'* METADATA "" /private/comment']
    ok(imap.xatom("NOTIFY", "NONE"))
    ok(far.delete("Newer"))
    quiet(imap)
    no(imap, b"BADEVENT", "NOTIFY", "SET", "(PERSONAL (Weather))")


def run(server):
    server.add_user("anna", "long-secret")
    imap, far = login(server), login(server)
    shown = ok(imap.capability())[-1].split()
    assert {b"METADATA", b"LIST-METADATA", b"NOTIFY"} <= set(shown), shown
    ok(imap.create("Work"))
    metadata(imap, far)
    notify(server, imap, far)
    imap.logout()
    far.logout()
