"""Postfix takes mail by its sendmail command and delivers it over the LMTP socket: its own instance in a temporary directory."""

import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import time

import corpus
from servers import DOMAIN, free_ports
from wire import Imap

NEEDS = ("postfix", "postconf", "sendmail")
LIMIT_SECONDS = 40


class Postfix:
    """A Postfix with its own configuration, queue and port."""

    def __init__(self, server, transport):
        self.dir = server.dir / "postfix"
        self.configuration = self.dir / "etc"
        self.log = self.dir / "log"
        self.transport = transport
        self.port = free_ports(1)[0]

    def __enter__(self):
        for name in ("etc", "queue", "data"):
            (self.dir / name).mkdir(parents=True)
        shutil.chown(self.dir / "data", "postfix")
        (self.configuration / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.dir}/queue
data_directory = {self.dir}/data
maillog_file = {self.log}
maillog_file_prefixes = {self.dir}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.{DOMAIN}
mydestination =
alias_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = static:any
virtual_transport = {self.transport}
recipient_delimiter = +
smtputf8_enable = yes
message_size_limit = 60000000
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
bounce_queue_lifetime = 0
multi_instance_enable = no
smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient
unverified_recipient_reject_code = 550
address_verify_map =
""")
        # One place after the other may hold master.cf, depending on what debconf was told.
        master = next(path for path in (pathlib.Path("/etc/postfix/master.cf"), pathlib.Path("/usr/share/postfix/master.cf.dist")) if path.exists())
        lines = []
        for line in re.sub(r"\n[ \t]+", " ", master.read_text()).splitlines():
            words = line.split()
            if len(words) < 8 or words[0].startswith("#"):
                continue
            if words[0] == "smtp" and words[1] == "inet":
                words[0] = f"127.0.0.1:{self.port}"
            if words[1] == "inet" and not words[0].startswith("127."):
                continue
            words[4] = "n"  # Nothing is chrooted: the LMTP socket is outside of the queue directory.
            lines.append(" ".join(words))
        if not any(line.startswith("postlog ") for line in lines):
            lines.append("postlog unix-dgram n - n - 1 postlogd")
        (self.configuration / "master.cf").write_text("\n".join(lines) + "\n")
        self.run("postfix", "-c", self.configuration, "start")
        return self

    def __exit__(self, *_):
        subprocess.run(["postfix", "-c", self.configuration, "stop"], capture_output=True)

    def run(self, *command, stdin=b""):
        done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True,
                              env={**os.environ, "MAIL_CONFIG": str(self.configuration)})
        assert done.returncode == 0, f"{command}: {done.stdout!r} {done.stderr!r}\n{self.log_text()}"

    def log_text(self):
        return self.log.read_text()[-4000:] if self.log.exists() else "(no log)"

    def send(self, octets, *recipients):
        self.run("sendmail", "-C", self.configuration, "-i", "-f", "sender@example.org", "--", *recipients,
                 stdin=octets.replace(b"\r\n", b"\n"))

    def wait_for(self, done, what, more=str):
        end = time.monotonic() + LIMIT_SECONDS
        while not done():
            assert time.monotonic() < end, f"{what} did not happen {more()}\n{self.log_text()}"
            time.sleep(0.05)


def count(imap):
    imap.ok("NOOP")
    return len(imap.fetch("1:*", "(UID)"))


def run(server):
    for user in ("anna", "bob"):
        server.add_user(user, "long-secret")
    sessions = {user: Imap(server.ports["imap"], user, "long-secret") for user in ("anna", "bob")}
    for imap in sessions.values():
        imap.ok("SELECT INBOX")
    sessions["anna"].ok("CREATE lists")
    # Postfix itself changes a bare CR and lines over 2048 octets, and refuses what is no header.
    names = ("plain", "attachment", "encoded-words", "eight-bit-body", "dots", "digest", "quoted-printable", "utf8-headers", "windows-charset")
    if server.name == "dovecot":  # It offers no SMTPUTF8.
        names = tuple(name for name in names if name != "utf8-headers")
    sent = [corpus.oddities()[name] for name in names]
    sent += [octets for octets in corpus.cpython().values() if b"\r\n\r\n" in octets and not octets.startswith((b"From ", b"\r\n"))]
    sent = [octets for octets in sent if max(map(len, octets.split(b"\r\n"))) < 900 and octets.endswith(b"\r\n") and b"\r\n\r\n" in octets
            and all(re.match(rb"[!-9;-~]+:|[ \t]", line) for line in octets.split(b"\r\n\r\n")[0].split(b"\r\n"))]
    with Postfix(server, f"lmtp:unix:{server.lmtp_socket}") as postfix:
        for octets in sent:
            postfix.send(octets, f"anna@{DOMAIN}", f"bob@{DOMAIN}")
        for user, imap in sessions.items():
            postfix.wait_for(lambda: count(imap) >= len(sent), f"delivery of {len(sent)} messages to {user}",
                             lambda: f"{count(imap)} are there")
            found = [row[b"BODY[]"] for row in imap.fetch("1:*", "(UID BODY.PEEK[])").values()]
            assert len(found) == len(sent)
            for octets in sent:
                body = octets.split(b"\r\n\r\n", 1)[1]
                subject = re.search(rb"(?im)^Subject:.*(?:\r\n[ \t].*)*", octets.split(b"\r\n\r\n", 1)[0])
                assert any(one.endswith(b"\r\n\r\n" + body) and (not subject or subject[0] in one) for one in found), f"{user}: not there: {octets[:400]!r}"
            assert all(one.startswith(b"Return-Path: <sender@example.org>\r\n") and b"LMTP" in one for one in found), found[0][:600]
        # The plus address, and an unknown recipient, which bounces at once.
        postfix.send(sent[0], f"anna+lists@{DOMAIN}")
        if server.name == "mailnook":
            postfix.wait_for(lambda: b"MESSAGES 1" in b"".join(sessions["anna"].ok("STATUS lists (MESSAGES)")), "delivery to anna+lists")
            postfix.send(sent[0], f"nobody@{DOMAIN}")
            postfix.wait_for(lambda: "status=bounced" in postfix.log_text() and "550 5.1.1" in postfix.log_text(), "the bounce of an unknown recipient")
            # From outside, as the package's example has it: Postfix asks mailnook first, and refuses whom nobody knows.
            with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
                smtp.ehlo()
                smtp.mail("sender@example.org")
                told = [smtp.rcpt(f"{name}@{DOMAIN}") for name in ("nobody", "bob")]
                assert told[0][0] == 550 and b"5.1.1" in told[0][1], told
                assert told[1][0] == 250, told
                smtp.rset()
            # The server is away: Postfix keeps the mail and delivers it later.
            server.stop()
            postfix.send(corpus.oddities()["multipart"], f"bob@{DOMAIN}")
            postfix.wait_for(lambda: "status=deferred" in postfix.log_text(), "a deferred delivery")
            server.start()
            again = Imap(server.ports["imap"], "bob", "long-secret")
            again.ok("SELECT INBOX")
            postfix.run("postqueue", "-c", postfix.configuration, "-f")
            postfix.wait_for(lambda: count(again) == len(sent) + 1, "the later delivery")
            again.logout()
    print(f"   {len(sent)} messages to two recipients through Postfix")
