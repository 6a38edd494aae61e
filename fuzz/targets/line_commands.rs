//! The command lines of LMTP and POP3, and SASL responses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailnook::auth::sasl;

fuzz_target!(|data: &[u8]| {
    mailnook::lmtp::fuzz_command(data);
    mailnook::pop3::fuzz_command(data);
    if let Ok(message) = sasl::decode(data) {
        let _ = sasl::plain(&message);
    }
    let _ = sasl::plain(data);
});
