"""aerc on a terminal: lists, reads, flags, copies, moves, deletes, and is told of new mail."""

import corpus
import terminal
from wire import Imap

NEEDS = ("aerc", "tmux")


def configuration(server, home):
    folder = home / ".config" / "aerc"
    folder.mkdir(parents=True)
    accounts = folder / "accounts.conf"
    accounts.write_text(f"""\
[home]
source = imaps://anna:long-secret@localhost:{server.ports['imaps']}
outgoing = /bin/true
default = INBOX
from = Anna <anna@example.org>
copy-to = Sent
cache-headers = false
check-mail = 2s
""")
    accounts.chmod(0o600)
    (folder / "aerc.conf").write_text("""\
[general]
unsafe-accounts-conf=true
[ui]
index-format=%4C %Z %s
sidebar-width=20
mouse-enabled=false
[filters]
text/plain=cat
""")


def run(server):
    server.add_user("anna", "long-secret")
    home = server.dir / "aerc"
    home.mkdir()
    configuration(server, home)
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    imap.ok("CREATE Work")
    imap.ok("SUBSCRIBE Work")
    imap.ok("SELECT INBOX")
    # aerc shows the newest at the top, which is selected.
    for number in range(1, 6):
        octets = corpus.mail(b"aerc%d" % number, b"Subject: message-%d-end\r\n" % number, b"text of %d\r\n" % number)
        assert imap.append("INBOX", octets, date=f" 2-Nov-2026 10:0{number}:00 +0100").startswith(b"OK")
    imap.ok("NOOP")
    with terminal.Terminal(["aerc"], home, SSL_CERT_FILE=str(server.certificate)) as screen:
        def command(text):
            screen.type(":" + text)
            screen.keys("Enter")

        def flags(uid):
            imap.ok("NOOP")
            rows = imap.fetch(uid, "(UID FLAGS)")
            return rows[uid][b"FLAGS"] if uid in rows else None

        screen.wait("message-5-end", "message-1-end", "Work")
        screen.keys("Enter")
        screen.wait("text of 5")
        terminal.eventually(lambda: b"\\Seen" in flags(5), "read is seen")
        command("close")
        screen.wait("message-4-end", "message-1-end")
        command("flag")
        terminal.eventually(lambda: b"\\Flagged" in flags(5), "the flag")
        command("unread")
        terminal.eventually(lambda: b"\\Seen" not in flags(5), "unread again")
        command("cp Work")
        terminal.eventually(lambda: messages(imap, "Work") == 1, "the copy")
        command("next")
        command("mv Work")
        terminal.eventually(lambda: messages(imap, "Work") == 2 and flags(4) is None, "the move")
        screen.wait("message-3-end", gone=("message-4-end",))
        command("delete")
        terminal.eventually(lambda: messages(imap, "INBOX") == 3, "the deletion")
        # New mail comes while it waits.
        assert imap.append("INBOX", corpus.mail(b"aerc6", b"Subject: message-6-end\r\n")).startswith(b"OK")
        screen.wait("message-6-end")
        command("cf Work")
        screen.wait("message-5-end", "message-4-end", gone=("message-6-end",))
        command("mkdir Neu")
        terminal.eventually(lambda: b"Neu" in b"".join(imap.ok('LIST "" *')), "the new mailbox")
        command("quit")
        screen.ended()
    imap.ok("SELECT Work")
    bodies = b"".join(row[b"BODY[]"] for row in imap.fetch("1:*", "(UID BODY.PEEK[])").values())
    assert b"message-5-end" in bodies and b"message-4-end" in bodies, bodies
    imap.logout()


def messages(imap, name):
    response = next(one for one in imap.ok(f"STATUS {name} (MESSAGES)") if one.startswith(b"* STATUS"))
    return int(response.split(b"MESSAGES ")[1].split(b")")[0])
