"""Starts and stops a mail server in a temporary directory, on free loopback ports, with TLS.

Two launchers with one interface: Mailnook, which is what is tested, and Dovecot, which tells whether a test is right
and is the measure in benches/. Standard library only.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
START_SECONDS = 30
DOMAIN = "home.example"


def free_ports(count):
    """Ports that nobody listens on; all are held until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Server:
    """What both launchers share."""

    name = None

    def __init__(self, keep=False):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.dir.chmod(0o755)
        self.keep = keep
        self.process = None
        names = ("imap", "imaps", "pop3", "pop3s", "lmtp")
        self.ports = dict(zip(names, free_ports(len(names))))
        self.lmtp_socket = self.dir / "lmtp.sock"
        self.certificate = self.dir / "cert.pem"
        self.users = {}

    def __enter__(self):
        self.prepare()
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None or self.keep:
            print(f"   kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def wait_until_serving(self):
        """Returns when every port greets."""
        end = time.monotonic() + START_SECONDS
        for name in ("imap", "pop3", "lmtp"):
            while True:
                try:
                    with socket.create_connection((HOST, self.ports[name]), timeout=5) as one:
                        if one.recv(10):
                            break
                except OSError:
                    pass
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{self.name} does not serve {name}:\n{self.log_tail()}")
                time.sleep(0.005)

    def log_tail(self, lines=40):
        path = self.dir / "log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"

    def stop(self, number=signal.SIGTERM):
        """Ends the server; the seconds that it took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self.name} did not end within 20 s") from None
        self.process = None
        return time.monotonic() - began

    def kill(self):
        """kill -9 of the one server process."""
        self.process.kill()
        self.process.wait()
        self.process = None


class Mailnook(Server):
    """The server of this repository; $MAILNOOK_BIN says which binary, else the debug one."""

    name = "mailnook"

    def __init__(self, keep=False, settings="", settings_auth="", settings_limits="", log_level="info",
                 clock=False):
        super().__init__(keep)
        self.binary = os.environ.get("MAILNOOK_BIN") or str(ROOT / "target/debug/mailnook")
        self.settings = settings
        self.settings_auth = settings_auth
        self.settings_limits = settings_limits
        self.log_level = log_level
        self.config = self.dir / "mailnook.toml"
        self.data = self.dir / "data"
        # With a clock of its own: the file says by how much it is ahead.
        self.clock = self.dir / "clock" if clock else None

    def set_clock(self, days):
        """Lets the server's clock go so many days ahead of the machine's. Its timers are not touched."""
        new = self.dir / "clock.new"
        new.write_text(f"+{days}d\n")
        new.rename(self.clock)

    def environment(self):
        if self.clock is None:
            return None
        (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self.set_clock(0)
        return {**os.environ, "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def prepare(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.dir / "key.pem", "-out", self.certificate], check=True, capture_output=True)
        listen = "\n".join(f'{name} = ["{HOST}:{port}"]' for name, port in self.ports.items())
        self.config.write_text(f"""\
data_dir = "{self.data}"
hostname = "localhost"
domains = ["{DOMAIN}"]
log_level = "{self.log_level}"
{self.settings}
[listen]
{listen}
lmtp_socket = "{self.lmtp_socket}"
lmtp_socket_mode = "666"
[tls]
certificate = "{self.certificate}"
key = "{self.dir / 'key.pem'}"
[auth]
{self.settings_auth}
[limits]
{self.settings_limits}
[quota]
bytes = "none"
""")

    def command(self, *arguments):
        return [self.binary, "--config", str(self.config), *arguments]

    def run(self, *arguments, stdin=b"", check=True):
        done = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, timeout=300)
        if check and done.returncode != 0:
            raise RuntimeError(f"{arguments}: exit {done.returncode}: {done.stdout!r} {done.stderr!r}")
        return done

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(self.command("serve"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.dir, env=self.environment())
        self.wait_until_serving()

    def add_user(self, name, password):
        self.run("user", "add", name, "--password-stdin", stdin=f"{password}\n".encode())
        self.users[name] = password

    def deliver_command(self, recipient):
        return self.command("deliver", "-r", recipient)

    def verify(self):
        """Checks the whole store; what it says where something is wrong."""
        done = self.run("verify", check=False)
        return None if done.returncode == 0 else (done.stdout + done.stderr).decode(errors="replace")


class Dovecot(Server):
    """Debian's Dovecot with maildirs, or another format by `storage`."""

    name = "dovecot"

    def __init__(self, keep=False, storage="maildir:~/Maildir", settings=""):
        super().__init__(keep)
        self.storage = storage
        self.settings = settings

    def prepare(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.dir / "key.pem", "-out", self.certificate], check=True, capture_output=True)
        self.passwd = self.dir / "passwd"
        self.passwd.write_text("")
        mail = self.dir / "mail"
        mail.mkdir()
        shutil.chown(mail, "mail", "mail")
        inet = "".join(f"""
service {service}-login {{
  chroot =
  inet_listener {service} {{
    address = {HOST}
    port = {self.ports[service]}
  }}
  inet_listener {service}s {{
    address = {HOST}
    port = {self.ports[service + 's']}
    ssl = yes
  }}
}}""" for service in ("imap", "pop3"))
        (self.dir / "dovecot.conf").write_text(f"""\
base_dir = {self.dir}/run
state_dir = {self.dir}/run
log_path = {self.dir}/log
protocols = imap pop3 lmtp
ssl = yes
ssl_cert = <{self.certificate}
ssl_key = <{self.dir}/key.pem
disable_plaintext_auth = no
auth_username_format = %Ln
auth_verbose = yes
mail_location = {self.storage}
mail_home = {mail}/%n
first_valid_uid = 1
first_valid_gid = 1
mail_uid = mail
mail_gid = mail
mail_fsync = always
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
mail_max_userip_connections = 2000
default_client_limit = 9000
default_process_limit = 2000
passdb {{
  driver = passwd-file
  args = scheme=plain {self.passwd}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={mail}/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = subscribe
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {HOST}
    port = {self.ports['lmtp']}
  }}
  unix_listener {self.lmtp_socket} {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
{inet}
{self.settings}
""")

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(["dovecot", "-F", "-c", self.dir / "dovecot.conf"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.wait_until_serving()

    def add_user(self, name, password):
        with open(self.passwd, "a") as passwd:
            passwd.write(f"{name}:{password}::::::\n")
        self.users[name] = password

    def deliver_command(self, recipient):
        return [shutil.which("doveadm"), "-c", str(self.dir / "dovecot.conf"), "save", "-u", recipient.split("@")[0]]

    def verify(self):
        return None


LAUNCHERS = {"mailnook": Mailnook, "dovecot": Dovecot}
