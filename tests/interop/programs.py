"""Runs client programs: with a time limit, without a terminal, in a home of their own."""

import os
import pathlib
import subprocess
import sys
import venv

LIMIT_SECONDS = 240
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
VENV = pathlib.Path(__file__).resolve().parents[2] / "target" / "interop-venv"


def packages():
    """Makes the packages of requirements.txt importable; they are installed from PyPI where they are not yet."""
    wanted = REQUIREMENTS.read_bytes()
    stamp = VENV / "installed"
    if not stamp.exists() or stamp.read_bytes() != wanted:
        venv.create(VENV, clear=True, with_pip=True)
        subprocess.run([VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS], check=True)
        stamp.write_bytes(wanted)
    (found,) = VENV.glob("lib/python*/site-packages")
    if str(found) not in sys.path:
        sys.path.append(str(found))


def environment(home, **more):
    keep = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {**keep, "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm", **more}


def run(command, home, stdin=b"", codes=(0,), **more):
    """The program's output; any other exit code is a failure that shows all of it."""
    done = subprocess.run([str(word) for word in command], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          cwd=home, env=environment(home, **more), timeout=LIMIT_SECONDS)
    assert done.returncode in codes, f"{command}: exit {done.returncode}\n{done.stdout.decode(errors='replace')[-6000:]}"
    return done.stdout
