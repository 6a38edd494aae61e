"""The end-to-end test from the host: what people's programs do with a mail server, over the network of the emulated board."""

import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/interop"))

from corpus import mail, oddities
from wire import Imap, Lmtp, Pop3

USER, PASSWORD, DOMAIN = "anna", "correct-horse-7", "home.example"
# Of the messages that break mail programs, those where octets are lost most easily.
DELIVERED = ("plain", "dots", "eight-bit-body", "utf8-headers", "bare-cr", "attachment", "long-line", "no-line-end-at-the-end")
LONG = 1 << 20
# The USB networks of the emulated Pis carry some 60 KB a second.
LONG_SLOW = 1 << 17
PUSH_SECONDS = 20


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


class State:
    """What the server has acknowledged: octets and flags by UID, and what POP3 must show."""

    def __init__(self):
        self.octets, self.flags, self.pop3 = {}, {}, []


def flags_of(row):
    return sorted(flag.decode() for flag in row[b"FLAGS"] if flag != b"\\Recent")


def deliver(ports, octets):
    session = Lmtp(ports[24])
    for reply in session.deliver(octets, [f"{USER}@{DOMAIN}"]):
        expect(reply.startswith(b"250"), f"LMTP did not take a message: {reply!r}")
    session.close()


def sent(slow):
    """The messages as DATA carries them: each ends with a line end."""
    every = oddities()
    every["long-line"] = mail(b"long", b"Subject: one line\r\n", b"y" * (LONG_SLOW if slow else LONG) + b"\r\n")
    return [octets if octets.endswith(b"\r\n") else octets + b"\r\n" for octets in (every[name] for name in DELIVERED)]


def first_day(ports, slow=False):
    """Mail in by LMTP and APPEND; out by IMAP and POP3 octet for octet; flags, IDLE, deletions. What must be there after that."""
    state = State()
    messages = sent(slow)
    for octets in messages:
        deliver(ports, octets)

    refused = Imap(ports[993], tls=True)
    _, answer = refused.command(f'LOGIN {USER} "wrong-password"')
    expect(answer.startswith(b"NO"), f"a wrong password was answered by {answer!r}")
    refused.close()

    imap = Imap(ports[993], USER, PASSWORD, tls=True)
    imap.ok("SELECT INBOX")
    for uid, octets in enumerate(messages, 1):
        stored = imap.body(uid)
        expect(stored.endswith(octets) and stored.startswith(b"Return-Path: <sender@example.org>\r\n"),
               f"IMAP shows {DELIVERED[uid - 1]!r} differently from what was delivered")
        state.octets[uid], state.flags[uid] = stored, []
    idle(ports, state)
    append(imap, state)
    flag(imap, state)
    pop3(ports, state)
    expunge(imap, state)
    check(ports, state)
    imap.logout()
    return state


def idle(ports, state):
    """A session in IDLE hears of a delivery without asking."""
    watcher = Imap(ports[993], USER, PASSWORD, tls=True, timeout=PUSH_SECONDS)
    watcher.ok("SELECT INBOX")
    tag = watcher.start("IDLE")
    expect(watcher.response().startswith(b"+"), "IDLE was refused")
    octets = b"From: bob@example.org\r\nSubject: pushed\r\n\r\nnow\r\n"
    thread = threading.Thread(target=deliver, args=(ports, octets))
    thread.start()
    count = len(state.octets) + 1
    while watcher.response() != b"* %d EXISTS\r\n" % count:
        pass
    watcher.send(b"DONE\r\n")
    watcher.finish(tag)
    thread.join()
    state.octets[count], state.flags[count] = watcher.body(count), []
    expect(state.octets[count].endswith(octets), "the pushed message is not the delivered one")
    watcher.logout()


def append(imap, state):
    octets = b"From: anna@home.example\r\nSubject: appended\r\n\r\n" + bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"") * 400 + b"\r\n"
    answer = imap.append("INBOX", octets, "\\Seen \\Draft")
    expect(answer.startswith(b"OK"), f"APPEND: {answer!r}")
    imap.ok("NOOP")
    uid = len(state.octets) + 1
    expect(imap.body(uid) == octets, "IMAP shows the appended message differently")
    state.octets[uid], state.flags[uid] = octets, ["\\Draft", "\\Seen"]


def flag(imap, state):
    imap.ok("UID STORE 1,3 +FLAGS.SILENT (\\Flagged $Forwarded)")
    imap.ok("UID STORE 2 FLAGS.SILENT (\\Answered)")
    state.flags.update({1: ["$Forwarded", "\\Flagged"], 3: ["$Forwarded", "\\Flagged"], 2: ["\\Answered"]})


def pop3(ports, state):
    """POP3 has the same octets; what it deletes is gone for it, and stays for IMAP."""
    session = Pop3(ports[995], USER, PASSWORD, tls=True, utf8=True)
    listed = session.many("UIDL").splitlines()
    expect(len(listed) == len(state.octets), f"POP3 shows {len(listed)} messages instead of {len(state.octets)}")
    for number, octets in enumerate(state.octets.values(), 1):
        expect(session.many(f"RETR {number}") == octets, f"POP3 shows message {number} differently from IMAP")
    session.ok("DELE 1")
    session.quit()
    state.pop3 = [line.split()[1] for line in listed[1:]]


def expunge(imap, state):
    imap.ok("UID STORE 4 +FLAGS.SILENT (\\Deleted)")
    imap.ok("UID EXPUNGE 4")
    # The second of POP3's list is message 2, so that message 4 is its third.
    del state.octets[4], state.flags[4], state.pop3[2]


def check(ports, state):
    """Everything is as acknowledged, by IMAP and by POP3."""
    imap = Imap(ports[993], USER, PASSWORD, tls=True)
    imap.ok("SELECT INBOX")
    rows = imap.fetch("1:*", "(FLAGS)")
    expect(sorted(rows) == sorted(state.octets), f"IMAP has the UIDs {sorted(rows)} instead of {sorted(state.octets)}")
    for uid, octets in state.octets.items():
        expect(flags_of(rows[uid]) == sorted(state.flags[uid]), f"UID {uid} has the flags {flags_of(rows[uid])} instead of {state.flags[uid]}")
        expect(imap.body(uid) == octets, f"UID {uid} has changed")
    imap.logout()
    session = Pop3(ports[995], USER, PASSWORD, tls=True, utf8=True)
    uidl = [line.split()[1] for line in session.many("UIDL").splitlines()]
    expect(uidl == state.pop3, f"POP3 lists {uidl} instead of {state.pop3}")
    session.quit()


def second_day(ports, state):
    """After the power cut: all that was acknowledged is there, and mail goes on."""
    check(ports, state)
    idle_count = max(state.octets) + 1
    deliver(ports, b"Subject: after the power cut\r\n\r\nstill here\r\n")
    imap = Imap(ports[993], USER, PASSWORD, tls=True)
    imap.ok("SELECT INBOX")
    expect(imap.body(idle_count).endswith(b"\r\n\r\nstill here\r\n"), "mail after the power cut is not the delivered one")
    imap.logout()
