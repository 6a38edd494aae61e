//! What people ask of a certificate (RFC 5280): until when it is valid, for which names, and whether it is self-signed.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Context;

const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// id-ce-subjectAltName (RFC 5280 §4.2.1.6), as an element.
const SUBJECT_ALT_NAME: (u8, &[u8]) = (0x06, &[0x55, 0x1d, 0x11]);
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The times between which a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub begin: i64,
    /// The last second.
    pub end: i64,
}

/// The server's own certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Its octets.
    pub der: Vec<u8>,
    /// Its time.
    pub validity: Validity,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// Nobody but itself vouches for it: issuer and subject are the same.
    pub self_signed: bool,
}

impl Certificate {
    /// The first certificate in a PEM file; None where there is none to be read.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let der = CertificateDer::from_pem_file(path).ok()?;
        parse(&der)
    }

    /// SHA-256 in hexadecimal with colons, as clients show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.der).iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Whether it is for that name (RFC 9525 §6.3: a wildcard stands for one label).
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|own| {
            own.eq_ignore_ascii_case(name)
                || own.strip_prefix("*.").is_some_and(|domain| {
                    name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain))
                })
        })
    }
}

/// Where the certificate is: that in use, or the one that a server would take.
pub(super) fn path(context: &Context) -> PathBuf {
    let config = &context.config;
    let files = context.running.as_ref().and_then(|running| running.tls.as_ref()).map(|tls| tls.files().clone());
    let certificate = files.map(|files| files.certificate).or_else(|| config.tls.certificate.clone());
    certificate.unwrap_or_else(|| config.data_dir.join("cert.pem"))
}

/// The validity of the first certificate in a PEM file; None where there is none to be read.
pub(super) fn validity(path: &Path) -> Option<Validity> {
    Certificate::read(path).map(|certificate| certificate.validity)
}

fn parse(octets: &[u8]) -> Option<Certificate> {
    let mut certificate = Der(octets);
    let mut to_be_signed = Der(Der(certificate.value(SEQUENCE)?).value(SEQUENCE)?);
    if to_be_signed.0.first() == Some(&EXPLICIT_VERSION) {
        to_be_signed.next()?;
    }
    // serialNumber, signature
    to_be_signed.next()?;
    to_be_signed.next()?;
    let issuer = to_be_signed.value(SEQUENCE)?;
    let mut times = Der(to_be_signed.value(SEQUENCE)?);
    let validity = Validity { begin: times.time()?, end: times.time()? };
    let subject = to_be_signed.value(SEQUENCE)?;
    let mut names = Vec::new();
    while let Some((tag, value)) = to_be_signed.next() {
        if tag == EXPLICIT_EXTENSIONS {
            names = alternative_names(value).unwrap_or_default();
        }
    }
    Some(Certificate { der: octets.to_vec(), validity, names, self_signed: issuer == subject })
}

/// The host names and addresses in the extensions; names of other kinds are left out.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(Der(extensions).value(SEQUENCE)?);
    while let Some(extension) = extensions.value(SEQUENCE) {
        let mut extension = Der(extension);
        if extension.next()? != SUBJECT_ALT_NAME {
            continue;
        }
        let mut element = extension.next()?;
        if element.0 != OCTET_STRING {
            // It is critical or not.
            element = extension.next()?;
        }
        let mut names = Der(Der(element.1).value(SEQUENCE)?);
        return Some(std::iter::from_fn(|| names.next()).filter_map(|(tag, value)| name(tag, value)).collect());
    }
    None
}

fn name(tag: u8, value: &[u8]) -> Option<String> {
    match (tag, value.len()) {
        (DNS_NAME, _) => {
            std::str::from_utf8(value).ok().filter(|name| name.chars().all(|c| c.is_ascii_graphic())).map(str::to_owned)
        }
        (IP_ADDRESS, 4) => <[u8; 4]>::try_from(value).ok().map(|octets| IpAddr::from(octets).to_string()),
        (IP_ADDRESS, 16) => <[u8; 16]>::try_from(value).ok().map(|octets| IpAddr::from(octets).to_string()),
        _ => None,
    }
}

/// A DER reader; each method takes one element off its front.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // Limit: lengths of at most three octets; a certificate is far smaller than 16 MiB.
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    fn value(&mut self, wanted: u8) -> Option<&'d [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, value)| value)
    }

    fn time(&mut self) -> Option<i64> {
        let (tag, value) = self.next()?;
        let text = std::str::from_utf8(value).ok()?;
        let text = match tag {
            // Two digits of the year: 1950 to 2049.
            UTC_TIME if text.as_bytes().first()? < &b'5' => format!("20{text}"),
            UTC_TIME => format!("19{text}"),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        Some(chrono::NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc().timestamp())
    }
}

/// A day as people write it, `2026-11-23`.
#[must_use]
pub fn day(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "?".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
        params.not_before = rcgen::date_time_ymd(2026, 11, 23);
        params.not_after = rcgen::date_time_ymd(2051, 2, 1);
        let key = rcgen::KeyPair::generate().expect("key");
        params.self_signed(&key).expect("certificate").der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let validity = parse(&certificate()).expect("parses").validity;
        assert_eq!((day(validity.begin), day(validity.end)), ("2026-11-23".to_owned(), "2051-02-01".to_owned()));
    }

    #[test]
    fn names_and_issuer_are_read() {
        let own = parse(&certificate()).expect("parses");
        assert!(own.self_signed && own.covers("LocalHost") && !own.covers("localhost.example"));

        let names = ["mail.example.org", "*.example.net", "192.0.2.7", "2001:db8::7"].map(str::to_owned);
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("params");
        authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        let key = rcgen::KeyPair::generate().expect("key");
        let issuer = rcgen::Issuer::new(authority, key);
        let params = rcgen::CertificateParams::new(names.to_vec()).expect("params");
        let signed = params.signed_by(&rcgen::KeyPair::generate().expect("key"), &issuer).expect("certificate");
        let signed = parse(signed.der()).expect("parses");
        assert_eq!(signed.names, names);
        assert!(!signed.self_signed);
        for (name, covered) in
            [("imap.example.net", true), ("a.b.example.net", false), ("example.net", false), ("2001:db8::7", true)]
        {
            assert_eq!(signed.covers(name), covered, "{name}");
        }
    }

    proptest! {
        #[test]
        fn damage_does_not_panic(at in 0_usize..400, octet: u8, cut in 0_usize..400) {
            let mut damaged = certificate();
            if let Some(place) = damaged.get_mut(at) {
                *place = octet;
            }
            damaged.truncate(cut.max(1));
            let _ = parse(&damaged);
        }
    }
}
