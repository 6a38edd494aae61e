"""A recogniser that runs a grammar in ABNF (RFC 5234) as it is written; standard library only.

`Grammar.ends(rule, octets, at)` is the set of all places where the rule can end: there is no order of alternatives that could
hide one, and each rule is tried once at each place, so that it takes linear time for a grammar like IMAP's.
"""

import re

TOKEN = re.compile(r'\s*(?:(;.*)|"([^"]*)"|%x([0-9A-Fa-f.\-]+)|(\d*)\*(\d*)|(\d+)|([A-Za-z][A-Za-z0-9-]*)|([()\[\]/]))')
CORE = {
    "SP": b" ", "CRLF": b"\r\n", "DQUOTE": b'"',
    "ALPHA": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), "DIGIT": frozenset(b"0123456789"),
}
LITERAL = re.compile(rb"\{(\d+)\}\r\n")


class Grammar:
    """`checks` maps a rule to a function of its octets that says whether they are valid."""

    def __init__(self, text, checks=None):
        self.rules = {}
        self.checks = checks or {}
        for name, more, definition in definitions(text):
            tree = parse(definition)
            if more:
                tree = ("or", [self.rules[name], tree])
            elif name in self.rules:
                raise ValueError(f"{name} is defined twice")
            self.rules[name] = tree
        known = set(self.rules) | set(CORE) | {"literal", "literal8"}
        for name, tree in self.rules.items():
            unknown = set(names(tree)) - known
            if unknown:
                raise ValueError(f"{name} uses {', '.join(sorted(unknown))}, which are not defined")
        if unused := set(self.checks) - set(self.rules):
            raise ValueError(f"checks of rules that are not there: {', '.join(sorted(unused))}")

    def matches(self, rule, octets):
        """None where all of `octets` is one `rule`; else where it went wrong."""
        run = Run(self, octets)
        if len(octets) in run.rule(rule, 0):
            return None
        at = run.furthest
        return f"no {rule}: stuck at {octets[max(0, at - 40):at]!r} >> {octets[at:at + 60]!r}"

    def used(self, octets, rule):
        """The rules that were tried with success; for finding out what a set of responses covers."""
        run = Run(self, octets)
        run.rule(rule, 0)
        return {name for (name, _), ends in run.memo.items() if ends}


class Run:
    """One recognition."""

    def __init__(self, grammar, octets):
        self.grammar = grammar
        self.octets = octets
        self.upper = octets.upper()
        self.memo = {}
        self.furthest = 0

    def rule(self, name, at):
        key = name, at
        if key not in self.memo:
            ends = self.named(name, at)
            check = self.grammar.checks.get(name)
            if check is not None:
                ends = {end for end in ends if check(self.octets[at:end])}
            self.memo[key] = ends
            if ends:
                self.furthest = max(self.furthest, *ends)
        return self.memo[key]

    def named(self, name, at):
        if name in self.grammar.rules:
            return self.tree(self.grammar.rules[name], at)
        if name in ("literal", "literal8"):
            return self.literal(at, name == "literal8")
        core = CORE[name]
        if isinstance(core, bytes):
            return {at + len(core)} if self.octets.startswith(core, at) else set()
        return {at + 1} if at < len(self.octets) and self.octets[at] in core else set()

    def literal(self, at, binary):
        if binary:
            if self.octets[at:at + 1] != b"~":
                return set()
            at += 1
        found = LITERAL.match(self.octets, at)
        if not found:
            return set()
        end = found.end() + int(found[1])
        whole = end <= len(self.octets) and (binary or b"\0" not in self.octets[found.end():end])
        return {end} if whole else set()

    def tree(self, tree, at):
        kind, value = tree[0], tree[1]
        if kind == "name":
            return self.rule(value, at)
        if kind == "text":
            return {at + len(value)} if self.upper.startswith(value, at) else set()
        if kind == "range":
            return {at + 1} if at < len(self.octets) and value[0] <= self.octets[at] <= value[1] else set()
        if kind == "or":
            return set().union(*(self.tree(one, at) for one in value))
        if kind == "and":
            ends = {at}
            for one in value:
                ends = set().union(*(self.tree(one, start) for start in ends))
                if not ends:
                    break
            return ends
        least, most, one = value
        ends, frontier, count = ({at} if least == 0 else set()), {at}, 0
        while frontier and (most is None or count < most):
            frontier = set().union(*(self.tree(one, start) for start in frontier)) - ends
            count += 1
            if count >= least:
                ends |= frontier
        return ends


def definitions(text):
    """(name, whether it adds to a definition before, the definition) of each rule; a rule's further lines are indented."""
    name, more, lines = None, False, []
    for line in text.splitlines() + ["end ="]:
        start = re.match(r"([A-Za-z][A-Za-z0-9-]*)\s*(=/?)(.*)", line)
        if start:
            if name is not None:
                yield name, more, "\n".join(lines)
            name, more, lines = start[1], start[2] == "=/", [start[3]]
        elif line.strip() and not line.startswith(";"):
            if not line.startswith(" "):
                raise ValueError(f"not understood: {line}")
            lines.append(line)


def parse(text):
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"not understood: {text[at:at + 30]!r}")
        at = found.end()
        if found[1] is None:
            tokens.append(found)
    tree, rest = alternation(tokens)
    if rest:
        raise ValueError(f"what closes what? {text!r}")
    return tree


def alternation(tokens):
    choices = []
    while True:
        parts = []
        while tokens and tokens[0][8] not in ("/", ")", "]"):
            part, tokens = repetition(tokens)
            parts.append(part)
        if not parts:
            raise ValueError("an alternative is empty")
        choices.append(parts[0] if len(parts) == 1 else ("and", parts))
        if not tokens or tokens[0][8] != "/":
            return choices[0] if len(choices) == 1 else ("or", choices), tokens
        tokens = tokens[1:]


def repetition(tokens):
    first = tokens[0]
    if first[4] is not None:
        one, tokens = element(tokens[1:])
        return ("repeat", (int(first[4] or 0), int(first[5]) if first[5] else None, one)), tokens
    if first[6] is not None:
        one, tokens = element(tokens[1:])
        return ("repeat", (int(first[6]), int(first[6]), one)), tokens
    return element(tokens)


def element(tokens):
    first, tokens = tokens[0], tokens[1:]
    if first[2] is not None:
        return ("text", first[2].upper().encode()), tokens
    if first[3] is not None:
        low, _, high = first[3].partition("-")
        return ("range", (int(low, 16), int(high or low, 16))), tokens
    if first[7] is not None:
        return ("name", first[7]), tokens
    inner, tokens = alternation(tokens)
    if not tokens or tokens[0][8] != {"(": ")", "[": "]"}[first[8]]:
        raise ValueError("a bracket is not closed")
    return (inner if first[8] == "(" else ("repeat", (0, 1, inner))), tokens[1:]


def names(tree):
    if tree[0] == "name":
        yield tree[1]
    elif tree[0] in ("or", "and"):
        for one in tree[1]:
            yield from names(one)
    elif tree[0] == "repeat":
        yield from names(tree[1][2])
