#!/usr/bin/env python3
"""kill -9 at random moments while mail is delivered, appended, flagged and moved.

    tests/interop/crash.py [--rounds 40] [--seed N]

After each kill the server starts again, and then: every acknowledged message is there once, octet for octet, under the UID
that was told; one that was not acknowledged is there once or not at all; flags are those of the last acknowledged STORE (or
of the one that was under way); a moved message is in exactly one place; `mailnook verify` finds nothing.
"""

import argparse
import hashlib
import random
import re
import sys
import threading
import time

import servers
from servers import DOMAIN
from wire import Imap, Lmtp

PASSWORD = "long-secret"
FLAGGED_MESSAGES = 40
FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "Todo", "$Forwarded")
MOVED_MESSAGES = 60
LIFE_SECONDS = (0.02, 0.35)
# A new store after so many kills, because everything in it is read after each.
KILLS_PER_STORE = 50


def message(number):
    """The message of that number: its text follows from the number, so that nothing need be remembered."""
    chance = random.Random(number)
    size = chance.choice((40, 400, 3000, 5000, 30000, 120000))
    seed = hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\r\n"
    return b"From: a@example.org\r\nSubject: number-%d\r\n\r\n" % number + seed * (size // len(seed) + 1)


def number_of(octets):
    found = re.search(rb"^Subject: number-(\d+)\r$", octets[:4000], re.MULTILINE)
    assert found, f"a message that nobody sent: {octets[:300]!r}"
    return int(found[1])


class Journal:
    """What was sent and what was acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next_number = 1
        self.sent = {}          # place: numbers that may be there
        self.acknowledged = {}  # place: {number: UID or None}
        self.flags = {}         # UID: the acknowledged flags
        self.pending_flags = {}  # UID: the flags of a STORE under way

    def begin(self, places):
        with self.lock:
            number = self.next_number
            self.next_number += 1
            for place in places:
                self.sent.setdefault(place, set()).add(number)
            return number

    def acknowledge(self, number, place, uid=None):
        with self.lock:
            self.acknowledged.setdefault(place, {})[number] = uid


class Round:
    """One life of the server."""

    def __init__(self, server, journal, chance):
        self.server, self.journal = server, journal
        self.seeds = [chance.random() for _ in range(5)]
        self.failures = []

    def guard(self, work, seed):
        def run():
            try:
                work(random.Random(seed))
            except (OSError, EOFError):
                pass  # The server was killed.
            except Exception as error:  # Whatever it is, the main thread reports it.
                self.failures.append(f"{work.__name__}: {error!r}")
        return threading.Thread(target=run, daemon=True)

    def live(self, seconds):
        works = (self.deliver, self.deliver, self.append, self.store, self.move)
        threads = [self.guard(work, seed) for work, seed in zip(works, self.seeds)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.server.kill()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), "a client hangs"
        assert not self.failures, self.failures

    def session(self):
        return Imap(self.server.ports["imap"], "anna", PASSWORD)

    def deliver(self, chance):
        lmtp = Lmtp(self.server.lmtp_socket)
        while True:
            users = chance.choice((["anna"], ["bob"], ["anna", "bob"]))
            places = [f"{user}/INBOX" for user in users]
            number = self.journal.begin(places)
            for place, reply in zip(places, lmtp.deliver(message(number), [f"{user}@{DOMAIN}" for user in users])):
                assert reply.startswith(b"250"), reply
                self.journal.acknowledge(number, place)

    def append(self, _):
        imap = self.session()
        while True:
            number = self.journal.begin(["anna/Work"])
            tagged = imap.append("Work", message(number), flags="\\Seen")
            found = re.match(rb"OK \[APPENDUID \d+ (\d+)\]", tagged)
            assert found, tagged
            self.journal.acknowledge(number, "anna/Work", int(found[1]))

    def store(self, chance):
        imap = self.session()
        imap.ok("SELECT Flags")
        while True:
            first = chance.randint(1, FLAGGED_MESSAGES)
            last = min(FLAGGED_MESSAGES, first + chance.choice((0, 0, 5)))
            flags = frozenset(chance.sample(FLAGS, chance.randint(0, len(FLAGS))))
            uids = range(first, last + 1)
            with self.journal.lock:
                self.journal.pending_flags = {uid: flags for uid in uids}
            imap.ok(f"UID STORE {first}:{last} FLAGS ({' '.join(flags)})")
            with self.journal.lock:
                self.journal.flags.update(self.journal.pending_flags)
                self.journal.pending_flags = {}

    def move(self, chance):
        imap = self.session()
        places = ["One", "Two"]
        while True:
            chance.shuffle(places)
            imap.ok(f"SELECT {places[0]}")
            uids = list(imap.fetch("1:*", "(UID)"))
            if uids:
                chosen = ",".join(map(str, chance.sample(uids, min(len(uids), chance.randint(1, 8)))))
                imap.ok(f"UID MOVE {chosen} {places[1]}")


def check_place(server, journal, place, known):
    """Checks the messages that came since the last round; `known` has the numbers of before by place."""
    user, mailbox = place.split("/")
    imap = Imap(server.ports["imap"], user, PASSWORD)
    imap.ok(f"EXAMINE {mailbox}")
    old = known.setdefault(place, {})
    rows = imap.fetch("1:*", "(UID RFC822.SIZE)") if old or journal.sent.get(place) else {}
    assert set(old) <= set(rows), f"{place}: UIDs of before are gone: {sorted(set(old) - set(rows))}"
    for uid in sorted(set(rows) - set(old)):
        octets = imap.body(uid)
        number = number_of(octets)
        expected = message(number)
        assert octets.endswith(expected), f"{place}: message {number} (UID {uid}) is damaged"
        assert number in journal.sent[place], f"{place}: message {number} was never sent there"
        old[uid] = number
    numbers = list(old.values())
    doubled = {number for number in numbers if numbers.count(number) > 1} if len(numbers) != len(set(numbers)) else ()
    assert not doubled, f"{place}: doubled: {doubled}"
    acknowledged = journal.acknowledged.get(place, {})
    lost = set(acknowledged) - set(numbers)
    assert not lost, f"{place}: acknowledged and lost: {lost}"
    uid_of = {number: uid for uid, number in old.items()}
    wrong = [number for number, uid in acknowledged.items() if uid is not None and uid_of[number] != uid]
    assert not wrong, f"{place}: another UID than APPENDUID told: {wrong}"
    # One that came without an acknowledgement is there for good from now on.
    imap.logout()


def check_flags(server, journal):
    imap = Imap(server.ports["imap"], "anna", PASSWORD)
    imap.ok("EXAMINE Flags")
    rows = imap.fetch("1:*", "(UID FLAGS)")
    assert len(rows) == FLAGGED_MESSAGES, f"{len(rows)} messages in Flags"
    pending, journal.pending_flags = journal.pending_flags, {}
    came = set()
    for uid, row in rows.items():
        flags = frozenset(flag.decode() for flag in row[b"FLAGS"] if flag != b"\\Recent")
        if flags != journal.flags[uid]:
            assert flags == pending.get(uid), f"UID {uid}: {set(flags)}, acknowledged {set(journal.flags[uid])}, under way {pending.get(uid)}"
        if uid in pending and pending[uid] != journal.flags[uid]:
            came.add(flags == pending[uid])
        journal.flags[uid] = flags
    assert len(came) <= 1, "a STORE of several messages happened by half"
    imap.logout()


def check_moved(server):
    imap = Imap(server.ports["imap"], "anna", PASSWORD)
    found = []
    for mailbox in ("One", "Two"):
        imap.ok(f"EXAMINE {mailbox}")
        found += [number_of(row[b"BODY[]"]) for row in imap.fetch("1:*", "(UID BODY.PEEK[])").values()]
    assert sorted(found) == list(range(1, MOVED_MESSAGES + 1)), f"moved messages: {len(found)}, {len(set(found))} different"
    imap.logout()


def prepare(server, journal):
    for user in ("anna", "bob"):
        server.add_user(user, PASSWORD)
    imap = Imap(server.ports["imap"], "anna", PASSWORD)
    for mailbox in ("Work", "Flags", "One", "Two"):
        imap.ok(f"CREATE {mailbox}")
    for uid in range(1, FLAGGED_MESSAGES + 1):
        imap.append("Flags", message(uid))
        journal.flags[uid] = frozenset()
    for number in range(1, MOVED_MESSAGES + 1):
        imap.append("One", message(number))
    imap.logout()


def one_store(rounds, chance):
    """Some kills of servers over one store; (acknowledged messages, further ones that came)."""
    journal, known = Journal(), {}
    # argon2 at its cheapest: a login is not what is tested.
    with servers.Mailnook(settings_auth='argon2_memory = "1 MiB"\nargon2_passes = 1', log_level="warn") as server:
        prepare(server, journal)
        for at in range(1, rounds + 1):
            Round(server, journal, chance).live(chance.uniform(*LIFE_SECONDS))
            findings = server.verify()
            assert findings is None, f"kill {at}: verify: {findings}"
            server.start()
            for place in ("anna/INBOX", "bob/INBOX", "anna/Work"):
                check_place(server, journal, place, known)
            check_flags(server, journal)
            check_moved(server)
        # At the end everything is read once more.
        final = {}
        for place in known:
            check_place(server, journal, place, final)
        assert final == known, "what was checked has changed"
        server.stop()
        assert server.verify() is None
        log = (server.dir / "log").read_text(errors="replace")
        assert "panicked" not in log, "a panic is in the log"
    acknowledged = sum(map(len, journal.acknowledged.values()))
    assert acknowledged > rounds, f"only {acknowledged} messages were acknowledged in {rounds} lives"
    return acknowledged, sum(map(len, known.values())) - acknowledged


def run(rounds, seed):
    chance, began, acknowledged, further = random.Random(seed), time.monotonic(), 0, 0
    for done in range(0, rounds, KILLS_PER_STORE):
        one, two = one_store(min(KILLS_PER_STORE, rounds - done), chance)
        acknowledged, further = acknowledged + one, further + two
        print(f"crash: {min(rounds, done + KILLS_PER_STORE)} kills, {acknowledged} acknowledged messages all there", flush=True)
    print(f"crash: {rounds} kills in {time.monotonic() - began:.1f} s (seed {seed}): {acknowledged} acknowledged messages all there, "
          f"{further} more that were under way, none lost, none doubled")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"crash: seed {options.seed}", flush=True)
    run(options.rounds, options.seed)


if __name__ == "__main__":
    sys.exit(main())
