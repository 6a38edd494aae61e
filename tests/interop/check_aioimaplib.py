"""aioimaplib: several connections on one event loop, IDLE that is told of every change, literals, MOVE, ID, EXPUNGE."""

import asyncio
import ssl

import corpus
import programs
from wire import Imap

NEEDS = ()
SECONDS = 30


async def connect(server):
    import aioimaplib
    client = aioimaplib.IMAP4_SSL("localhost", server.ports["imaps"], timeout=SECONDS,
                                  ssl_context=ssl.create_default_context(cafile=server.certificate))
    await client.wait_hello_from_server()
    ok(await client.login("anna", "long-secret"))
    return client


def ok(response):
    assert response.result == "OK", response
    return response.lines


async def pushed(client, wanted):
    """Waits until IDLE has told of `wanted`."""
    seen = []
    while not any(wanted in line for line in seen):
        seen += await asyncio.wait_for(client.wait_server_push(), SECONDS)
    return seen


async def talk(server, far):
    octets = corpus.oddities()
    client, other = await connect(server), await connect(server)
    assert b"name" in b"".join(line for line in ok(await client.id(name="test", version="1")) if isinstance(line, (bytes, bytearray))).lower()
    ok(await client.create("Work"))
    ok(await client.select("INBOX"))
    ok(await other.select("INBOX"))

    # IDLE in both; an arrival, a flag, an expunge, each told at once and more than once without a renewal.
    for one in (client, other):
        await one.idle_start(timeout=SECONDS)
    await asyncio.to_thread(far.append, "INBOX", octets["plain"])
    for one in (client, other):
        await pushed(one, b"1 EXISTS")
    await asyncio.to_thread(far.append, "INBOX", octets["attachment"], "\\Seen")
    for one in (client, other):
        await pushed(one, b"2 EXISTS")
    await asyncio.to_thread(far.ok, "SELECT INBOX")
    await asyncio.to_thread(far.ok, "UID STORE 1 +FLAGS (\\Flagged)")
    for one in (client, other):
        assert any(b"Flagged" in line for line in await pushed(one, b"FETCH"))
    for one in (client, other):
        one.idle_done()
    ok(await client.noop())

    # Bodies come as literals; APPEND sends one.
    lines = ok(await client.uid("fetch", "1:2", "(UID FLAGS BODY.PEEK[])"))
    assert octets["plain"] in [bytes(line) for line in lines if not isinstance(line, str)], lines
    ok(await client.append(octets["multipart"], "Work", "\\Draft"))
    assert any(b"MESSAGES 1" in line for line in ok(await other.status("Work", "(MESSAGES UIDNEXT)")))
    assert ok(await client.uid_search("FLAGGED"))[0].split() == [b"1"]
    ok(await client.uid("store", "1", "-FLAGS", "(\\Flagged)"))
    ok(await client.uid("copy", "1", "Work"))
    if client.has_capability("MOVE"):
        ok(await client.uid("move", "1", "Work"))
    else:
        ok(await client.uid("store", "1", "+FLAGS", "(\\Deleted)"))
    ok(await other.uid("store", "2", "+FLAGS", "(\\Deleted)"))
    ok(await other.expunge())
    await asyncio.to_thread(far.ok, "SELECT Work")
    bodies = [row[b"BODY[]"] for row in (await asyncio.to_thread(far.fetch, "1:*", "(UID BODY.PEEK[])")).values()]
    assert sorted(bodies) == sorted([octets["multipart"], octets["plain"], octets["plain"]]), bodies
    await asyncio.to_thread(far.ok, "SELECT INBOX")
    assert not await asyncio.to_thread(far.fetch, "1:*", "(UID)")
    ok(await client.close())
    for one in (client, other):
        ok(await one.logout())


def run(server):
    programs.packages()
    server.add_user("anna", "long-secret")
    far = Imap(server.ports["imap"], "anna", "long-secret")
    asyncio.run(talk(server, far))
    far.logout()
