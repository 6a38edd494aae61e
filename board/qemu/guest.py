"""mailnook on the disk of an emulated board: the disk's contents, start and stop, and its memory."""

import pathlib
import time

import machines
from client import DOMAIN, PASSWORD, USER
from machines import Failed

HERE = pathlib.Path(__file__).resolve().parent
# With less than that (50 MB) mailnook takes no mail.
RESERVE_KIB = 48829
PORTS = (24, 143, 993, 995)
CONFIG = f"""
data_dir = "/data/mail"
hostname = "board.{DOMAIN}"
domains = ["{DOMAIN}"]
[listen]
imap = ["*:143"]
imaps = ["*:993"]
pop3 = ["*:110"]
pop3s = ["*:995"]
lmtp = ["*:24"]
"""


def disk(path, binary, megabytes):
    machines.disk(path, megabytes, [("mailnook", binary.read_bytes(), 0o755), ("mailnook.toml", CONFIG.encode(), 0o644),
                                    ("service", (HERE / "service").read_bytes(), 0o755)])


def prepare(machine):
    """On a new disk: the preset of the board, a directory that is not root's, and the user."""
    if machine.board.preset:
        machine.check(f"/data/mailnook config board {machine.board.preset} /data/mailnook.toml >/tmp/new && cp /tmp/new /data/mailnook.toml")
    machine.check("mkdir /data/mail && chown mailnook:mailnook /data/mail")
    machine.check(f"echo {PASSWORD} | /data/mailnook -c /data/mailnook.toml user add {USER} --password-stdin", 120)


def start(machine):
    """Starts the server; the seconds until its first greeting, from its own start and from QEMU's."""
    machine.check(f"date -s @{int(time.time())}")
    machine.send("/data/service start")
    machine.wait("@starting", 60)
    began = machine.heard
    found, lines = machine.wait(r"@serving|@done", 120)
    if found[0] != "@serving":
        raise Failed(f"{machine.board.name}: mailnook does not serve: {' / '.join(lines)}")
    served = machine.heard
    machine.wait("@done", 60)
    return served - began, served - machine.began


def memory(machine):
    """VmRSS and its like of the server in KiB."""
    lines = machine.check("grep -E '^(VmRSS|VmHWM|RssAnon|RssFile)' /proc/$(cat /tmp/pid)/status")
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def stop(machine):
    """Ends it in good order; the store must be sound, and the kernel must not have ended anything for want of memory."""
    machine.check("/data/service stop")
    machine.check("/data/mailnook -c /data/mailnook.toml verify", 300)
    not_killed(machine)


def not_killed(machine):
    killed = machine.check("grep oom_kill /proc/vmstat")[0].split()[1]
    if killed != "0":
        raise Failed(f"{machine.board.name}: the kernel ended {killed} process(es) for want of memory")


def full(machine):
    """Says so where the machine's disk is full."""
    code, lines = machine.run("df -k /data | tail -n 1")
    words = lines[-1].split() if lines else []
    if code == 0 and len(words) > 4 and int(words[3]) < RESERVE_KIB:
        return f" (the machine's disk is full: {words[3]} KiB are free, which mailnook keeps in reserve; give it more with --disk-megabytes)"
    return ""
