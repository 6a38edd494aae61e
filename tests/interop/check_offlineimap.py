"""OfflineIMAP: a first sync, changes on both sides, a sync, and a last one that changes nothing."""

import mailbox

import corpus
import programs
from wire import Imap

NEEDS = ("offlineimap",)


def sync(server, home):
    path = home / ".offlineimaprc"
    path.write_text(f"""\
[general]
accounts = home
metadata = {home}/meta
maxsyncaccounts = 1
ui = basic
[Account home]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {server.ports['imaps']}
remoteuser = anna
remotepass = long-secret
ssl = yes
sslcacertfile = {server.certificate}
maxconnections = 2
""")
    return programs.run(["offlineimap", "-o", "-c", path], home)


def near(home, name):
    folder = mailbox.Maildir(home / "mail" / name, create=False)
    return folder, {key: corpus.crlf(folder.get_bytes(key)) for key in folder.keys()}


def run(server):
    server.add_user("anna", "long-secret")
    home = server.dir / "offlineimap"
    home.mkdir()
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    imap.ok("CREATE Work")
    # OfflineIMAP parses and writes messages anew, so that only well-formed ones stay as they are.
    names = ("plain", "attachment", "encoded-words", "multipart", "html-only", "quoted-printable")
    messages = [corpus.oddities()[name] for name in names]
    for octets in messages:
        assert imap.append("Work", octets, flags="\\Seen").startswith(b"OK")
    sync(server, home)
    folder, local = near(home, "Work")
    assert sorted(local.values()) == sorted(messages), "what came down differs"

    # Changes near: a flag, a deletion, a new message; far: a flag, a new message.
    keys = {octets: key for key, octets in local.items()}
    flagged = folder.get_message(keys[messages[0]])
    flagged.set_flags("FS")
    folder[keys[messages[0]]] = flagged
    folder.remove(keys[messages[1]])
    folder.add(corpus.oddities()["digest"].replace(b"\r\n", b"\n"))
    imap.append("Work", corpus.oddities()["base64"])
    imap.ok("SELECT Work")
    imap.ok("STORE 3 +FLAGS (\\Answered)")
    sync(server, home)
    imap.ok("NOOP")
    rows = imap.fetch("1:*", "(UID FLAGS BODY.PEEK[])")
    flags = {row[b"BODY[]"]: row[b"FLAGS"] for row in rows.values()}
    assert messages[1] not in flags, "the deletion did not reach the server"
    assert b"\\Flagged" in flags[messages[0]], flags[messages[0]]
    assert any(octets.endswith(corpus.oddities()["digest"].split(b"\r\n\r\n", 1)[1]) for octets in flags), "the new message did not reach the server"
    folder, local = near(home, "Work")
    assert corpus.oddities()["base64"] in local.values()
    answered = next(key for key, octets in local.items() if octets == messages[2])
    assert "R" in folder.get_message(answered).get_flags()
    before = sorted(imap.fetch("1:*", "(UID FLAGS)"))
    sync(server, home)
    imap.ok("NOOP")
    assert sorted(imap.fetch("1:*", "(UID FLAGS)")) == before and len(near(home, "Work")[1]) == len(local), "the last sync changed something"
    imap.logout()
