"""The boards that QEMU imitates here, and a running one."""

import dataclasses
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import initramfs
from initramfs import COMMON, PI, VIRT, Missing

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
AARCH64 = "aarch64-unknown-linux-musl"
ARMV6 = "arm-unknown-linux-musleabihf"
# Debian's kernels stumble over the power manager of the Pis that QEMU imitates. They do not trust the random number generator
# by themselves, and without it programs that need randomness wait for minutes until there were enough interrupts.
PI_KERNEL = "initcall_blacklist=bcm2835_pm_driver_init rng_core.default_quality=1000"
BOOT_SECONDS = 180


@dataclasses.dataclass(frozen=True)
class Board:
    """How to start one board. `target` is what its programs are built for, `system` the folder with its kernel, `preset` a
    file of board/*.toml."""

    name: str
    qemu: str
    machine: str
    system: str
    target: str
    memory: int = 0
    device_tree: str = ""
    console: str = "ttyAMA0"
    serial: tuple = ("-serial", "stdio")
    armv6: bool = False
    cpu: str = ""
    preset: str = ""
    page: int = 4096
    # Whether the SD card may use DMA. Where there are several processors, Linux 6.1's driver sometimes falls over the end of
    # a transfer that QEMU finishes before the driver is ready for it; without DMA the driver copies by itself.
    dma: bool = True
    # Further words of the kernel's command line.
    words: tuple = ()

    @property
    def pi(self):
        return self.machine.startswith("raspi")

    def written_device_tree(self, place):
        tree = initramfs.device_tree(self.system, self.device_tree).read_bytes()
        if not self.dma:
            # Its strings have the name of each property once; under another name the kernel does not find it.
            if tree.count(b"\0dmas\0") != 1:
                raise Failed(f"{self.name}: {self.device_tree} does not name DMA as it used to")
            tree = tree.replace(b"\0dmas\0", b"\0none\0")
        place.write_bytes(tree)
        return place

    def command(self, initrd, disk, ports, words):
        network = "user,id=n0" + "".join(f",hostfwd=tcp:{HOST}:{here}-:{there}" for there, here in ports.items())
        command = [self.qemu, "-M", self.machine, "-kernel", str(initramfs.kernel(self.system)), "-initrd", str(initrd),
                   "-display", "none", "-monitor", "none", *self.serial, "-no-reboot"]
        if self.machine == "raspi0":
            # Its timer loses an interrupt for ever that is set for a moment which passes before QEMU sees it, as it happens on
            # a busy computer: time must go on with the instructions.
            command += ["-icount", "shift=auto"]
        if self.cpu:
            command += ["-cpu", self.cpu]
        if self.memory:
            command += ["-m", str(self.memory)]
        if self.device_tree:
            command += ["-dtb", str(self.written_device_tree(initrd.parent / "device-tree"))]
        if ports:
            command += ["-netdev", network, "-device", f"{'usb-net' if self.pi else 'virtio-net-device'},netdev=n0"]
            words += ["bench.net=1"]
        elif not self.pi:
            command += ["-nic", "none"]
        if disk and self.pi:
            command += ["-drive", f"file={disk},format=raw,if=sd"]
        elif disk:
            command += ["-drive", f"file={disk},format=raw,if=none,id=d0", "-device", "virtio-blk-device,drive=d0"]
        if disk:
            words += ["bench.disk=1"]
        if not self.pi:
            command += ["-device", "virtio-rng-device"]
        return command + ["-append", " ".join([f"console={self.console}", "quiet", "panic=-1", *self.words, *words])]


def virt(name, memory, cpu="cortex-a53", system="arm64", page=4096):
    return Board(name, "qemu-system-aarch64", "virt", system, AARCH64, memory, cpu=cpu, page=page)


BOARDS = {board.name: board for board in (
    virt("virt-64", 64),
    virt("virt-128", 128),
    virt("virt-512", 512),
    virt("virt-16k", 256, "cortex-a76", "arm64-16k", 16384),
    Board("raspi0", "qemu-system-arm", "raspi0", "armel", ARMV6, 0, "bcm2835-rpi-zero.dtb", "ttyAMA0,115200", armv6=True, preset="pi-zero"),
    # Two of its four processors: with more than the computer has Linux 6.1 now and then waits for one that has no turn, for good.
    Board("raspi2b", "qemu-system-arm", "raspi2b", "armhf", ARMV6, 0, "bcm2836-rpi-2-b.dtb", "ttyAMA0,115200", preset="pi-2", dma=False,
          words=("maxcpus=2",)),
    Board("raspi3b", "qemu-system-aarch64", "raspi3b", "arm64", AARCH64, 0, "broadcom/bcm2837-rpi-3-b.dtb", "ttyS1,115200",
          ("-serial", "null", "-serial", "stdio"), preset="pi-3", dma=False),
    # Not a board that anybody has: runs 32-bit test programs faster than a Pi does.
    Board("virt-32", "qemu-system-arm", "virt,highmem=off", "armhf", ARMV6, 512, cpu="cortex-a7"),
)}


def free_ports(count):
    """Ports that nobody listens on; all are held until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Failed(Exception):
    """A machine that does not do what it should; its text is for the user."""


class Machine:
    """A running board, in a folder of its own. QEMU is killed at the end, and when this process dies."""

    def __init__(self, board, disk=None, ports=(), extra=None, words=(), processors=1, echo=None):
        if not shutil.which(board.qemu):
            raise Missing(f"{board.qemu} is not there: run board/qemu/fetch")
        self.board, self.echo = board, echo
        self.ports = dict(zip(ports, free_ports(len(ports))))
        self.folder = tempfile.TemporaryDirectory(prefix="run-", dir=initramfs.CACHE)
        initrd = pathlib.Path(self.folder.name) / "initrd"
        archive = initramfs.base(board.system, COMMON + (PI if board.pi else VIRT))
        if extra:
            extra(archive)
        archive.write(initrd)
        command = board.command(initrd, disk, self.ports, list(words) + ([PI_KERNEL] if board.pi else []))
        if not board.pi:
            command += ["-smp", str(processors)]
        self.lines, self.kept = queue.Queue(), []
        # When the line that was read last came, by our clock.
        self.heard = 0.0
        self.began = time.monotonic()
        # The kernel ends QEMU with us, however we end.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line.decode(errors="replace").rstrip("\r\n")))
        self.lines.put((time.monotonic(), None))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """As if somebody pulled the plug."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def wait(self, pattern, seconds):
        """Lines of the console up to one with the pattern: its match, and the lines before."""
        before, end = [], time.monotonic() + seconds
        while True:
            try:
                self.heard, line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"{self.board.name}: no {pattern!r} within {seconds} s{self.tail()}") from None
            if line is None:
                raise Failed(f"{self.board.name}: QEMU ended{self.tail()}")
            self.kept.append(line)
            if line.startswith("@failed"):
                raise Failed(f"{self.board.name}: {line[8:]}")
            if found := re.search(pattern, line):
                return found, before
            before.append(line)
            if self.echo:
                self.echo(line)

    def tail(self):
        # Limit: the last 15 lines of the console tell what went wrong.
        text = "\n  ".join(line for line in self.kept[-15:] if line.strip())
        return f"; the console said last:\n  {text}" if text else ""

    def boot(self):
        """The seconds from QEMU's start to init being ready for commands."""
        self.wait(r"@up [0-9.]+", BOOT_SECONDS)
        return time.monotonic() - self.began

    def send(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def run(self, command, seconds=60):
        """Runs a line of shell in the machine; its exit code and its output."""
        self.send(command)
        found, lines = self.wait(r"@done (\d+)$", seconds)
        rest = self.kept[-1][:found.start()]
        return int(found[1]), lines + ([rest] if rest else [])

    def check(self, command, seconds=60):
        """The same for a command that must succeed."""
        code, lines = self.run(command, seconds)
        if code:
            raise Failed(f"{self.board.name}: {command!r} ended with {code}: {' / '.join(lines[-5:])}")
        return lines


def disk(path, megabytes, files):
    """An ext4 file system of that size with these files: name, octets, mode."""
    with tempfile.TemporaryDirectory(prefix="disk-", dir=initramfs.CACHE) as folder:
        for name, octets, mode in files:
            target = pathlib.Path(folder) / name
            target.write_bytes(octets)
            target.chmod(mode)
        os.chmod(folder, 0o755)
        path.unlink(missing_ok=True)
        with open(path, "wb") as image:
            image.truncate(megabytes << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-F", "-d", folder, str(path)], capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    if made.returncode:
        raise Failed(f"mkfs.ext4: {made.stderr.strip().splitlines()[-1]}")


def stop_on_signals():
    """SIGTERM and SIGHUP end us as an exception does, so that everything is cleaned up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
