"""Python's poplib: plain on loopback, STLS and implicit TLS; LIST, UIDL, TOP, RETR, DELE, RSET, QUIT."""

import poplib
import ssl

import corpus
from servers import DOMAIN
from wire import Lmtp

NEEDS = ()
poplib._MAXLINE = 2 << 20  # poplib's own limit of 2048 octets is smaller than lines of real mail.


def connect(server, how):
    context = ssl.create_default_context(cafile=server.certificate)
    if how == "pop3s":
        pop3 = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=context)
    else:
        pop3 = poplib.POP3("localhost", server.ports["pop3"])
        if how == "stls":
            assert pop3.stls(context).startswith(b"+OK")
    if "UTF8" in pop3.capa():
        # Else headers in UTF-8 come as surrogates in ASCII (RFC 6856).
        pop3.utf8()
    pop3.user("anna")
    pop3.pass_("long-secret")
    return pop3


def run(server):
    server.add_user("anna", "long-secret")
    sent = [octets for octets in corpus.all_messages().values() if octets.endswith(b"\r\n") and b"\r\r" not in octets and b"\r." not in octets]
    lmtp = Lmtp(server.ports["lmtp"])
    for octets in sent:
        assert lmtp.deliver(octets, [f"anna@{DOMAIN}"])[0].startswith(b"250")
    lmtp.close()

    pop3 = connect(server, "plain")
    assert "TOP" in pop3.capa() and "UIDL" in pop3.capa()
    count, size = pop3.stat()
    assert count == len(sent), count
    sizes = [int(line.split()[1]) for line in pop3.list()[1]]
    assert sum(sizes) == size
    uids = [line.split()[1] for line in pop3.uidl()[1]]
    assert len(set(uids)) == count
    for number, octets in enumerate(sent, 1):
        lines = pop3.retr(number)[1]
        stored = b"\r\n".join(lines) + b"\r\n"
        assert len(stored) == sizes[number - 1], f"message {number}: {len(stored)} octets, LIST said {sizes[number - 1]}"
        assert stored.endswith(octets), f"message {number} differs"
        header_end = lines.index(b"") if b"" in lines else len(lines)
        assert pop3.top(number, 1)[1] == lines[: header_end + 2], f"TOP {number} 1"
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
