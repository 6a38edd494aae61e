"""Drives a program that wants a terminal, in a tmux session of its own: keys go in, the screen is read."""

import pathlib
import shlex
import subprocess
import tempfile
import time

import programs

PATIENCE_SECONDS = 40
POLL_SECONDS = 0.1


class Terminal:
    """A program on a screen of 120 columns and 40 lines; its tmux server has its own socket and ends with it."""

    def __init__(self, command, home, **more):
        self.folder = tempfile.TemporaryDirectory(prefix="terminal-")
        self.socket = pathlib.Path(self.folder.name) / "tmux"
        environment = programs.environment(home, **{"TERM": "screen-256color", **more})
        line = "exec " + shlex.join(str(word) for word in command)
        subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "-c", home, "sh", "-c", line],
                       env=environment, check=True, capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server", check=False)
        self.folder.cleanup()

    def tmux(self, *arguments, check=True):
        return subprocess.run(["tmux", "-S", self.socket, *arguments], check=check, capture_output=True, text=True)

    def keys(self, *keys):
        """tmux's names of keys (Enter, Escape, C-x), and texts."""
        self.tmux("send-keys", *keys)

    def type(self, text):
        """Text that holds no name of a key."""
        self.tmux("send-keys", "-l", text)

    def screen(self):
        return self.tmux("capture-pane", "-p", check=False).stdout

    def wait(self, *texts, gone=()):
        """Until all of these texts are on the screen, and those of `gone` are not."""
        self.until(lambda screen: all(text in screen for text in texts) and not any(text in screen for text in gone), f"{texts} without {gone}")

    def until(self, holds, what):
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds(screen := self.screen()):
            if time.monotonic() > end or not self.runs():
                raise AssertionError(f"the screen does not show {what}:\n{screen}")
            time.sleep(POLL_SECONDS)

    def runs(self):
        return self.tmux("has-session", check=False).returncode == 0

    def ended(self):
        """Waits until the program has ended."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.runs():
            if time.monotonic() > end:
                raise AssertionError(f"the program does not end:\n{self.screen()}")
            time.sleep(POLL_SECONDS)


def eventually(holds, what):
    """Waits until something is so, seen over another connection."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (result := holds()):
        if time.monotonic() > end:
            raise AssertionError(f"it does not come true: {what}")
        time.sleep(POLL_SECONDS)
    return result
