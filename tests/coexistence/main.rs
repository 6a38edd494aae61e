//! POP3, IMAP, deliveries, quotas and the policies on the same accounts, by random operations beside a plain model:
//! whatever happens, usage is what a recount finds, every message that was taken is where the model has it, or gone by
//! a policy that has a name. The process that has the store is killed at random moments; what it had answered is done,
//! and what was under way is done or not.
//!
//! `MAILNOOK_OPERATIONS` tells how many operations, `MAILNOOK_SEED` which. The store lies in /dev/shm where there is
//! one: a killed process loses nothing that it gave to the kernel, so syncing would cost time and show nothing.

mod answer;
mod chance;
mod later;
mod model;
mod operation;
mod process;

use model::Model;
use operation::{Operation, Random, USERS, Verb};
use process::ANSWER;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How many operations there are where nobody says otherwise: some seconds.
const OPERATIONS: u64 = 20_000;
/// All is compared after so many.
const COMPARE_EVERY: u64 = 500;
/// The process is killed with one group of operations of so many.
const KILL_EVERY: usize = 150;
const START: i64 = 1_700_000_000;

/// The process with the store.
struct Server {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(path: &Path, time: i64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_is_killed", "--nocapture"])
            .env("MAILNOOK_STORE", path)
            .env("MAILNOOK_TIME", time.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// Gives it operations; whether it took them.
    fn send(&mut self, operations: &[Operation]) -> bool {
        let mut text = format!("{}\n", operations.len());
        for operation in operations {
            text.push_str(&operation.line());
            text.push('\n');
        }
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).is_ok()
    }

    /// The next answer; None once the process is gone.
    fn answer(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some((_, answer)) = line.trim_end_matches('\n').split_once(ANSWER) {
                return Some(answer.to_owned());
            }
        }
    }

    fn ask(&mut self, verb: Verb) -> String {
        assert!(self.send(&[Operation::new(verb, 0)]));
        self.answer().expect("the process with the store ended by itself")
    }

    /// Ends it with SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory in memory where there is one, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(format!("mailnook-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The first place where two dumps differ, so that a failure can be read.
fn compare(found: &str, expected: &str, when: &str) {
    if found == expected {
        return;
    }
    for (found, expected) in found.split('|').zip(expected.split('|')) {
        assert_eq!(found, expected, "{when}");
    }
    panic!("{when}: {found} instead of {expected}");
}

struct Play {
    scratch: Scratch,
    server: Server,
    model: Model,
    random: Random,
    tokens: i64,
    kills: u64,
    /// How many killed groups turned out not done, done in part or as a whole.
    found: [u64; 3],
    /// After how many kills something was waiting, and how often it was lost.
    waited: [u64; 2],
    /// An operation that did not go into the last group.
    next: Option<Operation>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let scratch = Scratch::new(&format!("coexistence-{seed}"));
        let server = Server::start(&scratch.0, START);
        let (model, random) = (Model::new(START), Random::new(seed));
        Self { scratch, server, model, random, tokens: 0, kills: 0, found: [0; 3], waited: [0; 2], next: None }
    }

    /// One operation, or several that wait for one commit, with what must be answered; the model has done them already.
    fn group(&mut self, most: usize) -> (Vec<Operation>, Vec<String>) {
        let (mut operations, mut expected) = (Vec::new(), Vec::new());
        let wanted = 1 + self.random.below(most);
        while operations.len() < wanted {
            let kept = self.next.take();
            let operation = kept.unwrap_or_else(|| chance::next(&mut self.random, &self.model, self.tokens + 1));
            let alone = !operation.is_one_job();
            if alone && !operations.is_empty() {
                self.next = Some(operation);
                break;
            }
            if matches!(operation.verb, Verb::Append | Verb::Deliver) {
                self.tokens += 1;
            }
            expected.push(self.model.apply(&operation));
            operations.push(operation);
            if alone {
                break;
            }
        }
        (operations, expected)
    }

    fn check(&mut self, operation: &Operation, expected: &str, answer: &str) {
        match operation.verb {
            Verb::Warn => self.model.warned(answer),
            Verb::Why => self.model.check_why(operation, answer),
            _ => assert_eq!(answer, expected, "operation {}: {operation:?}", self.model.operations),
        }
    }

    fn settle(&mut self) {
        for user in 0..USERS.len() {
            let mut operation = Operation::new(Verb::Settings, user);
            operation.numbers = chance::settings(&mut self.random);
            self.run_all(&[operation.clone()], &[self.model.clone().apply(&operation)]);
            self.model.apply(&operation);
        }
    }

    fn run_all(&mut self, operations: &[Operation], expected: &[String]) {
        assert!(self.server.send(operations));
        for (operation, expected) in operations.iter().zip(expected) {
            let answer = self.server.answer().expect("the process with the store ended by itself");
            self.check(operation, expected, &answer);
        }
    }

    fn compare(&mut self) {
        let when = format!("after operation {}", self.model.operations);
        compare(&self.server.ask(Verb::Dump), &self.model.dump(), &when);
        // Who asks sees all: what waited is written before.
        self.model.written();
        compare(&self.server.ask(Verb::Verify), &self.model.verified(), &when);
        self.model.account_for_all();
    }

    /// The process is killed during these; what was answered is done, the rest is done up to somewhere.
    fn kill(&mut self, before: Model, operations: &[Operation], expected: &[String]) {
        self.server.send(operations);
        let most = [1, 1, 100, 1500][self.random.below(4)];
        match self.random.below(most) {
            0 => {}
            wait => std::thread::sleep(Duration::from_micros(wait as u64)),
        }
        self.server.kill();
        self.kills += 1;
        // What was to come next may make no sense any more.
        self.next = None;
        let mut answered = 0;
        while let Some(answer) = self.server.answer() {
            self.check(&operations[answered], &expected[answered], &answer);
            answered += 1;
        }
        let after = std::mem::replace(&mut self.model, before);
        self.server = Server::start(&self.scratch.0, after.now);
        if self.random.once_in(4) {
            // Once more, while it opens the store.
            std::thread::sleep(Duration::from_micros(self.random.below(20_000) as u64));
            self.server.kill();
            self.server = Server::start(&self.scratch.0, after.now);
        }
        let found = self.server.ask(Verb::Dump);
        self.waited[0] += u64::from(self.model.later.len() > 0);
        let is_alone = operations.len() == 1 && !matches!(operations[0].verb, Verb::Append | Verb::Deliver);
        if is_alone && operations[0].verb == Verb::PopQuit && found == after.dump() {
            // Once more it would know less: where the messages are that were moved belongs to the session, which is gone.
            self.found[2] += 1;
            self.model = after;
            self.lose(&found);
            for user in &mut self.model.users {
                user.sessions.clear();
            }
        } else if is_alone && answered == 0 && !operations[0].is_one_job() {
            // It may be several commits, or one that nothing shows: done once more it is done, and nothing more.
            self.found[if found == after.dump() { 2 } else { 0 }] += 1;
            self.lose(&found);
            for user in &mut self.model.users {
                user.sessions.clear();
            }
            let expected = self.model.apply(&operations[0]);
            assert!(self.server.send(operations));
            let answer = self.server.answer().unwrap();
            if operations[0].verb == Verb::PopBegin {
                assert!(answer == expected || expected == "in use", "{answer} {expected}");
            }
        } else {
            let mut done = 0;
            while done < answered || (done < operations.len() && !self.lose(&found)) {
                self.model.apply(&operations[done]);
                done += 1;
            }
            self.lose(&found);
            self.found[if done == operations.len() { 2 } else { usize::from(done > 0) }] += 1;
            for user in &mut self.model.users {
                user.sessions.clear();
            }
        }
        self.compare();
    }

    /// Forgets what the killed process had not written, where that gives what was found; whether it does.
    fn lose(&mut self, found: &str) -> bool {
        let mut left = self.model.after_losses();
        let at = left.iter().position(|model| model.dump() == found);
        self.waited[1] += u64::from(at.is_some_and(|at| at > 0));
        let model = at.map(|at| left.swap_remove(at));
        let fits = model.is_some();
        self.model = model.unwrap_or_else(|| self.model.clone());
        fits
    }

    fn step(&mut self) {
        let before = self.random.once_in(KILL_EVERY).then(|| self.model.clone());
        let (operations, expected) = self.group(if before.is_some() { 40 } else { 12 });
        match before.filter(|_| operations[0].verb != Verb::Warn) {
            Some(before) => self.kill(before, &operations, &expected),
            None => self.run_all(&operations, &expected),
        }
    }
}

impl Play {
    /// Tells what was played, and that everything there is has had its turn.
    fn report(&self, seed: u64, took: Duration) {
        let (model, days) = (&self.model, (self.model.now - START) / operation::DAY);
        println!("seed {seed}: {} operations in {took:?}, {days} days, {} kills", model.operations, self.kills);
        println!(
            "under way when killed: {} not done, {} in part, {} done",
            self.found[0], self.found[1], self.found[2]
        );
        println!("notes of fetching waited at {} kills, and were lost at {}", self.waited[0], self.waited[1]);
        println!("came: {:?}; refused because an account was full: {}", model.came, model.refused);
        println!("moved by the POP3 rules: {}; brought back: {}", model.ruled, model.back);
        for (user, name) in model.users.iter().zip(USERS) {
            let (bytes, messages) = user.usage();
            println!("{name} has {messages} messages of {bytes} octets, and {} hidden ones", user.hidden.len());
        }
        println!("gone: {:#?}", model.gone);
        if model.operations < OPERATIONS {
            return;
        }
        let rare = [self.kills, model.refused, model.ruled, model.back, model.came["warning"], model.came["LMTP"]];
        assert!(rare.iter().all(|times| *times > 0), "{rare:?}");
        for policy in ["Expired Policy", "Expunged Imap", "Expunged Pop3"] {
            for kept in ["and the days to bring it back are over", "nothing is kept to be brought back"] {
                assert!(model.gone.contains_key(&format!("{policy}, {kept}")), "{policy}, {kept}");
            }
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn no_message_goes_without_the_policy_that_says_so() {
    if std::env::var_os("MAILNOOK_STORE").is_some() {
        return;
    }
    let operations = number("MAILNOOK_OPERATIONS").unwrap_or(OPERATIONS);
    let seed = number("MAILNOOK_SEED").unwrap_or(1);
    let begin = Instant::now();
    let mut play = Play::new(seed);
    play.settle();
    let (mut compared, mut told) = (0, 0);
    while play.model.operations < operations {
        play.step();
        if play.model.operations >= compared + COMPARE_EVERY {
            compared = play.model.operations;
            play.compare();
        }
        if play.model.operations >= told + 20_000 {
            told = play.model.operations;
            println!("seed {seed}: {told} operations in {:?}, {} kills", begin.elapsed(), play.kills);
        }
    }
    play.compare();
    play.report(seed, begin.elapsed());
}

/// Not a test of its own: the test above starts it once more as the process with the store.
#[test]
fn the_process_that_is_killed() {
    let Some(path) = std::env::var_os("MAILNOOK_STORE") else { return };
    let time = std::env::var("MAILNOOK_TIME").unwrap().parse().unwrap();
    process::serve(Path::new(&path), time);
}
