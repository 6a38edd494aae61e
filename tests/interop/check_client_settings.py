"""What `mailnook client-settings` writes, read by others: Thunderbird's file by ElementTree, Apple's by plistlib, and the QR code
compared module by module with the one that PyPI's qrcode makes of the same text.
"""

import json
import plistlib
import re
import ssl
import subprocess
import xml.etree.ElementTree as ElementTree

import programs

NEEDS = ("openssl",)
SERVERS = ("mailnook",)

# Characters that XML, JSON and property lists each treat in their own way.
ADDRESS = "o'hara&sons@example.org"
SMTP_USER = "<we> \"send\" & 'mail' \\ \x1b\u00fc"
HOST = "mail.example.org"
QUIET = 4
FORMAT_MASK = 0b101010000010010


class Settings:
    """mailnook with a configuration that others can reach, without a server."""

    def __init__(self, server):
        self.server = server
        self.dir = server.dir / "settings"
        self.dir.mkdir()
        (self.dir / "m.toml").write_text(f"""\
data_dir = "data"
hostname = "{HOST}"
domains = ["example.com", "example.org"]
[tls]
certificate = "cert.pem"
key = "key.pem"
[listen]
imaps = "*:993"
pop3s = "*:995"
""")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=m",
             "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem"],
            check=True, capture_output=True)
        self.run("user", "add", "anna", "--generate")
        self.run("user", "alias", "add", "anna", ADDRESS)

    def run(self, *arguments):
        done = subprocess.run([self.server.binary, "--config", self.dir / "m.toml", *arguments], cwd=self.dir, capture_output=True,
                              timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{arguments}: {done}"
        return done.stdout.decode()


def autoconfig(settings):
    settings.run("client-settings", "anna", "--address", ADDRESS, "--smtp", "smtp.example.net:587", "--smtp-user", SMTP_USER,
                 "--autoconfig", "a.xml")
    root = ElementTree.parse(settings.dir / "a.xml").getroot()
    assert (root.tag, root.attrib) == ("clientConfig", {"version": "1.1"})
    (provider,) = root
    assert provider.attrib == {"id": "example.org"} and provider.findtext("domain") == "example.org"
    keys = ("hostname", "port", "socketType", "authentication", "username")
    found = [(node.tag, node.get("type"), *(node.findtext(key) for key in keys)) for node in provider if node.get("type")]
    typed, password = "%EMAILADDRESS%", "password-cleartext"
    assert found == [
        ("incomingServer", "imap", HOST, "993", "SSL", password, typed),
        ("incomingServer", "pop3", HOST, "995", "SSL", password, typed),
        ("outgoingServer", "smtp", "smtp.example.net", "587", "STARTTLS", password, SMTP_USER.replace("\x1b", "")),
    ], found


def profile(settings):
    wish = ("client-settings", "anna", "--address", ADDRESS, "--smtp", "smtp.example.net:465", "--smtp-user", SMTP_USER)
    settings.run(*wish, "--mobileconfig", "a.mobileconfig")
    out = settings.run(*wish, "--new-device", "phone", "--mobileconfig", "b.mobileconfig")
    read = [plistlib.loads((settings.dir / name).read_bytes()) for name in ("a.mobileconfig", "b.mobileconfig")]
    (password,) = re.findall(r"^password: (\S+)$", out, re.M)
    for number, plist in enumerate(read):
        trust, mail = plist["PayloadContent"]
        certificate = ssl.PEM_cert_to_DER_cert((settings.dir / "cert.pem").read_text())
        assert trust["PayloadType"] == "com.apple.security.root" and trust["PayloadContent"] == certificate
        assert mail.get("IncomingPassword") == (None, password)[number]
        expected = {
            "PayloadType": "com.apple.mail.managed", "EmailAccountType": "EmailTypeIMAP", "EmailAddress": ADDRESS,
            "IncomingMailServerHostName": HOST, "IncomingMailServerPortNumber": 993, "IncomingMailServerUseSSL": True,
            "IncomingMailServerUsername": "anna", "IncomingMailServerAuthentication": "EmailAuthPassword",
            "OutgoingMailServerHostName": "smtp.example.net", "OutgoingMailServerPortNumber": 465, "OutgoingMailServerUseSSL": True,
            "OutgoingMailServerUsername": SMTP_USER.replace("\x1b", ""), "OutgoingPasswordSameAsIncomingPassword": False,
        }
        assert {key: mail.get(key) for key in expected} == expected, mail
        for payload in (plist, trust, mail):
            assert payload["PayloadVersion"] == 1 and re.fullmatch("[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", payload["PayloadUUID"])
    identities = [[(p["PayloadUUID"], p["PayloadIdentifier"]) for p in (plist, *plist["PayloadContent"])] for plist in read]
    assert identities[0] == identities[1] and len(set(identities[0])) == 3, identities


def modules(drawing):
    """The dark modules of a drawing whose blocks are white, without the white around them."""
    rows = []
    for line in drawing:
        rows.append([c in " \u2584" for c in line])
        rows.append([c in " \u2580" for c in line])
    size = len(rows[0]) - 2 * QUIET
    return [row[QUIET:QUIET + size] for row in rows[QUIET:QUIET + size]]


def code(out):
    return modules([line for line in out.splitlines() if line and set(line) <= set(" \u2580\u2584\u2588")])


def same_as_others(matrix, text):
    """Whether another generator makes the same of that text, with the mask and the level of correction that the code tells of."""
    import qrcode
    bits = [matrix[8][column] for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [matrix[row][8] for row in (7, 5, 4, 3, 2, 1, 0)]
    told = int("".join("1" if bit else "0" for bit in bits), 2) ^ FORMAT_MASK
    # Both number the levels as the code itself does.
    level, mask = told >> 13, told >> 10 & 7
    other = qrcode.QRCode(version=(len(matrix) - 17) // 4, error_correction=level, mask_pattern=mask, border=0)
    other.add_data(qrcode.util.QRData(text.encode(), mode=qrcode.util.MODE_8BIT_BYTE))
    other.make(fit=False)
    assert other.get_matrix() == matrix, f"{text!r}, level {level}, mask {mask}"


def codes(settings):
    out = settings.run("client-settings", "anna", "--qr")
    fingerprint = re.search("^  ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$", out, re.M).group(1)
    text = f"IMAP: {HOST}, port 993, SSL/TLS\nuser name: anna\ncertificate SHA-256: {fingerprint}\n"
    same_as_others(code(out), text)

    wish = ("client-settings", "anna", "--address", ADDRESS, "--smtp", "smtp.example.net:587", "--smtp-user", "a\"b\\c", "--qr")
    for new in ((), ("--new-device", "tablet")):
        out = settings.run(*wish, *new)
        password = re.findall(r"^password: (\S+)$", out, re.M)
        incoming = [0, HOST, 993, 3, 1, "anna"] + ([ADDRESS, *password] if new else [])
        outgoing = [[0, "smtp.example.net", 587, 2, 1, "a\"b\\c"], [ADDRESS, "anna"]]
        account = [1, [1, 1], incoming, [outgoing]]
        same_as_others(code(out), json.dumps(account, separators=(",", ":")))


def run(server):
    programs.packages()
    settings = Settings(server)
    autoconfig(settings)
    profile(settings)
    codes(settings)
