"""Python's poplib: plain on loopback, STLS and implicit TLS; UTF8, LIST, UIDL, TOP, RETR, DELE, RSET, QUIT."""

import poplib
import ssl

import corpus
from servers import DOMAIN
from wire import Imap, Lmtp

NEEDS = ()
poplib._MAXLINE = 2 << 20  # poplib's own limit of 2048 octets is smaller than lines of real mail.


def connect(server, how, utf8=False):
    context = ssl.create_default_context(cafile=server.certificate)
    if how == "pop3s":
        pop3 = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=context)
    else:
        pop3 = poplib.POP3("localhost", server.ports["pop3"])
        if how == "stls":
            assert pop3.stls(context).startswith(b"+OK")
    if utf8:
        pop3.utf8()
    pop3.user("anna")
    pop3.pass_("long-secret")
    return pop3


def run(server):
    server.add_user("anna", "long-secret")
    messages = corpus.all_messages()
    if server.name == "dovecot":  # It changes these on purpose.
        messages = {name: octets for name, octets in messages.items() if b"\r\r" not in octets and b"\r." not in octets}
    sent = list(messages.values())
    lmtp = Lmtp(server.ports["lmtp"])
    for octets in sent:
        assert lmtp.deliver(octets, [f"anna@{DOMAIN}"])[0].startswith(b"250")
    lmtp.close()
    if server.name != "dovecot":
        # LMTP adds a line end where there is none at the end of a message, APPEND does not. Dovecot's LIST does not count it.
        imap = Imap(server.ports["imap"], "anna", "long-secret")
        for octets in (octets for octets in messages.values() if not octets.endswith(b"\r\n")):
            assert imap.append("INBOX", octets).startswith(b"OK")
            sent.append(octets)
        imap.logout()
    sent = [octets if octets.endswith(b"\r\n") else octets + b"\r\n" for octets in sent]

    if server.name != "dovecot":
        pop3 = connect(server, "plain", utf8=True)
        assert "UTF8" in pop3.capa()
        every_message(pop3, sent)
        pop3.quit()
        sent = [corpus.surrogate(octets) for octets in sent]
        assert any(b"=?UTF-8?B?" in octets for octets in sent)
    pop3 = connect(server, "plain")
    count, uids = every_message(pop3, sent)
    # A session that is cut deletes nothing; RSET takes DELE back.
    pop3.dele(1)
    pop3.close()
    pop3 = connect(server, "stls")
    assert pop3.stat()[0] == count
    pop3.dele(1)
    pop3.rset()
    pop3.dele(2)
    pop3.quit()
    pop3 = connect(server, "pop3s")
    left = [line.split()[1] for line in pop3.uidl()[1]]
    assert left == [uid for at, uid in enumerate(uids) if at != 1], "UIDL changed"
    for number in range(1, count):
        pop3.dele(number)
    pop3.quit()
    pop3 = connect(server, "pop3s")
    assert pop3.stat() == (0, 0)
    pop3.quit()


def every_message(pop3, sent):
    """Each message comes as it is expected, and LIST and STAT count exactly what comes."""
    assert "TOP" in pop3.capa() and "UIDL" in pop3.capa()
    count, size = pop3.stat()
    assert count == len(sent), count
    sizes = [int(line.split()[1]) for line in pop3.list()[1]]
    assert sum(sizes) == size
    uids = [line.split()[1] for line in pop3.uidl()[1]]
    assert len(set(uids)) == count
    for number, octets in enumerate(sent, 1):
        lines = pop3.retr(number)[1]
        shown = b"\r\n".join(lines) + b"\r\n"
        assert len(shown) == sizes[number - 1], f"message {number}: {len(shown)} octets, LIST said {sizes[number - 1]}"
        assert shown.endswith(octets), f"message {number} differs: {octets[:300]!r}"
        header_end = lines.index(b"") if b"" in lines else len(lines)
        assert pop3.top(number, 1)[1] == lines[: header_end + 2], f"TOP {number} 1"
    return count, uids
