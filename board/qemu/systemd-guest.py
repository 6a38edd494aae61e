#!/usr/bin/env python3
"""Runs inside of the virtual machine of board/qemu/systemd: installs the packages and looks at everything that systemd does.

Packages are in /packages: previous.deb, new.deb and mailnook.tar.gz. Each check prints a line "ok: ..."; the first that fails prints what was
expected, and the journal's last lines.
"""

import contextlib
import imaplib
import json
import os
import pathlib
import poplib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

SERVICE, SOCKET = "mailnook.service", "mailnook.socket"
DATA, CONFIG = pathlib.Path("/var/lib/mailnook"), pathlib.Path("/etc/mailnook/mailnook.toml")
DROP_IN = pathlib.Path("/run/systemd/system/mailnook.service.d/bench.conf")
LMTP = "/run/mailnook/lmtp.sock"
# Limit: everything that is waited for; the machine is emulated and slow.
PATIENCE = 120
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE


class Failed(Exception):
    pass


def ok(text):
    print(f"ok: {text}", flush=True)


def expect(condition, text):
    if not condition:
        raise Failed(text)


def run(*command, check=True, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if check and done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout if check else done


def admin(*arguments, text=None):
    return run("mailnook", *arguments, text=text)


def shown(prop):
    return run("systemctl", "show", "-P", prop, SERVICE).strip()


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {PATIENCE} s; systemd says {shown('ActiveState')}, {shown('StatusText')!r}")
        time.sleep(0.2)


def serving():
    return shown("ActiveState") == "active" and shown("StatusText").startswith("Serving")


class Anna:
    """The user, with what she knows of her mail."""

    def __init__(self):
        self.password = re.search(r"^password: (\S+)$", admin("user", "add", "anna", "--generate"), re.M)[1]
        self.subjects = []

    def deliver(self):
        subject = f"message {len(self.subjects)}"
        admin("deliver", "-r", "anna", text=f"Subject: {subject}\n\nText.\n")
        self.subjects.append(subject)

    def deliver_by_lmtp(self):
        subject = f"message {len(self.subjects)}"
        with smtplib.LMTP(LMTP) as lmtp:
            expect(not lmtp.sendmail("bob@example.net", ["anna"], f"Subject: {subject}\r\n\r\nText.\r\n"), "LMTP refused")
        self.subjects.append(subject)

    def login(self):
        imap = imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=TLS)
        imap.login("anna", self.password)
        imap.select("INBOX")
        return imap

    def has_all(self):
        with self.login() as imap:
            _, data = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        found = [re.search(rb"Subject: (.*?)\r\n", part[1])[1].decode() for part in data if isinstance(part, tuple)]
        expect(found == self.subjects, f"INBOX has {found} and not {self.subjects}")

    @contextlib.contextmanager
    def idling(self):
        imap = self.login()
        imap.send(b"X1 IDLE\r\n")
        expect(imap.readline().startswith(b"+"), "IDLE was refused")
        try:
            yield imap
        finally:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                imap.shutdown()


def heard(imap, word):
    """Lines of an idling session up to one with that word; None where the server hung up."""
    imap.sock.settimeout(PATIENCE)
    lines = []
    while True:
        line = imap.readline()
        if not line:
            return None
        lines.append(line)
        if word in line:
            return lines


def installs(package):
    # A changed configuration stays, as an administrator who upgrades unattended has it.
    run("dpkg", "--force-confdef", "--force-confold", "-i", f"/packages/{package}")


def installation():
    installs("previous.deb")
    until("the first start", serving)
    status = DATA.stat()
    expect(status.st_mode & 0o777 == 0o700 and status.st_uid == int(run("id", "-u", "mailnook")), f"{DATA}: {status}")
    for unit in (SERVICE, SOCKET):
        expect(run("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is not enabled")
    failed = run("systemctl", "--failed", "--no-legend").strip()
    expect(not failed, f"failed units: {failed}")
    ok(f"installed and started: {shown('StatusText')!r}; units enabled, none failed; {DATA} is mailnook's alone")


def sockets():
    pid = shown("MainPID")
    facts = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    expect(int(facts["CapEff"], 16) == 0 and facts["Uid"].split()[0] != "0", f"the server has {facts['CapEff']}, uid {facts['Uid']}")
    # What listens on the low ports is systemd's socket, passed on.
    told = run("systemctl", "show", "-P", "Listen", SOCKET)
    for port in (143, 993, 110, 995):
        expect(f":{port} " in told or f"{port} (Stream)" in told, f"{SOCKET} listens on {told}")
    ok("ports 143, 993, 110, 995 by socket activation; the server runs as its user without a capability")
    expect((shown("Type"), shown("NotifyAccess"), shown("WatchdogUSec")) == ("notify", "main", "30s"), "Type, NotifyAccess, WatchdogUSec")
    ok("Type=notify, ready when it serves; WatchdogSec=30")


def mail(anna):
    anna.deliver()
    anna.deliver_by_lmtp()
    anna.has_all()
    pop3 = poplib.POP3_SSL("127.0.0.1", 995, context=TLS)
    pop3.user("anna")
    pop3.pass_(anna.password)
    expect(pop3.stat()[0] == 2 and b"Subject: message 0" in pop3.retr(1)[1], "POP3 does not have the two messages")
    pop3.quit()
    ok("mail in by `mailnook deliver` and the LMTP socket, out by IMAPS 993 and POP3S 995")
    row = re.search(r"^sandbox: *(.*)$", admin("status"), re.M)[1]
    ok(f"the server's own sandbox: {row}")


def upgrade(anna):
    CONFIG.write_text(CONFIG.read_text() + "# a line of the administrator's\n")
    before, pid = admin("--version").strip(), shown("MainPID")
    with anna.idling() as imap:
        installs("new.deb")
        said = heard(imap, b"* BYE")
        expect(said, "the session heard no BYE")
    until("the start after the upgrade", lambda: serving() and shown("MainPID") != pid)
    expect("a line of the administrator's" in CONFIG.read_text(), "the configuration was changed")
    anna.has_all()
    expect("sound" in admin("verify"), "verify")
    versions = run("dpkg-query", "-W", "-f", "${Version}", "mailnook")
    ok(f"upgrade ({before} to package {versions}): session told goodbye, restarted, mail, user and configuration kept, verify sound")


def reload(anna):
    pid = shown("MainPID")
    with anna.idling() as imap:
        run("systemctl", "reload", SERVICE)
        anna.deliver()
        expect(heard(imap, b"EXISTS"), "the session did not hear of mail after the reload")
    expect(shown("MainPID") == pid, "reload restarted the server")
    ok("reload: an idling session stays and hears of new mail")


def restarts(anna):
    for number, how in ((signal.SIGSTOP, "a hung server (SIGSTOP) is killed by the watchdog"), (signal.SIGKILL, "kill -9")):
        pid, began = shown("MainPID"), time.monotonic()
        os.kill(int(pid), number)
        until(f"a restart after {number.name}", lambda before=pid: serving() and shown("MainPID") not in (before, "0"))
        took = time.monotonic() - began
        anna.deliver()
        anna.has_all()
        ok(f"{how}: it serves again after {took:.0f} s, mail is all there")


def stopped(anna):
    """As README has it before a copy of the store is made: nothing may start the server meanwhile."""
    run("systemctl", "stop", SOCKET, SERVICE)
    for port in (143, 993, 110, 995):
        with socket.socket() as client:
            expect(client.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is open while everything is stopped")
    expect(shown("ActiveState") == "inactive", "something started the server")
    run("systemctl", "start", SERVICE)
    until("the start after a stop", serving)
    anna.has_all()
    ok("stopped with its socket nothing starts it; `systemctl start mailnook` brings both back")


def doctor():
    """What doctor finds on a machine where nothing is wrong but what the emulation lacks."""
    done = run("mailnook", "doctor", "--json", check=False)
    findings = json.loads(done.stdout)
    faults = [finding["text"] for finding in findings if finding["level"] == "fault"]
    mail = [finding for finding in findings if finding["check"] == "mail"]
    expect(not faults and [finding["level"] for finding in mail] == ["ok"], f"doctor: {faults or mail}")
    ok(f"doctor: no fault, {mail[0]['text']}")


def limits(anna):
    hashes = DATA / "argon2"
    before = hashes.read_text().strip()
    run("systemctl", "set-property", "--runtime", SERVICE, "MemoryMax=24M")
    group = pathlib.Path("/sys/fs/cgroup") / shown("ControlGroup").lstrip("/")
    expect((group / "memory.max").read_text().strip() == str(24 << 20), "memory.max is not 24 MiB")
    for _ in range(20):
        anna.deliver()
    anna.has_all()
    events = dict(line.split() for line in (group / "memory.events").read_text().splitlines())
    expect(events["oom_kill"] == "0", f"the kernel killed it for memory: {events}")
    current = int((group / "memory.current").read_text())
    anonymous = re.search(r"^anon (\d+)$", (group / "memory.stat").read_text(), re.M)[1]
    ok(f"MemoryMax=24M is set in the cgroup and held: {current >> 10} KiB in use, {int(anonymous) >> 10} KiB of it anonymous")
    # What is measured under the limit is a quarter of it at most.
    admin("config", "measure")
    after = hashes.read_text().strip()
    expect(int(re.match(r"m=(\d+) ", after)[1]) <= 6 << 10, f"passwords take {after} with MemoryMax=24M")
    anna.has_all()
    ok(f"Argon2id chosen for the board: {before}; under MemoryMax=24M: {after}")
    exposure = run("systemd-analyze", "security", "--no-pager", "--threshold=15", SERVICE).strip().splitlines()[-1]
    ok(exposure.lstrip("→ ").strip())


def refused(what, word):
    """The server must not serve, and say why."""
    run("systemctl", "restart", "--no-block", SERVICE)

    def told():
        # Its status text is there until systemd starts it again.
        text = shown("StatusText") + "\n" + run("journalctl", "-u", SERVICE, "-n", "8", "-o", "cat", "--no-pager")
        return text if re.search(word, text) and shown("SubState") in ("auto-restart", "failed") else None

    text = until(f"{what}: a status that matches {word!r}", told)
    line = next(line for line in text.splitlines() if re.search(word, line))
    ok(f"{what}: it does not serve and says {line.strip()[:160]!r}")


def recovers(anna, what):
    run("systemctl", "reset-failed", SERVICE, check=False)
    until(f"a start after {what}", serving)
    anna.has_all()


def faults(anna):
    moved = CONFIG.with_suffix(".away")
    CONFIG.rename(moved)
    refused("a missing configuration", r"mailnook\.toml")
    moved.rename(CONFIG)
    recovers(anna, "the configuration is back")

    good = CONFIG.read_text()
    CONFIG.write_text(re.sub(r"(?m)^lmtp = .*$", 'lmtp = ["127.0.0.1:2424"]', good))
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", 2424))
        busy.listen()
        refused("a busy port", r"127\.0\.0\.1:2424")
    CONFIG.write_text(good)
    recovers(anna, "the port is free")

    certificate = DATA / "cert.pem"
    kept = certificate.read_bytes()
    certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    refused("a corrupt certificate", r"cert\.pem|certificate")
    certificate.write_bytes(kept)
    recovers(anna, "the certificate is whole")

    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\nBindReadOnlyPaths=/var/lib/mailnook\nStateDirectory=\n")
    run("systemctl", "daemon-reload")
    refused("a disk that is read-only", r"(?i)read-only|cannot")
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")
    recovers(anna, "the disk can be written")


def removal(anna):
    run("dpkg", "-r", "mailnook")
    expect((DATA / "store/data.mdb").exists() and CONFIG.exists(), "remove took mail or configuration")
    expect(not pathlib.Path("/usr/bin/mailnook").exists(), "remove left the program")
    installs("new.deb")
    until("a start after the second installation", serving)
    anna.has_all()
    ok("remove keeps mail and configuration; installed again, everything is there")
    run("dpkg", "-P", "mailnook")
    expect((DATA / "store/data.mdb").exists() and not CONFIG.exists(), "purge without a yes took the mail, or left the configuration")
    ok("purge without a yes keeps the mail")
    installs("new.deb")
    until("a start after the third installation", serving)
    anna.has_all()
    run("debconf-set-selections", text="mailnook mailnook/purge-mail boolean true\n")
    run("dpkg", "-P", "mailnook")
    expect(not DATA.exists(), f"purge with a yes left {DATA}")
    expect(not run("systemctl", "--failed", "--no-legend").strip(), "units failed")
    ok("purge with a yes deletes it; no unit is left behind")


def tarball():
    folder = pathlib.Path("/root/tarball")
    folder.mkdir()
    run("tar", "-C", str(folder), "--strip-components=1", "-xf", "/packages/mailnook.tar.gz")
    run("sh", str(folder / "install.sh"))
    until("the start from the tarball", serving)
    anna = Anna()
    mail(anna)
    run("sh", str(folder / "install.sh"))
    until("the start after installing over it", serving)
    anna.has_all()
    run("sh", str(folder / "install.sh"), "--uninstall")
    expect((DATA / "store/data.mdb").exists() and CONFIG.exists(), "--uninstall took mail or configuration")
    expect(not shutil.which("mailnook") and shown("ActiveState") == "inactive", "--uninstall left the server")
    ok("tarball: install.sh makes user, units and ports, installs over itself, and --uninstall leaves the mail")


def main():
    try:
        run("systemctl", "is-system-running", "--wait", check=False)
        installation()
        sockets()
        anna = Anna()
        mail(anna)
        upgrade(anna)
        reload(anna)
        restarts(anna)
        stopped(anna)
        doctor()
        limits(anna)
        faults(anna)
        removal(anna)
        tarball()
    except (Failed, OSError, AttributeError, ValueError, imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException, subprocess.TimeoutExpired) as error:
        journal = subprocess.run(["journalctl", "-u", "mailnook*", "-n", "25", "--no-pager"], capture_output=True, text=True, check=False)
        print("".join(f"journal: {line}\n" for line in journal.stdout.splitlines()), end="")
        print(f"@failed {type(error).__name__}: {error}", flush=True)
        return 1
    print("@passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
