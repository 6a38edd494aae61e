#!/bin/sh
# Installs mailnook from this folder on a system without Debian packages. As root: ./install.sh; ./install.sh --uninstall takes it away
# again and leaves the mail and the configuration.
set -eu
cd "$(dirname "$0")"
die() { echo "install.sh: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "run it as root"
bin=/usr/local/bin units=/etc/systemd/system
systemd() { [ ! -d /run/systemd/system ] || systemctl "$@"; }

if [ "${1:-}" = --uninstall ]; then
    systemd disable --now mailnook.service mailnook.socket || true
    rm -f "$bin/mailnook" "$units/mailnook.service" "$units/mailnook.socket" /usr/local/share/man/man1/mailnook.1 \
        /usr/local/share/man/man5/mailnook.toml.5
    systemd daemon-reload
    echo "The mail in /var/lib/mailnook and /etc/mailnook are left."
    exit 0
fi
[ $# -eq 0 ] || die "usage: ./install.sh [--uninstall]"
./mailnook --version >/dev/null 2>&1 || die "this binary does not run on this machine ($(uname -m)): take the one for its processor"
id mailnook >/dev/null 2>&1 || useradd --system --user-group --home-dir /var/lib/mailnook --no-create-home --shell /usr/sbin/nologin mailnook \
    2>/dev/null || adduser -S -D -H -h /var/lib/mailnook -s /sbin/nologin mailnook || die "cannot make the user mailnook"
install -d -o mailnook -g mailnook -m 0700 /var/lib/mailnook
install -d /etc/mailnook /usr/local/share/man/man1 /usr/local/share/man/man5
if [ ! -e /etc/mailnook/mailnook.toml ]; then
    install -m 0644 mailnook.toml /etc/mailnook/mailnook.toml
    # Without socket units the server opens its ports itself, and its socket is in its own directory.
    [ -d /run/systemd/system ] || sed -i -e 's/^imap = .*/imap = ["*:143"]/' -e 's/^imaps = .*/imaps = ["*:993"]/' \
        -e 's/^pop3 = .*/pop3 = ["*:110"]/' -e 's/^pop3s = .*/pop3s = ["*:995"]/' \
        -e 's/^lmtp = .*/lmtp = ["127.0.0.1:24"]/' -e 's/^lmtp_socket = .*/lmtp_socket = "lmtp.sock"/' /etc/mailnook/mailnook.toml
fi
# Under another name first: the running server keeps its own file.
install -m 0755 mailnook "$bin/mailnook.new" && mv -f "$bin/mailnook.new" "$bin/mailnook"
install -m 0644 mailnook.1 /usr/local/share/man/man1/ && install -m 0644 mailnook.toml.5 /usr/local/share/man/man5/
if [ -d /run/systemd/system ]; then
    install -m 0644 mailnook.socket "$units/"
    install -m 0644 mailnook.service "$units/"
    systemctl daemon-reload
    systemctl enable mailnook.socket mailnook.service
    systemctl start mailnook.socket && systemctl restart mailnook.service
else
    echo "There is no systemd: let your init system run '$bin/mailnook serve' as root; it opens its ports and becomes the user mailnook."
fi
echo "Now set hostname and domains in /etc/mailnook/mailnook.toml, then: mailnook user add NAME"
