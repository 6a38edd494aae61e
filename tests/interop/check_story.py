"""A story of eight weeks: one account, a laptop whose getmail leaves mail on the server, a desktop whose mpop deletes it
after downloading, a tablet with mbsync, and a phone in IDLE, all at once, each with a password of its own.

Each POP3 device gets every message exactly once. IMAP loses nothing but what the POP3 rules name: what the desktop
deleted goes to the trash 14 days later, once the laptop has it, too, and leaves the trash after 30 days; what went in the
last week comes back by `mailnook undelete`. The server's clock is moved on with libfaketime.
"""

import json
import mailbox
import re

import programs
from servers import DOMAIN
from wire import Imap, Lmtp

NEEDS = ("getmail", "mpop", "mbsync", "faketime")
SERVERS = ("mailnook",)
OPTIONS = {"mailnook": {"clock": True}}

USER = "anna"
DAYS = 54
STEP = 3
HIDE_DAYS = 14
TRASH_DAYS = 30
UNDELETE_DAYS = 7
# The laptop is away for these days; nothing may go meanwhile that it has not got.
HOLIDAY = range(15, 27)


def device(server, name, *options):
    """The password of a new device, from what the command prints."""
    printed = server.run("device", "add", USER, name, *options).stdout.decode()
    assert f"user name: {USER}\n" in printed and "port" in printed, printed
    return re.search(r"^password: (\S+)$", printed, re.M)[1]


def message(number):
    return f"""\
From: Friend {number % 3} <friend{number % 3}@example.org>
To: anna@{DOMAIN}
Subject: Letter {number}
Message-ID: <letter-{number}@example.org>

This is letter {number}.
""".replace("\n", "\r\n").encode()


def numbers(octets):
    """Which letters are in these messages, in any order."""
    return sorted(int(re.search(rb"^Message-ID: <letter-(\d+)@", one, re.M)[1]) for one in octets)


def maildir(path):
    folder = mailbox.Maildir(path, create=True)
    return [folder.get_bytes(key) for key in folder.keys()]


class Laptop:
    """getmail; it remembers unique-ids and deletes nothing."""

    def __init__(self, server, password):
        self.home = server.dir / "laptop"
        self.home.mkdir()
        self.mail = self.home / "mail"
        maildir(self.mail)
        # getmail writes no maildir as root, and misses the end of a program that ends at once (see check_fetch_and_deliver).
        deliver = self.home / "deliver"
        deliver.write_text(f"#!/bin/sh\nname=$(date +%s%N).$$\ncat >{self.mail}/tmp/$name && mv {self.mail}/tmp/$name {self.mail}/new/$name\n"
                           "code=$?\nsleep 0.2\nexit $code\n")
        deliver.chmod(0o755)
        (self.home / "getmailrc").write_text(f"""\
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {server.ports['pop3s']}
username = {USER}
password = {password}
ca_certs = {server.certificate}
[destination]
type = MDA_external
path = {deliver}
allow_root_commands = true
[options]
read_all = false
delete = false
delivered_to = false
received = false
""")

    def poll(self):
        programs.run(["getmail", "--getmaildir", self.home, "--rcfile", self.home / "getmailrc"], self.home)

    def letters(self):
        return numbers(maildir(self.mail))


class Desktop:
    """mpop; it deletes what it has downloaded."""

    def __init__(self, server, password):
        self.home = server.dir / "desktop"
        self.home.mkdir()
        self.mail = self.home / "mail"
        maildir(self.mail)
        path = self.home / ".mpoprc"
        path.write_text(f"""\
account {USER}
host localhost
port {server.ports['pop3s']}
user {USER}
password {password}
tls on
tls_starttls off
tls_trust_file {server.certificate}
keep off
received_header off
delivery maildir {self.mail}
uidls_file {self.home}/uidls
""")
        path.chmod(0o600)

    def poll(self):
        programs.run(["mpop", "-C", self.home / ".mpoprc", USER], self.home)

    def letters(self):
        return numbers(maildir(self.mail))


class Tablet:
    """mbsync; it mirrors everything both ways."""

    def __init__(self, server, password):
        self.home = server.dir / "tablet"
        (self.home / "mail").mkdir(parents=True)
        (self.home / ".mbsyncrc").write_text(f"""\
IMAPAccount far
Host localhost
Port {server.ports['imaps']}
User {USER}
Pass {password}
SSLType IMAPS
CertificateFile {server.certificate}

IMAPStore far
Account far

MaildirStore near
Path {self.home}/mail/
Inbox {self.home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")

    def poll(self):
        programs.run(["mbsync", "-c", self.home / ".mbsyncrc", "-a"], self.home)

    def letters(self, name):
        return numbers(maildir(self.home / "mail" / name))


class Phone:
    """Waits in IDLE and counts what it is told of."""

    def __init__(self, server, password):
        self.imap = Imap(server.ports["imaps"], USER, password, tls=True)
        self.imap.ok("SELECT INBOX")
        self.tag = self.imap.start("IDLE")
        assert self.imap.response().startswith(b"+")

    def hears(self, word):
        """The next thing that it is told; fails after the socket's time-out."""
        while word not in (heard := self.imap.response()):
            assert heard.startswith(b"* "), heard
        return heard

    def letters(self, name):
        """Looks into a mailbox between two IDLEs."""
        self.imap.send(b"DONE\r\n")
        self.imap.finish(self.tag)
        self.imap.ok(f"EXAMINE {name}")
        found = numbers(row[b"BODY[]"] for row in self.imap.fetch("1:*", "(UID BODY.PEEK[])").values())
        self.imap.ok("SELECT INBOX")
        self.tag = self.imap.start("IDLE")
        assert self.imap.response().startswith(b"+")
        return found


def expected(letters, fetched, deleted, trashed, today):
    """What is in INBOX and in the trash, by the rules as README tells them; `trashed` learns when each letter came there."""
    for number in letters:
        have = number in fetched and number in deleted
        if have and today >= deleted[number] + HIDE_DAYS:
            trashed.setdefault(number, today)
    return sorted(n for n in letters if n not in trashed), sorted(n for n in trashed if today < trashed[n] + TRASH_DAYS)


def run(server):
    server.add_user(USER, "long-secret")
    laptop = Laptop(server, device(server, "laptop", "--pop3"))
    desktop = Desktop(server, device(server, "desktop", "--pop3"))
    tablet = Tablet(server, device(server, "tablet", "--imap"))
    phone_password = device(server, "phone", "--imap")
    server.run("user", "main-password", USER, "off")
    phone = Phone(server, phone_password)
    lmtp = Lmtp(server.lmtp_socket)
    letters, fetched, deleted, trashed = {}, {}, {}, {}
    for today in range(0, DAYS + 1, STEP):
        server.set_clock(days=today)
        for _ in range(2 if today < DAYS else 0):
            number = len(letters) + 1
            assert lmtp.deliver(message(number), [f"{USER}@{DOMAIN}"])[0].startswith(b"250")
            letters[number] = today
            phone.hears(b" EXISTS")
        # In turns one or the other device comes first.
        devices = [laptop, desktop, tablet]
        for one in devices if today % (2 * STEP) else reversed(devices):
            if one is laptop and today in HOLIDAY:
                continue
            one.poll()
            if one is laptop:
                for number in letters:
                    fetched.setdefault(number, today)
            if one is desktop:
                for number in letters:
                    deleted.setdefault(number, today)
        assert desktop.letters() == sorted(letters), f"day {today}: the desktop has {desktop.letters()}"
        assert laptop.letters() == sorted(fetched), f"day {today}: the laptop has {laptop.letters()}"
        server.run("expire")
        inbox, trash = expected(letters, fetched, deleted, trashed, today)
        assert phone.letters("INBOX") == inbox, f"day {today}: INBOX has {phone.letters('INBOX')}, not {inbox}"
        assert phone.letters("Trash") == trash, f"day {today}: Trash has {phone.letters('Trash')}, not {trash}"
    tablet.poll()
    assert (tablet.letters("INBOX"), tablet.letters("Trash")) == (inbox, trash)
    gone = {number for number in trashed if number not in trash}
    assert trash and gone, "the rules moved nothing"
    # What the rule of the trash took in the last days can be brought back, and nothing else.
    server.run("undelete", "--user", USER, "--since", f"{UNDELETE_DAYS} d")
    back = sorted(trash + [n for n in gone if trashed[n] + TRASH_DAYS > DAYS - UNDELETE_DAYS])
    assert phone.letters("Trash") == back and back != trash, f"Trash has {phone.letters('Trash')}, not {back}"
    trash = back
    tablet.poll()
    assert tablet.letters("Trash") == trash
    lmtp.close()
    listed = {one["device"]: one for one in json.loads(server.run("device", "list", USER, "--json").stdout)}
    assert [listed[name]["last_protocol"] for name in ("laptop", "desktop", "tablet", "phone")] == ["pop3", "pop3", "imap", "imap"]
    # The phone is stolen: its session ends at once, and the others go on.
    server.run("device", "revoke", USER, "phone")
    assert phone.hears(b"BYE").startswith(b"* BYE [EXPIRED]")
    for one in (laptop, desktop, tablet):
        one.poll()
    assert laptop.letters() == desktop.letters() == sorted(letters)
    print(f"   {len(letters)} letters in {DAYS} days: {len(inbox)} in INBOX, {len(trash)} in the trash, the rest left it by the rule")
