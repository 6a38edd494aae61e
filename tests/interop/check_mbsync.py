"""mbsync (isync): both ways, twice; the second time nothing is different; then changes on both sides meet."""

import mailbox
import re

import corpus
import programs
from wire import Imap

NEEDS = ("mbsync",)


def configuration(server, home, tls):
    path = home / ".mbsyncrc"
    path.write_text(f"""\
IMAPAccount far
Host localhost
Port {server.ports['imaps'] if tls == 'IMAPS' else server.ports['imap']}
User anna
Pass long-secret
SSLType {tls}
CertificateFile {server.certificate}
PipelineDepth 50

IMAPStore far
Account far

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
CopyArrivalDate yes
""")
    return path


def sync(path, home):
    return programs.run(["mbsync", "-V", "-c", path, "-a"], home)


def near(home, name):
    """The local messages with their flags."""
    folder = mailbox.Maildir(home / "mail" / name, create=False)
    found = sorted((octets_of(folder, key), "".join(sorted(folder.get_message(key).get_flags()))) for key in folder.keys())
    return found


def octets_of(folder, key):
    # mbsync marks a message that it stores, so that it finds it again where the server tells no UID.
    return re.sub(rb"X-TUID: .{12}\r\n", b"", corpus.crlf(folder.get_bytes(key)), count=1)


def far(imap, name):
    imap.ok(f"EXAMINE {name}")
    letters = {b"\\Seen": "S", b"\\Answered": "R", b"\\Flagged": "F", b"\\Draft": "D", b"\\Deleted": "T"}
    rows = imap.fetch("1:*", "(UID FLAGS BODY.PEEK[])")
    return sorted((re.sub(rb"X-TUID: .{12}\r\n", b"", row[b"BODY[]"], count=1), "".join(sorted(letters.get(flag, "") for flag in row[b"FLAGS"]))) for row in rows.values())


def state(home):
    """Every file with its time of change: what a sync without difference leaves alone."""
    paths = [path for path in (home / "mail").rglob("*") if path.is_file() and not path.name.endswith((".lock", ".uidvalidity"))]
    return sorted((str(path), path.stat().st_mtime_ns, path.read_bytes()) for path in paths if ".mbsync" not in path.name)


def same(imap, home, names):
    for name in names:
        one, two = near(home, name), far(imap, name)
        assert len(one) == len(two), f"{name}: {len(one)} near, {len(two)} far"
        for (got, flags), (sent, far_flags) in zip(one, two):
            assert got == sent, f"{name}: a message differs: {got[:300]!r} / {sent[:300]!r}"
            assert flags == far_flags, f"{name}: flags {flags!r} near, {far_flags!r} far of {sent[:200]!r}"


def run(server):
    server.add_user("anna", "long-secret")
    imap = Imap(server.ports["imap"], "anna", "long-secret")
    # mbsync drops a bare CR, and skips a message whose header has no end.
    messages = [octets for octets in corpus.all_messages().values()
                if not re.search(rb"\r(?!\n)", octets) and (b"\r\n\r\n" in octets or octets.startswith(b"\r\n"))]
    imap.ok("CREATE Work/Old")
    for at, octets in enumerate(messages):
        imap.append(("INBOX", "Work/Old")[at % 2], octets, flags=("", "\\Seen", "\\Flagged \\Answered", "\\Draft")[at % 4])
    home = server.dir / "mbsync"
    (home / "mail").mkdir(parents=True)
    # A local mailbox that the server does not know, with a message, goes up.
    folder = mailbox.Maildir(home / "mail" / "Local")
    folder.add(corpus.oddities()["attachment"].replace(b"\r\n", b"\n"))

    sync(configuration(server, home, "IMAPS"), home)
    names = ("INBOX", "Work/Old", "Local", "Sent")
    same(imap, home, names)
    before = state(home)
    uidnext = [imap.ok(f"STATUS {name} (UIDNEXT MESSAGES UIDVALIDITY)") for name in names]
    text = sync(configuration(server, home, "STARTTLS"), home)
    assert state(home) == before, f"the second sync changed something:\n{text.decode(errors='replace')}"
    assert uidnext == [imap.ok(f"STATUS {name} (UIDNEXT MESSAGES UIDVALIDITY)") for name in names]

    # Changes on both sides: new mail, flags, deletions.
    imap.append("INBOX", corpus.oddities()["plain"])
    imap.ok("SELECT INBOX")
    imap.ok("STORE 1 +FLAGS (\\Flagged)")
    imap.ok("STORE 2 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    folder = mailbox.Maildir(home / "mail" / "INBOX", create=False)
    key = next(key for key in sorted(folder.keys()) if octets_of(folder, key) == messages[4])
    message = folder.get_message(key)
    message.set_flags("ST")
    folder[key] = message
    folder.add(corpus.oddities()["encoded-words"].replace(b"\r\n", b"\n"))
    sync(configuration(server, home, "IMAPS"), home)
    same(imap, home, names)
    remaining = [octets for octets, _ in far(imap, "INBOX")]
    assert messages[4] not in remaining and corpus.oddities()["encoded-words"] in remaining
    before = state(home)
    sync(configuration(server, home, "IMAPS"), home)
    assert state(home) == before, "the sync after the changes is not the last one"
    imap.logout()
    print(f"   {len(messages)} messages both ways, two rounds each without a difference")
