"""Python's imaplib: plain on loopback, STARTTLS and implicit TLS; every kind of command."""

import imaplib
import ssl
import time

import corpus

NEEDS = ()


def context(server):
    return ssl.create_default_context(cafile=server.certificate)


def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


def sessions(server):
    plain = imaplib.IMAP4("localhost", server.ports["imap"])
    ok(plain.login("anna", "long-secret"))
    starttls = imaplib.IMAP4("localhost", server.ports["imap"])
    ok(starttls.starttls(context(server)))
    ok(starttls.authenticate("PLAIN", lambda _: b"\0anna\0long-secret"))
    implicit = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=context(server))
    ok(implicit.login("anna", "long-secret"))
    return plain, starttls, implicit


def wrong_password(server):
    other = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=context(server))
    try:
        other.login("anna", "wrong")
    except imaplib.IMAP4.error:
        pass
    else:
        raise AssertionError("a wrong password was accepted")
    other.logout()


def mailboxes(imap):
    for name in ("Work", "Work/Old", '"two words"', '"Entw&APw-rfe"'):
        ok(imap.create(name))
        ok(imap.subscribe(name))
    listed = b"\n".join(ok(imap.list()))
    for name in (b"INBOX", b"Work/Old", b'"two words"', b"Entw&APw-rfe", b"\\Sent", b"\\Trash"):
        assert name in listed, (name, listed)
    assert b"Work/Old" in b"\n".join(ok(imap.lsub()))
    ok(imap.rename("Work/Old", "Work/Older"))
    ok(imap.unsubscribe("Work/Old"))
    ok(imap.delete("Work/Older"))
    assert b"Older" not in b"\n".join(ok(imap.list()))
    assert imap.create("Work")[0] == "NO", "CREATE of a mailbox that is there"
    assert imap.delete("INBOX")[0] == "NO", "DELETE INBOX"
    assert b"NIL" in ok(imap.namespace())[0]


def messages(imap, other):
    octets = corpus.oddities()
    date = imaplib.Time2Internaldate(time.time())
    for name in ("plain", "attachment", "encoded-words", "multipart"):
        done = ok(imap.append("Work", "(\\Flagged)", date, octets[name]))
        assert b"APPENDUID" in done[0], done
    assert ok(imap.select("Work")) == [b"4"]
    ok(other.select("Work"))
    assert ok(imap.search(None, "FLAGGED")) == [b"1 2 3 4"]
    assert ok(imap.search(None, "SUBJECT", '"att"')) == [b"2"]
    assert ok(imap.search(None, "NOT", "FROM", "anna")) in ([b""], [None])
    data = ok(imap.fetch("1", "(RFC822 FLAGS)"))
    assert data[0][1] == octets["plain"], data
    ok(imap.store("2", "+FLAGS", "(\\Answered Todo)"))
    flags = ok(other.fetch("2", "(FLAGS)"))[0]
    assert b"\\Answered" in flags and b"Todo" in flags, flags
    ok(imap.store("2", "-FLAGS.SILENT", "\\Answered"))
    ok(other.noop())
    assert b"\\Answered" not in ok(other.fetch("2", "(FLAGS)"))[0]
    ok(imap.copy("1:2", '"two words"'))
    assert imap.copy("1", "Nowhere")[0] == "NO"
    if "MOVE" in imap.capabilities:
        typ, data = imap.uid("MOVE", "3", '"two words"')
        assert typ == "OK", data
    else:
        ok(imap.store("3", "+FLAGS", "\\Deleted"))
        ok(imap.expunge())
    ok(imap.store("1", "+FLAGS", "\\Deleted"))
    assert ok(imap.expunge()) == [b"1"]
    other.response("EXPUNGE")
    ok(other.noop())
    assert ok(other.search(None, "ALL")) == [b"1 2"]
    status = ok(imap.status('"two words"', "(MESSAGES UNSEEN UIDNEXT)"))[0]
    assert b"MESSAGES 3" in status or b"MESSAGES 2" in status, status
    ok(imap.check())
    ok(imap.close())
    ok(imap.select("INBOX", readonly=True))
    ok(imap.unselect())


def run(server):
    server.add_user("anna", "long-secret")
    plain, starttls, implicit = sessions(server)
    wrong_password(server)
    mailboxes(plain)
    messages(starttls, implicit)
    for imap in (plain, starttls, implicit):
        imap.logout()
