"""mpop: fetches by POP3S and by STLS into a maildir, keeps and deletes, and knows by UIDL what it has had."""

import mailbox

import corpus
import programs
from servers import DOMAIN
from wire import Lmtp

NEEDS = ("mpop",)


def fetch(server, home, keep, tls):
    path = home / ".mpoprc"
    path.write_text(f"""\
account anna
host localhost
port {server.ports['pop3s'] if tls == 'implicit' else server.ports['pop3']}
user anna
password long-secret
tls on
tls_starttls {'off' if tls == 'implicit' else 'on'}
tls_trust_file {server.certificate}
keep {'on' if keep else 'off'}
received_header off
delivery maildir {home}/mail
uidls_file {home}/uidls
""")
    path.chmod(0o600)
    return programs.run(["mpop", "-C", path, "anna"], home)


def stored(home):
    folder = mailbox.Maildir(home / "mail", create=False)
    return [corpus.crlf(folder.get_bytes(key)) for key in folder.keys()]


def run(server):
    server.add_user("anna", "long-secret")
    home = server.dir / "mpop"
    home.mkdir()
    mailbox.Maildir(home / "mail", create=True)
    # mpop takes CRs before a line end away.
    sent = [octets for octets in corpus.all_messages().values() if b"\r\r" not in octets]
    lmtp = Lmtp(server.lmtp_socket)
    for octets in sent:
        assert lmtp.deliver(octets, [f"anna@{DOMAIN}"])[0].startswith(b"250")
    fetch(server, home, True, "implicit")
    got = stored(home)
    assert len(got) == len(sent), f"{len(got)} of {len(sent)}"
    for octets in sent:
        # mpop does not say UTF8.
        expected = corpus.surrogate(octets if octets.endswith(b"\r\n") else octets + b"\r\n")
        assert any(one.endswith(expected) for one in got), octets[:300]
    fetch(server, home, True, "starttls")
    assert len(stored(home)) == len(sent), "a message was fetched twice: its UIDL changed"
    lmtp.deliver(sent[0], [f"anna@{DOMAIN}"])
    lmtp.close()
    text = fetch(server, home, False, "implicit")
    assert len(stored(home)) == len(sent) + 1, text
    # With keep off the old messages go too.
    text = fetch(server, home, False, "starttls")
    assert b"no messages" in text or b"0 messages" in text, text
    print(f"   {len(sent)} messages, kept, then deleted")
