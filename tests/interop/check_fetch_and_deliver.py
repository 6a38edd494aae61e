"""getmail and fetchmail read one account by POP3 and IMAP over TLS and pipe each message to `mailnook deliver` for another."""

import shlex

import corpus
import programs
from servers import DOMAIN
from wire import Imap, Lmtp

NEEDS = ("getmail", "fetchmail")


def getmail(server, home, protocol):
    kind = {"pop3": "SimplePOP3SSLRetriever", "imap": "SimpleIMAPSSLRetriever"}[protocol]
    # getmail 6.18 forks first and prepares to wait afterwards: on a busy machine it misses the end of a program that is done
    # at once, and gives up after minutes. So the program lingers.
    path = home / "deliver"
    path.write_text(f"#!/bin/sh\n{shlex.join(server.deliver_command(f'dora@{DOMAIN}'))}\ncode=$?\nsleep 0.2\nexit $code\n")
    path.chmod(0o755)
    (home / "getmailrc").write_text(f"""\
[retriever]
type = {kind}
server = localhost
port = {server.ports[protocol + 's']}
username = far
password = long-secret
ca_certs = {server.certificate}
{'mailboxes = ("INBOX",)' if protocol == 'imap' else ''}
[destination]
type = MDA_external
path = {path}
allow_root_commands = true
[options]
delete = {'true' if protocol == 'imap' else 'false'}
delivered_to = false
received = false
message_log = {home}/getmail.log
""")
    return programs.run(["getmail", "--getmaildir", home, "--rcfile", home / "getmailrc"], home)


def fetchmail(server, home, protocol):
    mda = shlex.join(server.deliver_command(f"eva@{DOMAIN}"))
    path = home / "fetchmailrc"
    path.write_text(f"""\
poll localhost service {server.ports[protocol]} protocol {protocol} {'uidl' if protocol == 'pop3' else ''}
  user "far" password "long-secret" is root here
  sslproto "auto" sslcertck sslcertfile "{server.certificate}"
  mda "{mda}"
  {'keep' if protocol == 'pop3' else 'nokeep'} fetchall no rewrite
""")
    path.chmod(0o600)
    return programs.run(["fetchmail", "-f", path, "--idfile", home / "ids", "--pidfile", home / "pid", "--nodetach"], home)


def bodies(imap):
    imap.ok("NOOP")
    return [row[b"BODY[]"] for row in imap.fetch("1:*", "(UID BODY.PEEK[])").values()]


def contains(found, sent, what):
    """Every sent message is the end of exactly one of those found."""
    assert len(found) == len(sent), f"{what}: {len(found)} messages for {len(sent)}"
    for octets in sent:
        body = octets.split(b"\r\n\r\n", 1)[1]
        # getmail writes a message anew and drops empty lines at the end.
        assert any(one.rstrip().endswith(body.rstrip()) for one in found), f"{what}: not there: {octets[:300]!r}"


def run(server):
    for user in ("far", "dora", "eva"):
        server.add_user(user, "long-secret")
    names = ("plain", "attachment", "encoded-words", "eight-bit-body", "dots", "digest", "quoted-printable", "many-headers")
    sent = [corpus.oddities()[name] for name in names] + [octets for name, octets in corpus.cpython().items() if name[-2:] in ("01", "10", "20", "45")]
    lmtp = Lmtp(server.lmtp_socket)
    deliveries = 0

    def put():
        for octets in sent:
            assert lmtp.deliver(octets, [f"far@{DOMAIN}"])[0].startswith(b"250")

    for program, user in ((getmail, "dora"), (fetchmail, "eva")):
        home = server.dir / program.__name__
        home.mkdir()
        put()
        inbox = Imap(server.ports["imap"], user, "long-secret")
        inbox.ok("SELECT INBOX")
        program(server, home, "pop3")
        contains(bodies(inbox), sent, f"{program.__name__} by POP3")
        program(server, home, "imap")
        contains(bodies(inbox), sent + sent, f"{program.__name__} by IMAP")
        inbox.logout()
        far = Imap(server.ports["imap"], "far", "long-secret")
        far.ok("SELECT INBOX")
        assert far.search("NOT DELETED") == [], f"{program.__name__} left messages behind"
        far.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        far.ok("EXPUNGE")
        far.logout()
        deliveries += 2 * len(sent)
    lmtp.close()
    print(f"   {deliveries} messages through deliver")
