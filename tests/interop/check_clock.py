"""A clock that was years ahead: new mail has its wrong time until somebody says that the clock is right again."""

import datetime
import json

from servers import DOMAIN
from wire import Imap, Lmtp

NEEDS = ("faketime",)
SERVERS = ("mailnook",)
OPTIONS = {"mailnook": {"clock": True}}
PASSWORD = "long-secret"
AHEAD = 3650
# sysexits(3), as the commands' --help tells them.
USAGE, TEMPORARY = 64, 75


def findings(server):
    """What doctor says of the clock. It runs beside the server and asks it."""
    said = json.loads(server.run("doctor", "--no-mail", "--json", check=False).stdout)
    return [one for one in said if one["check"] == "clock" and "behind the newest mail" in one["text"]]


def run(server):
    server.add_user("anna", PASSWORD)
    lmtp, imap = Lmtp(server.lmtp_socket), Imap(server.ports["imap"], "anna", PASSWORD)

    def saved(number):
        """In what year a message came, which the store holds to be its time."""
        assert lmtp.deliver(b"Subject: x\r\n\r\nHello\r\n", [f"anna@{DOMAIN}"])[0].startswith(b"250")
        answer = b"".join(imap.ok("SELECT INBOX") + imap.ok(f"FETCH {number} (SAVEDATE)"))
        return int(answer.split(b'SAVEDATE "')[1].split(b"-")[2][:4])

    today = datetime.date.today()
    server.set_clock(AHEAD)
    later = saved(1)
    assert later >= today.year + 9, later
    server.set_clock(0)
    assert saved(2) == later, "the store's time went back by itself"
    finding, = findings(server)
    assert "trust-clock" in finding["fix"], finding
    assert server.run("expire", check=False).returncode == TEMPORARY
    wrong = (today + datetime.timedelta(days=AHEAD)).isoformat()
    assert server.run("trust-clock", wrong, check=False).returncode == USAGE
    said = server.run("trust-clock", today.isoformat()).stdout
    assert b"2 messages" in said, said
    assert saved(3) in (today.year, today.year + 1)
    years = [line for line in imap.ok("FETCH 1:2 (SAVEDATE)") if str(later).encode() in line]
    assert not years, years
    assert not findings(server)
    server.run("expire")
    lmtp.close()
    imap.logout()
