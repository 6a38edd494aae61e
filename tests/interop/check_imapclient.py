"""PyPI's IMAPClient: its whole interface against the server, each effect seen by another connection."""

import datetime
import ssl
import threading
import time

import corpus
import programs
from wire import Imap

NEEDS = ()
ZONE = datetime.timezone(datetime.timedelta(hours=1))


def connect(server, **more):
    import imapclient
    context = ssl.create_default_context(cafile=server.certificate)
    client = imapclient.IMAPClient("localhost", port=server.ports["imaps"], ssl_context=context, timeout=60, **more)
    client.login("anna", "long-secret")
    client.normalise_times = False
    return client


def sessions(server):
    import imapclient
    client = imapclient.IMAPClient("localhost", port=server.ports["imap"], ssl=False, timeout=60)
    client.starttls(ssl.create_default_context(cafile=server.certificate))
    try:
        client.login("anna", "wrong")
    except imapclient.exceptions.LoginError:
        pass
    else:
        raise AssertionError("a wrong password was accepted")
    client.plain_login("anna", "long-secret")
    assert client.has_capability("UIDPLUS") and client.welcome
    assert "name" in str(client.id_({"name": "test"}))
    assert client.namespace().personal == (("", "/"),)
    client.logout()


def folders(client, far):
    for name in ("Entwürfe & Co", "Reisen/2026", "日本語", 'mit "Zeichen"'):
        client.create_folder(name)
        client.subscribe_folder(name)
        assert client.folder_exists(name), name
    listed = {name: flags for flags, _, name in client.list_folders()}
    assert {"Entwürfe & Co", "Reisen", "Reisen/2026", "日本語", 'mit "Zeichen"', "INBOX"} <= set(listed), listed
    assert {name for _, _, name in client.list_sub_folders(pattern="Reisen*")} == {"Reisen/2026"}
    assert client.find_special_folder(b"\\Sent") == "Sent" and client.find_special_folder(b"\\Trash") == "Trash"
    assert [name for _, _, name in client.xlist_folders()] if client.has_capability("XLIST") else True
    client.rename_folder("Reisen/2026", "Reisen/2027")
    client.unsubscribe_folder("日本語")
    client.delete_folder("日本語")
    names = b"".join(far.ok('LIST "" *'))
    assert b"Entw&APw-rfe &- Co" in names and b"Reisen/2027" in names and b"&ZeVnLIqe-" not in names, names
    status = client.folder_status("Entwürfe & Co", ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"])
    assert status[b"MESSAGES"] == 0 and status[b"UIDNEXT"] == 1, status


def messages(client, far):
    octets = corpus.oddities()
    when = datetime.datetime(2026, 11, 2, 10, 0, tzinfo=ZONE)
    for name in ("plain", "attachment", "encoded-words", "multipart", "html-only"):
        assert b"APPENDUID" in client.append("INBOX", octets[name], flags=("\\Flagged", "Todo"), msg_time=when)
    if client.has_capability("MULTIAPPEND"):
        assert "APPENDUID" in str(client.multiappend("INBOX", [octets["digest"], octets["base64"]]))
    else:
        client.append("INBOX", octets["digest"])
        client.append("INBOX", octets["base64"])
    selected = client.select_folder("INBOX")
    assert selected[b"EXISTS"] == 7 and selected[b"READ-WRITE"], selected
    rows = client.fetch([1, 2], ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[]", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])
    assert rows[1][b"BODY[]"] == octets["plain"] and rows[1][b"RFC822.SIZE"] == len(octets["plain"])
    assert rows[1][b"ENVELOPE"].subject == b"plain" and rows[1][b"ENVELOPE"].from_[0].mailbox == b"anna", rows[1][b"ENVELOPE"]
    assert rows[1][b"INTERNALDATE"] == when, rows[1][b"INTERNALDATE"]
    assert rows[2][b"BODYSTRUCTURE"].is_multipart and not rows[1][b"BODYSTRUCTURE"].is_multipart
    assert b"Subject: att" in rows[2][b"BODY[HEADER.FIELDS (SUBJECT)]"]
    assert client.fetch([1], [b"BODY.PEEK[]<5.10>"])[1][b"BODY[]<5>"] == octets["plain"][5:15]

    assert b"\\Seen" in client.add_flags([1, 3], [b"\\Seen", b"Read"])[1]
    client.remove_flags([2], ["Todo"], silent=True)
    client.set_flags([5], ["\\Answered"])
    assert client.get_flags([5])[5] == (b"\\Answered",) or b"\\Recent" in client.get_flags([5])[5]
    far.ok("SELECT INBOX")
    flags = {uid: set(row[b"FLAGS"]) - {b"\\Recent"} for uid, row in far.fetch("1:*", "(UID FLAGS)").items()}
    assert flags[1] == {b"\\Seen", b"Read", b"\\Flagged", b"Todo"} and flags[2] == {b"\\Flagged"} and flags[5] == {b"\\Answered"}, flags


def searches(client):
    assert client.search(["FLAGGED", "NOT", "SEEN"]) == [2, 4]
    assert client.search("SUBJECT plain") == [1]
    assert client.search(["SINCE", datetime.date(2026, 11, 2), "BEFORE", datetime.date(2026, 11, 3), "KEYWORD", "Read"]) == [1, 3]
    assert client.search(["TEXT", "grüße"], "UTF-8") is not None
    assert client.search(["UNSEEN", ["OR", "UID", "2:3", "UID", "7"]]) == [2, 7]
    if client.has_capability("CONDSTORE"):
        assert client.search(["MODSEQ", "1"]).modseq > 1
        changed = client.fetch([1, 2, 3, 4, 5, 6, 7], ["FLAGS"], ["CHANGEDSINCE 1"])
        assert len(changed) == 7 and changed[1][b"MODSEQ"][0] > 1, changed
    if client.has_capability("SORT"):
        assert client.sort(["REVERSE", "SIZE"]) == sorted_by_size(client)
        assert client.sort("ARRIVAL", "UID 2:4") == [2, 3, 4]
    if client.has_capability("THREAD=REFERENCES"):
        threads = client.thread("REFERENCES")
        assert sorted(flat(threads)) == [1, 2, 3, 4, 5, 6, 7], threads
    if client.has_capability("QUOTA"):
        assert client.get_quota_root("INBOX") is not None


def flat(threads):
    for one in threads:
        if isinstance(one, tuple):
            yield from flat(one)
        else:
            yield one


def sorted_by_size(client):
    sizes = client.fetch([1, 2, 3, 4, 5, 6, 7], ["RFC822.SIZE"])
    return sorted(sizes, key=lambda uid: (-sizes[uid][b"RFC822.SIZE"], uid))


def copies(client, far):
    client.copy([1, 2], "Entwürfe & Co")
    if client.has_capability("MOVE"):
        client.move([3], "Reisen/2027")
    else:
        client.copy([3], "Reisen/2027")
        client.delete_messages([3])
        client.uid_expunge([3])
    client.delete_messages([4, 5])
    client.uid_expunge([4])
    far.ok("NOOP")
    assert sorted(far.fetch("1:*", "(UID)")) == [1, 2, 5, 6, 7]
    client.expunge()
    far.ok("NOOP")
    assert sorted(far.fetch("1:*", "(UID)")) == [1, 2, 6, 7]
    status = b"".join(far.ok("STATUS Reisen/2027 (MESSAGES)") + far.ok('STATUS "Entw&APw-rfe &- Co" (MESSAGES)'))
    assert b"MESSAGES 1" in status and b"MESSAGES 2" in status, status


def idles(server, client, far):
    client.idle()
    threading.Timer(0.3, lambda: far.append("INBOX", corpus.oddities()["plain"])).start()
    seen, end = [], time.monotonic() + 20
    while not any(one[1:] == (b"EXISTS",) for one in seen):
        assert time.monotonic() < end, f"IDLE told {seen}"
        seen += client.idle_check(timeout=5)
    text, left = client.idle_done()
    assert b"OK" in text or b"completed" in text or text, (text, left)
    assert client.search(["UID", "8"]) == [8]
    assert client.noop() is not None
    # Others' changes by NOOP.
    time.sleep(0.5)
    far.ok("UID STORE 8 +FLAGS (\\Deleted)")
    far.ok("UID EXPUNGE 8")
    told = client.noop()[1]
    assert any(one[1] == b"EXPUNGE" for one in told), told
    client.unselect_folder()
    read_only = client.select_folder("INBOX", readonly=True)
    assert read_only[b"EXISTS"] == 4 and b"READ-ONLY" in read_only, read_only
    client.close_folder()


def run(server):
    programs.packages()
    server.add_user("anna", "long-secret")
    far = Imap(server.ports["imap"], "anna", "long-secret")
    sessions(server)
    client = connect(server)
    folders(client, far)
    messages(client, far)
    searches(client)
    copies(client, far)
    idles(server, client, far)
    if client.has_capability("ENABLE") and client.has_capability("CONDSTORE"):
        other = connect(server)
        assert b"CONDSTORE" in other.enable("CONDSTORE")
        other.logout()
    client.logout()
    far.logout()
