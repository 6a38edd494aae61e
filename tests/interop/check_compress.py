"""COMPRESS=DEFLATE with zlib as the client's side: every response can be read as soon as it is sent."""

import zlib

import wire

NEEDS = ()
SESSIONS = 6
BODY = b"".join(b"%07d: the quick brown fox jumps over the lazy dog\r\n" % number for number in range(40_000))


class Deflated:
    """A socket whose data is compressed in both directions, one stream each."""

    def __init__(self, stream):
        self.stream = stream
        self.out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.into = zlib.decompressobj(-15)
        self.sent = self.received = 0

    def sendall(self, octets):
        compressed = self.out.compress(octets) + self.out.flush(zlib.Z_SYNC_FLUSH)
        self.sent += len(compressed)
        self.stream.sendall(compressed)

    def recv(self, count):
        while True:
            compressed = self.stream.recv(count)
            if not compressed:
                return b""
            self.received += len(compressed)
            octets = self.into.decompress(compressed)
            if octets:
                return octets


class Session:
    def __init__(self, server, tls):
        self.stream = wire.connect(server.ports["imaps" if tls else "imap"], tls)
        self.lines = wire.Lines(self.stream)
        self.lines.line()
        self.command(b"LOGIN anna long-secret")
        self.command(b"COMPRESS DEFLATE")
        self.stream = Deflated(self.stream)
        self.lines = wire.Lines(self.stream)

    def command(self, command):
        self.stream.sendall(b"t " + command + b"\r\n")
        return self.answer()

    def answer(self):
        """All up to the tagged line; literals too."""
        got = b""
        while True:
            line = self.lines.line()
            got += line
            if line.startswith(b"t "):
                assert line.startswith(b"t OK"), line
                return got
            if match := wire.LITERAL.search(line):
                got += self.lines.octets(int(match.group(1)))


def run(server):
    server.add_user("anna", "long-secret")
    message = b"Subject: large\r\n\r\n" + BODY
    for number in range(SESSIONS):
        session = Session(server, tls=number % 2 == 1)
        session.stream.sendall(b"t APPEND INBOX {%d}\r\n" % len(message))
        assert session.lines.line().startswith(b"+ ")
        session.stream.sendall(message + b"\r\n")
        session.answer()
        session.command(b"SELECT INBOX")
        for _ in range(50):
            session.command(b"NOOP")
        received = session.stream.received
        assert message in session.command(b"FETCH %d BODY[]" % (number + 1))
        received = session.stream.received - received
        assert received < len(message) // 4, f"{received} octets for {len(message)}"
        session.stream.sendall(b"t IDLE\r\n")
        assert session.lines.line().startswith(b"+ ")
        session.stream.sendall(b"DONE\r\n")
        session.answer()
        session.command(b"LOGOUT")
