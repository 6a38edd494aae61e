//! The proof: a mail that comes in by LMTP and goes out by IMAP and POP3, as for anybody else, to an account that exists for
//! this only (`admin::TestAccount`).

use super::dialogue::{self, Dialogue, Login};
use super::server::Owner;
use super::{Finding, Patient, certificate};
use crate::admin::{self, Access, Certificate, Inspection, Protocol, Request, TestAccount, exit};
use std::io;
use std::time::Instant;

const CHECK: &str = "mail";

pub(super) fn check(patient: &Patient, owner: &Owner) -> Vec<Finding> {
    let doctor = patient.command("doctor");
    let inspection = match owner {
        Owner::Server(inspection) => inspection,
        Owner::Closed => {
            let fix = format!("sudo {}", doctor.trim_start_matches("sudo "));
            return vec![Finding::note(CHECK, "no test mail was sent: this user may not").fix(fix)];
        }
        Owner::Alone(_) => {
            let start =
                if patient.unit { "sudo systemctl start mailnook".to_owned() } else { patient.command("serve") };
            let finding = Finding::note(CHECK, "no test mail was sent: the server does not run");
            return vec![finding.fix(format!("{start}, then {doctor}"))];
        }
        Owner::Unknown => {
            let text = "no test mail was sent, because of what is told of the server above";
            return vec![Finding::note(CHECK, text)];
        }
    };
    let stream = match Access::reach(&patient.data_dir, false) {
        Ok(Access::Server(stream)) => stream,
        Ok(Access::Owner(_)) => {
            return vec![Finding::fault(CHECK, "the server has ended meanwhile").fix(patient.restart())];
        }
        Err(refused) => return vec![Finding::fault(CHECK, refused.text).fix(patient.restart())],
    };
    let account = match TestAccount::open(stream) {
        Ok(account) => account,
        Err(text) => {
            let text = format!("there is no account for a test mail: {text}");
            return vec![
                Finding::fault(CHECK, text)
                    .fix(format!("{}, and look into the server's log", patient.command("verify"))),
            ];
        }
    };
    let begin = Instant::now();
    let test =
        Test { patient, inspection, account: &account, certificate: Certificate::read(&certificate::path(patient)) };
    let mut findings = test.run();
    if findings.is_empty() {
        let took = begin.elapsed().as_millis();
        let (way_in, ways_out) = (test.way_in(), test.ways_out());
        let text =
            format!("a test mail came in by {way_in} and out by {ways_out} in {took} ms, and left nothing behind");
        findings.push(Finding::ok(CHECK, text));
    }
    if let Err(text) = account.close() {
        let text = format!("the account of the test mail was not removed ({text}); the next run of doctor removes it");
        findings.push(Finding::warning(CHECK, text).fix(patient.command("doctor")));
    }
    findings
}

struct Test<'t> {
    patient: &'t Patient,
    inspection: &'t Inspection,
    account: &'t TestAccount,
    certificate: Option<Certificate>,
}

impl Test<'_> {
    fn run(&self) -> Vec<Finding> {
        // Nobody else knows the account's name.
        let token = format!("{}@mailnook.invalid", self.account.name);
        let message = format!(
            "From: mailnook doctor <doctor@mailnook.invalid>\r\nTo: {}@mailnook.invalid\r\nSubject: test of mailnook doctor\r\n\
             Message-ID: <{token}>\r\n\r\nThis test mail is removed at once.\r\n",
            self.account.name
        );
        let failed = |text: String| {
            Finding::fault(CHECK, text)
                .fix("journalctl -u mailnook -n 50 (or wherever the server's log is: it says more)")
        };
        if let Err(error) = self.deliver(&message) {
            return vec![failed(format!("a test mail does not come in by {}: {error}", self.way_in()))];
        }
        let mut findings = Vec::new();
        for (name, read) in [
            ("IMAP", self.read(Protocol::Imaps, Protocol::Imap, dialogue::fetch, &token)),
            ("POP3", self.read(Protocol::Pop3s, Protocol::Pop3, dialogue::retrieve, &token)),
        ] {
            match read {
                Some(Ok(true)) | None => {}
                Some(Ok(false)) => findings.push(failed(format!("a test mail came in, but {name} shows another text"))),
                Some(Err(error)) => {
                    findings.push(failed(format!("a test mail came in, but not out by {name}: {error}")));
                }
            }
        }
        findings
    }

    fn place(&self, protocol: Protocol) -> Option<std::net::SocketAddr> {
        self.inspection.places.iter().find(|(other, _)| *other == protocol).map(|(_, address)| *address)
    }

    fn way_in(&self) -> &'static str {
        let socket = self.patient.config.listen.lmtp_socket.as_ref().is_some_and(|path| path.exists());
        if self.place(Protocol::Lmtp).is_some() || socket { "LMTP" } else { "mailnook deliver" }
    }

    fn ways_out(&self) -> String {
        let way = |name: &str, tls, plain| {
            let how = if self.place(tls).is_some() { "TLS" } else { "STARTTLS" };
            (self.place(tls).is_some() || self.place(plain).is_some()).then(|| format!("{name} ({how})"))
        };
        let ways = [way("IMAP", Protocol::Imaps, Protocol::Imap), way("POP3", Protocol::Pop3s, Protocol::Pop3)];
        ways.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    fn deliver(&self, message: &str) -> io::Result<()> {
        let domain = self.patient.config.domains.first().map_or("localhost", String::as_str);
        let recipient = format!("{}@{domain}", self.account.name);
        let socket = self.patient.config.listen.lmtp_socket.as_ref().filter(|path| path.exists());
        let lmtp = match (self.place(Protocol::Lmtp), socket) {
            (Some(address), _) => Dialogue::open(Protocol::Lmtp, address, None)?,
            (None, Some(path)) => Dialogue::open_unix(path)?,
            (None, None) => return self.deliver_by_command(recipient, message),
        };
        dialogue::deliver(lmtp, &recipient, message)
    }

    fn deliver_by_command(&self, recipient: String, message: &str) -> io::Result<()> {
        let Ok(Access::Server(stream)) = Access::reach(&self.patient.data_dir, false) else {
            return Err(io::Error::other("the server has ended"));
        };
        let request = Request::Deliver { recipients: vec![recipient], sender: String::new(), mailbox: None };
        let input = Box::new(io::Cursor::new(message.as_bytes().to_vec()));
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        match admin::call(&stream, &request, input, &mut out, &mut errors) {
            exit::OK => Ok(()),
            _ => Err(io::Error::other(String::from_utf8_lossy(&errors).trim().to_owned())),
        }
    }

    /// None: no port for it.
    fn read(
        &self,
        tls: Protocol,
        plain: Protocol,
        read: fn(Dialogue, Login<'_>, &str) -> io::Result<bool>,
        token: &str,
    ) -> Option<io::Result<bool>> {
        let protocol = if self.place(tls).is_some() { tls } else { plain };
        let address = self.place(protocol)?;
        let certificate = self.certificate.as_ref().map(|certificate| certificate.der.as_slice());
        let login = Login {
            name: &self.account.name,
            password: &self.account.password,
            is_implicit_tls: protocol.is_implicit_tls(),
            certificate,
        };
        Some(Dialogue::open(protocol, address, certificate).and_then(|dialogue| read(dialogue, login, token)))
    }
}
