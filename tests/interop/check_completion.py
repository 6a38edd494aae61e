"""The completions in the shells themselves: bash, fish and zsh, each with commands, options, values and files."""

import pathlib
import tempfile

import programs
from terminal import Terminal

NEEDS = ("bash", "fish", "zsh", "tmux")
SERVERS = ("mailnook",)

# What is typed, and what must be offered and what not; a tab completes what is the only choice.
WANTED = (
    ("us", {"user"}, {"quota"}),
    ("user p", {"passwd", "pop3"}, {"user", "list"}),
    ("-c x user pass", {"passwd"}, set()),
    ("user pop3 anna --dele ", {"hide", "trash", "expunge"}, {"--seen"}),
    ("user main-password anna o", {"off"}, {"lan"}),
    ("completion ", {"bash", "zsh", "fish"}, {"serve"}),
    ("user add --gen", {"--generate"}, {"--imap"}),
    ("config check probe-f", {"probe-file"}, set()),
    ("-c probe-f", {"probe-file"}, set()),
)


def bash(folder, script, words):
    """With `set -u`, as some people have it. Where nothing is offered, bash itself offers files."""
    text = (f"source {script}; COMP_WORDS=(mailnook {' '.join(repr(word) for word in words)}); COMP_CWORD={len(words)}; _mailnook; "
            f"[ -n \"${{COMPREPLY[*]:-}}\" ] && printf '%s\\n' \"${{COMPREPLY[@]}}\" || compgen -f -- {words[-1]!r}")
    return programs.run(["bash", "-u", "-c", text], folder).decode().split()


def fish(folder, script, words):
    text = f"source {script}; complete -C 'mailnook {' '.join(words)}'"
    lines = programs.run(["fish", "--no-config", "-c", text], folder, XDG_DATA_HOME=folder, XDG_CONFIG_HOME=folder).decode().splitlines()
    return [line.split("\t")[0] for line in lines]


def zsh(folder, script, words):
    """Typed into a shell that finds the script where a package puts it; the first tab loads it."""
    with Terminal(["zsh", "-f", "-i"], folder) as terminal:
        terminal.type(f"fpath=({script.parent} $fpath); autoload -Uz compinit; compinit -u -D; PS1='ready '; clear")
        terminal.keys("Enter")
        terminal.wait("ready", gone=("compinit",))
        terminal.type("mailnook " + " ".join(words))
        terminal.keys("Tab")
        terminal.type(" # end")
        terminal.wait("# end")
        shown = terminal.screen().replace(" # end", "").split()
        terminal.keys("C-c")
    return shown


def run(server):
    with tempfile.TemporaryDirectory(prefix="completion-") as folder:
        folder = pathlib.Path(folder)
        (folder / "probe-file").write_text("")
        for name, shell, file in (("bash", bash, "mailnook.bash"), ("fish", fish, "mailnook.fish"), ("zsh", zsh, "_mailnook")):
            (folder / name).mkdir()
            script = folder / name / file
            script.write_bytes(programs.run([server.binary, "completion", name], folder))
            for typed, wanted, unwanted in WANTED:
                words = typed.split(" ")
                offered = set(shell(folder, script, words))
                assert wanted <= offered, f"{name}: {typed!r} offers {offered}, and not all of {wanted}"
                # zsh shows what was typed as well.
                others = unwanted - set(words)
                assert not others & offered, f"{name}: {typed!r} offers {offered}"
