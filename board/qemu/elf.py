"""What a program file tells of the processor it was built for, and whether a board can run it."""

import os
import re
import struct
import subprocess

from initramfs import Missing
from machines import AARCH64, ROOT, Failed

MACHINES = {183: "AArch64", 40: "ARM", 62: "x86-64"}
LOAD = 1


def binary(target):
    """The program that board/build made for a target."""
    path = ROOT / "target" / target / "release/mailnook"
    if not path.is_file():
        raise Missing(f"{path.relative_to(ROOT)} is not there: 'board/build {target}' makes it")
    return path


def describe(path):
    """Machine, bits, alignment of the loaded segments, and for ARM the architecture's version: "v6"."""
    if not path.is_file():
        raise Missing(f"{path} is not there")
    octets = path.read_bytes()
    if octets[:4] != b"\x7fELF":
        raise Failed(f"{path} is not a program for Linux")
    bits = {1: 32, 2: 64}[octets[4]]
    machine = struct.unpack_from("<H", octets, 18)[0]
    layout = ("<Q", 32, 54, "<IIQQQQQQ", 0, 7) if bits == 64 else ("<I", 28, 42, "<IIIIIIII", 0, 7)
    offset = struct.unpack_from(layout[0], octets, layout[1])[0]
    size, count = struct.unpack_from("<HH", octets, layout[2])
    headers = [struct.unpack_from(layout[3], octets, offset + size * at) for at in range(count)]
    found = {"machine": MACHINES.get(machine, str(machine)), "bits": bits, "size": len(octets),
             "align": min((header[7] for header in headers if header[0] == LOAD), default=0), "arch": "", "attributes": ""}
    if machine == 40:
        text = subprocess.run(["readelf", "-A", str(path)], capture_output=True, text=True, check=True,
                              env={**os.environ, "LC_ALL": "C"}).stdout
        tags = dict(re.findall(r"(Tag_\w+): (.*)", text))
        found["arch"] = tags.get("Tag_CPU_arch", "?")
        names = ("Tag_CPU_arch", "Tag_FP_arch", "Tag_ABI_VFP_args")
        found["attributes"] = ", ".join(f"{name} {tags[name]}" for name in names if name in tags)
    return found


def check(path, board):
    """Refuses a program that the board cannot run; what it is otherwise, in words."""
    elf = describe(path)
    wanted = "AArch64" if board.target == AARCH64 else "ARM"
    if elf["machine"] != wanted:
        raise Failed(f"{board.name} needs a program for {wanted}, {path} is for {elf['machine']}: build it with 'board/build {board.target}'")
    if board.armv6 and elf["arch"] not in ("v4T", "v5T", "v5TE", "v5TEJ", "v6", "v6KZ", "v6K"):
        raise Failed(f"{board.name} has an ARMv6 processor, {path} is for ARM{elf['arch']}: build it with 'board/build {board.target}'")
    if elf["align"] % board.page:
        raise Failed(f"{board.name} has pages of {board.page} octets, {path} is aligned to {elf['align']} only")
    return f"{elf['size']} octets, {elf['attributes'] or elf['machine']}, aligned to {elf['align'] // 1024} KiB"
