"""A story of eight weeks: one account, a laptop whose getmail leaves mail on the server, a desktop whose mpop deletes it
after downloading, a tablet with mbsync, and a phone in IDLE, all at once, each with a password of its own.

Each POP3 device gets every message exactly once. IMAP loses nothing but what the POP3 rules name: what the desktop
deleted goes to the trash 14 days later, once the laptop has it, too, and leaves the trash after 30 days; what went in the
last week comes back by `mailnook undelete`. The account has a small quota: each time that it fills up, one warning comes,
and every figure in it is what the story knows. At the end `mailnook why` tells of every message what the story did to it.
README shows both texts; their lines are of the shapes that were printed here. The server's clock is moved on with
libfaketime.
"""

import datetime
import email
import json
import mailbox
import re
import time

import programs
from servers import DOMAIN, ROOT
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
RATE_DAYS = 30
QUOTA = 120_000
# The laptop is away for these days; nothing may go meanwhile that it has not got.
HOLIDAY = range(15, 27)
# The phone reads these letters and puts them away on that day; on the other one the tablet deletes them.
KEPT, KEPT_DAY, CLEARED_DAY = (3, 6, 9), 12, 36
DAY = 86_400
MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>\r\n]+>)", re.M)


def device(server, name, *options):
    """The password of a new device, from what the command prints."""
    printed = server.run("device", "add", USER, name, *options).stdout.decode()
    assert f"user name: {USER}\n" in printed and "port" in printed, printed
    return re.search(r"^password: (\S+)$", printed, re.M)[1]


def sender(number):
    return f"friend{number % 3}@example.org"


def message(number):
    """A letter; those of one friend are long."""
    lines = 140 if number % 3 == 0 else 20
    return (f"From: Friend {number % 3} <{sender(number)}>\r\nTo: anna@{DOMAIN}\r\nSubject: Letter {number}\r\n"
            f"Message-ID: {letter_id(number)}\r\n\r\n" + f"This is letter {number}, and it goes on and on and on, line by line.\r\n" * lines).encode()


def letter_id(number):
    return f"<letter-{number}@example.org>"


def ids(octets):
    """The Message-IDs of these messages, in any order."""
    return sorted(MESSAGE_ID.search(one)[1].decode() for one in octets)


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
        return ids(maildir(self.mail))


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
        return ids(maildir(self.mail))


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
        return ids(maildir(self.home / "mail" / name))

    def delete(self, name, wanted):
        """Deletes its copies of these messages."""
        folder = mailbox.Maildir(self.home / "mail" / name)
        for key in folder.keys():
            if ids([folder.get_bytes(key)])[0] in wanted:
                folder.remove(key)


class Phone:
    """Waits in IDLE and keeps the alerts that it is told."""

    def __init__(self, server, password):
        self.imap = Imap(server.ports["imaps"], USER, password, tls=True)
        self.alerts = []
        self.imap.ok("SELECT INBOX")
        self.wait()

    def wait(self):
        self.tag = self.imap.start("IDLE")
        assert self.imap.response().startswith(b"+")

    def hears(self, word):
        """The next thing that it is told; fails after the socket's time-out."""
        while True:
            heard = self.imap.response()
            assert heard.startswith(b"* "), heard
            if heard.startswith(b"* NO [ALERT]"):
                self.alerts.append(heard.decode())
            if word in heard:
                return heard

    def awake(self, use):
        """What `use` does between two IDLEs."""
        self.imap.send(b"DONE\r\n")
        heard, _ = self.imap.finish(self.tag)
        self.alerts += [one.decode() for one in heard if one.startswith(b"* NO [ALERT]")]
        result = use(self.imap)
        self.imap.ok("SELECT INBOX")
        self.wait()
        return result

    def look(self, name):
        """What is in a mailbox: octets and size by Message-ID."""
        def use(imap):
            imap.ok(f"EXAMINE {name}")
            rows = imap.fetch("1:*", "(UID RFC822.SIZE BODY.PEEK[])").values()
            return {ids([row[b"BODY[]"]])[0]: (row[b"BODY[]"], int(row[b"RFC822.SIZE"])) for row in rows}
        return self.awake(use)

    def put_away(self, wanted, name):
        """Reads messages of INBOX and moves them."""
        def use(imap):
            for one in wanted:
                (uid,) = imap.search(f'HEADER Message-ID "{one}"')
                imap.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Seen)")
                imap.ok(f"UID MOVE {uid} {name}")
        self.awake(use)


def units(octets):
    """Octets as the program prints them."""
    for factor, unit in ((1_000_000, "MB"), (1_000, "KB")):
        if octets >= factor:
            return f"{octets // factor}.{octets % factor * 10 // factor} {unit}"
    return f"{octets} B"


def newest_size(server, password):
    """Octets of the newest letter in INBOX, with what was put before it on its way; warnings that came since are passed over."""
    imap = Imap(server.ports["imaps"], USER, password, tls=True)
    imap.ok("EXAMINE INBOX")
    newest = max(imap.search("HEADER Message-ID letter-"))
    size = int(imap.fetch(newest, "(UID RFC822.SIZE)")[newest][b"RFC822.SIZE"])
    imap.logout()
    return size


class Message:
    """What the story knows of one message."""

    def __init__(self, came, who, size, notice):
        self.came, self.who, self.size, self.notice = came, who, size, notice
        self.place, self.since = "INBOX", came
        self.fetched, self.deleted = None, None
        # Moments, and what happened.
        self.events = []
        self.flags = "without flags"


class Story:
    """What has happened, and what the rules of README make of it."""

    def __init__(self):
        self.today = 0
        self.messages = {}
        self.warned = 0
        self.warnings = []

    def now(self):
        return time.time() + self.today * DAY

    def happens(self, one, what):
        one.events.append((self.now(), what))

    def inside(self, name):
        return sorted(key for key, one in self.messages.items() if one.place == name)

    def counted(self, *names):
        """What the quota counts: all but warnings, wherever they are."""
        return [one for one in self.messages.values() if one.place in (names or ("INBOX", "Archive", "Trash"))
                and not one.notice]

    def usage(self):
        return sum(one.size for one in self.counted())

    def arrives(self, key, who, size, notice=False):
        one = self.messages[key] = Message(self.today, who, size, notice)
        self.happens(one, f"came, {units(size)}, by {'a policy' if notice else 'LMTP'}")

    def moves(self, one, to, how):
        self.happens(one, f"moved from {one.place} to {to} {how}")
        one.place, one.since = to, self.today

    def polled(self, name):
        """The laptop or the desktop has fetched what was new to it in INBOX."""
        for one in self.messages.values():
            if one.place == "INBOX" and name == "laptop" and one.fetched is None:
                self.happens(one, "fetched by POP3 (laptop) from 127.0.0.1")
                one.fetched = self.today
            if one.place == "INBOX" and name == "desktop" and one.deleted is None:
                self.happens(one, "fetched by POP3 (desktop) from 127.0.0.1")
                self.happens(one, "deleted by POP3 (desktop) from 127.0.0.1: hidden from that device, kept for the others")
                one.deleted = self.today

    def goes(self, one, how):
        self.happens(one, how)
        one.was, one.place, one.since = one.place, "hidden", self.today

    def expires(self):
        """What `mailnook expire` does today."""
        for one in self.messages.values():
            had = one.fetched is not None and one.deleted is not None
            if one.place == "INBOX" and had and self.today >= one.deleted + HIDE_DAYS:
                self.moves(one, "Trash", "by the POP3 rules: every POP3 device has had it, and the days that are set were over")
            elif one.place == "Trash" and self.today >= one.since + TRASH_DAYS:
                self.goes(one, "expired in Trash: it was older than mail is kept there")
            elif one.place == "hidden" and self.today >= one.since + UNDELETE_DAYS:
                self.happens(one, "removed for good: the 7 days in which it could be brought back were over")
                one.place = "gone"
        self.settles()

    def settles(self):
        """The level that is to be warned of, if one is due now."""
        percent = self.usage() * 100 // QUOTA
        if percent < 75:
            self.warned = 0
        level = max((level for level in (80, 90, 95, 100) if percent >= level), default=0)
        if level <= self.warned:
            return None
        self.warned = level
        return level

    def report(self):
        """The lines of a warning that comes now."""
        day = lambda moment: datetime.datetime.fromtimestamp(moment).strftime("%Y-%m-%d")  # noqa: E731
        now, lines = self.now(), []

        def table(heading, groups):
            lines.append(f"{heading}:")
            largest = sorted(((sum(one.size for one in group), name, len(group)) for name, group in groups.items() if group),
                             key=lambda row: (-row[0], row[1]))
            lines.extend(f"  {units(octets):>9}  {name} ({count})" for octets, name, count in largest[:5])

        table("The largest mailboxes", {name: self.counted(name) for name in ("INBOX", "Archive", "Trash")})
        senders = {one.who: [] for one in self.counted()}
        for one in self.counted():
            senders[one.who].append(one)
        table("The senders of the most mail", senders)
        left = [one for one in self.counted("INBOX") if one.fetched is not None or one.deleted is not None]
        if left:
            lines.append(f"Fetched by POP3 and left on the server: {units(sum(one.size for one in left))} ({len(left)}).")
        if trash := self.counted("Trash"):
            last = now + (max(one.since for one in trash) + TRASH_DAYS - self.today) * DAY
            lines.append(f"What is in Trash ({units(sum(one.size for one in trash))}) goes by itself after {TRASH_DAYS} days, "
                         f"the last of it on {day(last)}.")
        recent = sum(one.size for one in self.counted() if one.came > self.today - RATE_DAYS)
        days = min(max(self.today - min(one.came for one in self.counted()), 1), RATE_DAYS)
        full = max(QUOTA - self.usage(), 0) * days // recent
        rate = f"At the present rate ({units(recent // days)} a day) it is full"
        if self.usage() >= QUOTA:
            lines.append("It is full now.")
        else:
            lines.append(f"{rate} in {full} days, on {day(now + full * DAY)}." if full else f"{rate} within a day.")
        return lines


def warning(server, story, phone, level):
    """Takes in a warning that is due: the phone hears of it, INBOX has it, the log its line, and its figures are right."""
    if len(phone.alerts) == len(story.warnings):
        phone.hears(b"[ALERT]")
    usage, percent = story.usage(), story.usage() * 100 // QUOTA
    what = f"({units(usage)} of {units(QUOTA)})"
    headline = f"Your mail is {percent} % full {what}" if level < 100 else f"Your mail is full {what}: new mail is not taken until there is room"
    assert phone.alerts[-1] == f"* NO [ALERT] {headline}\r\n", phone.alerts[-1]
    end = time.monotonic() + 60
    while not (new := {key: row for key, row in phone.look("INBOX").items() if key not in story.messages}):
        assert time.monotonic() < end, "the warning does not come"
    ((key, (octets, size)),) = new.items()
    parsed = email.message_from_bytes(octets)
    assert parsed["Subject"] == headline and parsed["Auto-Submitted"] == "auto-generated", parsed.items()
    body = parsed.get_payload(decode=True).decode().replace("\r\n", "\n")
    paragraphs = body.split("\n\n")
    expected = story.report()
    assert paragraphs[0] == f"{headline}." and paragraphs[1].split("\n") == expected, f"day {story.today}:\n{body}\nand not\n" + "\n".join(expected)
    assert "This message itself does not count." in paragraphs[2], body
    line = f"quota: user={USER} percent={percent} bytes={usage} of=Some({QUOTA})"
    assert (server.dir / "log").read_text().count(line) == 1, f"the log does not have once: {line}"
    story.arrives(key, "postmaster@localhost", size, notice=True)
    story.warnings.append((story.today, level, body))


def told(server, story, key):
    """What `why` says of a message, compared with the story; the text."""
    text = server.run("why", USER, key).stdout.decode()
    one = story.messages[key]
    first, *lines, last = text.splitlines()
    assert first == f"message {key} of {USER}", text
    split = [re.fullmatch(r"  (\d{4}-\d\d-\d\d \d\d:\d\d)  (.+)", line) for line in lines]
    assert all(split) and [found[2] for found in split] == [what for _, what in one.events], f"{text}\nand not {one.events}"
    moment = lambda text: datetime.datetime.strptime(text, "%Y-%m-%d %H:%M").timestamp()  # noqa: E731
    for found, (when, _) in zip(split, one.events):
        # The steps of the story are days apart; a slow machine may take a while for each.
        assert abs(moment(found[1]) - when) < DAY / 4, f"{text}\nand not {one.events}"
    if one.place == "hidden":
        found = re.fullmatch(rf"  now: out of {one.was} since (.+); `mailnook undelete` brings it back until (.+)", last)
        assert found and moment(found[2]) - moment(found[1]) == UNDELETE_DAYS * DAY and found[1] == split[-1][1], text
    elif one.place == "gone":
        assert last == "  now: gone for good", text
    else:
        found = re.fullmatch(rf"  now: in {one.place}, UID (\d+), {re.escape(one.flags)}", last)
        assert found and server.run("why", USER, found[1], "--mailbox", one.place).stdout.decode() == text, text
    return text


def shape(line):
    """A line without what differs from message to message."""
    for pattern, word in ((r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE"), (r"\d+(\.\d+)? [TGMK]?B\b", "SIZE"), (r"<\S+>", "ID"),
                          (r"\S+@\S+", "ADDRESS"), (r"\b(INBOX|Archive|Trash)\b", "MAILBOX"), (r"\b(laptop|desktop|tablet|phone)\b", "DEVICE"),
                          (r"[\d.]*\d", "N"), (r"\s+", " ")):
        line = re.sub(pattern, word, line)
    return line.strip()


def documented(texts):
    """README's chapter shows a warning and a message's story, all lines of shapes that were printed; none is made up."""
    chapter = (ROOT / "README.md").read_text().split("\n## POP and IMAP together\n")[1].split("\n## ")[0]
    printed = {shape(line) for text in texts for line in text.splitlines()}
    for beginning in ("Your mail is ", "message <"):
        # A block goes to the next line that is not indented.
        shown = re.search(rf"^    {beginning}(?:.*\n)(?:    .*\n|\n(?=    ))+", chapter, re.M)
        assert shown, f"README shows no text with {beginning!r}"
        for line in filter(None, map(str.strip, shown[0].splitlines())):
            assert shape(line) in printed, f"README shows what is not printed like that: {line}"


def poll(story, laptop, desktop, tablet):
    """In turns one or the other device comes first."""
    devices = {"laptop": laptop, "desktop": desktop, "tablet": tablet}
    for name in devices if story.today % (2 * STEP) else reversed(devices):
        if name == "laptop" and story.today in HOLIDAY:
            continue
        devices[name].poll()
        story.polled(name)


def check(server, story, phone, tablet=None):
    """Every mailbox has what the story says, and the account's usage is right."""
    for name in ("INBOX", "Archive", "Trash"):
        for found in filter(None, (sorted(phone.look(name)), tablet and tablet.letters(name))):
            assert found == story.inside(name), f"day {story.today}: {name} has {found}, not {story.inside(name)}"
    (shown,) = json.loads(server.run("quota", "show", USER, "--json").stdout)
    assert (shown["bytes"], shown["messages"]) == (story.usage(), len(story.counted())), \
        f"day {story.today}: {shown}, not {story.usage()} in {len(story.counted())}"


def run(server):
    server.add_user(USER, "long-secret")
    server.run("quota", "set", USER, "--bytes", str(QUOTA))
    laptop = Laptop(server, device(server, "laptop", "--pop3"))
    desktop = Desktop(server, device(server, "desktop", "--pop3"))
    tablet_password = device(server, "tablet", "--imap")
    tablet = Tablet(server, tablet_password)
    phone_password = device(server, "phone", "--imap")
    server.run("user", "main-password", USER, "off")
    phone = Phone(server, phone_password)
    lmtp = Lmtp(server.lmtp_socket)
    story = Story()
    kept = [letter_id(number) for number in KEPT]
    number = 0
    for story.today in range(0, DAYS + 1, STEP):
        server.set_clock(days=story.today)
        for _ in range(2 if story.today < DAYS else 0):
            number += 1
            assert lmtp.deliver(message(number), [f"{USER}@{DOMAIN}"])[0].startswith(b"250")
            phone.hears(b" EXISTS")
            story.arrives(letter_id(number), sender(number), newest_size(server, tablet_password))
            if level := story.settles():
                warning(server, story, phone, level)
        poll(story, laptop, desktop, tablet)
        if story.today == KEPT_DAY:
            phone.put_away(kept, "Archive")
            for key in kept:
                story.happens(story.messages[key], "marked \\Seen by IMAP (phone) from 127.0.0.1")
                story.moves(story.messages[key], "Archive", "by IMAP (phone) from 127.0.0.1")
                story.messages[key].flags = "\\Seen"
        if story.today == CLEARED_DAY:
            tablet.delete("Archive", kept)
            tablet.poll()
            for key in kept:
                story.happens(story.messages[key], "marked \\Deleted by IMAP (tablet) from 127.0.0.1")
                story.goes(story.messages[key], "expunged from Archive by IMAP (tablet) from 127.0.0.1")
            assert story.settles() is None and story.warned == 0, "there is no room again"
            hidden = [told(server, story, key) for key in kept]
        have = sorted(key for key, one in story.messages.items() if one.deleted is not None)
        assert desktop.letters() == have == sorted(story.messages), f"day {story.today}: the desktop has {desktop.letters()}"
        have = sorted(key for key, one in story.messages.items() if one.fetched is not None)
        assert laptop.letters() == have, f"day {story.today}: the laptop has {laptop.letters()}"
        server.run("expire")
        story.expires()
        check(server, story, phone)
    tablet.poll()
    check(server, story, phone, tablet)
    # One warning for each crossing, and the same level again after there was room.
    levels = [level for _, level, _ in story.warnings]
    assert levels.count(80) == 2 and len(phone.alerts) == len(levels), f"{levels}, {phone.alerts}"
    log = (server.dir / "log").read_text()
    assert log.count(f"quota: user={USER} ") == len(levels)
    texts = hidden + [told(server, story, key) for key in story.messages]
    places = [one.place for one in story.messages.values()]
    assert {"INBOX", "Trash", "hidden", "gone"} <= set(places), places
    # What the rule of the trash took in the last days can be brought back, and nothing else.
    server.run("undelete", "--user", USER, "--since", f"{UNDELETE_DAYS} d")
    for one in story.messages.values():
        if one.place == "hidden" and one.since > DAYS - UNDELETE_DAYS:
            story.happens(one, f"brought back to {one.was} by a mailnook command")
            one.place, one.since = one.was, story.today
    if level := story.settles():
        warning(server, story, phone, level)
    tablet.poll()
    check(server, story, phone, tablet)
    texts += [told(server, story, key) for key in story.messages]
    assert any("brought back" in text for text in texts)
    # Mail until nothing more fits: it is warned of, and what comes then waits at its sender.
    while story.usage() < QUOTA:
        number += 1
        assert lmtp.deliver(message(number), [f"{USER}@{DOMAIN}"])[0].startswith(b"250")
        phone.hears(b" EXISTS")
        story.arrives(letter_id(number), sender(number), newest_size(server, tablet_password))
        if level := story.settles():
            warning(server, story, phone, level)
    assert story.warnings[-1][:2] == (DAYS, 100), story.warnings
    lmtp.command("MAIL FROM:<friend0@example.org>", b"250")
    lmtp.command(f"RCPT TO:<{USER}@{DOMAIN}>", b"452 4.2.2")
    lmtp.close()
    listed = {one["device"]: one for one in json.loads(server.run("device", "list", USER, "--json").stdout)}
    assert [listed[name]["last_protocol"] for name in ("laptop", "desktop", "tablet", "phone")] == ["pop3", "pop3", "imap", "imap"]
    # The phone is stolen: its session ends at once, and the others go on.
    server.run("device", "revoke", USER, "phone")
    assert phone.hears(b"BYE").startswith(b"* BYE [EXPIRED]")
    for name, one in (("laptop", laptop), ("desktop", desktop), ("tablet", tablet)):
        one.poll()
        story.polled(name)
    assert laptop.letters() == desktop.letters() == sorted(story.messages)
    # What it did is told all the same.
    assert "(phone)" in told(server, story, kept[0])
    documented(texts + [body for _, _, body in story.warnings])
    print(f"   {number} letters in {DAYS} days: {len(story.inside('INBOX'))} in INBOX, {len(story.inside('Trash'))} in the trash, the rest "
          f"left it by the rule; warned at {', '.join(f'{level} % (day {day})' for day, level, _ in story.warnings)}")
