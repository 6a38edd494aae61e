"""The messages that the interoperability tests use: real ones of CPython's email tests, and oddities written here."""

import base64
import glob
import itertools
import os
import re

# Debian's libpython3-testsuite and a CPython source tree have them in these places.
CPYTHON_DATA = (
    "/usr/lib/python3*/test/test_email/data",
    "/usr/lib/python3*/test/test_email/data/..",
)
CPYTHON_MINIMUM = 45


def crlf(octets):
    """Every bare LF becomes CRLF; a bare CR stays."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", octets)


def cpython():
    """CPython's test messages by name, lines ending in CRLF."""
    override = os.environ.get("CPYTHON_EMAIL_DATA")
    for pattern in ([override] if override else CPYTHON_DATA):
        paths = sorted(glob.glob(os.path.join(pattern, "msg_*.txt")))
        if len(paths) >= CPYTHON_MINIMUM:
            return {"cpython-" + os.path.basename(path)[:-4]: crlf(open(path, "rb").read()) for path in paths}
    raise SystemExit("CPython's test messages are missing: install libpython3.11-testsuite")


def nested(depth):
    """multipart in multipart in ... text."""
    octets = b"Subject: nested %d\r\nMIME-Version: 1.0\r\n" % depth
    for level in range(depth):
        octets += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    octets += b"Content-Type: text/plain\r\n\r\ninnermost\r\n"
    for level in reversed(range(depth)):
        octets += b"--b%d--\r\n" % level
    return octets


def forwarded(depth):
    """message/rfc822 in message/rfc822 in ... text."""
    octets = b""
    for level in range(depth):
        octets += b"From: l%d@example.org\r\nSubject: forward %d\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" % (level, level)
    return octets + b"From: last@example.org\r\nSubject: at last\r\n\r\nhere\r\n"


HEAD = b"From: Anna <anna@example.org>\r\nTo: Bob <bob@example.org>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%s@example.org>\r\n"


def mail(name, more, body=b"Hello\r\n"):
    return HEAD % name + more + b"\r\n" + body


def oddities():
    """Messages that break mail programs, by name."""
    mime = b"MIME-Version: 1.0\r\n"
    every = {
        "plain": mail(b"plain", b"Subject: plain\r\n"),
        "headers-only": HEAD % b"headers-only" + b"Subject: no empty line after this\r\n",
        "headers-and-empty-line": HEAD % b"h2" + b"Subject: no body\r\n\r\n",
        "no-line-end-at-the-end": mail(b"nle", b"Subject: no line end\r\n", b"cut"),
        "eight-bit-header": mail(b"h8", b"Subject: gr\xfc\xdfe \xe2\x82\xac\r\n"),
        "eight-bit-body": mail(b"b8", b"Subject: 8bit\r\n", bytes(range(128, 256)) + b"\r\n"),
        "utf8-headers": mail(b"u8", "Subject: Grüße aus Köln\r\nX-To: Jürgen <jürgen@köln.example>\r\n".encode()),
        "utf8-long-header": mail(b"u8l", ("Subject: " + "日本語の長い件名 " * 12 + "end\r\n").encode(), "Größe\r\n".encode()),
        "bare-cr": mail(b"cr", b"Subject: bare CR\r\n", b"one\rtwo\r\rthree\r\n\r\r\n"),
        "bare-cr-in-header": mail(b"crh", b"Subject: a\rb\r\nX-Two: c\r\n"),
        "long-header": mail(b"lh", b"Subject: " + b"x" * 20000 + b"\r\n"),
        "long-line-1mb": mail(b"ll", b"Subject: one line\r\n", b"y" * (1 << 20) + b"\r\n"),
        "many-headers": mail(b"mh", b"".join(b"X-Header-%d: value\r\n" % at for at in range(1500))),
        "folded": mail(b"fold", b"Subject: folded\r\n  over\r\n\tthree lines\r\nX-Empty:\r\n"),
        "space-before-colon": mail(b"sbc", b"Subject: x\r\nX-Odd : space before the colon\r\nX-After: y\r\n"),
        "folded-with-blank-continuation": mail(b"fb", b"Subject: a\r\n \r\n b\r\n"),
        "mbox-from-line": b"From anna Mon Nov  2 10:00:00 2026\r\n" + mail(b"mbox", b"Subject: mbox\r\n"),
        "no-colon-in-header": b"Subject: x\r\nthis is no header\r\nX-After: y\r\n\r\nbody\r\n",
        "dots": mail(b"dots", b"Subject: dots\r\n", b".\r\n..\r\n.a\r\n\r\n.\r\nend\r\n"),
        "dot-crlf-lookalike": mail(b"dl", b"Subject: x\r\n", b"a\r.\rb\r\n.\r\nQUIT\r\n"),
        "encoded-words": mail(b"ew", b"Subject: =?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?_aus_K=F6ln?=\r\n"
                              b"Cc: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>, \"Smith, Joe\" <joe@example.org>\r\n"),
        "broken-encoded-words": mail(b"bew", b"Subject: =?utf-8?B?R3LDvMO?= =?nope?Q?x?= =?utf-8?X?x?= =?\r\n"),
        "addresses": mail(b"adr", b"Subject: addresses\r\nCc: Friends: a@example.org, B <b@example.org>;, undisclosed-recipients:;\r\n"
                          b"Bcc: \"quoted \\\"name\\\"\" <\"odd local\"@example.org>, plain@example.org (comment)\r\n"
                          b"Reply-To: <@relay.example:routed@example.org>\r\nSender: anna@[192.0.2.1]\r\n"),
        "broken-addresses": mail(b"badr", b"Cc: <>, ,,, a@, @b, \"unclosed <x@y\r\nBcc: (((\r\nSender: ;;;\r\n"),
        "no-from": b"Subject: nobody\r\n\r\nHello\r\n",
        "quoted-printable": mail(b"qp", b"Subject: qp\r\n" + mime + b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n",
                                 b"Gr=FC=DFe=20=\r\n weiter =3D\r\n"),
        "base64": mail(b"b64", b"Subject: base64\r\n" + mime + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BASE64\r\n",
                       b"R3LDvMOfZSBhdXMgS8O2bG4=\r\n"),
        "windows-charset": mail(b"win", b"Subject: =?windows-1252?Q?=93quotes=94_=80?=\r\n" + mime + b"Content-Type: text/plain; charset=\"Windows-1252\"\r\n",
                                b"\x93quotes\x94 \x80 100\r\n"),
        "unknown-charset": mail(b"unk", b"Subject: x\r\n" + mime + b"Content-Type: text/plain; charset=klingon\r\n", b"\xfa\xfb\r\n"),
        "utf16-claimed": mail(b"u16", b"Subject: x\r\n" + mime + b"Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n", b"aABpAA==\r\n"),
        "rfc2231": mail(b"2231", b"Subject: 2231\r\n" + mime + b"Content-Type: application/octet-stream;\r\n name*0*=utf-8'de'Gr%C3%BC;\r\n name*1*=%C3%9Fe;\r\n name*2=\".bin\"\r\n"
                        b"Content-Disposition: attachment; filename*=iso-8859-1''K%F6ln.txt; size=5\r\n"),
        "multipart": mail(b"mp", b"Subject: mp\r\n" + mime + b"Content-Type: multipart/alternative; boundary=\"=_x y\"\r\n",
                          b"preamble\r\n--=_x y\r\nContent-Type: text/plain\r\n\r\nplain\r\n--=_x y\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--=_x y--\r\nepilogue\r\n"),
        "missing-boundary": mail(b"mb", b"Subject: mb\r\n" + mime + b"Content-Type: multipart/mixed\r\n", b"--x\r\n\r\nwhat\r\n--x--\r\n"),
        "boundary-never-comes": mail(b"bn", b"Subject: bn\r\n" + mime + b"Content-Type: multipart/mixed; boundary=never\r\n", b"just text\r\n"),
        "unclosed-boundary": mail(b"ub", b"Subject: ub\r\n" + mime + b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n\r\none\r\n--b\r\n\r\ntwo, and the end is missing\r\n"),
        "empty-boundary": mail(b"eb", b"Subject: eb\r\n" + mime + b"Content-Type: multipart/mixed; boundary=\"\"\r\n", b"--\r\n\r\none\r\n----\r\n"),
        "boundary-prefix": mail(b"bp", b"Subject: bp\r\n" + mime + b"Content-Type: multipart/mixed; boundary=a\r\n",
                                b"--a\r\nContent-Type: multipart/mixed; boundary=aa\r\n\r\n--aa\r\n\r\ninner\r\n--aa--\r\n--a\r\n\r\nouter\r\n--a--\r\n"),
        "empty-parts": mail(b"ep", b"Subject: ep\r\n" + mime + b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--\r\n"),
        "bad-content-type": mail(b"bct", b"Subject: bct\r\n" + mime + b"Content-Type: ;;; /=\r\nContent-Transfer-Encoding: \r\n"),
        "content-type-without-subtype": mail(b"cws", b"Subject: cws\r\n" + mime + b"Content-Type: text; charset=us-ascii\r\n"),
        "two-content-types": mail(b"tct", b"Subject: tct\r\n" + mime + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n"),
        "digest": mail(b"dig", b"Subject: digest\r\n" + mime + b"Content-Type: multipart/digest; boundary=d\r\n",
                       b"--d\r\n\r\nSubject: first\r\n\r\nfirst\r\n--d\r\nContent-Type: message/rfc822\r\n\r\nSubject: second\r\n\r\nsecond\r\n--d--\r\n"),
        "attachment": mail(b"att", b"Subject: att\r\n" + mime + b"Content-Type: multipart/mixed; boundary=b\r\n",
                           b"--b\r\nContent-Type: text/plain; charset=us-ascii; format=flowed\r\nContent-Language: de, en\r\n\r\nsee attached\r\n"
                           b"--b\r\nContent-Type: image/png; name=\"x.png\"\r\nContent-ID: <x@example.org>\r\nContent-Description: a picture\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
                           b"Content-Location: http://example.org/x.png\r\nContent-Disposition: attachment; filename=x.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"),
        "html-only": mail(b"html", b"Subject: html\r\n" + mime + b"Content-Type: text/html; charset=utf-8\r\n", "<p>Grüße</p>\r\n".encode()),
        "nested-20": nested(20),
        "forwarded-5": forwarded(5),
        "bad-date": b"From: a@example.org\r\nDate: yesterday, at noon\r\nSubject: bad date\r\n\r\nx\r\n",
        "only-line-ends": b"\r\n\r\n\r\n",
        "one-octet": b"x",
    }
    # What only some doors let in: IMAP literals cannot hold NUL (RFC 9051 §4.3), LMTP can.
    return every


def with_nul():
    """Messages with NUL: they come in by LMTP and `deliver` only."""
    return {
        "nul-in-body": mail(b"nul", b"Subject: nul\r\n", b"a\x00b\r\n\x00\r\n"),
        "nul-in-header": mail(b"nulh", b"Subject: a\x00b\r\n"),
        "binary": mail(b"bin", b"Subject: binary\r\n", crlf(bytes(range(256)) * 16) + b"\r\n"),
    }


def surrogate(octets):
    """What a POP3 client gets that has not said UTF8 (RFC 6856 §2.1). Words of the header that are beyond ASCII and in UTF-8
    become encoded words, neighbours together, 42 octets in each at most. Lines in no known charset, the body, and a header
    in ASCII stay what they are."""
    header, empty, body = (b"", b"", octets) if octets.startswith(b"\r\n") else octets.partition(b"\r\n\r\n")
    return b"\r\n".join(map(ascii_line, header.split(b"\r\n"))) + empty + body


def ascii_line(line):
    try:
        words = line.decode().split(" ")
    except UnicodeDecodeError:
        return line
    out = []
    for beyond, run in itertools.groupby(words, lambda word: not word.isascii()):
        out.append("\r\n ".join(map(encoded_word, pieces(" ".join(run)))) if beyond else " ".join(run))
    return " ".join(out).encode()


def pieces(text):
    """Of whole characters, as long as an encoded word allows."""
    piece = ""
    for letter in text:
        if len((piece + letter).encode()) > 42:
            yield piece
            piece = ""
        piece += letter
    yield piece


def encoded_word(text):
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


def all_messages():
    """Everything that any door lets in, by name."""
    return {**cpython(), **oddities()}
