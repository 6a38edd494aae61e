"""Every IMAP response of the transcripts, read by parsers that know nothing of mailnook's code.

The transcripts are played by `cargo test` with TRANSCRIPT_RESPONSES set, which keeps what the clients received. Then each
response is recognised by the grammar of the RFCs in imap_responses.abnf (a kind that is not in it is a failure), the numbers of
each session are followed (EXISTS, EXPUNGE, VANISHED, FETCH), and what PyPI's imapclient covers is read by its parser too.

    tests/interop/check_oracle.py FILE...      only these records, without playing anything
    tests/interop/check_oracle.py --faults     only shows that planted faults are found
"""

import base64
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import abnf
import programs
from servers import ROOT

NEEDS = ("cargo",)
SERVERS = ("mailnook",)
GRAMMAR = pathlib.Path(__file__).with_name("imap_responses.abnf")
# The transcripts have far more; fewer means that the records are not what they should be.
RESPONSES_AT_LEAST = 1500
MONTH_DAYS = dict(zip(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)))


def below(limit):
    return lambda octets: int(octets) < limit


def date_time(octets):
    day, month, rest = octets[1:-1].strip().split(b"-", 2)
    _, time, zone = rest.split(b" ")
    hour, minute, second = map(int, time.split(b":"))
    return 1 <= int(day) <= MONTH_DAYS[month.upper()] and hour < 24 and minute < 60 and second <= 60 and int(zone[3:]) < 60 and int(zone[1:3]) < 24


def set_size(octets):
    total = 0
    for item in octets.split(b","):
        first, _, last = item.partition(b":")
        total += abs(int(last or first) - int(first)) + 1
    return total


def ascending(octets):
    """COPYUID, APPENDUID, VANISHED: no UID twice. The server gives them in order, as ranges."""
    numbers = [int(number) for number in re.findall(rb"\d+", octets)]
    return all(one < other for one, other in zip(numbers, numbers[1:]))


def copied(octets):
    """RFC 4315 §3: as many UIDs here as there."""
    _, _, source, target = octets.split(b" ")
    return set_size(source) == set_size(target)


def utf8(octets):
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def media(octets):
    """TEXT and MESSAGE/RFC822 have more fields than media-basic, MESSAGE/GLOBAL too (RFC 9051 §9)."""
    return not re.match(rb'"TEXT" |"MESSAGE" "(RFC822|GLOBAL)"$', octets.upper())


def media_rev1(octets):
    """RFC 3501 §9 knows nothing of MESSAGE/GLOBAL."""
    return not re.match(rb'"TEXT" |"MESSAGE" "RFC822"$', octets.upper())


def encoded_name(octets):
    """Modified UTF-7 in a mailbox name (RFC 3501 §5.1.3): only what must be encoded is, in the one right way."""
    if octets[:1] == b"{":
        octets = octets[octets.index(b"\n") + 1:]
    elif octets[:1] == b'"':
        octets = re.sub(rb"\\(.)", rb"\1", octets[1:-1])
    if re.search(rb"[^\x20-\x7e]", octets):
        return False
    for encoded in re.findall(rb"&([^-]*)-?", octets):
        if encoded and not one_encoding(encoded):
            return False
    return octets.count(b"&") == len(re.findall(rb"&[A-Za-z0-9+,]*-", octets)) and b"&-&" not in re.sub(rb"&-", b"", octets)


def one_encoding(encoded):
    padded = encoded.replace(b",", b"/") + b"=" * (-len(encoded) % 4)
    try:
        text = base64.b64decode(padded, validate=True).decode("utf-16-be")
    except ValueError:
        return False
    again = base64.b64encode(text.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return again == encoded and not any(" " <= letter <= "~" for letter in text)


RANGES = {
    "number": below(1 << 32), "nz-number": below(1 << 32), "number64": below(1 << 63), "nz-number64": below(1 << 63),
    "date-time": date_time, "resp-code-copy": copied, "resp-code-apnd": lambda octets: ascending(octets.split(b" ")[2]),
    "vanished-data": lambda octets: ascending(octets.rsplit(b" ", 1)[1]), "media-basic": media, "tag": lambda octets: octets != b"+",
}
# RFC 3501 §4.3: no 8-bit octets in quoted strings; in texts for people they are only allowed as UTF-8 after ENABLE.
REV1 = {**RANGES, "media-basic": media_rev1, "quoted": bytes.isascii, "text": bytes.isascii, "mailbox": encoded_name}
# RFC 6855 §3 and RFC 9051 §5.1: names and quoted strings are UTF-8, and '&' is a letter like others.
UTF8 = {**RANGES, "quoted": utf8, "text": utf8, "mailbox": utf8}


class Session:
    """What one session was told so far."""

    def __init__(self, grammars):
        self.grammars = grammars
        self.responses = 0
        self.utf8 = False
        self.exists = None

    def wrong(self, octets):
        """What is wrong with the next response, or None."""
        rule = "response" if self.responses else "greeting"
        self.responses += 1
        wrong = self.grammars[self.utf8].matches(rule, octets)
        return wrong or self.follow(octets)

    def follow(self, octets):
        words = octets.split()
        if words[0] != b"*":
            return None
        if words[1] == b"ENABLED" and any(word in (b"UTF8=ACCEPT", b"IMAP4REV2") for word in map(bytes.upper, words[2:])):
            self.utf8 = True
        # FLAGS comes first in the answer to SELECT, when the mailbox before is forgotten.
        if words[1] == b"FLAGS" or words[1:3] == [b"OK", b"[CLOSED]"]:
            self.exists = None
        if words[1] == b"VANISHED" and words[2] != b"(EARLIER)" and self.exists is not None:
            self.exists -= set_size(words[2])
            if self.exists < 0:
                return "more messages vanished than there were"
        if words[1].isdigit():
            return self.number(int(words[1]), words[2])
        return None

    def number(self, number, kind):
        if kind == b"EXISTS":
            if self.exists is not None and number < self.exists:
                return f"EXISTS fell from {self.exists} without EXPUNGE"
            self.exists = number
        elif kind in (b"FETCH", b"EXPUNGE") and self.exists is not None:
            if number > self.exists:
                return f"message {number} of {self.exists}"
            self.exists -= kind == b"EXPUNGE"
        return None


def grammars():
    text = GRAMMAR.read_text()
    return abnf.Grammar(text, REV1), abnf.Grammar(text, UTF8)


def records(path):
    """(session, protocol, octets with the line end) of each response in a record."""
    octets, at = path.read_bytes(), 0
    while at < len(octets):
        end = octets.index(b"\r\n", at)
        session, protocol, length = octets[at:end].decode().split()
        at = end + 2 + int(length) + 2
        yield session, protocol, octets[end + 2:at]


def by_imapclient(octets):
    """What imapclient's parser makes of a FETCH or SEARCH response; None where it does not apply."""
    from imapclient import response_parser
    head = octets.split(b"\r\n", 1)[0].upper().split(b" ")
    if head[0] != b"*" or len(head) < 3:
        return None
    if head[2] == b"FETCH":
        # As imaplib hands it over: without the name of the response, and pairs of a line and its literal.
        lines, rest = [], octets[2:-2].replace(b" FETCH ", b" ", 1)
        while found := re.search(rb"~?\{(\d+)\}\r\n", rest):
            end = found.end() + int(found[1])
            lines.append((rest[:found.end() - 2], rest[found.end():end]))
            rest = rest[end:]
        number = int(head[1])
        parsed = response_parser.parse_fetch_response([*lines, rest], normalise_times=False, uid_is_key=False)
        assert list(parsed) == [number] and len(parsed[number]) >= 2, f"too little: {parsed}"
        return parsed[number]
    if head[1] == b"SEARCH":
        numbers = octets[2:-2].split(b" ", 1)[1:]
        return response_parser.parse_message_list(numbers)
    return None


def check(paths):
    """Reads the records; (responses, those that imapclient read), and prints each that is wrong."""
    count = read = 0
    wrong = []
    both = grammars()
    for path in paths:
        sessions = {}
        for number, protocol, octets in records(path):
            if protocol != "imap":
                continue
            count += 1
            session = sessions.setdefault(number, Session(both))
            found = session.wrong(octets)
            if found is None and not session.utf8:
                try:
                    read += by_imapclient(octets) is not None
                except Exception as error:  # Its parser may fail in any way.
                    found = f"imapclient: {error!r}"
            if found:
                wrong.append(f"{path.stem}: {found}\n      {octets[:300]!r}")
    assert not wrong, f"{len(wrong)} of {count} responses are wrong:\n   " + "\n   ".join(wrong)
    return count, read


# What the RFCs show as right, of kinds that the transcripts need not have. The second column: UTF-8 is enabled.
RIGHT = (
    (0, b'* SORT 2 84 882'), (0, b'* SORT'), (0, b'* SORT 5 3 4 1 2 (MODSEQ 917162488)'),
    (0, b'* THREAD (166)(167)(168)(169)(172)(170)(171)(173)(174 (175)(176)(178)(181)(180))(179)(177 (183)(182)(188)(184))'),
    (0, b'* THREAD ((1)(2))((3)(4)(5))'), (0, b'* THREAD'),
    (0, b'* METADATA "" ("/shared/comment" "Shared comment")'), (0, b'* METADATA INBOX /shared/comment /private/comment'),
    (0, b'* METADATA "INBOX" (/private/comment NIL /private/filters/values/small ~{3}\r\na\0b)'), (0, b'* METADATA "" /shared/comment'),
    (0, b'a2 OK [METADATA LONGENTRIES 2199] GETMETADATA complete'), (0, b'a NO [METADATA TOOMANY] SETMETADATA failed'),
    (0, b'* LIST () "/" Work ("OLDNAME" (Old))'), (0, b'* LIST (\\NonExistent \\Subscribed) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))'),
    (1, '* LIST () "/" "Entwürfe & Co"'.encode()), (0, b'* LIST (\\HasNoChildren) "/" Entw&APw-rfe'), (0, b'* LIST () "/" "a &- b"'),
    (0, b'* 12345 UIDFETCH (FLAGS (\\Seen) MODSEQ (7))'), (0, b'a BAD [UIDREQUIRED] Message numbers are not allowed once UIDONLY is enabled'),
    (0, b'* VANISHED 405,407:410,425'), (0, b'* VANISHED (EARLIER) 300:310,405,411'),
    (0, b'* ESEARCH (TAG "A301") UID PARTIAL (-1:-100 200:250,252:300) COUNT 800'), (0, b'* ESEARCH (TAG "A302") PARTIAL (1:500 NIL)'),
    (0, b'* ESEARCH (TAG "B01") UID ADDTO (1 2734:2736 1 2731)'), (0, b'* ESEARCH (TAG "B01") UID REMOVEFROM (0 32768)'),
    (0, b'* ESEARCH (TAG "tag1" MAILBOX "folder1" UIDVALIDITY 1) UID ALL 4001,4003,4005,4007,4009'), (0, b'* ESEARCH'),
    (0, b'* ESEARCH (TAG "a") ALL 1:3,5 MODSEQ 1236'), (0, b'a OK [NOUPDATE "B02"] The last search is not followed'),
    (0, b'* QUOTA "" (STORAGE 10 512)'), (0, b'* QUOTA "#user/alice" (STORAGE 54 111 MESSAGE 42 1000)'), (0, b'* QUOTAROOT INBOX ""'),
    (0, b'* QUOTAROOT comp.mail.mime'), (0, b'* STATUS INBOX (MESSAGES 12 DELETED 4 DELETED-STORAGE 8)'),
    (0, b'* OK [INPROGRESS ("A001" 454 1000)] Processed 45%'), (0, b'* OK [INPROGRESS] Still here'), (0, b'* OK [INPROGRESS (NIL NIL NIL)] Still here'),
    (0, b'03 OK [MESSAGELIMIT 1000 23221] FETCH completed with 1000 partial results'), (0, b'a NO [MESSAGELIMIT 1000] Too many'),
    (0, b'* UIDBATCHES (TAG "A302") 163886:99703,99696:20358,20351:7830,7829:1'), (0, b'* UIDBATCHES (TAG "A302")'),
    (0, b'a NO [NOTIFICATIONOVERFLOW] Too much'), (0, b'a NO [BADEVENT (MessageNew MessageExpunge FlagChange)] Not these'),
    (0, b'* STATUS blurdybloop (MAILBOXID (F2212ea87-6097-4256-9d51-71338625))'), (0, b'* 3 FETCH (SAVEDATE NIL PREVIEW "" THREADID NIL EMAILID (M6d99ac3275bb4e))'),
    (0, b'* 1 FETCH (BINARY[1]<5> ~{2}\r\n\0\1 BINARY.SIZE[1.2] 4)'), (0, b'* LSUB () "." #news.comp.mail.misc'), (0, b'* 5 RECENT'),
    (0, b'* NAMESPACE (("" "/")) NIL NIL'), (0, b'+ '), (0, b'+ dGVzdA=='), (0, b'* SEARCH 2 5 6 7 11 12 18 19 20 23 (MODSEQ 917162500)'),
    (0, b'* LANGUAGE (EN)'), (0, b'* COMPARATOR i;unicode-casemap'),
    (0, b'* 1 FETCH (BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)'
        b' ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL NIL NIL NIL) 2) "MIXED" ("BOUNDARY" "x") NIL ("de" "en") NIL))'),
)
# What must be refused.
FAULTS = (
    (0, b'* NEWKIND 1'), (0, b'* 1 NEWKIND'), (0, b'* OK [NEWCODE] text'), (0, b'* STATUS INBOX (NEWITEM 1)'), (0, b'* 1 FETCH (NEWITEM 1)'),
    (0, b'* LIST (\\NewFlag) "/" a'), (0, b'* LIST () "/" a ("NEWDATA" (x))'), (0, b'* ESEARCH (TAG "a") NEWRETURN 1'), (0, b'* FLAGS (\\New)'),
    (0, b'* OK'), (0, b'* OK [ALERT]'), (0, b'* OK  two  spaces'[:-1] + b'\0'), (0, b'* 1 FETCH ()'), (0, b'* 0 FETCH (UID 1)'), (0, b'* 1 FETCH (UID 0)'),
    (0, b'* 1 FETCH (UID 1) '), (0, b'* 1 FETCH (UID  1)'), (0, b'* 1 FETCH (UID 4294967296)'), (0, b'* 1 FETCH (MODSEQ (9223372036854775808))'),
    (0, b'* 1 FETCH (MODSEQ 5)'), (0, b'* 1 FETCH (BODY[] {3}\r\nab)'), (0, b'* 1 FETCH (BODY[] {2}\r\nabc)'), (0, b'* 1 FETCH (BODY[] {3}\r\na\0b)'),
    (0, b'* 1 FETCH (BODY[] {3+}\r\nabc)'), (0, b'* 1 FETCH (BODY[] ~{3}\r\nabc)'), (0, b'* 1 FETCH (BODY.PEEK[] "a")'), (0, b'* 1 FETCH (BODY[1.] "a")'),
    (0, b'* 1 FETCH (BODY[HEADER.FIELDS ()] "a")'), (0, b'* 1 FETCH (BODY[]<0.5> "a")'), (0, b'* 1 FETCH (FLAGS \\Seen)'), (0, b'* 1 FETCH (BODY[] a)'),
    (0, b'* 1 FETCH (INTERNALDATE "31-Feb-2026 10:00:00 +0000")'[:-20] + b'25:00:00 +0000")'), (0, b'* 1 FETCH (INTERNALDATE "1-Feb-2026 10:00:00 +0000")'),
    (0, b'* 1 FETCH (SAVEDATE "32-Jan-2026 10:00:00 +0000")'), (0, b'* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL))'),
    (0, b'* 1 FETCH (ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL))'), (0, b'* 1 FETCH (BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1))'),
    (0, b'* 1 FETCH (BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL))'), (0, b'* 1 FETCH (BODY ("TEXT" "PLAIN" () NIL NIL "7BIT" 1 1))'),
    (0, b'* 1 FETCH (BODYSTRUCTURE ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9))'), (0, b'* 1 FETCH (BODYSTRUCTURE ("MIXED"))'), (0, b'* 1 FETCH (BODYSTRUCTURE NIL)'),
    (0, '* LIST () "/" "Entwürfe"'.encode()), (0, b'* LIST () "/" "a & b"'), (0, b'* LIST () "/" Entw&APw'), (0, b'* LIST () "/" &AGE-'), (0, b'* LIST () "/" two words'),
    (1, b'* LIST () "/" "\xff"'), (0, b'* LIST () / a'), (0, b'* LIST "/" a'), (0, b'* LIST () "/" a ()x'), (0, '* OK grün'.encode()), (0, b'* LIST () "/" "a"b"'),
    (0, b'* VANISHED 5,4'), (0, b'* VANISHED 1:*'), (0, b'* VANISHED EARLIER 1'), (0, b'* VANISHED'), (0, b'* SEARCH 1  2'), (0, b'* SEARCH 0'), (0, b'* SEARCH 1 '),
    (0, b'* ESEARCH (TAG "a") UID ALL'), (0, b'* ESEARCH (TAG "a") ALL ()'), (0, b'* ESEARCH (TAG a") COUNT 1'), (0, b'* ESEARCH UID (TAG "a") COUNT 1'),
    (0, b'* ESEARCH (TAG "a") PARTIAL (1:-5 1)'), (0, b'* ESEARCH (TAG "a") MIN 0'), (0, b'* ESEARCH (TAG "a") ALL 1:*'), (0, b'* ESEARCH (TAG "a") ADDTO (1)'),
    (0, b'* THREAD (1 2'), (0, b'* THREAD 1 2'), (0, b'* THREAD ((1))'), (0, b'* THREAD ()'), (0, b'* THREAD(1)'), (0, b'* QUOTA "" (STORAGE 1)'), (0, b'* QUOTA "" (DISK 1 2)'),
    (0, b'a OK [COPYUID 1 1:3 5:6] x'), (0, b'a OK [COPYUID 1  ] x'), (0, b'a OK [APPENDUID 1 3,2] x'), (0, b'a OK [HIGHESTMODSEQ 0] x'), (0, b'a OK [UIDNEXT 0] x'),
    (0, b'a OK [MODIFIED] x'), (0, b'a OK [MODIFIED 1:*] x'), (0, b'a YES x'), (0, b'a+b OK x'), (0, b'a'), (0, b''), (0, b'* CAPABILITY IMAP4rev1 '), (0, b'* ID (a "b")'),
    (0, b'* ID ("a")'), (0, b'* NAMESPACE NIL NIL'), (0, b'* NAMESPACE () NIL NIL'), (0, b'* METADATA "" (/a)'), (0, b'* METADATA "" ()'), (0, b'* OK [INPROGRESS 1 2] x'),
    (0, b'* OK [INPROGRESS ("a" 1 0)] x'), (0, b'* OK [INPROGRESS ("a" NIL 5)] x'), (0, b'a OK [MESSAGELIMIT] x'), (0, b'* UIDBATCHES 1:2'), (0, b'* UIDBATCHES (TAG "a") 5'),
    (0, b'* 1 UIDFETCH FLAGS ()'), (0, b'* 1 FETCH (SAVEDATE "")'), (0, b'* 1 FETCH (EMAILID M1)'), (0, b'* 1 FETCH (EMAILID (M 1))'), (0, b'* STATUS INBOX MESSAGES 1'),
    (0, b'* 1 FETCH (PREVIEW ())'), (0, b'* 1 FETCH (BINARY.SIZE[1] "4")'), (0, b'+'), (0, b'+idling'), (0, b'* BYE'), (0, b'* 1 EXISTS x'), (0, b'* -1 EXISTS'),
)
# Sessions whose responses are each right, but not in this order.
ORDERS = (
    (b'* 3 EXISTS', b'* 2 EXISTS'), (b'* 3 EXISTS', b'* 4 FETCH (UID 9)'), (b'* 3 EXISTS', b'* 4 EXPUNGE'), (b'* 1 EXISTS', b'* VANISHED 1:2'),
    (b'* 2 EXISTS', b'* 1 EXPUNGE', b'* 2 FETCH (UID 2)'),
)


def faults():
    """Fails unless all that is right is read and all that is wrong is refused; the number of faults."""
    both = grammars()
    for enabled, octets in RIGHT:
        wrong = both[enabled].matches("response", octets + b"\r\n")
        assert wrong is None, f"{octets!r}: {wrong}"
    for enabled, octets in FAULTS:
        assert both[enabled].matches("response", octets + b"\r\n") is not None, f"a fault was not found: {octets!r}"
    for responses in ORDERS:
        session = Session(both)
        session.responses = 1
        found = [session.wrong(octets + b"\r\n") for octets in responses]
        assert found[-1] and not any(found[:-1]), (responses, found)
    return len(FAULTS) + len(ORDERS)


def damaged(octets):
    """The response with one octet less or more outside of strings and literals, in every place where that must show."""
    at = 0
    while at < len(octets):
        if octets[at:at + 1] == b'"':
            at = re.compile(rb'"(\\.|[^"\\])*"').match(octets, at).end()
        elif found := re.compile(rb"\{(\d+)\}\r\n").match(octets, at):
            length, at = int(found[1]), found.end()
            for other in (length - 1, length + 1):
                if other >= 0:
                    yield octets[:found.start()] + b"{%d}\r\n" % other + octets[at:]
            at += length
        else:
            if octets[at] in b"()[]":
                yield octets[:at] + octets[at + 1:]
            if octets[at] in b" ":
                yield octets[:at] + b" " + octets[at:]
            at += 1


def bites(paths):
    """Damages what was received and fails where the grammar does not see it; how many were damaged."""
    both, seen, count = grammars(), set(), 0
    for path in paths:
        for _, protocol, octets in records(path):
            # Lines for people may hold anything, and LSUB's, LIST's and SEARCH's brackets are everywhere; one of each shape is enough.
            shape = re.sub(rb"\d+", b"0", octets)
            if protocol != "imap" or not octets.startswith(b"* ") or len(octets) > 2000 or shape in seen or octets[2:5] in (b"OK ", b"NO ", b"BAD", b"BYE"):
                continue
            seen.add(shape)
            for wrong in damaged(octets):
                count += 1
                assert all(grammar.matches("response", wrong) for grammar in both), f"{path.stem}: damage was not found: {wrong!r}"
    return count


def play(folder):
    """Plays the transcripts; their own expectations must hold as well."""
    done = subprocess.run(["cargo", "test", "--locked", "--quiet", "--test", "transcripts", "imap"], cwd=ROOT,
                          env={**os.environ, "TRANSCRIPT_RESPONSES": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]


def run(_):
    programs.packages()
    faults()
    with tempfile.TemporaryDirectory() as folder:
        play(folder)
        paths = sorted(pathlib.Path(folder).rglob("*.responses"))
        count, read = check(paths)
        damages = bites(paths)
    assert count > RESPONSES_AT_LEAST, f"only {count} responses"
    assert read > RESPONSES_AT_LEAST // 10, f"imapclient read only {read} responses"
    print(f"   {count} responses read by the grammar, {read} of them by imapclient too; {damages} damaged ones refused")


if __name__ == "__main__":
    programs.packages()
    if sys.argv[1:] == ["--faults"]:
        print(f"{faults()} planted faults were found")
    else:
        files = [pathlib.Path(name) for name in sys.argv[1:]]
        print("%d responses, %d by imapclient too" % check(files), f"; {bites(files)} damaged ones refused")
