//! Argon2id (RFC 9106) in PHC strings, which carry the parameters that each hash was made with.

use super::cost::{Chosen, Cost};
use super::scram;
use crate::config;
use crate::store::{Login, Password};
use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// Limit: memory in KiB that a stored hash may ask for; more is refused, not tried.
const STORED_MEMORY_MAX: u32 = 256 * 1024;
/// Limit: passes that a stored hash may ask for.
const STORED_PASSES_MAX: u32 = 64;
/// Limit: lanes that a stored hash may ask for.
const STORED_LANES_MAX: u32 = 16;
/// Limit: octets of a PHC string.
const PHC_MAX: usize = 512;
/// Octets of salt and of output in new hashes (RFC 9106 §4).
const SALT_LENGTH: usize = 16;
const OUTPUT_LENGTH: usize = 32;
/// Blocks of 1 KiB reserved at least, of which only those in use cost memory. From 32 MiB on glibc
/// takes memory from the kernel and gives it back at once when freed; smaller blocks would soon be
/// kept in the heap for ever.
const RESERVED_BLOCKS: usize = if cfg!(target_pointer_width = "64") { 33 * 1024 } else { 0 };

/// Why a hash was not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// The stored string is not an Argon2 hash, or asks for more than the limits allow.
    Unusable,
    /// The configured parameters are impossible.
    Parameters,
    /// There is not enough memory.
    Memory,
    /// The kernel gave no random octets.
    Random,
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unusable => "the stored password hash is not usable",
            Self::Parameters => "the parameters for password hashes are not usable",
            Self::Memory => "not enough memory for a password hash",
            Self::Random => "no random numbers for a password hash",
        })
    }
}

impl std::error::Error for HashError {}

/// Makes what is stored of a password, with the configured parameters. Blocks for as long as a login does and takes
/// the configured memory meanwhile.
///
/// # Errors
/// Impossible parameters, no memory, no randomness.
pub fn hash_password(password: impl AsRef<[u8]>, config: &config::Auth) -> Result<Password, HashError> {
    hash_password_of(None, password, config)
}

/// The same for a user who has a password already, or devices: these have one salt for SCRAM with the new one.
///
/// # Errors
/// Impossible parameters, no memory, no randomness.
pub fn hash_password_of(
    user: Option<&Login>,
    password: impl AsRef<[u8]>,
    config: &config::Auth,
) -> Result<Password, HashError> {
    hash_password_with(&Cost::fixed(config), user, password)
}

/// The same with parameters that may have been chosen for this board.
///
/// # Errors
/// Impossible parameters, no memory, no randomness.
pub fn hash_password_with(
    cost: &Arc<Cost>,
    user: Option<&Login>,
    password: impl AsRef<[u8]>,
) -> Result<Password, HashError> {
    let password = password.as_ref();
    let hash = Scheme::of(Arc::clone(cost)).hash(password, &mut Scratch::default())?;
    Ok(Password { hash, scram: scram::keys(password, user.and_then(scram::salt)) })
}

/// How long a hash takes with that memory in KiB, which is asked for anew; None: it cannot be computed.
pub(super) fn time(memory: u32, passes: u32) -> Option<Duration> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(memory, passes).ok()?);
    let mut output = [0; OUTPUT_LENGTH];
    let begin = Instant::now();
    compute(&argon2, b"a password", &[0; SALT_LENGTH], &mut output, &mut Scratch::default()).ok()?;
    Some(begin.elapsed())
}

fn params(memory: u32, passes: u32) -> Result<Params, HashError> {
    Params::new(memory, passes, 1, Some(OUTPUT_LENGTH)).map_err(|_| HashError::Parameters)
}

/// How new hashes are made.
#[derive(Clone)]
pub(super) struct Scheme {
    cost: Arc<Cost>,
}

impl Scheme {
    /// The configured scheme.
    pub(super) fn new(config: &config::Auth) -> Result<Self, HashError> {
        params(config.argon2_memory, config.argon2_passes)?;
        Ok(Self::of(Cost::fixed(config)))
    }

    /// A scheme whose parameters may still be unknown.
    pub(super) const fn of(cost: Arc<Cost>) -> Self {
        Self { cost }
    }

    /// Blocks where they have to be measured first.
    fn params(&self) -> Result<Params, HashError> {
        let Chosen { memory, passes, .. } = self.cost.get();
        params(memory, passes)
    }

    /// Hashes a password with a new salt.
    pub(super) fn hash(&self, password: &[u8], scratch: &mut Scratch) -> Result<String, HashError> {
        let mut salt = [0; SALT_LENGTH];
        getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
        let mut output = [0; OUTPUT_LENGTH];
        let params = self.params()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        compute(&argon2, password, &salt, &mut output, scratch)?;
        Self::phc(&params, &salt, &output)
    }

    /// A PHC string that no password fits; checking against it costs what a new hash costs.
    pub(super) fn dummy(&self) -> Result<String, HashError> {
        let mut octets = [0; SALT_LENGTH + OUTPUT_LENGTH];
        getrandom::fill(&mut octets).map_err(|_| HashError::Random)?;
        let (salt, output) = octets.split_at(SALT_LENGTH);
        Self::phc(&self.params()?, salt, output)
    }

    /// Whether a stored hash was made as new ones are; otherwise it is replaced at the next login. Where the parameters
    /// are chosen here, a stronger one stays: nobody asked for weaker ones.
    pub(super) fn is_current(&self, stored: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(stored) else {
            return false;
        };
        let Ok(params) = Params::try_from(&parsed) else {
            return false;
        };
        let Chosen { memory, passes, .. } = self.cost.get();
        let is_enough = if self.cost.is_auto() {
            Chosen::strength(params.m_cost(), params.t_cost()) >= Chosen::strength(memory, passes)
        } else {
            self.params() == Ok(params)
        };
        is_enough
            && parsed.algorithm.as_str() == Algorithm::Argon2id.as_str()
            && parsed.version == Some(Version::V0x13.into())
    }

    fn phc(params: &Params, salt: &[u8], output: &[u8]) -> Result<String, HashError> {
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(params).map_err(|_| HashError::Parameters)?,
            salt: Some(Salt::new(salt).map_err(|_| HashError::Parameters)?),
            hash: Some(Output::new(output).map_err(|_| HashError::Parameters)?),
        };
        Ok(hash.to_string())
    }
}

/// Whether `password` fits the stored PHC string, computed with the parameters in that string.
pub(super) fn verify(stored: &str, password: &[u8], scratch: &mut Scratch) -> Result<bool, HashError> {
    if stored.len() > PHC_MAX {
        return Err(HashError::Unusable);
    }
    let parsed = PasswordHash::new(stored).map_err(|_| HashError::Unusable)?;
    let algorithm = Algorithm::new(parsed.algorithm).map_err(|_| HashError::Unusable)?;
    let version = match parsed.version {
        Some(number) => Version::try_from(number).map_err(|_| HashError::Unusable)?,
        None => Version::V0x10,
    };
    let params = Params::try_from(&parsed).map_err(|_| HashError::Unusable)?;
    if params.m_cost() > STORED_MEMORY_MAX || params.t_cost() > STORED_PASSES_MAX || params.p_cost() > STORED_LANES_MAX
    {
        return Err(HashError::Unusable);
    }
    let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else {
        return Err(HashError::Unusable);
    };
    let mut buffer = [0; Output::MAX_LENGTH];
    let output = buffer.get_mut(..expected.len()).ok_or(HashError::Unusable)?;
    compute(&Argon2::new(algorithm, version, params), password, &salt, output, scratch)?;
    Ok(output[..].ct_eq(expected.as_bytes()).into())
}

fn compute(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    output: &mut [u8],
    scratch: &mut Scratch,
) -> Result<(), HashError> {
    let blocks = scratch.blocks(argon2.params().block_count())?;
    argon2.hash_password_into_with_memory(password, salt, output, blocks).map_err(|_| HashError::Unusable)
}

/// The working memory of Argon2, used again from hash to hash. Dropped: it goes back to the system.
#[derive(Default)]
pub(super) struct Scratch {
    blocks: Vec<Block>,
}

impl Scratch {
    fn blocks(&mut self, count: usize) -> Result<&mut [Block], HashError> {
        if self.blocks.len() < count {
            // The old blocks hold nothing of use: free them before more are asked for.
            self.blocks = Vec::new();
            let reserved = count.max(RESERVED_BLOCKS);
            if self.blocks.try_reserve_exact(reserved).is_err() {
                self.blocks.try_reserve_exact(count).map_err(|_| HashError::Memory)?;
            }
            self.blocks.resize(count, Block::new());
        }
        self.blocks.get_mut(..count).ok_or(HashError::Memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    pub(in super::super) fn cheap() -> config::Auth {
        config::Auth {
            argon2_auto: false,
            argon2_memory: 64,
            argon2_passes: 1,
            concurrent_hashes: 1,
            queue: 4,
            cache: Duration::from_mins(10),
        }
    }

    fn fits(stored: &str, password: &[u8]) -> Result<bool, HashError> {
        verify(stored, password, &mut Scratch::default())
    }

    #[test]
    fn a_hash_fits_its_password_alone() {
        let stored = hash_password("p\u{e4}ssword", &cheap()).unwrap().hash;
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert_eq!(fits(&stored, "p\u{e4}ssword".as_bytes()), Ok(true));
        assert_eq!(fits(&stored, b"password"), Ok(false));
        assert_eq!(fits(&stored, b""), Ok(false));
        assert_ne!(stored, hash_password("p\u{e4}ssword", &cheap()).unwrap().hash);
    }

    #[test]
    fn the_parameters_of_the_stored_hash_count() {
        let other = config::Auth { argon2_memory: 32, argon2_passes: 2, ..cheap() };
        let stored = hash_password("secret", &other).unwrap().hash;
        assert_eq!(fits(&stored, b"secret"), Ok(true));
        assert!(!Scheme::new(&cheap()).unwrap().is_current(&stored));
        assert!(Scheme::new(&other).unwrap().is_current(&stored));
    }

    #[test]
    fn where_the_choice_is_ours_only_weaker_hashes_are_replaced() {
        let directory = std::env::temp_dir().join(format!("mailnook-hash-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("argon2"), "m=2048 t=2 ms=9\n").unwrap();
        let cost = Cost::open(&config::Auth { argon2_auto: true, ..cheap() }, &directory);
        std::fs::remove_dir_all(&directory).unwrap();
        let new = hash_password_with(&cost, None, "secret").unwrap().hash;
        assert!(new.starts_with("$argon2id$v=19$m=2048,t=2,p=1$"), "{new}");
        let scheme = Scheme::of(cost);
        for (memory, passes, stays) in
            [(2048, 2, true), (1024, 4, true), (4096, 2, true), (2048, 1, false), (64, 1, false)]
        {
            let other = config::Auth { argon2_memory: memory, argon2_passes: passes, ..cheap() };
            let stored = hash_password("secret", &other).unwrap().hash;
            assert_eq!(scheme.is_current(&stored), stays, "{memory} {passes}");
            assert_eq!(fits(&stored, b"secret"), Ok(true));
        }
        assert!(time(64, 1).is_some() && time(1, 1).is_none());
    }

    #[test]
    fn the_vector_of_the_reference_implementation_fits() {
        // From the test program of the Argon2 reference implementation: "password", "somesalt".
        let stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(fits(stored, b"password"), Ok(true));
        assert_eq!(fits(stored, b"Password"), Ok(false));
    }

    #[test]
    fn absurd_and_broken_hashes_are_refused_without_computing() {
        let salt_and_output = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for stored in [
            String::new(),
            "secret".to_owned(),
            "$6$salt$hash".to_owned(),
            "$argon2id$v=19$m=256,t=2,p=1".to_owned(),
            format!("$argon2id$v=19$m=4194304,t=2,p=1${salt_and_output}"),
            format!("$argon2id$v=19$m=256,t=4000000,p=1${salt_and_output}"),
            format!("$argon2id$v=19$m=256,t=2,p=32${salt_and_output}"),
            format!("$argon2id$v=7$m=256,t=2,p=1${salt_and_output}"),
            format!("$argon2id$v=19$m=256,t=2,p=1${salt_and_output}{}", "A".repeat(600)),
        ] {
            assert_eq!(fits(&stored, b"secret"), Err(HashError::Unusable), "{stored}");
        }
    }

    #[test]
    fn nothing_fits_the_dummy() {
        let scheme = Scheme::new(&cheap()).unwrap();
        let dummy = scheme.dummy().unwrap();
        assert!(scheme.is_current(&dummy));
        assert_eq!(fits(&dummy, b""), Ok(false));
    }

    #[test]
    fn scratch_serves_hashes_of_different_sizes() {
        let mut scratch = Scratch::default();
        let small = hash_password("a", &cheap()).unwrap().hash;
        let large = hash_password("a", &config::Auth { argon2_memory: 512, ..cheap() }).unwrap().hash;
        for stored in [&small, &large, &small] {
            assert_eq!(verify(stored, b"a", &mut scratch), Ok(true));
        }
    }
}
