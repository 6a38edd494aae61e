"""curl: imap, imaps, pop3, pop3s, and STARTTLS/STLS: list, read, append, flag, delete."""

import subprocess

import corpus

NEEDS = ("curl",)
TLS_ONLY = ("--ssl-reqd",)


def curl(server, url, *arguments, stdin=None):
    command = ["curl", "-sS", "--max-time", "60", "--user", "anna:long-secret", "--cacert", str(server.certificate), *arguments, url]
    done = subprocess.run(command, capture_output=True, input=stdin)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}: {done.stderr!r}"
    return done.stdout


def imap_doors(server):
    yield f"imap://localhost:{server.ports['imap']}", ()
    yield f"imap://localhost:{server.ports['imap']}", TLS_ONLY
    yield f"imaps://localhost:{server.ports['imaps']}", ()


def pop3_doors(server):
    yield f"pop3://localhost:{server.ports['pop3']}", ()
    yield f"pop3://localhost:{server.ports['pop3']}", TLS_ONLY
    yield f"pop3s://localhost:{server.ports['pop3s']}", ()


def run(server):
    server.add_user("anna", "long-secret")
    messages = corpus.oddities()
    names = ("plain", "attachment", "eight-bit-body", "dots")
    uid = 0
    for url, options in imap_doors(server):
        for name in names:
            path = server.dir / "upload"
            path.write_bytes(messages[name])
            curl(server, f"{url}/INBOX", *options, "-T", str(path))
            uid += 1
            got = curl(server, f"{url}/INBOX/;UID={uid}", *options)
            assert got == messages[name], f"{url} {name}: {got!r}"
        assert b"INBOX" in curl(server, f"{url}/", *options)
        assert b"EXISTS" in curl(server, f"{url}/", *options, "-X", "EXAMINE INBOX")
        assert b"* SEARCH" in curl(server, f"{url}/INBOX?ALL", *options)
        curl(server, f"{url}/INBOX", *options, "-X", f"STORE {uid} +FLAGS \\Flagged")
        assert b"\\Flagged" in curl(server, f"{url}/INBOX", *options, "-X", f"FETCH {uid} FLAGS")
        section = curl(server, f"{url}/INBOX/;UID=2;SECTION=HEADER.FIELDS%20(SUBJECT)", *options)
        assert b"Subject: att" in section, section
    expected = [messages[name] for _ in imap_doors(server) for name in names]
    for url, options in pop3_doors(server):
        listing = [line for line in curl(server, f"{url}/", *options).splitlines() if line]
        assert len(listing) == len(expected), listing
        assert curl(server, f"{url}/1", *options) == expected[0]
        assert len(curl(server, f"{url}/", *options, "-X", "UIDL").splitlines()) == len(expected)
        # curl ends with QUIT, so that the deletion holds.
        curl(server, f"{url}/1", *options, "-X", "DELE", "--head")
        del expected[0]
        assert curl(server, f"{url}/{len(expected)}", *options) == expected[-1]
    url, options = next(imap_doors(server))
    curl(server, f"{url}/INBOX", *options, "-X", "STORE 1:* +FLAGS.SILENT \\Deleted")
    curl(server, f"{url}/INBOX", *options, "-X", "EXPUNGE")
    assert b"0 EXISTS" in curl(server, f"{url}/", *options, "-X", "EXAMINE INBOX")
    refused = subprocess.run(["curl", "-sS", "--user", "anna:wrong", url + "/"], capture_output=True)
    assert refused.returncode == 67, refused
