"""neomutt with imap_qresync and imap_condstore and a header cache: what others changed while it was away is there when it returns."""

import corpus
import terminal
from wire import Imap

NEEDS = ("neomutt", "tmux")


def configuration(server, home):
    path = home / "neomuttrc"
    path.write_text(f"""\
set folder="imaps://anna@localhost:{server.ports['imaps']}/"
set imap_user=anna
set imap_pass=long-secret
set spoolfile=+INBOX
set record=+Sent
set certificate_file={home}/certificates
set ssl_verify_host=no
set header_cache="{home}/cache/"
set message_cachedir="{home}/bodies/"
set imap_condstore=yes
set imap_qresync=yes
set imap_idle=yes
set imap_pipeline_depth=15
set quit=yes
set delete=yes
set move=no
set confirmappend=no
set timeout=1
set mail_check=1
set wait_key=no
set beep=no
set sort=mailbox-order
set index_format="%4C %Z %s"
set status_format="%f messages:%m unread:%u flagged:%F end"
set sleep_time=0
set debug_file="{home}/debug"
set debug_level=3
""")
    (home / "certificates").write_bytes(server.certificate.read_bytes())
    (home / "cache").mkdir()
    (home / "bodies").mkdir()
    return path


def numbered(number):
    return corpus.mail(b"neomutt%d" % number, b"Subject: message-%d-end\r\n" % number)


def flags(imap, uid):
    return imap.fetch(uid, "(UID FLAGS)")[uid][b"FLAGS"]


def run(server):
    server.add_user("anna", "long-secret")
    home = server.dir / "neomutt"
    home.mkdir()
    rc = configuration(server, home)
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    for number in range(1, 13):
        assert imap.append("INBOX", numbered(number), flags="\\Seen").startswith(b"OK")
    imap.ok("SELECT INBOX")
    with terminal.Terminal(["neomutt", "-F", rc], home) as screen:
        screen.wait("messages:12 unread:0 flagged:0 end", "message-12-end")
        # IDLE: new mail shows without a key, and a command follows at once.
        assert imap.append("INBOX", numbered(13)).startswith(b"OK")
        screen.wait("messages:13 unread:1 flagged:0 end", "message-13-end")
        screen.keys("2", "Enter")
        screen.type("F")
        screen.type("$")
        terminal.eventually(lambda: b"\\Flagged" in flags(imap, 2), "neomutt's flag")
        screen.type("q")
        screen.ended()

    # While it is away: expunges, a flag, an arrival.
    imap.ok("NOOP")
    imap.ok("UID STORE 3:5,9 +FLAGS.SILENT (\\Deleted)")
    imap.ok("EXPUNGE")
    imap.ok("UID STORE 7,8 +FLAGS.SILENT (\\Flagged)")
    imap.ok("UID STORE 2 -FLAGS.SILENT (\\Flagged)")
    assert imap.append("INBOX", numbered(14)).startswith(b"OK")
    with terminal.Terminal(["neomutt", "-F", rc], home) as screen:
        screen.wait("messages:10 unread:2 flagged:2 end", "message-14-end", gone=("message-4-end", "message-9-end"))
        # Delete the first, and quit: the expunge is neomutt's.
        screen.keys("1", "Enter")
        screen.type("d")
        screen.type("q")
        screen.ended()
    imap.ok("NOOP")
    assert sorted(imap.fetch("1:*", "(UID)")) == [2, 6, 7, 8, 10, 11, 12, 13, 14]
    # neomutt 20220429 asks with VANISHED, loses count of its own numbers when something vanished, whatever the server, and reads anew.
    assert b"VANISHED)" in debug(home), "neomutt did not use QRESYNC"

    # Only flags and arrivals: it believes what it has.
    imap.ok("UID STORE 10:12 +FLAGS.SILENT (\\Flagged)")
    imap.ok("UID STORE 13 +FLAGS.SILENT (\\Seen)")
    assert imap.append("INBOX", numbered(15)).startswith(b"OK")
    with terminal.Terminal(["neomutt", "-F", rc], home) as screen:
        screen.wait("messages:10 unread:2 flagged:5 end", "message-15-end", gone=("message-1-end",))
        screen.type("q")
        screen.ended()
    assert b"VANISHED)" in debug(home) and b"QRESYNC failed" not in debug(home), "neomutt did not believe its cache"
    imap.logout()


def debug(home):
    """What neomutt logged in its last session."""
    return (home / "debug0").read_bytes()
