"""SORT and THREAD by Python's imaplib, against a model of RFC 5256 and RFC 5957 that knows the messages from their making.

The same check runs against Dovecot (`--server dovecot`), which says whether the model is right.
"""

import email.header
import email.utils
import imaplib
import random
import re
import unicodedata

NEEDS = ()
COUNT = 300
SEED = 5256
DAY = 86_400
# 2026-01-05, noon.
EPOCH = 1_767_614_400
SUBJECTS = ("holiday", "Holiday", "garden", "", "Äpfel", "apfel", "_note", "zoo", "école", "ecole", "Ωmega")
SIGNS = ("", "", "Re: ", "RE: [list] ", "[list] ", "Fwd: ", "fw: re: ")
NAMES = ("", "Anna", "anna", "Éva", "Bob", "_x", "Zoë")
MAILBOXES = ("a", "B", "c.d", "_e", "Z")


def collate(text):
    """i;unicode-casemap (RFC 5051): titlecase letter by letter, decomposed; no letter here has a titlecase of its own."""
    upper = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)
    return unicodedata.normalize("NFKD", upper).encode()


def date(seconds):
    return email.utils.formatdate(seconds)


class Message:
    """One message and what SORT and THREAD see of it."""

    def __init__(self, number, random):
        self.number = number
        self.id = None if random.random() < 0.05 else random.randrange(COUNT // 2)
        self.references = random.choices(range(COUNT), k=random.choice((0, 0, 1, 1, 2, 3)))
        self.in_reply_to = random.randrange(COUNT) if random.random() < 0.3 else None
        self.sent = None if random.random() < 0.1 else EPOCH + random.randrange(40) * DAY // 4
        self.arrived = EPOCH + random.randrange(50) * DAY
        self.written, self.sign = random.choice(SUBJECTS), random.choice(SIGNS)
        # The sign of a list is the base subject where nothing else is.
        self.base = self.written or ("[list]" if "[list]" in self.sign else "")
        self.addresses = {}
        for field in ("From", "To", "Cc"):
            if random.random() < 0.9:
                self.addresses[field] = (random.choice(NAMES), random.choice(MAILBOXES))
        self.size = random.randrange(20)

    def octets(self):
        encode = lambda text: text if text.isascii() else email.header.Header(text, "utf-8").encode()
        lines = []
        for field, (name, mailbox) in self.addresses.items():
            address = f"<{mailbox}@example.org>"
            lines.append(f"{field}: {encode(name)} {address}, other@example.org" if name else f"{field}: {mailbox}@example.org")
        subject = self.sign + self.written
        lines.append(f"Subject: {encode(subject)}")
        if self.sent is not None:
            lines.append(f"Date: {date(self.sent)}")
        if self.id is not None:
            lines.append(f"Message-ID: <{self.id}@example.org>")
        if self.references:
            lines.append("References: " + "\r\n ".join(f"<{other}@example.org>" for other in self.references))
        if self.in_reply_to is not None:
            lines.append(f"In-Reply-To: <{self.in_reply_to}@example.org>")
        return ("\r\n".join(lines) + "\r\n\r\n" + "x" * self.size + "\r\n").encode()

    def time(self):
        return self.arrived if self.sent is None else self.sent

    def is_reply(self):
        return any(word in self.sign.lower() for word in ("re:", "fw:", "fwd:"))

    def mailbox(self, field):
        return collate(self.addresses.get(field, ("", ""))[1])

    def display(self, field):
        if field not in self.addresses:
            return b""
        name, mailbox = self.addresses[field]
        return collate(name or f"{mailbox}@example.org")

    def value(self, key):
        return {
            "ARRIVAL": lambda: self.arrived, "DATE": self.time, "SIZE": lambda: len(self.octets()),
            "SUBJECT": lambda: collate(self.base), "FROM": lambda: self.mailbox("From"), "TO": lambda: self.mailbox("To"),
            "CC": lambda: self.mailbox("Cc"), "DISPLAYFROM": lambda: self.display("From"), "DISPLAYTO": lambda: self.display("To"),
        }[key]()


def model_sort(messages, criteria):
    ordered = list(messages)
    # The last criterion first, each time stably.
    for criterion in reversed(criteria):
        reverse, key = len(criterion) == 2, criterion[-1]
        ordered.sort(key=lambda message: message.value(key), reverse=reverse)
    return [message.number for message in ordered]


class Node:
    def __init__(self, message=None):
        self.message, self.parent, self.children = message, None, []

    def key(self):
        return (self.message.time(), self.message.number) if self.message else min(child.key() for child in self.children)

    def first(self):
        return self.message or min(self.children, key=Node.key).message

    def arrived(self):
        own = [self.message.arrived] if self.message else []
        return max(own + [child.arrived() for child in self.children])

    def text(self):
        children = sorted(self.children, key=Node.key)
        branches = [child.text() for child in children]
        if self.message is None:
            return "".join(f"({branch})" for branch in branches)
        own = str(self.message.number)
        if len(branches) < 2:
            return " ".join([own, *branches])
        return own + " " + "".join(f"({branch})" for branch in branches)


def link(parent, child):
    above = parent
    while above is not None:
        if above is child:
            return
        above = above.parent
    child.parent = parent
    parent.children.append(child)


def unlink(child):
    if child.parent is not None:
        child.parent.children.remove(child)
        child.parent = None


def linked(messages):
    """Steps 1 to 3 of REFERENCES: what is at the top."""
    by_id, nodes = {}, []
    for message in messages:
        node = Node(message)
        nodes.append(node)
        if message.id is not None:
            by_id.setdefault(message.id, node)
    for message, node in zip(messages, nodes):
        ids = message.references or ([] if message.in_reply_to is None else [message.in_reply_to])
        references = [by_id.setdefault(other, Node()) for other in ids]
        for parent, child in zip(references, references[1:]):
            if child.parent is None:
                link(parent, child)
        unlink(node)
        if references:
            link(references[-1], node)
    every = {id(node): node for node in [*nodes, *by_id.values()]}.values()
    top = [node for node in every if node.parent is None]

    def pruned(node):
        kept = []
        for child in node.children:
            kept += pruned(child)
        for child in kept:
            child.parent = node
        node.children = kept
        return kept if node.message is None else [node]

    roots = []
    for node in top:
        rest = pruned(node)
        if node.message is None and len(rest) > 1:
            roots.append(node)
        else:
            for one in rest:
                one.parent = None
            roots += rest
    return roots


def model_references(messages):
    roots = sorted(linked(messages), key=Node.key)
    subject = lambda node: collate(node.first().base)
    is_reply = lambda node: node.message is not None and node.message.is_reply()
    table = {}
    for node in roots:
        if not subject(node):
            continue
        other = table.setdefault(subject(node), node)
        if other.message is not None and (node.message is None or (is_reply(other) and not is_reply(node))):
            table[subject(node)] = node
    top = list(roots)
    for node in roots:
        key = subject(node)
        other = table.get(key) if key else None
        if other is None or other is node:
            continue
        if node.message is None:
            other.children += node.children
            top.remove(node)
        elif other.message is None or (is_reply(node) and not is_reply(other)):
            other.children.append(node)
            top.remove(node)
        else:
            both = Node()
            both.children = [node, other]
            top.remove(node)
            top.remove(other)
            top.append(both)
            table[key] = both
    return "".join(f"({node.text()})" for node in sorted(top, key=Node.key))


def model_refs(messages):
    return "".join(f"({node.text()})" for node in sorted(linked(messages), key=lambda node: (node.arrived(), node.key())))


def model_ordered_subject(messages):
    threads = {}
    for message in sorted(messages, key=lambda message: (message.time(), message.number)):
        threads.setdefault(collate(message.base), []).append(str(message.number))
    rest = lambda others: " " + (others[0] if len(others) == 1 else "".join(f"({other})" for other in others)) if others else ""
    return "".join(f"({thread[0]}{rest(thread[1:])})" for thread in threads.values())


def branches(text):
    """The threads of a response as a set."""
    found, depth, begin = set(), 0, 0
    for at, sign in enumerate(text):
        if sign == "(":
            begin = at if depth == 0 else begin
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                found.add(text[begin:at + 1])
    return found


def run(server):
    messages = [Message(number, random.Random(SEED + number)) for number in range(1, COUNT + 1)]
    server.add_user("anna", "long-secret")
    imap = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
    imap.login("anna", "long-secret")
    for message in messages:
        kind, data = imap.append("INBOX", None, imaplib.Time2Internaldate(message.arrived), message.octets())
        assert kind == "OK", data
    imap.select("INBOX")
    numbers = lambda data: [int(word) for word in data[0].split()]
    keys = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO")
    chooser = random.Random(SEED)
    programs = [[(key,)] for key in keys] + [[("REVERSE", key)] for key in keys]
    for _ in range(40):
        chosen = chooser.sample(keys, k=3)
        programs.append([("REVERSE", key) if chooser.random() < 0.5 else (key,) for key in chosen])
    for criteria in programs:
        words = " ".join(" ".join(criterion) for criterion in criteria)
        kind, data = imap.sort(f"({words})", "UTF-8", "ALL")
        assert kind == "OK", (words, data)
        wanted = model_sort(messages, criteria)
        assert numbers(data) == wanted, f"SORT ({words}): {numbers(data)} instead of {wanted}"
        kind, data = imap.uid("SORT", f"({words})", "US-ASCII", "10:49")
        assert numbers(data) == [number for number in wanted if 10 <= number < 50], words
    for algorithm, model in (("ORDEREDSUBJECT", model_ordered_subject), ("REFERENCES", model_references), ("REFS", model_refs)):
        for first, last in ((1, COUNT), (1, 40), (100, 180)):
            kind, data = imap.thread(algorithm, "UTF-8", f"{first}:{last}")
            assert kind == "OK", data
            got, wanted = data[0].decode(), model(messages[first - 1:last])
            assert sorted(map(int, re.findall(r"\d+", got))) == list(range(first, last + 1)), algorithm
            assert branches(got) == branches(wanted), f"{algorithm}: {got}\ninstead of\n{wanted}"
            # Dovecot brings the threads of REFS in order by the latest sent date, the draft by the latest arrival.
            if algorithm != "REFS" or server.name == "mailnook":
                assert got == wanted, f"{algorithm}: {got}\ninstead of\n{wanted}"
    imap.logout()
