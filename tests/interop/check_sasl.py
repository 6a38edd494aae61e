"""SASL by GNU SASL in mpop: SCRAM-SHA-256, where the client checks the server's signature, LOGIN and PLAIN."""

import programs

NEEDS = ("mpop",)
MECHANISMS = ("scram-sha-256", "login", "plain")


def log_in(server, home, mechanism):
    path = home / ".mpoprc"
    path.write_text(f"""\
account anna
host localhost
port {server.ports['pop3s']}
user anna
password long-secret
auth {mechanism}
tls on
tls_starttls off
tls_trust_file {server.certificate}
delivery mbox {home}/mail
uidls_file {home}/uidls
""")
    path.chmod(0o600)
    return programs.run(["mpop", "-C", path, "--debug", "anna"], home)


def run(server):
    server.add_user("anna", "long-secret")
    home = server.dir / "mpop"
    home.mkdir()
    (home / "mail").touch()
    for mechanism in MECHANISMS:
        text = log_in(server, home, mechanism)
        assert f"AUTH {mechanism.upper()}".encode() in text, text
        assert b"+OK 0 messages" in text, text
