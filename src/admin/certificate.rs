//! Until when a certificate is valid (RFC 5280 §4.1.2.5): the one field of it that people ask for.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::Path;

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The times between which a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub begin: i64,
    pub end: i64,
}

/// The validity of the first certificate in a PEM file; None where there is none to be read.
pub(super) fn validity(path: &Path) -> Option<Validity> {
    let certificate = CertificateDer::from_pem_file(path).ok()?;
    parse(&certificate)
}

fn parse(certificate: &[u8]) -> Option<Validity> {
    let mut certificate = Der(certificate);
    let mut to_be_signed = Der(Der(certificate.value(SEQUENCE)?).value(SEQUENCE)?);
    if to_be_signed.0.first() == Some(&EXPLICIT_VERSION) {
        to_be_signed.next()?;
    }
    // serialNumber, signature, issuer
    for _ in 0..3 {
        to_be_signed.next()?;
    }
    let mut validity = Der(to_be_signed.value(SEQUENCE)?);
    Some(Validity { begin: validity.time()?, end: validity.time()? })
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
pub(super) fn day(seconds: i64) -> String {
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
        let validity = parse(&certificate()).expect("parses");
        assert_eq!((day(validity.begin), day(validity.end)), ("2026-11-23".to_owned(), "2051-02-01".to_owned()));
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
