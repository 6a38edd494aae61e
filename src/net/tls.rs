//! Certificates and the TLS configuration of all listeners.
//!
//! rustls with ring, TLS 1.2 and 1.3. Tickets are stateless: a resumed session costs the server no memory.
//! The certificate and key files may change while we run; sessions keep what they began with.

use super::binding::end_point;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Years for which a certificate made here is valid.
const VALID_YEARS: i32 = 10;

/// Limit: octets of a certificate or key file; a chain of a few certificates has 10 KiB.
const FILE_MAX: u64 = 1024 * 1024;

/// Protocol names for ALPN (RFC 7301). Any of them is accepted on every port; a client that offers none is served,
/// and one that offers only others (a browser that was lured here) is not.
const ALPN: [&[u8]; 2] = [b"imap", b"pop3"];

/// Where the certificate chain and its key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The key in PKCS #8, SEC 1 or PKCS #1.
    pub key: PathBuf,
}

/// Why certificate and key cannot be used; the text names the file and is for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl TlsFiles {
    /// Makes a key and a self-signed certificate (ECDSA P-256, ten years) for `names`, `localhost` and the loopback
    /// addresses where neither file is there. Answers whether it did.
    ///
    /// # Errors
    /// One file is there without the other, or they cannot be written.
    pub fn create_missing(&self, names: &[String]) -> Result<bool, TlsError> {
        match (self.certificate.exists(), self.key.exists()) {
            (true, true) => return Ok(false),
            (false, false) => {}
            (true, false) => return Err(missing(&self.key, &self.certificate)),
            (false, true) if self.was_cut_off() => {
                put_in_place(&self.certificate)?;
                return Ok(true);
            }
            (false, true) => return Err(missing(&self.certificate, &self.key)),
        }
        let (certificate, key) = self_signed(names)?;
        // Both are whole on the disk before either has its name: one without the other would stop the next start.
        write_aside(&self.certificate, certificate.as_bytes(), 0o644)?;
        write_aside(&self.key, key.as_bytes(), 0o600)?;
        put_in_place(&self.key)?;
        put_in_place(&self.certificate)?;
        Ok(true)
    }

    /// Whether the power went when the key that was made here had its name already and the certificate not yet.
    fn was_cut_off(&self) -> bool {
        Self { certificate: aside(&self.certificate), key: self.key.clone() }.load().is_ok()
    }

    fn load(&self) -> Result<Loaded, TlsError> {
        let chain = read_chain(&self.certificate)?;
        let key = read_key(&self.key)?;
        let fingerprint =
            chain.first().map(|certificate| hex(&Sha256::digest(certificate.as_ref()))).unwrap_or_default();
        let end_point = chain.first().and_then(|certificate| end_point(certificate.as_ref()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError(format!(
                "the key in {} does not belong to the certificate in {}",
                self.key.display(),
                self.certificate.display()
            )),
            error => {
                TlsError(format!("certificate {} with key {}: {error}", self.certificate.display(), self.key.display()))
            }
        })?;
        let unusable = |error: rustls::Error| TlsError(format!("TLS cannot be set up: {error}"));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(unusable)?;
        config.send_tls13_tickets = 1;
        config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
        Ok(Loaded { config: Arc::new(config), fingerprint, end_point })
    }

    fn stamp(&self) -> [Option<Stamp>; 2] {
        [Stamp::of(&self.certificate), Stamp::of(&self.key)]
    }
}

#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    fingerprint: String,
    /// For channel binding.
    end_point: Option<Arc<[u8]>>,
}

/// What tells a changed file from the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: (metadata.mtime(), metadata.mtime_nsec()), size: metadata.size(), inode: metadata.ino() })
    }
}

/// Accepts TLS with the certificate that is current when a handshake begins.
#[derive(Clone, Debug)]
pub struct TlsAcceptor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    files: TlsFiles,
    loaded: RwLock<Loaded>,
    /// The files as they were at the last attempt to read them, good or bad.
    seen: Mutex<[Option<Stamp>; 2]>,
}

impl TlsAcceptor {
    /// Reads certificate and key. Blocks.
    ///
    /// # Errors
    /// A file cannot be read, holds no certificate or key, or the two do not belong together.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = files.stamp();
        let loaded = files.load()?;
        Ok(Self { shared: Arc::new(Shared { files, loaded: RwLock::new(loaded), seen: Mutex::new(seen) }) })
    }

    /// Reads the files again, changed or not (SIGHUP). Sessions keep the certificate they began with.
    ///
    /// # Errors
    /// As [`TlsAcceptor::open`]; the old certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        // Taken before reading: a change in between is seen next time.
        let stamp = self.shared.files.stamp();
        *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        let loaded = self.shared.files.load()?;
        *self.shared.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// Reads the files again if they changed since the last attempt, and logs the outcome once: a broken new file
    /// is reported with its reason and the old certificate stays in use. The server calls this every few seconds.
    /// Answers whether a new certificate is in use.
    pub fn reload_if_changed(&self) -> bool {
        let stamp = self.shared.files.stamp();
        if *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner) == stamp {
            return false;
        }
        match self.reload() {
            Ok(()) => {
                log::info!("tls: new certificate in use, sha256 {}", self.fingerprint());
                true
            }
            Err(error) => {
                log::error!("tls: the new certificate cannot be used, the old one stays: {error}");
                false
            }
        }
    }

    /// SHA-256 of the server's certificate, in hexadecimal with colons as clients show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.shared.loaded.read().unwrap_or_else(PoisonError::into_inner).fingerprint.clone()
    }

    /// The files that are read.
    #[must_use]
    pub fn files(&self) -> &TlsFiles {
        &self.shared.files
    }

    /// What a handshake needs, and the hash of the certificate for channel binding. A session that is resumed began
    /// with the same certificate: a new one comes with new keys for tickets.
    pub(super) fn current(&self) -> (Arc<ServerConfig>, Option<Arc<[u8]>>) {
        let loaded = self.shared.loaded.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&loaded.config), loaded.end_point.clone())
    }
}

fn missing(absent: &Path, present: &Path) -> TlsError {
    TlsError(format!(
        "{} is missing while {} is there: restore it, or remove both to have new ones made",
        absent.display(),
        present.display()
    ))
}

fn read_limited(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error: io::Error| {
        let advice = if error.kind() == io::ErrorKind::PermissionDenied {
            "; mailnook does not run as root: copy it to where its own user may read it (README, Connect clients)"
        } else {
            ""
        };
        TlsError(format!("cannot read {}: {error}{advice}", path.display()))
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > FILE_MAX {
        return Err(TlsError(format!("{} is no PEM file: it has {size} octets", path.display())));
    }
    fs::read(path).map_err(failed)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read_limited(path)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError(format!("{} is damaged: {error}", path.display())))?;
    if chain.is_empty() {
        return Err(TlsError(format!("{} holds no certificate in PEM form", path.display())));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read_limited(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => {
            TlsError(format!("{} holds no private key in PEM form that is not encrypted", path.display()))
        }
        error => TlsError(format!("{} is damaged: {error}", path.display())),
    })
}

/// A certificate and its key, both in PEM.
fn self_signed(names: &[String]) -> Result<(String, String), TlsError> {
    let failed = |error: rcgen::Error| TlsError(format!("cannot make a certificate: {error}"));
    let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(failed)?;
    let defaults = ["localhost", "127.0.0.1", "::1"];
    let mut seen: Vec<&str> = Vec::new();
    for name in names.iter().map(String::as_str).chain(defaults) {
        if !name.is_empty() && !seen.contains(&name) {
            seen.push(name);
            params.subject_alt_names.push(alternative_name(name)?);
        }
    }
    let common = seen.first().copied().unwrap_or("localhost");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common);
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let mut serial = [0_u8; 16];
    getrandom::fill(&mut serial).map_err(|error| TlsError(format!("no randomness: {error}")))?;
    // A serial number is positive (RFC 5280 §4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&serial));
    let (year, month, day) = yesterday();
    params.not_before = rcgen::date_time_ymd(year, month, day);
    params.not_after = rcgen::date_time_ymd(year.saturating_add(VALID_YEARS), month, day);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn alternative_name(name: &str) -> Result<rcgen::SanType, TlsError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(rcgen::SanType::IpAddress(address));
    }
    match rcgen::string::Ia5String::try_from(name) {
        Ok(name) => Ok(rcgen::SanType::DnsName(name)),
        Err(_) => Err(TlsError(format!("{name:?} cannot be a name in a certificate: write it in ASCII"))),
    }
}

/// A day earlier than today, since clocks of clients differ. 29 February becomes 28, which every year has.
fn yesterday() -> (i32, u8, u8) {
    use chrono::Datelike;
    let date = chrono::Utc::now().date_naive();
    let date = date.pred_opt().unwrap_or(date);
    let month = u8::try_from(date.month()).unwrap_or(1);
    let day = u8::try_from(date.day()).unwrap_or(1);
    (date.year(), month, if month == 2 { day.min(28) } else { day })
}

/// Where a file waits for its name.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn cannot_write(path: &Path) -> impl Fn(io::Error) -> TlsError {
    move |error| TlsError(format!("cannot write {}: {error}", path.display()))
}

/// Writes what will be a file to the disk.
fn write_aside(path: &Path, octets: &[u8], mode: u32) -> Result<(), TlsError> {
    let failed = cannot_write(path);
    let aside = aside(path);
    // Left by a start that was cut off.
    let _absent = fs::remove_file(&aside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside).map_err(&failed)?;
    file.write_all(octets).map_err(&failed)?;
    file.sync_all().map_err(&failed)
}

/// Gives what was written aside its name, whenever the power goes.
fn put_in_place(path: &Path) -> Result<(), TlsError> {
    let failed = cannot_write(path);
    fs::rename(aside(path), path).map_err(&failed)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(&failed)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}
