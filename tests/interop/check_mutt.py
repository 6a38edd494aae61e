"""mutt and neomutt: read, search, flag, save to another mailbox, delete, and append, driven by their own key strokes."""

import os
import pty
import select
import subprocess
import time

import corpus
import programs
from wire import Imap

NEEDS = ("mutt", "neomutt")
LIMIT_SECONDS = 30


def configuration(server, home, program):
    path = home / f"{program}rc"
    path.write_text(f"""\
set folder="imaps://{program}@localhost:{server.ports['imaps']}/"
set imap_user={program}
set imap_pass=long-secret
set spoolfile=+INBOX
set record=+Sent
set certificate_file={home}/certificates
set ssl_verify_host=no
set header_cache=""
set imap_idle=no
set quit=yes
set delete=yes
set move=no
set confirmappend=no
set confirmcreate=no
set mail_check=5
set wait_key=no
set beep=no
set query_command=""
set sleep_time=0
set mbox_type=Maildir
set editor="{home}/editor"
set abort_unmodified=no
set edit_headers=no
set askcc=no
set askbcc=no
set sendmail=/bin/true
set copy=yes
""")
    editor = home / "editor"
    editor.write_text('#!/bin/sh\necho Hello from a client >> "$1"\n')
    editor.chmod(0o755)
    (home / "certificates").write_bytes(server.certificate.read_bytes())
    return path


def drive(program, arguments, home):
    """Runs the program on a terminal of its own until it ends; what it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen([program, *arguments], stdin=slave, stdout=slave, stderr=slave, cwd=home, close_fds=True,
                               start_new_session=True, env=programs.environment(home, LINES="40", COLUMNS="120"))
    os.close(slave)
    shown, end = b"", time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        elif process.poll() is not None:
            break
    else:
        process.kill()
        raise AssertionError(f"{program} did not end; it showed: {shown[-3000:]!r}")
    os.close(master)
    code = process.wait(10)
    assert code == 0, f"{program}: exit {code}: {shown[-3000:]!r}"
    return shown


def keys(text):
    return f"push \"{text}\""


def one(server, program):
    home = server.dir / program
    home.mkdir()
    rc = configuration(server, home, program)
    imap = Imap(server.ports["imap"], program, "long-secret")
    imap.ok("CREATE Saved")
    imap.ok("SELECT INBOX")
    messages = corpus.oddities()
    names = ("plain", "attachment", "encoded-words", "multipart", "quoted-printable", "digest")
    for name in names:
        assert imap.append("INBOX", messages[name], date=" 2-Nov-2026 10:00:00 +0100").startswith(b"OK")
    imap.ok("NOOP")

    # Read the first, flag the second, save (copy and delete) the third, copy the fourth, delete the fifth; then write and quit.
    script = ("<first-entry><display-message><exit>"
              "2<enter><flag-message>"
              "3<enter><save-message><kill-line>=Saved<enter>"
              "4<enter><copy-message><kill-line>=Saved<enter>"
              "5<enter><delete-message>"
              "<sync-mailbox><quit>")
    drive(program, ["-F", rc, "-e", keys(script), "-f", "=INBOX"], home)
    imap.ok("NOOP")
    rows = imap.fetch("1:*", "(UID FLAGS BODY.PEEK[])")
    flags = {row[b"BODY[]"]: row[b"FLAGS"] for row in rows.values()}
    left = {messages[name]: name for name in ("plain", "attachment", "multipart", "digest")}
    assert set(flags) == set(left), f"{program} left {[octets[:120] for octets in flags]}"
    assert b"\\Seen" in flags[messages["plain"]], flags[messages["plain"]]
    assert b"\\Flagged" in flags[messages["attachment"]], flags[messages["attachment"]]
    imap.ok("SELECT Saved")
    saved = [row[b"BODY[]"] for row in imap.fetch("1:*", "(UID BODY.PEEK[])").values()]
    assert sorted(saved) == sorted([messages["encoded-words"], messages["multipart"]]), f"{program} saved {[octets[:120] for octets in saved]}"

    # A message is written and sent (to /bin/true), and its copy appended to Sent.
    before = status(imap, "Sent")
    script = f"<mail>bob@example.org<enter>sent by {program}<enter><send-message><quit>"
    drive(program, ["-F", rc, "-e", keys(script), "-f", "=INBOX"], home)
    assert status(imap, "Sent") == before + 1, f"{program} did not append to Sent"
    imap.ok("EXAMINE Sent")
    uids = imap.search(f'SUBJECT "sent by {program}"')
    assert len(uids) == 1 and b"Hello from a client" in imap.body(uids[0])
    imap.logout()


def status(imap, name):
    response = next(one for one in imap.ok(f"STATUS {name} (MESSAGES)") if one.startswith(b"* STATUS"))
    return int(response.split(b"MESSAGES ")[1].split(b")")[0])


def run(server):
    for program in NEEDS:
        server.add_user(program, "long-secret")
    for program in NEEDS:
        one(server, program)
        print(f"   {program}")
