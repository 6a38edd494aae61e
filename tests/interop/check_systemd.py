"""What the unit files rely on, without systemd: sockets passed to the server, READY, RELOADING, WATCHDOG and STATUS told, faults told in one line."""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import time

from servers import HOST
from wire import Imap, Pop3

NEEDS = ("openssl",)
SERVERS = ("mailnook",)
PASSWORD = "long-secret"
PROTOCOLS = ("imap", "imaps", "pop3", "pop3s", "lmtp")


class Service:
    """The server as systemd starts it: with sockets from file descriptor 3 on, and a socket for notifications."""

    def __init__(self, server, folder, config=None, watchdog=None, names=PROTOCOLS):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = folder / f"notify-{time.monotonic_ns()}"
        self.notify.bind(str(path))
        self.sockets = []
        for name in names:
            if name == "lmtp":
                one = socket.socket(socket.AF_UNIX)
                one.bind(str(folder / f"lmtp-{time.monotonic_ns()}"))
            else:
                one = socket.socket()
                one.bind((HOST, 0))
            one.listen(16)
            self.sockets.append(one)
        self.addresses = dict(zip(names, (one.getsockname() for one in self.sockets)))
        environment = dict(os.environ, NOTIFY_SOCKET=str(path))
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        command = [server.binary, "serve", "--config", str(config or folder / "mailnook.toml")]
        self.log = open(folder / "log", "ab")
        self.pid = os.fork()
        if self.pid == 0:
            # The child does nothing but become the server.
            try:
                kept = [os.dup(one.fileno()) for one in self.sockets]
                kept = [os.dup2(fd, 100 + at) for at, fd in enumerate(kept)]
                for at, fd in enumerate(kept):
                    os.dup2(fd, 3 + at, inheritable=True)
                os.dup2(self.log.fileno(), 1)
                os.dup2(self.log.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                if kept:
                    environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES=":".join(names))
                os.execve(command[0], command, environment)
            finally:
                os._exit(127)

    def told(self, what, seconds=20):
        """Waits for a notification that holds that; the notification."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.notify], [], [], left)[0]:
                text = self.notify.recv(4096)
                if what in text:
                    return text
        raise AssertionError(f"nothing told of {what!r}")

    def silent(self, what, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.notify], [], [], left)[0]:
                text = self.notify.recv(4096)
                assert what not in text, text

    def end(self, number=signal.SIGTERM):
        if number:
            os.kill(self.pid, number)
        _, status = os.waitpid(self.pid, 0)
        self.log.close()
        for one in (self.notify, *self.sockets):
            one.close()
        return os.waitstatus_to_exitcode(status)


def configuration(server, folder, **changes):
    """A configuration of its own, whose listeners would all fail if they were used."""
    folder.mkdir()
    lines = {"data_dir": f'"{folder}/data"', "hostname": '"localhost"'}
    lines.update(changes)
    top = "\n".join(f"{key} = {value}" for key, value in lines.items() if "." not in key)
    (folder / "mailnook.toml").write_text(f"""\
{top}
[listen]
imap = ["192.0.2.1:143"]
imaps = ["192.0.2.1:993"]
pop3 = ["192.0.2.1:110"]
pop3s = ["192.0.2.1:995"]
lmtp = ["192.0.2.1:24"]
lmtp_socket = "/nonexistent/lmtp.sock"
[tls]
certificate = "{folder}/cert.pem"
key = "{folder}/key.pem"
""")
    for name in ("cert.pem", "key.pem"):
        shutil.copy(server.dir / name, folder / name)


def serves_on_passed_sockets(server, folder):
    configuration(server, folder)
    user = subprocess.run([server.binary, "--config", folder / "mailnook.toml", "user", "add", "anna", "--password-stdin"],
                          input=f"{PASSWORD}\n".encode(), capture_output=True)
    assert user.returncode == 0, user.stderr
    service = Service(server, folder, watchdog=1.0)
    text = service.told(b"READY=1")
    assert b"STATUS=Serving" in text, text
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as lmtp:
        lmtp.connect(service.addresses["lmtp"])
        assert lmtp.recv(100).startswith(b"220 ")
    imap = Imap(service.addresses["imap"][1], "anna", PASSWORD)
    imap.ok("SELECT INBOX")
    Pop3(service.addresses["pop3"][1], "anna", PASSWORD).quit()
    for _ in range(3):
        service.told(b"WATCHDOG=1", 5)
    # A reload keeps the session; a certificate that cannot be used is told and the old one kept.
    os.kill(service.pid, signal.SIGHUP)
    service.told(b"RELOADING=1\nMONOTONIC_USEC=")
    service.told(b"STATUS=Serving")
    (folder / "cert.pem").write_text("no certificate")
    os.kill(service.pid, signal.SIGHUP)
    assert b"old certificate" in service.told(b"READY=1")
    imap.ok("NOOP")
    # A server that hangs proves no life; systemd would end it.
    os.kill(service.pid, signal.SIGSTOP)
    service.silent(b"WATCHDOG=1", 0.2)
    while select.select([service.notify], [], [], 0)[0]:
        service.notify.recv(4096)
    service.silent(b"WATCHDOG=1", 1.5)
    os.kill(service.pid, signal.SIGCONT)
    service.told(b"WATCHDOG=1", 5)
    os.kill(service.pid, signal.SIGTERM)
    service.told(b"STOPPING=1", 5)
    assert service.end(None) == 0
    # The socket's file is systemd's: it is still there for the next start.
    assert pathlib.Path(service.addresses["lmtp"]).exists()


def some_sockets(server, folder):
    """What is not passed is opened as configured."""
    configuration(server, folder)
    text = (folder / "mailnook.toml").read_text()
    (folder / "mailnook.toml").write_text(text.replace('pop3s = ["192.0.2.1:995"]', "pop3s = []").replace(
        'pop3 = ["192.0.2.1:110"]', "pop3 = []").replace("192.0.2.1:24", f"{HOST}:0").replace("/nonexistent/", f"{folder}/"))
    service = Service(server, folder, names=("imap", "imaps"))
    service.told(b"READY=1")
    assert (folder / "lmtp.sock").exists()
    assert service.end() == 0


def faults(server, base):
    """Each fault is a line in STATUS and an exit code that lets systemd try again."""
    def fault(name, wanted, spoil, **changes):
        folder = base / name
        configuration(server, folder, **changes)
        spoil(folder)
        service = Service(server, folder)
        text = service.told(b"STATUS=")
        assert wanted in text and b"\n" not in text, text
        code = service.end(None)
        assert code not in (0, 127), code

    fault("certificate", b"cert.pem", lambda folder: (folder / "cert.pem").write_text("no certificate"))
    fault("config", b"mailnook.toml", lambda folder: (folder / "mailnook.toml").unlink())
    fault("mistake", b"mailnook.toml", lambda folder: (folder / "mailnook.toml").write_text("nonsense = 1\n"))
    fault("read-only", b"sysfs", lambda folder: None, data_dir='"/sys/kernel/sysfs-is-read-only"')
    # A port that another process has.
    folder = base / "busy"
    configuration(server, folder)
    with contextlib.closing(socket.socket()) as taken:
        taken.bind((HOST, 0))
        taken.listen()
        text = (folder / "mailnook.toml").read_text()
        (folder / "mailnook.toml").write_text(text.replace("192.0.2.1:143", f"{HOST}:{taken.getsockname()[1]}"))
        service = Service(server, folder, names=("imaps", "pop3", "pop3s", "lmtp"))
        assert b"another process uses this address" in service.told(b"STATUS=")
        assert service.end(None) != 0
    # A name that the socket unit has wrong.
    folder = base / "names"
    configuration(server, folder)
    service = Service(server, folder, names=("imap", "web"))
    assert b"FileDescriptorName=" in service.told(b"STATUS=")
    assert service.end(None) != 0


def run(server):
    base = server.dir / "systemd"
    base.mkdir()
    serves_on_passed_sockets(server, base / "passed")
    some_sockets(server, base / "some")
    faults(server, base)
