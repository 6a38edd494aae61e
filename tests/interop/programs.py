"""Runs client programs: with a time limit, without a terminal, in a home of their own."""

import os
import subprocess

LIMIT_SECONDS = 240


def environment(home, **more):
    keep = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return {**keep, "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm", **more}


def run(command, home, stdin=b"", codes=(0,), **more):
    """The program's output; any other exit code is a failure that shows all of it."""
    done = subprocess.run([str(word) for word in command], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          cwd=home, env=environment(home, **more), timeout=LIMIT_SECONDS)
    assert done.returncode in codes, f"{command}: exit {done.returncode}\n{done.stdout.decode(errors='replace')[-6000:]}"
    return done.stdout
