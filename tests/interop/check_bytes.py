"""What goes in comes out, octet for octet: by APPEND, LMTP and `deliver`; by FETCH and RETR."""

import datetime
import subprocess

import corpus
from servers import DOMAIN
from wire import Imap, Lmtp, Pop3

NEEDS = ()
SENT_AT = datetime.datetime(2026, 11, 2, 9, 0, 0, tzinfo=datetime.timezone.utc)


def moment(internal_date):
    return datetime.datetime.strptime(internal_date.decode().strip(), "%d-%b-%Y %H:%M:%S %z")


def below_trace(stored, sent, name):
    """What is left of the message under the headers that a delivery adds; these must be header lines."""
    if not stored.endswith(sent):
        at = next((at for at in range(min(len(stored), len(sent))) if stored[-1 - at] != sent[-1 - at]), -1)
        raise AssertionError(f"{name}: stored {len(stored)} octets do not end with the {len(sent)} sent ones; they differ "
                             f"{at} octets before the end: {stored[-at - 40:][:80]!r} / {sent[-at - 40:][:80]!r}")
    trace = stored[: len(stored) - len(sent)]
    for line in trace.split(b"\r\n")[:-1]:
        assert line[:1] in b" \t" or b":" in line, f"{name}: no header line was put before it: {line!r}"
    assert trace == b"" or trace.endswith(b"\r\n"), f"{name}: {trace!r}"
    return trace


def same(name, got, sent):
    if got != sent:
        at = next((at for at, (one, two) in enumerate(zip(got, sent)) if one != two), min(len(got), len(sent)))
        raise AssertionError(f"{name}: {len(got)} octets came back for {len(sent)}; first difference at {at}: "
                             f"{got[at - 20 if at > 20 else 0:at + 20]!r} / {sent[at - 20 if at > 20 else 0:at + 20]!r}")


def append_and_fetch(server):
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    imap.ok("CREATE Bytes")
    names = {}
    imap.ok("SELECT Bytes")
    messages = {name: octets for name, octets in corpus.all_messages().items() if name not in CHANGED_BY.get(server.name, ())}
    for uid, (name, octets) in enumerate(messages.items(), 1):
        tagged = imap.append("Bytes", octets, flags="\\Seen", date=" 2-Nov-2026 10:00:00 +0100")
        assert tagged.startswith(b"OK"), f"{name}: {tagged!r}"
        names[uid] = (name, octets)
    rows = imap.fetch("1:*", "(UID RFC822.SIZE INTERNALDATE FLAGS)")
    assert len(rows) == len(names), f"{len(rows)} rows for {len(names)} messages"
    for uid, (name, octets) in names.items():
        assert int(rows[uid][b"RFC822.SIZE"]) == len(octets), f"{name}: RFC822.SIZE {rows[uid][b'RFC822.SIZE']} of {len(octets)}"
        assert moment(rows[uid][b"INTERNALDATE"]) == SENT_AT, rows[uid]
        same(name, imap.body(uid), octets)
        header, text = split(octets)
        row = imap.fetch(uid, "(BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[]<3.50>)")[uid]
        same(f"{name} HEADER and TEXT", row[b"BODY[HEADER]"] + row[b"BODY[TEXT]"], octets)
        same(f"{name} <3.50>", row[b"BODY[]<3>"] or b"", octets[3:53])
        if name not in HEADER_ENDS_ELSEWHERE:
            same(f"{name} HEADER", row[b"BODY[HEADER]"], header)
            same(f"{name} TEXT", row[b"BODY[TEXT]"], text)
    imap.logout()
    print(f"   {len(names)} messages by APPEND and FETCH")


# What other servers change on purpose, so that the check itself can be tried against them.
CHANGED_BY = {"dovecot": {"bare-cr", "dot-crlf-lookalike"}}
# Messages whose header has an end that may be argued about: no empty line, or a line that is no header.
HEADER_ENDS_ELSEWHERE = {"one-octet", "no-colon-in-header", "headers-only", "mbox-from-line", "no-line-end-at-the-end", "cpython-msg_19", "cpython-msg_35",
                        "space-before-colon"}


def split(octets):
    """Header with its empty line, and body."""
    if octets.startswith(b"\r\n"):
        return octets[:2], octets[2:]
    at = octets.find(b"\r\n\r\n")
    return (octets, b"") if at < 0 else (octets[: at + 4], octets[at + 4:])


def lmtp(server):
    sent = {}
    lmtp = Lmtp(server.lmtp_socket)
    messages = {**corpus.all_messages(), **corpus.with_nul()}
    if server.name == "dovecot":
        messages = {name: octets for name, octets in messages.items() if name not in corpus.with_nul()}
    for name, octets in messages.items():
        replies = lmtp.deliver(octets, [f"bob@{DOMAIN}", f"carl@{DOMAIN}"])
        assert all(reply.startswith(b"250") for reply in replies), f"{name}: {replies!r}"
        sent[name] = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
    lmtp.close()
    if server.name == "dovecot":
        return
    for user in ("bob", "carl"):
        imap = Imap(server.ports["imap"], user, "long-secret")
        imap.ok("SELECT INBOX")
        sessions = [Pop3(server.ports["pop3"], user, "long-secret", utf8=utf8) for utf8 in (True, False)]
        lists = [dict(line.split() for line in pop3.many("LIST").splitlines()) for pop3 in sessions]
        assert sessions[0].utf8, "UTF8 is not known"
        for uid, (name, octets) in enumerate(sent.items(), 1):
            stored = imap.body(uid)
            trace = below_trace(stored, octets, name)
            assert trace.startswith(b"Return-Path: <sender@example.org>\r\n"), trace
            assert f"Delivered-To: {user}@{DOMAIN}\r\n".encode() in trace, trace
            assert b"\r\nReceived: " in trace, trace
            for pop3, listed in zip(sessions, lists):
                shown = stored if pop3.utf8 else corpus.surrogate(stored)
                same(f"{name} RETR", pop3.many(f"RETR {uid}"), shown)
                assert int(listed[b"%d" % uid]) == len(shown), f"{name}: LIST {listed[b'%d' % uid]} of {len(shown)}"
        for pop3 in sessions:
            pop3.quit()
        imap.logout()
    print(f"   {len(sent)} messages by LMTP, FETCH and RETR, two recipients")


def deliver(server):
    messages = {**corpus.all_messages(), **corpus.with_nul()}
    imap = Imap(server.ports["imap"], "dora", "long-secret")
    imap.ok("SELECT INBOX")
    count = 0
    for name, octets in messages.items():
        if not (name.startswith("cpython-msg_0") or name in corpus.with_nul() or name in ("bare-cr", "no-line-end-at-the-end", "one-octet")):
            continue
        # What a program pipes has the line ends of unix.
        piped = octets.replace(b"\r\n", b"\n")
        done = subprocess.run(server.deliver_command(f"dora@{DOMAIN}"), input=piped, capture_output=True)
        assert done.returncode == 0, f"{name}: exit {done.returncode}: {done.stderr!r}"
        count += 1
        imap.ok("NOOP")
        below_trace(imap.fetch(count, "(BODY.PEEK[])")[count][b"BODY[]"], corpus.crlf(piped), name)
    imap.logout()
    print(f"   {count} messages by deliver")


def run(server):
    for user in ("anna", "bob", "carl", "dora"):
        server.add_user(user, "long-secret")
    append_and_fetch(server)
    lmtp(server)
    if server.name == "mailnook":
        deliver(server)
