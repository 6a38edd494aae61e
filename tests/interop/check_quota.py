"""The same mail in mailnook and in Debian's Dovecot with its quota plugin: after every step the quota commands of both, the
command line, a recount, STATUS SIZE and Python's sum over FETCH RFC822.SIZE give the same octets and messages.
"""

import json
import random
import re

import corpus
from servers import Dovecot
from wire import Imap, parse, pairs

NEEDS = ("dovecot",)
SERVERS = ("mailnook",)

USER, PASSWORD = "anna", "long-secret"
# What both may hold: octets and messages.
BYTES, MESSAGES = 64 << 20, 5000
KIB = 1024
# Without mail_save_crlf Dovecot loses a CR where two stand before LF.
QUOTA_PLUGIN = f"""
mail_save_crlf = yes
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:bytes={BYTES}:messages={MESSAGES}
}}
"""
SEED = 9208


def generated():
    """Messages whose sizes, and whose sums, lie at and beside whole KiB."""
    chance = random.Random(SEED)
    sizes = [KIB - 1, 1, KIB, KIB + 1, 4 * KIB - 1] + [chance.randrange(100, 40_000) for _ in range(35)]
    for number, size in enumerate(sizes):
        head = f"Subject: generated {number}\r\n\r\n".encode()
        yield head[:size] if size < len(head) + 2 else head + b"x" * (size - len(head) - 2) + b"\r\n"


def mailboxes(imap):
    return [parse(line)[4].decode() for line in imap.ok('LIST "" "*"')]


def sums(imap):
    """Octets and messages as Python counts them, and as STATUS says."""
    octets, messages, told = 0, 0, [0, 0]
    for name in mailboxes(imap):
        (status,) = (pairs(parse(line)[3]) for line in imap.ok(f"STATUS {name} (MESSAGES SIZE)") if b" STATUS " in line)
        told[0] += int(status[b"SIZE"])
        told[1] += int(status[b"MESSAGES"])
        imap.ok(f"EXAMINE {name}")
        sizes = [int(row[b"RFC822.SIZE"]) for row in imap.fetch("1:*", "(UID RFC822.SIZE)").values()] if int(status[b"MESSAGES"]) else []
        octets += sum(sizes)
        messages += len(sizes)
        imap.ok("UNSELECT")
    assert told == [octets, messages], f"STATUS says {told}, FETCH {[octets, messages]}"
    return octets, messages


def resources(lines):
    """The resources of the only QUOTA response: usage and limit by name."""
    (line,) = [line for line in lines if line.startswith(b"* QUOTA ")]
    words = parse(line)[3]
    return {words[at].decode(): (int(words[at + 1]), int(words[at + 2])) for at in range(0, len(words), 3)}


def quota(imap):
    """What GETQUOTAROOT says of INBOX; GETQUOTA of that root says the same."""
    lines = imap.ok("GETQUOTAROOT INBOX")
    (roots,) = [parse(line) for line in lines if line.startswith(b"* QUOTAROOT ")]
    assert roots[2] == b"INBOX" and len(roots) == 4, roots
    told = resources(lines)
    assert resources(imap.ok(f'GETQUOTA "{roots[3].decode()}"')) == told
    return told


def compare(server, ours, other, step):
    """All figures of both servers after a step; the octets."""
    octets, messages = sums(ours)
    assert sums(other) == (octets, messages), f"{step}: Dovecot's messages are {sums(other)}, ours {octets, messages}"
    told, expected = quota(ours), quota(other)
    # A unit that is begun counts (RFC 9208 §5.1: no more fits than the limit less the usage).
    assert told["STORAGE"] == (-(-octets // KIB), BYTES // KIB), f"{step}: {told} for {octets} octets"
    assert told["MESSAGE"] == (messages, MESSAGES), f"{step}: {told} for {messages} messages"
    assert told["MAILBOX"][0] == len(mailboxes(ours)), f"{step}: {told}"
    for name in ("STORAGE", "MESSAGE"):
        assert told[name] == expected[name], f"{step}: {name} is {told[name]} here, {expected[name]} in Dovecot"
    (shown,) = json.loads(server.run("quota", "show", USER, "--json").stdout)
    assert (shown["bytes"], shown["messages"]) == (octets, messages), f"{step}: {shown}, not {octets, messages}"
    counted = server.run("quota", "recount", USER).stdout.decode()
    assert re.search(rf"^{USER}: {messages or 'no'} messages?, ", counted) and "the stored figures were right\n" in counted, counted
    return octets


def run(server):
    server.add_user(USER, PASSWORD)
    server.run("quota", "set", USER, "--bytes", str(BYTES), "--messages", str(MESSAGES))
    with Dovecot(settings=QUOTA_PLUGIN) as dovecot:
        dovecot.add_user(USER, PASSWORD)
        ours, other = (Imap(one.ports["imaps"], USER, PASSWORD, tls=True) for one in (server, dovecot))

        def append(mailbox, messages):
            for octets in messages:
                for imap in (ours, other):
                    done = imap.append(mailbox, octets)
                    assert done.startswith(b"OK"), done

        def both(*commands):
            for imap in (ours, other):
                for command in commands:
                    imap.ok(command)

        def step(name):
            seen.append(compare(server, ours, other, name))

        seen = []
        step("nothing")
        few = list(generated())
        # One at a time where the sum goes past whole KiB: 1023, 1024, 2048, 3073, ... octets.
        for octets in few[:5]:
            append("INBOX", [octets])
            step(f"append of {len(octets)} octets")
        append("Archive", few[5:])
        step("append of generated mail")
        append("INBOX", corpus.all_messages().values())
        step("append of the corpus")
        both("SELECT INBOX", "COPY 1:20 Archive", "COPY 1:10 INBOX", "UNSELECT")
        step("copies")
        both("SELECT INBOX", "MOVE 5:40 Trash", "UID MOVE 1:3 Archive", "UNSELECT")
        assert seen[-1] == compare(server, ours, other, "moves"), "a move changed the sum"
        both("SELECT Archive", r"STORE 1:30 +FLAGS.SILENT (\Deleted)", "UNSELECT")
        assert seen[-1] == compare(server, ours, other, "marks"), "a flag changed the sum"
        both("SELECT Archive", "UID EXPUNGE 1:10", "UNSELECT")
        step("UID EXPUNGE")
        both("SELECT Archive", "EXPUNGE", "UNSELECT")
        step("EXPUNGE")
        both("CREATE Old", "SELECT INBOX", "COPY 1:* Old", "UNSELECT", "RENAME Old Older")
        step("a new mailbox")
        both("DELETE Older")
        step("a mailbox deleted")
        for name in ("INBOX", "Archive", "Trash"):
            both(f"SELECT {name}", r"STORE 1:* +FLAGS.SILENT (\Deleted)", "CLOSE")
        step("all expunged")
        assert seen[-1] == 0 and max(seen) > 1 << 20
        for imap in (ours, other):
            imap.logout()
    print(f"   {len(seen) + 2} comparisons, up to {max(seen)} octets")
