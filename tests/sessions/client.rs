//! A client that believes what it is told. With UIDONLY (RFC 9586) it knows no sequence numbers: then those of its
//! messages whose UID it was not told stand behind the others.

use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::unix::UnixStream;
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the client knows of a message.
#[derive(Clone, Debug, Default)]
struct Known {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
}

/// One session.
pub struct Client {
    stream: BufReader<UnixStream>,
    tags: u32,
    messages: Vec<Known>,
    /// None: a message is gone that may have been \\Recent, and RECENT was not told since.
    recent: Option<usize>,
    read_only: bool,
    uid_only: bool,
    /// IMAP4rev2 is enabled.
    rev2: bool,
    /// LIST responses of the last SELECT.
    listed: usize,
    /// The command under way.
    under_way: String,
    /// Messages that were \Recent in a read-write session of this client.
    claimed: BTreeSet<u32>,
}

impl Client {
    pub async fn log_in(stream: UnixStream, rev2: bool, uid_only: bool) -> Self {
        let mut client = Self {
            stream: BufReader::new(stream),
            tags: 0,
            messages: Vec::new(),
            recent: Some(0),
            read_only: false,
            uid_only,
            rev2,
            listed: 0,
            under_way: String::new(),
            claimed: BTreeSet::new(),
        };
        client.line().await;
        client.command("LOGIN anna secret", false).await;
        if rev2 {
            client.command("ENABLE IMAP4rev2", false).await;
        }
        if uid_only {
            client.command("ENABLE UIDONLY", false).await;
        }
        client
    }

    /// Whether a command has to be the UID form of itself.
    pub fn uses_uids(&self, wanted: bool) -> bool {
        wanted || self.uid_only
    }

    pub async fn select(&mut self, read_only: bool) {
        self.messages.clear();
        self.recent = Some(0);
        self.read_only = read_only;
        self.listed = 0;
        self.command(if read_only { "EXAMINE INBOX" } else { "SELECT INBOX" }, false).await;
        // RFC 9051 §6.3.2: of the mailbox, and only to those who enabled it.
        assert_eq!(self.listed, usize::from(self.rev2), "LIST in the answer to SELECT");
    }

    /// CLOSE or UNSELECT; nothing untagged may come.
    pub async fn leave(&mut self, command: &str) {
        let tag = self.send(command).await;
        let line = self.line().await;
        assert!(line.starts_with(&format!("{tag} OK")), "{command}: {line}");
    }

    /// A set that exists in the client's eyes; None where there is none.
    pub fn set(&self, uid: bool, (from, to): (u32, u32)) -> Option<String> {
        if uid {
            return Some(format!("{}:{}", from + 1, if to == 0 { "*".to_owned() } else { to.to_string() }));
        }
        let count = u32::try_from(self.messages.len()).ok().filter(|count| *count > 0)?;
        Some(format!("{}:{}", from % count + 1, to % count + 1))
    }

    /// Sends a command and takes in all until its tagged line.
    pub async fn command(&mut self, command: &str, no_expunge: bool) {
        let tag = self.send(command).await;
        self.until_tagged(&tag, command, no_expunge).await;
    }

    pub async fn store(&mut self, uid: bool, set: &str, operation: &str, silent: bool, flags: &str) {
        let (prefix, suffix) = (if uid { "UID " } else { "" }, if silent { ".SILENT" } else { "" });
        let command = format!("{prefix}STORE {set} {operation}{suffix} ({flags})");
        let tag = self.send(&command).await;
        let mut lines = Vec::new();
        let ok = loop {
            let line = self.line().await;
            if let Some(rest) = line.strip_prefix(&format!("{tag} ")) {
                assert!(!rest.starts_with("BAD"), "{command}: {rest}");
                break rest.starts_with("OK") || rest.starts_with("NO [EXPUNGEISSUED]");
            }
            lines.push(line);
        };
        // What others did before comes first, then the silent change, then the expunges and what is behind them.
        let is_expunge = |line: &String| line.ends_with(" EXPUNGE") || line.starts_with("* VANISHED");
        let split = lines.iter().position(is_expunge).unwrap_or(lines.len());
        let (before, behind) = lines.split_at(split);
        for line in before {
            self.take(line, !uid);
        }
        if silent && ok && !self.read_only {
            self.change_silently(uid, set, operation, flags);
        }
        for line in behind {
            self.take(line, !uid);
        }
    }

    /// The outcome of an own silent STORE. Messages whose UID is not known may have been among the set or not.
    fn change_silently(&mut self, uid: bool, set: &str, operation: &str, flags: &str) {
        let count = u32::try_from(self.messages.len()).expect("few");
        let last = if uid { self.messages.last().and_then(|message| message.uid) } else { Some(count) };
        for (number, message) in (1..).zip(&mut self.messages) {
            let number = if uid { message.uid } else { Some(number) };
            match (number, last) {
                (Some(number), Some(last)) if within(set, number, last) => {
                    if let Some(known) = &mut message.flags {
                        change(known, operation, flags);
                    }
                }
                (Some(_), Some(_)) => {}
                _ => message.flags = None,
            }
        }
    }

    pub async fn idle(&mut self) {
        self.send("IDLE").await;
        loop {
            let line = self.line().await;
            if line.starts_with('+') {
                return;
            }
            self.take(&line, false);
        }
    }

    pub async fn done(&mut self) {
        let tag = format!("t{}", self.tags);
        self.write("DONE\r\n").await;
        self.until_tagged(&tag, "IDLE", false).await;
    }

    /// Whether everything that the client knows is so.
    pub fn agrees_with(&self, store: &[(u32, BTreeSet<String>)]) {
        assert_eq!(self.messages.len(), store.len(), "number of messages");
        if self.uid_only {
            for known in self.messages.iter().filter(|known| known.uid.is_some()) {
                let held = store.iter().find(|(uid, _)| Some(*uid) == known.uid);
                let (uid, flags) = held.unwrap_or_else(|| panic!("{known:?} is not in the store"));
                if let Some(known) = &known.flags {
                    assert_eq!(&without_recent(known), flags, "flags of UID {uid}");
                }
            }
            return;
        }
        for (index, (known, (uid, flags))) in self.messages.iter().zip(store).enumerate() {
            assert!(
                known.uid.is_none_or(|known| known == *uid),
                "message {}: {known:?}, in the store {uid}",
                index + 1
            );
            if let Some(known) = &known.flags {
                assert_eq!(&without_recent(known), flags, "flags of message {} (UID {uid})", index + 1);
            }
        }
    }

    pub fn knows_all(&self) -> bool {
        let recent = |known: &&Known| known.flags.as_ref().is_some_and(|flags| flags.contains("\\Recent"));
        let count = self.messages.iter().filter(recent).count();
        assert!(self.recent.is_none_or(|told| told == count), "RECENT told {:?}, the flags {count}", self.recent);
        self.messages.iter().all(|known| known.uid.is_some() && known.flags.is_some())
    }

    /// Messages that this client took as \Recent in the session that it has now.
    pub fn claimed(&self) -> Vec<u32> {
        if self.read_only {
            return Vec::new();
        }
        let recent = |known: &&Known| known.flags.as_ref().is_some_and(|flags| flags.contains("\\Recent"));
        self.messages.iter().filter(recent).filter_map(|known| known.uid).collect()
    }

    async fn until_tagged(&mut self, tag: &str, command: &str, no_expunge: bool) {
        loop {
            let line = self.line().await;
            match line.strip_prefix(&format!("{tag} ")) {
                Some(rest) => {
                    let empty = self.messages.is_empty() && command.contains("1:*");
                    assert!(empty || !rest.starts_with("BAD"), "{command}: {rest}");
                    return;
                }
                None => self.take(&line, no_expunge),
            }
        }
    }

    /// One untagged response.
    fn take(&mut self, line: &str, no_expunge: bool) {
        let rest = line.strip_prefix("* ").unwrap_or_else(|| panic!("untagged: {line}"));
        let mut words = rest.splitn(3, ' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if first == "VANISHED" {
            assert!(self.uid_only, "{line}");
            self.vanished(second);
            return;
        }
        let Ok(number) = first.parse::<usize>() else {
            // RFC 9051, Appendix E: what its clients get instead.
            assert!(first != "SEARCH" || !self.rev2, "{line}");
            assert!(first != "ESEARCH" || self.rev2, "{line}");
            assert!(!(self.rev2 || self.uid_only) || !line.starts_with("* OK [UNSEEN"), "{line}");
            self.listed += usize::from(first == "LIST");
            return;
        };
        assert!(!self.uid_only || ["EXISTS", "RECENT", "UIDFETCH"].contains(&second), "a number: {line}");
        match second {
            "EXISTS" => {
                assert!(number >= self.messages.len(), "EXISTS may not shrink: {line}");
                self.messages.resize(number, Known::default());
            }
            "RECENT" => {
                assert!(!self.rev2, "{line}");
                self.recent = Some(number);
            }
            "EXPUNGE" => {
                assert!(!no_expunge, "EXPUNGE in a command that uses sequence numbers");
                assert!((1..=self.messages.len()).contains(&number), "{line} of {}", self.messages.len());
                self.messages.remove(number - 1);
                self.recent = None;
            }
            "FETCH" => self.fetched(number, words.next().unwrap_or_default()),
            "UIDFETCH" => {
                assert!(self.uid_only, "{line}");
                let number = self.place(u32::try_from(number).expect("a UID"));
                self.fetched(number, words.next().unwrap_or_default());
            }
            _ => panic!("not understood: {line}"),
        }
    }

    /// The place of a UID, from 1; one of the messages without a UID may get it.
    fn place(&mut self, uid: u32) -> usize {
        let at = self.messages.partition_point(|known| known.uid.is_some_and(|known| known < uid));
        if self.messages.get(at).and_then(|known| known.uid) != Some(uid) {
            let unknown = self.messages.pop().filter(|known| known.uid.is_none());
            assert!(unknown.is_some(), "UID {uid} is one more than exist");
            self.messages.insert(at, Known { uid: Some(uid), flags: None });
        }
        at + 1
    }

    fn vanished(&mut self, set: &str) {
        for item in set.split(',') {
            let (first, last) = item.split_once(':').unwrap_or((item, item));
            for uid in first.parse::<u32>().expect("a UID")..=last.parse().expect("a UID") {
                let known = self.messages.iter().position(|known| known.uid == Some(uid));
                let gone = match known {
                    Some(at) => Some(self.messages.remove(at)),
                    None => self.messages.pop().filter(|known| known.uid.is_none()),
                };
                assert!(gone.is_some(), "UID {uid} vanished, which the client cannot have");
            }
        }
        self.recent = None;
    }

    fn fetched(&mut self, number: usize, items: &str) {
        assert!((1..=self.messages.len()).contains(&number), "FETCH {number} of {}", self.messages.len());
        let known = &mut self.messages[number - 1];
        if let Some(at) = items.find("UID ") {
            let digits: String = items[at + 4..].chars().take_while(char::is_ascii_digit).collect();
            let uid = digits.parse().expect("a UID");
            assert!(known.uid.is_none_or(|known| known == uid), "message {number} had UID {known:?}, now {uid}");
            known.uid = Some(uid);
        } else {
            // RFC 9051 §7.5.2: only what the client asked for itself may come without; UIDFETCH begins with it.
            assert!(
                !self.rev2 || self.uid_only || self.under_way.starts_with("FETCH"),
                "no UID: {items} ({})",
                self.under_way
            );
        }
        if let Some((_, rest)) = items.split_once("FLAGS (") {
            let flags: BTreeSet<String> =
                rest.split(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            assert!(!self.rev2 || !flags.contains("\\Recent"), "{items}");
            if let (true, Some(uid)) = (flags.contains("\\Recent") && !self.read_only, known.uid) {
                self.claimed.insert(uid);
            }
            known.flags = Some(flags);
        }
    }

    async fn send(&mut self, command: &str) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        command.clone_into(&mut self.under_way);
        self.write(&format!("{tag} {command}\r\n")).await;
        tag
    }

    async fn write(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).await.expect("send");
    }

    /// One response, its literals left out.
    async fn line(&mut self) -> String {
        let read = async {
            let mut response = String::new();
            loop {
                let mut line = String::new();
                assert!(self.stream.read_line(&mut line).await.expect("a line") > 0, "the server ended the session");
                let line = line.trim_end().to_owned();
                response.push_str(&line);
                let Some(length) = line.strip_suffix('}').and_then(|line| line.rsplit_once('{')) else {
                    return response;
                };
                let Ok(length) = length.1.parse() else { return response };
                let mut literal = vec![0; length];
                self.stream.read_exact(&mut literal).await.expect("a literal");
            }
        };
        smol::future::or(async { Some(read.await) }, async {
            smol::Timer::after(PATIENCE).await;
            None
        })
        .await
        .expect("the server answers")
    }
}

fn without_recent(flags: &BTreeSet<String>) -> BTreeSet<String> {
    flags.iter().filter(|flag| *flag != "\\Recent").cloned().collect()
}

fn within(set: &str, number: u32, last: u32) -> bool {
    let (from, to) = set.split_once(':').expect("a range");
    let end = |text: &str| if text == "*" { last } else { text.parse().expect("a number") };
    let (from, to) = (end(from), end(to));
    (from.min(to)..=from.max(to)).contains(&number)
}

fn change(known: &mut BTreeSet<String>, operation: &str, flags: &str) {
    let flags = flags.split_whitespace().map(str::to_owned);
    match operation {
        "+FLAGS" => known.extend(flags),
        "-FLAGS" => flags.for_each(|flag| {
            known.remove(&flag);
        }),
        _ => {
            let recent = known.contains("\\Recent");
            *known = flags.collect();
            if recent {
                known.insert("\\Recent".to_owned());
            }
        }
    }
}
