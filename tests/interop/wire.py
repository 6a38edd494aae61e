"""Small clients on raw sockets: what they send and read is what the test says, with nothing in between."""

import re
import socket
import ssl

HOST = "127.0.0.1"
PIECE = 1 << 18
LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


def connect(port, tls=False, timeout=60):
    """A connected socket; the certificate is not checked."""
    one = socket.create_connection((HOST, port), timeout=timeout)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        one = context.wrap_socket(one)
    return one


class Lines:
    """Reads lines and counted octets from a socket."""

    def __init__(self, stream):
        self.stream = stream
        self.buffer = bytearray()

    def more(self):
        piece = self.stream.recv(PIECE)
        if not piece:
            raise EOFError("the server ended the connection")
        self.buffer += piece

    def line(self):
        """One line with its line end."""
        start = 0
        while (at := self.buffer.find(b"\n", start)) < 0:
            start = len(self.buffer)
            self.more()
        line = bytes(self.buffer[: at + 1])
        del self.buffer[: at + 1]
        return line

    def octets(self, count):
        while len(self.buffer) < count:
            self.more()
        octets = bytes(self.buffer[:count])
        del self.buffer[:count]
        return octets


class Imap:
    """An IMAP session."""

    def __init__(self, port, user=None, password=None, tls=False, timeout=60):
        self.socket = connect(port, tls, timeout)
        self.lines = Lines(self.socket)
        self.count = 0
        self.greeting = self.response()
        if user is not None:
            self.ok(f'LOGIN {user} "{password}"')

    def response(self):
        """One response with its literals and line end."""
        whole = self.lines.line()
        while found := LITERAL.search(whole):
            whole += self.lines.octets(int(found[1]))
            whole += self.lines.line()
        return whole

    def send(self, octets):
        self.socket.sendall(octets)

    def tag(self):
        self.count += 1
        return b"t%d" % self.count

    def start(self, command):
        """Sends a command and returns its tag."""
        tag = self.tag()
        self.send(tag + b" " + (command.encode() if isinstance(command, str) else command) + b"\r\n")
        return tag

    def finish(self, tag):
        """Untagged responses up to the tagged one, and that one."""
        untagged = []
        while True:
            response = self.response()
            if response.startswith(tag + b" "):
                return untagged, response[len(tag) + 1:].rstrip(b"\r\n")
            untagged.append(response)

    def command(self, command):
        return self.finish(self.start(command))

    def ok(self, command):
        untagged, tagged = self.command(command)
        if not tagged.startswith(b"OK"):
            raise AssertionError(f"{command!r}: {tagged!r}")
        return untagged

    def append(self, mailbox, octets, flags="", date=""):
        """Appends with a synchronising literal; the tagged response."""
        tag = self.tag()
        words = " ".join(word for word in (mailbox, f"({flags})" if flags else "", f'"{date}"' if date else "") if word)
        self.send(tag + f" APPEND {words} {{{len(octets)}}}\r\n".encode())
        first = self.response()
        while first.startswith(b"* "):
            first = self.response()
        if not first.startswith(b"+"):
            raise AssertionError(f"APPEND: {first!r}")
        self.send(octets + b"\r\n")
        return self.finish(tag)[1]

    def fetch(self, numbers, items, uid=True):
        """Rows as dictionaries by UID (or number), names in upper case."""
        rows = {}
        for response in self.ok(f"{'UID ' if uid else ''}FETCH {numbers} {items}"):
            parsed = parse(response)
            if len(parsed) >= 4 and parsed[2] == b"FETCH":
                row = pairs(parsed[3])
                rows[int(row[b"UID"]) if b"UID" in row else int(parsed[1])] = row
        return rows

    def body(self, uid):
        return self.fetch(uid, "(BODY.PEEK[])")[uid][b"BODY[]"]

    def search(self, keys):
        for response in self.ok(f"UID SEARCH {keys}"):
            if response.startswith(b"* SEARCH"):
                return [int(word) for word in response.split()[2:]]
        return []

    def close(self):
        self.socket.close()

    def logout(self):
        self.command("LOGOUT")
        self.close()


def pairs(items):
    return {items[at]: items[at + 1] for at in range(0, len(items) - 1, 2)}


def parse(response):
    """A response as nested lists of octets; NIL is None, quoted strings and literals are octets, numbers stay octets.

    `BODY[HEADER.FIELDS (A B)]<0>` is one atom.
    """
    stack = [[]]
    at, end = 0, len(response)
    while at < end:
        octet = response[at:at + 1]
        if octet in b" \r\n":
            at += 1
        elif octet == b"(":
            stack.append([])
            at += 1
        elif octet == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif octet == b'"':
            text = bytearray()
            at += 1
            while response[at:at + 1] != b'"':
                if response[at:at + 1] == b"\\":
                    at += 1
                text += response[at:at + 1]
                at += 1
            stack[-1].append(bytes(text))
            at += 1
        elif octet == b"{":
            close = response.index(b"}\r\n", at)
            length = int(response[at + 1:close].rstrip(b"+"))
            stack[-1].append(response[close + 3:close + 3 + length])
            at = close + 3 + length
        else:
            begin, depth = at, 0
            while at < end and (depth or response[at:at + 1] not in b" ()\r\n"):
                depth += {b"[": 1, b"]": -1}.get(response[at:at + 1], 0)
                at += 1
            atom = response[begin:at]
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
    if len(stack) != 1:
        raise ValueError(f"unbalanced: {response!r}")
    return stack[0]


class Lmtp:
    """An LMTP session on TCP or on a unix socket."""

    def __init__(self, where):
        if isinstance(where, int):
            self.socket = connect(where)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(60)
            self.socket.connect(str(where))
        self.lines = Lines(self.socket)
        self.expect(b"220")
        self.command("LHLO test.example", b"250")

    def reply(self):
        """All lines of one reply."""
        text = b""
        while True:
            line = self.lines.line()
            text += line
            if line[3:4] != b"-":
                return text

    def expect(self, code):
        reply = self.reply()
        if not reply.startswith(code):
            raise AssertionError(f"expected {code!r}: {reply!r}")
        return reply

    def command(self, text, code):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.expect(code)

    def deliver(self, octets, recipients, sender="sender@example.org"):
        """One message with pipelined commands; the replies, one for each recipient."""
        commands = f"MAIL FROM:<{sender}>\r\n" + "".join(f"RCPT TO:<{one}>\r\n" for one in recipients) + "DATA\r\n"
        self.socket.sendall(commands.encode())
        self.expect(b"250")
        for _ in recipients:
            self.expect(b"250")
        self.expect(b"354")
        self.socket.sendall(dot_stuff(octets))
        return [self.reply() for _ in recipients]

    def close(self):
        self.socket.close()


def dot_stuff(octets):
    """The octets as DATA sends them; a missing line end at the end is added (RFC 5321 §4.5.2)."""
    if not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    if octets.startswith(b"."):
        octets = b"." + octets
    return octets.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class Pop3:
    """A POP3 session; with `utf8` where the server has it, and `self.utf8` tells."""

    def __init__(self, port, user, password, tls=False, utf8=False):
        self.socket = connect(port, tls)
        self.lines = Lines(self.socket)
        self.lines.line()
        self.utf8 = False
        if utf8:
            self.socket.sendall(b"UTF8\r\n")
            self.utf8 = self.lines.line().startswith(b"+OK")
        self.ok(f"USER {user}")
        self.ok(f"PASS {password}")

    def ok(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        line = self.lines.line()
        if not line.startswith(b"+OK"):
            raise AssertionError(f"{command}: {line!r}")
        return line

    def many(self, command):
        """The lines of a reply of several lines, un-stuffed, joined as they came."""
        self.ok(command)
        octets = bytearray()
        while (line := self.lines.line()) != b".\r\n":
            octets += line[1:] if line.startswith(b".") else line
        return bytes(octets)

    def quit(self):
        self.ok("QUIT")
        self.socket.close()
