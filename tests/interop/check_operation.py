"""What an operator relies on: commands beside the running server, their exit codes, push to idle clients, SIGHUP and SIGTERM."""

import json
import os
import pty
import select
import signal
import socket
import ssl
import subprocess
import termios
import time

import corpus
from servers import DOMAIN
from wire import Imap, Lines, Lmtp, Pop3, connect

NEEDS = ("openssl",)
SERVERS = ("mailnook",)
PASSWORD = "long-secret"
# sysexits(3), as `mailnook deliver --help` tells them.
USAGE, DATA, NO_USER, CANNOT_CREATE = 64, 65, 67, 73


def idle(server):
    imap = Imap(server.ports["imap"], "anna", PASSWORD)
    imap.ok("SELECT INBOX")
    tag = imap.start("IDLE")
    assert imap.response().startswith(b"+")
    return imap, tag


def told(imap, begin, seconds=2.0):
    """The next response that begins so; it must come soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        response = imap.response()
        if begin in response:
            return response
    raise AssertionError(f"nobody told of {begin!r}")


def push(server):
    """LMTP, deliver and another session's STORE reach an idle client at once."""
    imap, tag = idle(server)
    lmtp = Lmtp(server.lmtp_socket)
    latencies = []
    for count in range(1, 11):
        began = time.monotonic()
        lmtp.deliver(corpus.oddities()["plain"], [f"anna@{DOMAIN}"])
        told(imap, b"* %d EXISTS" % count)
        latencies.append(time.monotonic() - began)
    lmtp.close()
    server.run("deliver", "-r", "anna", stdin=b"Subject: by hand\n\nHello\n")
    told(imap, b"* 11 EXISTS")
    other = Imap(server.ports["imap"], "anna", PASSWORD)
    other.ok("SELECT INBOX")
    other.ok("STORE 3 +FLAGS (\\Flagged)")
    assert b"\\Flagged" in told(imap, b"* 3 FETCH")
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    told(imap, b"* 1 EXPUNGE")
    imap.send(b"DONE\r\n")
    assert imap.finish(tag)[1].startswith(b"OK")
    other.logout()
    imap.logout()
    median = sorted(latencies)[len(latencies) // 2]
    print(f"   LMTP to IDLE: {median * 1000:.1f} ms")


def refused(server, user, password):
    imap = Imap(server.ports["imap"])
    _, tagged = imap.command(f'LOGIN {user} "{password}"')
    imap.close()
    return tagged.startswith(b"NO")


def users(server):
    """Changes of users take effect while the server runs."""
    server.add_user("carl", PASSWORD)
    Imap(server.ports["imap"], "carl", PASSWORD).logout()
    server.run("user", "passwd", "carl", "--password-stdin", stdin=b"another-secret\n")
    assert refused(server, "carl", PASSWORD), "the old password still works"
    Imap(server.ports["imap"], "carl", "another-secret").logout()
    assert server.run("deliver", "-r", "info", stdin=b"Subject: x\n\n", check=False).returncode == NO_USER
    server.run("user", "alias", "add", "carl", "info")
    server.run("deliver", "-r", f"info@{DOMAIN}", stdin=b"Subject: to the alias\n\n")
    assert b"carl" in server.run("user", "list").stdout
    assert b"info" in server.run("user", "show", "carl").stdout
    server.run("user", "alias", "remove", "carl", "info")
    assert server.run("deliver", "-r", "info", stdin=b"Subject: x\n\n", check=False).returncode == NO_USER
    assert server.run("user", "add", "carl", "--password-stdin", stdin=b"long-enough\n", check=False).returncode != 0
    server.run("user", "remove", "carl", "--yes")
    assert refused(server, "carl", "another-secret"), "a removed user logs in"


def prompt(server):
    """Passwords are asked for without echo, and the echo is there again after an answer and after Ctrl-C."""
    def echoes(terminal):
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

    def asking(*answers):
        ours, theirs = pty.openpty()
        # A session of its own, whose terminal this is: Ctrl-C is then a signal.
        process = subprocess.Popen(server.command("user", "passwd", "anna"), stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True, preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)))
        told, end = b"", time.monotonic() + 30
        for question, answer in answers:
            while question not in told or echoes(theirs):
                assert time.monotonic() < end, f"not asked without echo: {told!r}"
                if select.select([ours], [], [], 0.05)[0]:
                    told += os.read(ours, 1000)
            os.write(ours, answer)
            told = b""
        code = process.wait(30)
        assert echoes(theirs), "the terminal was left without echo"
        os.close(ours)
        os.close(theirs)
        return code

    first, second = b"New password of anna: ", b"Once more: "
    assert asking((first, b"\x03")) == 128 + signal.SIGINT
    assert asking((first, b"another-secret\n"), (second, b"\x03")) == 128 + signal.SIGINT
    assert asking((first, b"another-secret\n"), (second, b"yet-another\n")) == USAGE
    assert asking(*((question, PASSWORD.encode() + b"\n") for question in (first, second))) == 0
    Imap(server.ports["imap"], "anna", PASSWORD).logout()


def deliver(server):
    """Exit codes of deliver, with the server running and stopped."""
    def code(*arguments, stdin=b"Subject: x\n\nHello\n"):
        return server.run("deliver", *arguments, stdin=stdin, check=False).returncode
    assert code("-r", f"anna+Drafts@{DOMAIN}") == 0
    assert code("-r", "anna", "-f", "sender@example.org", "-m", "Archive") == 0
    assert code("-r", "anna", "-m", "Nowhere") == CANNOT_CREATE
    assert code("-r", f"nobody@{DOMAIN}") == NO_USER
    assert code() == USAGE
    assert code("-r", "anna", stdin=b"") == DATA
    imap = Imap(server.ports["imap"], "anna", PASSWORD)
    for mailbox in ("Drafts", "Archive"):
        assert b"MESSAGES 1" in b"".join(imap.ok(f"STATUS {mailbox} (MESSAGES)")), mailbox
    imap.logout()
    server.stop()
    assert code("-r", "anna", "-m", "Archive") == 0, "deliver with the server stopped"
    assert server.verify() is None
    server.start()
    imap = Imap(server.ports["imap"], "anna", PASSWORD)
    assert b"MESSAGES 2" in b"".join(imap.ok("STATUS Archive (MESSAGES)"))
    imap.logout()


def peer_certificate(server):
    with connect(server.ports["imaps"], tls=True) as one:
        return one.getpeercert(binary_form=True)


def certificate(server):
    """SIGHUP takes a new certificate; a broken one is refused, the old one kept; sessions live on."""
    imap, tag = idle(server)
    before = peer_certificate(server)
    key = server.dir / "key.pem"
    old = server.certificate.read_bytes(), key.read_bytes()
    server.certificate.write_bytes(b"nonsense")
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert peer_certificate(server) == before, "a broken certificate was taken"
    server.certificate.write_bytes(old[0])
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", server.dir / "new-key.pem", "-out", server.dir / "new-cert.pem"], check=True, capture_output=True)
    key.write_bytes((server.dir / "new-key.pem").read_bytes())
    server.certificate.write_bytes((server.dir / "new-cert.pem").read_bytes())
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 5
    while peer_certificate(server) == before:
        assert time.monotonic() < end, "SIGHUP did not take the new certificate"
        time.sleep(0.05)
    imap.send(b"DONE\r\n")
    assert imap.finish(tag)[1].startswith(b"OK"), "the session did not survive SIGHUP"
    imap.logout()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=server.certificate)
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", server.ports["imaps"])) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as one:
                assert one.recv(100).startswith(b"* OK")


def injection(server):
    """What comes before the handshake in clear text is gone after it (CVE-2011-0411 and its kind)."""
    context = ssl.create_default_context(cafile=server.certificate)
    for port, command, rest in (("imap", b"a STARTTLS\r\n", b"b NOOP\r\n"), ("pop3", b"STLS\r\n", b"CAPA\r\n")):
        plain = connect(server.ports[port])
        lines = Lines(plain)
        lines.line()
        plain.sendall(command + rest)
        assert b"OK" in lines.line()
        try:
            one = context.wrap_socket(plain, server_hostname="localhost")
        except (ssl.SSLError, OSError):
            continue  # The server may end such a session as well.
        one.settimeout(0.5)
        try:
            got = one.recv(100)
        except TimeoutError:
            got = b""
        assert b"OK" not in got, f"{port} answered what was sent before the handshake: {got!r}"
        one.close()


def report(server):
    status = json.loads(server.run("status", "--json").stdout)
    assert status, status
    assert server.run("status").stdout
    default = server.run("config", "default").stdout
    path = server.dir / "default.toml"
    path.write_bytes(default)
    assert server.run("config", "check", str(path)).returncode == 0
    path.write_text("data_dri = 'x'\nthreads = 'many'\n[listen]\nimap = 7\n")
    done = server.run("config", "check", str(path), check=False)
    text = (done.stdout + done.stderr).decode()
    assert done.returncode != 0 and "data_dir" in text and "threads" in text and "imap" in text, text
    assert server.run("nonsense", check=False).returncode == USAGE
    assert server.verify() is None, "verify beside the running server"


def farewell(server):
    """SIGTERM: every session hears why, and accepted mail is there."""
    imap, _ = idle(server)
    pop3 = Pop3(server.ports["pop3"], "anna", PASSWORD)
    lmtp = Lmtp(server.lmtp_socket)
    assert lmtp.deliver(corpus.oddities()["plain"], [f"anna@{DOMAIN}"])[0].startswith(b"250")
    told(imap, b"EXISTS")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert told(imap, b"* BYE")
    assert pop3.lines.line().startswith(b"-ERR [SYS/TEMP]"), "no -ERR [SYS/TEMP]"
    assert lmtp.lines.line().startswith(b"421 4.3.2"), "no 421"
    assert server.process.wait(10) == 0
    assert time.monotonic() - began < 2, "SIGTERM took 2 s or more"
    server.process = None
    assert not select.select([imap.socket], [], [], 0)[0] or imap.socket.recv(1) == b""
    server.start()


def failed_logins(server):
    """One stable line for each failed login, and no password in the log."""
    assert refused(server, "anna", "guessed-word-1")
    assert refused(server, "nobody-knows", "guessed-word-2")
    time.sleep(0.2)
    log = (server.dir / "log").read_text()
    assert 'login failed: user="anna" address=127.0.0.1 protocol=imap' in log
    assert 'login failed: user="nobody-knows" address=127.0.0.1 protocol=imap' in log
    for word in ("guessed-word", PASSWORD, "another-secret"):
        assert word not in log, f"{word} is in the log"


def run(server):
    server.add_user("anna", PASSWORD)
    for part in (push, users, prompt, deliver, certificate, injection, report, farewell, failed_logins):
        part(server)
    print("   push, users, prompt, deliver, certificate, injection, report, farewell, failed logins")
