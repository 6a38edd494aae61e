//! What a password hash costs: as configured, or chosen for this board by measuring.
//!
//! Measured is once, when the data directory is new, and when somebody asks for it. What was chosen is kept in a small
//! file there. Each hash has its parameters in itself, so that older ones go on working.

use super::{hash, memory};
use crate::config;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Limit: what one hash may take, where the choice is ours.
const TIME_MAX: Duration = Duration::from_millis(500);
/// Hashes may take a quarter of the free memory together.
const MEMORY_SHARE: u64 = 4;
/// Limit: hashes that are tried after the sample, so that a slow board is not kept busy for long.
const TRIALS_MAX: u32 = 2;
/// Limit: octets of the file.
const FILE_MAX: u64 = 200;
const FILE: &str = "argon2";
const MIB: u32 = 1024;

/// A choice: memory in MiB and passes. Time goes with their product, and so does what an attacker has to spend.
type Rung = (u32, u32);

/// From the strongest to the weakest. Those from 46 MiB to 7 MiB with 5 passes are OWASP's, equal in strength; what
/// comes after them is for boards that are too slow or have too little memory.
const LADDER: [Rung; 15] = [
    (64, 3),
    (64, 2),
    (64, 1),
    (46, 1),
    (19, 2),
    (12, 3),
    (9, 4),
    (7, 5),
    (4, 8),
    (7, 4),
    (7, 3),
    (4, 5),
    (7, 2),
    (4, 3),
    (7, 1),
];
/// For a board that has memory for nothing else.
const SMALLEST: Rung = (4, 3);
/// What shows the speed of the board; twice, since something else may be going on.
const SAMPLE: Rung = (4, 1);
/// OWASP's least (Password Storage Cheat Sheet): one of these, or more.
const FLOOR: [Rung; 5] = [(46, 1), (19, 2), (12, 3), (9, 4), (7, 5)];

/// Parameters of Argon2id; there is always one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
    /// What a hash took when it was measured.
    pub time: Option<Duration>,
}

impl Chosen {
    const fn of((memory, passes): Rung, time: Option<Duration>) -> Self {
        Self { memory: memory * MIB, passes, time }
    }

    /// The choice as its file has it; None: the text is damaged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim_end().strip_prefix("m=")?.splitn(3, ' ');
        let memory = numbers.next()?.parse().ok()?;
        let passes = numbers.next()?.strip_prefix("t=")?.parse().ok()?;
        let time = match numbers.next()? {
            "ms=?" => None,
            text => Some(Duration::from_millis(text.strip_prefix("ms=")?.parse().ok()?)),
        };
        let is_possible = (MIB..=256 * MIB).contains(&memory) && (1..=100).contains(&passes);
        is_possible.then_some(Self { memory, passes, time })
    }

    /// Whether it is weaker than what OWASP asks for at least.
    #[must_use]
    pub fn is_below_floor(&self) -> bool {
        !FLOOR.iter().any(|(memory, passes)| self.memory >= memory * MIB && self.passes >= *passes)
    }

    /// What an attacker has to spend, up to a factor.
    pub(super) const fn strength(memory: u32, passes: u32) -> u64 {
        memory as u64 * passes as u64
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (memory, unit) =
            if self.memory.is_multiple_of(MIB) { (self.memory / MIB, "MiB") } else { (self.memory, "KiB") };
        let passes = if self.passes == 1 { "pass" } else { "passes" };
        write!(f, "Argon2id with {memory} {unit} and {} {passes}", self.passes)?;
        if let Some(time) = self.time {
            write!(f, ", {} ms a hash", time.as_millis())?;
        }
        if self.is_below_floor() {
            f.write_str(", below OWASP's least (7 MiB and 5 passes, or as strong)")?;
        }
        Ok(())
    }
}

/// The parameters that new hashes are made with.
pub struct Cost {
    current: RwLock<Option<Chosen>>,
    auto: Option<Auto>,
}

/// What choosing needs.
struct Auto {
    file: PathBuf,
    concurrent: u32,
    /// Held while somebody measures, so that all others wait for the outcome.
    measuring: Mutex<()>,
}

impl Cost {
    /// The configured numbers, whether they are to be measured or not.
    #[must_use]
    pub fn fixed(config: &config::Auth) -> Arc<Self> {
        let chosen = Chosen { memory: config.argon2_memory, passes: config.argon2_passes, time: None };
        Arc::new(Self { current: RwLock::new(Some(chosen)), auto: None })
    }

    /// As the configuration says: its numbers, or those that were chosen for this board, which are kept in the data
    /// directory. Nothing is measured yet.
    #[must_use]
    pub fn open(config: &config::Auth, data_dir: &Path) -> Arc<Self> {
        if !config.argon2_auto {
            return Self::fixed(config);
        }
        let file = data_dir.join(FILE);
        let chosen = read(&file).unwrap_or_else(|error| {
            log::warn!("{}: {error}; it is measured again", file.display());
            None
        });
        let concurrent = u32::try_from(config.concurrent_hashes).unwrap_or(u32::MAX);
        let auto = Auto { file, concurrent, measuring: Mutex::default() };
        Arc::new(Self { current: RwLock::new(chosen), auto: Some(auto) })
    }

    /// Whether they are chosen here.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        self.auto.is_some()
    }

    /// What is known without measuring.
    #[must_use]
    pub fn known(&self) -> Option<Chosen> {
        *self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parameters. Blocks where nobody has measured yet, for two seconds at most on the slowest boards.
    #[must_use]
    pub fn get(&self) -> Chosen {
        self.known().unwrap_or_else(|| self.choose(false))
    }

    /// Measures, and uses what comes of it from now on where the configuration leaves the choice. Blocks.
    #[must_use]
    pub fn measure(&self) -> Chosen {
        self.choose(true)
    }

    fn choose(&self, again: bool) -> Chosen {
        let measure =
            |concurrent| choose(memory::free(), concurrent, &mut |(memory, passes)| hash::time(memory * MIB, passes));
        let Some(auto) = &self.auto else { return measure(1) };
        let _one = auto.measuring.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chosen) = self.known().filter(|_| !again) {
            return chosen;
        }
        let chosen = measure(auto.concurrent);
        if let Err(error) = write(&auto.file, &chosen) {
            log::warn!("{}: {error}; it is measured again at the next start", auto.file.display());
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(chosen);
        self.tell();
        chosen
    }

    /// Writes what is known to the log; what is weak as a warning.
    pub fn tell(&self) {
        match self.known() {
            Some(chosen) if chosen.is_below_floor() => {
                log::warn!("passwords: {chosen}; passwords of devices (`mailnook device add`) do not depend on it");
            }
            Some(chosen) => log::info!("passwords: {chosen}"),
            None => {}
        }
    }
}

/// The strongest that takes no more than [`TIME_MAX`] and no more than its share of `free` octets. `time` tells how
/// long a hash takes; None: it cannot be computed.
fn choose(free: u64, concurrent: u32, time: &mut dyn FnMut(Rung) -> Option<Duration>) -> Chosen {
    let fits = |rung: &&Rung| u64::from(rung.0) * u64::from(concurrent.max(1)) <= (free / MEMORY_SHARE) >> 20;
    let mut left: Vec<Rung> = LADDER.iter().filter(fits).copied().collect();
    let samples = [time(SAMPLE), time(SAMPLE)];
    let units = |rung: Rung| rung.0.saturating_mul(rung.1);
    let Some(mut unit) = samples.into_iter().flatten().min().map(|sample| sample / units(SAMPLE)) else {
        return Chosen::of(SMALLEST, None);
    };
    for _ in 0..TRIALS_MAX {
        let Some(rung) = best(&left, unit) else { break };
        let Some(took) = time(rung) else {
            // There is less memory than was said.
            left.retain(|other| other.0 < rung.0);
            continue;
        };
        if took <= TIME_MAX || left.last() == Some(&rung) {
            return Chosen::of(rung, Some(took));
        }
        unit = took / units(rung);
        let place = left.iter().position(|other| *other == rung).map_or(left.len(), |place| place + 1);
        left.drain(..place);
    }
    let rung = best(&left, unit).unwrap_or(SMALLEST);
    Chosen::of(rung, Some(unit.saturating_mul(units(rung))))
}

/// The strongest that should take no longer than is allowed, else the weakest.
fn best(left: &[Rung], unit: Duration) -> Option<Rung> {
    let in_time = |rung: &&Rung| unit.saturating_mul(rung.0.saturating_mul(rung.1)) <= TIME_MAX;
    left.iter().find(in_time).or(left.last()).copied()
}

/// What the file says; None: there is none.
fn read(path: &Path) -> Result<Option<Chosen>, String> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| error.to_string())?,
    };
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Chosen::parse(&text).map(Some).ok_or_else(|| "it is damaged".to_owned())
}

/// Whole or not at all.
fn write(path: &Path, chosen: &Chosen) -> io::Result<()> {
    let time = chosen.time.map_or_else(|| "?".to_owned(), |time| time.as_millis().to_string());
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    writeln!(file, "m={} t={} ms={time}", chosen.memory, chosen.passes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
