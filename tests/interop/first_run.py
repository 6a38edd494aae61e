#!/usr/bin/env python3
"""README's first command as a newcomer meets it: an empty folder, no configuration, no user.

    first_run.py BINARY

The server must make its data, certificate and account, print `user:` and `password:` for scripts, listen on its documented
ports, take a first mail by LMTP and show it by IMAP over TLS; and after SIGTERM end within 2 s and start again as it was.
"""

import imaplib
import os
import pathlib
import poplib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from wire import Lmtp

START_SECONDS = 30


def serve(binary, folder):
    process = subprocess.Popen([binary, "serve"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    lines = []
    threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True).start()
    threading.Event().wait(0.05)
    return process, lines


def value(lines, name):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        for line in list(lines):
            if line.strip().startswith(f"{name}:"):
                return line.split(":", 1)[1].strip()
        time.sleep(0.02)
    raise AssertionError(f"no line {name!r} in:\n{''.join(lines)}")


def lmtp():
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return Lmtp(1024)
        except OSError:
            assert time.monotonic() < end, "LMTP does not answer on port 1024"
            time.sleep(0.02)


def check_mail(user, password, count):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    imap = imaplib.IMAP4_SSL("127.0.0.1", 1993, ssl_context=context)
    imap.login(user, password)
    assert imap.select("INBOX")[1] == [b"%d" % count]
    assert b"first mail" in imap.fetch(str(count), "(RFC822)")[1][0][1]
    imap.logout()
    for pop3 in (poplib.POP3("127.0.0.1", 1110), poplib.POP3_SSL("127.0.0.1", 1995, context=context)):
        pop3.user(user)
        pop3.pass_(password)
        assert pop3.stat()[0] == count
        pop3.quit()


def stop(process):
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(10)
    assert code == 0, f"exit {code} after SIGTERM"
    assert time.monotonic() - began < 2, "SIGTERM took more than 2 s"


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailnook-first-"))
    process, lines = serve(binary, folder)
    try:
        user, password = value(lines, "user"), value(lines, "password")
        session = lmtp()
        assert session.deliver(b"Subject: first mail\r\n\r\nHello\r\n", [f"{user}@localhost"])[0].startswith(b"250")
        session.close()
        check_mail(user, password, 1)
        # The second way in: the line that the server prints may use it.
        done = subprocess.run([binary, "deliver", "-r", user], input=b"Subject: first mail again\n\nHello\n", cwd=folder, capture_output=True)
        assert done.returncode == 0, done
        check_mail(user, password, 2)
        stop(process)
        process, again = serve(binary, folder)
        lmtp().close()
        check_mail(user, password, 2)
        assert not any(line.strip().startswith("password:") for line in again), "the password is shown again"
        stop(process)
        done = subprocess.run([binary, "verify"], cwd=folder, capture_output=True)
        assert done.returncode == 0, done
    except BaseException:
        process.kill()
        print("--- the server said:\n" + "".join(lines))
        raise
    print("".join(lines).replace(password, "(password)"))
    shutil.rmtree(folder)
    print("first run: data, certificate, account, LMTP, deliver, IMAPS, POP3, POP3S, SIGTERM, second start")


if __name__ == "__main__":
    main()
