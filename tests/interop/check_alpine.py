"""alpine on a terminal: opens, reads, flags, saves, expunges, and is told of new mail."""

import corpus
import terminal
from wire import Imap

NEEDS = ("alpine", "tmux")


def configuration(server, home):
    where = f"localhost:{server.ports['imap']}/user=anna/novalidate-cert"
    path = home / ".pinerc"
    path.write_text(f"""\
personal-name=Anna
user-domain=example.org
inbox-path={{{where}}}INBOX
folder-collections=far {{{where}}}[]
default-fcc={{{where}}}Sent
postponed-folder={{{where}}}Drafts
feature-list=enable-aggregate-command-set,enable-flag-cmd,expunge-without-confirm,expunge-without-confirm-everywhere,quit-without-confirm,
\tsave-will-not-delete,auto-move-read-msgs,disable-password-file-saving
last-version-used=6.26
mail-check-interval=5
mail-check-noncurrent=5
password-file=
index-format=STATUS MSGNO SUBJECT
""")
    return path


def run(server):
    server.add_user("anna", "long-secret")
    home = server.dir / "alpine"
    home.mkdir()
    rc = configuration(server, home)
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    imap.ok("CREATE Work")
    imap.ok("SELECT INBOX")
    for number in range(1, 5):
        octets = corpus.mail(b"alpine%d" % number, b"Subject: message-%d-end\r\n" % number, b"text of %d\r\n" % number)
        assert imap.append("INBOX", octets).startswith(b"OK")
    imap.ok("NOOP")

    def flags(uid):
        imap.ok("NOOP")
        return imap.fetch(uid, "(UID FLAGS)").get(uid, {}).get(b"FLAGS")

    with terminal.Terminal(["alpine", "-p", rc, "-i"], home) as screen:
        screen.until(lambda text: "password" in text.lower() or "PASSWORD" in text, "a question for the password")
        screen.type("long-secret")
        screen.keys("Enter")
        screen.wait("message-1-end", "message-4-end")
        # Keys that answer a question are sent when it is on the screen.
        def jump(number):
            screen.type("j")
            screen.wait("Message number to jump to")
            screen.type(f"{number}")
            screen.keys("Enter")
            screen.wait(f"Message {number} of")

        jump(1)
        screen.keys("Enter")
        screen.wait("text of 1")
        terminal.eventually(lambda: b"\\Seen" in flags(1), "read is seen")
        screen.type("i")
        screen.wait("MESSAGE INDEX", "message-4-end")
        screen.type("*")
        screen.wait("Flag New, Deleted")
        screen.keys("Enter")
        terminal.eventually(lambda: b"\\Flagged" in flags(1), "the flag")
        jump(3)
        screen.type("s")
        screen.wait("SAVE")
        screen.type("Work")
        screen.keys("Enter")
        terminal.eventually(lambda: messages(imap, "Work") == 1, "the copy")
        jump(2)
        screen.type("d")
        screen.type("x")
        terminal.eventually(lambda: flags(2) is None, "the expunge")
        screen.wait("message-4-end", gone=("message-2-end",))
        # New mail comes while it waits.
        assert imap.append("INBOX", corpus.mail(b"alpine5", b"Subject: message-5-end\r\n")).startswith(b"OK")
        screen.wait("message-5-end")
        screen.type("q")
        screen.ended()
    imap.ok("NOOP")
    assert sorted(imap.fetch("1:*", "(UID)")) == [1, 3, 4, 5]
    imap.ok("SELECT Work")
    assert b"message-3-end" in imap.body(1)
    imap.logout()


def messages(imap, name):
    response = next(one for one in imap.ok(f"STATUS {name} (MESSAGES)") if one.startswith(b"* STATUS"))
    return int(response.split(b"MESSAGES ")[1].split(b")")[0])
