"""What the benchmarks share: processes as /proc shows them, and raw sessions that cost the client little."""

import os
import pathlib
import resource
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "interop"))

import servers  # noqa: E402
import wire  # noqa: E402

PASSWORD = "long-secret"
TICKS = os.sysconf("SC_CLK_TCK")
PIECE = 1 << 20


def allow_many_files():
    """As many open files as the system lets this process and its children have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tree(root):
    """The process and all below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents[int(entry)] = int(text.rsplit(")", 1)[1].split()[1])
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return sorted(found)
        found |= more


def kilobytes(pid, file, names):
    """The sum of some lines of /proc/PID/FILE, in KiB."""
    total = 0
    try:
        with open(f"/proc/{pid}/{file}") as lines:
            for line in lines:
                name, _, rest = line.partition(":")
                if name in names:
                    total += int(rest.split()[0])
    except OSError:
        return 0
    return total


def anonymous(pids):
    """Anonymous resident memory in KiB: heap and stacks, without the mapped store and program."""
    return sum(kilobytes(pid, "status", ("RssAnon",)) for pid in pids)


def proportional(pids):
    """PSS in KiB: everything resident, shared pages divided among those who share them."""
    return sum(kilobytes(pid, "smaps_rollup", ("Pss",)) for pid in pids)


def resident(pids):
    return sum(kilobytes(pid, "status", ("VmRSS",)) for pid in pids)


def written(pids):
    """Octets that the processes caused to be sent to the disk."""
    return sum(io_bytes(pid) for pid in pids)


def io_bytes(pid):
    try:
        with open(f"/proc/{pid}/io") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
    except (OSError, StopIteration):
        return 0


def cpu_seconds(pids):
    """Processor time of the processes and of their ended children."""
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


class Session(wire.Imap):
    """An IMAP session that throws away what it reads, for measuring."""

    def drain(self, command):
        """Runs a command; (seconds, octets of the answer)."""
        began = time.perf_counter()
        tag = self.start(command)
        end, total, tail = b"\r\n" + tag + b" ", 0, bytes(self.lines.buffer)
        self.lines.buffer.clear()
        stream = self.socket
        while True:
            at = (b"\r\n" + tail).rfind(end)
            if at >= 0 and tail.endswith(b"\r\n"):
                line = (b"\r\n" + tail)[at + 2:]
                if not line.startswith(tag + b" OK"):
                    raise AssertionError(f"{command}: {line!r}")
                return time.perf_counter() - began, total
            piece = stream.recv(PIECE)
            if not piece:
                raise EOFError(f"{command}: the server ended the connection")
            total += len(piece)
            tail = (tail + piece)[-4096:]


def launchers(options):
    """The servers to compare, each by a function that makes one."""
    every = {"mailnook": lambda: servers.Mailnook(log_level="warn")}
    if options.binary:
        os.environ["MAILNOOK_BIN"] = str(pathlib.Path(options.binary).resolve())
    else:
        os.environ.setdefault("MAILNOOK_BIN", str(ROOT / "target/release/mailnook"))
    if options.dovecot:
        every["dovecot"] = lambda: servers.Dovecot(storage=options.dovecot_storage)
    return every


def arguments(parser):
    parser.add_argument("--binary", help="mailnook's binary (target/release/mailnook)")
    parser.add_argument("--dovecot", action="store_true", help="measure Debian's Dovecot too, in turn")
    parser.add_argument("--dovecot-storage", default="maildir:~/Maildir", help="Dovecot's mail_location")
    parser.add_argument("--rounds", type=int, default=2, help="how often each server has its turn")


def machine():
    """One line that tells where the figures come from."""
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    load = os.getloadavg()[0]
    return f"{len(names)} x {names[0] if names else 'unknown processor'}, kernel {os.uname().release}, load {load:.1f}"
