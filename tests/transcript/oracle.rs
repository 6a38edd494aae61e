//! Every IMAP response is parsed again by imap-codec, an independent reading of RFC 9051 §9.

use super::pattern::show;
use imap_codec::decode::Decoder as _;
use imap_codec::{GreetingCodec, ResponseCodec};

/// What imap-codec cannot read although it is right: the beginning of the response, and why.
const NOT_COVERED: &[(&[u8], &str)] = &[(b"* ESEARCH", "RFC 4731: imap-codec has no ESEARCH")];

/// Fails where imap-codec reads the response otherwise than as one whole response.
pub fn check(response: &[u8], greeting: bool) -> Result<(), String> {
    if NOT_COVERED.iter().any(|(start, _)| response.starts_with(start)) {
        return Ok(());
    }
    let mut octets = response.to_vec();
    octets.extend_from_slice(b"\r\n");
    let outcome = if greeting {
        GreetingCodec::default().decode(&octets).map(|(rest, _)| rest.len()).map_err(|error| format!("{error:?}"))
    } else {
        ResponseCodec::default().decode(&octets).map(|(rest, _)| rest.len()).map_err(|error| format!("{error:?}"))
    };
    match outcome {
        Ok(0) => Ok(()),
        Ok(rest) => Err(format!("imap-codec leaves the last {rest} octets of: {}", show(response))),
        Err(error) => Err(format!("imap-codec refuses ({error:.100}): {}", show(response))),
    }
}
