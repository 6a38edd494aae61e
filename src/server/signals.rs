//! Signals, and the timer that looks for a new certificate.

use crate::net::TlsAcceptor;
use async_signal::{Signal, Signals};
use smol::future;
use smol::stream::StreamExt;
use std::time::Duration;

/// How often the certificate's files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(5);

/// Completes on SIGTERM and SIGINT. On SIGHUP, and when the files change, the certificate is read again.
pub(super) async fn until_stopped(tls: &TlsAcceptor) {
    let mut signals = match Signals::new([Signal::Term, Signal::Int, Signal::Hup]) {
        Ok(signals) => signals,
        Err(error) => {
            // Without a handler SIGTERM ends the process at once, which the store survives.
            log::error!("signals cannot be caught: {error}");
            return watch(tls).await;
        }
    };
    let caught = async {
        while let Some(signal) = signals.next().await {
            match signal {
                Ok(Signal::Hup) => reload(tls),
                Ok(signal) => {
                    log::info!("ending on {}", if signal == Signal::Int { "SIGINT" } else { "SIGTERM" });
                    return;
                }
                Err(error) => log::warn!("a signal was lost: {error}"),
            }
        }
    };
    future::or(caught, watch(tls)).await;
}

async fn watch(tls: &TlsAcceptor) {
    loop {
        async_io::Timer::after(CERTIFICATE_INTERVAL).await;
        tls.reload_if_changed();
    }
}

fn reload(tls: &TlsAcceptor) {
    match tls.reload() {
        Ok(()) => log::info!("tls: certificate read again on SIGHUP, sha256 {}", tls.fingerprint()),
        Err(error) => log::error!("tls: the new certificate cannot be used, the old one stays: {error}"),
    }
}
