#!/usr/bin/env python3
"""Makes the initial file system of the bench's virtual machines: busybox, the modules that a machine needs, and init.

    board/qemu/initramfs.py SYSTEM OUTPUT [DIRECTORY]

SYSTEM is one of the folders that board/qemu/fetch makes. The files of DIRECTORY are added as they are. The archive is
written here and the modules' dependencies are read here, so that neither cpio nor kmod is needed.
"""

import gzip
import lzma
import os
import pathlib
import re
import stat
import sys

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("MAILNOOK_QEMU_CACHE") or HERE.parents[1] / "target/qemu")
# Of one list each machine finds its own: those of QEMU's "virt" and those of the Raspberry Pis.
VIRT = ("virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng")
PI = ("bcm2835_rng", "phy_generic", "dwc2", "i2c_bcm2835", "bcm2835", "sdhci_iproc", "cdc_ether", "rndis_host")
COMMON = ("crc32c_generic", "ext4")
FOLDERS = ("bin", "dev", "proc", "sys", "tmp", "data", "m", "etc")


class Missing(Exception):
    """Something that must be fetched or built first; its text is for the user."""


def kernel(system):
    return only(CACHE / system, "boot/vmlinuz-*")


def device_tree(system, name):
    return only(CACHE / system, f"usr/lib/linux-image-*/{name}")


def only(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        raise Missing(f"{folder}/{pattern} is not there: run board/qemu/fetch")
    return found[-1]


def modules(system, wanted):
    """File names and octets of modules in the order of loading."""
    root = only(CACHE / system, "lib/modules/*")
    files = {plain(path.name.split(".ko")[0]): path for path in (root / "kernel").rglob("*.ko*")}
    built_in = {plain(pathlib.Path(line).stem) for line in (root / "modules.builtin").read_text().split()}
    order = {}

    def add(name):
        if name in order or name in built_in:
            return
        if name not in files:
            raise Missing(f"the kernel of {system} has no module {name}")
        octets = files[name].read_bytes()
        if files[name].suffix == ".xz":
            octets = lzma.decompress(octets)
        for depends in re.findall(rb"\0depends=([^\0]*)\0", octets):
            for one in filter(None, depends.decode().split(",")):
                add(plain(one))
        order[name] = octets

    for name in wanted:
        add(plain(name))
    return {f"{name}.ko": octets for name, octets in order.items()}


def plain(name):
    return name.replace("-", "_")


class Archive:
    """A cpio archive in the "newc" format, as the kernel unpacks it."""

    def __init__(self):
        self.octets = bytearray()
        self.entries = set()

    def entry(self, name, mode, octets=b""):
        self.entries.add(name)
        name = name.encode() + b"\0"
        fields = (len(self.entries), mode, 0, 0, 1, 0, len(octets), 0, 0, 0, 0, len(name), 0)
        self.octets += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.pad()
        self.octets += octets
        self.pad()

    def pad(self):
        self.octets += bytes(-len(self.octets) % 4)

    def folder(self, name):
        for parent in [*reversed(pathlib.PurePath(name).parents), pathlib.PurePath(name)]:
            if str(parent) not in (".", *self.entries):
                self.entry(str(parent), stat.S_IFDIR | 0o755)

    def file(self, name, octets, mode=0o644):
        self.folder(str(pathlib.PurePath(name).parent))
        self.entry(name, stat.S_IFREG | mode, octets)

    def link(self, name, target):
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def tree(self, folder):
        for path in sorted(pathlib.Path(folder).rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_dir():
                self.folder(name)
            else:
                self.file(name, path.read_bytes(), stat.S_IMODE(path.stat().st_mode))

    def write(self, path):
        self.entry("TRAILER!!!", 0)
        pathlib.Path(path).write_bytes(gzip.compress(bytes(self.octets), 1))


def base(system, wanted):
    """What every machine has: busybox, init and its modules."""
    archive = Archive()
    for name in FOLDERS:
        archive.folder(name)
    archive.file("bin/busybox", only(CACHE / system, "bin/busybox").read_bytes(), 0o755)
    archive.link("bin/sh", "busybox")
    archive.file("init", (HERE / "init").read_bytes(), 0o755)
    loaded = modules(system, wanted)
    for name, octets in loaded.items():
        archive.file(f"m/{name}", octets)
    archive.file("m/order", "".join(f"{name}\n" for name in loaded).encode())
    archive.file("etc/passwd", b"root:x:0:0:root:/tmp:/bin/sh\nmailnook:x:999:999::/data:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\nmailnook:x:999:\n")
    return archive


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        archive = base(sys.argv[1], COMMON + VIRT + PI)
    except Missing as error:
        sys.exit(f"board/qemu/initramfs.py: {error}")
    if len(sys.argv) == 4:
        archive.tree(sys.argv[3])
    archive.write(sys.argv[2])


if __name__ == "__main__":
    main()
