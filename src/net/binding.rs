//! Channel bindings (RFC 5056): what both ends of a TLS connection know and nobody between them can imitate.

use rustls::ProtocolVersion;
use rustls::server::ServerConnection;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::sync::Arc;

/// RFC 9266 §2
const EXPORTER: &str = "tls-exporter";
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
/// RFC 5929 §4
const END_POINT: &str = "tls-server-end-point";

/// The bindings of one connection; none without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    exporter: Option<[u8; 32]>,
    end_point: Option<Arc<[u8]>>,
}

impl ChannelBindings {
    /// Those of a TLS session whose server certificate has this hash.
    pub(super) fn of(session: &ServerConnection, end_point: Option<Arc<[u8]>>) -> Self {
        // Below TLS 1.3 it is only unique with an extension that peers may leave out (RFC 9266 §4.2).
        let is_unique = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exporter =
            is_unique.then(|| session.export_keying_material([0; 32], EXPORTER_LABEL, Some(&[])).ok()).flatten();
        Self { exporter, end_point }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.end_point.is_none()
    }

    /// The data of a binding by its registered name. `tls-unique` is not among them (RFC 9266 §1 tells why).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        match name {
            EXPORTER => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            END_POINT => self.end_point.as_deref(),
            _ => None,
        }
    }
}

/// The hash of a certificate in DER that stands for its server (RFC 5929 §4.1). None where the algorithm of its
/// signature has no hash function of its own, for which the binding is not defined.
pub(super) fn end_point(certificate: &[u8]) -> Option<Arc<[u8]>> {
    let (_, certificate_fields, _) = element(certificate)?;
    let (_, _, behind_contents) = element(certificate_fields)?;
    let (_, algorithm, _) = element(behind_contents)?;
    let (_, identifier, _) = element(algorithm)?;
    Some(match identifier {
        SHA256_WITH_RSA | ECDSA_WITH_SHA256 | MD5_WITH_RSA | SHA1_WITH_RSA | ECDSA_WITH_SHA1 => {
            Sha256::digest(certificate).as_slice().into()
        }
        SHA384_WITH_RSA | ECDSA_WITH_SHA384 => Sha384::digest(certificate).as_slice().into(),
        SHA512_WITH_RSA | ECDSA_WITH_SHA512 => Sha512::digest(certificate).as_slice().into(),
        _ => return None,
    })
}

/// Object identifiers as DER has them (RFC 8017 appendix C, RFC 5758 §3.2).
const MD5_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
const SHA1_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const SHA384_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
const SHA512_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
const ECDSA_WITH_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ECDSA_WITH_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];

/// The first element of DER (ITU-T X.690 §8.1): its tag, its contents and what is behind it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length =
            length.iter().try_fold(0_usize, |sum, octet| sum.checked_mul(256)?.checked_add(usize::from(*octet)))?;
        (length, rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["mail.example.org".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let certificate_256 = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point(&certificate_256).as_deref(), Some(Sha256::digest(&certificate_256).as_slice()));
        let certificate_384 = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point(&certificate_384).as_deref(), Some(Sha384::digest(&certificate_384).as_slice()));
        assert_eq!(end_point(&certificate(&rcgen::PKCS_ED25519)), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = end_point(&octets);
        }
    }
}
