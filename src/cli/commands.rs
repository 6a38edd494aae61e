//! Every command with its arguments, options and help.

/// A command.
#[derive(Debug)]
pub(super) struct Command {
    /// The words that name it.
    pub path: &'static [&'static str],
    /// Its positional arguments; those in brackets may be left out.
    pub words: &'static [&'static str],
    /// Its options besides [`COMMON`].
    pub options: &'static [Opt],
    /// One line.
    pub summary: &'static str,
    /// The rest of its help.
    pub details: &'static str,
}

/// An option.
#[derive(Debug)]
pub(super) struct Opt {
    pub long: &'static str,
    pub short: Option<char>,
    /// The name of its value; None: it takes none.
    pub value: Option<&'static str>,
    pub help: &'static str,
}

const fn flag(long: &'static str, help: &'static str) -> Opt {
    Opt { long, short: None, value: None, help }
}

const fn value(long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { long, short: None, value: Some(value), help }
}

/// Options of every command.
pub(super) const COMMON: &[Opt] = &[
    Opt {
        long: "config",
        short: Some('c'),
        value: Some("FILE"),
        help: "the configuration; else $MAILNOOK_CONFIG, else /etc/mailnook/mailnook.toml",
    },
    Opt { long: "data", short: None, value: Some("DIR"), help: "the data directory, instead of the configured one" },
    Opt { long: "help", short: Some('h'), value: None, help: "this text" },
];

const JSON: Opt = flag("json", "as JSON, one line");

const NEW_PASSWORD: &[Opt] = &[
    flag("password-stdin", "read the password from standard input, one line"),
    flag("generate", "make a password and print it as \"password: ...\""),
];

const PASSWORD_DETAILS: &str = "\
A password has 8 characters at least and is not the user's name. Without an option it is asked for twice on the
terminal. It is never given as an argument, where other users of the machine could read it.
";

/// Every command.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        path: &["serve"],
        words: &[],
        options: &[],
        summary: "run the server",
        details: "\
Without a configuration file it serves this machine alone from ./mailnook-data, and makes a user \"me\" with a new
password where there is no user yet.

SIGTERM and SIGINT end it within two seconds; SIGHUP reads certificate and key again, which also happens by itself
when the files change. The log goes to standard error.
",
    },
    Command {
        path: &["user", "add"],
        words: &["NAME"],
        options: NEW_PASSWORD,
        summary: "make a user",
        details: PASSWORD_DETAILS,
    },
    Command { path: &["user", "list"], words: &[], options: &[JSON], summary: "list all users", details: "" },
    Command {
        path: &["user", "show"],
        words: &["NAME"],
        options: &[JSON],
        summary: "show a user with aliases and mailboxes",
        details: "",
    },
    Command {
        path: &["user", "passwd"],
        words: &["NAME"],
        options: NEW_PASSWORD,
        summary: "set a user's password; sessions that the old one opened end",
        details: PASSWORD_DETAILS,
    },
    Command {
        path: &["user", "alias", "add"],
        words: &["NAME", "ALIAS"],
        options: &[],
        summary: "give a user a further address",
        details: "ALIAS is a local part, such as info, or a full address, such as info@example.org.\n",
    },
    Command {
        path: &["user", "alias", "remove"],
        words: &["NAME", "ALIAS"],
        options: &[],
        summary: "take an address from a user",
        details: "",
    },
    Command {
        path: &["user", "remove"],
        words: &["NAME"],
        options: &[flag("yes", "do not ask")],
        summary: "remove a user and all mail of that user",
        details: "It asks on the terminal; where there is none it needs --yes.\n",
    },
    Command {
        path: &["user", "pop3"],
        words: &["NAME"],
        options: &[
            Opt {
                long: "dele",
                short: None,
                value: Some("hide|trash|expunge"),
                help: "what POP3 deletes: hide, trash or expunge it",
            },
            Opt {
                long: "hide-days",
                short: None,
                value: Some("N"),
                help: "days until what a device deleted goes to the trash, 0: never",
            },
            Opt {
                long: "release-days",
                short: None,
                value: Some("N"),
                help: "days until what all POP3 devices have goes to the trash, 0: never",
            },
            Opt { long: "seen", short: None, value: Some("yes|no"), help: "fetching by POP3 marks as read for IMAP" },
            flag("default", "all as the configuration says, but for the options beside this one"),
        ],
        summary: "show or set how POP3 and IMAP share a user's mail",
        details: "\
hide: what a device deletes by POP3 is gone for that device; IMAP and other devices keep it. trash and expunge: it
is gone for everybody. Without options it shows the rules.
",
    },
    Command {
        path: &["user", "expire"],
        words: &["NAME", "[MAILBOX]", "[DAYS]"],
        options: &[value("deleted-days", "DAYS", "days for which expunged mail can be brought back, 0: not at all")],
        summary: "show or set how long a user's mail is kept",
        details: "\
Without MAILBOX it shows the rules. DAYS is a number from 1 to 36500; never: mail stays; default: as the configuration
says, which lets mail in \\Trash and \\Junk go after 30 days. Days count from the day on which a message came into the
mailbox. A rule stays with its mailbox where that is renamed. See what would go: mailnook expire --dry-run
",
    },
    Command {
        path: &["user", "main-password"],
        words: &["NAME", "any|lan|off"],
        options: &[],
        summary: "say from where a user's main password opens mail",
        details: "\
any: from everywhere. lan: from this machine and from private and link-local addresses (10.*, 172.16.* to 172.31.*,
192.168.*, 169.254.*, fc00::/7, fe80::/10). off: from nowhere; devices have passwords of their own, see
`mailnook device add --help`. A login that is refused so looks like a wrong password to the client; the log gives the
reason. Sessions that the main password opened end with lan and off; those that may come in come again.
",
    },
    Command {
        path: &["device", "add"],
        words: &["USER", "NAME"],
        options: &[
            flag("imap", "for IMAP; with neither --imap nor --pop3 for both"),
            flag("pop3", "for POP3"),
            flag("read-only", "its sessions cannot change or delete anything"),
        ],
        summary: "make a password for one device of a user",
        details: "\
NAME is what you call the device, such as phone or \"Anna's laptop\". Prints the password, once, with the settings to
type. It works wherever the user's main password does, for the protocols given, and can be revoked alone.
",
    },
    Command {
        path: &["device", "list"],
        words: &["USER"],
        options: &[JSON],
        summary: "list a user's devices and their last use",
        details: "Last uses are kept exactly while the server runs, and to the hour should it crash.\n",
    },
    Command {
        path: &["device", "revoke"],
        words: &["USER", "NAME"],
        options: &[],
        summary: "take a device's password away",
        details: "\
Its open sessions end at once; one in the middle of an answer has half a second to complete it. With the NAME
\"(main password)\", as `mailnook device list` shows it, the password stays, and messages wait no more for whoever fetched
by POP3 with it.
",
    },
    Command {
        path: &["client-settings"],
        words: &["USER"],
        options: &[
            value("device", "NAME", "for this device of the user"),
            value("new-device", "NAME", "make this device first; its password is in all that follows"),
            value("autoconfig", "FILE", "write Thunderbird's autoconfig file; needs --smtp"),
            value("mobileconfig", "FILE", "write a profile for Mail on iPhone, iPad and Mac; needs --smtp"),
            flag("qr", "draw a QR code: for Thunderbird on Android with --smtp, else the settings as text"),
            value("smtp", "HOST:PORT", "the outgoing server; port 465 means TLS, all others STARTTLS"),
            value("smtp-user", "NAME", "the user name there, where it is not the address"),
            value("address", "ADDRESS", "the user's address, else the one in the first of the domains"),
        ],
        summary: "print what to type into mail programs, or write it to files",
        details: "\
Tells server, port, security, user name and the certificate's fingerprint for Thunderbird, Outlook, Apple Mail and K-9,
from the running server's listeners or, where none runs, from the configuration. Passwords are never shown again: a
device's is in the output of the command that makes it, `mailnook device add` or --new-device. Files that are there
already are not overwritten. Programs take no account without an outgoing server, hence --smtp.
",
    },
    Command {
        path: &["deliver"],
        words: &[],
        options: &[
            Opt { long: "recipient", short: Some('r'), value: Some("ADDRESS"), help: "who gets it; may be repeated" },
            Opt { long: "sender", short: Some('f'), value: Some("ADDRESS"), help: "the reverse-path, for Return-Path" },
            Opt {
                long: "mailbox",
                short: Some('m'),
                value: Some("MAILBOX"),
                help: "deliver to this mailbox instead of INBOX; it must exist",
            },
        ],
        summary: "deliver a message from standard input",
        details: "\
For Postfix's pipe, getmail, fetchmail, procmail and cron, whether the server runs or not. A leading mbox line
(\"From ...\") is dropped. Either all recipients are known or nobody gets the message.

Exit codes: 0 stored and durable; 64 wrong usage; 65 the message is empty or too big; 67 nobody has that address;
69 the account is full and its mail bounces; 73 no such mailbox; 75 try again later; 77 no permission to use the
data directory.
",
    },
    Command {
        path: &["quota", "show"],
        words: &["[USER]"],
        options: &[JSON],
        summary: "show what accounts hold and may hold",
        details: "",
    },
    Command {
        path: &["quota", "set"],
        words: &["USER"],
        options: &[
            Opt { long: "bytes", short: None, value: Some("SIZE"), help: "such as \"2 GB\"; or none, or default" },
            Opt { long: "messages", short: None, value: Some("NUMBER"), help: "how many; or none, or default" },
            Opt {
                long: "over",
                short: None,
                value: Some("defer|bounce|default"),
                help: "defer: mail for the full account waits at its sender; bounce: it goes back; or default",
            },
        ],
        summary: "set what an account may hold",
        details: "\
What is not given stays as it is; \"default\" goes back to what the configuration says. A limit below what the
account holds removes nothing: it takes no more mail until there is room.
",
    },
    Command {
        path: &["quota", "recount"],
        words: &["USER"],
        options: &[],
        summary: "count an account's messages anew",
        details: "The figures are kept with every change, so this finds nothing unless the store was damaged.\n",
    },
    Command {
        path: &["expire"],
        words: &[],
        options: &[flag("dry-run", "only tell what would go")],
        summary: "move on and remove what is older than it is kept",
        details: "\
The running server does this every hour by itself: what POP3 devices have deleted or fetched goes from INBOX to the
trash by the rules of `mailnook user pop3`; mail goes after the days of `mailnook user expire` and of [retention] in the
configuration, and expunged mail can be brought back with `mailnook undelete` for some days more.
",
    },
    Command {
        path: &["undelete"],
        words: &[],
        options: &[
            Opt { long: "user", short: Some('u'), value: Some("USER"), help: "whose mail" },
            Opt {
                long: "since",
                short: None,
                value: Some("TIME"),
                help: "expunged no longer ago than this: \"2 h\", 3d",
            },
            Opt { long: "mailbox", short: Some('m'), value: Some("MAILBOX"), help: "only what was in this mailbox" },
            flag("dry-run", "only tell what would come back"),
        ],
        summary: "bring expunged mail back",
        details: "\
Messages come back to the mailbox they were in, with their flags, whoever and whatever expunged them; a mailbox that
was deleted is made again. Clients see them as new.
",
    },
    Command {
        path: &["why"],
        words: &["USER", "MESSAGE"],
        options: &[Opt {
            long: "mailbox",
            short: Some('m'),
            value: Some("MAILBOX"),
            help: "where the UID counts; else INBOX",
        }],
        summary: "tell where a message is and what happened to it",
        details: "\
MESSAGE is a Message-ID, such as \"<a1@example.org>\", or a UID that the message has or had. It tells who added it, who
moved, flagged, fetched or expunged it, with what program and from where, and where it is now; also of messages that
are gone. Only Message-ID, times and names are kept, never the text. The newest 10,000 changes
of each user are known, and of some 30,000 messages that are gone why they went.
Exit codes: 0 the message is known, 1 it is not.
",
    },
    Command {
        path: &["trust-clock"],
        words: &["DATE"],
        options: &[],
        summary: "say that the clock is right after it was ahead",
        details: "\
What is stored never gets an earlier time than what was stored before, for boards start with a clock that is behind.
Where the clock was ahead once, new mail has that wrong time until the clock is past it, and nothing expires: doctor
tells it. DATE is today, such as 2026-11-28, and must be what the clock shows. Whatever was stored with a later time
counts then as stored now. The dates that mail programs show stay. Interrupted, it is ended when the server starts.
",
    },
    Command {
        path: &["verify"],
        words: &[],
        options: &[],
        summary: "read the whole store and check it",
        details: "Prints one line for each finding. Exit codes: 0 the store is sound, 1 it is not.\n",
    },
    Command {
        path: &["status"],
        words: &[],
        options: &[JSON],
        summary: "show sessions, memory, store and certificate",
        details: "",
    },
    Command {
        path: &["doctor"],
        words: &[],
        options: &[
            flag("json", "as JSON: a list of objects with level, check, text and fix"),
            flag("quiet", "only what is wrong: warnings and faults"),
            flag("no-mail", "without the test mail"),
            Opt {
                long: "root",
                short: None,
                value: Some("DIR"),
                help: "facts of the system from DIR/proc, DIR/sys and so on; for tests",
            },
        ],
        summary: "look for what is wrong with this machine or mailnook",
        details: "\
Looks at the board (power, card, memory), the clock, the disk, the store, the ports, the certificate and the names that
mail programs use, and sends a test mail through a running server. Each line begins with ok, note (good to know, or it
could not be looked at), warning (it will go wrong) or fault (mail is lost, refused or out of reach), and ends with what
to do about it. It changes nothing itself (but where no server runs, a store of an older version is brought up to date,
as by any command), and the test mail leaves nothing behind. Run it with sudo to see everything.

Exit codes: 0 nothing is wrong, 1 there are warnings, 2 there are faults. For monitoring: mailnook doctor --quiet.
",
    },
    Command {
        path: &["config", "default"],
        words: &[],
        options: &[],
        summary: "print the default configuration with comments",
        details: "",
    },
    Command {
        path: &["config", "check"],
        words: &["[FILE]"],
        options: &[],
        summary: "check a configuration file",
        details: "Tells every mistake with its line. Exit codes: 0 the file is right, 78 it is not.\n",
    },
    Command {
        path: &["config", "board"],
        words: &["[pi-zero|pi-2|pi-3|pi-4|pi-5]", "[FILE]"],
        options: &[],
        summary: "print a configuration with what suits a board",
        details: "\
Without a name it lists the boards and tells which this is. With one it prints FILE, or the default configuration, with
the keys of the board's preset put in; FILE itself is not changed. Keys to which you gave another value than the default
stay as they are, and are named on standard error.
",
    },
    Command {
        path: &["config", "measure"],
        words: &[],
        options: &[],
        summary: "measure what a password hash may cost on this machine",
        details: "\
Chooses the strongest Argon2id that takes at most 500 ms and a quarter of the free memory, and uses it from now on where
the configuration says \"auto\"; the first start does it by itself. Do it again when the store has come to another board,
and when nothing else is going on. Hashes that are weaker are replaced at their next login, stronger ones stay.
",
    },
    Command {
        path: &["manual"],
        words: &[],
        options: &[flag("config-file", "mailnook.toml(5) instead of mailnook(1)")],
        summary: "print the manual page",
        details: "For man(1): `mailnook manual | man -l -`.\n",
    },
    Command {
        path: &["completion"],
        words: &["bash|zsh|fish"],
        options: &[],
        summary: "print the completions for bash, zsh or fish",
        details: "For bash: `source <(mailnook completion bash)`.\n",
    },
];
